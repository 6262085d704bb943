#![allow(clippy::disallowed_methods, reason = "a bench looks at the clock")]
//! `.ci/load` starts this beside the servers: our relay, a bare one, the disk, and the servers of others carry the same
//! load in turns, and the medians are printed as one table. It judges nothing; what it did not expect ends it.
//!
//! `beresta-load ROUNDS CERTIFICATE mosquitto=PORT:PROCESS ejabberd=… jetstream=… -- COMMAND…`, where the command starts
//! our bench so that it answers questions.

mod link;
mod load;
mod mqtt;
mod nats;
mod ours;
mod peer;
mod tongue;
mod xmpp;

use std::path::Path;

use crate::link::Dialer;
use crate::load::{LEVELS, Level};
use crate::mqtt::Mqtt;
use crate::nats::Nats;
use crate::ours::Ours;
use crate::peer::{Carried, Peer, middle};
use crate::xmpp::Xmpp;

/// Idle links at each server, as in our bench.
const LINKS: u32 = 2_000;

/// Who takes part, in the order of their turns.
const OURS: [(&str, &str); 3] =
    [("relay", "**Beresta**"), ("bare", "bare quinn"), ("disk", "append + fdatasync")];

/// What the servers of others speak.
#[derive(Clone, Copy)]
enum Spoken {
    Mqtt,
    Xmpp,
    Nats,
}

struct Other {
    name: String,
    spoken: Spoken,
    peer: Peer,
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (settings, command) = words.split_at(words.iter().position(|word| word == "--").unwrap());
    let [rounds, certificate, others @ ..] = settings else { panic!("see the top of this file") };
    let dialer = Dialer::trusting(Path::new(certificate));
    let others: Vec<Other> = others.iter().map(|word| Other::named(word, &dialer)).collect();
    let mut ours = Ours::start(&command[1..]);
    // First, for what a server was busy with leaves room behind that idle links would not be seen in.
    let idle = idle(&mut ours, &others).await;
    println!("Resident memory for each of {LINKS} idle links:\n\n{idle}");
    println!(
        "Messages of 4 KiB; µs of the server's processors for each; ms until the sender has the acknowledgement"
    );
    println!("and until the reader has the message. Ratios are ours to theirs.\n");
    println!(
        "| in flight | | in a second | ratio | µs | acknowledged, p50 | p99 | ratio | delivered, p50 | p99 | ratio |"
    );
    println!("{}|", "| --- ".repeat(11));
    for level in &LEVELS {
        turns(&mut ours, &others, level, rounds.parse().unwrap()).await;
    }
}

impl Other {
    /// `NAME=PORT:PROCESS`
    fn named(word: &str, dialer: &Dialer) -> Self {
        let (name, place) = word.split_once('=').unwrap();
        let (port, process) = place.split_once(':').unwrap();
        let spoken = match name {
            "mosquitto" => Spoken::Mqtt,
            "ejabberd" => Spoken::Xmpp,
            "jetstream" => Spoken::Nats,
            _ => panic!("nobody knows what {name} speaks"),
        };
        let (port, process) = (port.parse().unwrap(), process.parse().unwrap());
        Self { name: name.to_owned(), spoken, peer: Peer { dialer: dialer.clone(), port, process } }
    }

    async fn carry(&self, level: &Level) -> Carried {
        match self.spoken {
            Spoken::Mqtt => load::carry::<Mqtt>(&self.peer, level).await,
            Spoken::Xmpp => load::carry::<Xmpp>(&self.peer, level).await,
            Spoken::Nats => load::carry::<Nats>(&self.peer, level).await,
        }
    }

    async fn idle(&self) -> f64 {
        match self.spoken {
            Spoken::Mqtt => load::idle::<Mqtt>(&self.peer, LINKS).await,
            Spoken::Xmpp => load::idle::<Xmpp>(&self.peer, LINKS).await,
            Spoken::Nats => load::idle::<Nats>(&self.peer, LINKS).await,
        }
    }
}

/// The table of memory.
async fn idle(ours: &mut Ours, others: &[Other]) -> String {
    let relay = ours.idle(LINKS).await;
    let mut table = format!("| | KiB | ratio |\n| --- | --- | --- |\n| {} | {relay:.1} | |\n", OURS[0].1);
    for other in others {
        let kib = other.idle().await;
        table += &format!("| {} | {kib:.1} | {:.2} |\n", other.name, relay / kib);
    }
    table
}

/// All turns of a level, and its rows.
async fn turns(ours: &mut Ours, others: &[Other], level: &Level, rounds: usize) {
    let mut figures = vec![Vec::new(); OURS.len() + others.len()];
    for _ in 0..rounds {
        let (mine, theirs) = figures.split_at_mut(OURS.len());
        for ((who, _), turns) in OURS.iter().zip(mine) {
            turns.push(ours.carry(who, level).await);
        }
        for (other, turns) in others.iter().zip(theirs) {
            turns.push(other.carry(level).await);
        }
    }
    let names = OURS.iter().map(|(_, name)| *name).chain(others.iter().map(|other| other.name.as_str()));
    let figures: Vec<Carried> = figures.iter().map(|turns| middle(turns)).collect();
    for (place, (name, figure)) in names.zip(&figures).enumerate() {
        row(level, name, (place > 0).then_some(&figures[0]), figure);
    }
}

/// One server at one level. `relay` is what it is compared with.
fn row(level: &Level, name: &str, relay: Option<&Carried>, figure: &Carried) {
    // What nobody delivers, and whose time on a processor nobody looked at, is 0.
    let or_none = |value: f64, text: String| if value > 0.0 { text } else { String::new() };
    let plain = |value: f64| or_none(value, format!("{value:.2}"));
    let ratio = |of: fn(&Carried) -> f64| {
        relay.map_or(String::new(), |relay| or_none(of(figure), format!("{:.2}", of(relay) / of(figure))))
    };
    let cells = [
        level.in_flight.to_string(),
        name.to_owned(),
        format!("{:.0}", figure.rate),
        ratio(|of| of.rate),
        or_none(figure.cpu_us, format!("{:.0}", figure.cpu_us)),
        plain(figure.acknowledged_ms[0]),
        plain(figure.acknowledged_ms[1]),
        ratio(|of| of.acknowledged_ms[1]),
        plain(figure.delivered_ms[0]),
        plain(figure.delivered_ms[1]),
        ratio(|of| of.delivered_ms[1]),
    ];
    println!("| {} |", cells.join(" | "));
}
