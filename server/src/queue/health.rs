//! How long commits take: where a relay that is slow is slow. Only how many took up to so long, since the start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of the bins in milliseconds. A disk with a cache of its own takes less than the first, a shared one of a
/// rented machine some ten, one that dies the last.
pub const COMMIT_BINS_MS: [u64; 8] = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384];

/// Counts of commits by what they took.
#[derive(Debug, Default)]
pub struct Commits([AtomicU64; COMMIT_BINS_MS.len() + 1]);

impl Commits {
    pub(super) fn took(&self, duration: Duration) {
        let bin = COMMIT_BINS_MS.iter().position(|end| duration <= Duration::from_millis(*end));
        if let Some(bin) = self.0.get(bin.unwrap_or(COMMIT_BINS_MS.len())) {
            bin.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many fell into each bin and in none below it; the last is what took longer than all.
    #[must_use]
    pub fn counts(&self) -> [u64; COMMIT_BINS_MS.len() + 1] {
        self.0.each_ref().map(|bin| bin.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_counted_in_the_first_bin_that_holds_it() {
        let commits = Commits::default();
        for millis in [0, 1, 2, 16, 17, 16_384, 16_385, 1_000_000] {
            commits.took(Duration::from_millis(millis));
        }
        assert_eq!(commits.counts(), [2, 1, 1, 1, 0, 0, 0, 1, 2]);
    }
}
