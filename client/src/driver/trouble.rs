//! What the loop does while the store fails: it goes on ever more slowly, and lets who looks know.

use beresta_proto::time::{SECOND_MS, Timestamp};
use serde::Serialize;
use tokio::sync::watch;

/// First pause after a failed step; doubles with every further one.
const FIRST_MS: u64 = SECOND_MS;
/// Longest pause: somebody may have made room on the disk.
const LONGEST_MS: u64 = 15 * SECOND_MS;
/// For how long a store that failed is said to fail: steps that write nothing succeed meanwhile.
const SAID_MS: u64 = 180 * SECOND_MS;

/// What is wrong with the store. Nothing is lost by either: what arrives waits at the relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StoreTrouble {
    /// It could not be written within the last minutes: the disk may be full. Nothing is received meanwhile.
    pub unwritable: bool,
    /// Copies of what disappeared could not be wiped from its files (rule E10): another program may have them open.
    pub unwiped: bool,
}

/// A series of failed steps, and of failed scrubs.
#[derive(Debug)]
pub(super) struct Trouble {
    failures: u32,
    until: Timestamp,
    failed: Option<Timestamp>,
    unwiped: bool,
    tell: watch::Sender<StoreTrouble>,
}

impl Trouble {
    pub(super) fn new() -> (Self, watch::Receiver<StoreTrouble>) {
        let (tell, told) = watch::channel(StoreTrouble::default());
        (Self { failures: 0, until: Timestamp(0), failed: None, unwiped: false, tell }, told)
    }

    /// Notes that a step failed: whether the series begins with it.
    pub(super) fn failed(&mut self, now: Timestamp) -> bool {
        let pause = FIRST_MS.saturating_mul(1 << self.failures.min(20)).min(LONGEST_MS);
        self.failures = self.failures.saturating_add(1);
        self.until = now.plus(pause);
        self.failed = Some(now);
        self.failures == 1
    }

    /// Notes that a step was kept.
    pub(super) fn over(&mut self) {
        (self.failures, self.until) = (0, Timestamp(0));
    }

    /// Notes whether a scrub failed: whether it did for the first time in a row.
    pub(super) fn scrubbed(&mut self, failed: bool) -> bool {
        let before = std::mem::replace(&mut self.unwiped, failed);
        failed && !before
    }

    /// Lets who looks know.
    pub(super) fn tell(&mut self, now: Timestamp) {
        self.failed = self.failed.filter(|at| now >= *at && now.since(*at) < SAID_MS);
        let seen = StoreTrouble { unwritable: self.failed.is_some(), unwiped: self.unwiped };
        self.tell.send_if_modified(|told| std::mem::replace(told, seen) != seen);
    }

    /// How long time may not do its work yet, in milliseconds: what was due and failed is due still.
    pub(super) fn pause(&self, now: Timestamp) -> u64 {
        self.until.since(now).min(LONGEST_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_is_tried_ever_more_seldom_and_told_of_once() {
        let (mut trouble, _) = Trouble::new();
        let mut now = Timestamp(1_800_000_000_000);
        let (mut tries, mut told) = (0, 0);
        let end = now.plus(3_600_000);
        while now < end {
            told += u32::from(trouble.failed(now));
            tries += 1;
            assert!(trouble.pause(now) >= FIRST_MS);
            now = now.plus(trouble.pause(now));
        }
        assert!(tries <= 250, "{tries} tries in an hour");
        assert_eq!(told, 1);
        trouble.over();
        assert_eq!(trouble.pause(now), 0);
        assert!(trouble.failed(now));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_the_pause_no_longer() {
        let (mut trouble, _) = Trouble::new();
        trouble.failed(Timestamp(1_800_000_000_000));
        assert_eq!(trouble.pause(Timestamp(0)), LONGEST_MS);
    }

    #[test]
    fn who_looks_learns_that_the_store_fails_and_that_it_works_again() {
        let (mut trouble, told) = Trouble::new();
        let begin = Timestamp(1_800_000_000_000);
        let seen = |trouble: &mut Trouble, now| {
            trouble.tell(now);
            let StoreTrouble { unwritable, unwiped } = *told.borrow();
            (unwritable, unwiped)
        };
        assert_eq!(seen(&mut trouble, begin), (false, false));
        trouble.failed(begin);
        // A step that writes nothing says nothing of the disk.
        trouble.over();
        assert_eq!(seen(&mut trouble, begin.plus(LONGEST_MS)), (true, false));
        assert!(trouble.scrubbed(true) && !trouble.scrubbed(true));
        assert_eq!(seen(&mut trouble, begin.plus(SAID_MS)), (false, true));
        assert!(!trouble.scrubbed(false));
        assert_eq!(seen(&mut trouble, begin.plus(SAID_MS)), (false, false));
        trouble.failed(begin);
        assert_eq!(seen(&mut trouble, Timestamp(0)), (false, false));
    }
}
