//! Latency: messages that leave at a steady pace, whether the ones before were answered or not. Who waits for answers
//! first would leave out just those messages that had to wait.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use crate::load::{PATIENCE, Pair, Wire};
use crate::timed::{Latencies, Timed};

impl<W: Wire> Pair<W> {
    /// Sends its next `count` frames, one `every` so often, the first at `first`, and waits for the end of all.
    async fn pace(&mut self, count: usize, every: Duration, first: Instant) -> Latencies {
        let mut frames: VecDeque<_> = self.frames.drain(..count).collect();
        let mut timed = Timed::default();
        let mut ticks = interval_at(first, every);
        while timed.gone < count || timed.took.stored.len() < count {
            tokio::select! {
                _ = ticks.tick(), if !frames.is_empty() => {
                    timed.left();
                    self.sender.send.write_chunk(frames.pop_front().unwrap()).await.unwrap();
                }
                frame = self.sender.frames.next() => {
                    self.wire.replied(&frame.unwrap_or_else(|| self.sender.ended()));
                    timed.stored();
                }
                frame = self.reader.frames.next() => {
                    self.heard(&frame.unwrap_or_else(|| self.reader.ended()), &mut timed).await;
                }
                () = tokio::time::sleep(PATIENCE) => panic!("nothing comes any more: {} gone of {count}", timed.gone),
            }
        }
        timed.took
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
