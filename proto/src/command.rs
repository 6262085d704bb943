//! What a client says on a link (rules L6, Q1 to Q12, B1 to B5). The answers are in [`crate::reply`].

use alloc::vec::Vec;

use crate::codec::{DecodeError, Reader, Writer};
use crate::frame::{Frame, RequestId};
use crate::id::{BlobId, ReadId};
use crate::key::{CapabilityHash, Credit, Signature, VerifyingKey};
use crate::limits::{BLOB, BLOB_HOURS, SUBSCRIPTIONS};

/// One queue to subscribe to, and the proof that its reader asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// The queue.
    pub queue: ReadId,
    /// By the queue's read key over [`crate::auth::subscribe`].
    pub signature: Signature,
}

/// What an invite blob is paid with (rule Q2).
#[derive(Clone, PartialEq, Eq)]
pub struct Payment {
    /// Pays for the blob.
    pub credit: Credit,
    /// For whom the invite brings: a fresh credit, which the relay is to keep with two of the first one's left.
    pub hands_on: Option<Credit>,
}

impl core::fmt::Debug for Payment {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { credit: _, hands_on: _ } = self;
        f.write_str("Payment(..)")
    }
}

/// One command.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Asks for the relay's descriptor and epoch keys. The only command before the descriptor is checked (rule D4).
    Descriptor,
    /// Makes a queue.
    MakeQueue {
        /// Verifies the reader's signatures; one per queue.
        read_key: VerifyingKey,
        /// Hash of the capability with which messages are put in.
        capability: CapabilityHash,
        /// May pay for it.
        credit: Option<Credit>,
    },
    /// Starts the push of queues' messages on this link; takes them over from any other link.
    Subscribe(Vec<Subscription>),
    /// Deletes every message of a subscribed queue up to this sequence number.
    Acknowledge {
        /// The queue.
        queue: ReadId,
        /// The last sequence number that is safely stored.
        upto: u64,
    },
    /// Deletes a queue with all that is in it.
    DeleteQueue {
        /// The queue.
        queue: ReadId,
        /// By its read key over [`crate::auth::delete_queue`].
        signature: Signature,
    },
    /// Puts a message into a queue: a [`crate::capsule::Capsule`].
    Send {
        /// The capsule's bytes, opened by the relay it is sealed to.
        capsule: Vec<u8>,
    },
    /// Stores an invite blob.
    PutBlob {
        /// Its name.
        blob: BlobId,
        /// Verifies the owner's deletion.
        owner: VerifyingKey,
        /// Hours until it ends, 1 to [`BLOB_HOURS`].
        hours: u16,
        /// [`BLOB`] sealed bytes.
        sealed: Vec<u8>,
        /// May pay for it.
        payment: Option<Payment>,
    },
    /// Fetches a blob and locks it to a key.
    ClaimBlob {
        /// The blob.
        blob: BlobId,
        /// The key it is locked to. The same key may fetch again.
        claimant: VerifyingKey,
        /// By the claimant over [`crate::auth::claim_blob`].
        signature: Signature,
    },
    /// Deletes a blob.
    DeleteBlob {
        /// The blob.
        blob: BlobId,
        /// By its owner over [`crate::auth::delete_blob`].
        signature: Signature,
    },
}

impl core::fmt::Debug for Command {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Descriptor => "Descriptor",
            Self::MakeQueue { read_key: _, capability: _, credit: _ } => "MakeQueue(..)",
            Self::Subscribe(_) => "Subscribe(..)",
            Self::Acknowledge { queue: _, upto: _ } => "Acknowledge(..)",
            Self::DeleteQueue { queue: _, signature: _ } => "DeleteQueue(..)",
            Self::Send { capsule: _ } => "Send(..)",
            Self::PutBlob { blob: _, owner: _, hours: _, sealed: _, payment: _ } => "PutBlob(..)",
            Self::ClaimBlob { blob: _, claimant: _, signature: _ } => "ClaimBlob(..)",
            Self::DeleteBlob { blob: _, signature: _ } => "DeleteBlob(..)",
        })
    }
}

mod kind {
    pub(super) const DESCRIPTOR: u8 = 0x01;
    pub(super) const MAKE_QUEUE: u8 = 0x10;
    pub(super) const SUBSCRIBE: u8 = 0x11;
    pub(super) const ACKNOWLEDGE: u8 = 0x12;
    pub(super) const DELETE_QUEUE: u8 = 0x13;
    pub(super) const SEND: u8 = 0x20;
    pub(super) const PUT_BLOB: u8 = 0x30;
    pub(super) const CLAIM_BLOB: u8 = 0x31;
    pub(super) const DELETE_BLOB: u8 = 0x32;
}

fn put_credit(w: &mut Writer, credit: Option<&Credit>) {
    match credit {
        None => w.u8(0),
        Some(credit) => {
            w.u8(1);
            credit.encode(w);
        }
    }
}

fn take_credit(r: &mut Reader<'_>) -> Result<Option<Credit>, DecodeError> {
    match r.u8()? {
        0 => Ok(None),
        1 => Ok(Some(Credit::decode(r)?)),
        code => Err(DecodeError::Unknown { what: "credit", code: u32::from(code) }),
    }
}

fn put_payment(w: &mut Writer, payment: Option<&Payment>) {
    match payment {
        Some(Payment { credit, hands_on: Some(handed) }) => {
            w.u8(2);
            credit.encode(w);
            handed.encode(w);
        }
        Some(Payment { credit, hands_on: None }) => put_credit(w, Some(credit)),
        None => put_credit(w, None),
    }
}

fn take_payment(r: &mut Reader<'_>) -> Result<Option<Payment>, DecodeError> {
    match r.u8()? {
        0 => Ok(None),
        1 => Ok(Some(Payment { credit: Credit::decode(r)?, hands_on: None })),
        2 => Ok(Some(Payment { credit: Credit::decode(r)?, hands_on: Some(Credit::decode(r)?) })),
        code => Err(DecodeError::Unknown { what: "payment", code: u32::from(code) }),
    }
}

fn check_hours(hours: u16) -> Result<(), DecodeError> {
    match hours {
        1..=BLOB_HOURS => Ok(()),
        _ => Err(DecodeError::Invalid { what: "blob hours" }),
    }
}

impl Command {
    /// The frame of the command.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] if a list or body is over its limit.
    pub fn encode(&self, request: RequestId) -> Result<Vec<u8>, DecodeError> {
        let mut w = Writer::with_capacity(128);
        let kind = match self {
            Self::Descriptor => kind::DESCRIPTOR,
            Self::MakeQueue { read_key, capability, credit } => {
                read_key.encode(&mut w);
                w.put(&capability.0);
                put_credit(&mut w, credit.as_ref());
                kind::MAKE_QUEUE
            }
            Self::Subscribe(subscriptions) => {
                if subscriptions.len() > SUBSCRIPTIONS {
                    let got = subscriptions.len();
                    return Err(DecodeError::TooLong { what: "subscriptions", got, limit: SUBSCRIPTIONS });
                }
                w.list(subscriptions, |w, one| {
                    one.queue.encode(w);
                    one.signature.encode(w);
                });
                kind::SUBSCRIBE
            }
            Self::Acknowledge { queue, upto } => {
                queue.encode(&mut w);
                w.u64(*upto);
                kind::ACKNOWLEDGE
            }
            Self::DeleteQueue { queue, signature } => {
                queue.encode(&mut w);
                signature.encode(&mut w);
                kind::DELETE_QUEUE
            }
            Self::Send { capsule } => {
                return Frame { kind: kind::SEND, request, body: capsule }.encode();
            }
            Self::PutBlob { blob, owner, hours, sealed, payment } => {
                if sealed.len() != BLOB {
                    return Err(DecodeError::Invalid { what: "blob size" });
                }
                check_hours(*hours)?;
                blob.encode(&mut w);
                owner.encode(&mut w);
                w.u16(*hours);
                w.put(sealed);
                put_payment(&mut w, payment.as_ref());
                kind::PUT_BLOB
            }
            Self::ClaimBlob { blob, claimant, signature } => {
                blob.encode(&mut w);
                claimant.encode(&mut w);
                signature.encode(&mut w);
                kind::CLAIM_BLOB
            }
            Self::DeleteBlob { blob, signature } => {
                blob.encode(&mut w);
                signature.encode(&mut w);
                kind::DELETE_BLOB
            }
        };
        Frame { kind, request, body: w.as_slice() }.encode()
    }

    /// Reads a command's frame.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that no client of this version says.
    pub fn decode(frame: &[u8]) -> Result<(RequestId, Self), DecodeError> {
        let Frame { kind, request, body } = Frame::decode(frame)?;
        let mut r = Reader::new(body);
        let command = match kind {
            kind::DESCRIPTOR => Self::Descriptor,
            kind::MAKE_QUEUE => Self::MakeQueue {
                read_key: VerifyingKey::decode(&mut r)?,
                capability: CapabilityHash(r.array()?),
                credit: take_credit(&mut r)?,
            },
            kind::SUBSCRIBE => Self::Subscribe(r.list("subscriptions", SUBSCRIPTIONS, |r| {
                Ok(Subscription { queue: ReadId::decode(r)?, signature: Signature::decode(r)? })
            })?),
            kind::ACKNOWLEDGE => Self::Acknowledge { queue: ReadId::decode(&mut r)?, upto: r.u64()? },
            kind::DELETE_QUEUE => {
                Self::DeleteQueue { queue: ReadId::decode(&mut r)?, signature: Signature::decode(&mut r)? }
            }
            kind::SEND => Self::Send { capsule: r.take(r.left())?.to_vec() },
            kind::PUT_BLOB => {
                let blob = BlobId::decode(&mut r)?;
                let owner = VerifyingKey::decode(&mut r)?;
                let hours = r.u16()?;
                check_hours(hours)?;
                let sealed = r.take(BLOB)?.to_vec();
                Self::PutBlob { blob, owner, hours, sealed, payment: take_payment(&mut r)? }
            }
            kind::CLAIM_BLOB => Self::ClaimBlob {
                blob: BlobId::decode(&mut r)?,
                claimant: VerifyingKey::decode(&mut r)?,
                signature: Signature::decode(&mut r)?,
            },
            kind::DELETE_BLOB => {
                Self::DeleteBlob { blob: BlobId::decode(&mut r)?, signature: Signature::decode(&mut r)? }
            }
            code => return Err(DecodeError::Unknown { what: "command", code: u32::from(code) }),
        };
        r.finish()?;
        Ok((request, command))
    }
}
