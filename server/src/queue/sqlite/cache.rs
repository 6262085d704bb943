//! What the writer remembers of queues, so that an append asks the file for little. Holds no envelope. Must be forgotten
//! whenever a commit fails: then it is ahead of the file.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use beresta_proto::envelope::Bucket;
use beresta_proto::key::CapabilityHash;
use beresta_proto::limits::{WINDOW_BYTES, WINDOW_MESSAGES};
use rusqlite::OptionalExtension as _;

use super::statements::Statements;
use crate::queue::rules::Fill;
use crate::queue::{QueueRef, SendName};

/// Messages and queues that are remembered, about 32 bytes each. Beyond it what is not used is forgotten, and read again.
const LIMIT: usize = 262_144;
/// To a queue that somebody wrote to so lately messages go on coming.
const LATELY: Duration = Duration::from_mins(5);
/// What a queue weighs beside its messages.
const QUEUE_WEIGHT: usize = 12;

/// Where a message stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) sequence: u64,
    pub(super) name: i64,
    pub(super) bucket: Bucket,
    /// Whether it is in the file, and not only admitted.
    pub(super) stored: bool,
}

/// A queue, without its envelopes.
pub(super) struct Queue {
    /// The highest sequence number given so far.
    pub(super) last: u64,
    /// Up to which places are set aside, as the next commit has it: after a crash none of them is given again.
    pub(super) reserved: u64,
    /// The same, as the file has it.
    pub(super) durably: u64,
    /// Up to which messages may have to be fetched: their reader was not there, or its window was full.
    pub(super) behind: u64,
    /// When a message came last, since the queue is remembered.
    pub(super) appended: Option<Instant>,
    pub(super) fill: Fill,
    /// In order.
    pub(super) places: VecDeque<Place>,
    /// Its name for its senders, once one of them was there.
    send: Option<SendName>,
}

impl Queue {
    fn at(&self, sequence: u64) -> Option<usize> {
        self.places.binary_search_by_key(&sequence, |place| place.sequence).ok()
    }

    /// Whether a message more would be pushed at once, beside those that wait for their reader's acknowledgement (rule Q6)
    /// and behind none that may have to be fetched. What would not be has nothing to wait for, and would take the room of
    /// other queues.
    pub(super) fn is_pushed_at_once(&self, bucket: Bucket) -> bool {
        self.places.front().is_none_or(|first| first.sequence > self.behind)
            && self.fill.messages < WINDOW_MESSAGES
            && self.fill.bytes.saturating_add(bucket.size()) <= WINDOW_BYTES
    }

    fn has_unstored(&self) -> bool {
        self.places.iter().any(|place| !place.stored)
    }

    fn weight(&self) -> usize {
        QUEUE_WEIGHT.saturating_add(self.places.len())
    }
}

/// The queues that were asked for lately.
#[derive(Default)]
pub(super) struct Cache {
    queues: HashMap<QueueRef, Queue>,
    /// Those of them to whose senders their capability is known.
    senders: HashMap<SendName, (QueueRef, CapabilityHash)>,
    weight: usize,
}

impl Cache {
    /// Forgets everything, what was admitted and not written too.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets what the file knows, too. First the queues that nobody wrote to lately, and then those whose reader is not quick: what is
    /// forgotten has its next message written and not only passed on, and whoever asks for thousands of their own would bring that
    /// about for all others. None of them where to count anew makes it three quarters of the bound: what was acknowledged or deleted is
    /// counted till then, and one queue through which many messages pass would bring it about, too.
    fn forget(&mut self) {
        let is_used = |queue: &Queue| queue.appended.is_some_and(|at| at.elapsed() < LATELY);
        let is_quick = |queue: &Queue| is_used(queue) && queue.places.iter().all(|place| !place.stored);
        let is_there = |_: &Queue| true;
        for kept in [&is_there as &dyn Fn(&Queue) -> bool, &is_used, &is_quick, &|_| false] {
            self.keep(|queue| queue.has_unstored() || kept(queue));
            if self.weight <= LIMIT / 4 * 3 {
                return;
            }
        }
    }

    fn keep(&mut self, wanted: impl Fn(&Queue) -> bool) {
        self.queues.retain(|_, queue| wanted(queue));
        self.senders.retain(|_, (queue, _)| self.queues.contains_key(queue));
        self.weight = self.queues.values().map(Queue::weight).sum();
    }

    /// Takes a message out, as if it had not come.
    pub(super) fn withdraw(&mut self, queue: QueueRef, sequence: u64) -> Option<Place> {
        let held = self.queues.get_mut(&queue)?;
        let place = held.places.remove(held.at(sequence)?)?;
        held.fill.remove(place.bucket.size());
        Some(place)
    }

    /// All that are remembered.
    pub(super) fn remembered(&mut self) -> impl Iterator<Item = (QueueRef, &mut Queue)> {
        self.queues.iter_mut().map(|(queue, held)| (*queue, held))
    }

    /// A commit set places of a queue aside.
    pub(super) fn reserved(&mut self, queue: QueueRef) {
        if let Some(held) = self.queues.get_mut(&queue) {
            held.durably = held.reserved;
        }
    }

    /// Whether a queue need not be read from the file.
    pub(super) fn remembers(&self, queue: QueueRef) -> bool {
        self.queues.contains_key(&queue)
    }

    /// Where a message stands, of a queue that is remembered.
    pub(super) fn place(&self, queue: QueueRef, sequence: u64) -> Option<&Place> {
        let held = self.queues.get(&queue)?;
        held.places.get(held.at(sequence)?)
    }

    /// The same, to be changed.
    pub(super) fn place_mut(&mut self, queue: QueueRef, sequence: u64) -> Option<&mut Place> {
        let held = self.queues.get_mut(&queue)?;
        let at = held.at(sequence)?;
        held.places.get_mut(at)
    }

    /// Forgets a queue that was deleted.
    pub(super) fn remove(&mut self, queue: QueueRef) {
        if let Some(send) = self.queues.remove(&queue).and_then(|held| held.send) {
            self.senders.remove(&send);
        }
    }

    /// The queue that its senders ask for by this name, and what gives the right to; none if the file must be asked.
    pub(super) fn by_send(&self, send: &SendName) -> Option<(QueueRef, CapabilityHash)> {
        self.senders.get(send).copied()
    }

    /// Remembers by what name a queue was asked for, by a sender who may.
    pub(super) fn learn(&mut self, send: SendName, queue: QueueRef, capability: CapabilityHash) {
        if let Some(held) = self.queues.get_mut(&queue)
            && held.send.is_none()
        {
            held.send = Some(send);
            self.senders.insert(send, (queue, capability));
        }
    }

    /// Says that a message was added; keeps the bound. To be called between operations.
    pub(super) fn grew(&mut self) {
        self.weight = self.weight.saturating_add(1);
        if self.weight > LIMIT {
            self.forget();
        }
    }

    /// A queue, read from the file if it is not remembered. None if there is none.
    pub(super) fn queue(
        &mut self,
        queue: QueueRef,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<Option<&mut Queue>> {
        if !self.queues.contains_key(&queue) {
            if !statements.is_queue.query_row([queue.0], |row| row.get(0))? {
                return Ok(None);
            }
            let held = read(queue, statements)?;
            if self.weight > LIMIT {
                self.forget();
            }
            self.weight = self.weight.saturating_add(held.weight());
            self.queues.insert(queue, held);
        }
        Ok(self.queues.get_mut(&queue))
    }
}

fn read(queue: QueueRef, statements: &mut Statements<'_>) -> rusqlite::Result<Queue> {
    let counter = statements.counter.query_row([queue.0], |row| Ok((row.get(0)?, row.get(1)?)));
    let (last, was_full): (i64, bool) = counter.optional()?.unwrap_or_default();
    let fill = Fill { messages: 0, bytes: 0, was_full };
    let last = last.unsigned_abs();
    let mut held = Queue {
        last,
        reserved: last,
        durably: last,
        behind: 0,
        appended: None,
        fill,
        places: VecDeque::new(),
        send: None,
    };
    let mut rows = statements.places.query([queue.0])?;
    while let Some(row) = rows.next()? {
        let sequence = row.get::<_, i64>(0)?.unsigned_abs();
        let bucket = Bucket::from_code(row.get(2)?).map_err(|_| rusqlite::Error::InvalidQuery)?;
        held.places.push_back(Place { sequence, name: row.get(1)?, bucket, stored: true });
        held.fill.add(bucket.size());
        held.last = held.last.max(sequence);
        held.behind = sequence;
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn queue(appended: bool, messages: u64) -> Queue {
        let place = |sequence| Place { sequence, name: 1, bucket: Bucket::S, stored: true };
        Queue {
            last: messages,
            reserved: messages,
            durably: messages,
            behind: 0,
            appended: appended.then(clock::monotonic),
            fill: Fill::default(),
            places: (1..=messages).map(place).collect(),
            send: None,
        }
    }

    #[test]
    fn who_asks_for_thousands_of_queues_has_none_forgotten_that_somebody_writes_to() {
        let mut cache = Cache::default();
        cache.queues.insert(QueueRef(0), queue(true, 3));
        cache.queues.extend((1..30_000).map(|other| (QueueRef(other), queue(false, 0))));
        cache.weight = LIMIT;
        cache.grew();
        assert_eq!(cache.queues.keys().collect::<Vec<_>>(), [&QueueRef(0)]);
        assert_eq!(cache.weight, QUEUE_WEIGHT + 3);
        cache.grew();
        assert_eq!(cache.queues.len(), 1);
    }

    #[test]
    fn who_passes_messages_through_one_queue_without_end_has_no_other_forgotten() {
        let mut cache = Cache::default();
        cache.queues.extend((0..3).map(|other| (QueueRef(other), queue(false, 1))));
        cache.queues.insert(QueueRef(3), queue(true, 0));
        // Of the last one's messages each is acknowledged before the next one comes.
        (0..=LIMIT).for_each(|_| cache.grew());
        assert_eq!(cache.queues.len(), 4);
        assert_eq!(cache.weight, 4 * QUEUE_WEIGHT + 3);
    }

    #[test]
    fn who_writes_to_thousands_of_queues_that_nobody_reads_has_none_forgotten_that_somebody_does() {
        let mut cache = Cache::default();
        cache.queues.insert(QueueRef(0), queue(true, 0));
        cache.queues.extend((1..30_000).map(|other| (QueueRef(other), queue(true, 1))));
        cache.weight = LIMIT;
        cache.grew();
        assert_eq!(cache.queues.keys().collect::<Vec<_>>(), [&QueueRef(0)]);
    }

    #[test]
    fn what_is_remembered_is_bounded_however_many_are_written_to() {
        let mut cache = Cache::default();
        for (queues, messages) in [(30_000, 0), (1_000, 256)] {
            cache.queues.extend((1..queues).map(|other| (QueueRef(other), queue(true, messages))));
            cache.weight = LIMIT;
            cache.grew();
            assert_eq!((cache.queues.len(), cache.weight), (0, 0), "{messages}");
        }
    }
}
