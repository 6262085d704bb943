//! Which form of libcrux's ML-KEM this program was built with, and whether the store's ratchets are in it.
//!
//! The post-quantum ratchet keeps an ML-KEM encapsulation state between two steps, and libcrux writes that state
//! big-endian in its portable form and little-endian with AVX2. A store that moves between the two forms never opens
//! another message. So the form is measured at start, not assumed: a ratchet with fixed randomness is driven until it
//! holds such a state, and the state's bytes are compared (rule S10, docs/decisions/0003).

use prost::Message as _;
use rand::{CryptoRng, RngCore};
use spqr::{ChainParams, Direction, Params, Version};

use super::fault::contain;
use crate::store::{StoreError, Tx};

/// The SHA-256 of the encapsulation state that [`measure`] gets from the portable form.
const PORTABLE: [u8; 32] = [
    0x13, 0x9d, 0x3f, 0xd2, 0x04, 0xa5, 0x3c, 0xd8, 0xd0, 0x2a, 0xf7, 0x6e, 0xc6, 0x77, 0x89, 0xc2, 0x49,
    0xc7, 0x2d, 0xc1, 0xf6, 0x83, 0x9d, 0x89, 0x05, 0xcc, 0x28, 0x7a, 0x55, 0xec, 0x28, 0x60,
];
/// Where a store says what it was written with.
const BACKEND: &str = "signal.backend";

/// The program must not touch this store's sessions.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The store failed.
    #[error("store")]
    Store(#[from] StoreError),
    /// This program was not built with the portable form of ML-KEM. Whoever built it erred.
    #[error("not built with the portable form of ML-KEM")]
    NotPortable,
    /// The store was written with another form.
    #[error("the store was written with another form of ML-KEM")]
    OtherStore,
}

/// Compares the measured form with the portable one and with the store's; a new store takes it. To be called before
/// anything else of this room.
///
/// # Errors
/// [`BackendError`]; then no session may be used.
pub fn check_backend(tx: &Tx<'_>) -> Result<(), BackendError> {
    check(tx, measure().ok_or(BackendError::NotPortable)?)
}

fn check(tx: &Tx<'_>, measured: [u8; 32]) -> Result<(), BackendError> {
    if measured != PORTABLE {
        return Err(BackendError::NotPortable);
    }
    match tx.meta(BACKEND)? {
        Some(tag) if tag == measured => Ok(()),
        Some(_) => Err(BackendError::OtherStore),
        None => Ok(tx.set_meta(BACKEND, &measured)?),
    }
}

/// The hash of the state.
fn measure() -> Option<[u8; 32]> {
    contain(encapsulation_state).ok()?.map(|state| beresta_proto::key::sha256(&state))
}

/// Drives a ratchet with fixed randomness until its second side keeps an encapsulation state: that is after it
/// received the header of the first side's key, three chunks long, and answers.
fn encapsulation_state() -> Option<Vec<u8>> {
    let side = |direction| {
        let chain_params = ChainParams::default();
        let (version, min_version) = (Version::V1, Version::V1);
        spqr::initial_state(Params { direction, version, min_version, auth_key: &[0x42; 32], chain_params })
            .ok()
    };
    let (mut one, mut two) = (side(Direction::A2B)?, side(Direction::B2A)?);
    let mut rng = Fixed(0);
    for _ in 0..8 {
        let sent = spqr::send(&one, &mut rng).ok()?;
        one = sent.state;
        two = spqr::recv(&two, &sent.msg).ok()?.state;
        let answer = spqr::send(&two, &mut rng).ok()?.state;
        if let Some(state) = kept(&answer) {
            return Some(state);
        }
    }
    None
}

/// The path through SPQR's `PqRatchetState` to the encapsulation state of `Ct1Sampled`.
fn kept(state: &[u8]) -> Option<Vec<u8>> {
    let state = RatchetView::decode(state).ok()?;
    Some(state.v1?.ct1_sampled?.unchunked?.encapsulation_state)
}

#[derive(Clone, PartialEq, prost::Message)]
struct RatchetView {
    #[prost(message, optional, tag = "3")]
    v1: Option<V1View>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct V1View {
    #[prost(message, optional, tag = "8")]
    ct1_sampled: Option<Ct1SampledView>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Ct1SampledView {
    #[prost(message, optional, tag = "1")]
    unchunked: Option<Ct1SentView>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Ct1SentView {
    #[prost(bytes = "vec", tag = "4")]
    encapsulation_state: Vec<u8>,
}

/// Randomness that is none: the same bytes in every run, for the measurement only.
struct Fixed(u8);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        rand::rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand::rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(113);
            *byte = self.0;
        }
    }
}

/// No secret comes of it: the ratchet that it feeds is thrown away.
impl CryptoRng for Fixed {}

#[cfg(test)]
mod tests;
