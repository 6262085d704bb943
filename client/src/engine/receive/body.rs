//! What each content that was accepted does.

use beresta_proto::content::{Body, Content};
use beresta_proto::id::ContentId;
use beresta_proto::time::{SECOND_MS, Timestamp};

use crate::engine::Engine;
use crate::engine::sweep::start_timer;
use crate::store::contact::{Contact, ContactId};
use crate::store::event::{DropReason, EventKind, EventRow};
use crate::store::message::{Message, MessageRow, MessageState};
use crate::store::outbox::DueReceipt;
use crate::store::{StoreError, Tx};

/// A receipt waits at least so long, and at most so much longer: when a person's device was on is not told to the
/// second, and receipts come in batches (rule E9).
const RECEIPT_FIRST_MS: u64 = 2 * SECOND_MS;
const RECEIPT_SPREAD_MS: u64 = 28 * SECOND_MS;

impl Engine {
    /// The higher version holds; at the same version the shorter timer (rule E11). Every content carries the timer, so
    /// whichever changes it tells the person.
    pub(super) fn merge_timer(
        &mut self,
        tx: &Tx<'_>,
        contact: &mut Contact,
        content: &Content,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (ours, theirs) = (contact.timer, content.timer);
        let shorter = theirs.seconds.unwrap_or(u32::MAX) < ours.seconds.unwrap_or(u32::MAX);
        if theirs.version > ours.version || (theirs.version == ours.version && shorter) {
            contact.timer = theirs;
            tx.update_contact(contact)?;
            if theirs.seconds != ours.seconds {
                self.event(tx, EventKind::TimerChanged, Some(contact.id), now)?;
            }
        }
        Ok(())
    }

    pub(super) fn body(
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
                    body: text,
                    sent,
                    arrived: now,
                    state: MessageState::New,
                    timer,
                    expires: None,
                    fails: None,
                })?;
                let Some(row) = row else {
                    // It is not shown again. Whoever says it again has no receipt of it (rules E8 and E9).
                    tx.count_dropped(DropReason::Repeat)?;
                    return self.plan_receipt(tx, contact.id, id, now);
                };
                let kind = EventKind::MessageArrived;
                let (about, message) = (Some(contact.id), Some(row));
                tx.insert_event(&EventRow {
                    seq: 0,
                    time: now,
                    kind,
                    contact: about,
                    message,
                    invite: None,
                })?;
                self.plan_receipt(tx, contact.id, id, now)
            }
            Body::Delivered(contents) => {
                contents.iter().try_for_each(|one| self.delivered(tx, contact.id, one, now))
            }
            Body::Meeting { name: _, addresses } => self.moved(tx, contact, &addresses, now),
            Body::Resume => tx.hurry_outgoing(contact.id, now),
            // What it changes every content does: the timer that it carries.
            Body::TimerChanged | Body::Probe => self.plan_receipt(tx, contact.id, id, now),
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
}
