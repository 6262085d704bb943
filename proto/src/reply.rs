//! What a relay says on a link: replies to commands, and pushes that nobody asked for just now.

use alloc::vec::Vec;

use crate::capsule::SealedReply;
use crate::codec::{DecodeError, Reader, Writer, limited};
use crate::descriptor::EpochKey;
use crate::envelope::Envelope;
use crate::frame::{Frame, RequestId};
use crate::id::{ReadId, SendId};
use crate::limits::{BLOB, SUBSCRIPTIONS};
use crate::time::Timestamp;

/// Epoch keys in one answer: today's and yesterday's, or today's and tomorrow's.
pub const EPOCH_KEYS: usize = 2;
/// Bytes of the longest signed descriptor.
pub const DESCRIPTOR_BYTES: usize = 1_024;

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such queue or blob, or the proof was wrong: one answer for both, in the same time (rule Q3).
    #[error("no such queue or blob, or not yours")]
    Gone,
    /// The blob is locked to another key (rule B3).
    #[error("the invite was used by someone else")]
    Claimed,
    /// The name is taken.
    #[error("the name is taken")]
    Exists,
    /// The relay's disk is full, or its cap is reached. Nothing was stored; later it may be.
    #[error("the relay is full")]
    Full,
    /// Too much, too fast. Waiting helps.
    #[error("too many requests")]
    RateLimited,
    /// The relay could not open the capsule: its epoch key is gone, or it was damaged. Fetch the keys anew.
    #[error("the capsule could not be opened")]
    Unopenable,
    /// The relay failed inside; nothing was acknowledged. Trying again later may help.
    #[error("the relay failed")]
    Failed,
    /// The relay's operator makes no new queues and blobs for now. What is there goes on.
    #[error("the relay takes nobody new")]
    Closed,
    /// The relay makes queues and blobs only for a credit, and this was none that is good (rule Q2).
    #[error("the relay asks for a code of its operator")]
    NoCredit,
}

impl Refusal {
    const ALL: [(u8, Self); 9] = [
        (1, Self::Gone),
        (2, Self::Claimed),
        (3, Self::Exists),
        (4, Self::Full),
        (5, Self::RateLimited),
        (6, Self::Unopenable),
        (7, Self::Failed),
        (8, Self::Closed),
        (9, Self::NoCredit),
    ];
}

/// What became of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribed {
    /// Messages are pushed from now on.
    Ok,
    /// No such queue, or a wrong signature.
    Gone,
}

/// One reply.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// The command was refused.
    Refused(Refusal),
    /// The command was carried out, durably where it stores something.
    Done,
    /// The signed descriptor ([`crate::descriptor::UnverifiedDescriptor`]), current epoch keys, the relay's clock.
    Descriptor {
        /// At most [`DESCRIPTOR_BYTES`].
        descriptor: Vec<u8>,
        /// At most [`EPOCH_KEYS`], newest last.
        epoch_keys: Vec<EpochKey>,
        /// The relay's clock, rounded down to the minute. By it epoch keys are judged and chosen (rules D7, D8), and a client
        /// holds its own clock against its home relay's; none is set by it.
        clock: Timestamp,
    },
    /// The queue's two names.
    QueueMade {
        /// For its reader.
        read_id: ReadId,
        /// For its senders.
        send_id: SendId,
    },
    /// One answer per subscription, in the same order.
    Subscribed(Vec<Subscribed>),
    /// What became of a capsule, readable by its sender only.
    Sent(SealedReply),
    /// A claimed blob: [`BLOB`] bytes.
    Blob(Vec<u8>),
}

impl core::fmt::Debug for Reply {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
            Self::Done => f.write_str("Done"),
            Self::Descriptor { descriptor: _, epoch_keys: _, clock: _ } => f.write_str("Descriptor(..)"),
            Self::QueueMade { read_id: _, send_id: _ } => f.write_str("QueueMade(..)"),
            Self::Subscribed(_) => f.write_str("Subscribed(..)"),
            Self::Sent(_) => f.write_str("Sent(..)"),
            Self::Blob(_) => f.write_str("Blob(..)"),
        }
    }
}

/// One push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// A message of a subscribed queue. Stays in the queue until it is acknowledged.
    Deliver {
        /// The queue.
        queue: ReadId,
        /// Its place in the queue: rising, with gaps where messages ended.
        sequence: u64,
        /// What was put in.
        envelope: Envelope,
    },
    /// Another link subscribed to these queues: nothing more of them comes here (rule Q7). All of one SUBSCRIBE together: one word
    /// for each would count them for who watches the line.
    TakenOver {
        /// The queues, 32 at the most.
        queues: Vec<ReadId>,
    },
    /// The queue was full and has room again: its reader may tell its sender (rule Q8).
    Drained {
        /// The queue.
        queue: ReadId,
    },
    /// All that waited in the queues of the link when it subscribed to them was pushed (rule Q17).
    CaughtUp {
        /// As of so many SUBSCRIBED on the link, counted from its beginning, but for those that name no queue.
        subscribed: u32,
    },
    /// The relay stops, or a queue of this link was deleted, which is Gone when it is subscribed again; come back after so many
    /// seconds.
    GoAway {
        /// Seconds.
        reconnect_after: u16,
    },
}

/// What a client hears on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An answer to the command with this number.
    Reply(RequestId, Reply),
    /// Something that was not asked for just now.
    Push(Push),
}

mod kind {
    pub(super) const REFUSED: u8 = 0x80;
    pub(super) const DONE: u8 = 0x81;
    pub(super) const DESCRIPTOR: u8 = 0x82;
    pub(super) const QUEUE_MADE: u8 = 0x90;
    pub(super) const SUBSCRIBED: u8 = 0x91;
    pub(super) const SENT: u8 = 0xa0;
    pub(super) const BLOB: u8 = 0xb0;
    pub(super) const DELIVER: u8 = 0xc0;
    pub(super) const TAKEN_OVER: u8 = 0xc1;
    pub(super) const DRAINED: u8 = 0xc2;
    pub(super) const GO_AWAY: u8 = 0xc3;
    pub(super) const CAUGHT_UP: u8 = 0xc4;
}

impl Reply {
    /// The frame of the reply to `request`.
    ///
    /// # Errors
    /// [`DecodeError`] if a part is over its limit.
    pub fn encode(&self, request: RequestId) -> Result<Vec<u8>, DecodeError> {
        let mut w = Writer::with_capacity(64);
        let kind = match self {
            Self::Refused(refusal) => {
                let code = Refusal::ALL.iter().find(|(_, one)| one == refusal).map_or(7, |(code, _)| *code);
                w.u8(code);
                kind::REFUSED
            }
            Self::Done => kind::DONE,
            Self::Descriptor { descriptor, epoch_keys, clock } => {
                limited("descriptor", descriptor.len(), DESCRIPTOR_BYTES)?;
                limited("epoch keys", epoch_keys.len(), EPOCH_KEYS)?;
                w.bytes(descriptor);
                w.list(epoch_keys, |w, key| key.encode(w));
                clock.encode(&mut w);
                kind::DESCRIPTOR
            }
            Self::QueueMade { read_id, send_id } => {
                read_id.encode(&mut w);
                send_id.encode(&mut w);
                kind::QUEUE_MADE
            }
            Self::Subscribed(results) => {
                limited("subscriptions", results.len(), SUBSCRIPTIONS)?;
                w.list(results, |w, one| w.u8(u8::from(*one == Subscribed::Gone)));
                kind::SUBSCRIBED
            }
            Self::Sent(SealedReply(sealed)) => {
                w.put(sealed);
                kind::SENT
            }
            Self::Blob(sealed) => {
                if sealed.len() != BLOB {
                    return Err(DecodeError::Invalid { what: "blob size" });
                }
                w.put(sealed);
                kind::BLOB
            }
        };
        Frame { kind, request, body: w.as_slice() }.encode()
    }
}

impl Push {
    /// The frame of the push.
    ///
    /// # Errors
    /// None in practice: every push fits its class.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let mut w = Writer::with_capacity(64);
        let kind = match self {
            Self::Deliver { queue, sequence, envelope } => {
                let parts = [queue.0.as_slice(), &sequence.to_be_bytes(), envelope.as_bytes()];
                return Frame::encode_parts(kind::DELIVER, RequestId(0), &parts);
            }
            Self::TakenOver { queues } => {
                limited("queues", queues.len(), SUBSCRIPTIONS)?;
                w.list(queues, |w, queue| queue.encode(w));
                kind::TAKEN_OVER
            }
            Self::Drained { queue } => {
                queue.encode(&mut w);
                kind::DRAINED
            }
            Self::GoAway { reconnect_after } => {
                w.u16(*reconnect_after);
                kind::GO_AWAY
            }
            Self::CaughtUp { subscribed } => {
                w.u32(*subscribed);
                kind::CAUGHT_UP
            }
        };
        Frame { kind, request: RequestId(0), body: w.as_slice() }.encode()
    }
}

impl Heard {
    /// Reads a relay's frame.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that no relay of this version says.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let Frame { kind, request, body } = Frame::decode(frame)?;
        let mut r = Reader::new(body);
        let reply = |reply| Self::Reply(request, reply);
        let heard = match kind {
            kind::REFUSED => {
                let code = r.u8()?;
                let refusal = Refusal::ALL.into_iter().find(|(one, _)| *one == code);
                let unknown = DecodeError::Unknown { what: "refusal", code: u32::from(code) };
                reply(Reply::Refused(refusal.ok_or(unknown)?.1))
            }
            kind::DONE => reply(Reply::Done),
            kind::DESCRIPTOR => reply(Reply::Descriptor {
                descriptor: r.bytes("descriptor", DESCRIPTOR_BYTES)?.to_vec(),
                epoch_keys: r.list("epoch keys", EPOCH_KEYS, EpochKey::decode)?,
                clock: Timestamp::decode(&mut r)?,
            }),
            kind::QUEUE_MADE => {
                reply(Reply::QueueMade { read_id: ReadId::decode(&mut r)?, send_id: SendId::decode(&mut r)? })
            }
            kind::SUBSCRIBED => {
                reply(Reply::Subscribed(r.list("subscriptions", SUBSCRIPTIONS, |r| match r.u8()? {
                    0 => Ok(Subscribed::Ok),
                    1 => Ok(Subscribed::Gone),
                    code => Err(DecodeError::Unknown { what: "subscription", code: u32::from(code) }),
                })?))
            }
            kind::SENT => reply(Reply::Sent(SealedReply(r.array()?))),
            kind::BLOB => reply(Reply::Blob(r.take(BLOB)?.to_vec())),
            _ => {
                if request != RequestId(0) {
                    return Err(DecodeError::Invalid { what: "request of a push" });
                }
                Self::Push(Push::decode(kind, &mut r)?)
            }
        };
        r.finish()?;
        Ok(heard)
    }
}

impl Push {
    fn decode(kind: u8, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match kind {
            kind::DELIVER => Ok(Self::Deliver {
                queue: ReadId::decode(r)?,
                sequence: r.u64()?,
                envelope: Envelope::from_bytes(r.take(r.left())?.to_vec())?,
            }),
            kind::TAKEN_OVER => {
                Ok(Self::TakenOver { queues: r.list("queues", SUBSCRIPTIONS, ReadId::decode)? })
            }
            kind::DRAINED => Ok(Self::Drained { queue: ReadId::decode(r)? }),
            kind::GO_AWAY => Ok(Self::GoAway { reconnect_after: r.u16()? }),
            kind::CAUGHT_UP => Ok(Self::CaughtUp { subscribed: r.u32()? }),
            code => Err(DecodeError::Unknown { what: "frame kind", code: u32::from(code) }),
        }
    }
}
