//! What time does: messages disappear, undelivered ones fail, receipts become due, invites end, old queues are left,
//! probes go out.

use beresta_proto::content::Body;
use beresta_proto::limits::{RECEIPTS, SENDER_AHEAD};
use beresta_proto::time::{DAY_MS, SECOND_MS, Timestamp, TtlClass};

use super::Engine;
use super::compose::peer;
use super::leave::UNREAD_MS;
use crate::crypto::{self, EncryptError};
use crate::store::contact::ContactState;
use crate::store::event::{EventKind, EventRow};
use crate::store::message::{Message, MessageRow, MessageState};
use crate::store::queue::OwnQueueState;
use crate::store::{Store, StoreError, Tx};

/// A conversation at its cap is probed this often (rule S9). With mail that waits 21 days there is always one waiting.
const PROBE_MS: u64 = DAY_MS;

/// When time will change something in the store. An envelope that was due at the `last` step waits for a line, or for
/// an answer, and not for time; and what only a clock that `may_end` it ends waits for that.
pub(super) fn next_due(tx: &Tx<'_>, last: Timestamp, may_end: bool) -> Result<Option<Timestamp>, StoreError> {
    let dues = [
        tx.next_expiry()?,
        tx.next_receipt()?,
        tx.next_outgoing(last)?,
        tx.last_probed()?.map(|probed| probed.plus(PROBE_MS)).filter(|due| *due > last),
    ];
    let ends = if may_end {
        [
            tx.next_overdue(last, UNREAD_MS)?,
            tx.next_given_up()?,
            tx.next_invite_end()?,
            tx.next_retirement(last, UNREAD_MS)?,
        ]
    } else {
        [None; 4]
    };
    Ok(dues.into_iter().chain(ends).flatten().min())
}

/// A message's timer runs from now, unless it runs already (rule E10).
pub(super) fn start_timer(message: &mut Message, now: Timestamp) {
    let ends = message.timer.map(|secs| now.plus(u64::from(secs).saturating_mul(SECOND_MS)));
    message.expires = message.expires.or(ends);
}

impl Engine {
    /// The store was just opened.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn handle_start(&mut self, store: &mut Store, now: Timestamp) -> Result<(), StoreError> {
        self.handle_timeout(store, now)
    }

    /// Time passed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn handle_timeout(&mut self, store: &mut Store, now: Timestamp) -> Result<(), StoreError> {
        self.step(store, now, |engine, tx| {
            tx.delete_expired(now)?;
            engine.drop_unput(tx)?;
            engine.end_by_time(tx, now)?;
            engine.send_receipts(tx, now)?;
            engine.probe(tx, now)?;
            tx.forget_retired_peer_queues()
        })
    }

    /// Ends what others gave us time for, and the time is over; not by a clock that the home relay's does not agree with.
    pub(super) fn end_by_time(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        if !self.clock.may_end() {
            return Ok(());
        }
        tx.clock_is_right(now)?;
        for outgoing in tx.overdue_outgoing(now)? {
            // Only our Meeting says that they are not met: a text may be given up because its relay is away.
            if outgoing.message.is_none() {
                self.not_to_be_met(tx, &outgoing, now)?;
            } else {
                self.give_up(tx, &outgoing, now)?;
            }
        }
        self.end_overdue(tx, now)?;
        self.end_invites(tx, now)?;
        tx.forget_claims(now)?;
        tx.forget_gone(now)?;
        self.read_out(tx, now)?;
        self.leave_queues(tx, now)
    }

    /// Ends messages that did not arrive in their time, once all was read in which their contact may say that they did. A relay
    /// that never says that all was (rule Q17) keeps this from being told for a week.
    fn end_overdue(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let late = tx.overdue(now)?;
        let queues = if late.is_empty() { Vec::new() } else { tx.own_queues()? };
        for message in late {
            let mut theirs = queues
                .iter()
                .filter(|own| own.contact == Some(message.contact) && own.state == OwnQueueState::Read);
            if theirs.all(|own| self.has_read(own))
                || message.fails.is_some_and(|at| at.plus(UNREAD_MS) <= now)
            {
                self.message_failed(tx, message.id, now)?;
            }
        }
        Ok(())
    }

    /// A message of ours did not arrive in its time, or cannot. The person is told; where the text has disappeared
    /// meanwhile, its row goes now.
    pub(super) fn message_failed(
        &mut self,
        tx: &Tx<'_>,
        row: MessageRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(mut message) = tx.message(row)? else { return Ok(()) };
        if !matches!(message.state, MessageState::Queued | MessageState::AtRelay) {
            return Ok(());
        }
        let told = if message.body.is_empty() {
            tx.delete_message(row)?;
            None
        } else {
            message.state = MessageState::Failed;
            message.fails = None;
            start_timer(&mut message, now);
            tx.update_message(&message)?;
            Some(row)
        };
        let (kind, contact) = (EventKind::NotDelivered, Some(message.contact));
        tx.insert_event(&EventRow { seq: 0, time: now, kind, contact, message: told, invite: None })
    }

    fn send_receipts(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let limit = u32::try_from(RECEIPTS).unwrap_or(u32::MAX);
        while let Some((contact, contents)) = tx.take_due_receipts(now, limit)? {
            let contact = tx.contact(contact)?;
            if !contact.state.is_shut() {
                // As long as the text: its sender may be away for as long as we may.
                self.compose_quietly(tx, &contact, Body::Delivered(contents), TtlClass::ThreeWeeks, now)?;
            }
        }
        Ok(())
    }

    /// Asks contacts whose conversation stands at the sender's cap whether they are there: the answer turns the ratchet
    /// and frees the conversation.
    fn probe(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        for mut contact in tx.contacts()? {
            let recently = now.since(contact.probed) < PROBE_MS && contact.probed <= now;
            if contact.state != ContactState::Active || recently {
                continue;
            }
            let ahead = match crypto::sent_ahead(tx, &peer(&contact)) {
                Ok(ahead) => ahead,
                Err(EncryptError::Store(error)) => return Err(error),
                Err(_) => continue,
            };
            if ahead >= SENDER_AHEAD {
                if self.compose_quietly(tx, &contact, Body::Probe, TtlClass::ThreeWeeks, now)? {
                    contact.probed = now;
                    tx.update_contact(&contact)?;
                }
            } else if contact.probed != Timestamp(0) {
                contact.probed = Timestamp(0);
                tx.update_contact(&contact)?;
            }
        }
        Ok(())
    }
}
