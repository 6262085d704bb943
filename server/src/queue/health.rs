//! How an engine is: how long commits take, where a relay that is slow is slow, and what it still takes in.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use super::intake::Intake;

/// Upper ends of the bins in milliseconds. A disk with a cache of its own takes less than the first, a shared one of a
/// rented machine some ten, one that dies the last.
pub const COMMIT_BINS_MS: [u64; 8] = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384];

/// What may be known of an engine that runs.
#[derive(Debug, Default)]
pub struct Health {
    commits: [AtomicU64; COMMIT_BINS_MS.len() + 1],
    intake: AtomicU8,
}

impl Health {
    pub(crate) fn took(&self, duration: Duration) {
        let bin = COMMIT_BINS_MS.iter().position(|end| duration <= Duration::from_millis(*end));
        if let Some(bin) = self.commits.get(bin.unwrap_or(COMMIT_BINS_MS.len())) {
            bin.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn takes(&self, intake: Intake) {
        self.intake.store(intake as u8, Ordering::Relaxed);
    }

    /// What was taken in when something was last stored or refused.
    #[must_use]
    pub fn intake(&self) -> Intake {
        let stored = self.intake.load(Ordering::Relaxed);
        Intake::ALL.into_iter().find(|one| *one as u8 == stored).unwrap_or_default()
    }

    /// How many commits fell into each bin and in none below it, since the start; the last is what took longer than all.
    #[must_use]
    pub fn commits(&self) -> [u64; COMMIT_BINS_MS.len() + 1] {
        self.commits.each_ref().map(|bin| bin.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_counted_in_the_first_bin_that_holds_it() {
        let health = Health::default();
        for millis in [0, 1, 2, 16, 17, 16_384, 16_385, 1_000_000] {
            health.took(Duration::from_millis(millis));
        }
        assert_eq!(health.commits(), [2, 1, 1, 1, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn what_was_said_of_the_intake_last_is_heard() {
        let health = Health::default();
        assert_eq!(health.intake(), Intake::All);
        for intake in Intake::ALL {
            health.takes(intake);
            assert_eq!(health.intake(), intake);
        }
    }
}
