//! Leaving a queue of ours, because a fresh one took its place or its invite is over.
//!
//! ```text
//! read ─ its time is over ─► read out ──► leaving ─► deleted at its relay, or forgotten after a week
//!                         └► not reached for a week ─► forgotten
//! ```
//! One whose contact was told of no other one yet is read on: nothing but it leads to us.
//!
//! A machine that sleeps over the end, a line that is down and a disk that fails must not cost what lies there: it is at a
//! relay, so its sender believes that it arrives.

use beresta_proto::id::RelayId;
use beresta_proto::time::{DAY_MS, Timestamp};

use super::Engine;
use super::home::MOVING_MS;
use super::line::Line;
use crate::store::contact::ContactId;
use crate::store::queue::{OwnQueue, OwnQueueState};
use crate::store::{StoreError, Tx};

/// How long a queue is read on beyond its time, if it could not be read out. A relay that is gone is not dialled for ever.
pub(super) const UNREAD_MS: u64 = 7 * DAY_MS;
/// How long a relay is asked to delete a queue. It ends by itself there, because nobody reads it (rule Q13).
const DELETING_MS: u64 = 7 * DAY_MS;

impl Engine {
    /// Leaves the queues whose time is over (rule I13).
    pub(super) fn leave_queues(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        for mut queue in tx.own_queues_ending()? {
            let over = queue.state == OwnQueueState::Read && queue.retire.is_some_and(|at| at <= now);
            if !over {
                continue;
            }
            let untold = self.is_untold(tx, &queue)?;
            if untold && self.has_read(&queue) {
                queue.retire = Some(self.later_clock(tx, now)?.plus(MOVING_MS));
                tx.update_own_queue(&queue)?;
                continue;
            }
            // Nobody learns of another queue by waiting: its relay has to be tried once more before it is given up.
            let is_tried = !untold || self.tried.contains(&queue.relay);
            // That of an invite that nobody used was read out before its end was set.
            if queue.contact.is_none() || self.has_read(&queue) {
                (queue.state, queue.retire) = (OwnQueueState::Leaving, None);
                tx.update_own_queue(&queue)?;
                if let (None, Some(invite)) = (queue.contact, queue.invite) {
                    self.invite_over(tx, invite, now)?;
                }
            } else if is_tried && queue.retire.is_some_and(|at| at.plus(UNREAD_MS) <= now) {
                tx.delete_own_queue(queue.id)?;
            }
        }
        Self::forget_left(tx, now)?;
        tx.forget_invites(now)
    }

    /// Whether the contact of a queue is still to be told of another one, and can be: where one was made and they were not told,
    /// nothing can be said to them.
    fn is_untold(&self, tx: &Tx<'_>, queue: &OwnQueue) -> Result<bool, StoreError> {
        let Some(contact) = queue.contact.filter(|contact| !self.fresh.contains_key(contact)) else {
            return Ok(false);
        };
        Ok(tx.contacts_needing_queue()?.contains(&contact))
    }

    /// Keeps which relays were dialled in vain while our home was linked: a line that was down says nothing of a relay.
    pub(super) fn tried_beside(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        in_vain: bool,
    ) -> Result<(), StoreError> {
        let Some(home) = tx.profile()?.home else { return Ok(()) };
        if home.relay == relay {
            self.tried.clear();
        } else if !in_vain {
            self.tried.remove(&relay);
        } else if matches!(self.lines.get(&home.relay), Some(Line::Up(_))) {
            self.tried.insert(relay);
        }
        Ok(())
    }

    /// A contact is told of a fresh queue: those that are being left are read for as long as the word of it may be under way.
    pub(super) fn read_on(&self, tx: &Tx<'_>, contact: ContactId, now: Timestamp) -> Result<(), StoreError> {
        let end = self.later_clock(tx, now)?.plus(MOVING_MS);
        for mut queue in tx.own_queues_ending()? {
            let sooner = queue.retire.is_some_and(|at| at < end);
            if queue.contact == Some(contact) && queue.state == OwnQueueState::Read && sooner {
                queue.retire = Some(end);
                tx.update_own_queue(&queue)?;
            }
        }
        Ok(())
    }

    /// Whether all has come that lay in a queue. A store that fails ends every link.
    pub(super) fn has_read(&self, queue: &OwnQueue) -> bool {
        matches!(self.lines.get(&queue.relay), Some(Line::Up(up)) if up.has_read(&queue.read_id))
    }

    /// Forgets queues that their relay could not be asked to delete for long.
    fn forget_left(tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        for mut queue in tx.own_queues_ending()? {
            if queue.state != OwnQueueState::Leaving {
                continue;
            }
            match queue.retire {
                Some(end) if end <= now => tx.delete_own_queue(queue.id)?,
                Some(_) => {}
                None => {
                    queue.retire = Some(now.plus(DELETING_MS));
                    tx.update_own_queue(&queue)?;
                }
            }
        }
        Ok(())
    }
}
