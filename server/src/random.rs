//! Randomness for the binary: from the operating system, each time. The core takes it as
//! [`beresta_proto::rng::Random`], so that a simulation can hand in another.

use beresta_proto::rng::Random;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

/// The operating system gave no randomness. Nothing can be done without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct NoRandomness;

/// Fills `out` straight from the operating system: for nonces that must not meet. Where a machine is copied while it runs,
/// both copies of a generator would draw the same, and the system draws anew.
///
/// # Errors
/// [`NoRandomness`] if the operating system gives none.
pub fn fill(out: &mut [u8]) -> Result<(), NoRandomness> {
    OsRng.try_fill_bytes(out).map_err(|_| NoRandomness)
}

/// The operating system's generator, and none of our own: what that had drawn could be drawn again by whoever takes its state
/// from the memory of a relay that runs, epoch keys that were destroyed among it (rule D8).
#[derive(Debug)]
pub struct SystemRandom(());

impl SystemRandom {
    /// Tries it once. Once it gave something it always does.
    ///
    /// # Errors
    /// [`NoRandomness`] if the operating system gives none.
    pub fn new() -> Result<Self, NoRandomness> {
        fill(&mut [0; 1]).map(|()| Self(()))
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) {
        if fill(out).is_err() {
            // Nothing that is drawn may be known to anybody: no key, id or nonce is better than that.
            tracing::error!("the operating system gives no randomness any more");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_generator_is_kept_by_which_what_was_drawn_could_be_drawn_again() {
        assert_eq!(size_of::<SystemRandom>(), 0);
        let mut rng = SystemRandom::new().unwrap();
        assert_ne!(rng.array::<32>(), rng.array::<32>());
    }
}
