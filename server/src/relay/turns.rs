//! Whose slow work is done next. The workers take a bounded number of openings and of signatures from all links together, and
//! the engine of changes, of deletions of queues and of reads of queues. For each of these links wait for their turn in a row, and
//! have one command, or one queue read, when it comes. So who asks without end waits behind everybody else who asks, and a place
//! that becomes free is not theirs again.

use std::collections::VecDeque;

use beresta_proto::capsule::Capsule;
use beresta_proto::reply::Refusal;
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::Relay;
use super::limits::cost;
use super::output::{Job, LinkId};
use super::pending::{Asked, Check, Pending};
use crate::queue::{Op, QueueRef};

/// The links that wait, each at most once in a row.
#[derive(Debug, Default)]
pub(super) struct Turns {
    openings: VecDeque<LinkId>,
    checks: VecDeque<LinkId>,
    changes: VecDeque<LinkId>,
    deletions: VecDeque<LinkId>,
    fetches: VecDeque<LinkId>,
}

impl Turns {
    /// A link ended.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.openings.retain(|one| *one != link);
        self.checks.retain(|one| *one != link);
        self.changes.retain(|one| *one != link);
        self.deletions.retain(|one| *one != link);
        self.fetches.retain(|one| *one != link);
    }
}

impl<R: Random> Relay<R> {
    /// Has a link's command change something, in its turn: what the engine has no room for it refuses, whoever asked.
    pub(super) fn change(&mut self, link: LinkId, pending: Pending, op: Op) {
        if self.turns.changes.is_empty() && self.changes < self.limits.changes {
            self.changes = self.changes.saturating_add(pending.weight());
            return self.engine(pending, op);
        }
        let Some(one) = self.links.get_mut(&link) else { return };
        if one.changes.is_empty() {
            self.turns.changes.push_back(link);
        }
        one.changes.push_back((pending, op));
    }

    /// Hands changes to the engine, as long as it takes more.
    pub(super) fn next_changes(&mut self) {
        while self.changes < self.limits.changes {
            let Some(link) = self.turns.changes.pop_front() else { return };
            let Some(one) = self.links.get_mut(&link) else { continue };
            let Some((pending, op)) = one.changes.pop_front() else { continue };
            if one.changes.is_empty() {
                // Thousands of links that once waited would keep their room else.
                one.changes = VecDeque::new();
            } else {
                self.turns.changes.push_back(link);
            }
            self.changes = self.changes.saturating_add(pending.weight());
            self.engine(pending, op);
        }
    }

    /// Has a queue deleted in its link's turn: what others change would wait behind thousands of messages that go.
    pub(super) fn delete(&mut self, asked: Asked, queue: QueueRef) {
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        if one.deletions.is_empty() {
            self.turns.deletions.push_back(asked.link);
        }
        one.deletions.push_back((asked, queue));
        self.next_deletions();
    }

    /// Hands deletions to the engine, as long as it takes more.
    pub(super) fn next_deletions(&mut self) {
        while self.deletions < self.limits.deletions {
            let Some(link) = self.turns.deletions.pop_front() else { return };
            let Some(one) = self.links.get_mut(&link) else { continue };
            let Some((asked, queue)) = one.deletions.pop_front() else { continue };
            if one.deletions.is_empty() {
                one.deletions = VecDeque::new();
            } else {
                self.turns.deletions.push_back(link);
            }
            self.deletions = self.deletions.saturating_add(1);
            self.engine(Pending::DeleteQueue(asked, queue), Op::DeleteQueue { queue });
        }
    }

    /// Whether a link may have a queue read now. Else it waits for its turn: what is read for links that have thousands of queues
    /// read would have others' keys not looked up.
    pub(super) fn may_fetch(&mut self, link: LinkId) -> bool {
        // Whoever waits had the places that became free.
        let may = self.fetches < self.limits.fetches;
        if !may {
            self.wait_to_fetch(link);
        }
        may
    }

    fn wait_to_fetch(&mut self, link: LinkId) {
        if let Some(one) = self.links.get_mut(&link)
            && !core::mem::replace(&mut one.fetching, true)
        {
            self.turns.fetches.push_back(link);
        }
    }

    /// A read has ended: has queues read for those who wait, a queue for each in turn.
    pub(super) fn next_fetches(&mut self, now: Timestamp) {
        self.fetches = self.fetches.saturating_sub(1);
        while self.fetches < self.limits.fetches {
            let Some(link) = self.turns.fetches.pop_front() else { return };
            // Each time anew: what is told in one's turn may take the room that the next one had.
            let room = self.room();
            let Some(one) = self.links.get_mut(&link) else { continue };
            one.fetching = false;
            if let Some(queue) = one.next_stalled(room) {
                self.go_on(queue, now);
            }
            let room = self.room();
            if self.links.get(&link).is_some_and(|one| one.wants_to_read(room)) {
                self.wait_to_fetch(link);
            }
        }
    }

    /// Has signatures checked in their turn, and then goes on.
    pub(super) fn verify(&mut self, asked: Asked, check: Check) {
        let Some(one) = self.links.get_mut(&asked.link) else { return };
        one.checks.push_back((asked, check));
        self.check(asked.link);
    }

    /// So many signatures of a link's command are looked after.
    pub(super) fn checked(&mut self, link: LinkId, signatures: usize) {
        self.signatures = self.signatures.saturating_sub(signatures);
        if let Some(one) = self.links.get_mut(&link) {
            one.checking = false;
        }
        self.check(link);
    }

    /// Lets a link wait for its next signatures, unless it does or some of them are being looked after.
    fn check(&mut self, link: LinkId) {
        if let Some(one) = self.links.get_mut(&link)
            && !one.checking
            && !one.checks.is_empty()
        {
            one.checking = true;
            self.turns.checks.push_back(link);
        }
        self.next_checks();
    }

    /// Begins with signatures, as long as the workers take more. Keys are looked up only now: else those who ask without end
    /// would fill the row of the engine for everybody.
    fn next_checks(&mut self) {
        while let Some(link) = self.turns.checks.front() {
            let waits = self.links.get_mut(link).map(|one| &mut one.checks);
            let count =
                waits.as_ref().and_then(|waits| waits.front()).map_or(0, |(_, check)| check.signatures());
            let under_check = self.signatures.saturating_add(count);
            if self.signatures > 0 && under_check > self.limits.signatures {
                return;
            }
            self.turns.checks.pop_front();
            if let Some((asked, check)) = waits.and_then(VecDeque::pop_front) {
                self.signatures = under_check;
                self.begin_check(asked, check);
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
