//! Why something that came in was not stored, and what each error of the crypto room means here.

use crate::crypto::{AccountError, DecryptError, OpenError};
use crate::engine::meet::Barred;
use crate::store::StoreError;
use crate::store::contact::{Contact, ContactId};
use crate::store::event::{DropReason, EventKind};

/// Why a message was not stored.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is dropped and counted.
    Drop { reason: DropReason, tell: Option<Tell> },
    /// The store failed: it comes again.
    Store(StoreError),
}

/// What a person is told although nothing was stored.
#[derive(Debug)]
pub(super) struct Tell {
    pub(super) kind: EventKind,
    pub(super) contact: Option<ContactId>,
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(super) const fn dropped(reason: DropReason) -> Refused {
    Refused::Drop { reason, tell: None }
}

/// Whoever has the device of a contact writes with their key: the person hears that somebody does, and not what.
pub(super) fn seized(contact: &Contact) -> Refused {
    let tell = Tell { kind: EventKind::SeizedWrote, contact: Some(contact.id) };
    Refused::Drop { reason: DropReason::Seized, tell: Some(tell) }
}

impl Refused {
    /// Whether it was only known after a decryption was tried, which cost something.
    pub(super) const fn was_tried(&self) -> bool {
        match self {
            Self::Drop { reason, tell: _ } => match reason {
                DropReason::Decryption | DropReason::Misdirected | DropReason::Content => true,
                DropReason::Envelope
                | DropReason::Certificate
                | DropReason::NotOwner
                | DropReason::Budget
                | DropReason::Blocked
                | DropReason::Seized
                | DropReason::Repeat => false,
            },
            Self::Store(_) => false,
        }
    }
}

impl From<Barred> for Refused {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::Blocked => dropped(DropReason::Blocked),
            Barred::Store(error) => Self::Store(error),
        }
    }
}

impl From<AccountError> for Refused {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => Self::Store(error),
            AccountError::Exists | AccountError::Missing | AccountError::Damaged => {
                Self::Store(StoreError::Damaged)
            }
        }
    }
}

impl From<OpenError> for Refused {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => Self::Store(error),
            OpenError::Account(error) => error.into(),
            OpenError::NotSealed | OpenError::Refused(_) => dropped(DropReason::Certificate),
        }
    }
}

impl From<DecryptError> for Refused {
    fn from(error: DecryptError) -> Self {
        dropped(match error {
            DecryptError::Store(error) => return Self::Store(error),
            DecryptError::Account(error) => return error.into(),
            DecryptError::OtherKey | DecryptError::OtherDevice => DropReason::NotOwner,
            DecryptError::BadCertificate | DecryptError::Expired => DropReason::Certificate,
            DecryptError::OverBudget => DropReason::Budget,
            DecryptError::Duplicate => DropReason::Repeat,
            DecryptError::Refused(_)
            | DecryptError::UnknownPreKey
            | DecryptError::Undecryptable
            | DecryptError::Damaged => DropReason::Decryption,
        })
    }
}
