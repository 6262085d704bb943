//! From a push to what a person sees (rules E1 to E12, S5 to S8, I5, I6).
//!
//! ```text
//! Deliver ─► our queue? ─► envelope opens under its K_q ─► sealed sender opens ─► contact looked up by KEY
//!   ─► owner of the queue? ─► guard, certificate, libsignal ─► content names us both and the conversation
//!   ─► row, receipt, event ─── commit ─── ► acknowledgement
//! ```
//! What fails any step is dropped: the transaction is rolled back, so that no ratchet moved, the reason is counted, and
//! the push is acknowledged so that it does not come again. A failure of the store is no such step: nothing is
//! acknowledged, and the message comes again.

use beresta_proto::command::Command;
use beresta_proto::content::{Body, Content, ContentError, Timer};
use beresta_proto::envelope::Envelope;
use beresta_proto::id::{ContentId, ReadId, RelayId};
use beresta_proto::limits::TIMER_DEFAULT_SECS;
use beresta_proto::reply::Push;
use beresta_proto::time::{SECOND_MS, Timestamp, TtlClass};

use super::Engine;
use super::compose::peer;
use super::invite::is_open;
use super::line::{Flight, Line};
use super::sweep::start_timer;
use crate::crypto::{self, Expected, Opened};
use crate::store::contact::{Contact, ContactId, ContactState};
use crate::store::event::{DropReason, EventKind, EventRow};
use crate::store::invite::Invite;
use crate::store::message::{Message, MessageRow, MessageState};
use crate::store::outbox::DueReceipt;
use crate::store::queue::{OwnQueue, OwnQueueState};
use crate::store::{Store, StoreError, Tx};

mod refused;

use refused::{Refused, Tell, dropped};

/// A receipt waits at least so long, and at most so much longer: when a person's device was on is not told to the
/// second, and receipts come in batches (rule E9).
const RECEIPT_FIRST_MS: u64 = 2 * SECOND_MS;
const RECEIPT_SPREAD_MS: u64 = 28 * SECOND_MS;

/// Who a sealed message is from, as far as its certificate and its queue say.
enum Sender {
    Known(Contact),
    Stranger(Invite),
}

impl Engine {
    /// A relay pushed something.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was stored and nothing is acknowledged.
    pub fn handle_push(
        &mut self,
        store: &mut Store,
        relay: RelayId,
        push: Push,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match push {
            Push::Deliver { queue, sequence, envelope } => {
                self.deliver(store, relay, queue, sequence, &envelope, now)
            }
            Push::TakenOver { queue } => self.step(store, now, |engine, tx| {
                if let Some(Line::Up(up)) = engine.lines.get_mut(&relay) {
                    // Still counted as subscribed: taking it back at once would be a tug of war.
                    up.subscribed.insert(queue);
                }
                let contact = tx.own_queue(&relay, &queue)?.and_then(|own| own.contact);
                engine.event(tx, EventKind::TakenOver, contact, now)
            }),
            Push::Drained { queue } => self.step(store, now, |engine, tx| {
                let owner = tx.own_queue(&relay, &queue)?.and_then(|own| own.contact);
                if let Some(owner) = owner {
                    let contact = tx.contact(owner)?;
                    engine.compose_quietly(tx, &contact, Body::Resume, TtlClass::Week, now)?;
                }
                Ok(())
            }),
            Push::GoAway { reconnect_after: _ } => Ok(()),
        }
    }

    fn deliver(
        &mut self,
        store: &mut Store,
        relay: RelayId,
        queue: ReadId,
        sequence: u64,
        envelope: &Envelope,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.step(store, now, |engine, tx| {
            match engine.store_message(tx, relay, queue, envelope, now) {
                Ok(()) => {}
                Err(Refused::Drop { reason, tell }) => {
                    tx.count_dropped(reason)?;
                    if let Some(Tell { kind, contact }) = tell {
                        engine.event(tx, kind, contact, now)?;
                    }
                }
                Err(Refused::Store(error)) => return Err(error),
            }
            let command = Command::Acknowledge { queue, upto: sequence };
            engine.transmit(relay, command, Flight::Acknowledge);
            Ok(())
        })
    }

    fn store_message(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        queue: ReadId,
        envelope: &Envelope,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let own = tx.own_queue(&relay, &queue)?.ok_or_else(|| dropped(DropReason::NotOwner))?;
        let sealed = envelope.open(&own.envelope).map_err(|_| dropped(DropReason::Envelope))?;
        let opened = crypto::open_seal(tx, &sealed)?;
        let sender = Self::sender(tx, &own, &opened)?;
        match sender {
            Sender::Known(contact) => self.contact_says(tx, &own, contact, &opened, now),
            // A stranger whose words do not fit has not used the invite.
            Sender::Stranger(invite) => {
                let handle = crypto::Handle(invite.stranger.0);
                let said = tx.all_or_nothing(|| self.stranger_says(tx, own, invite, &opened, now));
                if let Err(Refused::Drop { reason: DropReason::Decryption, .. }) = &said {
                    // What was taken back took the count of failures along, which must stay (rule S7).
                    crypto::count_failure(tx, handle, now)?;
                }
                said
            }
        }
    }

    /// Who may have written this, by the certificate's key and the queue it came on (rules S6 and I6).
    fn sender(tx: &Tx<'_>, own: &OwnQueue, opened: &Opened) -> Result<Sender, Refused> {
        let known = tx.contact_by_identity(opened.sender())?;
        match (own.contact, known) {
            (Some(owner), Some(contact)) if contact.id == owner => {
                if contact.state == ContactState::Blocked {
                    return Err(dropped(DropReason::Blocked));
                }
                Ok(Sender::Known(contact))
            }
            // Somebody else on a queue that has an owner. On an invite queue this means that the link leaked.
            (Some(owner), _) => Err(Refused::Drop {
                reason: DropReason::NotOwner,
                tell: own.invite.map(|_| Tell { kind: EventKind::InviteUsedAgain, contact: Some(owner) }),
            }),
            (None, known) => {
                let invite = own.invite.ok_or_else(|| dropped(DropReason::NotOwner))?;
                let invite = match tx.invite(invite) {
                    Err(StoreError::NotFound) => return Err(dropped(DropReason::NotOwner)),
                    other => other?,
                };
                // A known contact has a queue of their own and no business on an invite.
                if known.is_some() || !is_open(&invite, own) {
                    return Err(dropped(DropReason::NotOwner));
                }
                Ok(Sender::Stranger(invite))
            }
        }
    }

    fn contact_says(
        &mut self,
        tx: &Tx<'_>,
        own: &OwnQueue,
        mut contact: Contact,
        opened: &Opened,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let peer = peer(&contact);
        let by = self.earlier_clock(now);
        let decrypted = crypto::decrypt(tx, opened, Expected::Pinned(&peer), by, &mut self.rng)?;
        let content = Self::content(&decrypted.plaintext, Some(contact.id))?;
        Self::check_route(tx, &content, &contact)?;
        self.notice_epoch(tx, own, &content, &contact, now)?;
        Self::merge_timer(tx, &mut contact, &content)?;
        self.retire_older(tx, own, contact.id, now)?;
        self.body(tx, &mut contact, content, now)?;
        Ok(())
    }

    fn stranger_says(
        &mut self,
        tx: &Tx<'_>,
        own: OwnQueue,
        invite: Invite,
        opened: &Opened,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let expected = Expected::Stranger { handle: crypto::Handle(invite.stranger.0) };
        let by = self.earlier_clock(now);
        let decrypted = crypto::decrypt(tx, opened, expected, by, &mut self.rng)?;
        let content = Self::content(&decrypted.plaintext, None)?;
        let Body::Meeting { name, addresses } = content.body.clone() else {
            return Err(dropped(DropReason::Content));
        };
        let stranger = Contact {
            id: ContactId(0),
            handle: invite.stranger,
            identity: decrypted.peer.identity,
            device: decrypted.peer.device,
            conversation: invite.conversation,
            name: if invite.name.is_empty() { name } else { invite.name.clone() },
            state: ContactState::Active,
            verified: false,
            identity_changed: false,
            needs_queue: true,
            timer: Timer { seconds: Some(TIMER_DEFAULT_SECS), version: 0 },
            probed: Timestamp(0),
        };
        Self::check_route(tx, &content, &stranger)?;
        let mut contact = self.met_by_invite(tx, own, invite, stranger, now)?;
        Self::merge_timer(tx, &mut contact, &content)?;
        tx.replace_peer_queues(contact.id, &addresses)?;
        Ok(())
    }

    fn content(plain: &[u8], contact: Option<ContactId>) -> Result<Content, Refused> {
        Content::decode(plain).map_err(|error| Refused::Drop {
            reason: DropReason::Content,
            tell: matches!(error, ContentError::NeedsNewer)
                .then_some(Tell { kind: EventKind::NeedsNewer, contact }),
        })
    }

    /// The content's own words: from this contact, to us, in this conversation (rule E7).
    fn check_route(tx: &Tx<'_>, content: &Content, contact: &Contact) -> Result<(), Refused> {
        let route = &content.route;
        let ours = tx.profile()?.account;
        let fits = route.from == contact.identity.account_id()
            && route.from_device == contact.device
            && route.to == ours
            && route.to_device == beresta_proto::id::Device::FIRST
            && route.conversation == contact.conversation;
        if fits { Ok(()) } else { Err(dropped(DropReason::Misdirected)) }
    }

    /// The higher version holds; at the same version the shorter timer (rule E11).
    fn merge_timer(tx: &Tx<'_>, contact: &mut Contact, content: &Content) -> Result<(), StoreError> {
        let (ours, theirs) = (contact.timer, content.timer);
        let shorter = theirs.seconds.unwrap_or(u32::MAX) < ours.seconds.unwrap_or(u32::MAX);
        if theirs.version > ours.version || (theirs.version == ours.version && shorter) {
            contact.timer = theirs;
            tx.update_contact(contact)?;
        }
        Ok(())
    }

    /// The sender saw an epoch key of our relay: it should be the one that we see (rule D9).
    fn notice_epoch(
        &mut self,
        tx: &Tx<'_>,
        own: &OwnQueue,
        content: &Content,
        contact: &Contact,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(seen) = content.seen_epoch else { return Ok(()) };
        let Some(Line::Up(up)) = self.lines.get(&own.relay) else { return Ok(()) };
        let forked = up.epoch_keys.iter().any(|key| key.day == seen.day && key.id() != seen.key);
        if forked { self.event(tx, EventKind::RelayForked, Some(contact.id), now) } else { Ok(()) }
    }

    fn body(
        &mut self,
        tx: &Tx<'_>,
        contact: &mut Contact,
        content: Content,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Content { id, sent, timer: theirs, body, .. } = content;
        // What both agreed on holds, whatever a text from before says; and a text never stays longer than its sender was
        // shown that it would (rule E11).
        let timer = [contact.timer.seconds, theirs.seconds].into_iter().flatten().min();
        match body {
            Body::Text(text) => {
                let row = tx.insert_message(&Message {
                    id: MessageRow(0),
                    contact: contact.id,
                    content: id,
                    outgoing: false,
                    body: text.into(),
                    sent,
                    arrived: now,
                    state: MessageState::New,
                    timer,
                    expires: None,
                    fails: None,
                })?;
                if let Some(row) = row {
                    let kind = EventKind::MessageArrived;
                    let (contact, message) = (Some(contact.id), Some(row));
                    tx.insert_event(&EventRow { seq: 0, time: now, kind, contact, message, invite: None })?;
                }
                self.plan_receipt(tx, contact.id, id, now)
            }
            Body::Delivered(contents) => {
                contents.iter().try_for_each(|one| self.delivered(tx, contact.id, one, now))
            }
            Body::Meeting { name: _, addresses } => self.moved(tx, contact, &addresses, now),
            Body::TimerChanged => {
                self.event(tx, EventKind::TimerChanged, Some(contact.id), now)?;
                self.plan_receipt(tx, contact.id, id, now)
            }
            Body::Resume => tx.hurry_outgoing(contact.id, now),
            Body::Probe => self.plan_receipt(tx, contact.id, id, now),
        }
    }

    fn plan_receipt(
        &mut self,
        tx: &Tx<'_>,
        contact: ContactId,
        content: ContentId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let due = now.plus(RECEIPT_FIRST_MS).plus(self.rng.below(RECEIPT_SPREAD_MS));
        tx.insert_receipt(DueReceipt { contact, content, due })
    }

    fn delivered(
        &mut self,
        tx: &Tx<'_>,
        contact: ContactId,
        content: &ContentId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(mut message) = tx.outgoing_by_content(contact, content)? else { return Ok(()) };
        if message.state == MessageState::Delivered {
            return Ok(());
        }
        message.state = MessageState::Delivered;
        message.fails = None;
        start_timer(&mut message, now);
        tx.update_message(&message)?;
        self.message_changed(tx, contact, message.id, now)
    }

    /// A relay does not know a queue of ours any more.
    pub(super) fn queue_lost(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        queue: ReadId,
    ) -> Result<(), StoreError> {
        let Some(own) = tx.own_queue(&relay, &queue)? else { return Ok(()) };
        tx.delete_own_queue(own.id)?;
        if let Some(invite) = own.invite
            && own.contact.is_none()
        {
            self.invite_over(tx, invite, self.last)?;
        }
        if let Some(contact) = own.contact {
            let mut contact = tx.contact(contact)?;
            let others = tx.own_queues()?;
            let still = others.iter().any(|one| {
                one.contact == Some(contact.id) && one.state == OwnQueueState::Read && one.retire.is_none()
            });
            if !still {
                contact.needs_queue = true;
                tx.update_contact(&contact)?;
            }
        }
        Ok(())
    }
}
