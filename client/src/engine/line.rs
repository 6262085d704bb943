//! The volatile state of the line to one relay: dialling, up with requests in flight, or waiting to dial again.

use std::collections::{BTreeMap, BTreeSet};

use beresta_proto::auth::Exporter;
use beresta_proto::capsule::ReplyKey;
use beresta_proto::descriptor::{Descriptor, EpochKey};
use beresta_proto::id::ReadId;
use beresta_proto::time::{MINUTE_MS, SECOND_MS, Timestamp};

use super::effect::Token;
use super::invite::{PutInvite, QueueFor};
use crate::rng::Rng;
use crate::store::invite::InviteId;
use crate::store::outbox::OutboxId;
use crate::store::queue::OwnQueueId;

/// First pause before a relay is dialled again; doubles with every failure.
const RETRY_FIRST_MS: u64 = SECOND_MS;
/// Longest pause: a laptop that wakes up should not wait for long.
const RETRY_LONGEST_MS: u64 = 5 * MINUTE_MS;
/// Refreshing epoch keys is tried at most this often.
pub(super) const REFRESH_MS: u64 = 5 * MINUTE_MS;

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
    Down {
        /// Failures in a row.
        failures: u32,
        /// When to try again.
        until: Timestamp,
    },
}

/// A line that is up.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) descriptor: Descriptor,
    pub(super) exporter: Exporter,
    pub(super) epoch_keys: Vec<EpochKey>,
    /// The relay's clock and ours when the keys were fetched.
    pub(super) clock: Timestamp,
    pub(super) since: Timestamp,
    pub(super) refreshed: Timestamp,
    pub(super) subscribed: BTreeSet<ReadId>,
    pub(super) flights: BTreeMap<Token, Flight>,
}

/// A command that was transmitted and not answered yet: what it was for.
#[derive(Debug)]
pub(super) enum Flight {
    Subscribe(Vec<ReadId>),
    Acknowledge,
    Refresh,
    Send { outbox: OutboxId, reply: ReplyKey },
    MakeQueue(QueueFor),
    PutBlob(PutInvite),
    Claim(Box<super::invite::Claiming>),
    DeleteQueue(OwnQueueId),
    DeleteBlob(InviteId),
}

impl Line {
    /// A line that failed `failures` times in a row: a pause with jitter, so that a relay that comes back is not met by
    /// all its clients at once.
    pub(super) fn retry(now: Timestamp, failures: u32, rng: &mut Rng) -> Self {
        let doublings = failures.saturating_sub(1).min(20);
        let pause = RETRY_FIRST_MS.saturating_mul(1 << doublings).min(RETRY_LONGEST_MS);
        let until = now.plus(pause / 2).plus(rng.below(pause));
        Self::Down { failures, until }
    }

    /// When the line wants to be looked at again without news.
    pub(super) const fn wakes(&self) -> Option<Timestamp> {
        match self {
            Self::Down { failures: _, until } => Some(*until),
            Self::Dialling { .. } | Self::Up(_) => None,
        }
    }

    /// Whether the line waits before it is dialled again. A pause longer than any that is drawn means that the clock
    /// was set back: it is over.
    pub(super) fn rests(&self, now: Timestamp) -> bool {
        match self {
            Self::Down { failures: _, until } => *until > now && until.since(now) <= 2 * RETRY_LONGEST_MS,
            Self::Dialling { .. } | Self::Up(_) => false,
        }
    }

    pub(super) const fn failures(&self) -> u32 {
        match self {
            Self::Dialling { failures } | Self::Down { failures, until: _ } => *failures,
            Self::Up(_) => 0,
        }
    }
}

impl Up {
    /// The relay's clock now, as far as ours can tell.
    const fn relay_now(&self, now: Timestamp) -> Timestamp {
        self.clock.plus(now.since(self.since))
    }

    /// The epoch key to seal to: the newest that has begun by the relay's own clock, for ours may be wrong by days.
    pub(super) fn epoch_key(&self, now: Timestamp) -> Option<&EpochKey> {
        let relay_now = self.relay_now(now);
        let begun = self.epoch_keys.iter().filter(|key| key.begins() <= relay_now);
        begun.max_by_key(|key| key.day)
    }

    /// Whether the newest key has ended, so that new ones should be fetched. Until they come, the old one still opens.
    pub(super) fn wants_refresh(&self, now: Timestamp) -> bool {
        let newest = self.epoch_keys.iter().max_by_key(|key| key.day);
        newest.is_none_or(|key| key.ends() <= self.relay_now(now)) && now.since(self.refreshed) >= REFRESH_MS
    }

    pub(super) fn is_sending(&self, outbox: OutboxId) -> bool {
        self.flights
            .values()
            .any(|flight| matches!(flight, Flight::Send { outbox: one, .. } if *one == outbox))
    }

    pub(super) fn sending(&self) -> usize {
        self.flights.values().filter(|flight| matches!(flight, Flight::Send { .. })).count()
    }

    pub(super) fn any(&self, is: impl Fn(&Flight) -> bool) -> bool {
        self.flights.values().any(is)
    }
}
