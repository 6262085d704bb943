//! Latency: messages that leave at a steady pace, whether the ones before were answered or not. Who waits for answers
//! first would leave out just those messages that had to wait.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use crate::load::{PATIENCE, Pair, Pushed, Wire};

/// How long each message took, in seconds.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    /// Until its sender had opened the answer that it is stored.
    pub(crate) stored: Vec<f64>,
    /// Until its reader had it.
    pub(crate) delivered: Vec<f64>,
}

/// The value that so many percent of all are not above; of none, 0.
pub(crate) fn quantile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last * percent).div_ceil(100)).copied().unwrap_or_default()
}

impl Latencies {
    fn add(&mut self, mut other: Self) {
        self.stored.append(&mut other.stored);
        self.delivered.append(&mut other.delivered);
    }
}

impl<W: Wire> Pair<W> {
    /// Sends its next `count` frames, one `every` so often, the first at `first`, and waits for the end of all.
    async fn pace(&mut self, count: usize, every: Duration, first: Instant) -> Latencies {
        let mut frames: VecDeque<_> = self.frames.drain(..count).collect();
        let (mut unstored, mut unread) = (VecDeque::new(), VecDeque::new());
        let (mut took, mut gone) = (Latencies::default(), 0);
        let mut ticks = interval_at(first, every);
        while gone < count || took.stored.len() < count {
            tokio::select! {
                _ = ticks.tick(), if !frames.is_empty() => {
                    // From when it was to leave: waiting for room on the line is part of it.
                    let now = Instant::now();
                    unstored.push_back(now);
                    unread.push_back(now);
                    self.sender.send.write_chunk(frames.pop_front().unwrap()).await.unwrap();
                }
                frame = self.sender.frames.next() => {
                    self.wire.replied(&frame.unwrap_or_else(|| self.sender.ended()));
                    took.stored.push(unstored.pop_front().unwrap().elapsed().as_secs_f64());
                }
                frame = self.reader.frames.next() => {
                    let pushed = self.wire.pushed(&frame.unwrap_or_else(|| self.reader.ended()));
                    if let Pushed::Message(_) = &pushed && let Some(left) = unread.pop_front() {
                        took.delivered.push(left.elapsed().as_secs_f64());
                    }
                    match pushed {
                        Pushed::Message(acknowledgement) => self.reader.send.write_all(&acknowledgement).await.unwrap(),
                        Pushed::Done => {
                            gone += 1;
                            // The bare relay wants no acknowledgement: what came is done.
                            if took.delivered.len() < gone {
                                took.delivered.push(unread.pop_front().unwrap().elapsed().as_secs_f64());
                            }
                        }
                    }
                }
                () = tokio::time::sleep(PATIENCE) => panic!("nothing comes any more: {gone} gone of {count}"),
            }
        }
        took
    }
}

/// Lets each pair send `count` messages, all together `rate` in a second, evenly spread.
pub(crate) async fn pace<W: Wire>(pairs: &mut Vec<Pair<W>>, count: usize, rate: u32) -> Latencies {
    let each = Duration::from_secs(1) / rate;
    let every = each * u32::try_from(pairs.len()).unwrap();
    let begin = Instant::now() + Duration::from_millis(20);
    let mut running = JoinSet::new();
    for (number, mut pair) in (0..).zip(pairs.drain(..)) {
        let first = begin + each * number;
        running.spawn(async move { (pair.pace(count, every, first).await, pair) });
    }
    let mut all = Latencies::default();
    for (took, pair) in running.join_all().await {
        all.add(took);
        pairs.push(pair);
    }
    all
}
