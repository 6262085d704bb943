//! Which links are of use to somebody, for when places are short (rule L11).
//!
//! Beside the link that reads it a queue vouches for two: the one that read it before, because two programs of one person must not
//! take it from each other for ever, and the one that a message for it came by last, for a while. No more: else one queue, or
//! one capability, would be good for as many places as somebody likes.

use std::collections::HashMap;

use beresta_proto::time::{SECOND_MS, Timestamp};

use super::output::LinkId;
use crate::queue::QueueRef;

/// For so long a link may be of no use to anybody: half as long again as a client keeps one by which it has nothing more to say.
pub(super) const UNUSED_MS: u64 = 90 * SECOND_MS;

/// How a link is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Use {
    /// It read a queue, and another link took that over.
    Read,
    /// It sent a message that was stored.
    Sent,
}

/// What vouches for links that are subscribed to nothing.
#[derive(Debug, Default)]
pub(super) struct Places {
    links: HashMap<(QueueRef, Use), LinkId>,
    /// The queue that was last, and when: of each link one for each use.
    queues: HashMap<(LinkId, Use), (QueueRef, Timestamp)>,
}

impl Places {
    /// A message for a queue came by a link, and was stored.
    pub(super) fn sent(&mut self, link: LinkId, queue: QueueRef, now: Timestamp) {
        self.vouch(link, queue, Use::Sent, now);
    }

    /// A queue was taken over from a link.
    pub(super) fn lost(&mut self, link: LinkId, queue: QueueRef, now: Timestamp) {
        self.vouch(link, queue, Use::Read, now);
    }

    fn vouch(&mut self, link: LinkId, queue: QueueRef, by: Use, now: Timestamp) {
        let before = self.queues.insert((link, by), (queue, now));
        if let Some((before, _)) = before.filter(|(before, _)| *before != queue) {
            self.drop_for(link, before, by);
        }
        self.links.insert((queue, by), link);
    }

    fn drop_for(&mut self, link: LinkId, queue: QueueRef, by: Use) {
        if self.links.get(&(queue, by)) == Some(&link) {
            self.links.remove(&(queue, by));
        }
    }

    fn end(&mut self, link: LinkId, by: Use) {
        if let Some((queue, _)) = self.queues.remove(&(link, by)) {
            self.drop_for(link, queue, by);
        }
    }

    /// A link ended.
    pub(super) fn closed(&mut self, link: LinkId) {
        [Use::Read, Use::Sent].into_iter().for_each(|by| self.end(link, by));
    }

    /// Forgets by which links something was sent a while ago: it vouches for nobody any more, and a seized relay would tell to whose
    /// queue a link that lasts for months sent last.
    pub(super) fn forget_sent(&mut self, now: Timestamp) {
        let is_over = |at: &Timestamp| *at > now || now.since(*at) >= UNUSED_MS;
        let sent = self.queues.iter().filter(|((_, by), (_, at))| *by == Use::Sent && is_over(at));
        for link in sent.map(|((link, _), _)| *link).collect::<Vec<_>>() {
            self.end(link, Use::Sent);
        }
    }

    /// A queue is no more.
    pub(super) fn forget_queue(&mut self, queue: QueueRef) {
        for by in [Use::Read, Use::Sent] {
            self.links.remove(&(queue, by));
        }
    }

    /// Whether some queue vouches for a link.
    pub(super) fn vouches(&self, link: LinkId, now: Timestamp) -> bool {
        [Use::Read, Use::Sent].into_iter().any(|by| {
            self.queues.get(&(link, by)).is_some_and(|(queue, at)| {
                let lately = match by {
                    Use::Read => true,
                    // What was before a clock was set back ends at once.
                    Use::Sent => *at <= now && now.since(*at) < UNUSED_MS,
                };
                lately && self.links.get(&(*queue, by)) == Some(&link)
            })
        })
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.links.len(), self.queues.len())
    }
}
