//! The answer to a capsule, sealed for its sender, so that a relay on the way can neither read nor forge it
//! (rule C8).
//!
//! ```text
//! nonce 12 │ ChaCha20-Poly1305( status 1 │ retry after 4 │ zeros 27 ) 48
//! ```
//! The nonce is random: a replayed capsule is answered again under the same key.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::CapsuleError;
use super::keys::STACK;
use crate::codec::{DecodeError, Reader, Writer};
use crate::hpke::TAG_LEN;
use crate::key::ReplyKey;
use crate::rng::Random;
use crate::stack::leave_nothing;

const PLAIN_LEN: usize = 32;
const SEALED_LEN: usize = NONCE_LEN + PLAIN_LEN + TAG_LEN;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendReply {
    /// It is durably in the queue, now or since an earlier try.
    Stored,
    /// The queue is full. Its reader has to come first.
    QueueFull,
    /// No such queue, or the wrong capability.
    Gone,
    /// The relay is full or too busy: nothing was stored. Try again after so many seconds.
    Later {
        /// Seconds.
        seconds: u32,
    },
}

/// A sealed answer.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedReply(pub [u8; SEALED_LEN]);

impl core::fmt::Debug for SealedReply {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("SealedReply(..)")
    }
}

impl ReplyKey {
    fn cipher(&self) -> Result<LessSafeKey, CapsuleError> {
        UnboundKey::new(&CHACHA20_POLY1305, self.expose())
            .map(LessSafeKey::new)
            .map_err(|_| CapsuleError::Cipher)
    }

    /// Seals an answer.
    ///
    /// # Errors
    /// [`CapsuleError::Cipher`], which does not happen.
    pub fn seal(&self, reply: SendReply, rng: &mut impl Random) -> Result<SealedReply, CapsuleError> {
        let (status, seconds) = match reply {
            SendReply::Stored => (0, 0),
            SendReply::QueueFull => (1, 0),
            SendReply::Gone => (2, 0),
            SendReply::Later { seconds } => (3, seconds),
        };
        let mut w = Writer::with_capacity(PLAIN_LEN);
        w.u8(status);
        w.u32(seconds);
        w.zeros_to(PLAIN_LEN);
        let mut plain = w.into_vec();
        let nonce: [u8; NONCE_LEN] = rng.array();
        let tag = leave_nothing::<STACK, _>(|| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            let tag = self.cipher()?.seal_in_place_separate_tag(nonce, Aad::empty(), &mut plain);
            tag.map_err(|_| CapsuleError::Cipher)
        })?;
        let sealed = [nonce.as_slice(), &plain, tag.as_ref()].concat();
        sealed.try_into().map(SealedReply).map_err(|_| CapsuleError::Cipher)
    }

    /// Opens an answer.
    ///
    /// # Errors
    /// [`CapsuleError::Order`] if it was not sealed under this key: somebody on the way made it up.
    pub fn open(&self, sealed: &SealedReply) -> Result<SendReply, CapsuleError> {
        let mut r = Reader::new(&sealed.0);
        let nonce: [u8; NONCE_LEN] = r.array()?;
        let mut inside = r.take(r.left())?.to_vec();
        let plain = leave_nothing::<STACK, _>(|| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            let plain = self.cipher()?.open_in_place(nonce, Aad::empty(), &mut inside);
            plain.map_err(|_| CapsuleError::Order)
        })?;
        let mut r = Reader::new(plain);
        let status = r.u8()?;
        let seconds = r.u32()?;
        r.zeros()?;
        match (status, seconds) {
            (0, 0) => Ok(SendReply::Stored),
            (1, 0) => Ok(SendReply::QueueFull),
            (2, 0) => Ok(SendReply::Gone),
            (3, seconds) => Ok(SendReply::Later { seconds }),
            (status, _) => Err(DecodeError::Unknown { what: "send status", code: u32::from(status) }.into()),
        }
    }
}
