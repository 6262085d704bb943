//! Content: the end-to-end plaintext (rules E6 to E12). Protocol Buffers on the wire (`wire`), checked into the
//! types here, so that nothing behind this door meets a missing field, a wrong length or a text over its limit.
//!
//! Content names both accounts, both devices and the conversation, because libsignal's MAC binds identity keys and not
//! addresses: a message that was meant for another is told by its own words.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::address::QueueAddress;
use crate::codec::DecodeError;
use crate::id::{AccountId, ContentId, ConversationId, Device, KeyId};
use crate::pad;
use crate::time::Timestamp;
use crate::words::Words;

mod wire;

/// Who says it to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The sender's account.
    pub from: AccountId,
    /// The sender's device.
    pub from_device: Device,
    /// The recipient's account.
    pub to: AccountId,
    /// The recipient's device.
    pub to_device: Device,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
}

/// When a conversation's messages disappear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// Seconds; none if messages stay. For the sender they run from sending, for the recipient from reading.
    pub seconds: Option<u32>,
    /// Rises with every change; the higher one holds, and at the same version the shorter timer (rule E11).
    pub version: u32,
}

/// An epoch key that the sender saw at a relay of the recipient's, so that a relay that shows different keys to
/// different people is noticed (rule D9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenEpoch {
    /// The key's day.
    pub day: u64,
    /// The key's id.
    pub key: KeyId,
}

/// What is said.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// A text that a person wrote.
    Text(Words),
    /// These contents arrived and were stored.
    Delivered(Vec<ContentId>),
    /// Who I am and where to write to me from now on. The first content both ways.
    Meeting {
        /// The name that the sender chose to show.
        name: Words,
        /// Fresh queues.
        addresses: Vec<QueueAddress>,
    },
    /// The timer was changed; the content's own [`Timer`] says to what.
    TimerChanged,
    /// My queue was full and has room again.
    Resume,
    /// Are you there? Answered by a receipt.
    Probe,
}

impl core::fmt::Debug for Body {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(..)",
            Self::Delivered(_) => "Delivered(..)",
            Self::Meeting { name: _, addresses: _ } => "Meeting(..)",
            Self::TimerChanged => "TimerChanged",
            Self::Resume => "Resume",
            Self::Probe => "Probe",
        })
    }
}

/// One content.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Names it in receipts.
    pub id: ContentId,
    /// Who says it to whom.
    pub route: Route,
    /// When it was sent, by the sender's clock.
    pub sent: Timestamp,
    /// The conversation's timer as the sender has it.
    pub timer: Timer,
    /// Seen at the relay of the queue that it goes to.
    pub seen_epoch: Option<SeenEpoch>,
    /// What is said.
    pub body: Body,
}

impl core::fmt::Debug for Content {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { id: _, route: _, sent: _, timer: _, seen_epoch: _, body } = self;
        f.debug_struct("Content").field("body", body).finish_non_exhaustive()
    }
}

/// Why a content was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The padding is wrong.
    #[error("padding: {0}")]
    Padding(DecodeError),
    /// It is no content, or a field is missing or over its limit.
    #[error("malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// The sender asks for something that this version cannot honour (rule E12). People should update.
    #[error("needs a newer version")]
    NeedsNewer,
}

impl Content {
    /// The content's padded bytes, ready for the ratchet.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] if a text or list is over its limit.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
        let plain = Zeroizing::new(wire::encode(self)?);
        Ok(Zeroizing::new(pad::pad(&plain)))
    }

    /// Reads padded bytes that came out of a ratchet.
    ///
    /// # Errors
    /// [`ContentError`]; the message is dropped and counted, and the ratchet step is kept.
    pub fn decode(padded: &[u8]) -> Result<Self, ContentError> {
        wire::decode(pad::unpad(padded).map_err(ContentError::Padding)?)
    }
}
