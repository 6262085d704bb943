//! What a link brings: that it is up or down, and replies. Pushes have a module of their own (`receive`).

use std::collections::BTreeMap;

use beresta_proto::address::RelayAddress;
use beresta_proto::command::Command;
use beresta_proto::id::RelayId;
use beresta_proto::reply::{Refusal, Reply, Subscribed};
use beresta_proto::time::Timestamp;

use super::Engine;
use super::effect::{AskError, DialFailure, Effect, LinkUp, Token};
use super::invite::{Purpose, QueueFor, Wish};
use super::line::{Flight, Line, Up};
use crate::store::profile::KnownRelay;
use crate::store::queue::OwnQueue;
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
            let relay = link.address.relay;
            tx.put_relay(&KnownRelay { address: link.address, sequence: link.descriptor.sequence })?;
            tx.hurry_relay(&relay, now)?;
            engine.skew_ms = Some(skew(link.clock, now));
            let up = Up {
                descriptor: link.descriptor,
                exporter: link.exporter,
                epoch_keys: link.epoch_keys,
                clock: link.clock,
                since: now,
                refreshed: now,
                subscribed: std::collections::BTreeSet::new(),
                flights: BTreeMap::new(),
            };
            engine.lines.insert(relay, Line::Up(Box::new(up)));
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
        self.step(store, now, |engine, _| {
            engine.line_down(relay, now);
            let (failed, rest) =
                std::mem::take(&mut engine.waiting).into_iter().partition(|one| one.relay.relay == relay);
            engine.waiting = rest;
            let failed: Vec<super::invite::Waiting> = failed;
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
        self.step(store, now, |engine, tx| {
            let flights = match engine.lines.get_mut(&relay) {
                Some(Line::Up(up)) => std::mem::take(&mut up.flights),
                Some(Line::Dialling { .. } | Line::Down { .. }) | None => BTreeMap::new(),
            };
            engine.line_down(relay, now);
            flights.into_values().try_for_each(|flight| engine.flight_lost(tx, flight, now))
        })
    }

    fn line_down(&mut self, relay: RelayId, now: Timestamp) {
        let failures = self.lines.get(&relay).map_or(0, Line::failures).saturating_add(1);
        self.lines.insert(relay, Line::retry(now, failures, &mut self.rng));
    }

    /// What was asked for on a line that broke: the outbox tries again, wishes are answered, the rest is asked for
    /// anew by `progress`.
    fn flight_lost(&mut self, tx: &Tx<'_>, flight: Flight, now: Timestamp) -> Result<(), StoreError> {
        match flight {
            Flight::Send { outbox, reply: _ } => Self::unsent(tx, outbox, now)?,
            Flight::MakeQueue(QueueFor { purpose, .. }) => match purpose {
                Purpose::Invite { ask, request: _ } => self.answer(ask, Err(AskError::LineBroke)),
                Purpose::Accept(accepting) => {
                    self.answer(Wish::Accept(accepting).ask(), Err(AskError::LineBroke));
                }
                Purpose::Contact(_) => {}
            },
            Flight::PutBlob(put) => self.answer(put.ask, Err(AskError::LineBroke)),
            Flight::Claim(claiming) => self.answer(Wish::Claim(claiming).ask(), Err(AskError::LineBroke)),
            Flight::Subscribe(_)
            | Flight::Acknowledge
            | Flight::Refresh
            | Flight::DeleteQueue(_)
            | Flight::DeleteBlob(_) => {}
        }
        Ok(())
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
            match reply {
                Some(reply) => engine.landed(tx, relay, flight, reply, now),
                None => engine.flight_lost(tx, flight, now),
            }
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
            (Flight::Send { outbox, reply: key }, reply) => self.sent(tx, relay, outbox, &key, reply, now),
            (Flight::Subscribe(queues), Reply::Subscribed(results)) => {
                for (queue, result) in queues.into_iter().zip(results) {
                    self.subscribed(tx, relay, queue, result)?;
                }
                Ok(())
            }
            (Flight::Refresh, Reply::Descriptor { descriptor: _, epoch_keys, clock }) => {
                self.refreshed(tx, relay, epoch_keys, clock, now)
            }
            (Flight::MakeQueue(queue), Reply::QueueMade { read_id, send_id }) => {
                let Some(known) = tx.relay(&relay)? else { return Ok(()) };
                let (purpose, row) = queue.into_row(&known.address, read_id, send_id);
                self.queue_made(tx, &known.address, purpose, row, now)
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
            (Flight::DeleteQueue(id), Reply::Done | Reply::Refused(Refusal::Gone)) => tx.delete_own_queue(id),
            (Flight::DeleteBlob(id), Reply::Done | Reply::Refused(Refusal::Gone)) => Self::blob_gone(tx, id),
            (Flight::Acknowledge, _) => Ok(()),
            (flight, reply) => self.refused(tx, flight, &reply, now),
        }
    }

    /// A relay refused, or said what does not fit: wishes are told why, the rest waits for a better day.
    fn refused(
        &mut self,
        tx: &Tx<'_>,
        flight: Flight,
        reply: &Reply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let error = match reply {
            Reply::Refused(Refusal::Claimed) => AskError::InviteUsed,
            Reply::Refused(Refusal::Gone) => AskError::InviteGone,
            Reply::Refused(Refusal::Full | Refusal::RateLimited | Refusal::Failed) => AskError::RelayBusy,
            Reply::Refused(_)
            | Reply::Done
            | Reply::Descriptor { .. }
            | Reply::QueueMade { .. }
            | Reply::Subscribed(_)
            | Reply::Sent(_)
            | Reply::Blob(_) => AskError::RelayMisbehaved,
        };
        let ask = match flight {
            Flight::MakeQueue(QueueFor { purpose: Purpose::Invite { ask, .. }, .. }) => ask,
            Flight::MakeQueue(QueueFor { purpose: Purpose::Accept(accepting), .. }) => {
                Wish::Accept(accepting).ask()
            }
            Flight::PutBlob(put) => put.ask,
            Flight::Claim(claiming) => claiming.request_ask(),
            other @ (Flight::Subscribe(_)
            | Flight::Acknowledge
            | Flight::Refresh
            | Flight::Send { .. }
            | Flight::MakeQueue(_)
            | Flight::DeleteQueue(_)
            | Flight::DeleteBlob(_)) => return self.flight_lost(tx, other, now),
        };
        self.answer(ask, Err(error));
        Ok(())
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

    fn queue_made(
        &mut self,
        tx: &Tx<'_>,
        home: &RelayAddress,
        purpose: Purpose,
        queue: OwnQueue,
        now: Timestamp,
    ) -> Result<(), StoreError> {
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
            Purpose::Contact(contact) => self.tell_queue(tx, home, queue, contact, now),
        }
    }

    fn subscribed(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        queue: beresta_proto::id::ReadId,
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

    fn refreshed(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        epoch_keys: Vec<beresta_proto::descriptor::EpochKey>,
        clock: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(Line::Up(up)) = self.lines.get_mut(&relay) {
            up.refreshed = now;
            self.skew_ms = Some(skew(clock, now));
            // What the relay may not say is not taken; the old keys still open.
            let Ok(epoch_keys) = up.descriptor.epoch_keys(epoch_keys, clock) else { return Ok(()) };
            // A relay that is seized today must not bring senders back to a day whose key was copied before.
            let begun = epoch_keys.iter().filter(|key| key.begins() <= clock).map(|key| key.day).max();
            if begun < up.epoch_key(now).map(|key| key.day) {
                return Ok(());
            }
            up.epoch_keys = epoch_keys;
            up.clock = clock;
            up.since = now;
        }
        tx.hurry_relay(&relay, now)
    }
}

fn skew(relay: Timestamp, ours: Timestamp) -> i64 {
    let ms = i64::try_from(relay.since(ours)).unwrap_or(i64::MAX);
    if ms > 0 { ms } else { i64::try_from(ours.since(relay)).map_or(i64::MIN, |ms| -ms) }
}
