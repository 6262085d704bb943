//! The relay's core: what each frame from a link means for queues, blobs and subscriptions (`docs/protocol`, rules L, Q,
//! C, B, D). It knows no socket, address, file or clock: bytes, time and randomness go in, [`Output`]s come out.
//!
//! ```text
//! handle_frame(link, frame, now) ─► Output::Engine{ticket} ─► QueueEngine ─► handle_stored(ticket, answer, now) ─┐
//!                                ─► Output::Work{ticket}   ─► a worker    ─► handle_opened(ticket, worked, now) ─┤
//!                                                                                            Output::Frame{link} ◄┘
//! ```
//! Nothing is said to be stored before the engine said so. A link that is closed is forgotten; what it had begun is
//! finished, and its answers go nowhere.

mod bucket;
mod command;
mod delivery;
mod epoch;
mod limits;
mod link;
mod output;
mod pending;
mod recogniser;
mod send;
mod stored;
mod subscription;

use std::collections::{HashMap, HashSet, VecDeque};

use beresta_proto::auth::Exporter;
use beresta_proto::frame::RequestId;
use beresta_proto::id::RelayId;
use beresta_proto::key::{BadSigningKey, SigningKey, VerifyingKey};
use beresta_proto::reply::{Push, Refusal, Reply};
use beresta_proto::rng::Random;
use beresta_proto::time::{MINUTE_MS, SECOND_MS, Timestamp};
use zeroize::Zeroizing;

use crate::queue::{Namer, Op, QueueRef};
use delivery::Delivery;
use epoch::{BadEpochKey, Epochs};
use link::Link;
use pending::{Group, Pending};
use recogniser::Recogniser;

pub use limits::Limits;
pub use output::{Claim, CloseReason, Job, LinkId, Output, Ticket, Worked};

/// Between two sweeps of what has ended.
const SWEEP_MS: u64 = 5 * MINUTE_MS;
/// Rows of each kind in one sweep's step, so that senders do not wait behind it.
const SWEEP_ROWS: usize = 2_000;
/// After which a failed read is tried again.
const RETRY_MS: u64 = 2 * SECOND_MS;

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
    deliveries: HashMap<QueueRef, Delivery>,
    recogniser: Recogniser<QueueRef>,
    pending: HashMap<Ticket, Pending>,
    groups: HashMap<Ticket, Group>,
    tickets: u64,
    jobs: usize,
    outputs: VecDeque<Output>,
    sweep_at: Timestamp,
    turn_at: Timestamp,
    retry: HashSet<QueueRef>,
    retry_at: Timestamp,
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
        let keep = Output::KeepEpochs(epochs.to_bytes());
        Ok(Self {
            rng,
            limits,
            relay,
            descriptor,
            namer,
            turn_at: epochs.next_turn(now),
            epochs,
            nobody,
            links: HashMap::new(),
            deliveries: HashMap::new(),
            recogniser: Recogniser::new(limits.sessions, limits.sessions_per_queue),
            pending: HashMap::new(),
            groups: HashMap::new(),
            tickets: 0,
            jobs: 0,
            outputs: VecDeque::from([keep]),
            sweep_at: now,
            retry: HashSet::new(),
            retry_at: now,
        })
    }

    /// A link begins; `exporter` is what signatures on it are bound to.
    pub fn handle_connected(&mut self, link: LinkId, exporter: Exporter, now: Timestamp) {
        self.links.insert(link, Link::new(exporter, &self.limits, now));
    }

    /// A link ended, from either side.
    pub fn handle_closed(&mut self, link: LinkId) {
        let Some(closed) = self.links.remove(&link) else { return };
        for queue in closed.subscribed.values() {
            if self.deliveries.get(queue).is_some_and(|delivery| delivery.link == link) {
                self.deliveries.remove(queue);
            }
        }
    }

    /// Whether the next frame of a link should be read now. If not, [`Output::Resume`] follows (rule L6).
    pub fn may_read(&mut self, link: LinkId) -> bool {
        let Some(one) = self.links.get_mut(&link) else { return false };
        one.held = !one.may_read(&self.limits);
        !one.held
    }

    /// So many bytes of a link's frames were written.
    pub fn handle_written(&mut self, link: LinkId, bytes: usize, now: Timestamp) {
        let Some(one) = self.links.get_mut(&link) else { return };
        one.unwritten = one.unwritten.saturating_sub(bytes);
        self.room_again(link, now);
    }

    /// Time passed: epoch keys turn, what ended is swept.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if now >= self.turn_at || self.epochs.next_turn(now) < self.turn_at {
            // A key that can't be made leaves the ones that are there, and is tried again at the next turn.
            if self.epochs.turn(now, &mut self.rng).unwrap_or(false) {
                self.outputs.push_back(Output::KeepEpochs(self.epochs.to_bytes()));
            }
            let Self { recogniser, epochs, .. } = self;
            recogniser.keep_epochs(|id| epochs.secret(id, now).is_some());
            self.turn_at = self.epochs.next_turn(now);
            // A link may last for months, and subscribed only when it began.
            self.renew(self.deliveries.keys().copied().collect(), now);
        }
        if now >= self.sweep_at {
            self.sweep_at = now.plus(SWEEP_MS);
            self.engine(Pending::Expire, Op::Expire { now, limit: SWEEP_ROWS });
        }
        if !self.retry.is_empty() && now >= self.retry_at {
            for queue in core::mem::take(&mut self.retry) {
                self.pump(queue, now);
            }
        }
    }

    /// When [`Relay::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Timestamp {
        let next = self.turn_at.min(self.sweep_at);
        if self.retry.is_empty() { next } else { next.min(self.retry_at) }
    }

    /// The relay stops: everybody is told to come back after so many seconds.
    pub fn handle_stop(&mut self, reconnect_after: u16) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.push(link, &Push::GoAway { reconnect_after });
        }
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

    fn ticket(&mut self, pending: Pending) -> Ticket {
        self.tickets = self.tickets.saturating_add(1);
        let ticket = Ticket(self.tickets);
        self.pending.insert(ticket, pending);
        ticket
    }

    fn engine(&mut self, pending: Pending, op: Op) {
        let ticket = self.ticket(pending);
        self.outputs.push_back(Output::Engine { ticket, op });
    }

    /// Hands out slow work, if not too much of it is under way.
    fn work(&mut self, pending: Pending, job: Job) -> Result<(), Refusal> {
        if self.jobs >= self.limits.jobs {
            return Err(Refusal::RateLimited);
        }
        self.jobs = self.jobs.saturating_add(1);
        let ticket = self.ticket(pending);
        self.outputs.push_back(Output::Work { ticket, job });
        Ok(())
    }

    fn frame(&mut self, link: LinkId, bytes: Vec<u8>) {
        let Some(one) = self.links.get_mut(&link) else { return };
        one.unwritten = one.unwritten.saturating_add(bytes.len());
        self.outputs.push_back(Output::Frame { link, bytes });
    }

    fn push(&mut self, link: LinkId, push: &Push) {
        // Every push fits its class, so none is lost here.
        if let Ok(bytes) = push.encode() {
            self.frame(link, bytes);
        }
    }

    /// The one answer to a command.
    fn reply(&mut self, link: LinkId, request: RequestId, reply: &Reply) {
        let encoded = reply.encode(request).or_else(|_| Reply::Refused(Refusal::Failed).encode(request));
        if let Ok(bytes) = encoded {
            self.frame(link, bytes);
        }
        let Some(one) = self.links.get_mut(&link) else { return };
        one.open = one.open.saturating_sub(1);
        self.resume(link);
    }

    fn refuse(&mut self, link: LinkId, request: RequestId, refusal: Refusal) {
        self.reply(link, request, &Reply::Refused(refusal));
    }

    fn resume(&mut self, link: LinkId) {
        let Some(one) = self.links.get_mut(&link) else { return };
        if one.held && one.may_read(&self.limits) {
            one.held = false;
            self.outputs.push_back(Output::Resume { link });
        }
    }

    fn close(&mut self, link: LinkId, reason: CloseReason) {
        if self.links.contains_key(&link) {
            self.handle_closed(link);
            self.outputs.push_back(Output::Close { link, reason });
        }
    }
}

#[cfg(test)]
mod tests;
