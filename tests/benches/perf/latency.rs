//! How long a relayed message takes, at several paces: the relay and the bare one in turns.

use std::path::Path;
use std::sync::Arc;

use beresta_proto::key::EpochSecret;
use beresta_server::random::SystemRandom;
use tokio::task::JoinSet;

use crate::load::{Pair, WARM_UP, Wire};
use crate::pace::pace;
use crate::plot::{Line, Plot};
use crate::process::Server;
use crate::table::{Table, median};
use crate::timed::{Latencies, percentiles};
use crate::{bare, beresta};

/// Messages in a second, all pairs together: idle, busy, and half of what a relay carries on two processors.
const RATES: [u32; 4] = [100, 500, 2_000, 4_000];
pub(crate) const PAIRS: u32 = 32;
/// Seconds of each turn.
const TURN: u32 = 2;
const ROUNDS: u32 = 3;
/// Before the first turn: the senders' sessions are known then.
const WARM_UP_RATE: u32 = 200;

/// The middle of what the rounds gave.
fn middle(rounds: &[[f64; 2]]) -> [f64; 2] {
    [0, 1].map(|part| median(rounds.iter().map(|round| round[part])))
}

/// Pairs that have warmed up.
pub(crate) async fn warm<W, P>(count: usize, pair: impl Fn(u32, usize) -> P) -> Vec<Pair<W>>
where
    W: Wire,
    P: Future<Output = Pair<W>> + Send + 'static,
{
    let pairs: JoinSet<Pair<W>> = (0..PAIRS).map(|number| pair(number, count + WARM_UP)).collect();
    let mut pairs = pairs.join_all().await;
    pace(&mut pairs, WARM_UP, WARM_UP_RATE).await;
    pairs
}

/// Measures, prints and draws it into `pictures`.
pub(crate) async fn measure(dir: &Path, pictures: &Path) {
    let (relay, id) = Server::relay(&dir.join("latency-relay"));
    let bare = Server::bare(None);
    let epoch = EpochSecret::random(&mut SystemRandom::new().unwrap());
    let frames: Arc<[_]> = bare::frames(&epoch, 64).into();
    let each = RATES.map(|rate| usize::try_from(rate * TURN / PAIRS).unwrap());
    let all = usize::try_from(ROUNDS).unwrap() * each.iter().sum::<usize>();
    let (at, bare_at) = (relay.at, bare.at);
    let mut ours = warm(all, |_, count| beresta::pair(at, id, true, count)).await;
    let mut theirs = warm(all, |number, count| bare::pair(bare_at, number, Arc::clone(&frames), count)).await;

    let mut table = Table::new(&[
        "messages in a second",
        "stored, p50",
        "p99",
        "delivered, p50",
        "p99",
        "bare, delivered, p50",
        "p99",
        "ratio of p50",
        "of p99",
    ]);
    let mut drawn: [Vec<(f64, f64)>; 4] = Default::default();
    for (rate, each) in RATES.into_iter().zip(each) {
        let (mut stored, mut delivered, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let Latencies { stored: ours_stored, delivered: ours } = pace(&mut ours, each, rate).await;
            stored.push(percentiles(&ours_stored));
            delivered.push(percentiles(&ours));
            bare.push(percentiles(&pace(&mut theirs, each, rate).await.delivered));
        }
        let [stored, delivered, bare] = [stored, delivered, bare].map(|rounds| middle(&rounds));
        let ms = |value: f64| format!("{value:.2}");
        table.row([
            rate.to_string(),
            ms(stored[0]),
            ms(stored[1]),
            ms(delivered[0]),
            ms(delivered[1]),
            ms(bare[0]),
            ms(bare[1]),
            ms(delivered[0] / bare[0]),
            ms(delivered[1] / bare[1]),
        ]);
        let points = [delivered[0], delivered[1], bare[0], bare[1]];
        drawn.iter_mut().zip(points).for_each(|(line, point)| line.push((rate.into(), point)));
    }
    println!("Until a message is with its reader, in ms:\n\n{table}");
    let [p50, p99, bare_p50, bare_p99] = drawn;
    let plot = Plot {
        title: "From sender to reader",
        x: "messages in a second",
        y: "milliseconds",
        logarithmic: true,
        lines: vec![
            Line { name: "relay, p99", points: p99 },
            Line { name: "relay, p50", points: p50 },
            Line { name: "bare quinn, p99", points: bare_p99 },
            Line { name: "bare quinn, p50", points: bare_p50 },
        ],
    };
    plot.draw(&pictures.join("latency.svg"));
}
