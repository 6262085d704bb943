//! A PQXDH pre-key bundle as it lies in an invite blob (rule S4): 33-byte X25519 keys with libsignal's type byte,
//! a 1,569-byte Kyber-1024 key. Whether a key is canonical and a signature good, the client's guard decides.

use alloc::vec::Vec;

use crate::codec::{DecodeError, Reader, Writer};
use crate::id::{AccountId, Device};
use crate::key::hash;
use crate::label;

/// Bytes of an X25519 public key with its type byte.
pub const EC_LEN: usize = 33;
/// Bytes of a Kyber-1024 public key with its type byte.
pub const KYBER_LEN: usize = 1_569;
/// Bytes of a signature by the identity key (XEdDSA).
pub const SIGNATURE_LEN: usize = 64;

/// An identity's public key with libsignal's type byte: who a person is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityPublic(pub [u8; EC_LEN]);

impl core::fmt::Debug for IdentityPublic {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("IdentityPublic(..)")
    }
}

impl IdentityPublic {
    /// The account of this identity (rule S2): a UUID of version 8 (RFC 9562 §5.8) made of the key's hash. Whoever
    /// knows the key can tell that the id is its own.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        let digest = hash(label::ACCOUNT_ID, &[&self.0]);
        AccountId(core::array::from_fn(|i| match (i, digest.get(i).copied().unwrap_or_default()) {
            (6, byte) => byte & 0x0f | 0x80,
            (8, byte) => byte & 0x3f | 0x80,
            (_, byte) => byte,
        }))
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.put(&self.0);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self)
    }
}

/// A signed pre-key.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedPreKey<const N: usize> {
    /// Its number among its owner's, 24 random bits.
    pub id: u32,
    /// The key.
    pub public: [u8; N],
    /// By the identity key.
    pub signature: [u8; SIGNATURE_LEN],
}

/// A bundle: what a stranger needs to begin a session with one device.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// libsignal's registration id, 14 bits.
    pub registration_id: u32,
    /// Whose device.
    pub device: Device,
    /// Who.
    pub identity: IdentityPublic,
    /// The signed pre-key.
    pub signed: SignedPreKey<EC_LEN>,
    /// The one-time pre-key, its number first.
    pub one_time: Option<(u32, [u8; EC_LEN])>,
    /// The Kyber pre-key.
    pub kyber: SignedPreKey<KYBER_LEN>,
}

impl core::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { registration_id: _, device: _, identity: _, signed: _, one_time: _, kyber: _ } = self;
        f.write_str("Bundle(..)")
    }
}

impl<const N: usize> SignedPreKey<N> {
    fn encode(&self, w: &mut Writer) {
        w.u32(self.id);
        w.put(&self.public);
        w.put(&self.signature);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { id: r.u32()?, public: r.array()?, signature: r.array()? })
    }
}

impl<const N: usize> core::fmt::Debug for SignedPreKey<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { id: _, public: _, signature: _ } = self;
        f.write_str("SignedPreKey(..)")
    }
}

impl Bundle {
    /// Writes the bundle.
    pub fn encode(&self, w: &mut Writer) {
        w.u32(self.registration_id);
        w.u8(self.device.get());
        self.identity.encode(w);
        self.signed.encode(w);
        let one_time: Vec<_> = self.one_time.iter().collect();
        w.list(&one_time, |w, (id, public)| {
            w.u32(*id);
            w.put(public);
        });
        self.kyber.encode(w);
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// [`DecodeError`] if it is cut or a number is out of range.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            registration_id: r.u32()?,
            device: Device::new(r.u8()?)?,
            identity: IdentityPublic::decode(r)?,
            signed: SignedPreKey::decode(r)?,
            one_time: r.list("one-time pre-keys", 1, |r| Ok((r.u32()?, r.array()?)))?.pop(),
            kyber: SignedPreKey::decode(r)?,
        })
    }
}
