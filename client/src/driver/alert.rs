//! Saying the alert once the profile is gone: from memory, without engine and store, and for a second at the most.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use beresta_proto::command::Command;
use beresta_proto::id::RelayId;
use tokio::task::JoinSet;

use super::clock;
use super::inbox::Inbox;
use super::lines::{Lines, link_up};
use crate::engine::AlertMessage;
use crate::rng::Rng;
use crate::transport::{Dialler, Link};

/// How long relays have to take it. Who destroyed the profile may be held the next moment, and the process must have ended.
const WITHIN: Duration = Duration::from_secs(1);

impl Lines {
    /// Says these to their relays, over the links that are up or over others, until each was answered or a second is over.
    /// What else comes meanwhile is dropped: it must not stand in the way of the answers.
    pub(super) async fn say_alert(&self, alert: Vec<AlertMessage>, inbox: &mut Inbox) {
        let Some(dialler) = self.dialler().filter(|_| !alert.is_empty()) else { return };
        let mut at_relays: BTreeMap<RelayId, Vec<AlertMessage>> = BTreeMap::new();
        for message in alert {
            at_relays.entry(message.relay().relay).or_default().push(message);
        }
        let mut said = JoinSet::new();
        for (relay, messages) in at_relays {
            said.spawn(say(Arc::clone(&dialler), self.link(relay), messages));
        }
        let nothing_else = async {
            while inbox.next().await.is_some() {}
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = tokio::time::timeout(WITHIN, said.join_all()) => {}
            () = nothing_else => {}
        }
    }
}

/// Says what goes to one relay, and waits for its answers.
async fn say(dialler: Arc<Dialler>, link: Option<Arc<OnceLock<Link>>>, mut messages: Vec<AlertMessage>) {
    let commands: Vec<Command> = messages.iter_mut().filter_map(AlertMessage::take_command).collect();
    if let Some(link) = link.as_ref().and_then(|link| link.get())
        && commands.len() == messages.len()
        && answered(link, commands).await
    {
        return;
    }
    // None was up, or it broke just now. An envelope that came twice is stored once.
    let Some(first) = messages.first() else { return };
    let dialled = dialler.connect(first.relay(), first.own_routes(), first.known_sequence(), clock).await;
    let Ok((link, _pushes)) = dialled else { return };
    let (up, mut rng) = (link_up(&link), Rng::system());
    answered(&link, messages.iter().filter_map(|message| message.command(&up, &mut rng)).collect()).await;
}

/// Says commands one behind the other: whether each was answered.
async fn answered(link: &Link, commands: Vec<Command>) -> bool {
    let pending: Vec<_> = commands.into_iter().map(|command| link.request(command)).collect();
    let mut all = true;
    for reply in pending {
        all &= reply.await.is_ok();
    }
    all
}
