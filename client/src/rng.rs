//! Randomness, handed in once and used by every room: the operating system's in the binary, a seeded generator in
//! tests and simulations.

use beresta_proto::rng::Random;
use rand::{CryptoRng, RngCore, TryRngCore as _};

/// A source of cryptographically secure randomness.
pub struct Rng(Box<dyn CryptoRng + Send>);

impl core::fmt::Debug for Rng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("Rng(..)")
    }
}

impl Rng {
    /// The operating system's generator. It panics where the system has no randomness to give: nothing safe can be
    /// done then.
    #[must_use]
    pub fn system() -> Self {
        Self(Box::new(rand::rngs::OsRng.unwrap_err()))
    }

    /// A generator of the caller's, for tests.
    #[must_use]
    pub fn new(source: impl CryptoRng + Send + 'static) -> Self {
        Self(Box::new(source))
    }

    /// A number below `bound`, or 0 if that is 0. Not for keys: the bias is below 2^-32.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }
}

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

impl CryptoRng for Rng {}

impl Random for Rng {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}
