//! A relay's disk: the memory engine behind a commit that takes time, and may fail, or come to nothing because the relay
//! is killed before it, or stay unanswered because the relay is killed after it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use beresta_server::queue::memory::MemoryEngine;
use beresta_server::queue::rules::Cap;
use beresta_server::queue::{Answer, Op, QueueEngine as _, Stats};
use beresta_server::relay::Ticket;
use rand::Rng as _;
use rand_chacha::ChaCha20Rng;

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
    engine: MemoryEngine,
    pending: VecDeque<(Ticket, Op)>,
    pub(super) fault: Fault,
    /// The private epoch keys.
    pub(super) epochs: Option<Vec<u8>>,
}

impl Disk {
    pub(super) fn new() -> Self {
        let engine = MemoryEngine::new(Cap { bytes: BYTES });
        Self { engine, pending: VecDeque::new(), fault: Fault::None, epochs: None }
    }

    /// Takes an operation; [`Disk::carry_out`] does it.
    pub(super) fn submit(&mut self, ticket: Ticket, op: Op) {
        self.pending.push_back((ticket, op));
    }

    /// Carries the oldest operation out: what it answers, and whether a fault made that answer.
    pub(super) fn carry_out(&mut self, dice: &mut ChaCha20Rng) -> Option<(Ticket, Answer, bool)> {
        let (ticket, op) = self.pending.pop_front()?;
        let grows = matches!(op, Op::MakeQueue { .. } | Op::Append { .. } | Op::PutBlob { .. });
        match self.fault {
            Fault::Fails(percent) if dice.random_range(0..100) < percent => {
                Some((ticket, Answer::Failed, true))
            }
            Fault::Full if grows => Some((ticket, Answer::Full, true)),
            Fault::None | Fault::Fails(_) | Fault::Full => Some((ticket, self.answer(op), false)),
        }
    }

    /// The relay is killed: of what was under way the first so many are carried out, and nobody hears of it.
    pub(super) fn kill(&mut self, dice: &mut ChaCha20Rng) -> usize {
        let lost = self.pending.len();
        let done = dice.random_range(0..=lost);
        for (_, op) in std::mem::take(&mut self.pending).into_iter().take(done) {
            self.answer(op);
        }
        lost
    }

    /// What is held.
    pub(super) fn stats(&self) -> Stats {
        let Answer::Stats(stats) = self.answer(Op::Stats) else {
            panic!("the engine answers what it is asked")
        };
        stats
    }

    fn answer(&self, op: Op) -> Answer {
        let place = Arc::new(Mutex::new(None));
        let put = Arc::clone(&place);
        self.engine.submit(op, Box::new(move |answer| *put.lock().unwrap() = Some(answer)));
        let answer = place.lock().unwrap().take();
        answer.expect("the memory engine answers at once")
    }
}
