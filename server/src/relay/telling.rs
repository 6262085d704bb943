//! What a link is told of its queues beside their messages: that another took them over, that it has caught up, that one
//! drained (rules Q7, Q8, Q17). What others can bring about again and again, for who takes nothing, waits for room; how much of
//! that can wait is bounded by what the link is subscribed to.

use beresta_proto::id::ReadId;
use beresta_proto::reply::Push;
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::Relay;
use super::delivery::Delivery;
use super::link::Link;
use super::output::LinkId;
use crate::queue::QueueRef;

impl<R: Random> Relay<R> {
    /// Tells a link what other links took over, in as few words as it has room for. The rest waits for [`Relay::room_again`].
    pub(super) fn tell_lost(&mut self, link: LinkId) {
        let mut told = false;
        loop {
            let room = self.room();
            let Some(queues) = self.links.get_mut(&link).and_then(|one| one.next_lost(room)) else { break };
            self.push(link, &Push::TakenOver { queues });
            told = true;
        }
        if told {
            self.tell_caught_up(link);
        }
    }

    /// A link asks for queues before it was told that it had lost them: it hears that first, for behind the answer it would
    /// take it for a second loss. That is no longer than what it asked with.
    pub(super) fn tell_lost_among(&mut self, link: LinkId, asked: &[ReadId]) {
        let Some(one) = self.links.get_mut(&link) else { return };
        let queues = one.lost_among(asked);
        if !queues.is_empty() {
            self.push(link, &Push::TakenOver { queues });
        }
    }

    /// Tells a link that all was pushed that waited for it, if that is so and was not told.
    pub(super) fn tell_caught_up(&mut self, link: LinkId) {
        if let Some(subscribed) = self.links.get_mut(&link).and_then(Link::catches_up) {
            self.push(link, &Push::CaughtUp { subscribed });
        }
    }

    /// A queue that had refused a message has room again: its subscriber is told, or the next one (rule Q8).
    pub(super) fn drained(&mut self, queue: QueueRef, now: Timestamp) {
        let Some(delivery) = self.deliveries.get_mut(&queue) else {
            return self.drained_for_nobody(queue);
        };
        delivery.drains();
        self.pump(queue, now);
    }

    fn drained_for_nobody(&mut self, queue: QueueRef) {
        // Bounded, because anybody may let queues drain that nobody ever reads, and that end: one of these makes way, whichever,
        // but not by chance, or a history could not be repeated.
        if self.untold.len() >= self.limits.untold && !self.untold.contains(&queue) {
            self.untold.pop_first();
        }
        self.untold.insert(queue);
    }

    /// A link ended: its queues are pushed to nobody.
    pub(super) fn end_deliveries(&mut self, link: LinkId, closed: &Link) {
        let mut drained = Vec::new();
        for queue in closed.subscribed.values() {
            if self.deliveries.get(queue).is_some_and(|delivery| delivery.link == link) {
                let ended = self.deliveries.remove(queue);
                drained.extend(ended.filter(Delivery::is_drained).map(|_| *queue));
            }
        }
        // Which of them are remembered must not hang on the order of a map.
        drained.sort_unstable();
        drained.into_iter().for_each(|queue| self.drained_for_nobody(queue));
    }
}
