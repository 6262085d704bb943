//! Reading queues in turn, at a relay that has no room for all of them: in a crowd a link may be subscribed to some of a person's
//! queues only, and what comes to the others must not be missed because they are asked for last.
//!
//! ```text
//! refused ─ again ─► crowded: no more is asked for ─ a minute, and all has come ─► hung up
//!                                                                                    │
//!                        another link: those that were read longest ago come first ◄─┘
//! ```
//! Only a new link reads others: a subscription ends with its link.

use std::collections::BTreeMap;

use beresta_proto::command::Subscription;
use beresta_proto::id::{ReadId, RelayId};
use beresta_proto::reply::Refusal;
use beresta_proto::time::{MINUTE_MS, Timestamp};
use rand::RngCore as _;

use super::Engine;
use super::line::{Flight, Line, Up};
use crate::store::queue::OwnQueueState;
use crate::store::{StoreError, Tx};

/// How long a link reads what it may at least. One that lived so long was no failure, and is dialled again at once.
const TURN_MS: u64 = MINUTE_MS;
/// How long at most, if not all has come: a queue that a slow line does not empty must not keep the others from being read.
const LONGEST_TURN_MS: u64 = 5 * MINUTE_MS;
/// A turn is twice as long for each time that its link was dialled in vain, but so often at most: who hardly gets a place at a relay
/// stays for longer.
const DOUBLED: u32 = 5;

/// The links on which queues at a crowded relay were read last, by number: a clock may be set.
#[derive(Debug, Default)]
pub(super) struct Turns(BTreeMap<ReadId, u64>);

impl Up {
    /// When others of our queues are to be read; none if there are no others, or the link is being left already.
    pub(super) fn turn_ends(&self) -> Option<Timestamp> {
        // One of the failures is that the link before was left.
        let turn = TURN_MS << self.failures.saturating_sub(1).min(DOUBLED);
        let turn = if self.caught_up == self.answered { turn } else { turn.max(LONGEST_TURN_MS) };
        (self.crowded && self.away.is_none()).then(|| self.linked.plus(turn))
    }

    /// Whether a link that is being left stays for the answer to this. Of a turn that is over it does not for that to an
    /// acknowledgement: where somebody writes on and on there always is one. What it was about is pushed again, and known.
    pub(super) fn is_waited_for(&self, flight: &Flight) -> bool {
        !(self.crowded && matches!(flight, Flight::Acknowledge { .. } | Flight::Refresh))
    }
}

impl Engine {
    /// A relay refused. That it has no room for more subscriptions shows in that it makes no queue, or in that it refuses
    /// a subscription again, after a pause and having granted nothing meanwhile: once may have been too much, too fast. One that lets
    /// nothing be read at all is asked on and on.
    pub(super) fn passed_over(&mut self, relay: RelayId, flight: &Flight, refusal: Refusal, now: Timestamp) {
        let Self { lines, turns, .. } = self;
        let Some(Line::Up(up)) = lines.get_mut(&relay) else { return };
        let again = turns.contains_key(&relay) || up.rest.is_some() && !up.rests(now);
        let asked = flight.purpose().is_some() || again && matches!(flight, Flight::Subscribe(_));
        if asked && refusal == Refusal::RateLimited && !up.subscribed.is_empty() {
            up.crowded = true;
            turns.entry(relay).or_default();
        }
    }

    /// Leaves a link for the next one where it is the turn of other queues. What was asked for is answered still.
    pub(super) fn take_turn(&mut self, relay: RelayId, now: Timestamp) {
        let Some(Line::Up(up)) = self.lines.get_mut(&relay) else { return };
        // A clock that was set back ends the waiting too.
        if up.turn_ends().is_some_and(|ends| ends <= now || up.linked > now) {
            up.away = Some(0);
        }
    }

    /// A link ends, for whatever reason: what was read on it comes last from now on.
    pub(super) fn turn_over(&mut self, relay: RelayId) {
        let number = self.number();
        if let (Some(Line::Up(up)), Some(Turns(read))) = (self.lines.get(&relay), self.turns.get_mut(&relay))
        {
            read.extend(up.subscribed.iter().map(|queue| (*queue, number)));
        }
    }

    /// Puts subscriptions in the order in which they are asked for: those that were read longest ago first. Of those that were never
    /// read any may be the first, because a program that is started for a moment remembers no turn.
    pub(super) fn in_turn(&mut self, relay: RelayId, subscriptions: &mut [Subscription]) {
        let Self { turns, rng, .. } = self;
        let read = |queue: &ReadId| turns.get(&relay).and_then(|Turns(read)| read.get(queue)).copied();
        subscriptions.sort_by_cached_key(|one| (read(&one.queue), rng.next_u64()));
    }

    /// How many of our queues a relay has no room for on our link: they wait for their turn.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn passed_over_at(&self, tx: &Tx<'_>, relay: &RelayId) -> Result<usize, StoreError> {
        let Some(Line::Up(up)) = self.lines.get(relay) else { return Ok(0) };
        if !up.crowded {
            return Ok(0);
        }
        let waits = |(_, read_id, state): &(_, ReadId, _)| {
            *state == OwnQueueState::Read && !up.subscribed.contains(read_id)
        };
        Ok(tx.own_queues_at(relay)?.iter().filter(|queue| waits(queue)).count())
    }
}
