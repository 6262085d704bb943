//! A relay's disk: the memory engine behind a commit that takes time, and may fail, or come to nothing because the relay
//! is killed before it, or stay unanswered because the relay is killed after it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp};
use beresta_server::queue::memory::MemoryEngine;
use beresta_server::queue::rules::Cap;
use beresta_server::queue::{
    Answer, MessageName, Op, QueueEngine as _, QueueRecord, QueueRef, ReadName, SendName, Stats,
};
use beresta_server::relay::Ticket;
use rand::Rng as _;
use rand_chacha::ChaCha20Rng;

use super::model::Violation;
use super::passing::Passing;

/// Bytes that a relay may hold.
const BYTES: u64 = 64 * 1024 * 1024;

/// What is wrong with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Of a hundred operations so many fail.
    Fails(u8),
    /// Nothing new fits.
    Full,
}

/// The disk of one relay.
pub(super) struct Disk {
    pub(super) engine: MemoryEngine,
    pub(super) pending: VecDeque<(Ticket, Op)>,
    pub(super) passing: Vec<Passing>,
    pub(super) fault: Fault,
    /// The private epoch keys.
    pub(super) epochs: Option<Vec<u8>>,
    pub(super) known: Known,
}

/// What is known of a disk by the protocol's text, to compare its answers with.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// When each message id was taken last.
    taken: BTreeMap<(SendName, MessageName), Timestamp>,
    /// The last place of each queue, and up to which it was said to have arrived.
    last: BTreeMap<QueueRef, u64>,
    arrived: BTreeMap<QueueRef, u64>,
    /// When each message must be gone.
    ends: BTreeMap<(QueueRef, u64), Timestamp>,
    /// Queues that nobody subscribed to yet, and whether something was put into them.
    unheard: BTreeMap<QueueRef, bool>,
    broken: Option<Violation>,
}

/// For so long an id is known at least, after its message was taken (rule Q5).
const ID_MS: u64 = 54 * HOUR_MS;

impl Known {
    /// A message was given this place, and it was told, whether the message is stored or not (rule Q14).
    pub(super) fn placed(&mut self, queue: QueueRef, sequence: u64) {
        let before = self.last.insert(queue, sequence).unwrap_or(0);
        if sequence <= before {
            self.broken.get_or_insert(Violation("a relay gave a place twice".to_owned()));
        }
    }

    /// Compares an answer with what was known before it.
    pub(super) fn compare(&mut self, op: &Op, answer: &Answer) {
        let what = match (op, answer) {
            (Op::Append { send, message, ttl, now, .. }, Answer::Appended { queue, sequence, .. }) => {
                let again = self.taken.insert((*send, *message), *now);
                // It stays to the end of its hour or day at the most (rule Q9).
                self.unheard.entry(*queue).and_modify(|used| *used = true);
                self.ends.insert((*queue, *sequence), now.plus(ttl.millis()).plus(DAY_MS));
                if again.is_some_and(|then| now.since(then) < ID_MS) {
                    "a relay took a message id twice"
                } else {
                    return;
                }
            }
            (Op::MakeQueue { .. }, Answer::Made(queue)) => {
                self.unheard.insert(*queue, false);
                return;
            }
            (Op::Renew { queues, .. }, Answer::Done) => {
                self.unheard.retain(|queue, _| !queues.contains(queue));
                return;
            }
            (Op::Acknowledge { queue, upto, .. }, Answer::Acknowledged { .. }) => {
                let arrived = self.arrived.entry(*queue).or_insert(0);
                *arrived = (*arrived).max(*upto);
                return;
            }
            (Op::Fetch { queue, now, .. }, Answer::Messages(messages)) => {
                let arrived = self.arrived.get(queue).copied().unwrap_or(0);
                let over = |place| self.ends.get(&(*queue, place)).is_some_and(|end| end <= now);
                if messages.iter().any(|message| message.sequence <= arrived) {
                    "a relay holds what has arrived"
                } else if messages.iter().any(|message| over(message.sequence)) {
                    "a relay gives what has ended"
                } else {
                    return;
                }
            }
            _ => return,
        };
        self.broken.get_or_insert(Violation(what.to_owned()));
    }
}

impl Disk {
    pub(super) fn new() -> Self {
        let engine = MemoryEngine::new(Cap { bytes: BYTES });
        let (pending, passing) = (VecDeque::new(), Vec::new());
        Self { engine, pending, passing, fault: Fault::None, epochs: None, known: Known::default() }
    }

    /// Takes an operation; [`Disk::carry_out`] does it.
    pub(super) fn submit(&mut self, ticket: Ticket, op: Op) {
        self.pending.push_back((ticket, op));
    }

    /// Carries the oldest operation out: what is answered, in that order, and whether a fault made the answer.
    pub(super) fn carry_out(&mut self, dice: &mut ChaCha20Rng) -> Vec<(Ticket, Answer, bool)> {
        let Some((ticket, op)) = self.pending.pop_front() else { return Vec::new() };
        let grows = matches!(op, Op::MakeQueue { .. } | Op::Append { .. } | Op::PutBlob { .. });
        match self.fault {
            Fault::Fails(percent) if dice.random_range(0..100) < percent => {
                vec![(ticket, Answer::Failed, true)]
            }
            Fault::Full if grows => vec![(ticket, Answer::Full, true)],
            Fault::None | Fault::Fails(_) | Fault::Full => {
                let quick = dice.random_bool(0.5);
                let answers = self.pass(ticket, op, quick);
                answers.into_iter().map(|(ticket, answer)| (ticket, answer, false)).collect()
            }
        }
    }

    /// The relay is killed: of what was under way the first so many are carried out, and nobody hears of it.
    pub(super) fn kill(&mut self, dice: &mut ChaCha20Rng) -> usize {
        let mut lost = self.lose_passing(dice);
        lost += self.pending.len();
        let done = dice.random_range(0..=self.pending.len());
        for (_, op) in std::mem::take(&mut self.pending).into_iter().take(done) {
            self.perform(op);
        }
        lost
    }

    /// What was answered or kept that should not be, the first of it.
    pub(super) fn broken(&mut self) -> Option<Violation> {
        self.known.broken.take()
    }

    /// Carries an operation out and compares what is there then with what should be.
    pub(super) fn perform(&mut self, op: Op) -> Answer {
        let answer = self.answer(op.clone());
        if let Answer::Appended { queue, sequence, .. } = &answer {
            self.known.placed(*queue, *sequence);
        }
        self.known.compare(&op, &answer);
        match (op, &answer) {
            // Not even a new link is given what has arrived.
            (Op::Acknowledge { queue, now, .. }, Answer::Acknowledged { .. }) => {
                let all = Op::Fetch { queue, after: 0, max_messages: usize::MAX, max_bytes: usize::MAX, now };
                let held = self.answer(all.clone());
                self.known.compare(&all, &held);
            }
            (Op::Expire { now, .. }, Answer::Expired { more: false, .. })
                if self.stats().first_end.is_some_and(|end| end <= now) =>
            {
                let what = "a relay holds what has ended";
                self.known.broken.get_or_insert(Violation(what.to_owned()));
            }
            _ => {}
        }
        answer
    }

    /// Whether somebody wrote to a queue that its reader never subscribed to (docs/known-issues.md).
    pub(super) fn was_unheard(&self) -> bool {
        self.known.unheard.values().any(|used| *used)
    }

    /// What is held.
    pub(super) fn stats(&self) -> Stats {
        let Answer::Stats(stats) = self.answer(Op::Stats) else {
            panic!("the engine answers what it is asked")
        };
        stats
    }

    /// How many messages wait in a queue.
    pub(super) fn waiting(&self, read: ReadName, now: Timestamp) -> usize {
        let Answer::Found(found) = self.answer(Op::Find { reads: vec![read] }) else { return 0 };
        let (Some(QueueRecord { queue, .. }), max) = (found[0], usize::MAX) else { return 0 };
        let all = Op::Fetch { queue, after: 0, max_messages: max, max_bytes: max, now };
        let Answer::Messages(messages) = self.answer(all) else { return 0 };
        messages.len()
    }

    pub(super) fn answer(&self, op: Op) -> Answer {
        let place = Arc::new(Mutex::new(None));
        let put = Arc::clone(&place);
        self.engine.submit(op, Box::new(move |answer| *put.lock().unwrap() = Some(answer)));
        let answer = place.lock().unwrap().take();
        answer.expect("the memory engine answers at once")
    }
}
