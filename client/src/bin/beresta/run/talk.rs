//! Sending, receiving, and looking back.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Read as _, stdin};
use std::time::Duration;

use beresta_client::api::{
    Client, DeliveryState, Error, Event, EventKind, LinkFault, LockReason, MessageInfo, Network, Status,
};
use clap::ArgMatches;
use zeroize::Zeroizing;

use super::super::args;
use super::super::fault::Fault;
use super::super::sanitize::harmless_line;
use super::super::span::{seconds, utc};
use super::beside::{tell_crowd, tell_lines, tell_trouble, unwatched};
use super::contact::sure;
use super::lines::is_cut;
use super::{Done, Shell, contact_of};

/// How long `send` waits for the relay unless told otherwise.
const WAIT: Duration = Duration::from_secs(15);
/// How long `receive` waits for the line, and then for its relay to say that all has come, after the last that did: what is lost
/// on a slow line is said again only after up to three round trips (RFC 9002 §6.2.1).
const REACH: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_secs(6);
/// How long who follows waits before it looks again anyway; and before it goes on where the disk was full.
const FOLLOW: Duration = Duration::from_secs(3_600);
const FULL: Duration = Duration::from_secs(5);
/// What takes no longer is not talked about; and how long `receive` stays for its receipts, which go out within 30 s.
const SOON: Duration = Duration::from_millis(500);
const RECEIPTS: Duration = Duration::from_secs(35);
/// How long it lets what waits to be sent leave where it waits for no receipts.
const LEAVE: Duration = Duration::from_millis(1_500);
/// Bytes read from standard input: more than any text may have, so that too long is told as such.
const INPUT: u64 = 64 * 1024;

pub(super) async fn send(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let text = match args::string(found, "message") {
        Some(text) => Zeroizing::new(text),
        None => read_text()?,
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
    let (status, lines) = (client.status().await?, client.lines(Some(&contact.id)).await?);
    let message = client.message(&message.id).await?.unwrap_or(message);
    // What its relay is may have been learned with the first word to it.
    let contact = client.find_contact(&contact.id).await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&message);
    }
    shell.print.skew(status.clock_skew_ms);
    match state {
        DeliveryState::Queued => {
            match lines.contact {
                Some(line) if !line.linked => shell.print.contact_lost(&contact, line.fault),
                // Home has no part in it.
                Some(_) => {}
                None => shell.print.fault(&status),
            }
            let kept = if message.too_long_now { "kept-too-long-now" } else { "kept-not-sent" };
            shell.print.warn(kept, [("name", harmless_line(&contact.name).into())]);
            Ok(Done::Partly)
        }
        DeliveryState::Failed => {
            let name = harmless_line(&contact.name);
            shell.print.warn("send-failed", [("name", name.into()), ("id", contact.id.to_string().into())]);
            Ok(Done::Partly)
        }
        DeliveryState::AtRelay | DeliveryState::Delivered | DeliveryState::New | DeliveryState::Shown => {
            let waits = state == DeliveryState::AtRelay && contact.volatile;
            let sent = if waits { "sent-volatile" } else { "sent" };
            shell.print.talk(sent, [("name", harmless_line(&contact.name).into())]);
            Ok(Done::Fully)
        }
    }
}

/// A text from standard input, to its end.
pub(super) fn read_text() -> Result<Zeroizing<String>, Fault> {
    let mut bytes = Zeroizing::new(Vec::new());
    stdin().lock().take(INPUT).read_to_end(&mut bytes).map_err(|_| Fault::Input)?;
    if bytes.len() as u64 == INPUT {
        // It may end within a letter, and is too long in any case.
        return Err(Error::TextTooLong.into());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Fault::Input)?;
    let mut text = Zeroizing::new(text.to_owned());
    if text.lines().any(|line| is_cut(line.as_bytes())) {
        return Err(Fault::LineCut);
    }
    // The end of the last line belongs to the terminal, not to the text.
    while text.ends_with(['\n', '\r']) {
        text.pop();
    }
    Ok(text)
}

/// Shows messages, and marks those that were shown: a message that nobody saw stays new.
pub(super) async fn show(
    shell: &Shell,
    client: &Client,
    list: &[MessageInfo],
    name: impl Fn(&MessageInfo) -> String,
) -> Result<(), Fault> {
    show_once(shell, client, list, name, &mut BTreeSet::new()).await
}

/// The same, without those that were `seen`: shown before, and not marked, because the store failed then.
async fn show_once(
    shell: &Shell,
    client: &Client,
    list: &[MessageInfo],
    name: impl Fn(&MessageInfo) -> String,
    seen: &mut BTreeSet<String>,
) -> Result<(), Fault> {
    let mut failed = None;
    for message in list {
        if !seen.contains(&message.id) {
            failed = shell.print.show(message, &name(message)).err();
            if failed.is_some() {
                break;
            }
            seen.insert(message.id.clone());
        }
    }
    let new = list.iter().filter(|one| one.state == DeliveryState::New && seen.contains(&one.id));
    client.mark_shown(&new.map(|one| one.id.clone()).collect::<Vec<_>>()).await?;
    seen.clear();
    failed.map_or(Ok(()), Err)
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
    let timeout = args::value::<u64>(found, "timeout").map(Duration::from_secs);
    let mut wanted = Wanted {
        follow: args::is_set(found, "follow"),
        brief: args::is_set(found, "brief"),
        limit: args::value::<u64>(found, "max").unwrap_or(u64::MAX),
        quiet: timeout.unwrap_or(QUIET),
        longer: timeout.is_some(),
        shown: 0,
        after: 0,
        seen: BTreeSet::new(),
    };
    let client = shell.open(Network::Online).await?;
    shell.print.talk("reaching", []);
    let reached = client.reach(timeout.unwrap_or(REACH)).await?;
    // Where nobody is reached there is nobody to wait for.
    if !reached {
        (wanted.brief, wanted.quiet) = (true, Duration::ZERO);
    }
    if wanted.follow {
        (wanted.quiet, wanted.longer) = (FOLLOW, true);
        if reached {
            shell.print.talk("following", []);
        }
    }
    let status = client.status().await?;
    shell.print.skew(status.clock_skew_ms);
    let crowded = shell.print.crowded(&status);
    // Who follows without a terminal (a service, a script) can't show that they are there.
    let follow = wanted.follow;
    // Who followed until now has waited for it.
    let first = if reached { REACH } else { Duration::ZERO };
    let after = if wanted.follow && stdin().is_terminal() { client.idle_lock().await? } else { None };
    super::chat::tell_idle(shell, after);
    let ended = tokio::select! {
        ended = follow_events(shell, &client, &mut wanted) => ended,
        () = unwatched(after) => return Err(Fault::Locked(LockReason::Idle)),
        trouble = tell_trouble(shell, &client) => trouble,
        fault = tell_crowd(shell, &client, crowded) => fault,
        // Who does not follow is told at the end.
        fault = tell_lines(shell, &client, None, first), if follow => fault,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    let status = client.status().await.ok();
    // With a full disk no queue is subscribed and nothing is received, whatever the line is like.
    let full = client.trouble().unwritable && !wanted.follow;
    client.close().await;
    ended?;
    if full {
        return Err(Error::StoreFull.into());
    }
    if wanted.shown == 0 && reached && !wanted.follow {
        shell.print.talk("nothing-new", []);
    }
    let untold = status.as_ref().is_some_and(|status| shell.print.untold(status));
    let linked =
        status.as_ref().is_some_and(|status| status.relay.as_ref().is_some_and(|relay| relay.linked));
    if reached || follow && linked {
        let crowded = status.as_ref().is_some_and(Status::is_crowded);
        return Ok(if untold || crowded { Done::Partly } else { Done::Fully });
    }
    let fault = status.and_then(|status| status.relay?.fault);
    Err(Error::Link(fault.unwrap_or(LinkFault::Unreachable)).into())
}

/// What is to be received, and what was.
struct Wanted {
    follow: bool,
    brief: bool,
    limit: u64,
    quiet: Duration,
    /// Also when all has come that was there.
    longer: bool,
    shown: u64,
    after: u64,
    seen: BTreeSet<String>,
}

/// Shows what is new until enough came, or no more. Then stays until others know of it.
async fn follow_events(shell: &Shell, client: &Client, wanted: &mut Wanted) -> Result<(), Fault> {
    let mut more = show_new(shell, client, wanted).await.map(|()| true);
    loop {
        match more {
            Ok(true) if wanted.shown >= wanted.limit => break,
            Ok(true) => {}
            Ok(false) => break,
            // It is told, and over once there is room.
            Err(Fault::Api(Error::StoreFull)) if wanted.follow => tokio::time::sleep(FULL).await,
            Err(fault) => return Err(fault),
        }
        more = follow_on(shell, client, wanted).await;
    }
    if wanted.brief {
        client.settle(LEAVE).await?;
        return Ok(());
    }
    if !client.rest(SOON).await? {
        shell.print.talk("receipts-wait", []);
        client.rest(RECEIPTS).await?;
    }
    // What came of that, as a word of a fresh queue that reaches nobody.
    if wanted.shown < wanted.limit {
        (wanted.quiet, wanted.longer) = (Duration::ZERO, true);
        while follow_on(shell, client, wanted).await? && !wanted.follow && wanted.shown < wanted.limit {}
    }
    Ok(())
}

/// Waits for events, tells them, and shows what is new: whether more is waited for.
async fn follow_on(shell: &Shell, client: &Client, wanted: &mut Wanted) -> Result<bool, Fault> {
    let events = client.next_events(wanted.after, 64, wanted.quiet);
    let events = if wanted.longer {
        events.await?
    } else {
        tokio::select! {
            events = events => events?,
            // What came before its relay's word is told before this ends.
            _ = client.catch_up(wanted.quiet) => client.next_events(wanted.after, 64, Duration::ZERO).await?,
        }
    };
    wanted.after = events.last().map_or(wanted.after, |event| event.seq);
    tell(shell, client, &events).await?;
    show_new(shell, client, wanted).await?;
    Ok(wanted.follow || !events.is_empty())
}

/// Shows new messages with who wrote them.
async fn show_new(shell: &Shell, client: &Client, wanted: &mut Wanted) -> Result<(), Fault> {
    let new = client.new_messages(None).await?;
    let contacts = client.contacts().await?;
    let name = |message: &MessageInfo| {
        let from = contacts.iter().find(|one| one.id == message.contact);
        from.map(|one| one.name.to_string()).unwrap_or_default()
    };
    let before = u64::try_from(wanted.seen.len()).unwrap_or(u64::MAX);
    wanted.shown =
        wanted.shown.saturating_add(u64::try_from(new.len()).unwrap_or(u64::MAX).saturating_sub(before));
    show_once(shell, client, &new, name, &mut wanted.seen).await
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
    let list = client.history(&contact.id, before.as_ref(), limit).await?;
    if list.is_empty() {
        shell.print.talk("no-messages", []);
    }
    if contact.seized {
        shell.print.warn("seized-history", [("name", harmless_line(&contact.name).into())]);
    }
    let shown = show(shell, &client, &list, |_| contact.name.to_string()).await;
    client.close().await;
    shown?;
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
