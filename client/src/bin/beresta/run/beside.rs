//! What is looked at beside what a program that stays open does.

use std::time::Duration;

use beresta_client::api::{Client, ContactInfo, Idle, Lines, Status, StoreTrouble};
use tokio::time::Instant;

use super::super::fault::Fault;
use super::Shell;
use super::outage::{Outage, Word};

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

/// Tells when home is not reached and when it is again; and of the contact's relay, while something waits for it. Who is told
/// nothing takes themselves to be reachable. `patience`: how long nothing is said of a home that was not reached yet.
pub(super) async fn tell_lines(
    shell: &Shell,
    client: &Client,
    contact: Option<&ContactInfo>,
    patience: Duration,
) -> Result<(), Fault> {
    let id = contact.map(|contact| &contact.id);
    let (mut home, mut theirs, begun) = (Outage::of_home(patience), Outage::default(), clock());
    let mut lines: Lines = client.lines(id).await?;
    loop {
        let now = clock().saturating_duration_since(begun);
        if let Some(word) = home.look(lines.home, now) {
            shell.print.home_line(word);
        }
        // That something left is told by what becomes of it.
        if let (Some(contact), Some(Word::Lost(fault))) = (contact, theirs.look(lines.contact, now)) {
            shell.print.contact_line(contact, fault);
        }
        let due = [home.due(), theirs.due()].into_iter().flatten().min();
        let wait = due.map_or(AGAIN, |due| due.saturating_sub(now));
        lines = client.next_lines(id, lines, wait).await?;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this program that does: for how long a line is away"
)]
fn clock() -> Instant {
    Instant::now()
}
