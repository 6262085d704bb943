//! Randomness, handed in.

/// A source of cryptographically secure random bytes.
///
/// A trait of our own, because the crates that need randomness follow different versions of `rand_core`. A
/// simulation hands in a seeded generator; the binaries hand in the operating system's.
pub trait Random {
    /// Fills `out` with random bytes.
    fn fill(&mut self, out: &mut [u8]);

    /// Draws an array of `N` random bytes.
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

impl<R: Random + ?Sized> Random for &mut R {
    fn fill(&mut self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

/// The face that the `hpke` crate wants.
pub(crate) struct HpkeRng<'r, R: ?Sized>(pub(crate) &'r mut R);

impl<R: Random + ?Sized> ::hpke::rand_core::TryRng for HpkeRng<'_, R> {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_le_bytes(self.0.array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_le_bytes(self.0.array()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl<R: Random + ?Sized> ::hpke::rand_core::TryCryptoRng for HpkeRng<'_, R> {}
