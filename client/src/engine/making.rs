//! Making queues for contacts who are to be told of one: after a move, or where a relay lost ours, for all of them at once.
//!
//! A few at a time: a relay hangs up on who asks for too much, and what was made on that link and kept by nobody (rule I12) is lost.
//! The next link would make as many in vain, for as much of an operator's code.

use beresta_proto::id::RelayId;
use beresta_proto::limits::SENDER_AHEAD;
use beresta_proto::reply::Refusal;
use beresta_proto::time::{MINUTE_MS, SECOND_MS, Timestamp};

use super::Engine;
use super::compose::{peer, sent_ahead};
use super::invite::{MadeQueue, Purpose};
use super::line::{Flight, Line, Up};
use crate::store::contact::ContactId;
use crate::store::{StoreError, Tx};

/// Queues that are being made at once, from what asks for one to the answer to its first subscription; until one was read on this
/// link, only one: a relay may have no room for any.
const MADE_AT_ONCE: usize = 16;
/// At most so many are begun in each such while, however fast the relay answers: 32 in a second, half of what it lets one link ask
/// for, so that what is said meanwhile has the other half, and few enough for 400 contacts to be told within a quarter of a minute.
const MADE_WITHIN_MS: u64 = SECOND_MS / 2;

/// So often a relay is asked for what it says that it failed to read, before another queue is made: what it broke for good must not keep
/// it from making the next.
const READ_TRIES: u32 = 5;

/// For one contact a queue is made at most this often. A relay that forgets each at once would otherwise have us tell
/// the contact of a new one without end, and each time costs a step of the ratchet.
pub(super) const FRESH_QUEUE_MS: u64 = 10 * MINUTE_MS;

/// What is being made on one link.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// How many were begun since when.
    begun: usize,
    since: Timestamp,
    /// Whether others wait for the next while.
    held: bool,
    /// Whether a queue that was made is read.
    pub(super) works: bool,
    /// Made, and their first subscription was refused: it is asked for again, or they would have been made, and paid for, for nothing.
    unread: Vec<MadeQueue>,
}

impl Making {
    /// When those that wait may be begun.
    pub(super) fn wakes(&self) -> Option<Timestamp> {
        self.held.then(|| self.since.plus(MADE_WITHIN_MS))
    }

    const fn at_once(&self) -> usize {
        if self.works { MADE_AT_ONCE } else { 1 }
    }

    fn may_begin(&mut self, now: Timestamp) -> bool {
        // A clock that was set back begins anew.
        if now < self.since || now.since(self.since) >= MADE_WITHIN_MS {
            (self.begun, self.since) = (0, now);
        }
        self.begun < MADE_AT_ONCE
    }
}

impl Up {
    /// Whether a queue is being made for what `is` says, or was made and is not read yet.
    fn is_begun(&self, is: impl Fn(&Purpose) -> bool) -> bool {
        self.is_making(&is) || self.making.unread.iter().any(|made| is(&made.queue.purpose))
    }

    fn begun(&self) -> usize {
        let making = self.flights.values().filter(|flight| flight.purpose().is_some()).count();
        making.saturating_add(self.making.unread.len())
    }

    /// Whether queues are being made, or are as soon as the relay is not asked for too much.
    pub(super) fn goes_on_making(&self, now: Timestamp) -> bool {
        self.is_making(|_| true) || self.making.held && !self.rests(now)
    }
}

impl Engine {
    /// Makes queues for the contacts that need one.
    pub(super) fn progress_contacts(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        needing: &[ContactId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.read_what_was_made(relay);
        let Some(Line::Up(up)) = self.lines.get_mut(&relay) else { return Ok(()) };
        up.making.held = false;
        if needing.is_empty() || tx.profile()?.home.is_none_or(|home| home.relay != relay) {
            return Ok(());
        }
        for contact in needing.iter().copied() {
            if self.fresh.contains_key(&contact) || !self.may_be_prompted(contact, now) {
                continue;
            }
            let Some(Line::Up(up)) = self.lines.get_mut(&relay) else { return Ok(()) };
            // One after the other, once it shows how many are read: what a crowded relay makes and has no room for is paid for, and lost.
            if self.turns.contains_key(&relay) && (up.any(Flight::is_subscription) || up.is_begun(|_| true)) {
                return Ok(());
            }
            if up.is_begun(|purpose| matches!(purpose, Purpose::Contact(id) if *id == contact)) {
                continue;
            }
            if up.begun() >= up.making.at_once() {
                return Ok(());
            }
            if !up.making.may_begin(now) {
                up.making.held = true;
                return Ok(());
            }
            if Self::is_at_cap(tx, contact)? {
                // They can be told once they were heard. Until then the queue that they know is read (rule I13).
                self.prompted.insert(contact, now);
                continue;
            }
            up.making.begun = up.making.begun.saturating_add(1);
            self.make_queue(tx, relay, Purpose::Contact(contact))?;
        }
        Ok(())
    }

    /// Whether a Meeting would be refused because too many messages are undelivered (rule S9): a queue that they can't be told of
    /// would be made, and paid for, again and again.
    fn is_at_cap(tx: &Tx<'_>, contact: ContactId) -> Result<bool, StoreError> {
        let ahead = sent_ahead(tx, &peer(&tx.contact(contact)?))?;
        Ok(ahead.is_some_and(|ahead| ahead >= SENDER_AHEAD))
    }

    /// The first subscription to a queue was refused. That of a wish is forgotten: its person was answered.
    pub(super) fn keep_unread(&mut self, relay: RelayId, mut made: MadeQueue, refusal: Refusal) {
        let Some(Line::Up(up)) = self.lines.get_mut(&relay) else { return };
        made.failed = made.failed.saturating_add(u32::from(refusal == Refusal::Failed));
        let fails = refusal == Refusal::Failed && made.failed < READ_TRIES;
        let for_now = refusal == Refusal::RateLimited || fails;
        if for_now && matches!(made.queue.purpose, Purpose::Contact(_)) {
            up.making.unread.push(made);
        }
    }

    fn read_what_was_made(&mut self, relay: RelayId) {
        let Some(Line::Up(up)) = self.lines.get_mut(&relay) else { return };
        let (exporter, unread) = (up.exporter, std::mem::take(&mut up.making.unread));
        for made in unread {
            if let Some(command) = made.subscription(&exporter) {
                self.transmit(relay, command, Flight::FirstSubscribe(Box::new(made)));
            }
        }
    }
}
