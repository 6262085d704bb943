//! The keys of a session's capsules (rule C3): all come from the session key, each for one capsule.

use ring::aead::{CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};
use ring::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use super::{CapsuleError, Tag};
use crate::id::KeyId;
use crate::key::{ReplyKey, SessionKey, SessionPrk};
use crate::label;
use crate::stack::leave_nothing;

/// Bytes of stack that are wiped after each use of a session's keys.
pub(super) const STACK: usize = 8 * 1_024;

/// From what the keys of one session's capsules come.
#[derive(Clone)]
pub struct SessionKeys {
    prk: SessionPrk,
    pub(super) key_id: KeyId,
}

impl core::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { prk: _, key_id: _ } = self;
        f.write_str("SessionKeys(..)")
    }
}

struct Okm(usize);

impl KeyType for Okm {
    fn len(&self) -> usize {
        self.0
    }
}

/// `K_n` and the key of the answer to capsule n.
pub(super) struct CapsuleKeys {
    pub(super) order: Zeroizing<[u8; 32]>,
    pub(super) reply: ReplyKey,
}

impl SessionKeys {
    /// The keys that come from a session key under one epoch key.
    #[must_use]
    pub fn new(session: &SessionKey, key_id: KeyId) -> Self {
        // HKDF's first half (RFC 5869 §2.2), so that we have the bytes and can wipe them: the library's type for them it
        // neither wipes nor shows.
        let prk = leave_nothing::<STACK, _>(|| {
            let salt = hmac::Key::new(HMAC_SHA256, label::CAPSULE_SESSION);
            let mut prk = [0; 32];
            prk.copy_from_slice(hmac::sign(&salt, session.expose()).as_ref());
            SessionPrk::take(&mut prk)
        });
        Self { prk, key_id }
    }

    fn expand(&self, purpose: &[u8], n: u64, out: &mut [u8]) -> Result<(), CapsuleError> {
        let info: [&[u8]; 3] = [purpose, &self.key_id.0, &n.to_be_bytes()];
        leave_nothing::<STACK, _>(|| {
            let prk = Prk::new_less_safe(HKDF_SHA256, self.prk.expose());
            prk.expand(&info, Okm(out.len())).and_then(|okm| okm.fill(out)).map_err(|_| CapsuleError::Cipher)
        })
    }

    /// The tag of capsule `n`. Costs about 1 µs of a core.
    ///
    /// # Errors
    /// [`CapsuleError::Cipher`], which does not happen.
    pub fn tag(&self, n: u64) -> Result<Tag, CapsuleError> {
        let mut tag = [0; Tag::LEN];
        self.expand(b"tag", n, &mut tag)?;
        Ok(Tag(tag))
    }

    /// The keys of capsule `n`. To be called where the stack is wiped: one of them lies on it.
    pub(super) fn capsule(&self, n: u64) -> Result<CapsuleKeys, CapsuleError> {
        let mut okm = Zeroizing::new([[0; 32]; 2]);
        self.expand(b"keys", n, okm.as_flattened_mut())?;
        let [order, reply] = &mut *okm;
        Ok(CapsuleKeys { order: Zeroizing::new(*order), reply: ReplyKey::take(reply) })
    }
}

pub(super) fn order_cipher(keys: &CapsuleKeys) -> Result<LessSafeKey, CapsuleError> {
    UnboundKey::new(&CHACHA20_POLY1305, keys.order.as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| CapsuleError::Cipher)
}

/// Each `K_n` seals one order, so its nonce is fixed.
pub(super) fn order_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}
