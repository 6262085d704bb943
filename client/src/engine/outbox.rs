//! From the outbox to the relay: fresh capsules, and what follows from each answer.

use beresta_proto::capsule::{ReplyKey, SealedReply, SendOrder, SendReply, Session};
use beresta_proto::command::Command;
use beresta_proto::envelope::Envelope;
use beresta_proto::id::{MessageId, RelayId};
use beresta_proto::reply::{Refusal, Reply};
use beresta_proto::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};

use super::Engine;
use super::line::Line;
use super::sweep::start_timer;
use crate::store::contact::{ContactId, ContactState};
use crate::store::event::EventKind;
use crate::store::message::MessageState;
use crate::store::outbox::{Held, OutboxId, Outgoing};
use crate::store::queue::{PeerQueue, PeerQueueId};
use crate::store::{StoreError, Tx};

/// First pause before an envelope is tried again; doubles.
const RETRY_FIRST_MS: u64 = 2 * SECOND_MS;
/// Longest pause between tries at a relay that can be reached.
const RETRY_LONGEST_MS: u64 = 10 * MINUTE_MS;
/// First and longest pause where the other side's queue is full: only its reader can make room, and says so.
const FULL_FIRST_MS: u64 = 5 * MINUTE_MS;
const FULL_LONGEST_MS: u64 = 6 * HOUR_MS;
/// Who is told to come back later than this with a long text lets others go past it: the relay has no room for it (rule Q16). A
/// shorter pause says that it failed, and texts keep their order.
const NO_ROOM_SECS: u32 = 60;
/// Capsules in flight at one relay. More gain nothing on a bad line, and a crash repeats them all.
pub(super) const IN_FLIGHT: usize = 32;

/// Why an envelope is not at its relay yet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unsent {
    /// The line broke, or the relay refused it.
    Broken,
    /// The relay takes it in so many milliseconds, and not before.
    Later(u64),
    /// The same, because it is a long text and others would be taken.
    TooLong(u64),
    /// Its queue is full.
    Full,
}

impl Unsent {
    /// What holds it from now on. A try that says nothing of that leaves it held for its length: what others go past would be waited
    /// for again at each broken line.
    fn holds(self, before: Held) -> Held {
        match self {
            Self::Broken | Self::Later(_) if before == Held::TooLong => Held::TooLong,
            Self::Broken | Self::Later(_) => Held::No,
            Self::TooLong(_) => Held::TooLong,
            Self::Full => Held::QueueFull,
        }
    }
}

impl Engine {
    /// Seals one envelope into a fresh capsule for the relay. None if the relay's keys are not known yet.
    pub(super) fn capsule(
        &mut self,
        queue: &PeerQueue,
        outgoing: &Outgoing,
        now: Timestamp,
    ) -> Option<(Command, ReplyKey)> {
        let address = &queue.address;
        let relay = address.relay.relay;
        let Some(Line::Up(up)) = self.lines.get(&relay) else { return None };
        let epoch = up.epoch_key(now)?;
        let order = order(queue, outgoing);
        let rng = &mut self.rng;
        let key = (relay, address.send_id);
        let session = match self.sessions.remove(&key) {
            Some(session) if session.key_id() == epoch.id() => session,
            Some(_) | None => Session::new(relay, epoch.public.clone(), rng),
        };
        let session = self.sessions.entry(key).or_insert(session);
        let (capsule, reply) = session.seal(&order, rng).ok()?;
        Some((Command::Send { capsule }, reply))
    }

    /// Nothing more is sealed for a queue: whoever moves without end must not fill our memory.
    pub(super) fn forget_session(&mut self, queue: &PeerQueue) {
        self.sessions.remove(&(queue.address.relay.relay, queue.address.send_id));
    }

    /// What a relay said to a capsule. What it cannot have said so is treated as a broken try. Where its envelope was sealed
    /// anew for another queue meanwhile, only that one's answer counts (rule I11).
    pub(super) fn sent(
        &mut self,
        tx: &Tx<'_>,
        relay: RelayId,
        (outbox, queue): (OutboxId, PeerQueueId),
        reply_key: &ReplyKey,
        reply: Reply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let waiting = tx.outgoing(outbox)?.filter(|outgoing| outgoing.queue == queue);
        let Some(outgoing) = waiting else { return Ok(()) };
        let answer = match reply {
            Reply::Sent(sealed) => open(reply_key, &sealed),
            Reply::Refused(Refusal::Unopenable) => {
                self.unopenable(relay, now);
                None
            }
            Reply::Refused(_)
            | Reply::Done
            | Reply::Descriptor { .. }
            | Reply::QueueMade { .. }
            | Reply::Subscribed(_)
            | Reply::Blob(_) => None,
        };
        match answer {
            Some(SendReply::Stored) => self.stored(tx, &outgoing, now),
            Some(SendReply::Gone) => self.queue_gone(tx, outgoing, now),
            Some(SendReply::QueueFull) => self.again(tx, outgoing, Unsent::Full, now),
            Some(SendReply::Later { seconds }) => {
                let asked = u64::from(seconds).saturating_mul(SECOND_MS);
                if outgoing.is_long_text() && seconds >= NO_ROOM_SECS && outgoing.held != Held::TooLong {
                    self.too_long_now(tx, outgoing, asked, now)
                } else {
                    self.again(tx, outgoing, Unsent::Later(asked), now)
                }
            }
            None => self.again(tx, outgoing, Unsent::Broken, now),
        }
    }

    /// Its relay takes no long text for so many milliseconds: the person hears why it waits, and what is none goes past it.
    fn too_long_now(
        &mut self,
        tx: &Tx<'_>,
        outgoing: Outgoing,
        asked: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (contact, message) = (outgoing.contact, outgoing.message);
        self.again(tx, outgoing, Unsent::TooLong(asked), now)?;
        match message {
            Some(row) if tx.message(row)?.is_some_and(|one| one.state == MessageState::Queued) => {
                self.message_changed(tx, contact, row, now)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn stored(&mut self, tx: &Tx<'_>, outgoing: &Outgoing, now: Timestamp) -> Result<(), StoreError> {
        tx.delete_outgoing(outgoing.id)?;
        tx.set_gone(outgoing.queue, false)?;
        if let Some(row) = outgoing.message
            && let Some(mut message) = tx.message(row)?
            && matches!(message.state, MessageState::Queued | MessageState::AtRelay)
        {
            message.fails = Some(self.later_clock(tx, now)?.plus(outgoing.ttl.millis()));
            let news = message.state == MessageState::Queued;
            if news {
                message.state = MessageState::AtRelay;
                start_timer(&mut message, now);
            }
            tx.update_message(&message)?;
            if news {
                self.message_changed(tx, outgoing.contact, row, now)?;
            }
        }
        Ok(())
    }

    /// The queue is gone. Where the contact moved meanwhile or gave more than one (rule Q12), the same inside goes to the
    /// next queue; else it failed.
    fn queue_gone(&mut self, tx: &Tx<'_>, mut outgoing: Outgoing, now: Timestamp) -> Result<(), StoreError> {
        let old = tx.peer_queue_by_id(outgoing.queue)?;
        self.forget_session(&old);
        let next = tx.next_peer_queue(&old)?;
        match next.filter(|next| self.seal_anew(&mut outgoing, &old, next, now)) {
            Some(_) => tx.update_outgoing(&outgoing),
            None => {
                self.lost_each_other(tx, &outgoing, now)?;
                self.not_to_be_met(tx, &outgoing, now)
            }
        }
    }

    /// A contact's last queue is gone. Where they know of none of ours either, as after their relay and ours lost all queues, no word
    /// of a fresh one reaches anybody, and who only waits for mail would wait for ever: the person is told.
    fn lost_each_other(
        &mut self,
        tx: &Tx<'_>,
        outgoing: &Outgoing,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.set_gone(outgoing.queue, true)?;
        if tx.tells_lost(outgoing.contact)? {
            self.event(tx, EventKind::LostEachOther, Some(outgoing.contact), now)?;
        }
        Ok(())
    }

    /// What waits for a contact goes to the queue to which they are written now (rule I11): the one before may be at a relay
    /// that is gone for good, and what is written from now on must not overtake it.
    pub(super) fn follow(
        &mut self,
        tx: &Tx<'_>,
        contact: ContactId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(fresh) = tx.peer_queue(contact)? else { return Ok(()) };
        for mut outgoing in tx.outgoing_to(contact)? {
            let old = tx.peer_queue_by_id(outgoing.queue)?;
            let same = old.address.send_id == fresh.address.send_id
                && old.address.relay.relay == fresh.address.relay.relay;
            if !same && self.seal_anew(&mut outgoing, &old, &fresh, now) {
                tx.update_outgoing(&outgoing)?;
            }
        }
        Ok(())
    }

    /// Puts the same inside into a new envelope for another queue (rule E2): false where it does not open. The id is a new
    /// one, so that two relays that keep what they saw do not find out that both queues are one person's.
    fn seal_anew(
        &mut self,
        outgoing: &mut Outgoing,
        old: &PeerQueue,
        new: &PeerQueue,
        now: Timestamp,
    ) -> bool {
        let Ok(inside) = outgoing.envelope.open(&old.address.key) else { return false };
        let Ok(envelope) = Envelope::seal(&new.address.key, &inside, &mut self.rng) else { return false };
        (outgoing.queue, outgoing.envelope) = (new.id, envelope);
        outgoing.transport = MessageId::random(&mut self.rng);
        (outgoing.attempts, outgoing.held, outgoing.due) = (0, Held::No, now);
        true
    }

    /// An envelope did not arrive. Where it was for somebody whose invite we accepted and who has not answered, they
    /// cannot be met by it any more: the person is told, and may meet them by another one (rule I8).
    pub(super) fn not_to_be_met(
        &mut self,
        tx: &Tx<'_>,
        outgoing: &Outgoing,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let contact = tx.contact(outgoing.contact)?;
        if contact.state == ContactState::Meeting && tx.peer_queue(contact.id)?.is_some() {
            // Without an address nothing more is written for nobody, and an invite of ours may be used by them.
            tx.replace_peer_queues(contact.id, &[])?;
            self.event(tx, EventKind::NotToBeMet, Some(contact.id), now)?;
        }
        self.give_up(tx, outgoing, now)
    }

    /// An envelope that cannot arrive any more.
    pub(super) fn give_up(
        &mut self,
        tx: &Tx<'_>,
        outgoing: &Outgoing,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.delete_outgoing(outgoing.id)?;
        if let Some(row) = outgoing.message {
            self.message_failed(tx, row, now)?;
        }
        Ok(())
    }

    pub(super) fn message_changed(
        &mut self,
        tx: &Tx<'_>,
        contact: ContactId,
        row: crate::store::message::MessageRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.insert_event(&crate::store::event::EventRow {
            seq: 0,
            time: now,
            kind: EventKind::MessageChanged,
            contact: Some(contact),
            message: Some(row),
            invite: None,
        })?;
        Ok(())
    }

    /// Tries again after a pause that doubles for as long as tries end alike: what broken lines drew out says nothing of
    /// a queue that is full. By chance half as long or half as long again (rule L9): what was refused together must not come
    /// together again.
    pub(super) fn again(
        &mut self,
        tx: &Tx<'_>,
        mut outgoing: Outgoing,
        why: Unsent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let held = why.holds(outgoing.held);
        if outgoing.held != held {
            (outgoing.attempts, outgoing.held) = (0, held);
        }
        let (first, at_least, longest) = match why {
            Unsent::Broken => (RETRY_FIRST_MS, 0, RETRY_LONGEST_MS),
            Unsent::Later(ms) | Unsent::TooLong(ms) => {
                let asked = ms.clamp(RETRY_FIRST_MS, RETRY_LONGEST_MS);
                (asked, asked, RETRY_LONGEST_MS)
            }
            Unsent::Full => (FULL_FIRST_MS, 0, FULL_LONGEST_MS),
        };
        let pause = first.saturating_mul(1 << outgoing.attempts.min(20)).min(longest);
        outgoing.attempts = outgoing.attempts.saturating_add(1);
        outgoing.due = now.plus(at_least.max(pause / 2)).plus(self.rng.below(pause));
        tx.update_outgoing(&outgoing)
    }

    /// The line broke under a capsule: the next line tries it again at once.
    pub(super) fn unsent(
        &mut self,
        tx: &Tx<'_>,
        (outbox, queue): (OutboxId, PeerQueueId),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match tx.outgoing(outbox)?.filter(|outgoing| outgoing.queue == queue) {
            Some(outgoing) => self.again(tx, outgoing, Unsent::Broken, now),
            None => Ok(()),
        }
    }
}

/// What the relay is ordered to do with an envelope.
pub(super) fn order(queue: &PeerQueue, outgoing: &Outgoing) -> SendOrder {
    SendOrder {
        queue: queue.address.send_id,
        capability: queue.address.capability.clone(),
        message: outgoing.transport,
        ttl: outgoing.ttl,
        envelope: outgoing.envelope.clone(),
    }
}

fn open(key: &ReplyKey, sealed: &SealedReply) -> Option<SendReply> {
    key.open(sealed).ok()
}
