//! Looks at the store and at the lines and asks for what is missing. Idempotent: run after every input, it does nothing
//! where nothing is missing, so whatever a crash or a broken line interrupted is asked for again.
//!
//! It runs so often that it asks the store for what is missing only, and reads nothing else of a row than that takes.

use std::collections::BTreeSet;

use beresta_proto::address::RelayAddress;
use beresta_proto::auth;
use beresta_proto::command::{Command, Subscription};
use beresta_proto::id::RelayId;
use beresta_proto::limits::SUBSCRIPTIONS;
use beresta_proto::time::Timestamp;

use super::Engine;
use super::effect::{AskError, DialFailure, Effect};
use super::invite::{Purpose, QueueFor, Waiting, Wish};
use super::line::{Flight, Line};
use super::making::FRESH_QUEUE_MS;
use super::outbox::IN_FLIGHT;
use crate::store::contact::ContactId;
use crate::store::queue::OwnQueueState;
use crate::store::{StoreError, Tx};

/// Queues whose deletion is asked for at once: a relay carries out few at a time, and what else is said must not wait for them (rule
/// L6).
const DELETED_AT_ONCE: usize = 8;

impl Engine {
    /// Asks for what is missing.
    pub(super) fn progress(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        self.give_up_waiting(now);
        // One that lies further ahead than any is set means that the clock was set back.
        self.fresh.retain(|_, until| until.since(now) > 0 && until.since(now) <= FRESH_QUEUE_MS);
        let needing = tx.contacts_needing_queue()?;
        let wanted = self.wanted(tx, &needing)?;
        self.leave_lines(&wanted, now);
        for relay in wanted {
            match self.lines.get_mut(&relay) {
                Some(Line::Up(up)) => {
                    up.idle = None;
                    self.progress_line(tx, relay, &needing, now)?;
                }
                Some(Line::Dialling { .. }) => {}
                Some(line) if line.rests(now) => {}
                down @ (Some(Line::Down(_)) | None) => {
                    let failures = down.map_or(0, |line| line.failures(now));
                    let (routes, own) = self.routes(tx, relay, failures)?;
                    let known_sequence = tx.relay(&relay)?.map_or(0, |known| known.sequence);
                    self.lines.insert(relay, Line::Dialling { failures });
                    self.effect(Effect::Dial { relay: RelayAddress { relay, routes }, own, known_sequence });
                }
            }
        }
        Ok(())
    }

    /// A person wants something: the lines that it is said and answered on are not waited for (rule L9).
    pub(super) fn hurry(&mut self, tx: &Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        let asked = self.waiting.iter().map(|one| one.relay.relay);
        let home = tx.profile()?.home.map(|home| home.relay);
        let needed: Vec<RelayId> = asked.chain(home).chain(tx.relays_written_to(now)?).collect();
        for relay in needed {
            self.lines.get_mut(&relay).into_iter().for_each(|line| line.hurry(now));
        }
        Ok(())
    }

    fn give_up_waiting(&mut self, now: Timestamp) {
        let late: Vec<Waiting> = self.waiting.extract_if(.., |one| one.deadline() <= now).collect();
        for one in late {
            self.answer(one.what.ask(), Err(AskError::Dial(DialFailure::Unreachable)));
        }
    }

    /// Gives up the lines that nothing is said on any more. A relay that is not wanted is not waited for either.
    fn leave_lines(&mut self, wanted: &BTreeSet<RelayId>, now: Timestamp) {
        let mut left = Vec::new();
        for (relay, line) in &mut self.lines {
            if !wanted.contains(relay) && line.is_left(now) {
                left.push((*relay, !matches!(line, Line::Down(_))));
            }
        }
        for (relay, hang_up) in left {
            self.lines.remove(&relay);
            if hang_up {
                self.effect(Effect::HangUp { relay });
            }
        }
    }

    /// Whether there is something to say to a relay, or something comes from it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn is_wanted(&self, tx: &Tx<'_>, relay: &RelayId) -> Result<bool, StoreError> {
        Ok(self.wanted(tx, &tx.contacts_needing_queue()?)?.contains(relay))
    }

    /// The relays that there is something to say to.
    fn wanted(&self, tx: &Tx<'_>, needing: &[ContactId]) -> Result<BTreeSet<RelayId>, StoreError> {
        let mut wanted: BTreeSet<RelayId> = self.waiting.iter().map(|one| one.relay.relay).collect();
        wanted.extend(tx.relays_in_use()?);
        if !needing.is_empty() {
            wanted.extend(tx.profile()?.home.map(|home| home.relay));
        }
        Ok(wanted)
    }

    fn progress_line(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        needing: &[ContactId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.take_turn(relay, now);
        let Some(Line::Up(up)) = self.lines.get(&relay) else { return Ok(()) };
        if up.away.is_some() {
            // What was asked for is answered still; the rest is for the next link.
            if !up.any(|flight| up.is_waited_for(flight)) {
                self.effect(Effect::HangUp { relay });
                self.line_down(relay, now);
            }
            return Ok(());
        }
        self.progress_wishes(tx, relay)?;
        if matches!(self.lines.get(&relay), Some(Line::Up(up)) if !up.rests(now)) {
            self.progress_acknowledgements(relay);
            self.progress_queues(tx, relay)?;
            self.progress_contacts(tx, relay, needing, now)?;
            self.progress_blobs(tx, relay)?;
        }
        self.progress_keys(tx, relay, now)?;
        self.progress_outbox(tx, relay, now)
    }

    fn progress_wishes(&mut self, tx: &Tx<'_>, relay: RelayId) -> Result<(), StoreError> {
        let ready: Vec<Waiting> = self.waiting.extract_if(.., |one| one.relay.relay == relay).collect();
        for one in ready {
            match one.what {
                Wish::Invite { ask, request } => {
                    self.make_queue(tx, relay, Purpose::Invite { ask, request })?;
                }
                Wish::Accept(accepting) => self.make_queue(tx, relay, Purpose::Accept(accepting))?,
                Wish::Claim(claiming) => {
                    let Some(Line::Up(up)) = self.lines.get(&relay) else { continue };
                    let exporter = up.exporter;
                    let ask = claiming.request_ask();
                    match self.claim_command(tx, &claiming, &exporter) {
                        Ok(Some(command)) => self.transmit(relay, command, Flight::Claim(claiming)),
                        Ok(None) => self.answer(ask, Err(AskError::BadKeys)),
                        Err(AskError::Store(error)) => return Err(error),
                        Err(error) => self.answer(ask, Err(error)),
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn make_queue(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        purpose: Purpose,
    ) -> Result<(), StoreError> {
        // A code of our own is shown where it must be only: it tells which queues are one person's.
        let credit = match purpose.handed(&relay) {
            Some(credit) => Some(credit.clone()),
            None => tx.credit(&relay)?,
        };
        if let Some((queue, command)) = QueueFor::draw(purpose, credit, self) {
            self.transmit(relay, command, Flight::MakeQueue(queue));
        }
        Ok(())
    }

    fn progress_acknowledgements(&mut self, relay: RelayId) {
        let Some(Line::Up(up)) = self.lines.get_mut(&relay) else { return };
        for (queue, upto) in std::mem::take(&mut up.unacknowledged) {
            self.acknowledge(relay, queue, upto);
        }
    }

    fn progress_queues(&mut self, tx: &Tx<'_>, relay: RelayId) -> Result<(), StoreError> {
        let (mut missing, mut all) = (Vec::new(), true);
        for (id, read_id, state) in tx.own_queues_at(&relay)? {
            let Some(Line::Up(up)) = self.lines.get(&relay) else { return Ok(()) };
            let exporter = up.exporter;
            match state {
                OwnQueueState::Read => {
                    let asked =
                        up.any(|flight| matches!(flight, Flight::Subscribe(list) if list.contains(&read_id)));
                    all &= up.subscribed.contains(&read_id);
                    if up.subscribed.contains(&read_id) || asked || up.crowded {
                        continue;
                    }
                    let text = auth::subscribe(&exporter, &read_id);
                    if let Ok(signature) = tx.read_key(id)?.sign(&text) {
                        missing.push(Subscription { queue: read_id, signature });
                    }
                }
                OwnQueueState::Leaving => {
                    let asked = up.any(|flight| matches!(flight, Flight::DeleteQueue(one) if *one == id));
                    if asked || up.deleting() >= DELETED_AT_ONCE {
                        continue;
                    }
                    let text = auth::delete_queue(&exporter, &read_id);
                    if let Ok(signature) = tx.read_key(id)?.sign(&text) {
                        let command = Command::DeleteQueue { queue: read_id, signature };
                        self.transmit(relay, command, Flight::DeleteQueue(id));
                    }
                }
            }
        }
        if all {
            self.turns.remove(&relay);
        }
        self.in_turn(relay, &mut missing);
        for batch in missing.chunks(SUBSCRIPTIONS) {
            let queues = batch.iter().map(|one| one.queue).collect();
            self.transmit(relay, Command::Subscribe(batch.to_vec()), Flight::Subscribe(queues));
        }
        Ok(())
    }

    fn progress_blobs(&mut self, tx: &Tx<'_>, relay: RelayId) -> Result<(), StoreError> {
        for invite in tx.invites_leaving(&relay)? {
            let Some(Line::Up(up)) = self.lines.get(&relay) else { return Ok(()) };
            if up.any(|flight| matches!(flight, Flight::DeleteBlob(id) if *id == invite.id)) {
                continue;
            }
            let text = auth::delete_blob(&up.exporter, &invite.blob);
            if let Ok(signature) = invite.owner.sign(&text) {
                let command = Command::DeleteBlob { blob: invite.blob, signature };
                self.transmit(relay, command, Flight::DeleteBlob(invite.id));
            }
        }
        Ok(())
    }

    fn progress_outbox(&mut self, tx: &Tx<'_>, relay: RelayId, now: Timestamp) -> Result<(), StoreError> {
        let Some(Line::Up(up)) = self.lines.get(&relay) else { return Ok(()) };
        let room = IN_FLIGHT.saturating_sub(up.sending());
        // Without a key for its capsules nothing leaves, and nothing is sealed anew for that.
        if room == 0 || up.epoch_key(now).is_none() {
            return Ok(());
        }
        // What is over by the relay's clock stays here until ours is right, and is given up then: it is too old for its
        // certificate to be sure to hold, and must not be told to be at the relay.
        for mut outgoing in tx.due_outgoing(&relay, now, up.relay_now(now), room, |id| !up.is_sending(id))? {
            if outgoing.stale {
                self.seal_afresh(tx, &mut outgoing, now)?;
            }
            let queue = tx.peer_queue_by_id(outgoing.queue)?;
            if queue.address.relay.relay != relay {
                continue;
            }
            let Some((command, reply)) = self.capsule(&queue, &outgoing, now) else { break };
            self.transmit(relay, command, Flight::Send { outbox: outgoing.id, queue: queue.id, reply });
        }
        Ok(())
    }
}
