//! The queue envelope: what a queue stores and an outbox keeps (rules E1 to E4).
//!
//! ```text
//! nonce 24 │ XChaCha20-Poly1305( length 4 │ body │ zeros )   all together 2, 4 or 16 KiB
//! ```
//! Sealed under `K_q`, which travels only in an invite or inside a session, so a stored envelope shows nothing to a
//! relay, to a later quantum computer, or to who seizes an identity key. What the body is, is libsignal's business.

use alloc::vec::Vec;

use bytes::Bytes;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::codec::{DecodeError, Reader};
use crate::key::EnvelopeKey;
use crate::label;
use crate::limits::{BUCKET_L, BUCKET_M, BUCKET_S};
use crate::rng::Random;

const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
const LENGTH_LEN: usize = 4;

/// The three sizes of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// 2 KiB.
    S,
    /// 4 KiB.
    M,
    /// 16 KiB.
    L,
}

impl Bucket {
    /// Every bucket, smallest first.
    pub const ALL: [Self; 3] = [Self::S, Self::M, Self::L];

    /// Bytes of an envelope.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::S => BUCKET_S,
            Self::M => BUCKET_M,
            Self::L => BUCKET_L,
        }
    }

    /// Bytes of the longest body.
    #[must_use]
    pub const fn capacity(self) -> usize {
        self.size() - NONCE_LEN - TAG_LEN - LENGTH_LEN
    }

    /// The smallest bucket for a body of `len` bytes; none if it is too long for all.
    #[must_use]
    pub fn for_body(len: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| len <= bucket.capacity())
    }

    /// The bucket of an envelope of exactly `len` bytes.
    #[must_use]
    pub fn of_envelope(len: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.size() == len)
    }

    /// The byte that stands for the bucket on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::S => 1,
            Self::M => 2,
            Self::L => 3,
        }
    }

    /// The bucket of a wire byte.
    ///
    /// # Errors
    /// [`DecodeError::Unknown`] if no bucket has that byte.
    pub fn from_code(code: u8) -> Result<Self, DecodeError> {
        Self::ALL
            .into_iter()
            .find(|bucket| bucket.code() == code)
            .ok_or(DecodeError::Unknown { what: "bucket", code: u32::from(code) })
    }
}

/// A sealed envelope: exactly the bytes of its bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    bucket: Bucket,
    /// Shared by its clones, and perhaps a part of what it came in.
    bytes: Bytes,
}

impl core::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { bucket: _, bytes: _ } = self;
        f.write_str("Envelope(..)")
    }
}

/// Why a body was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The body is longer than bucket L holds.
    #[error("body too long: {got} bytes, at most {limit}")]
    TooLong {
        /// Bytes of the body.
        got: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// The cipher refused; it takes every input of these sizes, so this does not happen.
    #[error("the cipher refused")]
    Cipher,
}

/// Why an envelope was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not sealed under this key, or changed on the way.
    #[error("the envelope does not authenticate")]
    Forged,
    /// Sealed under the key, but its sender padded it wrongly.
    #[error("the envelope's inside is malformed: {0}")]
    Malformed(DecodeError),
}

impl Envelope {
    /// Seals `body` under `key` into the smallest bucket that holds it.
    ///
    /// # Errors
    /// [`SealError::TooLong`] if not even bucket L does.
    pub fn seal(key: &EnvelopeKey, body: &[u8], rng: &mut impl Random) -> Result<Self, SealError> {
        let too_long = SealError::TooLong { got: body.len(), limit: Bucket::L.capacity() };
        let bucket = Bucket::for_body(body.len()).ok_or(too_long)?;
        let nonce: [u8; NONCE_LEN] = rng.array();

        let mut bytes = Vec::with_capacity(bucket.size());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&u32::try_from(body.len()).map_err(|_| too_long)?.to_be_bytes());
        bytes.extend_from_slice(body);
        bytes.resize(bucket.size() - TAG_LEN, 0);
        let inside = bytes.get_mut(NONCE_LEN..).ok_or(SealError::Cipher)?;
        let tag = XChaCha20Poly1305::new(key.expose().into())
            .encrypt_inout_detached(&XNonce::from(nonce), &aad(bucket), inside.into())
            .map_err(|_| SealError::Cipher)?;
        bytes.extend_from_slice(&tag);
        Ok(Self { bucket, bytes: bytes.into() })
    }

    /// Opens the envelope under `key`: the body.
    ///
    /// # Errors
    /// [`OpenError::Forged`] if it was not sealed under `key`; [`OpenError::Malformed`] if its sender padded it
    /// wrongly.
    pub fn open(&self, key: &EnvelopeKey) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut r = Reader::new(&self.bytes);
        let nonce: [u8; NONCE_LEN] = r.array().map_err(OpenError::Malformed)?;
        let mut inside = Zeroizing::new(
            r.take(self.bucket.size() - NONCE_LEN - TAG_LEN).map_err(OpenError::Malformed)?.to_vec(),
        );
        let tag: [u8; TAG_LEN] = r.array().map_err(OpenError::Malformed)?;
        XChaCha20Poly1305::new(key.expose().into())
            .decrypt_inout_detached(
                &XNonce::from(nonce),
                &aad(self.bucket),
                inside.as_mut_slice().into(),
                &tag.into(),
            )
            .map_err(|_| OpenError::Forged)?;

        let mut r = Reader::new(&inside);
        let len = r.u32().map_err(OpenError::Malformed)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let body = r.take(len).map_err(OpenError::Malformed)?;
        r.zeros().map_err(OpenError::Malformed)?;
        // A body that fits a smaller bucket must come in it: one meaning, one form.
        if Bucket::for_body(len) != Some(self.bucket) {
            return Err(OpenError::Malformed(DecodeError::Invalid { what: "bucket" }));
        }
        Ok(Zeroizing::new(body.to_vec()))
    }

    /// An envelope that came in: any bytes of a bucket's size.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`] if no bucket has that size.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self, DecodeError> {
        let bytes = bytes.into();
        let bucket =
            Bucket::of_envelope(bytes.len()).ok_or(DecodeError::Invalid { what: "envelope size" })?;
        Ok(Self { bucket, bytes })
    }

    /// Which size it has.
    #[must_use]
    pub const fn bucket(&self) -> Bucket {
        self.bucket
    }

    /// The sealed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The sealed bytes, given up.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }
}

fn aad(bucket: Bucket) -> Vec<u8> {
    [label::ENVELOPE, &[bucket.code()]].concat()
}
