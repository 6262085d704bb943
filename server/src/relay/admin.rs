//! What the operator asks of the core: take nobody new, let a queue go, stop.

use beresta_proto::reply::Push;
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::Relay;
use super::output::LinkId;
use super::tally::Tally;
use crate::queue::{Namer, QueueRef};

/// Seconds after which the reader of a queue that the operator deleted comes back, and learns that it is gone.
const DELETED_SECONDS: u16 = 1;

impl<R: Random> Relay<R> {
    /// From now on no queue and no blob is made, or again. What is there goes on.
    pub const fn handle_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether no queue and no blob is made.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// The relay stops: everybody is told to come back after some seconds between the two, drawn for each, or all would
    /// come at once.
    pub fn handle_stop(&mut self, soonest: u16, latest: u16) {
        let mut links: Vec<LinkId> = self.links.keys().copied().collect();
        // What is drawn for whom must not hang on the order of a map.
        links.sort_unstable();
        self.stopping = Some((soonest, latest));
        for link in links {
            self.send_away(link, soonest, latest);
        }
    }

    pub(super) fn send_away(&mut self, link: LinkId, soonest: u16, latest: u16) {
        let spread = u64::from(latest.saturating_sub(soonest)).saturating_add(1);
        let drawn = u64::from_be_bytes(self.rng.array()) % spread;
        let reconnect_after = soonest.saturating_add(u16::try_from(drawn).unwrap_or(0));
        self.push(link, &Push::GoAway { reconnect_after });
    }

    /// A queue was deleted by its operator. Its reader is sent away: only when it subscribes again does it learn that the
    /// queue is gone.
    pub fn handle_deleted(&mut self, queue: QueueRef) {
        if let Some(link) = self.forget_queue(queue) {
            self.push(link, &Push::GoAway { reconnect_after: DELETED_SECONDS });
        }
    }

    /// Forgets a queue that is gone: the link that it was pushed to.
    pub(super) fn forget_queue(&mut self, queue: QueueRef) -> Option<LinkId> {
        self.untold.remove(&queue);
        self.recogniser.forget_queue(queue);
        self.places.forget_queue(queue);
        let gone = self.deliveries.remove(&queue)?;
        if let Some(link) = self.links.get_mut(&gone.link) {
            link.leave(&gone.read_id);
        }
        self.tell_caught_up(gone.link);
        Some(gone.link)
    }

    /// How many links there are.
    #[must_use]
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// What became of commands, since the relay began.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The signed descriptor that is handed out.
    #[must_use]
    pub fn descriptor_in_use(&self) -> &[u8] {
        &self.descriptor
    }

    /// Milliseconds since the beginning of the day of the epoch key that senders are given. More than a day if a fresh one
    /// could not be written; none if there is none to give.
    #[must_use]
    pub fn epoch_age(&self, now: Timestamp) -> Option<u64> {
        self.epochs.age(now)
    }

    /// Makes the names that queues are kept under.
    #[must_use]
    pub const fn namer(&self) -> &Namer {
        &self.namer
    }
}
