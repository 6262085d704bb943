//! The links of the driver: one a relay, each with a number, so that news of a link that was replaced is told from news
//! of the one that is up.

use std::collections::BTreeMap;

use beresta_proto::address::RelayAddress;
use beresta_proto::command::Command;
use beresta_proto::id::RelayId;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Input, clock};
use crate::engine::{DialFailure, LinkUp, Token};
use crate::transport::{ConnectError, Dialler, Link};

/// One relay's link, or the try to get one.
struct Line {
    number: u64,
    link: std::sync::Arc<std::sync::OnceLock<Link>>,
    task: JoinHandle<()>,
}

/// Every link.
pub(super) struct Lines {
    inbox: mpsc::Sender<Input>,
    dialler: Option<std::sync::Arc<Dialler>>,
    lines: BTreeMap<RelayId, Line>,
    next: u64,
}

impl Lines {
    pub(super) fn new(inbox: mpsc::Sender<Input>, online: bool) -> Self {
        let dialler = online.then(|| std::sync::Arc::new(Dialler::new()));
        Self { inbox, dialler, lines: BTreeMap::new(), next: 1 }
    }

    /// Reaches a relay in the background. Offline, nobody is reached and nothing is said about it.
    pub(super) fn dial(&mut self, address: RelayAddress, own: usize, known_sequence: u64) {
        let Some(dialler) = self.dialler.clone() else { return };
        let relay = address.relay;
        let number = self.next;
        self.next = number.wrapping_add(1);
        let link = std::sync::Arc::new(std::sync::OnceLock::new());
        let task = tokio::spawn(carry(
            dialler,
            (address, own),
            known_sequence,
            number,
            std::sync::Arc::clone(&link),
            self.inbox.clone(),
        ));
        if let Some(old) = self.lines.insert(relay, Line { number, link, task }) {
            old.task.abort();
        }
    }

    /// What reaches relays; none offline.
    pub(super) fn dialler(&self) -> Option<std::sync::Arc<Dialler>> {
        self.dialler.clone()
    }

    /// A relay's link; empty while it is dialled.
    pub(super) fn link(&self, relay: RelayId) -> Option<std::sync::Arc<std::sync::OnceLock<Link>>> {
        self.lines.get(&relay).map(|line| std::sync::Arc::clone(&line.link))
    }

    pub(super) fn is_current(&self, relay: RelayId, number: u64) -> bool {
        self.lines.get(&relay).is_some_and(|line| line.number == number)
    }

    /// Forgets a link that broke or was not reached; false if it was replaced already.
    pub(super) fn dropped(&mut self, relay: RelayId, number: u64) -> bool {
        let current = self.is_current(relay, number);
        if current {
            self.lines.remove(&relay);
        }
        current
    }

    pub(super) fn hang_up(&mut self, relay: RelayId) {
        if let Some(line) = self.lines.remove(&relay) {
            line.task.abort();
        }
    }

    /// Puts a command on the link, behind those before it; the reply comes as an input.
    pub(super) fn transmit(&mut self, relay: RelayId, token: Token, command: Command) {
        let inbox = self.inbox.clone();
        let pending =
            self.lines.get(&relay).and_then(|line| line.link.get()).map(|link| link.request(command));
        tokio::spawn(async move {
            let reply = match pending {
                Some(pending) => pending.await.ok(),
                None => None,
            };
            let _ = inbox.send(Input::Replied(relay, token, reply)).await;
        });
    }

    /// Closes every link, and waits a moment until the relays know.
    pub(super) async fn close(&mut self) {
        for line in std::mem::take(&mut self.lines).into_values() {
            line.task.abort();
        }
        if let Some(dialler) = self.dialler.take() {
            dialler.close().await;
        }
    }
}

/// Reaches a relay and then carries its pushes to the loop until the link breaks.
async fn carry(
    dialler: std::sync::Arc<Dialler>,
    (address, own): (RelayAddress, usize),
    known_sequence: u64,
    number: u64,
    slot: std::sync::Arc<std::sync::OnceLock<Link>>,
    inbox: mpsc::Sender<Input>,
) {
    let relay = address.relay;
    let (link, mut pushes) = match dialler.connect(&address, own, known_sequence, clock).await {
        Ok(connected) => connected,
        Err(error) => {
            tracing::info!("a relay was not reached");
            let _ = inbox.send(Input::DialFailed(relay, number, failure(&error))).await;
            return;
        }
    };
    let up = link_up(&link);
    tracing::info!("a relay was reached");
    if slot.set(link).is_err() || inbox.send(Input::LinkUp(relay, number, Box::new(up))).await.is_err() {
        return;
    }
    while let Some(push) = pushes.recv().await {
        if inbox.send(Input::Pushed(relay, number, vec![push])).await.is_err() {
            return;
        }
    }
    tracing::info!("a link broke");
    let _ = inbox.send(Input::LinkDown(relay, number)).await;
}

/// What the engine is told of a link.
pub(super) fn link_up(link: &Link) -> LinkUp {
    LinkUp {
        descriptor: link.descriptor().clone(),
        epoch_keys: link.epoch_keys().to_vec(),
        clock: link.relay_clock(),
        exporter: *link.exporter(),
    }
}

fn failure(error: &ConnectError) -> DialFailure {
    match error {
        ConnectError::Unreachable | ConnectError::Socket => DialFailure::Unreachable,
        ConnectError::NoUsableRoute => DialFailure::NoRoute,
        ConnectError::Stale { .. } => DialFailure::Stale,
        ConnectError::NotTheRelay(_) | ConnectError::Protocol => DialFailure::NotTheRelay,
    }
}
