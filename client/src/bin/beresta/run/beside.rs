//! What is looked at beside what a program that stays open does.

use std::time::Duration;

use beresta_client::api::{Client, Idle, Status, StoreTrouble};

use super::super::fault::Fault;
use super::Shell;

/// When it is looked for the first time how crowded a relay is, and how often then.
const SOON: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(60);

/// Waits until nobody pressed Enter for so long.
pub(super) async fn unwatched(after: Option<Duration>) {
    let idle = Idle::default();
    let keys = async {
        let mut lines = super::lines::lines(drop);
        while lines.recv().await.is_some() {
            idle.touch();
        }
        std::future::pending::<()>().await;
    };
    if after.is_none() {
        return std::future::pending().await;
    }
    tokio::select! {
        () = idle.over(after) => {}
        () = keys => {}
    }
}

/// Tells what is wrong with the store, for as long as the client is open.
pub(super) async fn tell_trouble(shell: &Shell, client: &Client) -> Result<(), Fault> {
    let mut known = StoreTrouble::default();
    loop {
        let now = client.next_trouble(known).await?;
        shell.print.trouble(now, known);
        known = now;
    }
}

/// Tells when a relay has become crowded, for as long as the client is open. `known`: whether that was told.
pub(super) async fn tell_crowd(shell: &Shell, client: &Client, mut known: bool) -> Result<(), Fault> {
    let mut pause = SOON;
    loop {
        tokio::time::sleep(pause).await;
        let status = client.status().await?;
        known = if known { Status::is_crowded(&status) } else { shell.print.crowded(&status) };
        pause = AGAIN;
    }
}
