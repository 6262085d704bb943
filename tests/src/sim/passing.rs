//! Messages that a relay pushes before it stores them, and stores only if nobody acknowledges them at once (rule Q14).
//!
//! The engine in memory stores at once. So what passes lies in it already, is left out of what is fetched, and is taken back
//! where a kill or a fault loses it.

use beresta_proto::time::Timestamp;
use beresta_server::queue::{Answer, Op, QueueRef};
use beresta_server::relay::Ticket;
use rand::Rng as _;
use rand_chacha::ChaCha20Rng;

use super::disk::{Disk, Fault};

/// A message that its relay was told of and that is not stored yet.
pub(super) struct Passing {
    ticket: Ticket,
    op: Op,
    queue: QueueRef,
    sequence: u64,
    stored: Answer,
}

impl Passing {
    /// Whether `other` is the same message for the same queue, sent again.
    fn is(&self, other: &Op) -> bool {
        match (&self.op, other) {
            (Op::Append { send, message, .. }, Op::Append { send: to, message: again, .. }) => {
                (send, message) == (to, again)
            }
            _ => false,
        }
    }
}

impl Disk {
    /// Carries an operation out. What is appended passes, if its reader is `quick`; what passes is settled by what comes
    /// after it.
    pub(super) fn pass(&mut self, ticket: Ticket, op: Op, quick: bool) -> Vec<(Ticket, Answer)> {
        if matches!(op, Op::Append { .. }) {
            return self.pass_append(ticket, op, quick);
        }
        // What waits for a queue's reader is acknowledged, or gone with the queue.
        let before = if let Op::DeleteQueue { queue } = &op { Some((*queue, u64::MAX)) } else { None };
        let after = if let Op::Acknowledge { queue, upto, .. } = &op { Some((*queue, *upto)) } else { None };
        let fetched = if let Op::Fetch { queue, .. } = &op { Some(*queue) } else { None };
        let mut answers = before.map_or_else(Vec::new, |(queue, upto)| self.store_upto(queue, upto));
        let mut answer = self.perform(op);
        if let (Some(queue), Answer::Messages(messages)) = (fetched, &mut answer) {
            messages.retain(|message| !self.passes(queue, message.sequence));
        }
        if let Answer::Found(found) = &mut answer {
            found.iter_mut().flatten().for_each(|record| record.last = Some(self.last_stored(record.queue)));
        }
        answers.push((ticket, answer));
        answers.extend(after.map_or_else(Vec::new, |(queue, upto)| self.store_upto(queue, upto)));
        answers
    }

    fn pass_append(&mut self, ticket: Ticket, op: Op, quick: bool) -> Vec<(Ticket, Answer)> {
        let mut answers = self.store_repeated(&op);
        if quick {
            answers.extend(self.admit(ticket, op));
            return answers;
        }
        let answer = self.perform(op);
        if let Answer::Appended { queue, .. } = &answer {
            // In the order of the queue.
            answers.extend(self.store_upto(*queue, u64::MAX));
        }
        answers.push((ticket, answer));
        answers
    }

    /// A message was not acknowledged in its time: it is stored, with all that passes before it. Or it can't be.
    pub(super) fn store_late(
        &mut self,
        ticket: Ticket,
        dice: &mut ChaCha20Rng,
    ) -> Vec<(Ticket, Answer, bool)> {
        let late = self.passing.iter().find(|one| one.ticket == ticket);
        let Some((queue, upto)) = late.map(|one| (one.queue, one.sequence)) else { return Vec::new() };
        let failed = match self.fault {
            Fault::Fails(percent) => (dice.random_range(0..100) < percent).then_some(Answer::Failed),
            Fault::Full => Some(Answer::Full),
            Fault::None => None,
        };
        let Some(failed) = failed else {
            let stored = self.store_upto(queue, upto).into_iter();
            return stored.map(|(ticket, answer)| (ticket, answer, false)).collect();
        };
        let lost = self.take_upto(queue, upto);
        lost.iter().for_each(|one| self.engine.withdraw(one.queue, one.sequence));
        lost.into_iter().map(|one| (one.ticket, failed.clone(), true)).collect()
    }

    /// A kill: of what passed the first so many had been stored, and the rest is gone. How many there were.
    pub(super) fn lose_passing(&mut self, dice: &mut ChaCha20Rng) -> usize {
        let passing = std::mem::take(&mut self.passing);
        let (all, stored) = (passing.len(), dice.random_range(0..=passing.len()));
        for (place, one) in passing.into_iter().enumerate() {
            if place < stored {
                self.known.compare(&one.op, &one.stored);
            } else {
                self.engine.withdraw(one.queue, one.sequence);
            }
        }
        all
    }

    /// Takes out of a copy of this disk what was not stored on it.
    pub(super) fn forget_passing(&self, copy: &Self) {
        self.passing.iter().for_each(|one| copy.engine.withdraw(one.queue, one.sequence));
    }

    fn admit(&mut self, ticket: Ticket, op: Op) -> Vec<(Ticket, Answer)> {
        let Op::Append { now, .. } = &op else { return Vec::new() };
        let now = *now;
        let stored = self.answer(op.clone());
        let Answer::Appended { queue, sequence, envelope } = &stored else {
            self.known.compare(&op, &stored);
            return vec![(ticket, stored)];
        };
        let (queue, sequence, envelope) = (*queue, *sequence, envelope.clone());
        self.known.placed(queue, sequence);
        let after = self.places(queue, now).into_iter().filter(|place| *place < sequence).max().unwrap_or(0);
        self.passing.push(Passing { ticket, op, queue, sequence, stored });
        vec![(ticket, Answer::Admitted { queue, sequence, after, envelope })]
    }

    /// The places in a queue of what has not ended, what passes included.
    fn places(&mut self, queue: QueueRef, now: Timestamp) -> Vec<u64> {
        let all = Op::Fetch { queue, after: 0, max_messages: usize::MAX, max_bytes: usize::MAX, now };
        let Answer::Messages(waiting) = self.answer(all) else { return Vec::new() };
        waiting.iter().map(|message| message.sequence).collect()
    }

    fn last_stored(&mut self, queue: QueueRef) -> u64 {
        let places = self.places(queue, Timestamp(0));
        places.into_iter().filter(|place| !self.passes(queue, *place)).max().unwrap_or(0)
    }

    fn passes(&self, queue: QueueRef, sequence: u64) -> bool {
        self.passing.iter().any(|one| one.queue == queue && one.sequence == sequence)
    }

    /// What is said of a repeat must be true of the first.
    fn store_repeated(&mut self, op: &Op) -> Vec<(Ticket, Answer)> {
        let first = self.passing.iter().find(|one| one.is(op)).map(|one| (one.queue, one.sequence));
        first.map_or_else(Vec::new, |(queue, sequence)| self.store_upto(queue, sequence))
    }

    fn store_upto(&mut self, queue: QueueRef, upto: u64) -> Vec<(Ticket, Answer)> {
        let stored = self.take_upto(queue, upto);
        stored.iter().for_each(|one| self.known.compare(&one.op, &one.stored));
        stored.into_iter().map(|one| (one.ticket, one.stored)).collect()
    }

    fn take_upto(&mut self, queue: QueueRef, upto: u64) -> Vec<Passing> {
        let meant = |one: &mut Passing| one.queue == queue && one.sequence <= upto;
        self.passing.extract_if(.., meant).collect()
    }
}
