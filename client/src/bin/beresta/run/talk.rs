//! Sending, receiving, and looking back.

use std::io::{Read as _, stdin};
use std::time::Duration;

use beresta_client::api::{Client, DeliveryState, Event, EventKind, MessageInfo, Network};
use clap::ArgMatches;
use zeroize::Zeroizing;

use super::super::args;
use super::super::fault::Fault;
use super::super::sanitize::harmless_line;
use super::super::span::{seconds, utc};
use super::contact::sure;
use super::{Done, Shell, contact_of};

/// How long `send` waits for the relay unless told otherwise.
const WAIT: Duration = Duration::from_secs(15);
/// How long `receive` waits for the line, and then for more after the last that came.
const REACH: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_millis(1_500);
/// Bytes read from standard input: more than any text may have, so that too long is told as such.
const INPUT: u64 = 64 * 1024;

pub(super) async fn send(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let text = match args::string(found, "message") {
        Some(text) => Zeroizing::new(text),
        None => {
            let mut text = Zeroizing::new(String::new());
            stdin().lock().take(INPUT).read_to_string(&mut text).map_err(|_| Fault::Input)?;
            // The end of the last line belongs to the terminal, not to the text.
            while text.ends_with(['\n', '\r']) {
                text.pop();
            }
            text
        }
    };
    let wait = match args::string(found, "wait") {
        Some(typed) => Duration::from_secs(seconds(&typed).ok_or(Fault::BadSpan)?),
        None => WAIT,
    };
    let client = shell.open(Network::Online).await?;
    let contact = contact_of(&client, found).await?;
    if args::is_set(found, "send-anyway") {
        client.accept_identity(&contact).await?;
    }
    let message = client.send(&contact.id, text.into()).await?;
    let state = client.wait_sent(&message.id, wait).await?;
    let skew = client.status().await?.clock_skew_ms;
    let message = client.message(&message.id).await?.unwrap_or(message);
    client.close().await;
    if shell.print.json {
        shell.print.object(&message);
    }
    shell.print.skew(skew);
    match state {
        DeliveryState::Queued => {
            shell.print.warn("kept-not-sent", []);
            Ok(Done::Partly)
        }
        DeliveryState::Failed => {
            shell.print.warn("send-failed", [("name", harmless_line(&contact.name).into())]);
            Ok(Done::Partly)
        }
        DeliveryState::AtRelay | DeliveryState::Delivered | DeliveryState::New | DeliveryState::Shown => {
            shell.print.talk("sent", [("name", harmless_line(&contact.name).into())]);
            Ok(Done::Fully)
        }
    }
}

/// Prints new messages with who wrote them.
async fn print_new(shell: &Shell, client: &Client) -> Result<u64, Fault> {
    let new = client.take_new(None).await?;
    let contacts = client.contacts().await?;
    for message in &new {
        let name = contacts.iter().find(|one| one.id == message.contact).map(|one| one.name.as_str());
        print_message(shell, message, name.unwrap_or_default());
    }
    Ok(u64::try_from(new.len()).unwrap_or(u64::MAX))
}

fn print_message(shell: &Shell, message: &MessageInfo, name: &str) {
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "message": message, "from": name }));
    } else {
        shell.print.line(&shell.print.message(message, name));
    }
}

/// Tells events that are not messages; what is told is forgotten.
pub(super) async fn tell(shell: &Shell, client: &Client, events: &[Event]) -> Result<(), Fault> {
    for event in events {
        if shell.print.json {
            shell.print.object(&serde_json::json!({ "event": event }));
        }
        let contact = match &event.contact {
            Some(id) => client.find_contact(id).await.ok(),
            None => None,
        };
        match (event.kind, &event.message) {
            (EventKind::MessageChanged | EventKind::NotDelivered, Some(id)) => {
                if let Some(message) = client.message(id).await? {
                    shell.print.came_further(&message);
                }
            }
            _ => shell.print.event(event, contact.as_ref()),
        }
    }
    if let Some(last) = events.last() {
        client.acknowledge_events(last.seq).await?;
    }
    Ok(())
}

pub(super) async fn receive(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let follow = args::is_set(found, "follow");
    let limit = args::value::<u64>(found, "max").unwrap_or(u64::MAX);
    let timeout = args::value::<u64>(found, "timeout").map(Duration::from_secs);
    let client = shell.open(Network::Online).await?;
    shell.print.talk("reaching", []);
    let linked = client.settle(timeout.unwrap_or(REACH)).await?;
    if linked && follow {
        shell.print.talk("following", []);
    }
    shell.print.skew(client.status().await?.clock_skew_ms);
    let work = follow_events(shell, &client, limit, follow, timeout.unwrap_or(QUIET).max(QUIET));
    let ended = tokio::select! {
        ended = work => ended,
        _ = tokio::signal::ctrl_c() => Ok(0),
    };
    client.close().await;
    if ended? == 0 && linked && !follow {
        shell.print.talk("nothing-new", []);
    }
    if linked {
        Ok(Done::Fully)
    } else {
        Err(beresta_client::api::Error::Link(beresta_client::api::LinkFault::Unreachable).into())
    }
}

/// Shows what is new until enough came, or no more: how many messages.
async fn follow_events(
    shell: &Shell,
    client: &Client,
    limit: u64,
    follow: bool,
    quiet: Duration,
) -> Result<u64, Fault> {
    let mut shown = print_new(shell, client).await?;
    let mut after = 0;
    let patience = if follow { Duration::from_secs(3_600) } else { quiet };
    loop {
        let events = client.next_events(after, 64, patience).await?;
        after = events.last().map_or(after, |event| event.seq);
        tell(shell, client, &events).await?;
        shown = shown.saturating_add(print_new(shell, client).await?);
        if shown >= limit || (events.is_empty() && !follow) {
            return Ok(shown);
        }
    }
}

pub(super) async fn chats(shell: &mut Shell) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let chats = client.chats().await?;
    client.close().await;
    if chats.is_empty() {
        shell.print.talk("no-contacts", []);
    }
    for chat in &chats {
        if shell.print.json {
            shell.print.object(chat);
            continue;
        }
        let new = match chat.new_messages {
            0 => String::new(),
            n => shell.print.text.say_with("chat-new", [("n", n.into())]),
        };
        let last = chat.last.as_ref().map(|last| utc(last.arrived_ms)).unwrap_or_default();
        shell.print.line(&format!(
            "{}  {}  {last}  {new}",
            chat.contact.id,
            harmless_line(&chat.contact.name)
        ));
    }
    Ok(Done::Fully)
}

pub(super) async fn history(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let contact = contact_of(&client, found).await?;
    let limit = args::value::<u32>(found, "limit").unwrap_or(50);
    let before = args::string(found, "before");
    let list = client.history(&contact.id, before.as_ref(), limit, true).await?;
    client.close().await;
    if list.is_empty() {
        shell.print.talk("no-messages", []);
    }
    for message in &list {
        print_message(shell, message, &contact.name);
    }
    Ok(Done::Fully)
}

pub(super) async fn timer(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let typed = args::string(found, "span");
    let network = if typed.is_some() { Network::Online } else { Network::Offline };
    let client = shell.open(network).await?;
    let contact = contact_of(&client, found).await?;
    if let Some(typed) = &typed {
        client.set_timer(&contact.id, span(typed)?).await?;
        client.settle(WAIT).await?;
    }
    let contact = client.find_contact(&contact.id).await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&contact);
    } else {
        shell.print.line(&shell.print.timer(contact.timer_secs));
    }
    if typed.is_some() {
        shell.print.talk("timer-advice", []);
    }
    Ok(Done::Fully)
}

/// `off`, or a span in seconds.
pub(super) fn span(typed: &str) -> Result<Option<u32>, Fault> {
    if matches!(typed.to_lowercase().as_str(), "off" | "выкл" | "нет") {
        return Ok(None);
    }
    let secs = seconds(typed).ok_or(Fault::BadSpan)?;
    Ok(Some(u32::try_from(secs).map_err(|_| Fault::BadSpan)?))
}

pub(super) async fn delete(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let contact = contact_of(&client, found).await?;
    sure(shell, found, "sure-delete", &contact.name)?;
    let n = client.delete_history(&contact.id).await?;
    client.close().await;
    shell.print.talk("deleted", [("n", n.into())]);
    Ok(Done::Fully)
}
