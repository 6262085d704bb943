//! The sans-IO core of the client: one input, one store transaction, a list of effects.
//!
//! It is given bytes, the time and randomness, and says what should happen ([`Effect`]). It opens no socket, reads no
//! clock and names no SQL; the driver performs what it says, in order, after the commit.
//!
//! Methods, in the order of a driver's loop:
//! - *wishes* of a person: [`Engine::send`], [`Engine::invite_new`], [`Engine::invite_accept`], …
//! - `handle_…`: what a link brought, or that time passed.
//! - [`Engine::poll_effect`] until it is empty; then [`Engine::poll_timeout`] says when to call
//!   [`Engine::handle_timeout`].
//!
//! Every one of them ends in `progress` (see its module), which looks at the store and at the links and asks for what is missing; it is
//! idempotent, so what a crash or a lost line interrupted is simply asked for again.
//!
//! What is volatile here (links, requests in flight, capsule sessions) may be lost at any moment without loss of a
//! message; everything else is in the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use beresta_proto::capsule::Session;
use beresta_proto::id::{RelayId, SendId};
use beresta_proto::reply::Refusal;
use beresta_proto::time::Timestamp;

use crate::crypto::Vouched;
use crate::rng::Rng;
use crate::store::contact::ContactId;
use crate::store::invite::{BlobState, InviteId};
use crate::store::queue::{OwnQueue, OwnQueueState};
use crate::store::{Store, StoreError, Tx};

mod again;
mod alert;
mod clock;
mod compose;
mod effect;
mod epochs;
mod home;
mod invite;
mod leave;
mod line;
mod links;
mod making;
mod meet;
mod outbox;
mod progress;
mod receive;
mod routes;
mod sweep;
mod turns;
mod wish;

pub use alert::AlertMessage;
pub use clock::CLOCK_SKEW_TOLD_MS;
pub use compose::ComposeError;
pub(crate) use compose::peer;
pub use effect::{Answer, AskError, AskId, DialFailure, Effect, LinkUp, Token};
pub use invite::{AcceptRequest, InviteRequest};
pub use receive::TOGETHER;
pub use wish::{DecideRefused, SendRefused, SentMessage};

use alert::Alert;
use clock::Clock;
use invite::Waiting;
use line::{Line, Up};
use turns::Turns;

/// The engine of one store.
#[derive(Debug)]
pub struct Engine {
    rng: Rng,
    lines: BTreeMap<RelayId, Line>,
    /// Why relays were not reached when they were last dialled.
    unreached: BTreeMap<RelayId, DialFailure>,
    /// Relays that were dialled in vain since our home is linked.
    tried: BTreeSet<RelayId>,
    sessions: BTreeMap<(RelayId, SendId), Session>,
    waiting: Vec<Waiting>,
    /// Wishes that a relay must answer and that have no answer yet.
    asked: BTreeSet<AskId>,
    effects: VecDeque<Effect>,
    /// Contacts for whom a queue was made, and until when no other one is.
    fresh: BTreeMap<ContactId, Timestamp>,
    /// Contacts for whom a relay made no queue when it was last asked, and why.
    unmade: BTreeMap<ContactId, (RelayId, Refusal)>,
    /// Relays that have no room for all of our queues, which are read in turn there.
    turns: BTreeMap<RelayId, Turns>,
    next_number: u64,
    /// Certificates that were checked since the start.
    vouched: Vouched,
    /// When we last said something to a contact at a relay's word, and have not heard from the contact since.
    prompted: BTreeMap<ContactId, Timestamp>,
    /// When texts were last said again to a contact who moved to another relay.
    elsewhere: BTreeMap<ContactId, Timestamp>,
    clock: Clock,
    alert: Alert,
    /// When the last step was: what was due by then was done, or waits for a line.
    last: Timestamp,
}

/// Why nothing of a wish was kept.
enum Undone<E> {
    /// It was refused.
    Refused(E),
    /// The store failed.
    Failed(StoreError),
}

impl<E> From<StoreError> for Undone<E> {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Engine {
    /// An engine with no links yet.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self {
            rng,
            lines: BTreeMap::new(),
            unreached: BTreeMap::new(),
            tried: BTreeSet::new(),
            sessions: BTreeMap::new(),
            waiting: Vec::new(),
            asked: BTreeSet::new(),
            effects: VecDeque::new(),
            fresh: BTreeMap::new(),
            unmade: BTreeMap::new(),
            turns: BTreeMap::new(),
            next_number: 1,
            vouched: Vouched::new(),
            prompted: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            clock: Clock::default(),
            alert: Alert::default(),
            last: Timestamp(0),
        }
    }

    /// What should happen next, oldest first.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Engine::handle_timeout`], if nothing comes before; none if only a link can bring news.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn poll_timeout(&self, store: &mut Store) -> Result<Option<Timestamp>, StoreError> {
        let durable = store.transaction(|tx| sweep::next_due(tx, self.last, self.clock.may_end()))?;
        let lines = self.lines.values().filter_map(|line| line.wakes(self.last));
        let waiting = self.waiting.iter().map(Waiting::deadline);
        let fresh = self.fresh.values().copied();
        // What was due at the last step was done by it: what still is, waits for a link.
        let volatile =
            lines.chain(waiting).chain(fresh).chain(self.next_prompt()).filter(|due| *due > self.last);
        Ok(volatile.chain(durable).min())
    }

    /// Whether nothing waits to be sent or asked for, and every queue of ours is subscribed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_settled(&self, store: &mut Store) -> Result<bool, StoreError> {
        let (outgoing, needing) = store
            .transaction(|tx| Ok::<_, StoreError>((tx.count_outgoing()?, tx.contacts_needing_queue()?)))?;
        let idle = outgoing == 0 && needing.is_empty() && self.asked.is_empty();
        let is_read = |up: &Up, queue: &OwnQueue| up.reads(&queue.read_id);
        Ok(idle && self.all_queues(store, |_| true, is_read, &[])?)
    }

    /// Whether nothing waits to be sent to a contact, nor a queue for them to be told of.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_sent_to(&self, store: &mut Store, contact: ContactId) -> Result<bool, StoreError> {
        store.transaction(|tx| {
            Ok(tx.relay_waited_for(contact)?.is_none() && !tx.contact(contact)?.needs_queue)
        })
    }

    /// Whether nothing of an invite is left at its relay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_gone(&self, store: &mut Store, invite: InviteId) -> Result<bool, StoreError> {
        store.transaction(|tx| match tx.invite(invite) {
            Ok(found) => Ok(found.blob_state != BlobState::Leaving && tx.invite_queue(invite)?.is_none()),
            Err(StoreError::NotFound) => Ok(true),
            Err(error) => Err(error),
        })
    }

    /// Whether every queue of ours is subscribed, as far as its relay has room: what waits in them comes now. One that we are
    /// leaving at another relay than our home may be gone with it, and does not count; nor does one that was read out and is being
    /// deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_reached(&self, store: &mut Store) -> Result<bool, StoreError> {
        self.all_queues(store, is_kept, |up, queue| up.reads(&queue.read_id), &[])
    }

    /// Whether all has come that lay in our queues when they were subscribed to, by their relays' words (rule Q17). The same do
    /// not count, but those whose contacts know of no other one; nor those for which a relay has no room.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_caught_up(&self, store: &mut Store) -> Result<bool, StoreError> {
        let needing = store.transaction(|tx| tx.contacts_needing_queue())?;
        let has_read = |up: &Up, queue: &OwnQueue| {
            up.has_read(&queue.read_id) || up.crowded && !up.subscribed.contains(&queue.read_id)
        };
        self.all_queues(store, is_kept, has_read, &needing)
    }

    fn all_queues(
        &self,
        store: &mut Store,
        of: impl Fn(&OwnQueue) -> bool,
        are: impl Fn(&Up, &OwnQueue) -> bool,
        counting: &[ContactId],
    ) -> Result<bool, StoreError> {
        let (queues, home) =
            store.transaction(|tx| Ok::<_, StoreError>((tx.own_queues()?, tx.profile()?.home)))?;
        let left = |queue: &OwnQueue| {
            let elsewhere = home.as_ref().is_some_and(|home| home.relay != queue.relay);
            let counts = queue.contact.is_some_and(|contact| counting.contains(&contact));
            queue.retire.is_some() && elsewhere && !counts
        };
        let is = |queue: &OwnQueue| match self.lines.get(&queue.relay) {
            Some(Line::Up(up)) => queue.state == OwnQueueState::Read && are(up, queue),
            Some(Line::Dialling { .. } | Line::Down(_)) | None => false,
        };
        Ok(queues.iter().filter(|queue| of(queue)).all(|queue| is(queue) || left(queue)))
    }

    /// Whether something is under way that a program which ends would leave for its next run: receipts that wait for
    /// their moment (rule E9), and what relays were asked for and have not answered. What waits for a relay that is not
    /// there, or that refused it for now, is not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_busy(&self, store: &mut Store) -> Result<bool, StoreError> {
        let receipts = store.transaction(|tx| tx.next_receipt())?.is_some();
        let asked = |line: &Line| match line {
            Line::Up(up) => up.sending() > 0 || up.goes_on_making(self.last),
            Line::Dialling { failures } => *failures == 0,
            Line::Down(_) => false,
        };
        Ok(receipts || self.lines.values().any(asked))
    }

    /// Whether a relay is linked now.
    #[must_use]
    pub fn is_linked(&self, relay: &RelayId) -> bool {
        matches!(self.lines.get(relay), Some(Line::Up(_)))
    }

    /// Why a relay was not reached when it was last dialled; none if it was, or is dialled for the first time.
    #[must_use]
    pub fn dial_failure(&self, relay: &RelayId) -> Option<DialFailure> {
        self.unreached.get(relay).copied()
    }

    /// The same of the tries that go on: what was in the way of an earlier need says nothing of the first try for this one.
    #[must_use]
    pub fn standing_failure(&self, relay: &RelayId) -> Option<DialFailure> {
        match self.lines.get(relay) {
            None | Some(Line::Dialling { failures: 0 }) => None,
            Some(Line::Dialling { .. } | Line::Down(_) | Line::Up(_)) => self.dial_failure(relay),
        }
    }

    fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        number
    }

    fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// Runs one step in one transaction. It fails only with the store. Nothing of it is kept then, and what memory knew of
    /// links and wishes may rest on rows that are gone: every link is hung up and every wish is answered.
    fn step<T>(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        run: impl FnOnce(&mut Self, &Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let asked = self.asked.clone();
        let outcome = self.attempt(store, now, run);
        if let Err(error) = outcome {
            self.forget(asked, error, now);
        }
        outcome
    }

    /// Runs the wish of a person as one step. A wish that is refused is undone, and that is an outcome like another:
    /// memory is as it was, because `run` changes it last, and the links stay.
    fn wish<T, E: From<StoreError>>(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        run: impl FnOnce(&mut Self, &Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (last, asked) = (self.last, self.asked.clone());
        let outcome = self.attempt(store, now, |engine, tx| {
            let done = run(engine, tx);
            let value =
                done.map_err(|why| tx.alive().map_or_else(Undone::Failed, |()| Undone::Refused(why)))?;
            engine.hurry(tx, now)?;
            Ok(value)
        });
        match outcome {
            Ok(value) => Ok(value),
            Err(Undone::Failed(error)) => {
                self.forget(asked, error, now);
                Err(error.into())
            }
            Err(Undone::Refused(why)) => {
                // What every step does beside its own work is done all the same.
                self.last = last;
                self.step(store, now, |_, _| Ok(()))?;
                Err(why)
            }
        }
    }

    /// Runs one step in one transaction. One that fails leaves neither rows nor effects.
    fn attempt<T, E: From<StoreError>>(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        run: impl FnOnce(&mut Self, &Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let last = std::mem::replace(&mut self.last, now);
        self.clock.step(last, now);
        let effects = self.effects.len();
        let (prompted, elsewhere) = (self.prompted.clone(), self.elsewhere.clone());
        let outcome = store.transaction(|tx| {
            self.clock.mind(tx, last, now)?;
            let value = run(self, tx)?;
            self.progress(tx, now)?;
            Ok(value)
        });
        if outcome.is_ok() {
            self.clock.minded(now);
        } else {
            self.effects.truncate(effects);
            // Nobody was told anything.
            (self.prompted, self.elsewhere) = (prompted, elsewhere);
            // What a clock that was set back moves is moved by the next step. One before which none was kept is a run's
            // first still: it looks at the clock of the run before.
            self.last = if last == Timestamp(0) { last } else { self.last.max(last) };
        }
        outcome
    }

    fn forget(&mut self, asked: BTreeSet<AskId>, error: StoreError, now: Timestamp) {
        let linked = self.lines.iter().filter(|(_, line)| !matches!(line, Line::Down(_)));
        for relay in linked.map(|(relay, _)| *relay).collect::<Vec<_>>() {
            self.effect(Effect::HangUp { relay });
            self.lines.get_mut(&relay).into_iter().for_each(Line::forgive);
            self.line_down(relay, now);
        }
        self.sessions.clear();
        self.waiting.clear();
        self.asked.clear();
        for ask in asked {
            self.effect(Effect::Answer { ask, outcome: Err(AskError::Store(error)) });
        }
    }
}

fn is_kept(queue: &OwnQueue) -> bool {
    queue.state == OwnQueueState::Read
}

#[cfg(test)]
mod tests;
