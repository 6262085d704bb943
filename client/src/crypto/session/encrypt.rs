//! Encrypting for a peer: one step of the ratchet, then sealed sender.

use beresta_proto::key::sha256;
use beresta_proto::rng::Random;
use libsignal_protocol::{
    ContentHint, SenderCertificate, UnidentifiedSenderMessageContent, message_encrypt,
    sealed_sender_encrypt_from_usmc,
};
use zeroize::Zeroizing;

use super::super::account::Account;
use super::super::fault::{EncryptError, contain};
use super::super::guard::record::Record;
use super::super::rng::SignalRng;
use super::super::seal::{Sealed, certificate, keep_certificate};
use super::super::stores::{OneSession, Rows, Said, ready};
use super::super::{Clocks, Peer};
use super::{Pinned, signal_time, usable};
use crate::store::{StoreError, Tx};

/// Encrypts `plaintext` for `peer` and seals it, unless `most_ahead` messages or more were encrypted since the last that
/// they surely decrypted (rule S9). The ratchet has moved when this returns: commit before sending.
///
/// # Errors
/// [`EncryptError`]; nothing was changed then, unless the store failed.
pub fn encrypt(
    tx: &Tx<'_>,
    peer: &Peer,
    plaintext: &[u8],
    most_ahead: u32,
    clocks: impl Into<Clocks>,
    rng: &mut impl Random,
) -> Result<Sealed, EncryptError> {
    let clocks = clocks.into();
    let Turned { sealed, record, fresh } = turn(tx, peer, plaintext, most_ahead, clocks, rng)?;
    if let Some(fresh) = fresh {
        keep_certificate(tx, &fresh, clocks.certificate)?;
    }
    tx.put_session(&peer.handle.0, peer.device.get(), &record)?;
    Ok(sealed)
}

/// Encrypts as [`encrypt`] does and writes nothing: the next message takes the same key. So what this gives may leave only
/// where no next message does, because the profile is gone (rule S13).
///
/// # Errors
/// [`EncryptError`].
pub fn encrypt_last(
    tx: &Tx<'_>,
    peer: &Peer,
    plaintext: &[u8],
    most_ahead: u32,
    clocks: impl Into<Clocks>,
    rng: &mut impl Random,
) -> Result<Sealed, EncryptError> {
    Ok(turn(tx, peer, plaintext, most_ahead, clocks.into(), rng)?.sealed)
}

/// What the session with `peer` is like now: another hash once it has moved. None without a session.
///
/// # Errors
/// [`StoreError`].
pub fn session_hash(tx: &Tx<'_>, peer: &Peer) -> Result<Option<[u8; 32]>, StoreError> {
    Ok(tx.session(&peer.handle.0, peer.device.get())?.map(|record| sha256(&record)))
}

/// A session that was turned by one message, before that is kept.
struct Turned {
    sealed: Sealed,
    record: Zeroizing<Vec<u8>>,
    /// A certificate to be kept.
    fresh: Option<SenderCertificate>,
}

fn turn(
    tx: &Tx<'_>,
    peer: &Peer,
    plaintext: &[u8],
    most_ahead: u32,
    clocks: Clocks,
    rng: &mut impl Random,
) -> Result<Turned, EncryptError> {
    let Clocks { now, certificate: by } = clocks;
    if Pinned::of(tx, peer)? != Pinned::Already {
        return Err(EncryptError::OtherIdentity);
    }
    let stored = tx.session(&peer.handle.0, peer.device.get())?.ok_or(EncryptError::NoSession)?;
    let record = Record::read(Some(&stored)).ok_or(EncryptError::Damaged)?;
    if record.sent_ahead() >= most_ahead {
        return Err(EncryptError::TooFarAhead);
    }
    let mut session = OneSession::new(Some(&stored)).map_err(|_| EncryptError::Damaged)?;
    if !record.only_with(&peer.identity.0) || !session.record().is_some_and(|session| usable(session, now)) {
        return Err(EncryptError::NoSession);
    }
    let own = Account::load(tx)?;
    let mut rng = SignalRng(rng);
    let (certificate, fresh) = certificate(tx, &own, by, &mut rng)?;
    let fresh = fresh.then(|| certificate.clone());
    let said = Said::default();
    let mut rows = Rows { tx, own: &own, peer: &peer.identity, said: &said };
    let address = peer.address().ok_or(EncryptError::Damaged)?;
    let sealed = contain(|| {
        ready(async {
            let message = message_encrypt(
                plaintext,
                &address,
                &mut session,
                &mut rows,
                signal_time(now).into(),
                &mut rng,
            )
            .await?;
            let content = UnidentifiedSenderMessageContent::new(
                message.message_type(),
                certificate,
                message.serialize().to_vec(),
                ContentHint::Resendable,
                None,
            )?;
            sealed_sender_encrypt_from_usmc(&address, &content, &rows, &mut rng).await
        })
    });
    let sealed = sealed.ok().flatten().and_then(Result::ok).ok_or(EncryptError::Damaged)?;
    let moved = session.record().filter(|session| usable(session, now)).ok_or(EncryptError::NoSession)?;
    let record = record.with(moved).ok_or(EncryptError::Damaged)?;
    Ok(Turned { sealed: Sealed(sealed), record, fresh })
}
