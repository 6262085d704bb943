//! The capsule: an envelope sealed to its mailbox relay for one trip (rules C1 to C9).
//!
//! ```text
//! suite 1 │ bucket 1 │ key id 8 │ enc 1,120 │ HPKE( session key 32 │ n 8 ) 56 │ tag 16 │ AEAD( order ) 91 + bucket
//! order = op 1 │ send id 24 │ capability 32 │ message id 16 │ ttl 1 │ flags 1 │ envelope
//! ```
//! Every capsule stands by itself: a relay that knows nothing opens the header (0.2 ms of a core) and has the session
//! key and n, from which the order's key and the tag come. A relay that remembers the session recognises the tag and
//! skips the header. Nobody on the way can tell which happened, because all capsules are made alike.
//!
//! Remembering sessions is the relay's business, numbering them the sender's ([`Session`]).

use alloc::vec::Vec;

use bytes::Bytes;
use ring::aead::Aad;
use zeroize::{Zeroize as _, Zeroizing};

use crate::codec::{DecodeError, Reader, Writer};
use crate::envelope::{Bucket, Envelope};
use crate::hpke::{ENC_LEN, EpochPublic, HpkeError, TAG_LEN, seal};
use crate::id::{KeyId, MessageId, RelayId, SendId};
use crate::key::{EpochSecret, SendCapability, SessionKey};
use crate::label;
use crate::rng::Random;
use crate::stack::leave_nothing;
use crate::time::TtlClass;

mod keys;
mod reply;

pub use crate::key::ReplyKey;
pub use keys::SessionKeys;
use keys::{STACK, order_cipher, order_nonce};
pub use reply::{SealedReply, SendReply};

const SUITE: u8 = 1;
const OP_SEND: u8 = 1;
const HEADER_LEN: usize = 32 + 8 + TAG_LEN;
const ORDER_LEN: usize = 1 + SendId::LEN + 32 + MessageId::LEN + 1 + 1;
/// Where a capsule's parts begin.
const ENC_AT: usize = 1 + 1 + KeyId::LEN;
const ORDER_AT: usize = ENC_AT + ENC_LEN + HEADER_LEN + Tag::LEN;

/// Bytes that a capsule has beyond its envelope.
pub const OVERHEAD: usize = ORDER_AT + ORDER_LEN + TAG_LEN;

/// By which a relay recognises a capsule of a session that it remembers. Looks random to everybody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 16]);

impl Tag {
    const LEN: usize = 16;
}

impl core::fmt::Debug for Tag {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("Tag(..)")
    }
}

/// What a sender orders a mailbox relay to do: put this envelope into that queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOrder {
    /// The queue.
    pub queue: SendId,
    /// Proves that its reader allowed it.
    pub capability: SendCapability,
    /// Makes a repeat harmless.
    pub message: MessageId,
    /// How long it may wait.
    pub ttl: TtlClass,
    /// The message.
    pub envelope: Envelope,
}

/// Why a capsule was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CapsuleError {
    /// The bytes are no capsule.
    #[error("malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// The header was not sealed to this epoch key.
    #[error("the header does not open")]
    Header,
    /// The order was not sealed under this session, or the tag is not its own.
    #[error("the order does not authenticate")]
    Order,
    /// A cipher refused; it takes every input of these sizes, so this does not happen.
    #[error("the cipher refused")]
    Cipher,
}

impl From<HpkeError> for CapsuleError {
    fn from(_: HpkeError) -> Self {
        Self::Header
    }
}

fn header_aad(bucket: Bucket, relay: &RelayId) -> Vec<u8> {
    [&[SUITE, bucket.code()], relay.0.as_slice()].concat()
}

fn order_aad(bucket: Bucket, key_id: &KeyId, tag: &Tag) -> Vec<u8> {
    [&[SUITE, bucket.code()], key_id.0.as_slice(), tag.0.as_slice()].concat()
}

/// A sender's side of the capsules to one queue under one epoch key. Lives in memory only: after a restart a fresh
/// session begins, so no n is ever used twice, whatever happened to the disk.
#[derive(Debug)]
pub struct Session {
    relay: RelayId,
    to: EpochPublic,
    secret: SessionKey,
    keys: SessionKeys,
    next: u64,
}

impl Session {
    /// Draws a session to `relay`'s epoch key `to`.
    pub fn new(relay: RelayId, to: EpochPublic, rng: &mut impl Random) -> Self {
        let secret = SessionKey::random(rng);
        let keys = SessionKeys::new(&secret, to.id());
        Self { relay, to, secret, keys, next: 0 }
    }

    /// The epoch key it is sealed to.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.keys.key_id
    }

    /// Seals `order` into a fresh capsule: its bytes, and the key that opens the answer.
    ///
    /// # Errors
    /// [`CapsuleError::Header`] if the epoch key is no valid key.
    pub fn seal(
        &mut self,
        order: &SendOrder,
        rng: &mut impl Random,
    ) -> Result<(Vec<u8>, ReplyKey), CapsuleError> {
        let n = self.next;
        self.next = n.checked_add(1).ok_or(CapsuleError::Cipher)?;
        let tag = self.keys.tag(n)?;
        let bucket = order.envelope.bucket();

        let mut header = Writer::with_capacity(HEADER_LEN);
        header.put(self.secret.expose());
        header.u64(n);
        let (enc, header) =
            seal(&self.to, label::CAPSULE, &header_aad(bucket, &self.relay), header.as_slice(), rng)?;

        let mut inside = Zeroizing::new(order.encode());
        let aad = Aad::from(order_aad(bucket, &self.keys.key_id, &tag));
        let (seal_tag, reply) = leave_nothing::<STACK, _>(|| {
            let keys = self.keys.capsule(n)?;
            let sealed = order_cipher(&keys)?.seal_in_place_separate_tag(order_nonce(), aad, &mut inside);
            Ok::<_, CapsuleError>((sealed.map_err(|_| CapsuleError::Cipher)?, keys.reply))
        })?;

        let mut capsule = Vec::with_capacity(OVERHEAD + bucket.size());
        capsule.extend_from_slice(&[SUITE, bucket.code()]);
        capsule.extend_from_slice(&self.keys.key_id.0);
        capsule.extend_from_slice(&enc);
        capsule.extend_from_slice(&header);
        capsule.extend_from_slice(&tag.0);
        capsule.extend_from_slice(&inside);
        capsule.extend_from_slice(seal_tag.as_ref());
        Ok((capsule, reply))
    }
}

impl SendOrder {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(ORDER_LEN + self.envelope.bucket().size());
        w.u8(OP_SEND);
        self.queue.encode(&mut w);
        self.capability.encode(&mut w);
        self.message.encode(&mut w);
        w.u8(self.ttl.code());
        w.u8(0);
        w.put(self.envelope.as_bytes());
        w.into_vec()
    }

    /// Reads an order of `len` bytes from a capsule that was opened in place. Its envelope stays where it is; what stands
    /// before it, the capability too, is wiped.
    fn decode(bucket: Bucket, mut capsule: Vec<u8>, len: usize) -> Result<Self, DecodeError> {
        let inside = capsule.get_mut(ORDER_AT..ORDER_AT.saturating_add(len)).unwrap_or_default();
        let front = Self::decode_front(bucket, inside);
        let wiped = if front.is_ok() { ORDER_LEN } else { len };
        inside.get_mut(..wiped).unwrap_or_default().zeroize();
        let (queue, capability, message, ttl) = front?;
        let at = ORDER_AT + ORDER_LEN;
        let envelope = Bytes::from(capsule).slice(at..at + bucket.size());
        Ok(Self { queue, capability, message, ttl, envelope: Envelope::from_bytes(envelope)? })
    }

    /// Reads what stands before the envelope, which is there in full.
    fn decode_front(
        bucket: Bucket,
        inside: &[u8],
    ) -> Result<(SendId, SendCapability, MessageId, TtlClass), DecodeError> {
        let mut r = Reader::new(inside);
        match r.u8()? {
            OP_SEND => {}
            op => return Err(DecodeError::Unknown { what: "order", code: u32::from(op) }),
        }
        let queue = SendId::decode(&mut r)?;
        let capability = SendCapability::decode(&mut r)?;
        let message = MessageId::decode(&mut r)?;
        let ttl = TtlClass::from_code(r.u8()?)?;
        if r.u8()? != 0 {
            return Err(DecodeError::Invalid { what: "order flags" });
        }
        r.take(bucket.size())?;
        r.finish()?;
        Ok((queue, capability, message, ttl))
    }
}

/// A capsule that came in: parsed, not yet opened. Kept in one piece, because its message is the most of what a relay moves.
#[derive(Clone)]
pub struct Capsule {
    bucket: Bucket,
    key_id: KeyId,
    tag: Tag,
    bytes: Vec<u8>,
}

impl core::fmt::Debug for Capsule {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { bucket: _, key_id: _, tag: _, bytes: _ } = self;
        f.write_str("Capsule(..)")
    }
}

/// An opened capsule header: which session it belongs to, and which of its capsules it is.
#[derive(Debug, Clone)]
pub struct Header {
    /// The session, to be remembered.
    pub session: SessionKeys,
    /// The capsule's number in it.
    pub n: u64,
}

impl Capsule {
    /// Reads a capsule. Nothing is decrypted yet.
    ///
    /// # Errors
    /// [`DecodeError`] if the suite or bucket is unknown or the length is not the bucket's.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let mut r = Reader::new(&bytes);
        match r.u8()? {
            SUITE => {}
            suite => return Err(DecodeError::Unknown { what: "capsule suite", code: u32::from(suite) }),
        }
        let bucket = Bucket::from_code(r.u8()?)?;
        let key_id = KeyId::decode(&mut r)?;
        r.take(ENC_LEN + HEADER_LEN)?;
        let tag = Tag(r.array()?);
        r.take(ORDER_LEN + bucket.size() + TAG_LEN)?;
        r.finish()?;
        Ok(Self { bucket, key_id, tag, bytes })
    }

    /// By which a relay may recognise it.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// The epoch key it claims to be sealed to.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Opens the header the slow way: 0.2 ms of a core.
    ///
    /// # Errors
    /// [`CapsuleError::Header`] if it was not sealed to `epoch` for `relay`; [`CapsuleError::Order`] if the tag is
    /// not the one of the session inside.
    pub fn open_header(&self, epoch: &EpochSecret, relay: &RelayId) -> Result<Header, CapsuleError> {
        let aad = header_aad(self.bucket, relay);
        let mut sealed = Reader::new(self.bytes.get(ENC_AT..).unwrap_or_default());
        let (enc, header) = (sealed.take(ENC_LEN)?, sealed.take(HEADER_LEN)?);
        let plain = Zeroizing::new(epoch.open(enc, label::CAPSULE, &aad, header)?);
        let mut r = Reader::new(&plain);
        let session = leave_nothing::<STACK, _>(|| {
            SessionKey::decode(&mut r).map(|secret| SessionKeys::new(&secret, self.key_id))
        })?;
        let n = r.u64()?;
        r.finish()?;
        // A tag that is not its own would let a sender plant tags of others' choosing in the relay's memory.
        if session.tag(n)? != self.tag {
            return Err(CapsuleError::Order);
        }
        Ok(Header { session, n })
    }

    /// Opens the order under a session's capsule `n`: a few µs.
    ///
    /// # Errors
    /// [`CapsuleError::Order`] if it was not sealed so, [`CapsuleError::Malformed`] if its sender wrote it wrongly.
    pub fn open_order(
        mut self,
        session: &SessionKeys,
        n: u64,
    ) -> Result<(SendOrder, ReplyKey), CapsuleError> {
        let aad = Aad::from(order_aad(self.bucket, &self.key_id, &self.tag));
        let sealed = self.bytes.get_mut(ORDER_AT..).unwrap_or_default();
        let (inside, reply) = leave_nothing::<STACK, _>(|| {
            let keys = session.capsule(n)?;
            let inside = order_cipher(&keys)?.open_in_place(order_nonce(), aad, sealed);
            Ok::<_, CapsuleError>((inside.map_err(|_| CapsuleError::Order)?.len(), keys.reply))
        })?;
        Ok((SendOrder::decode(self.bucket, self.bytes, inside)?, reply))
    }
}
