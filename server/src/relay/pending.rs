//! What the core waits for: one entry for each ticket that is out.

use beresta_proto::capsule::ReplyKey;
use beresta_proto::command::Subscription;
use beresta_proto::frame::RequestId;
use beresta_proto::id::{BlobId, KeyId, ReadId, SendId};
use beresta_proto::key::{CapabilityHash, Signature, VerifyingKey};

use beresta_proto::time::Timestamp;

use super::output::{Claim, LinkId};
use super::recogniser::Recognised;
use super::tally::Kind;
use crate::queue::{CreditName, QueueRecord, QueueRef};

/// Which command of which link is to be answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) link: LinkId,
    pub(super) request: RequestId,
    pub(super) kind: Kind,
    /// Of its frame or of its answer, whichever is longer: what is held for it.
    pub(super) bytes: usize,
}

/// A queue that is being made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Making {
    pub(super) read_id: ReadId,
    pub(super) send_id: SendId,
    pub(super) read_key: VerifyingKey,
    pub(super) capability: CapabilityHash,
    pub(super) credit: Option<CreditName>,
    pub(super) again: bool,
}

/// A capsule's order that is being stored.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) reply: ReplyKey,
    pub(super) session: Recognised,
    pub(super) key_id: KeyId,
}

/// Signatures that are to be checked, of one command.
#[derive(Debug)]
pub(super) enum Check {
    /// Of whoever may read these queues, whose keys are to be looked up first. To delete the one that it is, or to subscribe
    /// to them.
    Readers { wanted: Vec<Subscription>, deletes: bool },
    /// Of a blob's owner, whose key is to be looked up first.
    Owner { blob: BlobId, signature: Signature, asked_at: Timestamp },
    /// Of those whose keys are known.
    Known(Vec<Claim>, Then),
}

impl Check {
    /// How many there are.
    pub(super) const fn signatures(&self) -> usize {
        match self {
            Self::Readers { wanted, deletes: _ } => wanted.len(),
            Self::Owner { blob: _, signature: _, asked_at: _ } => 1,
            Self::Known(claims, _) => claims.len(),
        }
    }
}

/// What follows when signatures were checked.
#[derive(Debug)]
pub(super) enum Then {
    Subscribe(Vec<(ReadId, Option<QueueRecord>)>),
    DeleteQueue(Option<QueueRef>),
    ClaimBlob { blob: BlobId, claimant: VerifyingKey },
    DeleteBlob { blob: BlobId, owner: Option<VerifyingKey> },
}

#[derive(Debug)]
pub(super) enum Pending {
    Make(Asked, Making),
    /// The queues whose readers' signatures are to be checked.
    Find {
        asked: Asked,
        wanted: Vec<Subscription>,
        deletes: bool,
    },
    FindBlob(Asked, BlobId, Signature),
    /// And how many signatures there are.
    Verify(Asked, Then, usize),
    Opening(Asked),
    Append(Asked, Box<Sending>),
    Fetch {
        queue: QueueRef,
        link: LinkId,
        generation: u64,
        reserved: usize,
        announced: u64,
    },
    /// And how many messages it lets go.
    Acknowledge(Asked, QueueRef, usize),
    DeleteQueue(Asked, QueueRef),
    /// A command whose answer is the reply.
    Plain(Asked),
    /// What ended by then is being swept.
    Expire(Timestamp),
    /// The epoch keys of this state are being written.
    KeepEpochs(u64),
    /// Queues that are being renewed.
    Renew(Vec<QueueRef>),
}

impl Pending {
    /// How much of what the engine may have at once of links' commands that change something it is: a message each that is stored
    /// or goes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Make(..) | Self::Append(..) | Self::Plain(..) => 1,
            Self::Acknowledge(_, _, messages) => 1.max(*messages),
            // These have a limit of their own.
            Self::DeleteQueue(..)
            | Self::Find { .. }
            | Self::FindBlob(..)
            | Self::Verify(..)
            | Self::Opening(..)
            | Self::Fetch { .. }
            | Self::Expire(..)
            | Self::KeepEpochs(..)
            | Self::Renew(..) => 0,
        }
    }
}
