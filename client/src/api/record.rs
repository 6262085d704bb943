//! Records by value, as front ends show them and `--json` prints them: ids as text, times as Unix milliseconds.

mod people;

use beresta_proto::id::AccountId;
use beresta_proto::invite::InviteLink;
use beresta_proto::time::Timestamp;
use beresta_proto::words::Words;
use data_encoding::BASE32_NOPAD;
use serde::Serialize;

pub use self::people::{ContactInfo, ContactTrust};
use super::{ContactId, Error, InviteId, LinkFault, MessageId, QueueFault};
use crate::driver::StoreTrouble;
use crate::store::contact;
use crate::store::invite::{self, Invite, InviteState};
use crate::store::message::{self, Message, MessageState};

/// Who this is, how the line is, what waits.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The name that contacts see.
    #[serde(serialize_with = "plain")]
    pub name: Words,
    /// The account, as text.
    #[serde(serialize_with = "plain")]
    pub account: Words,
    /// `en` or `ru`.
    pub language: String,
    /// The home relay, once one is known.
    pub relay: Option<RelayStatus>,
    /// How many contacts.
    pub contacts: u64,
    /// How many of them are still to be told where to write: no queue was made for them since the last move.
    pub untold: u64,
    /// With how many of them we may have lost each other ([`ContactInfo::lost`]).
    pub lost: u64,
    /// Messages that arrived and were not shown.
    pub new_messages: u64,
    /// Envelopes that wait to be sent.
    pub waiting: u64,
    /// How far the relay's clock is from ours, in milliseconds, if by more than an hour; positive if ours is behind.
    pub clock_skew_ms: Option<i64>,
    /// What is wrong with the store.
    pub trouble: StoreTrouble,
    /// What was dropped since the profile was made, by reason.
    pub dropped: Vec<Dropped>,
}

impl Status {
    /// Whether the home relay has no room for all of our queues at the moment.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.relay.as_ref().is_some_and(|relay| relay.passed_over > 0)
    }
}

/// The home relay.
#[derive(Debug, Clone, Serialize)]
pub struct RelayStatus {
    /// Its address.
    #[serde(serialize_with = "plain")]
    pub address: Words,
    /// Whether it is linked now.
    pub linked: bool,
    /// Whether it says that it keeps what waits in memory only: a restart loses it.
    pub volatile: bool,
    /// Why it was not reached at the last try; none if it was, or nobody has failed yet.
    pub fault: Option<LinkFault>,
    /// How many of our queues it has no room for at the moment: they are read in turn.
    pub passed_over: u64,
    /// Why it made no queue for a contact who is still to be told, when it was last asked.
    pub refusal: Option<QueueFault>,
}

/// How often something was dropped for a reason.
#[derive(Debug, Clone, Serialize)]
pub struct Dropped {
    /// The reason's stable name.
    pub reason: &'static str,
    /// How often.
    pub count: u64,
}

/// What an invite says before anything is done with it.
#[derive(Debug, Clone, Serialize)]
pub struct InvitePreview {
    /// The address of the relay that it leads to.
    #[serde(serialize_with = "plain")]
    pub relay: Words,
    /// When it ends, by its maker's clock.
    pub expires_ms: u64,
}

/// A fresh invite.
#[derive(Debug, Clone, Serialize)]
pub struct NewInvite {
    /// Its id.
    pub id: InviteId,
    /// What to hand over, to one person.
    #[serde(serialize_with = "plain")]
    pub link: Words,
    /// When it ends.
    pub expires_ms: u64,
}

/// An invite of ours.
#[derive(Debug, Clone, Serialize)]
pub struct InviteInfo {
    /// Its id.
    pub id: InviteId,
    /// What we will call who accepts, if that was said and nobody did yet.
    #[serde(serialize_with = "plain_option")]
    pub name: Option<Words>,
    /// How far it is.
    pub status: InviteStatus,
    /// When it was made.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: u64,
    /// What to hand over, as long as it is open.
    #[serde(serialize_with = "plain_option")]
    pub link: Option<Words>,
}

/// How far an invite is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InviteStatus {
    /// It can be accepted.
    Open,
    /// Somebody accepted it.
    Used,
    /// It expired or was revoked.
    Ended,
}

/// A conversation.
#[derive(Debug, Clone, Serialize)]
pub struct Chat {
    /// With whom.
    pub contact: ContactInfo,
    /// Messages that were not shown yet.
    pub new_messages: u64,
    /// The last message, if there is one. A new one is not shown by being here: show its time only.
    pub last: Option<MessageInfo>,
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Only here.
    Queued,
    /// The relay has it.
    AtRelay,
    /// The other side's device has it.
    Delivered,
    /// It did not arrive.
    Failed,
    /// It came in and is new.
    New,
    /// It came in and was shown.
    Shown,
}

/// A message.
#[derive(Debug, Clone, Serialize)]
pub struct MessageInfo {
    /// Its id.
    pub id: MessageId,
    /// With whom.
    pub contact: ContactId,
    /// Whether we wrote it.
    pub outgoing: bool,
    /// The text.
    #[serde(serialize_with = "plain")]
    pub text: Words,
    /// When it was sent, by the sender's clock.
    pub sent_ms: u64,
    /// When it came or was written, by ours.
    pub arrived_ms: u64,
    /// How far it is.
    pub state: DeliveryState,
    /// When it disappears, once its timer runs.
    pub expires_ms: Option<u64>,
    /// Whether it waits because its relay takes no long texts at present.
    pub too_long_now: bool,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Its place in the order.
    pub seq: u64,
    /// When.
    pub time_ms: u64,
    /// What.
    pub kind: EventKind,
    /// About whom.
    pub contact: Option<ContactId>,
    /// About which message.
    pub message: Option<MessageId>,
    /// About which invite.
    pub invite: Option<InviteId>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A message arrived.
    MessageArrived,
    /// A message of ours came further.
    MessageChanged,
    /// Somebody accepted an invite of ours, or answered after we accepted theirs.
    Met,
    /// Somebody else tried to use an invite that was used already: the link leaked.
    InviteUsedAgain,
    /// A contact came back with a new key.
    IdentityChanged,
    /// The other side changed the timer.
    TimerChanged,
    /// Something else reads a queue of ours: a copy of this profile may be in use.
    TakenOver,
    /// A contact needs something that this version cannot do.
    NeedsNewer,
    /// A relay shows different keys to different people.
    RelayForked,
    /// An invite ended unused.
    InviteEnded,
    /// A message of ours did not arrive in its time, or cannot. Without a message if its text has disappeared.
    NotDelivered,
    /// A contact used an invite of ours that does not name them: they may have lost us.
    InviteNamesAnother,
    /// Somebody whose invite we accepted cannot be met by it: it ended before our first message came.
    NotToBeMet,
    /// Somebody wrote with the key of a contact whose device was seized. Nothing of it was kept.
    SeizedWrote,
    /// The home relay says that it keeps what waits in memory only: a restart loses it.
    HomeVolatile,
    /// A contact's queue is gone, and so is ours that they know: neither may reach the other any more.
    LostEachOther,
}

pub(super) fn plain<S: serde::Serializer>(text: &Words, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

#[expect(clippy::ref_option, reason = "serde's signature")]
pub(super) fn plain_option<S: serde::Serializer>(text: &Option<Words>, to: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => to.serialize_some(text.as_str()),
        None => to.serialize_none(),
    }
}

pub(super) fn contact_id(id: contact::ContactId) -> ContactId {
    format!("c{}", id.0)
}

pub(super) fn message_id(id: message::MessageRow) -> MessageId {
    format!("m{}", id.0)
}

pub(super) fn invite_id(id: invite::InviteId) -> InviteId {
    format!("i{}", id.0)
}

pub(super) fn parse_id(prefix: char, text: &str) -> Option<i64> {
    text.strip_prefix(prefix)?.parse().ok()
}

pub(super) fn parse_account(text: &str) -> Result<AccountId, Error> {
    let bytes = BASE32_NOPAD.decode(text.as_bytes()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).map(AccountId).ok_or(Error::NotFound)
}

pub(super) fn preview(link: &InviteLink) -> Result<InvitePreview, Error> {
    Ok(InvitePreview { relay: link.relay.to_link().into(), expires_ms: link.expires.0 })
}

impl From<Message> for MessageInfo {
    fn from(message: Message) -> Self {
        Self {
            id: message_id(message.id),
            contact: contact_id(message.contact),
            outgoing: message.outgoing,
            text: message.body,
            sent_ms: message.sent.0,
            arrived_ms: message.arrived.0,
            state: message.state.into(),
            expires_ms: message.expires.map(|at| at.0),
            too_long_now: false,
        }
    }
}

impl From<MessageState> for DeliveryState {
    fn from(state: MessageState) -> Self {
        match state {
            MessageState::Queued => Self::Queued,
            MessageState::AtRelay => Self::AtRelay,
            MessageState::Delivered => Self::Delivered,
            MessageState::Failed => Self::Failed,
            MessageState::New => Self::New,
            MessageState::Shown => Self::Shown,
        }
    }
}

impl InviteInfo {
    /// An invite as it is at a time: the engine ends it only once a relay's clock agrees with ours.
    pub(super) fn at(invite: Invite, now: Timestamp) -> Self {
        let status = match invite.state {
            InviteState::Putting | InviteState::Open if invite.expires > now => InviteStatus::Open,
            InviteState::Used => InviteStatus::Used,
            InviteState::Putting | InviteState::Open | InviteState::Ended => InviteStatus::Ended,
        };
        Self {
            id: invite_id(invite.id),
            name: (!invite.name.is_empty()).then_some(invite.name),
            status,
            created_ms: invite.created.0,
            expires_ms: invite.expires.0,
            link: (status == InviteStatus::Open).then_some(invite.link),
        }
    }
}

#[cfg(test)]
mod tests;
