//! What the loop does while the store fails: it goes on ever more slowly, and says so once.

use beresta_proto::time::{SECOND_MS, Timestamp};

/// First pause after a failed step; doubles with every further one.
const FIRST_MS: u64 = SECOND_MS;
/// Longest pause: somebody may have made room on the disk.
const LONGEST_MS: u64 = 60 * SECOND_MS;

/// A series of failed steps.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    failures: u32,
    until: Timestamp,
}

impl Trouble {
    /// Notes that a step failed: whether the series begins with it.
    pub(super) fn failed(&mut self, now: Timestamp) -> bool {
        let pause = FIRST_MS.saturating_mul(1 << self.failures.min(20)).min(LONGEST_MS);
        self.failures = self.failures.saturating_add(1);
        self.until = now.plus(pause);
        self.failures == 1
    }

    /// Notes that a step was kept.
    pub(super) fn over(&mut self) {
        *self = Self::default();
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
        let mut trouble = Trouble::default();
        let mut now = Timestamp(1_800_000_000_000);
        let (mut tries, mut told) = (0, 0);
        let end = now.plus(3_600_000);
        while now < end {
            told += u32::from(trouble.failed(now));
            tries += 1;
            assert!(trouble.pause(now) >= FIRST_MS);
            now = now.plus(trouble.pause(now));
        }
        assert!(tries <= 70, "{tries} tries in an hour");
        assert_eq!(told, 1);
        trouble.over();
        assert_eq!(trouble.pause(now), 0);
        assert!(trouble.failed(now));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_the_pause_no_longer() {
        let mut trouble = Trouble::default();
        trouble.failed(Timestamp(1_800_000_000_000));
        assert_eq!(trouble.pause(Timestamp(0)), LONGEST_MS);
    }
}
