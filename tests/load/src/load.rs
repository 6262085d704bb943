//! The load, as our bench makes it (`tests/benches/perf/load.rs`): pairs of a sender and a reader, each with a link of its
//! own, which keep so many messages in flight. A message is in flight until its sender has the server's acknowledgement
//! *and* its reader has the message. Our relay is asked for more there: that the reader has heard that it is deleted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::link::{Dialer, Link};
use crate::peer::{Carried, Peer, percentiles};
use crate::tongue::{Heard, Tongue};

/// Messages of each pair before the clock starts.
const WARM_UP: u64 = 8;
/// Longer than any answer takes that comes at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much is in flight, and how it is spread: a pair has at most four messages under way, as people do.
pub(crate) struct Level {
    pub(crate) in_flight: u64,
    pub(crate) pairs: u32,
    /// Messages of a run, all pairs together.
    pub(crate) messages: u64,
}

/// The levels of our bench.
pub(crate) const LEVELS: [Level; 3] = [
    Level { in_flight: 1, pairs: 1, messages: 1_500 },
    Level { in_flight: 16, pairs: 16, messages: 8_000 },
    Level { in_flight: 256, pairs: 64, messages: 19_200 },
];

/// Numbers of messages: none is given twice in a run, so that what an earlier turn left behind is known for it.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

struct Pair<T> {
    sender: (Link, T),
    reader: (Link, T),
}

/// How long each message took, in milliseconds.
#[derive(Default)]
struct Took {
    acknowledged: Vec<f64>,
    delivered: Vec<f64>,
}

fn ms(since: Instant) -> f64 {
    1e3 * since.elapsed().as_secs_f64()
}

impl<T: Tongue> Pair<T> {
    async fn meet(dialer: Dialer, port: u16, number: u32) -> Self {
        // The reader first: what is sent must find it.
        let reader = T::reader(dialer.clone(), port, number).await;
        Self { sender: T::sender(dialer, port, number).await, reader }
    }

    /// Sends `count` messages, of which the first is `first`, with `window` in flight.
    async fn drive(&mut self, first: u64, count: u64, window: u64) -> Took {
        let ((sender, from), (reader, to)) = (&mut self.sender, &mut self.reader);
        let (mut sent, mut has, mut came) = (0, 0, 0);
        let (mut unacknowledged, mut unread) = (VecDeque::new(), VecDeque::new());
        let (mut out, mut back, mut took) = (Vec::new(), Vec::new(), Took::default());
        while has.min(came) < count {
            while sent < count && sent - has.min(came) < window {
                let now = Instant::now();
                unacknowledged.push_back(now);
                unread.push_back(now);
                from.send(first + sent, &mut out);
                sent += 1;
            }
            if !out.is_empty() {
                sender.say(&out).await;
                out.clear();
            }
            tokio::select! {
                () = sender.more() => {}
                () = reader.more() => {}
                () = tokio::time::sleep(PATIENCE) => {
                    panic!("nothing comes any more: {sent} sent, {has} acknowledged, {came} delivered of {count}")
                }
            }
            while let Some(heard) = from.hear(&mut sender.unread) {
                match heard {
                    Heard::Has => {
                        took.acknowledged.push(ms(unacknowledged.pop_front().unwrap()));
                        has += 1;
                    }
                    Heard::Asked(answer) => out.extend_from_slice(&answer),
                    Heard::Message(..) | Heard::Other => {}
                }
            }
            while let Some(heard) = to.hear(&mut reader.unread) {
                match heard {
                    Heard::Message(number, answer) => {
                        back.extend_from_slice(&answer);
                        // What an earlier turn left behind only wants to be acknowledged.
                        if number >= first {
                            assert_eq!(number, first + came, "out of order");
                            took.delivered.push(ms(unread.pop_front().unwrap()));
                            came += 1;
                        }
                    }
                    Heard::Asked(answer) => back.extend_from_slice(&answer),
                    Heard::Has | Heard::Other => {}
                }
            }
            if !back.is_empty() {
                reader.say(&back).await;
                back.clear();
            }
        }
        took
    }
}

/// Makes the pairs of a level and lets each send all it has, at once.
pub(crate) async fn carry<T: Tongue>(peer: &Peer, level: &Level) -> Carried {
    let (each, window) = (level.messages / u64::from(level.pairs), level.in_flight / u64::from(level.pairs));
    let meeting: JoinSet<Pair<T>> =
        (0..level.pairs).map(|number| Pair::meet(peer.dialer.clone(), peer.port, number)).collect();
    let pairs = meeting.join_all().await;
    let start = Arc::new(Barrier::new(pairs.len() + 1));
    let mut running = JoinSet::new();
    for mut pair in pairs {
        let (start, first) = (Arc::clone(&start), NUMBERS.fetch_add(WARM_UP + each, Ordering::Relaxed));
        running.spawn(async move {
            pair.drive(first, WARM_UP, 1).await;
            start.wait().await;
            (pair.drive(first + WARM_UP, each, window).await, pair)
        });
    }
    start.wait().await;
    let (began, cpu) = (Instant::now(), peer.cpu());
    let done = running.join_all().await;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), peer.cpu() - cpu);
    let mut all = Took::default();
    let mut ending = JoinSet::new();
    for (mut took, pair) in done {
        all.acknowledged.append(&mut took.acknowledged);
        all.delivered.append(&mut took.delivered);
        ending.spawn(pair.sender.0.end(T::GOODBYE));
        ending.spawn(pair.reader.0.end(T::GOODBYE));
    }
    ending.join_all().await;
    let messages = all.delivered.len() as f64;
    Carried {
        rate: messages / seconds,
        cpu_us: 1e6 * cpu.as_secs_f64() / messages,
        acknowledged_ms: percentiles(&mut all.acknowledged),
        delivered_ms: percentiles(&mut all.delivered),
    }
}

/// Links that are made at once.
const AT_ONCE: u32 = 50;
/// Until what making the links needed is given back.
const REST: Duration = Duration::from_secs(3);

/// KiB of resident memory for each of `links` links of readers that say nothing, each of another person.
pub(crate) async fn idle<T: Tongue>(peer: &Peer, links: u32) -> f64 {
    let mut open = Vec::new();
    let mut before = 0.0;
    // The first batch makes what all links share.
    for batch in 0..=links / AT_ONCE {
        let making: JoinSet<(Link, T)> = (batch * AT_ONCE..)
            .take(AT_ONCE as usize)
            .map(|number| T::reader(peer.dialer.clone(), peer.port, number))
            .collect();
        open.extend(making.join_all().await);
        if batch == 0 {
            tokio::time::sleep(REST).await;
            before = peer.resident_kib();
        }
    }
    tokio::time::sleep(REST).await;
    let each = (peer.resident_kib() - before) / f64::from(links);
    let ending: JoinSet<()> = open.into_iter().map(|(link, _)| link.end(T::GOODBYE)).collect();
    ending.join_all().await;
    each
}
