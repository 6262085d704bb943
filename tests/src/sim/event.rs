//! What is going to happen, in order of time and, at one moment, in the order in which it was decided.

use std::collections::BTreeMap;

use beresta_proto::time::Timestamp;
use beresta_proto::words::Words;
use beresta_server::queue::Answer;
use beresta_server::relay::{LinkId, Ticket, Worked};

use super::{At, Who};

/// Something under way. What belongs to one life of a relay carries its number, so that it means nothing to the next.
pub(super) enum Event {
    ToRelay(At, LinkId, Vec<u8>),
    ToPerson(Who, At, LinkId, Vec<u8>),
    PersonLoses(Who, At, LinkId),
    RelayLoses(At, LinkId),
    Linked(Who, At),
    DialFailed(Who, At),
    Disk(At, u64),
    Overdue(At, u64, Ticket),
    Stored(At, u64, Ticket, Answer),
    Worked(At, u64, Ticket, Worked),
    DiskMended(At),
    OwnDiskMended(Who),
    RelayUp(At),
    HandOver { from: Who, to: Who, link: Words, again: bool },
}

/// Everything under way.
#[derive(Default)]
pub(super) struct Events {
    queue: BTreeMap<(Timestamp, u64), Event>,
    next: u64,
}

impl Events {
    /// Lets something happen then.
    pub(super) fn at(&mut self, when: Timestamp, event: Event) {
        self.next += 1;
        self.queue.insert((when, self.next), event);
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.queue.keys().next().map(|(when, _)| *when)
    }

    /// The next thing that happens by `now`.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Event> {
        self.due_if(now, |_| true)
    }

    /// The next thing that happens by `now`, if it is what is looked for.
    pub(super) fn due_if(&mut self, now: Timestamp, is: impl FnOnce(&Event) -> bool) -> Option<Event> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= now && is(first.get())).then(|| first.remove())
    }
}
