//! Whether a relay grows: thousands of idle links, some that talk at a steady pace, and the memory that it takes
//! meanwhile; the bare relay in turns.

use std::path::Path;
use std::sync::Arc;

use beresta_proto::key::EpochSecret;
use beresta_server::random::SystemRandom;

use crate::pace::pace;
use crate::plot::{Line, Plot};
use crate::process::Server;
use crate::table::Table;
use crate::timed::{Latencies, percentiles};
use crate::{bare, beresta, idle, latency};

/// Seconds, unless the command line says it: both peers together.
pub(crate) const SECONDS: u32 = 60;
/// Messages in a second, all pairs together.
const RATE: u32 = 320;
/// Turns of each peer.
const TURNS: u32 = 15;

/// What one peer took and did.
#[derive(Default)]
struct Soaked {
    /// Messages so far, and MiB of resident memory then.
    memory: Vec<(f64, f64)>,
    turns: Vec<Latencies>,
}

impl Soaked {
    fn note(&mut self, server: &Server, messages: usize) {
        let before = self.memory.last().map_or(0.0, |last| last.0);
        self.memory.push((before + messages as f64, server.resident_kib() as f64 / 1_024.0));
    }

    /// p50 and p99 of a fifth of its turns, in milliseconds.
    fn part(&self, fifth: usize) -> [String; 2] {
        let size = self.turns.len().div_ceil(5);
        let turns = self.turns.iter().skip(fifth * size).take(size);
        let delivered: Vec<f64> = turns.flat_map(|turn| turn.delivered.iter().copied()).collect();
        percentiles(&delivered).map(|ms| format!("{ms:.2}"))
    }

    /// KiB that it grew by for each thousand messages, the first turn aside: what all need is made then.
    fn growth(&self) -> f64 {
        let (Some(first), Some(last)) = (self.memory.get(1), self.memory.last()) else { return 0.0 };
        1_024.0 * (last.1 - first.1) / ((last.0 - first.0) / 1e3)
    }
}

/// Measures, prints and draws it into `pictures`.
pub(crate) async fn measure(dir: &Path, pictures: &Path, seconds: u32) {
    let (relay, id) = Server::relay(&dir.join("soak-relay"));
    let bare = Server::bare(None);
    let epoch = EpochSecret::random(&mut SystemRandom::new().unwrap());
    let frames: Arc<[_]> = bare::frames(&epoch, 64).into();
    let (at, bare_at) = (relay.at, bare.at);
    let _idle = idle::open(|from, _| async move { beresta::reader(&from, at).await.0 }).await;
    // Numbers that the pairs do not have.
    let _bare_idle = idle::open(|from, n| async move { bare::idle(&from, bare_at, 1_000 + n).await }).await;
    let each = usize::try_from(RATE * seconds / (2 * TURNS * latency::PAIRS)).unwrap().max(1);
    let all = each * usize::try_from(TURNS).unwrap();
    let mut ours = latency::warm(all, |_, count| beresta::pair(at, id, true, count)).await;
    let pair = |number, count| bare::pair(bare_at, number, Arc::clone(&frames), count);
    let mut theirs = latency::warm(all, pair).await;

    let (mut soaked, mut bare_soaked) = (Soaked::default(), Soaked::default());
    soaked.note(&relay, 0);
    bare_soaked.note(&bare, 0);
    let messages = each * ours.len();
    for _ in 0..TURNS {
        soaked.turns.push(pace(&mut ours, each, RATE).await);
        soaked.note(&relay, messages);
        bare_soaked.turns.push(pace(&mut theirs, each, RATE).await);
        bare_soaked.note(&bare, messages);
    }
    let mut table = Table::new(&[
        "",
        "messages",
        "MiB before",
        "after",
        "KiB for each 1,000 messages",
        "p50 at first, ms",
        "p99",
        "p50 at last",
        "p99",
    ]);
    for (name, soaked) in [("relay", &soaked), ("bare quinn", &bare_soaked)] {
        let (first, last) = (soaked.memory[0], soaked.memory[soaked.memory.len() - 1]);
        let ([p50, p99], [last_p50, last_p99]) = (soaked.part(0), soaked.part(4));
        table.row([
            name.to_owned(),
            format!("{:.0}", last.0),
            format!("{:.1}", first.1),
            format!("{:.1}", last.1),
            format!("{:.1}", soaked.growth()),
            p50,
            p99,
            last_p50,
            last_p99,
        ]);
    }
    println!("{seconds} s with {} idle links and {RATE} messages in a second:\n\n{table}", idle::LINKS);
    let plot = Plot {
        title: "Memory over a soak",
        x: "messages relayed",
        y: "MiB resident",
        logarithmic: false,
        lines: vec![
            Line { name: "relay", points: soaked.memory },
            Line { name: "bare quinn", points: bare_soaked.memory },
        ],
    };
    plot.draw(&pictures.join("memory.svg"));
}
