//! Sessions with one peer: begun from a bundle, encrypting, decrypting. The receiving order is normative
//! (rule S6): key, certificate, guard, inner decryption; nothing is believed before the last.

use beresta_proto::bundle::{Bundle, IdentityPublic};
use beresta_proto::id::Device;
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;
use libsignal_protocol::{
    DeviceId, IdentityKey, PreKeyBundle, ProtocolAddress, SessionRecord, SessionUsabilityRequirements,
    Timestamp as SignalTime, kem, message_decrypt_prekey, message_decrypt_signal, process_prekey_bundle,
};
use zeroize::Zeroizing;

use super::account::Account;
use super::fault::{DecryptError, EncryptError, MeetError, contain, undecryptable};
use super::guard::record::Record;
use super::guard::{self, Admitted, PeerKey, Refused};
use super::rng::SignalRng;
use super::seal::{Opened, Vouched, check_certificate};
use super::stores::{Failure, OneSession, Rows, Said, ready};
use super::{Clocks, Handle, Peer, Way, budget};
use crate::store::{StoreError, Tx};

mod encrypt;

pub use encrypt::{encrypt, encrypt_last, session_hash};

/// Whom a message may be from.
#[derive(Debug, Clone, Copy)]
pub enum Expected<'p> {
    /// The contact whose queue it came by.
    Pinned(&'p Peer),
    /// Whoever uses an invite first. The handle is the invite queue's, the same for every message on it: the first key
    /// that is accepted owns it.
    Stranger {
        /// Under which the stranger's key and session will be kept.
        handle: Handle,
    },
}

/// A message that was accepted.
pub struct Decrypted {
    /// The content, padded. Wiped when dropped.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// Who wrote it: the key that sealed it, that signed the certificate and that the session is with.
    pub peer: Peer,
}

impl std::fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { plaintext: _, peer: _ } = self;
        f.write_str("Decrypted(..)")
    }
}

/// Begins a session with `peer` from their bundle. The peer's key is pinned to their handle.
///
/// # Errors
/// [`MeetError`]; nothing was changed then.
pub fn meet(
    tx: &Tx<'_>,
    peer: &Peer,
    bundle: &Bundle,
    now: Timestamp,
    rng: &mut impl Random,
) -> Result<(), MeetError> {
    let own = Account::load(tx)?;
    if bundle.identity != peer.identity || bundle.device != peer.device {
        return Err(MeetError::BadBundle);
    }
    let identity = guard::peer_identity(&bundle.identity, own.identity())?;
    let bundle = checked(bundle, &identity)?;
    let pinned = Pinned::of(tx, peer)?;
    if pinned == Pinned::Otherwise {
        return Err(MeetError::OtherIdentity);
    }
    let stored = tx.session(&peer.handle.0, peer.device.get())?;
    let record = Record::read(stored.as_deref().map(Vec::as_slice)).ok_or(MeetError::BadBundle)?;
    let said = Said::default();
    let mut rows = Rows { tx, own: &own, peer: &peer.identity, said: &said };
    let mut session = OneSession::new(None).map_err(|_| MeetError::BadBundle)?;
    let address = peer.address().ok_or(MeetError::BadBundle)?;
    let mut rng = SignalRng(rng);
    let met = contain(|| {
        ready(process_prekey_bundle(
            &address,
            &mut session,
            &mut rows,
            &bundle,
            signal_time(now).into(),
            &mut rng,
        ))
    });
    if let Some(Failure::Store(error)) = said.failure() {
        return Err(error.into());
    }
    met.ok().flatten().and_then(Result::ok).ok_or(MeetError::BadBundle)?;
    let moved = session.record().filter(|record| usable(record, now)).ok_or(MeetError::BadBundle)?;
    let record = record.with(moved).ok_or(MeetError::BadBundle)?;
    pinned.keep(tx, peer)?;
    Ok(tx.put_session(&peer.handle.0, peer.device.get(), &record)?)
}

/// libsignal's form of a bundle, every key in it canonical. Signatures libsignal checks itself.
fn checked(bundle: &Bundle, identity: &PeerKey) -> Result<PreKeyBundle, MeetError> {
    let one_time = match &bundle.one_time {
        Some((id, public)) => Some(((*id).into(), guard::public_key(public)?)),
        None => None,
    };
    let kyber = kem::PublicKey::deserialize(&bundle.kyber.public).map_err(|_| MeetError::BadBundle)?;
    PreKeyBundle::new(
        bundle.registration_id,
        DeviceId::new(bundle.device.get()).map_err(|_| MeetError::BadBundle)?,
        one_time,
        bundle.signed.id.into(),
        guard::public_key(&bundle.signed.public)?,
        bundle.signed.signature.to_vec(),
        bundle.kyber.id.into(),
        kyber,
        bundle.kyber.signature.to_vec(),
        IdentityKey::new(*identity.key()),
    )
    .map_err(|_| MeetError::BadBundle)
}

/// Accepts an opened message that came by `way`, or refuses it: every check of the receiving procedure, then the inner
/// decryption. Whose certificate held is kept in `vouched`.
///
/// # Errors
/// [`DecryptError`]. Unless our own side failed, nothing was changed then but the sender's budget, and the caller may
/// commit: all that is written is written when everything has held.
pub fn decrypt(
    tx: &Tx<'_>,
    opened: &Opened,
    expected: Expected<'_>,
    way: Way,
    vouched: &mut Vouched,
    clocks: impl Into<Clocks>,
    rng: &mut impl Random,
) -> Result<Decrypted, DecryptError> {
    let Clocks { now, certificate: by } = clocks.into();
    let own = &opened.own;
    let certificate = opened.content.sender().map_err(|_| DecryptError::BadCertificate)?;
    let device = u8::from(certificate.sender_device_id().map_err(|_| DecryptError::BadCertificate)?);
    let device = Device::new(device).map_err(|_| DecryptError::OtherDevice)?;
    let peer = match expected {
        Expected::Pinned(peer) => *peer,
        Expected::Stranger { handle } => Peer { handle, identity: *opened.sender(), device },
    };
    if *opened.sender() != peer.identity {
        return Err(DecryptError::OtherKey);
    }
    if device != peer.device {
        return Err(DecryptError::OtherDevice);
    }
    check_certificate(certificate, peer.handle, &opened.sender, vouched, by)?;
    let purse = budget::key(peer.handle, way);
    if !budget::allows(tx, &purse, now)? {
        return Err(DecryptError::OverBudget);
    }
    let result = inner(tx, own, opened, &peer, expected, now, rng);
    let cost = match &result {
        Ok((_, skips)) => *skips,
        Err(error) if error.costs() => budget::FAILURE,
        Err(_) => 0,
    };
    budget::spend(tx, &purse, cost, now)?;
    let (plaintext, _) = result?;
    Ok(Decrypted { plaintext, peer })
}

/// The inner decryption, behind the guard: the text, and how many steps of the ratchets it skipped.
fn inner(
    tx: &Tx<'_>,
    own: &Account,
    opened: &Opened,
    peer: &Peer,
    expected: Expected<'_>,
    now: Timestamp,
    rng: &mut impl Random,
) -> Result<(Zeroizing<Vec<u8>>, u32), DecryptError> {
    let pinned = Pinned::of(tx, peer)?;
    match (pinned, expected) {
        (Pinned::Already, _) | (Pinned::NotYet, Expected::Stranger { .. }) => {}
        (Pinned::NotYet, Expected::Pinned(_)) | (Pinned::Otherwise, _) => return Err(DecryptError::OtherKey),
    }
    let stored = tx.session(&peer.handle.0, peer.device.get())?;
    let stored = stored.as_deref().map(Vec::as_slice);
    let record = Record::read(stored).ok_or(DecryptError::Damaged)?;
    let kind = opened.content.msg_type().map_err(|_| Refused::Malformed)?;
    let bytes = opened.content.contents().map_err(|_| Refused::Malformed)?;
    let (admitted, skips) = guard::admit(kind, bytes, &record, &opened.sender, own.identity())?;

    let said = Said::default();
    let rows = Rows { tx, own, peer: &peer.identity, said: &said };
    let address = peer.address().ok_or(DecryptError::Damaged)?;
    let shown = match &admitted {
        Admitted::First(_) => stored,
        Admitted::Running(_, states) => Some(states.as_slice()),
    };
    let mut session = OneSession::new(shown).map_err(|_| DecryptError::Damaged)?;
    let mut rng = SignalRng(rng);
    let result = contain(|| match &admitted {
        Admitted::First(message) => {
            let (mut identities, mut one_time, signed, mut kyber) = (rows, rows, rows, rows);
            ready(message_decrypt_prekey(
                message,
                &address,
                &mut session,
                &mut identities,
                &mut one_time,
                &signed,
                &mut kyber,
                &mut rng,
            ))
        }
        Admitted::Running(message, _) => {
            let mut identities = rows;
            ready(message_decrypt_signal(message, &address, &mut session, &mut identities, &mut rng))
        }
    });
    match said.failure() {
        Some(Failure::Store(error)) => return Err(error.into()),
        Some(Failure::Replay) => return Err(DecryptError::Duplicate),
        None => {}
    }
    let plaintext = match result {
        Ok(Some(Ok(plaintext))) => Zeroizing::new(plaintext),
        Ok(Some(Err(error))) => return Err(undecryptable(&error)),
        Ok(None) | Err(_) => return Err(DecryptError::Undecryptable),
    };
    let moved = session.record().ok_or(DecryptError::Damaged)?;
    if !usable(moved, now) {
        return Err(Refused::NotPostQuantum.into());
    }
    let record = record.with(moved).ok_or(DecryptError::Damaged)?;
    pinned.keep(tx, peer)?;
    if let Some(first) = said.first() {
        first.keep(tx)?;
    }
    tx.put_session(&peer.handle.0, peer.device.get(), &record)?;
    Ok((plaintext, skips))
}

/// How a peer's key and handle stand to each other in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pinned {
    /// The key is pinned to the handle.
    Already,
    /// Neither was seen before.
    NotYet,
    /// One of the two belongs to another.
    Otherwise,
}

impl Pinned {
    fn of(tx: &Tx<'_>, peer: &Peer) -> Result<Self, StoreError> {
        if let Some(pinned) = tx.pinned_identity(&peer.handle.0)? {
            return Ok(if pinned == peer.identity.0 { Self::Already } else { Self::Otherwise });
        }
        let known = tx.handle_of_identity(&peer.identity.0)?;
        Ok(if known.is_some() { Self::Otherwise } else { Self::NotYet })
    }

    /// Pins the key to the handle, if it is not yet.
    fn keep(self, tx: &Tx<'_>, peer: &Peer) -> Result<(), StoreError> {
        match self {
            Self::NotYet => tx.insert_identity(&peer.handle.0, &peer.identity.0),
            Self::Already | Self::Otherwise => Ok(()),
        }
    }
}

/// Whether a session may be used: answered or young, begun by PQXDH, and with the post-quantum ratchet.
fn usable(record: &SessionRecord, now: Timestamp) -> bool {
    record
        .has_usable_sender_chain(signal_time(now).into(), SessionUsabilityRequirements::all())
        .unwrap_or(false)
}

impl Peer {
    /// libsignal's address for the peer: the handle, which means nothing outside this store.
    fn address(&self) -> Option<ProtocolAddress> {
        Some(ProtocolAddress::new(self.handle.hex(), DeviceId::new(self.device.get()).ok()?))
    }
}

/// libsignal's time, which never reaches so far that adding a month to it overflows.
fn signal_time(now: Timestamp) -> SignalTime {
    const YEAR_9999_MS: u64 = 253_402_300_799_000;
    SignalTime::from_epoch_millis(now.0.min(YEAR_9999_MS))
}

/// How many messages were encrypted for a peer since the last that they surely decrypted (rule S9).
///
/// # Errors
/// [`EncryptError::Store`] if the store failed, [`EncryptError::Damaged`] if the session does not read.
pub fn sent_ahead(tx: &Tx<'_>, peer: &Peer) -> Result<u32, EncryptError> {
    let Some(bytes) = tx.session(&peer.handle.0, peer.device.get())? else { return Ok(0) };
    Ok(Record::read(Some(&bytes)).ok_or(EncryptError::Damaged)?.sent_ahead())
}

/// Counts a failure of a sender whose step the caller took back as a whole, and the count with it.
///
/// # Errors
/// [`crate::store::StoreError`] if the store failed.
pub fn count_failure(tx: &Tx<'_>, handle: Handle, way: Way, now: Timestamp) -> Result<(), StoreError> {
    budget::spend(tx, &budget::key(handle, way), budget::FAILURE, now)
}

/// Forgets a peer: their pinned key, their sessions, their budget.
///
/// # Errors
/// [`crate::store::StoreError`] if the store failed.
pub fn forget(tx: &Tx<'_>, handle: Handle) -> Result<(), StoreError> {
    tx.delete_handle(&handle.0)
}

/// Ends every session with a peer. Their key stays pinned, and what they used of their budget stays used.
///
/// # Errors
/// [`crate::store::StoreError`] if the store failed.
pub fn end_sessions(tx: &Tx<'_>, peer: &Peer) -> Result<(), StoreError> {
    tx.delete_sessions(&peer.handle.0)
}

/// The key that is pinned to a handle.
///
/// # Errors
/// [`crate::store::StoreError`] if the store failed.
pub fn pinned(tx: &Tx<'_>, handle: Handle) -> Result<Option<IdentityPublic>, StoreError> {
    Ok(tx.pinned_identity(&handle.0)?.and_then(|key| key.as_slice().try_into().ok()).map(IdentityPublic))
}
