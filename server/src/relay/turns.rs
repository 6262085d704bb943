//! Whose slow work is done next. The workers take a bounded number of openings and of signatures from all links together;
//! links wait for their turn in a row, each with one command at a time. So who asks without end waits behind everybody
//! else who asks, and a place that becomes free is not theirs again.

use std::collections::VecDeque;

use beresta_proto::capsule::Capsule;
use beresta_proto::reply::Refusal;
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::Relay;
use super::limits::cost;
use super::output::{Claim, Job, LinkId};
use super::pending::{Asked, Pending, Then};

/// The links that wait, each at most once in a row.
#[derive(Debug, Default)]
pub(super) struct Turns {
    openings: VecDeque<LinkId>,
    checks: VecDeque<LinkId>,
}

impl Turns {
    /// A link ended.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.openings.retain(|one| *one != link);
        self.checks.retain(|one| *one != link);
    }
}

impl<R: Random> Relay<R> {
    /// Has signatures checked, and then goes on.
    pub(super) fn verify(&mut self, asked: Asked, claims: Vec<Claim>, then: Then) {
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        one.checks.push_back((asked, claims, then));
        self.check(asked.link);
    }

    /// Lets a link wait for its next signatures, unless it does or some of them are with a worker.
    pub(super) fn check(&mut self, link: LinkId) {
        if let Some(one) = self.links.get_mut(&link)
            && !one.checking
            && !one.checks.is_empty()
        {
            one.checking = true;
            self.turns.checks.push_back(link);
        }
        self.next_checks();
    }

    /// Hands signatures to the workers, as long as they take more.
    fn next_checks(&mut self) {
        while let Some(link) = self.turns.checks.front() {
            let waits = self.links.get_mut(link).map(|one| &mut one.checks);
            let count =
                waits.as_ref().and_then(|waits| waits.front()).map_or(0, |(_, claims, _)| claims.len());
            let under_check = self.signatures.saturating_add(count);
            if self.signatures > 0 && under_check > self.limits.signatures {
                return;
            }
            self.turns.checks.pop_front();
            if let Some((asked, claims, then)) = waits.and_then(VecDeque::pop_front) {
                self.signatures = under_check;
                self.work(Pending::Verify(asked, then, count), Job::Verify(claims));
            }
        }
    }

    /// Lets a link wait for the opening of a capsule, which is its next one.
    pub(super) fn open(&mut self, asked: Asked, capsule: Box<Capsule>, now: Timestamp) {
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        if !one.rate.take(cost::OPENING, now) {
            return self.refuse(asked, Refusal::RateLimited);
        }
        one.opening = true;
        one.to_open = Some((asked, capsule));
        self.turns.openings.push_back(asked.link);
    }

    /// Hands capsules to the workers, as long as they take more.
    pub(super) fn next_openings(&mut self, now: Timestamp) {
        while self.openings < self.limits.openings {
            let Some(link) = self.turns.openings.pop_front() else { return };
            let Some(one) = self.links.get_mut(&link) else { continue };
            let Some((asked, capsule)) = one.to_open.take() else { continue };
            // Destroyed while it waited (rule D8).
            let Some(epoch) = self.epochs.secret(capsule.key_id(), now) else {
                one.opening = false;
                self.refuse(asked, Refusal::Unopenable);
                self.advance(link, now);
                continue;
            };
            self.openings = self.openings.saturating_add(1);
            self.work(Pending::Opening(asked), Job::Open { capsule, epoch, relay: self.relay });
        }
    }
}
