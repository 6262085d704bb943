//! Our own keys (rules S1 and S3): the identity key pair, and the online key that signs sender certificates.
//!
//! libsignal's key types are plain copies that wipe nothing. We keep the serialised pair zeroized, but the copies that
//! libsignal makes while it works stay on its stack: `docs/known-issues.md`.

use beresta_proto::bundle::IdentityPublic;
use beresta_proto::id::AccountId;
use beresta_proto::rng::Random;
use libsignal_protocol::{IdentityKeyPair, KeyPair, PrivateKey, ServerCertificate};
use zeroize::Zeroizing;

use super::fault::AccountError;
use super::rng::SignalRng;
use crate::store::Tx;
use crate::store::signal::AccountRow;

/// The number of the online key in its certificate. There is one at a time.
const ONLINE_KEY_ID: u32 = 1;

/// Our own keys, read.
pub(super) struct Account {
    pair: IdentityKeyPair,
    identity: IdentityPublic,
    registration_id: u32,
    online_key: PrivateKey,
    server_certificate: ServerCertificate,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pair: _, identity: _, registration_id: _, online_key: _, server_certificate: _ } = self;
        f.write_str("Account(..)")
    }
}

/// Makes our account: an identity key pair, a registration id, an online key and the identity key's certificate for
/// it. Done once for a store.
///
/// # Errors
/// [`AccountError::Exists`] if there is one; [`AccountError::Store`] if the store failed.
pub fn create_account(tx: &Tx<'_>, rng: &mut impl Random) -> Result<AccountId, AccountError> {
    if tx.account()?.is_some() {
        return Err(AccountError::Exists);
    }
    let mut rng = SignalRng(rng);
    let pair = IdentityKeyPair::generate(&mut rng);
    let online = KeyPair::generate(&mut rng);
    let certificate = ServerCertificate::new(ONLINE_KEY_ID, online.public_key, pair.private_key(), &mut rng)
        .map_err(|_| AccountError::Damaged)?;
    // 14 bits, and libsignal's own range leaves 0 out.
    let mut id = [0; 2];
    rng.0.fill(&mut id);
    let registration_id = (u32::from(u16::from_be_bytes(id)) & 0x3fff).max(1);
    tx.insert_account(&AccountRow {
        identity_pair: Zeroizing::new(pair.serialize().into_vec()),
        registration_id,
        online_key: Zeroizing::new(online.private_key.serialize()),
        server_certificate: certificate.serialized().map_err(|_| AccountError::Damaged)?.to_vec(),
    })?;
    Ok(Account::load(tx)?.identity.account_id())
}

/// Our identity key.
///
/// # Errors
/// [`AccountError`] if there is no account, or the store failed or is damaged.
pub fn own_identity(tx: &Tx<'_>) -> Result<IdentityPublic, AccountError> {
    Ok(Account::load(tx)?.identity)
}

/// An account id (rule S2) in the text form that sender certificates carry.
pub(super) fn uuid_text(id: AccountId) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in id.0.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

impl Account {
    /// Reads our keys.
    pub(super) fn load(tx: &Tx<'_>) -> Result<Self, AccountError> {
        let row = tx.account()?.ok_or(AccountError::Missing)?;
        let damaged = |_| AccountError::Damaged;
        let pair = IdentityKeyPair::try_from(row.identity_pair.as_slice()).map_err(damaged)?;
        let identity = pair.identity_key().serialize();
        Ok(Self {
            pair,
            identity: IdentityPublic(identity.as_ref().try_into().map_err(|_| AccountError::Damaged)?),
            registration_id: row.registration_id,
            online_key: PrivateKey::deserialize(&row.online_key).map_err(|_| AccountError::Damaged)?,
            server_certificate: ServerCertificate::deserialize(&row.server_certificate).map_err(damaged)?,
        })
    }

    pub(super) const fn pair(&self) -> IdentityKeyPair {
        self.pair
    }

    pub(super) const fn identity(&self) -> &IdentityPublic {
        &self.identity
    }

    pub(super) const fn registration_id(&self) -> u32 {
        self.registration_id
    }

    pub(super) const fn online_key(&self) -> &PrivateKey {
        &self.online_key
    }

    pub(super) const fn server_certificate(&self) -> &ServerCertificate {
        &self.server_certificate
    }
}
