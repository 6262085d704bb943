//! How an invite ends: used, taken back, lost, or over (rules I4 and I5).
//!
//! ```text
//! open ─ used ───────────────────────────────────► closed      its queue is the new contact's for now
//!      ─ taken back, or its queue lost ──────────► closed
//!      ─ its time is over ─► ended, read out ────► closed      or used after all, by who claimed it in time
//! ```
//! When its time is over, the link is forgotten and the blob goes. But somebody may have claimed it in time, and their
//! first message may lie in the queue, or wait for a line: with our laptop closed over the end, all of that is only seen
//! afterwards. So queue and keys stay until the queue was read out. A closed invite has no keys, no link and no name;
//! its row goes once neither blob nor queue of it is left at the relay.

use beresta_proto::id::ConversationId;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};
use beresta_proto::words::Words;

use super::super::Engine;
use super::super::line::{Flight, Line};
use crate::crypto;
use crate::store::event::{EventKind, EventRow};
use crate::store::invite::{BlobState, Invite, InviteId, InviteState};
use crate::store::queue::{OwnQueue, OwnQueueState};
use crate::store::{StoreError, Tx};

/// How long the queue of an invite that is over is read once it is subscribed to: as long as other old queues.
const READ_OUT_MS: u64 = DAY_MS;
/// How long it waits to be. What its relay kept has ended by then (rule Q9).
const READ_OUT_LONGEST_MS: u64 = TtlClass::ThreeWeeks.millis();

impl Engine {
    /// Invites whose blob never came to the relay: nobody has seen their link.
    pub(in crate::engine) fn drop_unput(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        for invite in tx.invites()? {
            let on_its_way = matches!(self.lines.get(&invite.relay), Some(Line::Up(up))
                if up.any(|flight| matches!(flight, Flight::PutBlob(put) if put.invite == invite.id)));
            if invite.state == InviteState::Putting && !on_its_way {
                drop_invite(tx, invite)?;
            }
        }
        Ok(())
    }

    /// Invites whose time is over: their link is forgotten and their blob goes.
    pub(in crate::engine) fn end_invites(&self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        for mut invite in tx.invites()? {
            if invite.state != InviteState::Open || invite.expires > now {
                continue;
            }
            invite.state = InviteState::Ended;
            invite.blob_state = BlobState::Leaving;
            invite.link = Words::default();
            tx.update_invite(&invite)?;
            if let Some(mut queue) = tx.invite_queue(invite.id)? {
                queue.retire = Some(now.plus(READ_OUT_LONGEST_MS));
                tx.update_own_queue(&queue)?;
            }
        }
        Ok(())
    }

    /// A queue of an invite that is over was subscribed to: what is in it arrives now.
    pub(in crate::engine) fn read_out(&self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        for mut queue in tx.own_queues_ending()? {
            let read = matches!(self.lines.get(&queue.relay), Some(Line::Up(up))
                if up.subscribed.contains(&queue.read_id));
            let enough = now.plus(READ_OUT_MS);
            if read && queue.contact.is_none() && queue.retire.is_some_and(|at| at > enough) {
                queue.retire = Some(enough);
                tx.update_own_queue(&queue)?;
            }
        }
        Ok(())
    }

    /// The queue of an invite that nobody used is gone, or no longer read.
    pub(in crate::engine) fn invite_over(
        &self,
        tx: &Tx<'_>,
        invite: InviteId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let invite = match tx.invite(invite) {
            Ok(invite) if invite.state != InviteState::Used => invite,
            Ok(_) | Err(StoreError::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        };
        let (kind, id) = (EventKind::InviteEnded, Some(invite.id));
        tx.insert_event(&EventRow { seq: 0, time: now, kind, contact: None, message: None, invite: id })?;
        drop_invite(tx, invite)
    }

    /// The relay has an invite's blob no more.
    pub(in crate::engine) fn blob_gone(tx: &Tx<'_>, invite: InviteId) -> Result<(), StoreError> {
        match tx.invite(invite) {
            Ok(mut invite) => {
                invite.blob_state = BlobState::Gone;
                tx.update_invite(&invite)
            }
            Err(StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether whoever holds an invite may still be met by it.
pub(in crate::engine) fn is_open(invite: &Invite, queue: &OwnQueue) -> bool {
    queue.state == OwnQueueState::Read && matches!(invite.state, InviteState::Open | InviteState::Ended)
}

/// An invite that nobody used is over: nobody can be met by it any more.
pub(in crate::engine) fn drop_invite(tx: &Tx<'_>, invite: Invite) -> Result<(), StoreError> {
    // Whoever failed to be accepted.
    crypto::forget(tx, crypto::Handle(invite.stranger.0))?;
    if let Some(mut queue) = tx.invite_queue(invite.id)? {
        queue.state = OwnQueueState::Leaving;
        tx.update_own_queue(&queue)?;
    }
    close_invite(tx, invite, InviteState::Ended)
}

/// Keeps nothing of an invite but what deletes its blob.
pub(in crate::engine) fn close_invite(
    tx: &Tx<'_>,
    mut invite: Invite,
    state: InviteState,
) -> Result<(), StoreError> {
    crypto::forget_bundle(tx, invite.bundle)?;
    invite.state = state;
    if invite.blob_state == BlobState::There {
        invite.blob_state = BlobState::Leaving;
    }
    invite.link = Words::default();
    invite.name = Words::default();
    invite.conversation = ConversationId([0; 16]);
    invite.renews = None;
    tx.update_invite(&invite)
}
