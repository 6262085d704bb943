//! Relayed messages in a second: the relay against its peers, in turns, so that what else the machine does meets all of
//! them alike.

use std::path::Path;
use std::sync::Arc;

use beresta_proto::id::RelayId;
use beresta_proto::key::EpochSecret;
use beresta_server::random::SystemRandom;
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::load::{Carried, Pair, WARM_UP, Wire, carry};
use crate::process::{Server, dropped_datagrams};
use crate::table::{Table, median, micros};
use crate::{ROUNDS, bare, beresta, disk};

/// How much is in flight, and how it is spread: a pair has at most four messages under way, as people do.
pub(crate) struct Level {
    pub(crate) in_flight: usize,
    pub(crate) pairs: usize,
    /// Messages of a run, all pairs together; fewer where every one has to be opened.
    pub(crate) messages: usize,
    pub(crate) opened: usize,
}

const LEVELS: [Level; 3] = [
    Level { in_flight: 1, pairs: 1, messages: 1_500, opened: 800 },
    Level { in_flight: 16, pairs: 16, messages: 8_000, opened: 3_200 },
    Level { in_flight: 256, pairs: 64, messages: 19_200, opened: 4_800 },
];

/// Capsules that the opening relay gets, again and again: it remembers none.
const CAPSULES: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Relay,
    Bare,
    Disk,
    RelayOpening,
    BareOpening,
}

const CONTENDERS: [Contender; 5] =
    [Contender::Relay, Contender::Bare, Contender::Disk, Contender::RelayOpening, Contender::BareOpening];

/// Everybody who takes part.
pub(crate) struct Field<'d> {
    relay: Server,
    id: RelayId,
    bare: Server,
    opening: Server,
    frames: Arc<[Bytes]>,
    dir: &'d Path,
}

/// Runs all of it, in `dir`, and prints it.
pub(crate) async fn measure(dir: &Path) {
    let field = Field::start(dir);
    let dropped = dropped_datagrams();
    let mut rates = Table::new(&[
        "in flight",
        "relay",
        "bare quinn",
        "ratio",
        "append + fdatasync",
        "ratio",
        "relay, opening each",
        "bare, opening each",
        "ratio",
    ]);
    let mut costs =
        Table::new(&["in flight", "relay", "bare quinn", "relay, opening each", "bare, opening each"]);
    for level in &LEVELS {
        let mut runs: [Vec<Carried>; CONTENDERS.len()] = Default::default();
        for _ in 0..ROUNDS {
            for (contender, runs) in CONTENDERS.into_iter().zip(&mut runs) {
                runs.push(field.run(contender, level).await);
            }
        }
        let rate = runs.each_ref().map(|runs| median(runs.iter().map(|run| run.rate)));
        let [relay, bare, disk, relay_opening, bare_opening] = rate;
        let whole = |rate: f64| format!("{rate:.0}");
        let ratio = |one: f64, other: f64| format!("{:.2}", one / other);
        rates.row([
            level.in_flight.to_string(),
            whole(relay),
            whole(bare),
            ratio(relay, bare),
            whole(disk),
            ratio(relay, disk),
            whole(relay_opening),
            whole(bare_opening),
            ratio(relay_opening, bare_opening),
        ]);
        let cpu = runs.each_ref().map(|runs| micros(median(runs.iter().map(|run| run.cpu.as_secs_f64()))));
        let [relay, bare, _, relay_opening, bare_opening] = cpu;
        costs.row([level.in_flight.to_string(), relay, bare, relay_opening, bare_opening]);
    }
    println!("Messages of 4 KiB in a second:\n\n{rates}");
    println!("Time on a processor that the server took for each message, in µs:\n\n{costs}");
    println!("Datagrams dropped for want of buffers: {}.\n", dropped_datagrams() - dropped);
}

impl<'d> Field<'d> {
    /// Starts everybody, with what they keep in `dir`.
    pub(crate) fn start(dir: &'d Path) -> Self {
        let (relay, id) = Server::relay(&dir.join("relay"));
        let epoch = EpochSecret::random(&mut SystemRandom::new().unwrap());
        let (bare, opening) = (Server::bare(None), Server::bare(Some(&epoch)));
        Self { relay, id, bare, opening, frames: bare::frames(&epoch, CAPSULES).into(), dir }
    }

    /// Lets one of them carry the messages of a level.
    pub(crate) async fn run(&self, contender: Contender, level: &Level) -> Carried {
        let Self { relay, id, bare, opening, frames, dir } = self;
        let (at, id) = (relay.at, *id);
        match contender {
            Contender::Relay => {
                run(relay, level, level.messages, |_, count| beresta::pair(at, id, true, count)).await
            }
            Contender::RelayOpening => {
                run(relay, level, level.opened, |_, count| beresta::pair(at, id, false, count)).await
            }
            Contender::Bare => {
                let pair = |number, count| bare::pair(bare.at, number, Arc::clone(frames), count);
                run(bare, level, level.messages, pair).await
            }
            Contender::BareOpening => {
                let pair = |number, count| bare::pair(opening.at, number, Arc::clone(frames), count);
                run(opening, level, level.opened, pair).await
            }
            Contender::Disk => {
                tokio::task::block_in_place(|| disk::append(dir, level.messages, level.in_flight))
            }
        }
    }
}

/// Makes the pairs of a level and lets them send.
async fn run<W, P>(server: &Server, level: &Level, messages: usize, pair: impl Fn(u32, usize) -> P) -> Carried
where
    W: Wire,
    P: Future<Output = Pair<W>> + Send + 'static,
{
    let each = WARM_UP + messages / level.pairs;
    let pairs: JoinSet<Pair<W>> = (0..).take(level.pairs).map(|number| pair(number, each)).collect();
    carry(server, pairs.join_all().await, level.in_flight / level.pairs).await
}
