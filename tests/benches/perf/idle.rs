//! What an idle link costs in resident memory: links of readers, each with a queue of its own, that say nothing more.

use std::path::Path;
use std::time::Duration;

use quinn::Endpoint;
use tokio::task::JoinSet;

use crate::process::Server;
use crate::quic::{self, Link};
use crate::table::Table;
use crate::{bare, beresta};

/// Links that are weighed.
const WEIGHED: u32 = 5_000;
/// Links that stay while something else is measured.
pub(crate) const LINKS: u32 = 2_000;
/// Links that are made at once, each from a socket that it shares with those of the other batches.
const AT_ONCE: u32 = 50;
/// Until what making the links needed is given back.
const REST: Duration = Duration::from_secs(3);

/// Measures and prints it.
pub(crate) async fn measure(dir: &Path) {
    let ours = relay(dir, WEIGHED).await;
    let bare = Server::bare(None);
    let at = bare.at;
    let theirs =
        each(&bare, WEIGHED, |from, number| async move { bare::idle(&from, at, number).await }).await;
    let mut table = Table::new(&["links", "relay", "bare quinn", "ratio"]);
    let kib = |kib: f64| format!("{kib:.1}");
    table.row([WEIGHED.to_string(), kib(ours), kib(theirs), format!("{:.2}", ours / theirs)]);
    println!("Resident memory for each idle link, in KiB:\n\n{table}");
}

/// KiB for each of `links` links at a relay of its own, in `dir`.
pub(crate) async fn relay(dir: &Path, links: u32) -> f64 {
    let (relay, _) = Server::relay(&dir.join("idle-relay"));
    let at = relay.at;
    each(&relay, links, |from, _| async move { beresta::reader(&from, at).await.0 }).await
}

/// Opens them all, and keeps them.
pub(crate) async fn open<L>(link: impl Fn(Endpoint, u32) -> L) -> Vec<Link>
where
    L: Future<Output = Link> + Send + 'static,
{
    let sockets: Vec<Endpoint> = (0..AT_ONCE).map(|_| quic::client()).collect();
    let mut links = Vec::new();
    for batch in 0..LINKS / AT_ONCE {
        links.extend(one_batch(batch, &sockets, &link).await);
    }
    links
}

async fn one_batch<L>(batch: u32, sockets: &[Endpoint], link: &impl Fn(Endpoint, u32) -> L) -> Vec<Link>
where
    L: Future<Output = Link> + Send + 'static,
{
    let making: JoinSet<Link> =
        (batch * AT_ONCE..).zip(sockets).map(|(number, from)| link(from.clone(), number)).collect();
    making.join_all().await
}

/// KiB for each link.
async fn each<L>(server: &Server, count: u32, link: impl Fn(Endpoint, u32) -> L) -> f64
where
    L: Future<Output = Link> + Send + 'static,
{
    let sockets: Vec<Endpoint> = (0..AT_ONCE).map(|_| quic::client()).collect();
    let mut links = Vec::new();
    let mut before = 0;
    // The first batch makes what all links share.
    for batch in 0..=count / AT_ONCE {
        links.extend(one_batch(batch, &sockets, &link).await);
        if batch == 0 {
            tokio::time::sleep(REST).await;
            before = server.resident_kib();
        }
    }
    tokio::time::sleep(REST).await;
    let after = server.resident_kib();
    assert!(links.iter().all(|link| link.connection.close_reason().is_none()), "a link was closed");
    (after - before) as f64 / f64::from(count)
}
