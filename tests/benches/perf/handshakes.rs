//! Links that are made in a second: from a first datagram to the answer to a first frame, and closed again. Both relays
//! sign with the same kind of key; ours admits, gives an alias and hands out its descriptor besides.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use quinn::Endpoint;
use tokio::task::JoinSet;

use crate::process::Server;
use crate::table::{Table, median, micros};
use crate::{ROUNDS, bare, beresta, quic};

/// Links that are being made at any time, each from a socket of its own.
const AT_ONCE: usize = 16;
/// Links of one turn.
const LINKS: u32 = 2_000;

/// Measures and prints it.
pub(crate) async fn measure(dir: &Path) {
    let (ours, _) = Server::relay(&dir.join("handshakes-relay"));
    let theirs = Server::bare(None);
    let sockets: Vec<Endpoint> = (0..AT_ONCE).map(|_| quic::client()).collect();
    let (mut rates, mut cpus): ([Vec<f64>; 2], [Vec<f64>; 2]) = Default::default();
    for _ in 0..ROUNDS {
        let (rate, cpu) =
            turn(&ours, &sockets, |from, at, _| async move { beresta::visit(&from, at).await }).await;
        rates[0].push(rate);
        cpus[0].push(cpu);
        let bare = |from, at, number| async move { bare::idle(&from, at, number).await };
        let (rate, cpu) = turn(&theirs, &sockets, bare).await;
        rates[1].push(rate);
        cpus[1].push(cpu);
    }
    let ([ours, theirs], [our_cpu, their_cpu]) = (rates.map(median), cpus.map(median));
    let mut table = Table::new(&["", "relay", "bare quinn", "ratio"]);
    let ratio = |one: f64, other: f64| format!("{:.2}", one / other);
    let per_second = |rate: f64| format!("{rate:.0}");
    table.row(["links in a second".to_owned(), per_second(ours), per_second(theirs), ratio(ours, theirs)]);
    table.row([
        "µs of a processor".to_owned(),
        micros(our_cpu),
        micros(their_cpu),
        ratio(our_cpu, their_cpu),
    ]);
    println!("Links made, {AT_ONCE} at a time, each asked one thing and closed:\n\n{table}");
}

/// Links made in a second, and the server's seconds on a processor for each.
async fn turn<L>(
    server: &Server,
    sockets: &[Endpoint],
    link: impl Fn(Endpoint, SocketAddr, u32) -> L + Clone + Send + 'static,
) -> (f64, f64)
where
    L: Future<Output = quic::Link> + Send,
{
    let (began, cpu, next) = (Instant::now(), server.cpu(), Arc::new(AtomicU32::new(0)));
    let mut making = JoinSet::new();
    for from in sockets {
        let (at, from, link, next) = (server.at, from.clone(), link.clone(), Arc::clone(&next));
        making.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= LINKS {
                    return;
                }
                link(from.clone(), at, number).await.connection.close(0_u32.into(), b"");
            }
        });
    }
    making.join_all().await;
    let seconds = began.elapsed().as_secs_f64();
    (f64::from(LINKS) / seconds, (server.cpu() - cpu).as_secs_f64() / f64::from(LINKS))
}
