//! Two people meeting: a new contact, a contact who comes back with a new key, and the move of both sides to fresh
//! queues (rules I5 to I7).

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::content::Body;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};

use super::Engine;
use super::again::Elsewhere;
use super::effect::AskError;
use super::wish::leave_queues_of;
use crate::crypto;
use crate::store::contact::{Contact, ContactId, ContactState};
use crate::store::event::{EventKind, EventRow};
use crate::store::invite::{Invite, InviteState};
use crate::store::queue::{OwnQueue, OwnQueueState, PeerQueue};
use crate::store::{StoreError, Tx};

/// How long an old queue is read on after the first message came on a fresh one: what was sent to it before has
/// arrived by then, and what was not is sealed anew for the fresh one by its sender.
const OLD_QUEUE_MS: u64 = DAY_MS;

/// Why a contact does not come back by an invite.
#[derive(Debug)]
pub(super) enum Barred {
    /// The person blocked them.
    Blocked,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Barred {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Barred> for AskError {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::Blocked => Self::Blocked,
            Barred::Store(error) => Self::Store(error),
        }
    }
}

impl Engine {
    pub(super) fn event(
        &mut self,
        tx: &Tx<'_>,
        kind: EventKind,
        contact: Option<ContactId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let event = EventRow { seq: 0, time: now, kind, contact, message: None, invite: None };
        tx.insert_event(&event)?;
        Ok(())
    }

    /// Keeps a contact. Where they renew a known one, the row, its history and its name stay; the key, the session and
    /// every trust in them are new, and the person must decide before anything is sent.
    pub(super) fn keep_contact(
        &mut self,
        tx: &Tx<'_>,
        fresh: Contact,
        renews: Option<ContactId>,
        now: Timestamp,
    ) -> Result<Contact, Barred> {
        let Some(known) = Self::who_comes_back(tx, renews)? else {
            let id = tx.insert_contact(&fresh, now)?;
            return Ok(Contact { id, ..fresh });
        };
        crypto::forget(tx, super::compose::peer(&known).handle)?;
        // It was meant for the old key: the new one could not read it, and nobody decided that it may.
        self.abandon(tx, known.id, now)?;
        for message in tx.undelivered(known.id)? {
            self.message_failed(tx, message.id, now)?;
        }
        leave_queues_of(tx, known.id)?;
        let renewed = Contact {
            id: known.id,
            name: known.name,
            timer: known.timer,
            verified: false,
            identity_changed: true,
            ..fresh
        };
        tx.update_contact(&renewed)?;
        self.event(tx, EventKind::IdentityChanged, Some(renewed.id), now)?;
        Ok(renewed)
    }

    /// A contact comes back with the key that we know: queues and what was sealed in the session before are left. What the
    /// person knows and decided about the key stays as it is.
    ///
    /// What still comes by these queues is of the session that is over, and is said again: nobody owns them, so that it is
    /// dropped untried. To try it would use up the sender's allowance (rule S7), and with it what they say next.
    pub(super) fn begin_anew(tx: &Tx<'_>, known: ContactId) -> Result<(), StoreError> {
        for mut queue in tx.queues_of(known)? {
            (queue.contact, queue.invite) = (None, None);
            queue.state = OwnQueueState::Leaving;
            tx.update_own_queue(&queue)?;
        }
        Self::unsay(tx, known)
    }

    /// Takes out of the outbox what was sealed in a session that the other side does not take.
    pub(super) fn unsay(tx: &Tx<'_>, to: ContactId) -> Result<(), StoreError> {
        tx.outgoing_to(to)?.iter().try_for_each(|outgoing| tx.delete_outgoing(outgoing.id))
    }

    /// The contact who comes back by an invite. Whoever was removed meanwhile is met anew, and whoever was blocked is not
    /// met again.
    pub(super) fn who_comes_back(tx: &Tx<'_>, renews: Option<ContactId>) -> Result<Option<Contact>, Barred> {
        match renews.map(|known| tx.contact(known)) {
            None | Some(Err(StoreError::NotFound)) => Ok(None),
            Some(Ok(known)) if known.state.is_shut() => Err(Barred::Blocked),
            Some(known) => Ok(Some(known?)),
        }
    }

    /// Whoever proved to hold our invite is a contact now, and the invite is used up.
    pub(super) fn met_by_invite(
        &mut self,
        tx: &Tx<'_>,
        mut queue: OwnQueue,
        invite: Invite,
        contact: &Contact,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.update_contact(contact)?;
        // They are told of a fresh queue at once, whatever a relay had us tell them before.
        self.prompted.remove(&contact.id);
        self.fresh.remove(&contact.id);
        queue.contact = Some(contact.id);
        queue.retire = None;
        tx.update_own_queue(&queue)?;
        super::invite::close_invite(tx, invite, InviteState::Used)?;
        self.event(tx, EventKind::Met, Some(contact.id), now)
    }

    /// Nothing of what waits for a contact goes out any more: texts have failed, and the person sees it.
    pub(super) fn abandon(
        &mut self,
        tx: &Tx<'_>,
        contact: ContactId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.delete_receipts_to(contact)?;
        tx.outgoing_to(contact)?.iter().try_for_each(|outgoing| self.give_up(tx, outgoing, now))
    }

    /// A queue was made, and then not needed: nobody knows its address, and it is deleted at its relay.
    pub(super) fn leave_unused(tx: &Tx<'_>, mut queue: OwnQueue) -> Result<(), StoreError> {
        queue.state = OwnQueueState::Leaving;
        tx.insert_own_queue(&queue)?;
        Ok(())
    }

    /// A contact said where to write to them from now on.
    pub(super) fn moved(
        &mut self,
        tx: &Tx<'_>,
        contact: &mut Contact,
        addresses: &[QueueAddress],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (before, written) = (tx.peer_queues(contact.id)?, tx.peer_queue(contact.id)?);
        before.iter().for_each(|queue| self.forget_session(queue));
        tx.replace_peer_queues(contact.id, addresses)?;
        self.follow(tx, contact.id, now)?;
        // Not at the next timeout: whoever moves without end must not fill our store meanwhile, nor have us read all of it.
        tx.forget_retired_peer_queues()?;
        let here = |old: &PeerQueue, new: &QueueAddress| new.relay.relay == old.address.relay.relay;
        let same = |old: &PeerQueue, new: &QueueAddress| here(old, new) && new.send_id == old.address.send_id;
        let moved = !before.iter().any(|old| addresses.iter().any(|new| here(old, new)));
        // Nobody makes a second queue at a relay that has the first: it was lost there, with what lay in it. Only the
        // invite's gives way to another one while it is read.
        let lost = contact.state == ContactState::Active
            && written.is_some_and(|old| !addresses.iter().any(|new| same(&old, new)));
        if moved || lost {
            let why = if moved { Elsewhere::Moved } else { Elsewhere::Lost };
            self.say_elsewhere(tx, contact, why, now)?;
        }
        if contact.state == ContactState::Meeting {
            contact.state = ContactState::Active;
            tx.update_contact(contact)?;
            self.event(tx, EventKind::Met, Some(contact.id), now)?;
        }
        Ok(())
    }

    /// A fresh queue for a contact is there: tells them.
    pub(super) fn tell_queue(
        &mut self,
        tx: &Tx<'_>,
        home: &RelayAddress,
        mut queue: OwnQueue,
        contact: ContactId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let profile = tx.profile()?;
        let at_home = profile.home.is_some_and(|home| home.relay == queue.relay);
        let mut contact = match tx.contact(contact) {
            Ok(contact) if contact.needs_queue && !contact.identity_changed && at_home => contact,
            // Blocked, removed or renewed while the queue was made, or we moved.
            Ok(_) | Err(StoreError::NotFound) => return Self::leave_unused(tx, queue),
            Err(error) => return Err(error),
        };
        self.prompted.insert(contact.id, now);
        let body = Body::Meeting { name: profile.name, addresses: vec![queue.address(home)] };
        if !self.compose_quietly(tx, &contact, body, TtlClass::ThreeWeeks, now)? {
            // Whoever never answered can't be told any more: libsignal ends such a session after 30 days.
            if contact.state == ContactState::Meeting && tx.peer_queue(contact.id)?.is_some() {
                tx.replace_peer_queues(contact.id, &[])?;
                self.event(tx, EventKind::NotToBeMet, Some(contact.id), now)?;
            }
            // Nobody would write to it. Another one is made later.
            return Self::leave_unused(tx, queue);
        }
        self.read_on(tx, contact.id, now)?;
        (queue.contact, queue.told) = (Some(contact.id), Some(now));
        tx.insert_own_queue(&queue)?;
        contact.needs_queue = false;
        tx.update_contact(&contact)
    }

    /// A contact moved and said so by a queue that we leave: what told them of the fresh one may be lost with their old one, and
    /// they would have nowhere to write in the end. It is said again (rule I15), of the same queue: whichever they hear last, they
    /// write to one that is read.
    pub(super) fn tell_again(
        &mut self,
        tx: &Tx<'_>,
        contact: &Contact,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match tx.queues_of(contact.id)?.into_iter().rfind(OwnQueue::stays) {
            Some(queue) => self.say_queue(tx, contact, (queue, false), now),
            None => Ok(()),
        }
    }

    /// Their relay kept our word of a fresh queue for three weeks, and nothing has come by it: they may have been away, and the
    /// queue that they know is left. It is said again with what is said to them (rule I15), and not more often, or who is
    /// away for long would be told up to the cap of their ratchet (rule S9).
    pub(super) fn tell_late(
        &mut self,
        tx: &Tx<'_>,
        contact: &Contact,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let unheard = |own: &OwnQueue| own.stays() && own.told.is_some();
        let Some(queue) = tx.queues_of(contact.id)?.into_iter().rfind(unheard) else { return Ok(()) };
        // One that lies as far ahead means that the clock was set back.
        let over = |told: Timestamp| now.since(told).max(told.since(now)) >= TtlClass::ThreeWeeks.millis();
        if queue.told.is_some_and(over) { self.say_queue(tx, contact, (queue, true), now) } else { Ok(()) }
    }

    /// Says once more to a contact that this queue of ours is where to write, where that heals past the cap, too.
    fn say_queue(
        &mut self,
        tx: &Tx<'_>,
        contact: &Contact,
        (mut queue, heals): (OwnQueue, bool),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // To a key about which nobody decided nothing is said (rule S12).
        if contact.state != ContactState::Active || contact.identity_changed {
            return Ok(());
        }
        let profile = tx.profile()?;
        let Some(home) = profile.home.filter(|home| home.relay == queue.relay) else { return Ok(()) };
        let home = Self::told_address(tx, home)?;
        let body = Body::Meeting { name: profile.name, addresses: vec![queue.address(&home)] };
        let said = if heals {
            self.compose_healing(tx, contact, body, now)?
        } else {
            self.compose_quietly(tx, contact, body, TtlClass::ThreeWeeks, now)?
        };
        if said && queue.told.is_some() {
            queue.told = Some(now);
            tx.update_own_queue(&queue)?;
        }
        Ok(())
    }

    /// A message came on `queue`: whom it was made for knows it.
    pub(super) fn heard_by(tx: &Tx<'_>, queue: &OwnQueue) -> Result<(), StoreError> {
        if queue.told.is_none() {
            Ok(())
        } else {
            tx.update_own_queue(&OwnQueue { told: None, ..queue.clone() })
        }
    }

    /// A message came on `queue`: older queues of the same contact are read for a while more and then left.
    pub(super) fn retire_older(
        &mut self,
        tx: &Tx<'_>,
        queue: &OwnQueue,
        contact: ContactId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if queue.retire.is_some() {
            return Ok(());
        }
        let by = self.later_clock(tx, now)?;
        for mut older in tx.queues_of(contact)? {
            let end = by.plus(OLD_QUEUE_MS);
            let sooner = older.retire.is_none_or(|at| at > end);
            if older.id < queue.id && sooner {
                older.retire = Some(end);
                tx.update_own_queue(&older)?;
            }
        }
        Ok(())
    }
}
