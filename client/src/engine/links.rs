//! What a link brings: that it is up or down, and replies. Pushes have a module of their own (`receive`).

use std::collections::{BTreeMap, BTreeSet};

use beresta_proto::address::RelayAddress;
use beresta_proto::command::Command;
use beresta_proto::id::{ReadId, RelayId, SendId};
use beresta_proto::reply::{Refusal, Reply, Subscribed};
use beresta_proto::time::Timestamp;

use super::Engine;
use super::effect::{AskError, DialFailure, Effect, LinkUp, Token};
use super::invite::{MadeQueue, Purpose, QueueFor};
use super::line::{Flight, Line, Up};
use super::making::{FRESH_QUEUE_MS, Making};
use crate::store::{Store, StoreError, Tx};

impl Engine {
    /// A relay was reached and checked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn handle_link_up(
        &mut self,
        store: &mut Store,
        link: LinkUp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.step(store, now, |engine, tx| {
            let relay = engine.described(tx, &link.descriptor, now)?;
            let failures = engine.lines.get(&relay).map_or(0, |line| line.failures(now));
            let up = Up {
                descriptor: link.descriptor,
                exporter: link.exporter,
                epoch_keys: Vec::new(),
                clock: link.clock,
                since: now,
                linked: now,
                failures,
                rest: None,
                crowded: false,
                away: None,
                idle: None,
                keys_asked: now,
                subscribed: BTreeSet::new(),
                answered: 0,
                caught_up: 0,
                taken_over: BTreeSet::new(),
                unacknowledged: BTreeMap::new(),
                making: Making::default(),
                flights: BTreeMap::new(),
            };
            engine.lines.insert(relay, Line::Up(Box::new(up)));
            engine.unreached.remove(&relay);
            engine.tried_beside(tx, relay, false)?;
            engine.hear_clock(tx, relay, link.clock, now)?;
            engine.take_keys(tx, relay, link.epoch_keys, link.clock, now)?;
            // Before anything leaves: what is given up is not sent any more.
            engine.end_by_time(tx, now)
        })
    }

    /// A relay was not reached. Wishes that wait for it are answered; everything else waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn handle_dial_failed(
        &mut self,
        store: &mut Store,
        relay: RelayId,
        failure: DialFailure,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.step(store, now, |engine, tx| {
            engine.line_down(relay, now);
            engine.unreached.insert(relay, failure);
            engine.tried_beside(tx, relay, true)?;
            let failed: Vec<super::invite::Waiting> =
                engine.waiting.extract_if(.., |one| one.relay.relay == relay).collect();
            for one in failed {
                engine.answer(one.what.ask(), Err(AskError::Dial(failure)));
            }
            Ok(())
        })
    }

    /// A link broke, or was closed by the relay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn handle_link_down(
        &mut self,
        store: &mut Store,
        relay: RelayId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.step(store, now, |engine, tx| engine.line_lost(tx, relay, now))
    }

    pub(super) fn line_lost(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let flights = match self.lines.get_mut(&relay) {
            Some(Line::Up(up)) => std::mem::take(&mut up.flights),
            Some(Line::Dialling { .. } | Line::Down(_)) | None => BTreeMap::new(),
        };
        self.line_down(relay, now);
        flights.into_values().try_for_each(|flight| self.flight_lost(tx, flight, now))
    }

    pub(super) fn line_down(&mut self, relay: RelayId, now: Timestamp) {
        self.turn_over(relay);
        if let Some(line) = self.lines.get_mut(&relay) {
            *line = line.broken(now, &mut self.rng);
        }
    }

    /// What was asked for on a line that broke: the outbox tries again, wishes are answered, the rest is asked for
    /// anew by `progress`.
    fn flight_lost(&mut self, tx: &Tx<'_>, flight: Flight, now: Timestamp) -> Result<(), StoreError> {
        if let Some(ask) = flight.ask() {
            self.answer(ask, Err(AskError::LineBroke));
        }
        match flight {
            Flight::Send { outbox, queue, reply: _ } => self.unsent(tx, (outbox, queue), now),
            Flight::Subscribe(_)
            | Flight::Acknowledge { .. }
            | Flight::Refresh
            | Flight::MakeQueue(_)
            | Flight::FirstSubscribe(_)
            | Flight::PutBlob(_)
            | Flight::Claim(_)
            | Flight::DeleteQueue(_)
            | Flight::DeleteBlob(_) => Ok(()),
        }
    }

    pub(super) fn transmit(&mut self, relay: RelayId, command: Command, flight: Flight) {
        let token = Token(self.number());
        if let Some(Line::Up(up)) = self.lines.get_mut(&relay) {
            up.flights.insert(token, flight);
            self.effect(Effect::Transmit { relay, token, command });
        }
    }

    /// A relay answered, or will not: the link stays, or `handle_link_down` follows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn handle_reply(
        &mut self,
        store: &mut Store,
        relay: RelayId,
        token: Token,
        reply: Option<Reply>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.step(store, now, |engine, tx| {
            let Some(Line::Up(up)) = engine.lines.get_mut(&relay) else { return Ok(()) };
            let Some(flight) = up.flights.remove(&token) else { return Ok(()) };
            let subscribes = flight.is_subscription();
            match reply {
                Some(reply) => engine.landed(tx, relay, flight, reply, now)?,
                None => engine.flight_lost(tx, flight, now)?,
            }
            // The word of all that was subscribed may have been heard before.
            if subscribes { engine.end_by_time(tx, now) } else { Ok(()) }
        })
    }

    fn landed(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        flight: Flight,
        reply: Reply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match (flight, reply) {
            (Flight::Send { outbox, queue, reply: key }, reply) => {
                self.sent(tx, relay, (outbox, queue), &key, reply, now)
            }
            (Flight::Subscribe(queues), Reply::Subscribed(results)) if results.len() == queues.len() => {
                self.granted(relay);
                for (queue, result) in queues.into_iter().zip(results) {
                    self.subscribed(tx, relay, queue, result)?;
                }
                self.answered(relay);
                Ok(())
            }
            (Flight::Refresh, Reply::Descriptor { descriptor, epoch_keys, clock }) => {
                // The clock first: what is over by ours is so only if the relay's does not contradict it.
                self.hear_clock(tx, relay, clock, now)?;
                if self.take_renewed(tx, relay, &descriptor, now)? {
                    self.take_keys(tx, relay, epoch_keys, clock, now)?;
                    // As where a link begins: what was over while the clocks did not agree.
                    self.end_by_time(tx, now)
                } else {
                    self.misbehaved(tx, relay, &Flight::Refresh, now)
                }
            }
            // A read id is drawn from 2^192: one that we know was not drawn.
            (Flight::MakeQueue(queue), Reply::QueueMade { read_id, send_id })
                if tx.own_queue(&relay, &read_id)?.is_none() =>
            {
                self.subscribe_first(relay, queue, (read_id, send_id), now);
                Ok(())
            }
            (Flight::FirstSubscribe(made), Reply::Subscribed(results))
                if results.len() == 1 && tx.own_queue(&relay, &made.read_id)?.is_none() =>
            {
                self.answered(relay);
                match results.first() {
                    Some(Subscribed::Ok) => self.queue_made(tx, relay, *made, now),
                    Some(Subscribed::Gone) | None => {
                        self.refused(relay, &Flight::FirstSubscribe(made), Refusal::Failed, now);
                        Ok(())
                    }
                }
            }
            (Flight::PutBlob(put), Reply::Done) => {
                let done = self.invite_put(tx, &put);
                self.settle(put.ask, done)
            }
            (Flight::Claim(claiming), Reply::Blob(blob)) => {
                let ask = claiming.request_ask();
                let done = self.claimed(tx, *claiming, &blob, now);
                self.settle(ask, done)
            }
            (Flight::DeleteQueue(id), Reply::Done | Reply::Refused(Refusal::Gone)) => {
                self.granted(relay);
                tx.delete_own_queue(id)
            }
            (Flight::DeleteBlob(id), Reply::Done | Reply::Refused(Refusal::Gone)) => {
                self.granted(relay);
                Self::blob_gone(tx, id)
            }
            (Flight::Acknowledge { .. }, Reply::Done | Reply::Refused(Refusal::Gone))
            | (Flight::Refresh, Reply::Refused(_)) => Ok(()),
            (Flight::MakeQueue(queue), Reply::Refused(Refusal::NoCredit))
                if queue.purpose.handed(&relay).is_some() =>
            {
                let mut purpose = queue.purpose;
                purpose.forget_handed();
                self.make_queue(tx, relay, purpose)
            }
            (flight, Reply::Refused(refusal)) => {
                self.refused(relay, &flight, refusal, now);
                if let Flight::FirstSubscribe(made) = flight {
                    self.keep_unread(relay, *made, refusal);
                }
                Ok(())
            }
            (flight, _) => self.misbehaved(tx, relay, &flight, now),
        }
    }

    /// One more subscription was answered.
    fn answered(&mut self, relay: RelayId) {
        if let Some(Line::Up(up)) = self.lines.get_mut(&relay) {
            up.answered = up.answered.saturating_add(1);
        }
    }

    /// A relay did what it was asked for: it is asked for the rest at once.
    fn granted(&mut self, relay: RelayId) {
        if let Some(Line::Up(up)) = self.lines.get_mut(&relay) {
            up.rest = None;
        }
    }

    /// A relay refused: a wish is told why. What we want by ourselves waits, or `progress` would ask for it again in the
    /// same breath.
    fn refused(&mut self, relay: RelayId, flight: &Flight, refusal: Refusal, now: Timestamp) {
        self.passed_over(relay, flight, refusal, now);
        if let Some(ask) = flight.ask() {
            self.answer(ask, Err(refusal.into()));
            return;
        }
        if let Some(Purpose::Contact(contact)) = flight.purpose() {
            // Nobody waits for it, and nobody may notice that this contact is never told where to write.
            self.unmade.insert(*contact, (relay, refusal));
        }
        let Self { lines, rng, .. } = self;
        if let Some(Line::Up(up)) = lines.get_mut(&relay) {
            if let Flight::Acknowledge { queue, upto } = flight {
                up.unacknowledged.insert(*queue, *upto);
            }
            up.refused(now, rng);
        }
    }

    /// A relay said what no honest relay says. It is hung up on, and dialled again after a pause like one that fell
    /// silent: whatever it meant, no other relay's line suffers.
    fn misbehaved(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        flight: &Flight,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(ask) = flight.ask() {
            self.answer(ask, Err(AskError::RelayMisbehaved));
        }
        self.effect(Effect::HangUp { relay });
        self.line_lost(tx, relay, now)
    }

    /// Ends a step of a wish: a failure of the store undoes it, any other failure is the wish's answer.
    fn settle(&mut self, ask: super::AskId, done: Result<(), AskError>) -> Result<(), StoreError> {
        match done {
            Ok(()) => Ok(()),
            Err(AskError::Store(error)) => Err(error),
            Err(error) => {
                self.answer(ask, Err(error));
                Ok(())
            }
        }
    }

    /// A queue was made: subscribes to it before anybody hears of it (rule I12).
    fn subscribe_first(
        &mut self,
        relay: RelayId,
        queue: QueueFor,
        (read_id, send_id): (ReadId, SendId),
        now: Timestamp,
    ) {
        let Some(Line::Up(up)) = self.lines.get(&relay) else { return };
        match queue.made(read_id, send_id, &up.exporter) {
            Ok((made, command)) => self.transmit(relay, command, Flight::FirstSubscribe(Box::new(made))),
            Err(queue) => self.refused(relay, &Flight::MakeQueue(queue), Refusal::Failed, now),
        }
    }

    /// A queue is there and subscribed to: it is kept, and named to whom it was made for (rule I12).
    fn queue_made(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        made: MadeQueue,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.granted(relay);
        if let Some(Line::Up(up)) = self.lines.get_mut(&relay) {
            up.subscribed.insert(made.read_id);
            up.making.works = true;
        }
        let home = tx.profile()?.home.filter(|home| home.relay == relay);
        let given = home.unwrap_or(RelayAddress { relay, routes: Vec::new() });
        let home = &Self::told_address(tx, given)?;
        let (purpose, queue) = made.into_row(home);
        match purpose {
            Purpose::Invite { ask, request } => {
                let relay = queue.relay;
                let done = self.offer(tx, home, queue, (ask, request), now).map(|(put, command)| {
                    self.transmit(relay, command, Flight::PutBlob(put));
                });
                self.settle(ask, done)
            }
            Purpose::Accept(accepting) => {
                let ask = accepting.request_ask();
                let done = self.accept(tx, home, queue, *accepting, now);
                self.settle(ask, done)
            }
            Purpose::Contact(contact) => {
                self.unmade.remove(&contact);
                self.fresh.insert(contact, now.plus(FRESH_QUEUE_MS));
                self.tell_queue(tx, home, queue, contact, now)
            }
        }
    }

    fn subscribed(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        queue: ReadId,
        result: Subscribed,
    ) -> Result<(), StoreError> {
        match result {
            Subscribed::Ok => {
                if let Some(Line::Up(up)) = self.lines.get_mut(&relay) {
                    up.subscribed.insert(queue);
                }
                Ok(())
            }
            // The relay lost the queue (it was restored from nothing, or lies). A contact gets a fresh one; an invite
            // that nobody used is over.
            Subscribed::Gone => self.queue_lost(tx, relay, queue),
        }
    }
}
