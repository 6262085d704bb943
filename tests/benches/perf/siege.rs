//! What honest people notice of a siege: links that are as slow as they can be, and handshakes that come to nothing; and how
//! many bytes a relay answers to an address that says a first word and no more, which may be somebody else's.
//!
//! All of it comes from loopback, which a relay holds to no limit for one neighbourhood (`server/src/net/admission.rs`): a
//! flood from elsewhere meets those as well.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quinn::{ConnectionError, Endpoint};
use tokio::task::JoinSet;

use crate::pace::pace;
use crate::process::Server;
use crate::quic::{self, Link};
use crate::table::Table;
use crate::timed::{Latencies, percentiles};
use crate::{beresta, latency};

/// Links that say one byte a second, and are opened anew when the relay ends them.
const SLOW: u32 = 2_000;
/// Handshakes with a protocol that the relay does not speak, so many at a time.
const INVALID: u64 = 10_000;
const AT_ONCE: u32 = 32;
/// Honest messages in a second, all pairs together, and for how many seconds before the siege and in it.
const RATE: u32 = 200;
const SECONDS: u32 = 30;
/// First words of handshakes that nobody goes on with: as many as a relay holds at a time, and others.
const HELD: usize = 256;
const MEASURED: usize = 128;
/// Until a relay has taken in what was said.
const SETTLED: Duration = Duration::from_millis(500);
/// How long the answers to a first word may take: QUIC says them again some times.
const ANSWERS: Duration = Duration::from_secs(8);

/// Measures and prints it.
pub(crate) async fn measure(dir: &Path) {
    let (relay, id) = Server::relay(&dir.join("siege-relay"));
    let at = relay.at;
    let each = usize::try_from(RATE * SECONDS / latency::PAIRS).unwrap();
    let mut honest = latency::warm(2 * each, |_, count| beresta::pair(at, id, true, count)).await;
    let mut table = Table::new(&["", "stored, p50", "p99", "delivered, p50", "p99", "MiB resident"]);
    let mut row = |name: &str, took: &Latencies| {
        let of = |values: &[f64]| percentiles(values).map(|ms| format!("{ms:.1}"));
        let ([stored, stored_99], [delivered, delivered_99]) = (of(&took.stored), of(&took.delivered));
        let resident = format!("{:.0}", relay.resident_kib() as f64 / 1_024.0);
        table.row([name.to_owned(), stored, stored_99, delivered, delivered_99, resident]);
    };
    row("before", &pace(&mut honest, each, RATE).await);

    let siege = Arc::new(Siege::default());
    let mut besiegers = JoinSet::new();
    let sockets: Vec<Endpoint> = (0..AT_ONCE).map(|_| quic::client()).collect();
    for number in 0..SLOW {
        let (from, siege) = (sockets[(number % AT_ONCE) as usize].clone(), Arc::clone(&siege));
        besiegers.spawn(async move { siege.linger(&from, at).await });
    }
    let strangers: Vec<Endpoint> = (0..AT_ONCE).map(|_| quic::stranger()).collect();
    for from in strangers {
        let siege = Arc::clone(&siege);
        besiegers.spawn(async move { siege.knock(&from, at).await });
    }
    let begun = Instant::now();
    row("in it", &pace(&mut honest, each, RATE).await);
    siege.over.store(true, Ordering::Relaxed);
    let took = begun.elapsed().as_secs_f64();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (opened, ended, failed) = (count(&siege.opened), count(&siege.ended), count(&siege.failed));
    besiegers.shutdown().await;
    println!(
        "Until a message of honest people is there, in ms, with {SLOW} links that say a byte a second ({opened} opened in \
         {took:.0} s, {ended} of them ended by the relay) and {failed} handshakes that failed meanwhile:\n\n{table}"
    );
    drop(relay);

    let (fresh, _) = Server::relay(&dir.join("fresh-relay"));
    let (besieged, _) = Server::relay(&dir.join("besieged-relay"));
    let words = quic::first_words(HELD + MEASURED);
    let (held, measured) = words.split_at(HELD);
    let first = answered(fresh.at, &[], measured);
    let later = answered(besieged.at, held, measured);
    println!(
        "Bytes that a relay answers for each byte of a first word that nobody goes on with: {first:.2}; once it holds \
         {HELD} of those: {later:.2}.\n"
    );
}

/// A siege under way.
#[derive(Default)]
struct Siege {
    over: AtomicBool,
    opened: AtomicU64,
    ended: AtomicU64,
    failed: AtomicU64,
}

impl Siege {
    /// Holds a link for as long as the relay bears with it, and then the next one.
    async fn linger(&self, from: &Endpoint, at: SocketAddr) {
        while !self.over.load(Ordering::Relaxed) {
            let Ok(connecting) = from.connect(at, "127.0.0.1") else { return };
            let Ok(connection) = connecting.await else { continue };
            let Ok(streams) = connection.open_bi().await else { continue };
            let mut link = Link::new(connection, streams);
            self.opened.fetch_add(1, Ordering::Relaxed);
            while link.send.write_all(&[1]).await.is_ok() && link.connection.close_reason().is_none() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Shakes hands in vain, until all of them together have done so often enough.
    async fn knock(&self, from: &Endpoint, at: SocketAddr) {
        while self.failed.load(Ordering::Relaxed) < INVALID && !self.over.load(Ordering::Relaxed) {
            let Ok(connecting) = from.connect(at, "127.0.0.1") else { return };
            match connecting.await {
                Err(ConnectionError::ConnectionClosed(_) | ConnectionError::TransportError(_)) => {}
                Err(_) => continue,
                Ok(_) => panic!("a handshake of another protocol was taken"),
            }
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Bytes answered for each byte of the first words that are `measured`, while the relay holds those that are `held`.
fn answered(relay: SocketAddr, held: &[Vec<u8>], measured: &[Vec<u8>]) -> f64 {
    let say = |word: &Vec<u8>| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.send_to(word, relay).unwrap();
        socket
    };
    // Nobody hears what is answered to these, but the sockets are there.
    let _held: Vec<UdpSocket> = held.iter().map(say).collect();
    std::thread::sleep(SETTLED);
    let sockets: Vec<UdpSocket> = measured.iter().map(say).collect();
    let until = Instant::now() + ANSWERS;
    let (mut heard, mut buffer) = (0, [0; 2_048]);
    while Instant::now() < until {
        for socket in &sockets {
            while let Ok((bytes, _)) = socket.recv_from(&mut buffer) {
                heard += bytes;
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    heard as f64 / measured.iter().map(Vec::len).sum::<usize>() as f64
}
