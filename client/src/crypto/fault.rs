//! What can go wrong in this room, by operation, and the wall that keeps a panic of libsignal inside it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use libsignal_protocol::SignalProtocolError;

use super::guard::Refused;
use crate::store::StoreError;

/// Our own keys could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The store failed.
    #[error("store")]
    Store(#[from] StoreError),
    /// The account exists: it is made once.
    #[error("the account exists")]
    Exists,
    /// There is no account yet.
    #[error("there is no account")]
    Missing,
    /// The store holds something else where our keys should be.
    #[error("our keys are damaged")]
    Damaged,
}

/// A session could not be begun from a bundle.
#[derive(Debug, thiserror::Error)]
pub enum MeetError {
    /// The store failed.
    #[error("store")]
    Store(#[from] StoreError),
    /// Our own keys.
    #[error("account")]
    Account(#[from] AccountError),
    /// The bundle's maker erred: a key that the guard refuses, or our own.
    #[error("bundle refused")]
    Refused(#[from] Refused),
    /// The bundle's maker erred: a signature does not verify, a key is no key, or it is of another person or device.
    #[error("the bundle is not valid")]
    BadBundle,
    /// The handle is pinned to another key, or the key to another handle.
    #[error("the identity belongs to another contact")]
    OtherIdentity,
}

/// A text could not be encrypted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EncryptError {
    /// The store failed.
    #[error("store")]
    Store(#[from] StoreError),
    /// Our own keys.
    #[error("account")]
    Account(#[from] AccountError),
    /// No session that may be used: none, one without PQXDH or the post-quantum ratchet, or one that the peer did not
    /// answer for 30 days.
    #[error("no usable session")]
    NoSession,
    /// The handle is pinned to another key.
    #[error("the identity has changed")]
    OtherIdentity,
    /// More is undelivered than the caller allows.
    #[error("too many undelivered messages")]
    TooFarAhead,
    /// The session in the store is damaged.
    #[error("the session is damaged")]
    Damaged,
}

/// A sealed message could not be opened. Who sent it is not known.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store failed.
    #[error("store")]
    Store(#[from] StoreError),
    /// Our own keys.
    #[error("account")]
    Account(#[from] AccountError),
    /// Not sealed for us, or not in the one form that we take.
    #[error("not sealed for us")]
    NotSealed,
    /// The key that sealed it is refused by the guard.
    #[error("sealed by a refused key")]
    Refused(#[from] Refused),
}

/// An opened message was not accepted. Unless our own side failed ([`DecryptError::is_ours`]), nothing was changed
/// but the count of the sender's failures, so the transaction may be committed and the message acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum DecryptError {
    /// The store failed: not the sender's fault, the message must be kept.
    #[error("store")]
    Store(#[from] StoreError),
    /// Our own keys.
    #[error("account")]
    Account(#[from] AccountError),
    /// Another key than the one whose queue this is: on an invite queue, somebody else used the invite.
    #[error("sealed by another key than the owner's")]
    OtherKey,
    /// Another device than the contact's.
    #[error("sealed by another device")]
    OtherDevice,
    /// The certificate is not the pinned key's, or names another account than that key's.
    #[error("the certificate does not hold")]
    BadCertificate,
    /// The certificate ended. Our clock may be wrong, or the sender's.
    #[error("the certificate has expired")]
    Expired,
    /// The guard refused it.
    #[error("refused by the guard")]
    Refused(#[from] Refused),
    /// The sender failed too often: dropped without a try.
    #[error("too many failures")]
    OverBudget,
    /// It was here before.
    #[error("a repeat")]
    Duplicate,
    /// It begins a session from pre-keys that we don't have: the invite was used, or taken back.
    #[error("unknown pre-keys")]
    UnknownPreKey,
    /// It does not decrypt: forged, damaged, or of a session that we lost.
    #[error("does not decrypt")]
    Undecryptable,
    /// The session in the store is damaged.
    #[error("the session is damaged")]
    Damaged,
}

impl OpenError {
    /// Whether our own side failed: then the message must be kept and nothing committed.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Account(_))
    }
}

impl DecryptError {
    /// Whether our own side failed: then the message must be kept and nothing committed.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Account(_) | Self::Damaged)
    }

    /// Whether the failure cost us work that its sender must pay for.
    pub(super) const fn costs(&self) -> bool {
        matches!(self, Self::Undecryptable | Self::UnknownPreKey)
    }
}

/// libsignal panicked. What it said is dropped: it may quote what it was handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("libsignal panicked")]
pub(super) struct Panicked;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `step`, which calls libsignal, and turns a panic into an error without a word printed.
///
/// `step` must write nothing that stays when it fails: libsignal only reads the store.
pub(super) fn contain<T>(step: impl FnOnce() -> T) -> Result<T, Panicked> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !CONTAINED.get() {
                before(info);
            }
        }));
    });
    let outer = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(step));
    CONTAINED.set(outer);
    result.map_err(|payload| {
        drop(payload);
        Panicked
    })
}

/// What libsignal's error means for a message that did not decrypt.
pub(super) fn undecryptable(error: &SignalProtocolError) -> DecryptError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other error of libsignal's thirty means the same here"
    )]
    match error {
        SignalProtocolError::DuplicatedMessage(..) => DecryptError::Duplicate,
        SignalProtocolError::UntrustedIdentity(_) => DecryptError::OtherKey,
        SignalProtocolError::InvalidPreKeyId
        | SignalProtocolError::InvalidSignedPreKeyId
        | SignalProtocolError::InvalidKyberPreKeyId => DecryptError::UnknownPreKey,
        SignalProtocolError::SessionNotFound(_) => DecryptError::Refused(Refused::NoSession),
        _ => DecryptError::Undecryptable,
    }
}
