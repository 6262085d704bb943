//! Randomness for the binary: a generator seeded once by the operating system. The core takes it as
//! [`beresta_proto::rng::Random`], so that a simulation can hand in another.

use beresta_proto::rng::Random;
use rand::rngs::{OsRng, StdRng};
use rand::{RngCore as _, SeedableRng as _, TryRngCore as _};

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

/// ChaCha with 12 rounds, seeded by the operating system.
pub struct SystemRandom(StdRng);

impl core::fmt::Debug for SystemRandom {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("SystemRandom(..)")
    }
}

impl SystemRandom {
    /// Seeds a generator.
    ///
    /// # Errors
    /// [`NoRandomness`] if the operating system gives none.
    pub fn new() -> Result<Self, NoRandomness> {
        StdRng::try_from_os_rng().map(Self).map_err(|_| NoRandomness)
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}
