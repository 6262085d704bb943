//! The load: pairs of a sender and a reader, each with a link of its own, which keep so many messages in flight. A message
//! is in flight until its sender has heard that it is stored *and* its reader has heard that it is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use beresta_client::engine::TOGETHER;
use bytes::Bytes;
use tokio::sync::Barrier;

use crate::process::Server;
use crate::quic::Link;
use crate::timed::{Latencies, Timed};

/// Messages of each pair before the clock starts: a relay gets to know the senders' sessions by them.
pub(crate) const WARM_UP: usize = 8;

/// Longer than any answer takes that comes at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a relay says on the links of a pair, judged by who knows its language. Panics where a message was not relayed.
pub(crate) trait Wire: Send + 'static {
    /// The next frame that the sender heard.
    fn replied(&mut self, frame: &[u8]);

    /// The next frame that the reader heard.
    fn pushed(&mut self, frame: &[u8]) -> Pushed;

    /// The frame that acknowledges the messages that were not yet, if there are any and it wants one.
    fn acknowledge(&mut self) -> Option<Vec<u8>>;
}

/// What follows from a frame that a reader heard.
pub(crate) enum Pushed {
    /// A message.
    Message,
    /// So many messages are done.
    Done(usize),
}

/// A sender, its reader, and what it will send.
pub(crate) struct Pair<W> {
    pub(crate) sender: Link,
    pub(crate) reader: Link,
    pub(crate) frames: Vec<Bytes>,
    pub(crate) wire: W,
}

/// How a load was carried.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    /// Messages in a second.
    pub(crate) rate: f64,
    /// Time on a processor that the server took for each.
    pub(crate) cpu: Duration,
    pub(crate) took: Latencies,
}

impl<W: Wire> Pair<W> {
    /// Sends all of `frames`, `window` in flight.
    async fn drive(&mut self, frames: &[Bytes], window: usize) -> Latencies {
        let (mut sent, mut stored) = (0, 0);
        let mut timed = Timed::default();
        while stored.min(timed.gone) < frames.len() {
            while sent < frames.len() && sent - stored.min(timed.gone) < window {
                timed.left();
                self.sender.send.write_chunk(frames[sent].clone()).await.unwrap();
                sent += 1;
            }
            tokio::select! {
                frame = self.sender.frames.next() => {
                    self.wire.replied(&frame.unwrap_or_else(|| self.sender.ended()));
                    timed.stored();
                    stored += 1;
                }
                frame = self.reader.frames.next() => {
                    self.heard(&frame.unwrap_or_else(|| self.reader.ended()), &mut timed).await;
                }
                () = tokio::time::sleep(PATIENCE) => {
                    let (gone, all) = (timed.gone, frames.len());
                    panic!("nothing comes any more: {sent} sent, {stored} stored, {gone} gone of {all}")
                }
            }
        }
        timed.took
    }

    /// What the reader hears. Messages that came together are acknowledged together, as many as the client takes at once.
    pub(crate) async fn heard(&mut self, first: &[u8], timed: &mut Timed) {
        timed.pushed(&self.wire.pushed(first));
        for _ in 1..TOGETHER {
            let Some(frame) = self.reader.frames.ready() else { break };
            timed.pushed(&self.wire.pushed(&frame));
        }
        if let Some(frame) = self.wire.acknowledge() {
            self.reader.send.write_all(&frame).await.unwrap();
        }
    }
}

/// Lets every pair send all it has, at once.
pub(crate) async fn carry<W: Wire>(server: &Server, pairs: Vec<Pair<W>>, window: usize) -> Carried {
    let count: usize = pairs.iter().map(|pair| pair.frames.len() - WARM_UP).sum();
    let start = Arc::new(Barrier::new(pairs.len() + 1));
    let tasks: Vec<_> = pairs
        .into_iter()
        .map(|mut pair| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                let frames = std::mem::take(&mut pair.frames);
                let (warm_up, rest) = frames.split_at(WARM_UP);
                pair.drive(warm_up, 1).await;
                start.wait().await;
                (pair.drive(rest, window).await, pair)
            })
        })
        .collect();
    start.wait().await;
    let (began, cpu) = (Instant::now(), server.cpu());
    let (mut pairs, mut took) = (Vec::new(), Latencies::default());
    for task in tasks {
        let (latencies, pair) = task.await.unwrap();
        took.add(latencies);
        pairs.push(pair);
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), server.cpu() - cpu);
    for pair in pairs {
        pair.sender.connection.close(0_u32.into(), b"");
        pair.reader.connection.close(0_u32.into(), b"");
    }
    Carried { rate: count as f64 / seconds, cpu: cpu / u32::try_from(count).unwrap(), took }
}
