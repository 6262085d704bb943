//! Wishes of a person that need no answer of a relay: they are done when the transaction is.

use beresta_proto::content::{Body, Timer};
use beresta_proto::id::{AccountId, ContentId};
use beresta_proto::time::{Timestamp, TtlClass};

use super::Engine;
use super::compose::{ComposeError, Draft, peer};
use super::invite::{drop_invite, is_open};
use super::sweep::start_timer;
use crate::crypto;
use crate::store::contact::{ContactId, ContactState};
use crate::store::invite::{InviteId, InviteState};
use crate::store::message::{Message, MessageRow, MessageState};
use crate::store::queue::OwnQueueState;
use crate::store::{Store, StoreError, Tx};

/// A message that was kept and is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentMessage {
    /// Its row.
    pub row: MessageRow,
}

/// Why a message was not kept.
#[derive(Debug, thiserror::Error)]
pub enum SendRefused {
    /// The contact is blocked.
    #[error("the contact is blocked")]
    Blocked,
    /// The contact's key changed, and the person has not decided about it.
    #[error("the contact's key changed")]
    IdentityChanged,
    /// There is nothing to send.
    #[error("the text is empty")]
    Empty,
    /// It could not be composed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
}

/// Why a decision about a contact's key was not kept.
#[derive(Debug, thiserror::Error)]
pub enum DecideRefused {
    /// The contact has another key by now than the one that the person was shown.
    #[error("the contact's key changed again")]
    ChangedAgain,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StoreError> for SendRefused {
    fn from(error: StoreError) -> Self {
        Self::Compose(ComposeError::Store(error))
    }
}

impl Engine {
    /// Keeps a text and its ciphertext, and sends it as soon as there is a line.
    ///
    /// # Errors
    /// [`SendRefused`]: nothing was kept.
    pub fn send(
        &mut self,
        store: &mut Store,
        to: ContactId,
        text: &str,
        now: Timestamp,
    ) -> Result<SentMessage, SendRefused> {
        self.wish(store, now, |engine, tx| {
            let contact = tx.contact(to)?;
            if contact.state.is_shut() {
                return Err(SendRefused::Blocked);
            }
            if contact.identity_changed {
                return Err(SendRefused::IdentityChanged);
            }
            if text.trim().is_empty() {
                return Err(SendRefused::Empty);
            }
            let id = ContentId::random(&mut engine.rng);
            let row = tx
                .insert_message(&Message {
                    id: MessageRow(0),
                    contact: contact.id,
                    content: id,
                    outgoing: true,
                    body: text.to_owned().into(),
                    sent: now,
                    arrived: now,
                    state: MessageState::Queued,
                    timer: contact.timer.seconds,
                    // Its timer runs once it has left, or once it is known that it cannot.
                    expires: None,
                    fails: None,
                })?
                .ok_or(StoreError::Damaged)?;
            let body = Body::Text(text.into());
            // Whatever its timer: the recipient's clock begins with reading, and they may be away (rule Q9).
            let (timer, ttl) = (contact.timer, TtlClass::ThreeWeeks);
            let draft = Draft { contact: &contact, id, body, timer, ttl, message: Some(row), said: None };
            engine.compose(tx, draft, now)?;
            Ok(SentMessage { row })
        })
    }

    /// Sets a conversation's timer and tells the other side.
    ///
    /// # Errors
    /// [`SendRefused`]: nothing was changed.
    pub fn set_timer(
        &mut self,
        store: &mut Store,
        of: ContactId,
        seconds: Option<u32>,
        now: Timestamp,
    ) -> Result<(), SendRefused> {
        self.wish(store, now, |engine, tx| {
            let mut contact = tx.contact(of)?;
            if contact.state.is_shut() {
                return Err(SendRefused::Blocked);
            }
            if contact.identity_changed {
                return Err(SendRefused::IdentityChanged);
            }
            contact.timer = Timer { seconds, version: contact.timer.version.saturating_add(1) };
            tx.update_contact(&contact)?;
            let draft = Draft {
                contact: &contact,
                id: ContentId::random(&mut engine.rng),
                body: Body::TimerChanged,
                timer: contact.timer,
                ttl: TtlClass::ThreeWeeks,
                message: None,
                said: None,
            };
            engine.compose(tx, draft, now)?;
            Ok(())
        })
    }

    /// The person saw these messages: their timers run from now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn shown(
        &mut self,
        store: &mut Store,
        rows: &[MessageRow],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.wish(store, now, |_, tx| {
            for row in rows {
                let Some(mut message) = tx.message(*row)? else { continue };
                if message.state == MessageState::New {
                    message.state = MessageState::Shown;
                    start_timer(&mut message, now);
                    tx.update_message(&message)?;
                }
            }
            Ok(())
        })
    }

    /// The person compared safety numbers, or decided to write to a changed key all the same. The account that was
    /// `shown` names the key that the decision is about (rule S2): a contact may come back with another one meanwhile.
    ///
    /// # Errors
    /// [`DecideRefused`]: nothing was changed.
    pub fn decide_identity(
        &mut self,
        store: &mut Store,
        of: ContactId,
        shown: AccountId,
        verified: bool,
        now: Timestamp,
    ) -> Result<(), DecideRefused> {
        self.wish(store, now, |_, tx| {
            let mut contact = tx.contact(of)?;
            if contact.identity.account_id() != shown {
                return Err(DecideRefused::ChangedAgain);
            }
            contact.identity_changed = false;
            contact.verified |= verified;
            Ok(tx.update_contact(&contact)?)
        })
    }

    /// Gives a contact another name, here only.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rename(
        &mut self,
        store: &mut Store,
        of: ContactId,
        name: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.wish(store, now, |_, tx| {
            let mut contact = tx.contact(of)?;
            contact.name = name.into();
            tx.update_contact(&contact)
        })
    }

    /// Blocks a contact for good: the queues they could write to are deleted, so are the invites by which they could come
    /// back, nothing from them is shown, and what waits for them stays here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn block(&mut self, store: &mut Store, who: ContactId, now: Timestamp) -> Result<(), StoreError> {
        self.wish(store, now, |engine, tx| {
            let mut contact = tx.contact(who)?;
            contact.state = ContactState::Blocked;
            contact.needs_queue = false;
            tx.update_contact(&contact)?;
            engine.abandon(tx, who, now)?;
            drop_invites_for(tx, who)?;
            leave_queues_of(tx, who)
        })
    }

    /// A contact's device is in other hands: our queues for them are deleted, the invites by which they could come back too;
    /// their session and their addresses are forgotten, and what waits for them with those. What they wrote and was not
    /// shown is held aside. Whoever writes with their key after that is told of, and not heard.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seized(&mut self, store: &mut Store, who: ContactId, now: Timestamp) -> Result<(), StoreError> {
        self.wish(store, now, |engine, tx| {
            let mut contact = tx.contact(who)?;
            contact.state = ContactState::Seized;
            contact.needs_queue = false;
            contact.verified = false;
            tx.update_contact(&contact)?;
            engine.abandon(tx, who, now)?;
            drop_invites_for(tx, who)?;
            leave_queues_of(tx, who)?;
            tx.forget_peer_queues(who)?;
            crypto::forget(tx, peer(&contact).handle)
        })
    }

    /// Removes a contact with everything that was said.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove(&mut self, store: &mut Store, who: ContactId, now: Timestamp) -> Result<(), StoreError> {
        self.wish(store, now, |_, tx| {
            let contact = tx.contact(who)?;
            drop_invites_for(tx, who)?;
            leave_queues_of(tx, who)?;
            crypto::forget(tx, peer(&contact).handle)?;
            tx.delete_contact(who)
        })
    }

    /// Deletes every message with a contact, here only.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn delete_history(
        &mut self,
        store: &mut Store,
        with: ContactId,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.wish(store, now, |_, tx| tx.delete_history(with, now))
    }

    /// Takes an invite back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if nobody can be met by an invite with this number.
    pub fn invite_revoke(
        &mut self,
        store: &mut Store,
        id: InviteId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.wish(store, now, |_, tx| {
            let invite = tx.invite(id)?;
            let open = tx.invite_queue(id)?.is_some_and(|queue| is_open(&invite, &queue));
            if open || invite.state == InviteState::Putting {
                drop_invite(tx, invite)
            } else {
                Err(StoreError::NotFound)
            }
        })
    }
}

/// Who would come back by one of these is not to come back.
fn drop_invites_for(tx: &Tx<'_>, who: ContactId) -> Result<(), StoreError> {
    let of_them = tx.invites()?.into_iter().filter(|invite| invite.renews == Some(who));
    of_them.into_iter().try_for_each(|invite| drop_invite(tx, invite))
}

pub(super) fn leave_queues_of(tx: &Tx<'_>, who: ContactId) -> Result<(), StoreError> {
    for mut queue in tx.queues_of(who)? {
        queue.state = OwnQueueState::Leaving;
        tx.update_own_queue(&queue)?;
    }
    Ok(())
}
