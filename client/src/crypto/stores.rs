//! libsignal's store traits over one transaction, from which they only read: what libsignal would have written is kept in
//! memory, for the caller to write once everything has held. So a message that does not open leaves no trace.
//!
//! libsignal asks in `async fn`s, but a row is always there at once: [`ready`] polls a future one time. Sessions are
//! not kept here but in [`OneSession`], because the guard chooses which states libsignal sees and puts the record
//! together again.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use beresta_proto::bundle::IdentityPublic;
use libsignal_protocol::{
    Direction, GenericSignedPreKey as _, IdentityChange, IdentityKey, IdentityKeyPair, IdentityKeyStore,
    KyberPreKeyId, KyberPreKeyRecord, KyberPreKeyStore, PreKeyId, PreKeyRecord, PreKeyStore, ProtocolAddress,
    PublicKey, SessionRecord, SessionStore, SignalProtocolError, SignedPreKeyId, SignedPreKeyRecord,
    SignedPreKeyStore,
};

use super::account::Account;
use crate::store::signal::PreKeyKind;
use crate::store::{StoreError, Tx};

type Result<T> = std::result::Result<T, SignalProtocolError>;

/// The outcome of a future that never waits. Nothing if it waits after all, which ours do not.
pub(super) fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// What came of libsignal's questions that its own result cannot carry.
#[derive(Default)]
pub(super) struct Said {
    failure: RefCell<Option<Failure>>,
    first: RefCell<Option<First>>,
}

/// A first message that opened: which, and with which pre-keys.
pub(super) struct First {
    kyber: u32,
    signed: u32,
    base_key: Box<[u8]>,
}

impl First {
    /// Notes that it was taken, and deletes the private halves that it used.
    pub(super) fn keep(&self, tx: &Tx<'_>) -> std::result::Result<(), StoreError> {
        // Every bundle is for one meeting: with its private halves gone, its first message can't be read again.
        tx.insert_used_pre_key(self.kyber, self.signed, &self.base_key)?;
        tx.delete_bundle(self.signed).map(drop)
    }
}

/// Why a question of libsignal's was not answered.
pub(super) enum Failure {
    /// The store failed.
    Store(StoreError),
    /// The first message was taken before.
    Replay,
}

#[derive(Debug, thiserror::Error)]
#[error("not answered")]
struct NotAnswered;

impl Said {
    /// Takes out why a question was not answered.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.borrow_mut().take()
    }

    /// Takes out the first message that opened, to be kept.
    pub(super) fn first(&self) -> Option<First> {
        self.first.borrow_mut().take()
    }

    fn note(&self, failure: Failure) -> SignalProtocolError {
        *self.failure.borrow_mut() = Some(failure);
        SignalProtocolError::ApplicationCallbackError("store", Box::new(NotAnswered))
    }

    fn store<T>(&self, result: std::result::Result<T, StoreError>) -> Result<T> {
        result.map_err(|error| self.note(Failure::Store(error)))
    }
}

/// The rows of one transaction, for one peer: whatever address libsignal asks for is theirs.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, 'c> {
    pub(super) tx: &'a Tx<'c>,
    pub(super) own: &'a Account,
    /// Whom we talk to: the only key that is trusted.
    pub(super) peer: &'a IdentityPublic,
    pub(super) said: &'a Said,
}

#[async_trait(?Send)]
impl IdentityKeyStore for Rows<'_, '_> {
    async fn get_identity_key_pair(&self) -> Result<IdentityKeyPair> {
        Ok(self.own.pair())
    }

    async fn get_local_registration_id(&self) -> Result<u32> {
        Ok(self.own.registration_id())
    }

    async fn save_identity(
        &mut self,
        address: &ProtocolAddress,
        identity: &IdentityKey,
    ) -> Result<IdentityChange> {
        // Keys are pinned before libsignal is asked, and never replaced.
        if *identity.serialize() == self.peer.0 {
            Ok(IdentityChange::NewOrUnchanged)
        } else {
            Err(SignalProtocolError::UntrustedIdentity(address.clone()))
        }
    }

    async fn is_trusted_identity(
        &self,
        _: &ProtocolAddress,
        identity: &IdentityKey,
        _: Direction,
    ) -> Result<bool> {
        // Rule S12: the pinned key or nothing, in both directions. With trust on first use, whoever comes first
        // under a name is believed.
        Ok(*identity.serialize() == self.peer.0)
    }

    async fn get_identity(&self, _: &ProtocolAddress) -> Result<Option<IdentityKey>> {
        IdentityKey::decode(&self.peer.0).map(Some)
    }
}

#[async_trait(?Send)]
impl PreKeyStore for Rows<'_, '_> {
    async fn get_pre_key(&self, id: PreKeyId) -> Result<PreKeyRecord> {
        let row = self.said.store(self.tx.pre_key(PreKeyKind::OneTime, id.into()))?;
        PreKeyRecord::deserialize(&row.ok_or(SignalProtocolError::InvalidPreKeyId)?)
    }

    async fn save_pre_key(&mut self, _: PreKeyId, _: &PreKeyRecord) -> Result<()> {
        Err(SignalProtocolError::InvalidPreKeyId) // libsignal never makes one
    }

    async fn remove_pre_key(&mut self, _: PreKeyId) -> Result<()> {
        Ok(()) // it went with its bundle
    }
}

#[async_trait(?Send)]
impl SignedPreKeyStore for Rows<'_, '_> {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> Result<SignedPreKeyRecord> {
        let row = self.said.store(self.tx.pre_key(PreKeyKind::Signed, id.into()))?;
        SignedPreKeyRecord::deserialize(&row.ok_or(SignalProtocolError::InvalidSignedPreKeyId)?)
    }

    async fn save_signed_pre_key(&mut self, _: SignedPreKeyId, _: &SignedPreKeyRecord) -> Result<()> {
        Err(SignalProtocolError::InvalidSignedPreKeyId) // libsignal never makes one
    }
}

#[async_trait(?Send)]
impl KyberPreKeyStore for Rows<'_, '_> {
    async fn get_kyber_pre_key(&self, id: KyberPreKeyId) -> Result<KyberPreKeyRecord> {
        let row = self.said.store(self.tx.pre_key(PreKeyKind::Kyber, id.into()))?;
        KyberPreKeyRecord::deserialize(&row.ok_or(SignalProtocolError::InvalidKyberPreKeyId)?)
    }

    async fn save_kyber_pre_key(&mut self, _: KyberPreKeyId, _: &KyberPreKeyRecord) -> Result<()> {
        Err(SignalProtocolError::InvalidKyberPreKeyId) // libsignal never makes one
    }

    async fn mark_kyber_pre_key_used(
        &mut self,
        kyber: KyberPreKeyId,
        signed: SignedPreKeyId,
        base_key: &PublicKey,
    ) -> Result<()> {
        // Rule S8.
        let first = First { kyber: kyber.into(), signed: signed.into(), base_key: base_key.serialize() };
        if self.said.store(self.tx.is_used_pre_key(first.kyber, first.signed, &first.base_key))? {
            return Err(self.said.note(Failure::Replay));
        }
        *self.said.first.borrow_mut() = Some(first);
        Ok(())
    }
}

/// The one session that a call of libsignal's is about.
pub(super) struct OneSession {
    record: Option<SessionRecord>,
}

impl OneSession {
    /// Holds the record in `bytes`.
    pub(super) fn new(bytes: Option<&[u8]>) -> Result<Self> {
        Ok(Self { record: bytes.map(SessionRecord::deserialize).transpose()? })
    }

    /// What libsignal left.
    pub(super) const fn record(&self) -> Option<&SessionRecord> {
        self.record.as_ref()
    }
}

#[async_trait(?Send)]
impl SessionStore for OneSession {
    async fn load_session(&self, _: &ProtocolAddress) -> Result<Option<SessionRecord>> {
        Ok(self.record.clone())
    }

    async fn store_session(&mut self, _: &ProtocolAddress, record: &SessionRecord) -> Result<()> {
        self.record = Some(record.clone());
        Ok(())
    }
}
