//! From what is said to what is sent: content → padding → libsignal → envelope → outbox row, all inside the caller's
//! transaction, so that no ratchet step is used without its ciphertext being kept, and none twice.

use beresta_proto::content::{Body, Content, Route, SeenEpoch, Timer};
use beresta_proto::envelope::{Envelope, SealError};
use beresta_proto::id::{ContentId, Device, MessageId};
use beresta_proto::limits::{RECEIVER_AHEAD, SENDER_AHEAD};
use beresta_proto::time::{Timestamp, TtlClass};

use super::Engine;
use super::line::Line;
use crate::crypto::{self, AccountError, EncryptError, Handle, Peer};
use crate::store::contact::Contact;
use crate::store::message::MessageRow;
use crate::store::outbox::{Held, Outgoing};
use crate::store::{StoreError, Tx};

/// Nothing at all is sealed past this many undelivered messages: what a receiver's guard admits, less what may be
/// underway in receipts (rule S9).
const AHEAD_HARD: u32 = RECEIVER_AHEAD - 100;

/// How many undelivered messages a content may follow. What heals a conversation may go further than what fills it.
const fn most_ahead(body: &Body) -> u32 {
    match body {
        Body::Probe | Body::Delivered(_) => AHEAD_HARD,
        Body::Text(_) | Body::TimerChanged | Body::Meeting { .. } | Body::Resume => SENDER_AHEAD,
    }
}

/// Why nothing was composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// We have no queue to write to.
    #[error("no address of the contact is known")]
    NoAddress,
    /// The text is longer than an envelope holds.
    #[error("too long")]
    TooLong,
    /// The contact is blocked.
    #[error("the contact is blocked")]
    Blocked,
    /// The contact's key changed, and the person has not decided about it.
    #[error("the contact's key changed")]
    IdentityChanged,
    /// Too many messages are undelivered: the contact must come back first, or their guard would refuse more.
    #[error("too many undelivered messages")]
    TooFarAhead,
    /// The crypto room refused.
    #[error("the crypto room refused")]
    Crypto(#[source] EncryptError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EncryptError> for ComposeError {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::Store(error) | EncryptError::Account(AccountError::Store(error)) => {
                Self::Store(error)
            }
            EncryptError::TooFarAhead => Self::TooFarAhead,
            error @ (EncryptError::Account(_)
            | EncryptError::NoSession
            | EncryptError::OtherIdentity
            | EncryptError::Damaged) => Self::Crypto(error),
        }
    }
}

/// One content to be composed.
pub(super) struct Draft<'a> {
    pub(super) contact: &'a Contact,
    pub(super) id: ContentId,
    pub(super) body: Body,
    pub(super) timer: Timer,
    pub(super) ttl: TtlClass,
    pub(super) message: Option<MessageRow>,
    /// When it was said first, of what is said again.
    pub(super) said: Option<Timestamp>,
}

/// What becomes of the ratchet's step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is kept with what was sealed.
    Kept,
    /// The same. What is sealed heals the conversation, and may go as far past the cap as a Probe (rule S9).
    Healing,
    /// It is not: what was sealed may leave only as the last that this store ever said.
    Last,
}

/// The crypto room's view of a contact.
pub(crate) fn peer(contact: &Contact) -> Peer {
    Peer { handle: Handle(contact.handle.0), identity: contact.identity, device: contact.device }
}

/// How many messages were sealed for a contact on the chain that holds; none where there is no session that can be read.
pub(super) fn sent_ahead(tx: &Tx<'_>, peer: &Peer) -> Result<Option<u32>, StoreError> {
    match crypto::sent_ahead(tx, peer) {
        Ok(ahead) => Ok(Some(ahead)),
        Err(EncryptError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

impl Engine {
    /// Composes a content into the outbox; `progress` sends it. Every content passes here, so here it is refused whatever
    /// it is to a blocked contact, and to a changed key all but the Meeting with which the person accepted its invite
    /// (rule S12).
    pub(super) fn compose(
        &mut self,
        tx: &Tx<'_>,
        draft: Draft<'_>,
        now: Timestamp,
    ) -> Result<(), ComposeError> {
        if !matches!(draft.body, Body::Meeting { .. }) {
            self.tell_late(tx, draft.contact, now)?;
        }
        let outgoing = self.seal(tx, draft, Turn::Kept, now)?;
        tx.insert_outgoing(&outgoing)?;
        Ok(())
    }

    /// Seals a content for the contact's queue. The `id` of what it gives means nothing.
    pub(super) fn seal(
        &mut self,
        tx: &Tx<'_>,
        draft: Draft<'_>,
        turn: Turn,
        now: Timestamp,
    ) -> Result<Outgoing, ComposeError> {
        let Draft { contact, id, body, timer, ttl, message, said } = draft;
        if contact.state.is_shut() {
            return Err(ComposeError::Blocked);
        }
        if contact.identity_changed && !matches!(body, Body::Meeting { .. }) {
            return Err(ComposeError::IdentityChanged);
        }
        let queue = tx.peer_queue(contact.id)?.ok_or(ComposeError::NoAddress)?;
        let most_ahead = match turn {
            Turn::Kept => most_ahead(&body),
            Turn::Healing | Turn::Last => AHEAD_HARD,
        };
        let profile = tx.profile()?;
        let seen_epoch = match self.lines.get(&queue.address.relay.relay) {
            Some(Line::Up(up)) => {
                up.epoch_key(now).map(|epoch| SeenEpoch { day: epoch.day, key: epoch.id() })
            }
            Some(Line::Dialling { .. } | Line::Down { .. }) | None => None,
        };
        let content = Content {
            id,
            route: Route {
                from: profile.account,
                from_device: Device::FIRST,
                to: contact.identity.account_id(),
                to_device: contact.device,
                conversation: contact.conversation,
            },
            sent: said.unwrap_or(now),
            timer,
            seen_epoch,
            body,
        };
        let plain = content.encode().map_err(|_| ComposeError::TooLong)?;
        let clocks = self.writing_clocks(tx, now)?;
        let (peer, rng) = (peer(contact), &mut self.rng);
        let sealed = match turn {
            Turn::Kept | Turn::Healing => crypto::encrypt(tx, &peer, &plain, most_ahead, clocks, rng)?,
            Turn::Last => crypto::encrypt_last(tx, &peer, &plain, most_ahead, clocks, rng)?,
        };
        let envelope = Envelope::seal(&queue.address.key, &sealed.0, &mut self.rng)
            .map_err(|_: SealError| ComposeError::TooLong)?;
        Ok(Outgoing {
            id: crate::store::outbox::OutboxId(0),
            contact: contact.id,
            queue: queue.id,
            message,
            transport: MessageId::random(&mut self.rng),
            envelope,
            ttl,
            attempts: 0,
            held: Held::No,
            stale: false,
            due: now,
            expires: clocks.certificate.plus(ttl.millis()),
        })
    }

    /// Composes what no person sees. Where that is refused (no address yet, too far ahead, a changed key), it is simply
    /// not said.
    pub(super) fn compose_quietly(
        &mut self,
        tx: &Tx<'_>,
        contact: &Contact,
        body: Body,
        ttl: TtlClass,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = ContentId::random(&mut self.rng);
        let draft = Draft { contact, id, body, timer: contact.timer, ttl, message: None, said: None };
        Ok(unless_refused(self.compose(tx, draft, now))?.is_some())
    }

    /// The same, of what heals a conversation that is at its cap ([`Turn::Healing`]).
    pub(super) fn compose_healing(
        &mut self,
        tx: &Tx<'_>,
        contact: &Contact,
        body: Body,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, ttl) = (ContentId::random(&mut self.rng), TtlClass::ThreeWeeks);
        let draft = Draft { contact, id, body, timer: contact.timer, ttl, message: None, said: None };
        match unless_refused(self.seal(tx, draft, Turn::Healing, now))? {
            Some(outgoing) => tx.insert_outgoing(&outgoing).map(|_| true),
            None => Ok(false),
        }
    }
}

/// What was composed; none where it is refused, and only a store that fails is an error.
pub(super) fn unless_refused<T>(composed: Result<T, ComposeError>) -> Result<Option<T>, StoreError> {
    match composed {
        Ok(composed) => Ok(Some(composed)),
        Err(ComposeError::Store(error)) => Err(error),
        Err(
            ComposeError::NoAddress
            | ComposeError::TooLong
            | ComposeError::Blocked
            | ComposeError::IdentityChanged
            | ComposeError::TooFarAhead
            | ComposeError::Crypto(_),
        ) => Ok(None),
    }
}
