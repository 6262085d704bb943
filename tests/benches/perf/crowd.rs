//! What a relay's memory comes to when it has as many links as it takes, whose clients ask and are never heard of again: what
//! they asked for is held, and what was sent is kept, for nobody acknowledges it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use beresta_proto::command::Command;
use beresta_proto::frame::RequestId;
use quinn::Endpoint;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::process::Server;
use crate::quic::{self, Link};
use crate::table::Table;

/// `memory_mib` of the relay: less than one takes by itself that has a machine of 512 MiB.
const MEMORY_MIB: u32 = 192;
/// Links that are tried, more than such a relay takes.
const TRIED: usize = 4_000;
/// Links that are made at once, and fall silent together.
const AT_ONCE: usize = 50;
/// Commands of each: their answers are more than the relay holds for one link.
const COMMANDS: u32 = 500;
/// For so long they are heard of.
const SENT: Duration = Duration::from_millis(10);
/// In which all of it must be seen: then the relay ends who takes nothing.
const SEEN: Duration = Duration::from_secs(9);

/// Measures and prints it.
pub(crate) fn measure(dir: &Path) {
    let (relay, _) = Server::relay_with(&dir.join("crowded-relay"), &format!("memory_mib = {MEMORY_MIB}\n"));
    let before = relay.resident_kib();
    let begun = Instant::now();
    let (mut silent, mut most, mut tried) = (Vec::new(), before, 0);
    while tried < TRIED && begun.elapsed() < SEEN {
        silent.push(fall_silent(relay.at));
        tried += AT_ONCE;
        most = most.max(relay.resident_kib());
    }
    let taken: usize = silent.iter().map(|(_, links)| links.len()).sum();
    while begun.elapsed() < SEEN {
        std::thread::sleep(Duration::from_millis(100));
        most = most.max(relay.resident_kib());
    }
    drop(silent);
    let mib = |kib: u64| format!("{:.0}", kib as f64 / 1_024.0);
    let mut table = Table::new(&["memory_mib", "links tried", "taken", "MiB resident before", "at the most"]);
    table.row([MEMORY_MIB.to_string(), tried.to_string(), taken.to_string(), mib(before), mib(most)]);
    println!("Links whose clients ask for much and are not heard of again:\n\n{table}");
}

/// Links of clients that asked, and for which nobody works any more: their runtime stands still.
fn fall_silent(at: SocketAddr) -> (Runtime, Vec<Link>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let links = runtime.block_on(async {
        let from = quic::client();
        let making: JoinSet<Option<Link>> = (0..AT_ONCE).map(|_| open(from.clone(), at)).collect();
        let mut links: Vec<Link> = making.join_all().await.into_iter().flatten().collect();
        let command = Command::Descriptor.encode(RequestId(1)).unwrap();
        let commands = command.repeat(COMMANDS as usize);
        for link in &mut links {
            // What is written at once is as much as QUIC takes.
            let _ = tokio::time::timeout(Duration::ZERO, link.send.write_all(&commands)).await;
        }
        tokio::time::sleep(SENT).await;
        links
    });
    (runtime, links)
}

/// A link; none if the relay takes none.
async fn open(from: Endpoint, at: SocketAddr) -> Option<Link> {
    let connection = from.connect(at, "127.0.0.1").ok()?.await.ok()?;
    let streams = connection.open_bi().await.ok()?;
    let mut link = Link::new(connection, streams);
    // A link begins with its first command.
    let command = Command::Descriptor.encode(RequestId(1)).unwrap();
    link.send.write_all(&command).await.ok()?;
    link.frames.next().await?;
    Some(link)
}
