//! What a relay says on its own about a queue. It is a relay's word only: what it can make us do or say is bounded by
//! what a contact did, or by the hour.

use beresta_proto::content::Body;
use beresta_proto::id::{ReadId, RelayId};
use beresta_proto::time::{HOUR_MS, Timestamp, TtlClass};

use crate::engine::Engine;
use crate::engine::line::Line;
use crate::store::contact::{ContactId, ContactState};
use crate::store::event::EventKind;
use crate::store::queue::OwnQueueState;
use crate::store::{StoreError, Tx};

/// How long we say nothing more to a contact at a relay's word, unless the contact was heard.
const PROMPT_MS: u64 = HOUR_MS;

impl Engine {
    /// Somebody else subscribed to a queue (rule Q7). Of queues that are not ours, or that we do not read, it means
    /// nothing.
    pub(super) fn taken_over(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        queue: ReadId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let fresh = match self.lines.get_mut(&relay) {
            // It stays counted as subscribed: taking it back at once would be a tug of war.
            Some(Line::Up(up)) => up.subscribed.contains(&queue) && up.taken_over.insert(queue),
            Some(Line::Dialling { .. } | Line::Down(..)) | None => false,
        };
        // Nothing is looked for at a word that says nothing new: one names up to 32 queues.
        match if fresh { tx.own_queue(&relay, &queue)? } else { None } {
            Some(own) => self.event(tx, EventKind::TakenOver, own.contact, now),
            None => Ok(()),
        }
    }

    /// All has come that lay in the queues of a relay, as of so many subscriptions: what is over and was not there is lost (rule
    /// Q17).
    pub(super) fn caught_up(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        subscribed: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self.lines.get_mut(&relay) {
            Some(Line::Up(up)) if up.caught_up < subscribed => up.caught_up = subscribed,
            Some(Line::Up(_) | Line::Dialling { .. } | Line::Down(_)) | None => return Ok(()),
        }
        self.end_by_time(tx, now)
    }

    /// A queue that was full has room again (rule Q8): tells its sender.
    pub(super) fn drained(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        queue: ReadId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let read = tx.own_queue(&relay, &queue)?.filter(|own| own.state == OwnQueueState::Read);
        let Some(owner) = read.and_then(|own| own.contact) else { return Ok(()) };
        let contact = tx.contact(owner)?;
        if contact.state == ContactState::Active
            && self.may_be_prompted(owner, now)
            && self.compose_quietly(tx, &contact, Body::Resume, TtlClass::Week, now)?
        {
            self.prompted.insert(owner, now);
        }
        Ok(())
    }

    /// Whether something may be said to a contact that only a relay's word calls for: each takes a step of the ratchet,
    /// and a relay that lied on and on would bring the conversation to its cap (rule S9).
    pub(in crate::engine) fn may_be_prompted(&self, contact: ContactId, now: Timestamp) -> bool {
        self.prompted.get(&contact).is_none_or(|at| *at > now || now.since(*at) >= PROMPT_MS)
    }

    /// When the next contact may be told something again: a fresh queue may wait for it.
    pub(in crate::engine) fn next_prompt(&self) -> Option<Timestamp> {
        self.prompted.values().map(|at| at.plus(PROMPT_MS)).filter(|due| *due > self.last).min()
    }
}
