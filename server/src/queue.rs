//! Keeps queues and blobs durably and in order, for a limited time (rules Q1 to Q13, B1 to B5), and what they are paid with.
//!
//! An engine takes one operation and answers once. It knows no link, subscriber or clock, and draws nothing that can be
//! seen: names come from a [`Namer`], `now` comes with the operation, and who may ask was checked by the relay's core, save for the
//! capability of an [`Op::Append`], which only the engine can compare. What to answer is decided by [`rules`], the same
//! for every engine; engines differ in where they keep things.

pub mod credit;
mod health;
pub mod intake;
pub mod memory;
pub mod name;
pub mod rules;
pub mod sqlite;

use beresta_proto::envelope::Envelope;
use beresta_proto::key::{CapabilityHash, VerifyingKey};
use beresta_proto::time::{Timestamp, TtlClass};

pub use credit::{CreditId, CreditRecord, Payment};
pub use health::{COMMIT_BINS_MS, Health};
pub use name::{BlobName, ClaimantName, CreditName, KeyProof, MessageName, Namer, ReadName, SendName};

/// A queue inside an engine: found by [`Op::Find`] or told by [`Op::MakeQueue`]. Stays the same across restarts, never
/// leaves the relay, and says nothing about when the queue was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueRef(pub(crate) i64);

impl core::fmt::Debug for QueueRef {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("QueueRef(..)")
    }
}

/// What is asked of an engine. Each says which [`Answer`]s it may get; [`Answer::Failed`] may answer any of them.
#[derive(Clone)]
pub enum Op {
    /// Makes a queue. [`Answer::Made`], [`Answer::Exists`] (draw other ids), [`Answer::Full`], [`Answer::NoCredit`].
    MakeQueue {
        /// Its name for its reader.
        read: ReadName,
        /// Its name for its senders.
        send: SendName,
        /// Verifies its reader.
        read_key: VerifyingKey,
        /// With what messages are put in.
        capability: CapabilityHash,
        /// What it is paid with, where the relay asks for it.
        credit: Option<CreditName>,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Looks queues up, so that their reader's signatures can be checked. [`Answer::Found`].
    Find {
        /// The queues.
        reads: Vec<ReadName>,
    },
    /// Looks a queue up for its operator, to whom its id for sending was told. [`Answer::Found`], of this one.
    FindSend {
        /// The queue.
        send: SendName,
    },
    /// Gives queues that are subscribed to another stretch of life (rule Q13). [`Answer::Done`], whether they are there or
    /// not.
    Renew {
        /// The queues.
        queues: Vec<QueueRef>,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Puts a message into a queue. [`Answer::Appended`], perhaps [`Answer::Admitted`] before it, [`Answer::Repeated`],
    /// [`Answer::QueueFull`], [`Answer::Gone`] for an unknown queue and for a wrong capability alike, [`Answer::Full`].
    Append {
        /// The queue.
        send: SendName,
        /// What the sender showed.
        capability: CapabilityHash,
        /// Makes it idempotent.
        message: MessageName,
        /// How long it is kept.
        ttl: TtlClass,
        /// The message.
        envelope: Envelope,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Reads messages, oldest first; those that ended by `now` are left out. [`Answer::Messages`]; where there is none of these,
    /// [`Answer::Ended`] or [`Answer::Gone`] may say why.
    Fetch {
        /// The queue.
        queue: QueueRef,
        /// Only messages with a higher sequence number; 0 for all.
        after: u64,
        /// At most so many.
        max_messages: usize,
        /// At most so many bytes of envelopes; the first message comes whatever its size.
        max_bytes: usize,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Deletes the messages of a queue up to a sequence number. [`Answer::Acknowledged`], [`Answer::Gone`].
    Acknowledge {
        /// The queue.
        queue: QueueRef,
        /// The last one to delete.
        upto: u64,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Deletes a queue with all that is in it. [`Answer::Done`], [`Answer::Gone`].
    DeleteQueue {
        /// The queue.
        queue: QueueRef,
    },
    /// Stores a blob. [`Answer::Done`] (for a repeat too, which costs nothing), [`Answer::Exists`], [`Answer::Full`],
    /// [`Answer::NoCredit`].
    PutBlob {
        /// Its name.
        blob: BlobName,
        /// Verifies its deletion.
        owner: VerifyingKey,
        /// Hours that it is kept.
        hours: u16,
        /// Its bytes, [`beresta_proto::limits::BLOB`].
        sealed: Vec<u8>,
        /// What it is paid with, where the relay asks for it.
        payment: Option<Payment>,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Looks a blob up, so that its owner's signature can be checked. [`Answer::Owner`], [`Answer::Gone`].
    FindBlob {
        /// The blob.
        blob: BlobName,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Locks a blob to its first claimant and reads it. [`Answer::Blob`], [`Answer::Claimed`], [`Answer::Gone`].
    ClaimBlob {
        /// The blob.
        blob: BlobName,
        /// Who claims.
        claimant: ClaimantName,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Deletes a blob of this owner. [`Answer::Done`], [`Answer::Gone`].
    DeleteBlob {
        /// The blob.
        blob: BlobName,
        /// The key under which the deletion verified.
        owner: VerifyingKey,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Grants a credit, for its operator. [`Answer::Done`], [`Answer::Exists`], [`Answer::Enough`] at
    /// [`credit::MOST`] of them, [`Answer::Full`].
    Grant {
        /// Its name.
        credit: CreditName,
        /// How many queues and blobs it pays for.
        makes: u32,
        /// Whole days for which it is good.
        days: u16,
        /// The relay's clock.
        now: Timestamp,
    },
    /// Takes a credit back. What was made with it stays. [`Answer::Done`], [`Answer::Gone`].
    Revoke {
        /// Which.
        credit: CreditId,
    },
    /// Lists credits that have not ended, by their ids. [`Answer::Credits`].
    Credits {
        /// The relay's clock.
        now: Timestamp,
    },
    /// Deletes what ended by `now`, at most `limit` rows together; a queue goes whole, but for ids that are remembered beyond what goes along with it. Queues end later by the time in
    /// which this was not asked. [`Answer::Expired`].
    Expire {
        /// The relay's clock.
        now: Timestamp,
        /// Bounds the work of one call.
        limit: usize,
    },
    /// Counts what is held. [`Answer::Stats`].
    Stats,
}

/// What an engine answers.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// The queue was made.
    Made(QueueRef),
    /// The queue of a [`ReadName`].
    Found(Vec<Option<QueueRecord>>),
    /// The message has its place and may be pushed, but is not stored yet: the answer to its sender is still to come, and
    /// may be any. What its reader acknowledges at once need never be stored.
    Admitted {
        /// In this queue.
        queue: QueueRef,
        /// At this place, which is never given to another message, whatever happens.
        sequence: u64,
        /// Behind this one, the last that waited; 0 if none did.
        after: u64,
        /// The message.
        envelope: Envelope,
    },
    /// The message is stored, or was acknowledged.
    Appended {
        /// In this queue.
        queue: QueueRef,
        /// At this place: higher than any before it in the queue, never used again.
        sequence: u64,
        /// Given back, so that it can be pushed without reading it again.
        envelope: Envelope,
    },
    /// The message was stored before (rule Q5): to be answered like [`Answer::Appended`]. Nothing new to push.
    Repeated,
    /// The queue is full (rule Q8). Nothing was stored but the mark that it was.
    QueueFull,
    /// Messages in order.
    Messages(Vec<Stored>),
    /// The messages are deleted.
    Acknowledged {
        /// How many there were.
        deleted: usize,
        /// The queue had refused a message and is now at half of its quotas: said once.
        drained: bool,
    },
    /// There are only messages that ended, and are there still: by another clock they have not.
    Ended,
    /// Done, durably.
    Done,
    /// The name is taken.
    Exists,
    /// Verifies the deletion of the blob.
    Owner(VerifyingKey),
    /// The blob's bytes.
    Blob(Vec<u8>),
    /// The blob is locked to another claimant.
    Claimed,
    /// No such queue or blob, or the wrong capability.
    Gone,
    /// The disk or its cap is full. Nothing was stored; acknowledging, deleting and expiry still work.
    Full,
    /// What ended is deleted.
    Expired {
        /// Rows that went: queues, messages, blobs, credits, and remembered message ids.
        deleted: usize,
        /// Queues that had refused a message and are now at half of their quotas: said once.
        drained: Vec<QueueRef>,
        /// There may be more: the limit was reached, or not every queue was looked at.
        more: bool,
    },
    /// What is held.
    Stats(Stats),
    /// There are as many credits as there may be.
    Enough,
    /// It was not paid for: no such credit, used up or over. Nothing was made.
    NoCredit,
    /// Credits.
    Credits(Vec<CreditRecord>),
    /// The engine failed inside. Nothing of the operation is stored.
    Failed,
}

/// What an engine knows of a queue, for checking its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueRecord {
    /// The queue.
    pub queue: QueueRef,
    /// Verifies its reader.
    pub read_key: VerifyingKey,
    /// The place of the last message that is stored and waits, or 0: a later fetch meets all that waits up to there. None where it
    /// could not be read.
    pub last: Option<u64>,
}

/// A message in a queue.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its place.
    pub sequence: u64,
    /// What was put in.
    pub envelope: Envelope,
}

/// What an engine holds, for `what-i-hold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Queues.
    pub queues: u64,
    /// Messages that wait.
    pub messages: u64,
    /// Remembered ids of messages that are gone.
    pub tombstones: u64,
    /// Blobs.
    pub blobs: u64,
    /// Credits that an operator granted.
    pub credits: u64,
    /// Credits that came with blobs.
    pub handed_credits: u64,
    /// Bytes that count against the cap ([`rules::Cost`]).
    pub used: u64,
    /// The hour in which the first of the waiting messages ends. When a message came is not kept.
    pub first_end: Option<Timestamp>,
}

/// Called from any thread, perhaps before [`QueueEngine::submit`] returns: once, and once more before that with
/// [`Answer::Admitted`]. It should be quick: others wait.
pub type Completion = Box<dyn FnMut(Answer) + Send>;

/// Where queues are kept.
///
/// An operation is seen by every one that is submitted after it was answered. Two that are under way at once may be
/// carried out in either order, save that those that change one queue keep theirs: but for an append, which may come before
/// an acknowledgement, because nobody acknowledges what was not pushed.
pub trait QueueEngine: Send + Sync + 'static {
    /// Carries `op` out and then calls `done`: only once what it stores is durable, or has failed, and then nothing of
    /// it is stored. Only [`Answer::Admitted`] comes before.
    fn submit(&self, op: Op, done: Completion);
}

impl core::fmt::Debug for Op {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::MakeQueue { read: _, send: _, read_key: _, capability: _, credit: _, now: _ } => {
                "MakeQueue(..)"
            }
            Self::Renew { queues: _, now: _ } => "Renew(..)",
            Self::Find { reads: _ } => "Find(..)",
            Self::FindSend { send: _ } => "FindSend(..)",
            Self::Append { send: _, capability: _, message: _, ttl: _, envelope: _, now: _ } => "Append(..)",
            Self::Fetch { queue: _, after: _, max_messages: _, max_bytes: _, now: _ } => "Fetch(..)",
            Self::Acknowledge { queue: _, upto: _, now: _ } => "Acknowledge(..)",
            Self::DeleteQueue { queue: _ } => "DeleteQueue(..)",
            Self::PutBlob { blob: _, owner: _, hours: _, sealed: _, payment: _, now: _ } => "PutBlob(..)",
            Self::FindBlob { blob: _, now: _ } => "FindBlob(..)",
            Self::ClaimBlob { blob: _, claimant: _, now: _ } => "ClaimBlob(..)",
            Self::DeleteBlob { blob: _, owner: _, now: _ } => "DeleteBlob(..)",
            Self::Grant { credit: _, makes: _, days: _, now: _ } => "Grant(..)",
            Self::Revoke { credit: _ } => "Revoke(..)",
            Self::Credits { now: _ } => "Credits(..)",
            Self::Expire { now: _, limit: _ } => "Expire(..)",
            Self::Stats => "Stats",
        })
    }
}

impl core::fmt::Debug for Answer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Made(_) => "Made(..)",
            Self::Found(_) => "Found(..)",
            Self::Admitted { queue: _, sequence: _, after: _, envelope: _ } => "Admitted(..)",
            Self::Appended { queue: _, sequence: _, envelope: _ } => "Appended(..)",
            Self::Repeated => "Repeated",
            Self::QueueFull => "QueueFull",
            Self::Messages(_) => "Messages(..)",
            Self::Acknowledged { deleted: _, drained: _ } => "Acknowledged(..)",
            Self::Ended => "Ended",
            Self::Done => "Done",
            Self::Exists => "Exists",
            Self::Owner(_) => "Owner(..)",
            Self::Blob(_) => "Blob(..)",
            Self::Claimed => "Claimed",
            Self::Gone => "Gone",
            Self::Full => "Full",
            Self::Expired { deleted: _, drained: _, more: _ } => "Expired(..)",
            Self::Stats(_) => "Stats(..)",
            Self::Enough => "Enough",
            Self::NoCredit => "NoCredit",
            Self::Credits(_) => "Credits(..)",
            Self::Failed => "Failed",
        })
    }
}

impl core::fmt::Debug for Stored {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { sequence: _, envelope: _ } = self;
        f.write_str("Stored(..)")
    }
}
