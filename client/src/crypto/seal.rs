//! Sealed sender v1 with certificates that we issue ourselves (rule S3): the identity key is the root.
//!
//! Opening a seal proves only that its maker holds the certificate's key, not who that is. The engine looks the key
//! up among its contacts, and [`decrypt`](super::session::decrypt) checks the rest.

use std::collections::BTreeMap;

use beresta_proto::bundle::IdentityPublic;
use beresta_proto::rng::Random;
use beresta_proto::time::{DAY_MS, Timestamp};
use libsignal_protocol::{
    DeviceId, SenderCertificate, SignalProtocolError, Timestamp as SignalTime,
    UnidentifiedSenderMessageContent, sealed_sender_decrypt_to_usmc,
};

use super::Handle;
use super::account::{Account, uuid_text};
use super::fault::{AccountError, DecryptError, OpenError, contain};
use super::guard::{self, PeerKey};
use super::rng::SignalRng;
use super::stores::{Rows, Said, ready};
use crate::store::Tx;

/// How long a sender certificate holds: mail may wait 21 days, the certificate may be 7 days old when it is used, and
/// either clock may be wrong by a day; 5 days are left.
pub const CERTIFICATE_LIFE_MS: u64 = 35 * DAY_MS;
/// How old a certificate may be when it is used.
pub const CERTIFICATE_RENEWAL_MS: u64 = 7 * DAY_MS;

/// The version byte of sealed sender v1. libsignal would open v2 as well, which nobody here sends.
const VERSION: u8 = 0x11;
/// The largest envelope is 16 KiB: a longer seal can't have come in one.
const MAX_SEAL: usize = 16 * 1024;

/// A message as it leaves for a queue's envelope: sealed sender v1.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Sealed(..)")
    }
}

/// A seal that was opened. Its sender is claimed, not yet trusted.
pub struct Opened {
    /// Whoever opened it goes on with the same keys.
    pub(super) own: Account,
    pub(super) content: UnidentifiedSenderMessageContent,
    pub(super) sender: PeerKey,
}

impl Opened {
    /// The identity key that made the seal: who the message claims to be from. Look the contact up by it, never by
    /// an account id.
    #[must_use]
    pub const fn sender(&self) -> &IdentityPublic {
        self.sender.identity()
    }

    /// The message as the ratchet encrypted it.
    ///
    /// # Errors
    /// [`OpenError::NotSealed`], which no seal gives that opened.
    pub fn encrypted(&self) -> Result<&[u8], OpenError> {
        self.content.contents().map_err(|_| OpenError::NotSealed)
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { own: _, content: _, sender: _ } = self;
        f.write_str("Opened(..)")
    }
}

/// Opens a seal made for us.
///
/// # Errors
/// [`OpenError::NotSealed`] if it is not for us or damaged; [`OpenError::Refused`] if the key that made it is weak or
/// our own; [`OpenError::Account`] and [`OpenError::Store`] if our side failed.
pub fn open_seal(tx: &Tx<'_>, sealed: &[u8]) -> Result<Opened, OpenError> {
    let own = Account::load(tx)?;
    if sealed.first() != Some(&VERSION) || sealed.len() > MAX_SEAL {
        return Err(OpenError::NotSealed);
    }
    let said = Said::default();
    // Only our own key pair is asked for.
    let rows = Rows { tx, own: &own, peer: own.identity(), said: &said };
    let opened = contain(|| ready(sealed_sender_decrypt_to_usmc(sealed, &rows)));
    let content = opened.ok().flatten().and_then(Result::ok).ok_or(OpenError::NotSealed)?;
    let key = content.sender().and_then(SenderCertificate::key).map_err(|_| OpenError::NotSealed)?;
    let key = key.serialize();
    let sender = IdentityPublic(key.as_ref().try_into().map_err(|_| OpenError::NotSealed)?);
    let sender = match tx.handle_of_identity(&sender.0)? {
        Some(_) => guard::pinned_identity(&sender)?,
        None => guard::peer_identity(&sender, own.identity())?,
    };
    Ok(Opened { own, content, sender })
}

/// Our sender certificate: the one in use, or a fresh one where that is older than a week or from a clock ahead, and
/// whether it is fresh: [`keep_certificate`] is for that.
pub(super) fn certificate(
    tx: &Tx<'_>,
    own: &Account,
    now: Timestamp,
    rng: &mut SignalRng<'_, impl Random>,
) -> Result<(SenderCertificate, bool), AccountError> {
    let damaged = |_| AccountError::Damaged;
    if let Some((bytes, made)) = tx.sender_certificate()? {
        let made = Timestamp(made);
        if made <= now && now.since(made) < CERTIFICATE_RENEWAL_MS {
            return Ok((SenderCertificate::deserialize(&bytes).map_err(damaged)?, false));
        }
    }
    let fresh = SenderCertificate::new(
        uuid_text(own.identity().account_id()),
        None,
        *own.pair().public_key(),
        DeviceId::new(1).map_err(|_| AccountError::Damaged)?,
        SignalTime::from_epoch_millis(now.plus(CERTIFICATE_LIFE_MS).0),
        own.server_certificate().clone(),
        own.online_key(),
        rng,
    )
    .map_err(damaged)?;
    Ok((fresh, true))
}

/// Keeps a fresh certificate for the sends of a week.
pub(super) fn keep_certificate(
    tx: &Tx<'_>,
    fresh: &SenderCertificate,
    now: Timestamp,
) -> Result<(), AccountError> {
    tx.set_sender_certificate(fresh.serialized().map_err(|_| AccountError::Damaged)?, now.0)?;
    Ok(())
}

/// Certificates whose signatures held, the last of each peer: the same bytes under the same key hold again. A sender
/// renews theirs once a week, and checking one costs as much as turning the ratchet. In memory only.
#[derive(Default)]
pub struct Vouched(BTreeMap<Handle, (IdentityPublic, Vec<u8>)>);

impl Vouched {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Whether both signatures of a certificate hold under a peer's key, whatever the time.
    fn holds(
        &mut self,
        handle: Handle,
        certificate: &SenderCertificate,
        key: &PeerKey,
    ) -> Result<bool, SignalProtocolError> {
        let bytes = certificate.serialized()?;
        let known = self.0.get(&handle);
        if known.is_some_and(|(identity, held)| identity == key.identity() && held == bytes) {
            return Ok(true);
        }
        let holds = certificate.validate(key.key(), SignalTime::from_epoch_millis(0))?;
        if holds {
            self.0.insert(handle, (*key.identity(), bytes.to_vec()));
        }
        Ok(holds)
    }
}

impl std::fmt::Debug for Vouched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Vouched(..)")
    }
}

/// Checks a certificate against the pinned key of the peer with this handle: signed by it through its online key, naming
/// the account that the key has, and not expired.
pub(super) fn check_certificate(
    certificate: &SenderCertificate,
    handle: Handle,
    pinned: &PeerKey,
    vouched: &mut Vouched,
    now: Timestamp,
) -> Result<(), DecryptError> {
    let bad = |_| DecryptError::BadCertificate;
    // The signatures first and without the time, so that an expired one has its own name: a clock may be wrong.
    let signed = vouched.holds(handle, certificate, pinned).map_err(bad)?;
    let pinned = pinned.identity();
    let key = certificate.key().map_err(bad)?.serialize();
    let names_its_key = certificate.sender_uuid().map_err(bad)? == uuid_text(pinned.account_id());
    if !signed || *key != pinned.0 || !names_its_key {
        return Err(DecryptError::BadCertificate);
    }
    if certificate.expiration().map_err(bad)?.epoch_millis() < now.0 {
        return Err(DecryptError::Expired);
    }
    Ok(())
}
