//! Queues that live on because somebody is there for them (rule Q13). The engine is asked for some at a time, and for the next
//! when those are done: who subscribes without end fills nothing but a set, other things are stored between, and what could not be
//! renewed has its turn.

use std::collections::VecDeque;

use beresta_proto::time::{MINUTE_MS, Timestamp};

use super::again::Again;
use crate::queue::QueueRef;

/// Queues that are renewed together.
pub(super) const TOGETHER: usize = 1_024;

#[derive(Debug)]
pub(super) struct Renewals {
    /// Those to be renewed, each once, in turn.
    wanted: Again,
    /// Those that could not be. A queue that its reader was told of must not end for that.
    failed: Again,
    /// The part of them that is tried now: one at a time, because one that can't be renewed fails all that are with it.
    singly: VecDeque<QueueRef>,
    /// Whether one of these is next, if there is one.
    single_is_next: bool,
    /// Whether the engine was asked and has not answered.
    asked: bool,
}

impl Default for Renewals {
    fn default() -> Self {
        let (wanted, failed) = (Again::new(0), Again::new(MINUTE_MS));
        Self { wanted, failed, singly: VecDeque::new(), single_is_next: false, asked: false }
    }
}

impl Renewals {
    /// Somebody is there for a queue.
    pub(super) fn add(&mut self, queue: QueueRef, now: Timestamp) {
        self.wanted.add(queue, now);
    }

    /// What to ask the engine for now, if it has answered.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Vec<QueueRef>> {
        if self.asked {
            return None;
        }
        // In turn: there is always somebody who subscribes, and a queue that nobody subscribes to again would end.
        let turns =
            if self.single_is_next { [Self::single, Self::several] } else { [Self::several, Self::single] };
        let some = turns.into_iter().map(|turn| turn(self, now)).find(|some| !some.is_empty());
        self.asked = some.is_some();
        some
    }

    fn several(&mut self, now: Timestamp) -> Vec<QueueRef> {
        self.single_is_next = true;
        self.wanted.due(now, TOGETHER)
    }

    fn single(&mut self, _: Timestamp) -> Vec<QueueRef> {
        self.single_is_next = false;
        self.singly.pop_front().into_iter().collect()
    }

    /// The engine answered.
    pub(super) fn answered(&mut self, queues: Vec<QueueRef>, done: bool, now: Timestamp) {
        self.asked = false;
        for queue in queues.into_iter().filter(|_| !done) {
            self.failed.add(queue, now);
        }
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        let due = self.failed.due(now, TOGETHER.saturating_sub(self.singly.len()));
        self.singly.extend(due);
    }

    /// When [`Renewals::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.failed.next()
    }

    /// The clock may have been set back.
    pub(super) fn follow_clock(&mut self, now: Timestamp) {
        self.wanted.follow_clock(now);
        self.failed.follow_clock(now);
    }
}
