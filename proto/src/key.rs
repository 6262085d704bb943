//! Keys and capabilities as types. Secret ones are zeroized when dropped, compared in constant time and shown as
//! `Name(..)`; public ones cannot be used where a secret is wanted.

use alloc::boxed::Box;

use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::codec::{DecodeError, Reader, Writer};
use crate::label;
use crate::rng::Random;

pub use crate::hpke::EpochSecret;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Box<[u8; 32]>);

        impl $name {
            /// Takes the secret's 32 bytes and wipes where they came from.
            #[must_use]
            pub fn take(bytes: &mut [u8; 32]) -> Self {
                let secret = Self(Box::new(*bytes));
                bytes.zeroize();
                secret
            }

            /// Draws a fresh secret.
            pub fn random(rng: &mut impl Random) -> Self {
                let mut secret = Self(Box::new([0; 32]));
                rng.fill(secret.0.as_mut_slice());
                secret
            }

            /// The bytes, for the store and for primitives. Every use should say why they may leave the type.
            #[must_use]
            pub fn expose(&self) -> &[u8; 32] {
                &self.0
            }

            #[allow(dead_code, reason = "not every secret stands on the wire")]
            pub(crate) fn encode(&self, w: &mut Writer) {
                w.put(self.0.as_slice());
            }

            #[allow(dead_code, reason = "not every secret stands on the wire")]
            pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self::take(&mut r.array()?))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }

        impl ZeroizeOnDrop for $name {}

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.ct_eq(other.0.as_slice()).into()
            }
        }

        impl Eq for $name {}

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let Self(_) = self;
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

secret!(
    /// Lets its bearer put messages into one queue. The relay keeps only its hash.
    SendCapability
);
secret!(
    /// `K_q`: seals the envelopes of one queue. Never reaches a relay.
    EnvelopeKey
);
secret!(
    /// Opens an invite blob. Travels in the invite only.
    BlobKey
);
secret!(
    /// Drawn by a sender for one queue and epoch; the keys of its capsules come from it.
    SessionKey
);
secret!(
    /// What comes of a [`SessionKey`]: the keys of its capsules are expanded from it.
    SessionPrk
);
secret!(
    /// Seals and opens the answers to one capsule (rule C8): [`crate::capsule`] says how.
    ReplyKey
);
secret!(
    /// The seed of an Ed25519 signing key (RFC 8032 §5.1.5).
    SigningKey
);
secret!(
    /// Pays for queues and blobs at a relay that asks for it (rule Q2). Its text is in [`crate::credit`].
    Credit
);
secret!(
    /// The seed of an X-Wing private key: what is kept of an [`EpochSecret`].
    EpochSeed
);

/// The SHA-256 of `parts` in a row, behind a label.
pub(crate) fn hash(label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&SHA256);
    context.update(label);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// The SHA-256 of `bytes`, for what other standards hash without a label (a certificate's key).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

impl SendCapability {
    /// What the relay keeps: a hash, so that a copied disk lets nobody send.
    #[must_use]
    pub fn hash(&self) -> CapabilityHash {
        CapabilityHash(hash(label::SEND_CAPABILITY, &[self.expose()]))
    }
}

/// The hash of a [`SendCapability`].
#[derive(Clone, Copy, Eq)]
pub struct CapabilityHash(pub [u8; 32]);

impl PartialEq for CapabilityHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl core::fmt::Debug for CapabilityHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("CapabilityHash(..)")
    }
}

/// An Ed25519 public key (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifyingKey(pub [u8; 32]);

impl core::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("VerifyingKey(..)")
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl core::fmt::Debug for Signature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("Signature(..)")
    }
}

/// A signature that does not fit its key and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// A signing key's seed that the library refused. It takes every 32 bytes, so this does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key was refused")]
pub struct BadSigningKey;

impl SigningKey {
    fn pair(&self) -> Result<Ed25519KeyPair, BadSigningKey> {
        Ed25519KeyPair::from_seed_unchecked(self.expose()).map_err(|_| BadSigningKey)
    }

    /// The public half.
    ///
    /// # Errors
    /// [`BadSigningKey`] if the library refuses the seed.
    pub fn verifying_key(&self) -> Result<VerifyingKey, BadSigningKey> {
        let pair = self.pair()?;
        pair.public_key().as_ref().try_into().map(VerifyingKey).map_err(|_| BadSigningKey)
    }

    /// Signs `text`. The texts of [`crate::auth`] begin with a label of their own each.
    ///
    /// # Errors
    /// [`BadSigningKey`] if the library refuses the seed.
    pub fn sign(&self, text: &[u8]) -> Result<Signature, BadSigningKey> {
        self.pair()?.sign(text).as_ref().try_into().map(Signature).map_err(|_| BadSigningKey)
    }
}

impl VerifyingKey {
    /// Checks `signature` over `text`.
    ///
    /// # Errors
    /// [`BadSignature`] if it was not made by this key over exactly this text.
    pub fn verify(&self, text: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ED25519, self.0).verify(text, &signature.0).map_err(|_| BadSignature)
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.put(&self.0);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self)
    }
}

impl Signature {
    pub(crate) fn encode(&self, w: &mut Writer) {
        w.put(&self.0);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self)
    }
}
