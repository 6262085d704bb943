//! The one HPKE suite (RFC 9180, base mode): X-Wing, HKDF-SHA256, ChaCha20-Poly1305. Sealing is the sender's,
//! opening the relay's; what is sealed is the capsule's business.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ::hpke::aead::ChaCha20Poly1305;
use ::hpke::kdf::HkdfSha256;
use ::hpke::kem::XWing;
use ::hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};

use crate::codec::{DecodeError, Reader, Writer};
use crate::id::KeyId;
use crate::key::{EpochSeed, hash};
use crate::label;
use crate::rng::{HpkeRng, Random};
use crate::stack::leave_nothing;

/// Bytes of an X-Wing public key (draft-connolly-cfrg-xwing-kem-10 §5.1).
pub const PUBLIC_LEN: usize = 1_216;
/// Bytes of an X-Wing encapsulation.
pub const ENC_LEN: usize = 1_120;
/// Bytes that the AEAD adds.
pub const TAG_LEN: usize = 16;
/// Bytes of stack that are wiped after each use of a private key, because all of it is made anew for each capsule. The
/// libraries need 53 KiB, optimised or not, to make one and to open.
const STACK: usize = 96 * 1_024;

/// The public half of a relay's epoch key.
#[derive(Clone, PartialEq, Eq)]
pub struct EpochPublic(Box<[u8; PUBLIC_LEN]>);

impl core::fmt::Debug for EpochPublic {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("EpochPublic(..)")
    }
}

/// Why nothing was sealed or opened. One answer for every cause: which check failed is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("HPKE refused the key or the ciphertext")]
pub struct HpkeError;

impl EpochPublic {
    /// The id of the key: the front of its hash, so that two people who name the same id have the same key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let digest = hash(label::EPOCH_KEY_ID, &[self.0.as_slice()]);
        KeyId(core::array::from_fn(|i| digest.get(i).copied().unwrap_or_default()))
    }

    /// The key's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PUBLIC_LEN] {
        &self.0
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.put(self.0.as_slice());
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(|bytes| Self(Box::new(bytes)))
    }
}

/// A relay's epoch key: the seed, and what the library takes for the private key, made once: that is the seed again, and the
/// public half, which to make anew for each capsule would take a quarter of the time that opening one takes. The private key
/// itself the library makes from the seed each time, which is why the stack is wiped.
pub struct EpochSecret {
    seed: EpochSeed,
    /// Wipes itself. None if the library refuses the seed; it takes every 32 bytes.
    private: Option<Box<<XWing as Kem>::PrivateKey>>,
}

impl core::fmt::Debug for EpochSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { seed: _, private: _ } = self;
        f.write_str("EpochSecret(..)")
    }
}

impl EpochSecret {
    fn made(seed: EpochSeed) -> Self {
        let private = <XWing as Kem>::PrivateKey::from_bytes(seed.expose()).ok().map(Box::new);
        Self { seed, private }
    }

    /// Takes the seed's 32 bytes and wipes where they came from.
    #[must_use]
    pub fn take(bytes: &mut [u8; 32]) -> Self {
        leave_nothing::<STACK, _>(|| Self::made(EpochSeed::take(bytes)))
    }

    /// Draws a fresh key.
    pub fn random(rng: &mut impl Random) -> Self {
        leave_nothing::<STACK, _>(|| Self::made(EpochSeed::random(rng)))
    }

    /// The seed's bytes, for the relay's own file.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.seed.expose()
    }

    fn private(&self) -> Result<&<XWing as Kem>::PrivateKey, HpkeError> {
        self.private.as_deref().ok_or(HpkeError)
    }

    /// The public half.
    ///
    /// # Errors
    /// [`HpkeError`] if the library refuses the seed; it takes every 32 bytes.
    pub fn public(&self) -> Result<EpochPublic, HpkeError> {
        let public = XWing::sk_to_pk(self.private()?).to_bytes();
        let mut bytes = Box::new([0; PUBLIC_LEN]);
        if public.len() != bytes.len() {
            return Err(HpkeError);
        }
        bytes.copy_from_slice(&public);
        Ok(EpochPublic(bytes))
    }

    /// Opens `sealed` (ciphertext and tag) under the encapsulation `enc`. Costs about 0.2 ms of a core.
    ///
    /// # Errors
    /// [`HpkeError`] if it was not sealed to this key with this `info` and `aad`.
    pub fn open(&self, enc: &[u8], info: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, HpkeError> {
        let enc = <XWing as Kem>::EncappedKey::from_bytes(enc).map_err(|_| HpkeError)?;
        let private = self.private()?;
        leave_nothing::<STACK, _>(|| {
            let mut context = ::hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, XWing>(
                &OpModeR::Base,
                private,
                &enc,
                info,
            )
            .map_err(|_| HpkeError)?;
            context.open(sealed, aad).map_err(|_| HpkeError)
        })
    }
}

/// Seals `plaintext` to `to`: the encapsulation ([`ENC_LEN`] bytes) and the ciphertext with its tag.
///
/// # Errors
/// [`HpkeError`] if `to` is no valid public key.
pub fn seal(
    to: &EpochPublic,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl Random,
) -> Result<(Vec<u8>, Vec<u8>), HpkeError> {
    let public = <XWing as Kem>::PublicKey::from_bytes(to.as_bytes()).map_err(|_| HpkeError)?;
    let (enc, mut context) = ::hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &public,
        info,
        &mut HpkeRng(rng),
    )
    .map_err(|_| HpkeError)?;
    let sealed = context.seal(plaintext, aad).map_err(|_| HpkeError)?;
    Ok((enc.to_bytes().to_vec(), sealed))
}
