//! The face that libsignal wants on the randomness we are handed.

use beresta_proto::rng::Random;
use rand::{CryptoRng, RngCore};

/// Hands a [`Random`] to libsignal as the `rand` 0.9 traits.
pub(super) struct SignalRng<'r, R: ?Sized>(pub(super) &'r mut R);

impl<R: Random + ?Sized> RngCore for SignalRng<'_, R> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }
}

/// [`Random`] promises secure bytes; see there.
impl<R: Random + ?Sized> CryptoRng for SignalRng<'_, R> {}
