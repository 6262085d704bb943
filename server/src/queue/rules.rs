//! What to answer: pure rules that every engine obeys, from what is held and what is asked to a decision (rules Q3, Q5,
//! Q8, Q9, B1 to B4). Keeping and finding things is left to the engines.

use beresta_proto::key::CapabilityHash;
use beresta_proto::limits::{
    QUEUE_BYTES, QUEUE_DAYS, QUEUE_MESSAGES, QUEUE_NEW_HOURS, QUEUE_REMEMBERED, TOMBSTONE_HOURS,
};
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp, TtlClass};

use super::{ClaimantName, ReadName};

const DAY_HOURS: i64 = 24;
const STRETCH_DAYS: i64 = 30;
const STRETCH_HOURS: i64 = STRETCH_DAYS * DAY_HOURS;

/// A time as it is kept: whole hours since 1970, rounded up, so that what is kept says little about when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub(crate) i64);

impl Hour {
    /// The first hour that is not before `time`.
    #[must_use]
    pub fn up(time: Timestamp) -> Self {
        Self(i64::try_from(time.0.div_ceil(HOUR_MS)).unwrap_or(i64::MAX))
    }

    /// The first midnight of UTC that is not before `time`: for what lives so long that a day does not matter, and whose
    /// end must not tell in which hour somebody was there.
    #[must_use]
    pub fn midnight(time: Timestamp) -> Self {
        Self(Self::up(time).0.saturating_add(DAY_HOURS - 1) / DAY_HOURS * DAY_HOURS)
    }

    /// The last hour that is not after `time`. What ends in it or earlier is over.
    #[must_use]
    pub fn down(time: Timestamp) -> Self {
        Self(i64::try_from(time.0 / HOUR_MS).unwrap_or(i64::MAX))
    }

    /// Whether what ends in this hour is over at `now`.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        self <= Self::down(now)
    }

    /// When the hour begins.
    #[must_use]
    pub fn begins(self) -> Timestamp {
        Timestamp(u64::try_from(self.0).unwrap_or(0).saturating_mul(HOUR_MS))
    }
}

/// When a message that is stored at `now` ends (rule Q9): not before its class. Who sees the end and guesses the class
/// can count back to when it came: so it is the next midnight, but for the class that lasts an hour.
#[must_use]
pub fn message_ends(ttl: TtlClass, now: Timestamp) -> Hour {
    let end = now.plus(ttl.millis());
    match ttl {
        TtlClass::Hour => Hour::up(end),
        TtlClass::TwoDays | TtlClass::Week | TtlClass::ThreeWeeks => Hour::midnight(end),
    }
}

/// Until when the id of a message that goes at `now` is remembered (rule Q5). A midnight, so that it does not tell in
/// which hour its reader was there.
#[must_use]
pub fn tombstone_ends(now: Timestamp) -> Hour {
    Hour::midnight(now.plus(TOMBSTONE_HOURS.saturating_mul(HOUR_MS)))
}

/// The hour that it is at `now` for queues: by a clock that stood still for the hours that were `missed` ([`missed`]). By that their
/// ends are kept, so all that are read in one stretch end alike, whenever the relay was off.
#[must_use]
pub fn counted(now: Timestamp, missed: i64) -> Hour {
    Hour(Hour::down(now).0.saturating_sub(missed))
}

/// When a queue that is made at `now` ends, as it is kept, if nobody subscribes to it before (rule Q13).
#[must_use]
pub fn new_queue_ends(now: Timestamp, missed: i64) -> Hour {
    Hour(Hour::midnight(now.plus(QUEUE_NEW_HOURS.saturating_mul(HOUR_MS))).0.saturating_sub(missed))
}

/// When a queue that is subscribed to at `now` ends, as it is kept, if nobody does again (rule Q13), and when any queue does at the
/// latest: a clock that was ahead has given it more. A day would tell which queues were last read together, and so that
/// they are one person's (rule Q11); the end of a stretch of 30 days, the same for everybody, says it of all who read in it.
#[must_use]
pub fn queue_ends(now: Timestamp, missed: i64) -> Hour {
    let Hour(ends) = Hour::up(now.plus(QUEUE_DAYS.saturating_mul(DAY_MS)));
    let stretches = ends.saturating_sub(missed).saturating_add(STRETCH_HOURS - 1).div_euclid(STRETCH_HOURS);
    Hour(stretches.saturating_mul(STRETCH_HOURS))
}

/// The clock, or the beginning of the day of the last sweep if it says less: one that is set back for a moment, before a sweep has
/// seen it, must end no queue.
#[must_use]
pub fn not_before(swept: Option<i64>, now: Timestamp) -> Timestamp {
    let begins = swept.map_or(0, |day| day.unsigned_abs().saturating_mul(DAY_MS));
    now.max(Timestamp(begins))
}

/// Hours that do not count because nothing was swept since the day `swept` (rule Q13): while a relay was off nobody could subscribe,
/// and where a clock jumped nobody did. A conversation must not end by that.
#[must_use]
pub fn missed(swept: Option<i64>, today: i64) -> i64 {
    let days = swept.map_or(0, |swept| today.saturating_sub(swept));
    // Yesterday is what an ordinary midnight looks like; no more than that counts, or at a relay that runs every second day nothing
    // would ever end.
    days.saturating_sub(1).max(0).saturating_mul(DAY_HOURS)
}

/// The day of a moment, as engines keep it.
#[must_use]
pub fn day(now: Timestamp) -> i64 {
    i64::try_from(now.day()).unwrap_or(i64::MAX)
}

/// When a blob that is stored at `now` ends (rule B1).
#[must_use]
pub fn blob_ends(hours: u16, now: Timestamp) -> Hour {
    Hour::up(now.plus(u64::from(hours).saturating_mul(HOUR_MS)))
}

/// The cap on the disk and what counts against it.
///
/// The cost of a row is its share of a page in SQLite, as measured after days of coming and going, and counted the same
/// by every engine. So the pages that are in use are near the cap when it is reached; SQLite's engine sees to it that
/// they are never twice as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Bytes that messages, queues, blobs and remembered ids may take together.
    pub bytes: u64,
}

/// What one row counts against the [`Cap`], in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost;

impl Cost {
    /// A queue.
    pub const QUEUE: u64 = 384;
    /// A remembered message id. Less than any message, so that acknowledging always makes room.
    pub const TOMBSTONE: u64 = 64;
    /// A blob.
    pub const BLOB: u64 = 5_632;

    /// A message with an envelope of `bytes`, and its places in the indexes. A 16 KiB envelope has a page to itself.
    #[must_use]
    pub fn message(bytes: usize) -> u64 {
        const INDEXES: u64 = 128;
        match bytes {
            0..=2_048 => 2_688 + INDEXES,
            2_049..=4_096 => 5_376 + INDEXES,
            _ => 32_768 + INDEXES,
        }
    }
}

impl Cap {
    /// Whether a message that costs so much may be stored where `used` is held.
    #[must_use]
    pub fn admits_message(self, used: u64, cost: u64) -> bool {
        used.saturating_add(cost) <= self.bytes
    }

    /// Whether a new queue or blob may be. They leave the last fifth to the messages of those who are talking.
    #[must_use]
    pub fn admits_new(self, used: u64, cost: u64) -> bool {
        used.saturating_add(cost) <= self.bytes / 5 * 4
    }
}

/// What is used of a [`Cap`], as it is told to who wants to store something: less only once a hundredth of the cap is free that was
/// not. Whoever fills a relay to its edge and knocks there could else tell each message of others that comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Felt(u64);

impl Felt {
    /// What is felt where `used` is held.
    pub fn follow(&mut self, used: u64, cap: Cap) -> u64 {
        if used > self.0 || self.0.saturating_sub(used) > cap.bytes / 100 {
            self.0 = used;
        }
        self.0
    }
}

/// How full a queue is. Messages that ended count until they are swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fill {
    /// Messages.
    pub messages: usize,
    /// Bytes of their envelopes.
    pub bytes: usize,
    /// It refused a message and was not yet at half since (rule Q8).
    pub was_full: bool,
}

impl Fill {
    /// Whether one more envelope of `bytes` is within the quotas (rule Q8).
    #[must_use]
    pub fn admits(&self, bytes: usize) -> bool {
        self.messages < QUEUE_MESSAGES && self.bytes.saturating_add(bytes) <= QUEUE_BYTES
    }

    /// Whether it refused a message and is now at half of both quotas: then the mark is to be cleared and DRAINED said.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.was_full && self.messages <= QUEUE_MESSAGES / 2 && self.bytes <= QUEUE_BYTES / 2
    }

    /// One more message.
    pub fn add(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// One less.
    pub fn remove(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Compares the capability that a sender showed with that of the queue, if there is one, in the same time whether there
/// is one or not (rule Q3).
#[must_use]
pub fn may_send(kept: Option<&CapabilityHash>, shown: &CapabilityHash) -> bool {
    // `CapabilityHash` compares in constant time. Nobody knows what hashes to zeros, and `is_some` decides anyway.
    let same = *kept.unwrap_or(&CapabilityHash([0; 32])) == *shown;
    same & kept.is_some()
}

/// What is to be done with a message for a queue that its sender may send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Append {
    /// Known: to be answered as stored.
    Repeated,
    /// The queue is full.
    QueueFull,
    /// The disk's cap is reached.
    Full,
    /// To be stored at this cost.
    Store {
        /// Counts against the cap.
        cost: u64,
    },
}

/// Decides in the order of `docs/protocol/3-capsule.md`: known, queue full, disk full, store. `remembered`: ids of the queue's
/// messages that are gone, which take room for days; too many of them are told as a full disk, for acknowledging
/// does not help.
#[must_use]
pub fn append(known: bool, (fill, remembered): (&Fill, usize), bytes: usize, used: u64, cap: Cap) -> Append {
    let cost = Cost::message(bytes);
    if known {
        Append::Repeated
    } else if !fill.admits(bytes) {
        Append::QueueFull
    } else if remembered >= QUEUE_REMEMBERED || !cap.admits_message(used, cost) {
        Append::Full
    } else {
        Append::Store { cost }
    }
}

/// What is to be done with a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody claimed it: lock it, then answer with it.
    Lock,
    /// Locked to this claimant: answer with it.
    Again,
    /// Locked to another.
    Claimed,
}

/// Decides on a blob that has not ended (rules B2, B3).
#[must_use]
pub fn claim(kept: Option<&ClaimantName>, shown: &ClaimantName) -> Claim {
    match kept {
        None => Claim::Lock,
        Some(kept) if kept == shown => Claim::Again,
        Some(_) => Claim::Claimed,
    }
}

/// The [`super::QueueRef`] of a queue: the front of its read name. Random, so it shows neither order nor age; if two
/// queues ever met in it, the second would be refused with [`super::Answer::Exists`] and drawn anew.
#[must_use]
pub fn queue_ref(read: &ReadName) -> super::QueueRef {
    let mut front = [0; 8];
    front.iter_mut().zip(read.0).for_each(|(to, from)| *to = from);
    super::QueueRef(i64::from_be_bytes(front))
}

#[cfg(test)]
mod tests {
    use beresta_proto::limits::{EPOCH_AHEAD_HOURS, EPOCH_DESTROYED_HOURS};

    use super::*;

    #[test]
    fn hours_round_up_and_nothing_ends_early() {
        let ends = message_ends(TtlClass::Hour, Timestamp(1));
        assert_eq!(ends.begins(), Timestamp(2 * HOUR_MS));
        assert!(!ends.is_over(Timestamp(2 * HOUR_MS - 1)));
        assert!(ends.is_over(Timestamp(2 * HOUR_MS)));
        assert_eq!(Hour::up(Timestamp(HOUR_MS)), Hour(1));
        assert_eq!(message_ends(TtlClass::TwoDays, Timestamp(0)), Hour(48));
        assert_eq!(message_ends(TtlClass::TwoDays, Timestamp(1)), Hour(72));
        assert!(!message_ends(TtlClass::ThreeWeeks, Timestamp(u64::MAX)).is_over(Timestamp(0)));
    }

    #[test]
    fn a_message_always_costs_more_than_the_memory_of_it() {
        assert!([0, 2_048, 4_096, 16_384].into_iter().all(|bytes| Cost::message(bytes) > Cost::TOMBSTONE));
    }

    #[test]
    fn a_capsule_meets_the_memory_of_its_message_or_no_key() {
        // Sealed and answered in the first moment in which its key was handed out, and acknowledged right then.
        let begin = Timestamp(20_000 * DAY_MS);
        let sealed = begin.minus(EPOCH_AHEAD_HOURS * HOUR_MS);
        let destroyed = begin.plus(EPOCH_DESTROYED_HOURS * HOUR_MS);
        assert!(tombstone_ends(sealed).begins() >= destroyed);
    }

    #[test]
    fn ends_do_not_tell_the_hour() {
        let of_a_day = |minute: u64| Timestamp(20_000 * DAY_MS + minute * 60_000 + 1);
        let all = |ends: fn(Timestamp) -> Hour| (1..1_440).all(|at| ends(of_a_day(at)) == ends(of_a_day(0)));
        assert!(all(|now| message_ends(TtlClass::Week, now)));
        assert!((1..1_000).all(|at| tombstone_ends(of_a_day(at)) == tombstone_ends(of_a_day(0))));
    }

    #[test]
    fn queues_that_were_read_in_one_month_end_together() {
        let ends = |day: u64| queue_ends(Timestamp(day * DAY_MS), 0);
        let alike = |from: u64| (from..from + 30).all(|day| ends(day) == ends(from));
        assert!(alike(20_011) && !alike(20_012));
        assert!(
            (20_000..20_100).all(|day| {
                (QUEUE_DAYS..QUEUE_DAYS + 30).contains(&(ends(day).begins().0 / DAY_MS - day))
            })
        );
    }

    #[test]
    fn days_without_a_sweep_do_not_count() {
        assert_eq!(
            (missed(None, 20_000), missed(Some(20_000), 20_001), missed(Some(20_000), 19_000)),
            (0, 0, 0)
        );
        assert_eq!((missed(Some(20_000), 20_002), missed(Some(20_000), 20_030)), (24, 29 * 24));
        assert!(missed(Some(0), i64::MAX) > 0);
    }

    #[test]
    fn new_queues_leave_room_for_messages() {
        let cap = Cap { bytes: 1_000 };
        assert!(cap.admits_new(0, 800) && !cap.admits_new(1, 800));
        assert!(cap.admits_message(200, 800) && !cap.admits_message(201, 800));
        assert!(!cap.admits_message(u64::MAX, 1));
    }

    #[test]
    fn nothing_may_be_sent_to_no_queue() {
        assert!(!may_send(None, &CapabilityHash([0; 32])));
        assert!(!may_send(Some(&CapabilityHash([1; 32])), &CapabilityHash([0; 32])));
        assert!(may_send(Some(&CapabilityHash([1; 32])), &CapabilityHash([1; 32])));
    }
}
