//! How long the messages of a pair waited. A link answers and delivers in the order in which it was sent to.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::load::Pushed;

/// How long each message took, in seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies {
    /// Until its sender had opened the answer that it is stored.
    pub(crate) stored: Vec<f64>,
    /// Until its reader had it.
    pub(crate) delivered: Vec<f64>,
}

impl Latencies {
    pub(crate) fn add(&mut self, mut other: Self) {
        self.stored.append(&mut other.stored);
        self.delivered.append(&mut other.delivered);
    }
}

/// The value that so many percent of all are not above; of none, 0.
fn quantile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last * percent).div_ceil(100)).copied().unwrap_or_default()
}

/// p50 and p99, in milliseconds.
pub(crate) fn percentiles(values: &[f64]) -> [f64; 2] {
    [50, 99].map(|percent| 1e3 * quantile(values, percent))
}

/// The messages of a pair that are under way, and how long those took that are not any more.
#[derive(Debug, Default)]
pub(crate) struct Timed {
    unstored: VecDeque<Instant>,
    unread: VecDeque<Instant>,
    /// Messages that are done at their reader's.
    pub(crate) gone: usize,
    pub(crate) took: Latencies,
}

impl Timed {
    /// A message leaves. To be said before it is written: waiting for room on the line is part of the wait.
    pub(crate) fn left(&mut self) {
        let now = Instant::now();
        self.unstored.push_back(now);
        self.unread.push_back(now);
    }

    /// The sender had its answer.
    pub(crate) fn stored(&mut self) {
        self.took.stored.push(self.unstored.pop_front().unwrap().elapsed().as_secs_f64());
    }

    /// The reader heard something.
    pub(crate) fn pushed(&mut self, pushed: &Pushed) {
        match pushed {
            Pushed::Message => self.delivered(),
            Pushed::Done(messages) => {
                self.gone += messages;
                // The bare relay wants no acknowledgement: what came is done.
                while self.took.delivered.len() < self.gone && !self.unread.is_empty() {
                    self.delivered();
                }
            }
        }
    }

    fn delivered(&mut self) {
        // What is pushed twice was delivered once.
        if let Some(left) = self.unread.pop_front() {
            self.took.delivered.push(left.elapsed().as_secs_f64());
        }
    }
}
