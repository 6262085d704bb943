//! Whose clock holds for what. Ours may be wrong by years, the home relay's is a relay's word; neither is set by the other.
//!
//! | what | by |
//! |---|---|
//! | what we make: certificates, and when what we sent or offered ends | the later of both: nothing is over before its time |
//! | certificates of others | the earlier of both: none is refused for a clock that is ahead |
//! | ending it | ours, once both agree; or once it ran for days and they still do not |
//! | timers of texts, pauses, what a sender may make us compute | ours |
//!
//! Other relays are not asked: whoever makes an invite or is a contact names one.

use beresta_proto::id::RelayId;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

use super::Engine;
use crate::crypto::Clocks;
use crate::store::{StoreError, Tx};

/// A clock that differs from the home relay's by more than this is told to the person: certificates and timers suffer.
pub const CLOCK_SKEW_TOLD_MS: u64 = HOUR_MS;
/// Clocks that differ by more than this do not agree on a day: certificates leave room for one (rule S3). One that moved
/// by more within a step has to be compared anew, and so has one that was set back, however it stood before.
const CLOCK_SKEW_TRUSTED_MS: u64 = DAY_MS;
/// Once the program ran for so long without a relay that agrees, our clock ends things all the same: a relay must not
/// keep "not delivered" from being told. The person was warned of the difference all the while.
const ALONE_MS: u64 = 7 * DAY_MS;
/// A step that took longer than this was a sleep, or a clock that was set: the program did not run for all of it.
const STEP_MS: u64 = HOUR_MS;
/// How old the time may be that is kept for the next start.
const KEEP_MS: u64 = 10 * MINUTE_MS;

/// What is known of our clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// How far the home relay's clock was from ours when it was last heard, in milliseconds; positive if ours is behind.
    /// None until then, and after ours jumped.
    skew_ms: Option<i64>,
    /// For how long the program ran while they did not agree.
    alone_ms: u64,
    /// The time that is kept for the next start.
    kept: Timestamp,
}

impl Clock {
    /// Notes that a step follows the `last` one.
    pub(super) fn step(&mut self, last: Timestamp, now: Timestamp) {
        // A run's first step follows none, and so does each one before which none was kept.
        let passed = if last == Timestamp(0) { 0 } else { now.since(last) };
        if passed > CLOCK_SKEW_TRUSTED_MS || last.since(now) > MINUTE_MS {
            // The machine slept, or its clock was set: the relay's has to be heard anew.
            self.skew_ms = None;
        }
        self.alone_ms = if self.agrees() { 0 } else { self.alone_ms.saturating_add(passed.min(STEP_MS)) };
    }

    fn agrees(&self) -> bool {
        self.skew_ms.is_some_and(|skew| skew.unsigned_abs() <= CLOCK_SKEW_TRUSTED_MS)
    }

    /// Whether our clock may end what was given time for: messages that count as lost, invites, queues. One that is
    /// weeks ahead would end everything at once.
    pub(super) fn may_end(&self) -> bool {
        self.agrees() || self.alone_ms >= ALONE_MS
    }

    /// Whether the home relay should be asked for its clock.
    pub(super) const fn is_unknown(&self) -> bool {
        self.skew_ms.is_none()
    }

    /// A clock that was set back, within a run or between two, delays no end (rule E10).
    pub(super) fn mind(&self, tx: &Tx<'_>, last: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let starts = last == Timestamp(0);
        let before = if starts { tx.clock_seen()?.unwrap_or(now) } else { last };
        if starts || now < before {
            tx.clock_set_back(now, before.since(now))?;
        }
        if self.keeps(now) { tx.set_clock_seen(now) } else { Ok(()) }
    }

    /// The step was kept, and its time with it.
    pub(super) fn minded(&mut self, now: Timestamp) {
        if self.keeps(now) {
            self.kept = now;
        }
    }

    fn keeps(&self, now: Timestamp) -> bool {
        now < self.kept || now.since(self.kept) >= KEEP_MS
    }

    fn behind_ms(&self) -> u64 {
        self.skew_ms.unwrap_or(0).max(0).unsigned_abs()
    }

    fn ahead_ms(&self) -> u64 {
        self.skew_ms.unwrap_or(0).min(0).unsigned_abs()
    }
}

impl Engine {
    /// How far the home relay's clock was from ours, in milliseconds, if it is worth telling; positive if ours is behind.
    #[must_use]
    pub fn told_skew(&self) -> Option<i64> {
        self.clock.skew_ms.filter(|skew| skew.unsigned_abs() > CLOCK_SKEW_TOLD_MS)
    }

    /// A relay told its clock. Only the home relay's counts, and is kept: no time before it is believed later.
    pub(super) fn hear_clock(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        clock: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if tx.profile()?.home.is_none_or(|home| home.relay != relay) {
            return Ok(());
        }
        self.clock.skew_ms = Some(skew(clock, now));
        tx.set_clock_told(clock)
    }

    /// By what is made: the later of our clock and the home relay's, also as it was told in an earlier run.
    pub(super) fn later_clock(&self, tx: &Tx<'_>, now: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(now.plus(self.clock.behind_ms()).max(tx.clock_told()?.unwrap_or(now)))
    }

    /// By what something is written.
    pub(super) fn writing_clocks(&self, tx: &Tx<'_>, now: Timestamp) -> Result<Clocks, StoreError> {
        Ok(Clocks { now, certificate: self.later_clock(tx, now)? })
    }

    /// By what something that came is read.
    pub(super) fn reading_clocks(&self, now: Timestamp) -> Clocks {
        Clocks { now, certificate: now.minus(self.clock.ahead_ms()) }
    }
}

fn skew(relay: Timestamp, ours: Timestamp) -> i64 {
    let ms = i64::try_from(relay.since(ours)).unwrap_or(i64::MAX);
    if ms > 0 { ms } else { i64::try_from(ours.since(relay)).map_or(i64::MIN, |ms| -ms) }
}
