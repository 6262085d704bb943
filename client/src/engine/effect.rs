//! What the engine says should happen, and the answers to wishes that need a relay.

use beresta_proto::address::RelayAddress;
use beresta_proto::auth::Exporter;
use beresta_proto::command::Command;
use beresta_proto::descriptor::{Descriptor, EpochKey};
use beresta_proto::id::RelayId;
use beresta_proto::reply::Refusal;
use beresta_proto::time::Timestamp;
use beresta_proto::words::Words;

use crate::store::StoreError;
use crate::store::contact::ContactId;
use crate::store::invite::InviteId;

/// Matches a reply to what was transmitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Matches an answer to a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What should happen. The driver performs effects in order.
#[derive(Debug)]
pub enum Effect {
    /// Reach a relay; then `handle_link_up` or `handle_dial_failed`.
    Dial {
        /// Which, and where to try it, best first.
        relay: RelayAddress,
        /// How many of its routes the person gave or the relay signed: those of others are tried after all of these.
        own: usize,
        /// The sequence number of the newest descriptor known: an older one is refused.
        known_sequence: u64,
    },
    /// Say a command on the relay's link; then `handle_reply`.
    Transmit {
        /// To whom.
        relay: RelayId,
        /// Goes back with the reply.
        token: Token,
        /// What.
        command: Command,
    },
    /// Close the relay's link.
    HangUp {
        /// Whose.
        relay: RelayId,
    },
    /// Answer a wish.
    Answer {
        /// Which.
        ask: AskId,
        /// How it ended.
        outcome: Result<Answer, AskError>,
    },
}

/// How a wish ended well.
#[derive(Debug)]
pub enum Answer {
    /// The invite lies at the relay.
    Invited {
        /// Its row.
        invite: InviteId,
        /// What to hand over.
        link: Words,
    },
    /// The invite was accepted: this is who made it.
    Accepted {
        /// Their row.
        contact: ContactId,
    },
}

/// Why a relay was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialFailure {
    /// Nobody answered.
    Unreachable,
    /// Somebody else answered there, or the relay's papers are wrong. Nothing was said to them.
    NotTheRelay,
    /// The relay's descriptor is not valid at our time: it is out of date, or our clock is wrong.
    Stale,
    /// Every route is of a kind that this version does not know.
    NoRoute,
}

/// Why a wish was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The relay could not be reached.
    #[error("the relay could not be reached")]
    Dial(DialFailure),
    /// The link broke, or the relay did not answer in time.
    #[error("the line broke")]
    LineBroke,
    /// No relay is known yet: give one, or accept an invite first.
    #[error("no relay is known")]
    NoRelay,
    /// The relay has no such invite (any more): it expired, was revoked, or was never there.
    #[error("the invite is gone")]
    InviteGone,
    /// Someone else claimed the invite before.
    #[error("the invite was used by someone else")]
    InviteUsed,
    /// What lies at the relay is not what the link names: the relay, or somebody before us, changed it.
    #[error("the invite was forged")]
    InviteForged,
    /// The invite is our own.
    #[error("the invite is our own")]
    OwnInvite,
    /// The invite's maker is a contact already.
    #[error("already a contact")]
    AlreadyContact(ContactId),
    /// The contact who was to come back is blocked.
    #[error("the contact is blocked")]
    Blocked,
    /// The relay is full or busy. Later it may do.
    #[error("the relay refuses for now")]
    RelayBusy,
    /// The relay's operator lets nobody new in for now.
    #[error("the relay takes nobody new")]
    RelayClosed,
    /// The home relay serves only who has a code of its operator, and we have none that is good.
    #[error("the relay asks for a code")]
    NoCredit,
    /// The relay answered what no honest relay answers.
    #[error("the relay misbehaved")]
    RelayMisbehaved,
    /// The invite's keys were refused by the guard.
    #[error("the invite's keys were refused")]
    BadKeys,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for AskError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Claimed => Self::InviteUsed,
            Refusal::Gone => Self::InviteGone,
            Refusal::Full | Refusal::RateLimited | Refusal::Failed => Self::RelayBusy,
            Refusal::Closed => Self::RelayClosed,
            Refusal::NoCredit => Self::NoCredit,
            Refusal::Exists | Refusal::Unopenable => Self::RelayMisbehaved,
        }
    }
}

/// A link that was checked and is ready.
#[derive(Debug)]
pub struct LinkUp {
    /// The checked descriptor.
    pub descriptor: Descriptor,
    /// What it handed out as epoch keys: not checked yet.
    pub epoch_keys: Vec<EpochKey>,
    /// The relay's clock.
    pub clock: Timestamp,
    /// Binds signatures to this link.
    pub exporter: Exporter,
}
