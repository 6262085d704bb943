//! The relay's core: what each frame from a link means for queues, blobs and subscriptions (`docs/protocol`, rules L, Q,
//! C, B, D). It knows no socket, address, file or clock: bytes, time and randomness go in, [`Output`]s come out.
//!
//! ```text
//! handle_frame(link, frame, now) ─► Output::Engine{ticket} ─► QueueEngine ─► handle_stored(ticket, answer, now) ─┐
//!                                ─► Output::Work{ticket}   ─► a worker    ─► handle_opened(ticket, worked, now) ─┤
//!                                                                                            Output::Frame{link} ◄┘
//! ```
//! Nothing is said to be stored before the engine said so. A link that is closed is forgotten; what it had begun is
//! finished, what waited for its turn is not begun, and its answers go nowhere.

mod admin;
mod again;
mod bucket;
mod checks;
mod command;
mod delivery;
mod epoch;
mod limits;
mod link;
mod outgoing;
mod output;
mod pending;
mod places;
mod recogniser;
mod renewals;
mod send;
mod stored;
mod subscription;
mod tally;
mod telling;
mod turns;

use std::collections::{BTreeSet, HashMap, VecDeque};

use beresta_proto::auth::Exporter;
use beresta_proto::id::RelayId;
use beresta_proto::key::{BadSigningKey, SigningKey, VerifyingKey};
use beresta_proto::rng::Random;
use beresta_proto::time::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use zeroize::Zeroizing;

use crate::queue::{Namer, Op, QueueRef};
use again::Again;
use delivery::Delivery;
use epoch::{BadEpochKey, Epochs};
use link::Link;
use pending::Pending;
use places::Places;
use recogniser::Recogniser;
use renewals::Renewals;
use turns::Turns;

pub use limits::Limits;
pub use output::{Claim, CloseReason, Job, LinkId, Output, Ticket, Worked};
pub use tally::{Kind, Outcome, Tally};

/// Between two sweeps of what has ended.
const SWEEP_MS: u64 = 5 * MINUTE_MS;
/// By which the clock leaps only if it was set, or if the machine slept.
const LEAP_MS: u64 = DAY_MS;
/// Rows in one sweep's step, so that senders do not wait behind it.
const SWEEP_ROWS: usize = 2_000;
/// After which a failed read is tried again.
const RETRY_MS: u64 = 2 * SECOND_MS;
/// So many of those at once.
const RETRIED_TOGETHER: usize = 1_024;
/// So many links are closed at once where places are short: each is looked for among all that wait for their turn.
const FREED_TOGETHER: usize = 256;

/// Who the relay is.
pub struct Identity {
    /// The hash of its identity key.
    pub relay: RelayId,
    /// Its signed descriptor, as it stands on the wire.
    pub descriptor: Vec<u8>,
    /// Signs its epoch keys.
    pub epoch_signer: SigningKey,
    /// The private epoch keys of an earlier run, as [`Output::KeepEpochs`] gave them.
    pub epochs: Option<Zeroizing<Vec<u8>>>,
    /// Makes the names that queues are kept under.
    pub namer: Namer,
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { relay: _, descriptor: _, epoch_signer: _, epochs: _, namer: _ } = self;
        f.write_str("Identity(..)")
    }
}

/// The relay could not begin: a key was refused, which no valid key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key was refused")]
pub struct BadKey;

impl From<BadEpochKey> for BadKey {
    fn from(_: BadEpochKey) -> Self {
        Self
    }
}

impl From<BadSigningKey> for BadKey {
    fn from(_: BadSigningKey) -> Self {
        Self
    }
}

/// The core. `R` is where its ids and nonces come from.
#[derive(Debug)]
pub struct Relay<R> {
    rng: R,
    limits: Limits,
    relay: RelayId,
    descriptor: Vec<u8>,
    namer: Namer,
    epochs: Epochs,
    /// Checked in place of the read key of a queue that does not exist (rule Q3).
    nobody: VerifyingKey,
    links: HashMap<LinkId, Link>,
    /// Bytes that are held for all links together.
    held: usize,
    deliveries: HashMap<QueueRef, Delivery>,
    recogniser: Recogniser<QueueRef>,
    pending: HashMap<Ticket, Pending>,
    tickets: u64,
    /// Slow openings and signatures that are with the workers. Each kind has its places: neither stops the other.
    openings: usize,
    signatures: usize,
    /// Changes that are with the engine.
    changes: usize,
    /// Deletions of queues that are with the engine.
    deletions: usize,
    /// Reads of queues that are with the engine.
    fetches: usize,
    /// The links that wait for such a place.
    turns: Turns,
    outputs: VecDeque<Output>,
    /// The time of the last look at it.
    seen: Timestamp,
    sweep_at: Timestamp,
    /// A sweep is under way: two, of two days say, would send each other's look through the queues back.
    sweeping: bool,
    turn_at: Timestamp,
    /// Queues that drained while nobody was subscribed.
    untold: BTreeSet<QueueRef>,
    /// Queues that could not be read.
    unfetched: Again,
    renewals: Renewals,
    places: Places,
    /// Whether the epoch keys are being written.
    keeping: bool,
    /// When that is tried again, if it failed.
    keep_at: Timestamp,
    /// Whether no queues and blobs are made: the operator's wish.
    paused: bool,
    /// It stops: in how many seconds, at the soonest and the latest, whoever comes is to come back.
    stopping: Option<(u16, u16)>,
    tally: Tally,
}

impl<R: Random> Relay<R> {
    /// A relay without links.
    ///
    /// # Errors
    /// [`BadKey`], which no valid identity gives.
    pub fn new(identity: Identity, limits: Limits, now: Timestamp, mut rng: R) -> Result<Self, BadKey> {
        let Identity { relay, descriptor, epoch_signer, epochs, namer } = identity;
        let kept = epochs;
        let epochs = Epochs::new(epoch_signer, kept.as_ref().map(|kept| kept.as_slice()), now, &mut rng)?;
        let nobody = SigningKey::random(&mut rng).verifying_key()?;
        let mut relay = Self {
            rng,
            limits,
            relay,
            descriptor,
            namer,
            turn_at: epochs.next_turn(now),
            epochs,
            nobody,
            links: HashMap::new(),
            held: 0,
            deliveries: HashMap::new(),
            recogniser: Recogniser::new(limits.sessions, limits.sessions_per_queue),
            pending: HashMap::new(),
            tickets: 0,
            openings: 0,
            signatures: 0,
            changes: 0,
            deletions: 0,
            fetches: 0,
            turns: Turns::default(),
            outputs: VecDeque::new(),
            seen: now,
            sweep_at: now.plus(SWEEP_MS),
            sweeping: false,
            untold: BTreeSet::new(),
            unfetched: Again::new(RETRY_MS),
            renewals: Renewals::default(),
            places: Places::default(),
            keeping: false,
            keep_at: now,
            paused: false,
            stopping: None,
            tally: Tally::default(),
        };
        relay.keep_epochs();
        Ok(relay)
    }

    /// A link begins; `exporter` is what signatures on it are bound to.
    pub fn handle_connected(&mut self, link: LinkId, exporter: Exporter, now: Timestamp) {
        self.links.insert(link, Link::new(exporter, &self.limits, now));
        // Its handshake was under way when all others were told.
        if let Some((soonest, latest)) = self.stopping {
            self.send_away(link, soonest, latest);
        }
    }

    /// A link ended, from either side.
    pub fn handle_closed(&mut self, link: LinkId) {
        let Some(closed) = self.links.remove(&link) else { return };
        self.held = self.held.saturating_sub(closed.held);
        self.places.closed(link);
        if closed.waits_for_a_turn() {
            self.turns.forget(link);
        }
        self.end_deliveries(link, &closed);
    }

    /// More than half of the places for links are taken: those who hold one for nothing give it up (rule L11).
    pub fn handle_crowded(&mut self, now: Timestamp) {
        let Self { links, places, .. } = self;
        let idle = links.iter_mut().filter_map(|(link, one)| one.is_idle(now).then_some(*link));
        let unused: Vec<_> = idle.filter(|link| !places.vouches(*link, now)).take(FREED_TOGETHER).collect();
        for link in unused {
            self.close(link, CloseReason::Unused);
        }
    }

    /// Time passed: epoch keys turn, what ended is swept.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.follow_clock(now);
        if now >= self.turn_at || self.epochs.next_turn(now) < self.turn_at {
            // A key that can't be made leaves the ones that are there, and is tried again at the next turn.
            let _ = self.epochs.turn(now, &mut self.rng);
            self.keep_epochs();
            self.forget_sessions(now);
            self.turn_at = self.epochs.next_turn(now);
            // A link may last for months, and subscribed only when it began.
            self.deliveries.keys().for_each(|queue| self.renewals.add(*queue, now));
        }
        if now >= self.keep_at {
            self.keep_epochs();
        }
        if now >= self.sweep_at {
            self.sweep_at = now.plus(SWEEP_MS);
            self.places.forget_sent(now);
            self.epochs.forget_later(now);
            self.forget_sessions(now);
            self.keep_epochs();
            if !core::mem::replace(&mut self.sweeping, true) {
                self.engine(Pending::Expire(now), Op::Expire { now, limit: SWEEP_ROWS });
            }
        }
        // Some at a time: all at once are more than the engine lets wait, and would fail together again.
        for queue in self.unfetched.due(now, RETRIED_TOGETHER) {
            self.pump(queue, now);
        }
        self.renewals.handle_timeout(now);
        self.renew(now);
    }

    /// Forgets the sessions of epoch keys that are destroyed (rule D8).
    fn forget_sessions(&mut self, now: Timestamp) {
        let Self { recogniser, links, epochs, .. } = self;
        let alive = |id| epochs.secret(id, now).is_some();
        recogniser.keep_epochs(alive);
        links.values_mut().for_each(|link| link.keep_epochs(alive));
    }

    /// A clock may be set. Backwards: nothing waits until it is there again. Far forwards: what ends by it would be gone for
    /// good, so the next sweep leaves some minutes to set it right. The first after a start does so too.
    fn follow_clock(&mut self, now: Timestamp) {
        if now.since(self.seen) > LEAP_MS {
            self.sweep_at = now.plus(SWEEP_MS);
        }
        self.seen = now;
        self.sweep_at = self.sweep_at.min(now.plus(SWEEP_MS));
        self.unfetched.follow_clock(now);
        self.renewals.follow_clock(now);
        self.keep_at = self.keep_at.min(now.plus(MINUTE_MS));
    }

    /// When [`Relay::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Timestamp {
        let unkept = !self.keeping && self.epochs.unkept().is_some();
        let keep = unkept.then_some(self.keep_at);
        let again = [self.unfetched.next(), self.renewals.poll_timeout()];
        [keep].into_iter().chain(again).flatten().fold(self.turn_at.min(self.sweep_at), Timestamp::min)
    }

    /// The descriptor was renewed: who asks from now on gets this one, signed, as it stands on the wire.
    pub fn handle_renewed(&mut self, descriptor: Vec<u8>) {
        self.descriptor = descriptor;
    }

    /// Whether anything that was begun is not finished.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What to do next, until there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Has the epoch keys written if they are not on the disk: one write at a time.
    fn keep_epochs(&mut self) {
        if self.keeping {
            return;
        }
        let Some(state) = self.epochs.unkept() else { return };
        self.keeping = true;
        let ticket = self.ticket(Pending::KeepEpochs(state));
        self.outputs.push_back(Output::KeepEpochs { ticket, keys: self.epochs.to_bytes() });
    }

    /// The epoch keys are on the disk, or could not be written and are written again in a minute.
    pub fn handle_kept(&mut self, ticket: Ticket, kept: bool, now: Timestamp) {
        match self.pending.remove(&ticket) {
            Some(Pending::KeepEpochs(state)) => {
                self.keeping = false;
                if kept {
                    self.epochs.keep(state);
                    self.keep_epochs();
                } else {
                    self.keep_at = now.plus(MINUTE_MS);
                }
            }
            // It waits for another answer: put back.
            Some(other) => {
                self.pending.insert(ticket, other);
            }
            None => {}
        }
    }

    fn ticket(&mut self, pending: Pending) -> Ticket {
        self.tickets = self.tickets.saturating_add(1);
        let ticket = Ticket(self.tickets);
        self.pending.insert(ticket, pending);
        ticket
    }

    fn engine(&mut self, pending: Pending, op: Op) {
        self.ask_engine(pending, op);
    }

    fn ask_engine(&mut self, pending: Pending, op: Op) -> Ticket {
        let ticket = self.ticket(pending);
        self.outputs.push_back(Output::Engine { ticket, op });
        ticket
    }

    /// Hands out slow work.
    fn work(&mut self, pending: Pending, job: Job) {
        let ticket = self.ticket(pending);
        self.outputs.push_back(Output::Work { ticket, job });
    }
}

#[cfg(test)]
mod tests;
