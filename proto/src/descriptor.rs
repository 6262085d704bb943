//! A relay's signed description of itself (rules D1 to D9).
//!
//! ```text
//! descriptor = version 1 │ identity key 32 │ sequence 8 │ not before 8 │ not after 8 │ TLS key hash 32
//!              │ epoch-signing key 32 │ routes │ policy 2 │ operator │ signature 64
//! epoch key  = day 8 │ X-Wing key 1,216 │ signature 64
//! ```
//! The offline identity key signs the descriptor for 90 days; its hash is the relay's address. The epoch-signing key
//! stays on the relay and signs a fresh X-Wing key a day. What we heard ([`UnverifiedDescriptor`]) and what we checked
//! ([`Descriptor`]) are different types, and only the check leads from one to the other.

use alloc::string::String;
use alloc::vec::Vec;

use crate::address::RelayAddress;
use crate::codec::{DecodeError, Reader, Writer};
use crate::hpke::EpochPublic;
use crate::id::{KeyId, RelayId};
use crate::key::{BadSigningKey, Signature, SigningKey, VerifyingKey, hash};
use crate::label;
use crate::limits::{DESCRIPTOR_DAYS, EPOCH_DESTROYED_HOURS, EPOCH_HOURS, NAME_BYTES};
use crate::route::Route;
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

const VERSION: u8 = 1;

/// How far a clock may be wrong before a descriptor or epoch key counts as not valid: a day (rule D6).
pub const CLOCK_TOLERANCE_MS: u64 = DAY_MS;

/// What a relay is for. Bits that this version does not know are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy(pub u16);

impl Policy {
    /// Keeps queues and blobs.
    pub const MAILBOX: Self = Self(1);
    /// Makes queues and blobs without credit.
    pub const OPEN: Self = Self(2);
    /// Keeps what waits in memory only: a restart loses it (rule Q15).
    pub const VOLATILE: Self = Self(4);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A descriptor that was checked, or that we made.
#[derive(Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The relay's offline identity key.
    pub identity: VerifyingKey,
    /// Rises with every descriptor; an older one than known is refused.
    pub sequence: u64,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// SHA-256 of the TLS certificate's SubjectPublicKeyInfo.
    pub tls_key: [u8; 32],
    /// Signs the relay's epoch keys.
    pub epoch_signer: VerifyingKey,
    /// How the relay is reached.
    pub routes: Vec<Route>,
    /// What it is for.
    pub policy: Policy,
    /// Who runs it, as the operator wants to be named; may be empty.
    pub operator: String,
}

impl core::fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            identity: _,
            sequence: _,
            not_before: _,
            not_after: _,
            tls_key: _,
            epoch_signer: _,
            routes: _,
            policy: _,
            operator: _,
        } = self;
        f.write_str("Descriptor(..)")
    }
}

/// A descriptor as it came from a link.
#[derive(Clone, PartialEq, Eq)]
pub struct UnverifiedDescriptor {
    claimed: Descriptor,
    signed: Vec<u8>,
    signature: Signature,
}

impl core::fmt::Debug for UnverifiedDescriptor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { claimed: _, signed: _, signature: _ } = self;
        f.write_str("UnverifiedDescriptor(..)")
    }
}

/// Why a descriptor was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// Its identity key is not the one whose hash is the address: another relay answers there.
    #[error("another relay answers at this address")]
    OtherRelay,
    /// The identity key did not sign this.
    #[error("the descriptor's signature is wrong")]
    Forged,
    /// The link's TLS key is not the descriptor's: somebody sits in between.
    #[error("the link's TLS key is not the relay's")]
    OtherTlsKey,
    /// It ended, or has not begun, by more than a clock may be wrong.
    #[error("the descriptor is not valid now")]
    Stale,
    /// Older than one that is known.
    #[error("the descriptor is older than a known one")]
    Superseded,
}

/// Why what a relay says of its clock and epoch keys was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// The descriptor's epoch signer did not sign a key.
    #[error("an epoch key's signature is wrong")]
    Forged,
    /// The relay's clock is outside of its own descriptor, by more than a clock may be wrong.
    #[error("the relay's clock is not in its descriptor's time")]
    WrongClock,
    /// No key has begun by the relay's clock and is not yet destroyed.
    #[error("no epoch key of the relay's day")]
    NoneOfToday,
}

/// The address of the relay with this identity key.
#[must_use]
pub fn relay_id(identity: &VerifyingKey) -> RelayId {
    RelayId(hash(label::RELAY_ID, &[&identity.0]))
}

impl Descriptor {
    fn body(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(256);
        w.u8(VERSION);
        self.identity.encode(&mut w);
        w.u64(self.sequence);
        self.not_before.encode(&mut w);
        self.not_after.encode(&mut w);
        w.put(&self.tls_key);
        self.epoch_signer.encode(&mut w);
        Route::encode_list(&self.routes, &mut w);
        w.u16(self.policy.0);
        w.bytes(self.operator.as_bytes());
        w.into_vec()
    }

    /// Signs the descriptor: its bytes on the wire.
    ///
    /// # Errors
    /// [`BadSigningKey`] if the library refuses the key.
    pub fn sign(&self, identity: &SigningKey) -> Result<Vec<u8>, BadSigningKey> {
        let mut bytes = self.body();
        let signature = identity.sign(&[label::DESCRIPTOR, &bytes].concat())?;
        bytes.extend_from_slice(&signature.0);
        Ok(bytes)
    }

    /// Checks the epoch keys that the relay handed out together with its `clock`, and gives those that are near that
    /// clock. It is the relay's and not ours, because ours may be wrong by days and mail goes on (rules D7 and D8).
    ///
    /// # Errors
    /// [`EpochError`]: the relay misbehaved, and nothing of what it handed out may be used.
    pub fn epoch_keys(&self, keys: Vec<EpochKey>, clock: Timestamp) -> Result<Vec<EpochKey>, EpochError> {
        if clock.plus(CLOCK_TOLERANCE_MS) < self.not_before || clock > self.not_after.plus(CLOCK_TOLERANCE_MS)
        {
            return Err(EpochError::WrongClock);
        }
        if keys.iter().any(|key| key.verify(self).is_err()) {
            return Err(EpochError::Forged);
        }
        let near =
            |key: &EpochKey| clock.plus(CLOCK_TOLERANCE_MS) >= key.begins() && clock <= key.destroyed();
        let near: Vec<EpochKey> = keys.into_iter().filter(near).collect();
        if near.iter().any(|key| key.begins() <= clock) { Ok(near) } else { Err(EpochError::NoneOfToday) }
    }

    /// Where this relay is.
    #[must_use]
    pub fn address(&self) -> RelayAddress {
        RelayAddress { relay: relay_id(&self.identity), routes: self.routes.clone() }
    }
}

impl UnverifiedDescriptor {
    /// Reads a descriptor.
    ///
    /// # Errors
    /// [`DecodeError`] if it is none of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        match r.u8()? {
            VERSION => {}
            code => return Err(DecodeError::Unknown { what: "descriptor version", code: u32::from(code) }),
        }
        let claimed = Descriptor {
            identity: VerifyingKey::decode(&mut r)?,
            sequence: r.u64()?,
            not_before: Timestamp::decode(&mut r)?,
            not_after: Timestamp::decode(&mut r)?,
            tls_key: r.array()?,
            epoch_signer: VerifyingKey::decode(&mut r)?,
            routes: Route::decode_list(&mut r)?,
            policy: Policy(r.u16()?),
            operator: String::from(r.text("operator", NAME_BYTES)?),
        };
        let signature = Signature::decode(&mut r)?;
        r.finish()?;
        let split = bytes.len().saturating_sub(64);
        let signed = bytes.get(..split).unwrap_or_default().to_vec();
        Ok(Self { claimed, signed, signature })
    }

    /// When it claims to begin. A relay that reads its own, ended one to renew it has no other moment to check it at.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.claimed.not_before
    }

    /// The sequence number that it claims. For a relay that looks at its own.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.claimed.sequence
    }

    /// Whose it claims to be. For a relay that looks at its own; who asked for an address has that to check it against.
    #[must_use]
    pub fn relay(&self) -> RelayId {
        relay_id(&self.claimed.identity)
    }

    /// When it claims to end. For a relay that looks at its own.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.claimed.not_after
    }

    /// Checks the descriptor against the address that was asked for, the TLS key of the link it came on, the clock and
    /// the highest sequence number known.
    ///
    /// # Errors
    /// [`DescriptorError`]: the link must be closed and nothing more said on it.
    pub fn verify(
        self,
        relay: &RelayId,
        tls_key: &[u8; 32],
        known_sequence: u64,
        now: Timestamp,
    ) -> Result<Descriptor, DescriptorError> {
        let Self { claimed, signed, signature } = self;
        if relay_id(&claimed.identity) != *relay {
            return Err(DescriptorError::OtherRelay);
        }
        let text = [label::DESCRIPTOR, &signed].concat();
        claimed.identity.verify(&text, &signature).map_err(|_| DescriptorError::Forged)?;
        if claimed.tls_key != *tls_key {
            return Err(DescriptorError::OtherTlsKey);
        }
        let longest = DESCRIPTOR_DAYS * DAY_MS;
        if now.plus(CLOCK_TOLERANCE_MS) < claimed.not_before
            || now > claimed.not_after.plus(CLOCK_TOLERANCE_MS)
            || claimed.not_after.since(claimed.not_before) > longest
        {
            return Err(DescriptorError::Stale);
        }
        if claimed.sequence < known_sequence {
            return Err(DescriptorError::Superseded);
        }
        Ok(claimed)
    }
}

/// A relay's key of one day, as it stands on the wire: not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochKey {
    /// Whole days since 1970 when it begins.
    pub day: u64,
    /// The key.
    pub public: EpochPublic,
    /// By the descriptor's epoch signer.
    pub signature: Signature,
}

fn epoch_text(day: u64, public: &EpochPublic) -> Vec<u8> {
    [label::EPOCH_KEY, &day.to_be_bytes(), public.as_bytes().as_slice()].concat()
}

impl EpochKey {
    /// Signs the key of `day`.
    ///
    /// # Errors
    /// [`BadSigningKey`] if the library refuses the signing key.
    pub fn sign(day: u64, public: EpochPublic, signer: &SigningKey) -> Result<Self, BadSigningKey> {
        let signature = signer.sign(&epoch_text(day, &public))?;
        Ok(Self { day, public, signature })
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.public.id()
    }

    /// When senders begin to use it.
    #[must_use]
    pub const fn begins(&self) -> Timestamp {
        Timestamp(self.day.saturating_mul(DAY_MS))
    }

    /// When senders stop using it.
    #[must_use]
    pub const fn ends(&self) -> Timestamp {
        self.begins().plus(EPOCH_HOURS * HOUR_MS)
    }

    /// When the relay destroys its private half.
    #[must_use]
    pub const fn destroyed(&self) -> Timestamp {
        self.begins().plus(EPOCH_DESTROYED_HOURS * HOUR_MS)
    }

    /// Whether the descriptor's relay signed it. Which day it is for, the caller compares with a clock.
    ///
    /// # Errors
    /// [`DescriptorError::Forged`] if it did not.
    pub fn verify(&self, descriptor: &Descriptor) -> Result<(), DescriptorError> {
        let text = epoch_text(self.day, &self.public);
        descriptor.epoch_signer.verify(&text, &self.signature).map_err(|_| DescriptorError::Forged)
    }

    /// Writes the key.
    pub fn encode(&self, w: &mut Writer) {
        w.u64(self.day);
        self.public.encode(w);
        self.signature.encode(w);
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`DecodeError`] if it is cut.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { day: r.u64()?, public: EpochPublic::decode(r)?, signature: Signature::decode(r)? })
    }
}
