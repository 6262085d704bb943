//! The volatile state of the line to one relay: dialling, up with requests in flight, or waiting to dial again.

use std::collections::{BTreeMap, BTreeSet};

use beresta_proto::auth::Exporter;
use beresta_proto::capsule::ReplyKey;
use beresta_proto::descriptor::{Descriptor, EpochKey};
use beresta_proto::id::ReadId;
use beresta_proto::time::{MINUTE_MS, SECOND_MS, Timestamp};

use super::effect::{AskId, Token};
use super::invite::{MadeQueue, Purpose, PutInvite, QueueFor};
use super::making::Making;
use crate::rng::Rng;
use crate::store::invite::InviteId;
use crate::store::outbox::OutboxId;
use crate::store::queue::{OwnQueueId, PeerQueueId};

/// First pause after a failure; doubles with every further one.
const RETRY_FIRST_MS: u64 = SECOND_MS;
/// Longest pause: a laptop that wakes up should not wait for long.
const RETRY_LONGEST_MS: u64 = 5 * MINUTE_MS;
/// A line that is down for so long is dialled at once where a person wants something of it. Their line may be back, and
/// whoever waits for 5 minutes takes the program for broken.
const HURRY_MS: u64 = 10 * SECOND_MS;
/// So many failures are left of a line that our store failed: it is down for 4 to 12 s.
const FORGIVEN: u32 = 3;
/// A link that lived so long was no failure. A relay that takes links only to close them is dialled ever more seldom.
const LIVED_MS: u64 = MINUTE_MS;
/// How long a link stays up that there is nothing to say on: a conversation should not dial for every message, and a
/// relay that we have left should not see our address for ever.
const LINGER_MS: u64 = MINUTE_MS;
/// The line to one relay.
#[derive(Debug)]
pub(super) enum Line {
    /// The driver is on it.
    Dialling {
        /// Failures before this try.
        failures: u32,
    },
    /// Commands can be said.
    Up(Box<Up>),
    /// Waits before the next try.
    Down(Pause),
}

/// A pause that doubles with every failure in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    failures: u32,
    until: Timestamp,
    /// From when on a person's wish ends it.
    hurry: Timestamp,
}

/// A line that is up.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) descriptor: Descriptor,
    pub(super) exporter: Exporter,
    /// Checked; none where the relay handed out what it may not.
    pub(super) epoch_keys: Vec<EpochKey>,
    /// The relay's clock and ours when the keys came.
    pub(super) clock: Timestamp,
    pub(super) since: Timestamp,
    pub(super) linked: Timestamp,
    /// Failures before this link.
    pub(super) failures: u32,
    /// After a refusal, what we want by ourselves is not asked for until this is over.
    pub(super) rest: Option<Pause>,
    /// The relay has no room for more subscriptions on it.
    pub(super) crowded: bool,
    /// The relay will close it, and wants to be left alone for so many milliseconds then.
    pub(super) away: Option<u64>,
    /// Since when there is nothing to say on it.
    pub(super) idle: Option<Timestamp>,
    /// When the keys were last asked for.
    pub(super) keys_asked: Timestamp,
    pub(super) subscribed: BTreeSet<ReadId>,
    /// How many subscriptions were answered, and as of how many the relay said that all has come (rule Q17). Answers and its
    /// word come by two ways, and change places.
    pub(super) answered: u32,
    pub(super) caught_up: u32,
    /// Queues of which it was told that something else reads them: told once a link.
    pub(super) taken_over: BTreeSet<ReadId>,
    /// Queues of which an acknowledgement was refused, and up to where: said again once the refusal is over.
    pub(super) unacknowledged: BTreeMap<ReadId, u64>,
    pub(super) making: Making,
    pub(super) flights: BTreeMap<Token, Flight>,
}

/// A command that was transmitted and not answered yet: what it was for.
#[derive(Debug)]
pub(super) enum Flight {
    Subscribe(Vec<ReadId>),
    Acknowledge {
        queue: ReadId,
        upto: u64,
    },
    Refresh,
    Send {
        outbox: OutboxId,
        queue: PeerQueueId,
        reply: ReplyKey,
    },
    MakeQueue(QueueFor),
    /// The queue is kept and named once this is answered (rule I12).
    FirstSubscribe(Box<MadeQueue>),
    PutBlob(PutInvite),
    Claim(Box<super::invite::Claiming>),
    DeleteQueue(OwnQueueId),
    DeleteBlob(InviteId),
}

impl Pause {
    /// With jitter, so that a relay that comes back is not met by all its clients at once. It may ask for `at_least` so
    /// many milliseconds.
    pub(super) fn after(failures: u32, at_least: u64, now: Timestamp, rng: &mut Rng) -> Self {
        let doublings = failures.saturating_sub(1).min(20);
        let pause = RETRY_FIRST_MS.saturating_mul(1 << doublings).min(RETRY_LONGEST_MS);
        let first = at_least.clamp(pause / 2, RETRY_LONGEST_MS);
        let until = now.plus(first).plus(rng.below(pause));
        // A relay that asked to be left alone is left alone.
        Self { failures, until, hurry: now.plus(at_least.max(HURRY_MS)) }
    }

    /// Whether it goes on. One that is longer than any that is drawn means that the clock was set back: it is over.
    const fn rests(&self, now: Timestamp) -> bool {
        self.until.since(now) > 0 && self.until.since(now) <= 2 * RETRY_LONGEST_MS
    }
}

impl Line {
    /// When the line wants to be looked at again without news.
    pub(super) fn wakes(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Down(pause) => Some(pause.until),
            Self::Up(up) => up.wakes(now),
            Self::Dialling { .. } => None,
        }
    }

    /// Whether the line waits before it is dialled again.
    pub(super) const fn rests(&self, now: Timestamp) -> bool {
        match self {
            Self::Down(pause) => pause.rests(now),
            Self::Dialling { .. } | Self::Up(_) => false,
        }
    }

    /// Somebody waits for what is to be said on it: the pause ends as soon as it may.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        if let Self::Down(pause) = self {
            pause.until = pause.until.min(pause.hurry.max(now));
        }
    }

    /// Failures in a row so far.
    pub(super) const fn failures(&self, now: Timestamp) -> u32 {
        match self {
            Self::Dialling { failures } | Self::Down(Pause { failures, .. }) => *failures,
            Self::Up(up) if now.since(up.linked) >= LIVED_MS => 0,
            Self::Up(up) => up.failures,
        }
    }

    /// The store is about to fail it, and not the relay: it is not to wait for longer than somebody waits who made room on
    /// the disk.
    pub(super) fn forgive(&mut self) {
        match self {
            Self::Dialling { failures } | Self::Down(Pause { failures, .. }) => {
                *failures = FORGIVEN.min(*failures)
            }
            Self::Up(up) => up.failures = FORGIVEN.min(up.failures),
        }
    }

    /// The line once it is gone: down for a while.
    pub(super) fn broken(&self, now: Timestamp, rng: &mut Rng) -> Self {
        let at_least = match self {
            Self::Up(up) => up.away.unwrap_or(0),
            Self::Dialling { .. } | Self::Down(_) => 0,
        };
        Self::Down(Pause::after(self.failures(now).saturating_add(1), at_least, now, rng))
    }

    /// Whether the line may be given up, now that there is nothing to say on it.
    pub(super) fn is_left(&mut self, now: Timestamp) -> bool {
        match self {
            Self::Dialling { .. } | Self::Down(_) => true,
            Self::Up(up) => {
                let idle = *up.idle.get_or_insert(now);
                // A clock that was set back ends the waiting too.
                up.flights.is_empty() && (now.since(idle) >= LINGER_MS || now < idle)
            }
        }
    }
}

impl Flight {
    /// Whether it subscribes to queues.
    pub(super) const fn is_subscription(&self) -> bool {
        matches!(self, Self::Subscribe(_) | Self::FirstSubscribe(_))
    }

    /// What a queue is being made for by it.
    pub(super) const fn purpose(&self) -> Option<&Purpose> {
        match self {
            Self::MakeQueue(queue) => Some(&queue.purpose),
            Self::FirstSubscribe(made) => Some(&made.queue.purpose),
            Self::Subscribe(_)
            | Self::Acknowledge { .. }
            | Self::Refresh
            | Self::Send { .. }
            | Self::PutBlob(_)
            | Self::Claim(_)
            | Self::DeleteQueue(_)
            | Self::DeleteBlob(_) => None,
        }
    }

    /// The wish that it is for.
    pub(super) const fn ask(&self) -> Option<AskId> {
        match self {
            Self::MakeQueue(queue) => queue.purpose.ask(),
            Self::FirstSubscribe(made) => made.queue.purpose.ask(),
            Self::PutBlob(put) => Some(put.ask),
            Self::Claim(claiming) => Some(claiming.request_ask()),
            Self::Subscribe(_)
            | Self::Acknowledge { .. }
            | Self::Refresh
            | Self::Send { .. }
            | Self::DeleteQueue(_)
            | Self::DeleteBlob(_) => None,
        }
    }
}

impl Up {
    fn wakes(&self, now: Timestamp) -> Option<Timestamp> {
        let idle = self.idle.map(|idle| idle.plus(LINGER_MS));
        let rest = self.rest.map(|rest| rest.until);
        idle.into_iter()
            .chain(rest)
            .chain(self.turn_ends())
            .chain(self.making.wakes())
            .filter(|at| *at > now)
            .min()
    }

    /// Whether a queue is read, as far as the relay lets us.
    pub(super) fn reads(&self, queue: &ReadId) -> bool {
        self.crowded || self.subscribed.contains(queue)
    }

    /// Whether all has come that lay in a queue. What something else reads does not come here.
    pub(super) fn has_read(&self, queue: &ReadId) -> bool {
        let asked = self.any(Flight::is_subscription);
        !asked
            && self.caught_up == self.answered
            && self.subscribed.contains(queue)
            && !self.taken_over.contains(queue)
    }

    /// Whether the relay refused, and is not asked again for a while.
    pub(super) fn rests(&self, now: Timestamp) -> bool {
        self.rest.is_some_and(|rest| rest.rests(now))
    }

    /// The relay refused what will be asked for again. What was refused together is one failure.
    pub(super) fn refused(&mut self, now: Timestamp, rng: &mut Rng) {
        if !self.rests(now) {
            let failures = self.rest.map_or(0, |rest| rest.failures).saturating_add(1);
            self.rest = Some(Pause::after(failures, 0, now, rng));
        }
    }

    pub(super) fn is_sending(&self, outbox: OutboxId) -> bool {
        self.flights
            .values()
            .any(|flight| matches!(flight, Flight::Send { outbox: one, .. } if *one == outbox))
    }

    pub(super) fn sending(&self) -> usize {
        self.flights.values().filter(|flight| matches!(flight, Flight::Send { .. })).count()
    }

    /// Queues that are being deleted.
    pub(super) fn deleting(&self) -> usize {
        self.flights.values().filter(|flight| matches!(flight, Flight::DeleteQueue(_))).count()
    }

    pub(super) fn any(&self, is: impl Fn(&Flight) -> bool) -> bool {
        self.flights.values().any(is)
    }

    /// Whether a queue is being made for what `is` says.
    pub(super) fn is_making(&self, is: impl Fn(&Purpose) -> bool) -> bool {
        self.any(|flight| flight.purpose().is_some_and(&is))
    }
}
