//! Errors with stable kinds. They carry no text of ours or of a library: the front end's catalogue has the words.

use beresta_proto::invite::LinkError;
use beresta_proto::reply::Refusal;
use beresta_proto::words::Words;
use serde::Serialize;

use crate::crypto::{AccountError, SafetyNumberError};
use crate::engine::{AskError, ComposeError, DecideRefused, DialFailure, SendRefused};
use crate::store::StoreError;

/// Why the line to a relay does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkFault {
    /// Nobody answered.
    Unreachable,
    /// Somebody else answered there, or the relay's papers are wrong. Nothing was said to them.
    NotTheRelay,
    /// The relay's papers are not valid at our time: they are out of date, or our clock is wrong.
    Stale,
    /// Every way to it is of a kind that this version does not know.
    NoRoute,
    /// The line broke, or no answer came in time.
    Broke,
}

/// Why a relay makes no queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueFault {
    /// It is full or busy.
    Busy,
    /// Its operator lets nobody new in for now.
    Closed,
    /// It serves only who has a code of its operator; ours is missing, used up or over.
    NoCredit,
    /// It answered what no honest relay answers.
    Misbehaved,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no profile in the folder.
    #[error("no profile")]
    NoProfile,
    /// There is a profile in the folder already.
    #[error("profile exists")]
    ProfileExists,
    /// Another process has the profile open.
    #[error("in use")]
    InUse,
    /// The passphrase opens nothing.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The key file is not there, or is none.
    #[error("no key file")]
    NoKeyFile,
    /// Where the key file is to be made, there is something already.
    #[error("key file exists")]
    KeyFileExists,
    /// The passphrase does something else already: it is the profile's, or the duress passphrase.
    #[error("passphrase taken")]
    PassphraseTaken,
    /// The duress passphrase was set by an earlier version, where a decoy has its place: it is to be removed first.
    #[error("duress passphrase in the way")]
    DuressInTheWay,
    /// There is a decoy already.
    #[error("decoy exists")]
    DecoyExists,
    /// The store's files are damaged.
    #[error("store damaged")]
    StoreDamaged,
    /// A newer version wrote the store.
    #[error("store newer")]
    StoreNewer,
    /// The disk is full. Nothing was lost.
    #[error("store full")]
    StoreFull,
    /// The system does not let us read or write the profile.
    #[error("denied")]
    Denied,
    /// The program was built for other processors than the store's sessions: it would break them.
    #[error("backend")]
    Backend,
    /// The store failed in another way.
    #[error("store")]
    Store,
    /// The link is none, or damaged.
    #[error("bad link")]
    BadLink {
        /// Whether it is a link of the right kind with letters missing or changed.
        damaged: bool,
    },
    /// The name is empty or too long.
    #[error("bad name")]
    BadName,
    /// The timer is not from 1 second to 4 weeks.
    #[error("bad timer")]
    BadTimer,
    /// No such contact, message or invite.
    #[error("not found")]
    NotFound,
    /// Several contacts fit: their names.
    #[error("ambiguous")]
    Ambiguous(Vec<Words>),
    /// No relay is known yet: give one, or accept an invite first.
    #[error("no relay")]
    NoRelay,
    /// The line does not work.
    #[error("link")]
    Link(LinkFault),
    /// The relay is full or busy.
    #[error("relay busy")]
    RelayBusy,
    /// The relay's operator lets nobody new in for now.
    #[error("relay closed")]
    RelayClosed,
    /// The home relay serves only who has a code of its operator; ours is missing, used up or over.
    #[error("no credit")]
    NoCredit,
    /// The relay answered what no honest relay answers.
    #[error("relay misbehaved")]
    RelayMisbehaved,
    /// The invite expired, was revoked, or was never there.
    #[error("invite gone")]
    InviteGone,
    /// Someone else used the invite before.
    #[error("invite used")]
    InviteUsed,
    /// What lies at the relay is not what the link names, or its keys were refused.
    #[error("invite forged")]
    InviteForged,
    /// The invite is our own.
    #[error("own invite")]
    OwnInvite,
    /// Whoever made the invite is a contact already: their id.
    #[error("already a contact")]
    AlreadyContact(super::ContactId),
    /// The contact's key changed: the person must decide first.
    #[error("identity changed")]
    IdentityChanged,
    /// The contact is blocked.
    #[error("blocked")]
    Blocked,
    /// The safety number is another one.
    #[error("code differs")]
    CodeDiffers,
    /// There is nothing to send.
    #[error("empty text")]
    EmptyText,
    /// The text is too long.
    #[error("text too long")]
    TextTooLong,
    /// An alert goes to at least one contact, and to no more than [`super::ALERT_CONTACTS`].
    #[error("contacts of an alert")]
    AlertContacts,
    /// Too many messages are undelivered: the contact must come back first.
    #[error("too many undelivered")]
    TooManyUndelivered,
    /// The session with the contact does not work: meet anew by an invite.
    #[error("session")]
    Session,
    /// The panic failed: the header may be whole. All else that could be destroyed was.
    #[error("not destroyed")]
    NotDestroyed,
    /// The panic was done; somebody has the profile open whom this system can't reach.
    #[error("destroyed, in use")]
    DestroyedInUse,
    /// The panic was done, and nothing opens any more; some of the other files could not be destroyed.
    #[error("destroyed in part")]
    DestroyedInPart,
    /// The client was closed.
    #[error("closed")]
    Closed,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::AlreadyExists => Self::ProfileExists,
            StoreError::InUse => Self::InUse,
            // What is to be done under duress is done where a profile is opened. Nobody else sees a difference.
            StoreError::WrongPassphrase | StoreError::Duress(_) => Self::WrongPassphrase,
            StoreError::PassphraseTaken => Self::PassphraseTaken,
            StoreError::DuressInTheWay => Self::DuressInTheWay,
            StoreError::NoKeyFile => Self::NoKeyFile,
            StoreError::DamagedHeader | StoreError::Damaged | StoreError::BadRow => Self::StoreDamaged,
            StoreError::Newer { found: _, known: _ } => Self::StoreNewer,
            StoreError::Full => Self::StoreFull,
            StoreError::Denied => Self::Denied,
            StoreError::Cost
            | StoreError::OutOfMemory
            | StoreError::Conflict
            | StoreError::RolledBack
            | StoreError::Refused { .. }
            | StoreError::Io { .. }
            | StoreError::Backend { .. } => Self::Store,
        }
    }
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        Self::BadLink { damaged: matches!(error, LinkError::Damaged) }
    }
}

impl From<DialFailure> for LinkFault {
    fn from(failure: DialFailure) -> Self {
        match failure {
            DialFailure::Unreachable => Self::Unreachable,
            DialFailure::NotTheRelay => Self::NotTheRelay,
            DialFailure::Stale => Self::Stale,
            DialFailure::NoRoute => Self::NoRoute,
        }
    }
}

impl From<Refusal> for QueueFault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full | Refusal::RateLimited | Refusal::Failed => Self::Busy,
            Refusal::Closed => Self::Closed,
            Refusal::NoCredit => Self::NoCredit,
            Refusal::Gone | Refusal::Claimed | Refusal::Exists | Refusal::Unopenable => Self::Misbehaved,
        }
    }
}

impl From<QueueFault> for Error {
    fn from(fault: QueueFault) -> Self {
        match fault {
            QueueFault::Busy => Self::RelayBusy,
            QueueFault::Closed => Self::RelayClosed,
            QueueFault::NoCredit => Self::NoCredit,
            QueueFault::Misbehaved => Self::RelayMisbehaved,
        }
    }
}

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Dial(failure) => Self::Link(failure.into()),
            AskError::LineBroke => Self::Link(LinkFault::Broke),
            AskError::NoRelay => Self::NoRelay,
            AskError::InviteGone => Self::InviteGone,
            AskError::InviteUsed => Self::InviteUsed,
            AskError::InviteForged | AskError::BadKeys => Self::InviteForged,
            AskError::OwnInvite => Self::OwnInvite,
            AskError::AlreadyContact(id) => Self::AlreadyContact(super::record::contact_id(id)),
            AskError::Blocked => Self::Blocked,
            AskError::RelayBusy => Self::RelayBusy,
            AskError::RelayClosed => Self::RelayClosed,
            AskError::NoCredit => Self::NoCredit,
            AskError::RelayMisbehaved => Self::RelayMisbehaved,
            AskError::Store(error) => error.into(),
        }
    }
}

impl From<ComposeError> for Error {
    fn from(error: ComposeError) -> Self {
        match error {
            ComposeError::NoAddress | ComposeError::Crypto(_) => Self::Session,
            ComposeError::TooLong => Self::TextTooLong,
            ComposeError::Blocked => Self::Blocked,
            ComposeError::IdentityChanged => Self::IdentityChanged,
            ComposeError::TooFarAhead => Self::TooManyUndelivered,
            ComposeError::Store(error) => error.into(),
        }
    }
}

impl From<SendRefused> for Error {
    fn from(error: SendRefused) -> Self {
        match error {
            SendRefused::Blocked => Self::Blocked,
            SendRefused::IdentityChanged => Self::IdentityChanged,
            SendRefused::Empty => Self::EmptyText,
            SendRefused::Compose(error) => error.into(),
        }
    }
}

impl From<DecideRefused> for Error {
    fn from(error: DecideRefused) -> Self {
        match error {
            DecideRefused::ChangedAgain => Self::IdentityChanged,
            DecideRefused::Store(error) => error.into(),
        }
    }
}

impl From<AccountError> for Error {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => error.into(),
            AccountError::Exists | AccountError::Missing | AccountError::Damaged => Self::StoreDamaged,
        }
    }
}

impl From<SafetyNumberError> for Error {
    fn from(error: SafetyNumberError) -> Self {
        match error {
            SafetyNumberError::Store(error) => error.into(),
            SafetyNumberError::Account(_)
            | SafetyNumberError::Refused(_)
            | SafetyNumberError::Fingerprint => Self::Session,
        }
    }
}
