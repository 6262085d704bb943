//! Queues with which something failed, to be tried again a little later: in turn, so that those which fail without end keep
//! no other from it.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included, Unbounded};

use beresta_proto::time::Timestamp;

use crate::queue::QueueRef;

#[derive(Debug)]
pub(super) struct Again {
    /// Milliseconds between two tries.
    after: u64,
    at: Timestamp,
    queues: BTreeSet<QueueRef>,
    /// The one that was tried last: the next turn begins behind it.
    last: Option<QueueRef>,
}

impl Again {
    pub(super) const fn new(after: u64) -> Self {
        Self { after, at: Timestamp(0), queues: BTreeSet::new(), last: None }
    }

    /// It failed. One that fails later must not put off the others.
    pub(super) fn add(&mut self, queue: QueueRef, now: Timestamp) {
        if self.queues.is_empty() {
            self.at = now.plus(self.after);
        }
        self.queues.insert(queue);
    }

    /// Takes what is to be tried now, so many of them.
    pub(super) fn due(&mut self, now: Timestamp, most: usize) -> Vec<QueueRef> {
        if self.queues.is_empty() || now < self.at {
            return Vec::new();
        }
        self.at = now.plus(self.after);
        let behind = self.last.map_or(Unbounded, Excluded);
        let before = self.last.map(|last| self.queues.range((Unbounded, Included(last))));
        let turn = self.queues.range((behind, Unbounded)).chain(before.into_iter().flatten());
        let due: Vec<QueueRef> = turn.take(most).copied().collect();
        self.last = due.last().copied();
        for queue in &due {
            self.queues.remove(queue);
        }
        due
    }

    /// When something is to be tried, if anything is.
    pub(super) fn next(&self) -> Option<Timestamp> {
        (!self.queues.is_empty()).then_some(self.at)
    }

    /// The clock may have been set back: nothing waits until it is there again.
    pub(super) fn follow_clock(&mut self, now: Timestamp) {
        self.at = self.at.min(now.plus(self.after));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_without_end_keeps_no_other_from_its_turn() {
        let (mut again, mut now, mut tried) = (Again::new(2), Timestamp(100), BTreeSet::new());
        (0..5).for_each(|queue| again.add(QueueRef(queue), now));
        assert_eq!((again.next(), again.due(now, 2)), (Some(Timestamp(102)), vec![]));
        for _ in 0..3 {
            now = again.next().unwrap();
            let due = again.due(now, 2);
            assert_eq!(due.len(), 2);
            due.iter().for_each(|queue| again.add(*queue, now));
            tried.extend(due);
        }
        assert_eq!(tried.len(), 5);
        again.follow_clock(Timestamp(7));
        assert_eq!(again.due(Timestamp(9), 9).len(), 5, "all, where there is room for all, each once");
        assert_eq!((again.next(), again.due(Timestamp(50), 9)), (None, vec![]));
    }
}
