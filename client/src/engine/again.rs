//! Texts that are said again, under the same ids: whoever hears one twice shows it once (rule E8).

use std::collections::BTreeSet;

use beresta_proto::content::{Body, Timer};
use beresta_proto::limits::SENDER_AHEAD;
use beresta_proto::time::{HOUR_MS, Timestamp, TtlClass};

use super::Engine;
use super::compose::{ComposeError, Draft, Turn, peer, sent_ahead, unless_refused};
use crate::store::contact::Contact;
use crate::store::message::{Message, MessageRow, MessageState};
use crate::store::outbox::Outgoing;
use crate::store::{StoreError, Tx};

/// Texts that are said again at once to who moved: a transaction must stay small, and a contact who moves without end must not
/// have us compute.
const ELSEWHERE: usize = 128;
/// For so long nothing is said again to who moves once more.
const ELSEWHERE_AGAIN_MS: u64 = HOUR_MS;
/// What was written longer ago is not said again to who moves: a text waits here for three weeks at most, and then at a relay for as
/// long. A contact or a relay that moves it on without end must not keep its writer from hearing that no word came.
const ELSEWHERE_UNTIL_MS: u64 = 2 * TtlClass::ThreeWeeks.millis();

/// Why what is said to a contact goes elsewhere now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// They read at another relay, as only they decide.
    Moved,
    /// Their relay says that it lost their queue, as it may say again and again.
    Lost,
}

impl Elsewhere {
    /// How many undelivered messages what is said again may follow. A relay that swallows all and loses the queue each time leaves
    /// half for when its reader moves away from it, and for what is new until then.
    const fn most_ahead(self) -> u32 {
        match self {
            Self::Moved => SENDER_AHEAD,
            Self::Lost => SENDER_AHEAD / 2,
        }
    }
}

impl Engine {
    /// What waits for a contact was said in a session that is over (rules I8 and I10): says it again in the one that
    /// holds. Not to a changed key: what waited for the one before has failed (rule S12).
    pub(super) fn say_again(
        &mut self,
        tx: &Tx<'_>,
        contact: &Contact,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if contact.identity_changed {
            return Ok(());
        }
        // Of one whose text has disappeared it is only open whether it arrived.
        for mut message in tx.undelivered(contact.id)?.into_iter().filter(|one| !one.body.is_empty()) {
            message.state = MessageState::Queued;
            (message.expires, message.fails) = (None, None);
            tx.update_message(&message)?;
            let row = message.id;
            match self.compose(tx, once_more(contact, message), now) {
                Ok(()) => {}
                Err(ComposeError::Store(error)) => return Err(error),
                Err(_) => self.message_failed(tx, row, now)?,
            }
        }
        Ok(())
    }

    /// A contact reads at another relay now, or their relay lost their queue. What the one before has, and nobody acknowledged, may
    /// never come: that relay may be out of reach, and once the two have answered each other five times it does not open any more
    /// (rule I16). It is said again, before what waits. It stays as it is for the person: at a relay.
    pub(super) fn say_elsewhere(
        &mut self,
        tx: &Tx<'_>,
        contact: &Contact,
        why: Elsewhere,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.elsewhere.get(&contact.id).is_some_and(|at| *at <= now && now.since(*at) < ELSEWHERE_AGAIN_MS)
        {
            return Ok(());
        }
        let room = Self::room_for(tx, contact, why)?.min(ELSEWHERE);
        if room == 0 {
            return Ok(());
        }
        let waiting = tx.outgoing_to(contact.id)?;
        let waits: BTreeSet<MessageRow> = waiting.iter().filter_map(|outgoing| outgoing.message).collect();
        let is_there = |one: &Message| {
            one.state == MessageState::AtRelay
                && !one.body.is_empty()
                && !waits.contains(&one.id)
                && now.since(one.sent) < ELSEWHERE_UNTIL_MS
        };
        let there = tx.undelivered(contact.id)?.into_iter().filter(is_there);
        let mut said = false;
        for message in there.take(room) {
            let row = message.id;
            match self.compose(tx, once_more(contact, message), now) {
                Ok(()) => said = true,
                Err(ComposeError::Store(error)) => return Err(error),
                // It stays at the relay before, and is told in its time.
                Err(_) => break,
            }
            // As long as its envelope may wait. Once that has left, it is counted anew.
            let fails = Some(self.later_clock(tx, now)?.plus(TtlClass::ThreeWeeks.millis()));
            if let Some(message) = tx.message(row)? {
                tx.update_message(&Message { fails, ..message })?;
            }
        }
        if !said {
            return Ok(());
        }
        self.elsewhere.insert(contact.id, now);
        for outgoing in waiting {
            tx.delete_outgoing(outgoing.id)?;
            tx.insert_outgoing(&outgoing)?;
        }
        Ok(())
    }

    /// How many texts may be said again.
    fn room_for(tx: &Tx<'_>, contact: &Contact, why: Elsewhere) -> Result<usize, StoreError> {
        let ahead = sent_ahead(tx, &peer(contact))?;
        Ok(ahead.map_or(0, |ahead| why.most_ahead().saturating_sub(ahead) as usize))
    }

    /// A long text waits for room while others go past it and are answered. Once the two have answered each other five times its
    /// reader has forgotten the step of the ratchet that it was sealed by: before the next try it is sealed by the one that holds,
    /// under its id (rule I9). One that cannot be sealed now is tried as it is.
    pub(super) fn seal_afresh(
        &mut self,
        tx: &Tx<'_>,
        outgoing: &mut Outgoing,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(row) = outgoing.message else { return Ok(()) };
        let Some(message) = tx.message(row)?.filter(|one| !one.body.is_empty()) else { return Ok(()) };
        let contact = tx.contact(outgoing.contact)?;
        let sealed = self.seal(tx, once_more(&contact, message), Turn::Kept, now);
        if let Some(fresh) = unless_refused(sealed)? {
            (outgoing.queue, outgoing.transport, outgoing.envelope) =
                (fresh.queue, fresh.transport, fresh.envelope);
            outgoing.stale = false;
            tx.update_outgoing(outgoing)?;
        }
        Ok(())
    }
}

/// A text as it is said again. It stays nowhere longer than it was written for: the version before leaves the conversation's
/// timer alone.
fn once_more(contact: &Contact, message: Message) -> Draft<'_> {
    let timer = match message.timer {
        Some(own) if contact.timer.seconds.is_none_or(|theirs| own < theirs) => {
            Timer { seconds: Some(own), version: contact.timer.version.saturating_sub(1) }
        }
        _ => contact.timer,
    };
    Draft {
        contact,
        id: message.content,
        body: Body::Text(message.body),
        timer,
        ttl: TtlClass::ThreeWeeks,
        message: Some(message.id),
        said: Some(message.sent),
    }
}
