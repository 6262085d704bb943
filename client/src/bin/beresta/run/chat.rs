//! `chat open`: shows what arrives and sends the lines typed, so that two people in two terminals simply talk.

use std::io::{IsTerminal as _, stdin};
use std::path::Path;
use std::time::Duration;

use beresta_client::api::{
    Client, ContactInfo, DeliveryState, Error, Event, EventKind, Idle, LockReason, MessageId, MessageInfo,
    Network, Panic,
};
use clap::ArgMatches;
use tokio::sync::mpsc::Receiver;

use super::super::fault::Fault;
use super::super::print::tell as tell_line;
use super::super::sanitize::harmless_line;
use super::beside::{tell_crowd, tell_lines, tell_trouble};
use super::lines::{Broken, Line, Marks, lines};
use super::said::{self, Command, Said};
use super::talk::{show, span, tell};
use super::{Done, Shell, contact_of};

/// Messages of before that are shown at the start.
const RECENT: u32 = 20;
/// How long nothing is said of a line that is not there yet.
const FIRST: Duration = Duration::from_secs(15);
/// How long the end waits for what was typed last to leave.
const LAST: Duration = Duration::from_secs(5);
/// How long a panic that was typed may take to destroy, before this program hears of it.
const ON_ITS_WAY: Duration = Duration::from_secs(1);
/// How long the end of a panic may wait for a terminal.
const PANIC: Duration = Duration::from_secs(3);

pub(super) async fn open(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Online).await?;
    let contact = contact_of(&client, found).await?;
    let (to, name) = (contact.id.clone(), harmless_line(&contact.name));
    // Before anything is shown: a terminal that was stopped holds that up, and must not hold up a panic.
    let dir = shell.dir()?;
    let mut typed = lines(move |line| Typed::of(line, &dir));
    let talked = match converse(shell, &client, contact, &mut typed).await {
        Err(Fault::Locked(reason)) => return Err(Fault::Locked(reason)),
        // It may have failed because a panic that was typed has destroyed the profile under it.
        Err(fault) if !matches!(fault, Fault::Panic(_)) => {
            let panic = tokio::time::timeout(ON_ITS_WAY, next_panic(&mut typed)).await;
            Err(panic.ok().flatten().map_or(fault, Fault::Panic))
        }
        talked => talked,
    };
    if let Err(Fault::Panic(begun)) = talked {
        let mut closing = client.begin_close(&shell.dir()?).await;
        let done = match begun {
            Ok(panic) => closing.panic(panic).await,
            Err(error) => Err(error),
        };
        shell.print.clear();
        if done.is_ok() {
            shell.print.talk("panic-done", []);
        }
        // What is seen does not wait for what is said to others.
        closing.end().await;
        done?;
        return Ok(Done::Fully);
    }
    let sent = client.sent_to(&to, LAST).await?;
    let only_long = !sent && client.history(&to, None, RECENT).await?.iter().all(is_sent_or_long);
    client.close().await;
    talked?;
    if sent {
        return Ok(Done::Fully);
    }
    shell.print.warn(if only_long { "kept-too-long-now" } else { "kept-not-sent" }, [("name", name.into())]);
    Ok(Done::Partly)
}

/// Whether a message did not stay here, or for its length alone.
fn is_sent_or_long(message: &MessageInfo) -> bool {
    message.too_long_now || message.state != DeliveryState::Queued
}

/// Shows what was said last, and talks until the person has enough.
async fn converse(
    shell: &Shell,
    client: &Client,
    contact: ContactInfo,
    typed: &mut Receiver<Typed>,
) -> Result<(), Fault> {
    let name = harmless_line(&contact.name);
    let timer = shell.print.timer(contact.timer_secs);
    shell.print.talk("chat-opened", [("name", name.into()), ("trust", shell.print.trust(&contact).into())]);
    if contact.seized {
        shell.print.warn("seized-history", [("name", harmless_line(&contact.name).into())]);
    }
    shell.print.talk("chat-timer", [("timer", timer.into())]);
    shell.print.volatile(&contact);
    shell.print.lost(&contact);
    show_recent(shell, client, &contact).await?;
    let (idle, after) = (Idle::default(), client.idle_lock().await?);
    tell_idle(shell, after);
    let with = contact.clone();
    tokio::select! {
        talked = talk(shell, client, contact, typed, &idle) => talked,
        fault = tell_lines(shell, client, Some(&with), FIRST) => fault,
        trouble = tell_trouble(shell, client) => trouble,
        fault = tell_crowd(shell, client, false) => fault,
        () = idle.over(after) => Err(Fault::Locked(LockReason::Idle)),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// Shows what was said last. Its texts are dropped here: a conversation may stay open for longer than they may be kept.
async fn show_recent(shell: &Shell, client: &Client, contact: &ContactInfo) -> Result<(), Fault> {
    let new = client.new_messages(Some(&contact.id)).await?;
    let page = async |before: Option<MessageId>| client.history(&contact.id, before.as_ref(), RECENT).await;
    let recent = recent(new.first(), page).await?;
    show(shell, client, &recent, |_| contact.name.to_string()).await
}

/// What is shown at the start, in order: the last page, and as far back as the oldest that is new. Those before it would
/// be shown behind it otherwise.
async fn recent(
    oldest_new: Option<&MessageInfo>,
    page: impl AsyncFn(Option<MessageId>) -> Result<Vec<MessageInfo>, Error>,
) -> Result<Vec<MessageInfo>, Error> {
    let mut recent = page(None).await?;
    // It may go meanwhile: nothing before it is looked for.
    while let Some(oldest) = oldest_new
        && recent.iter().all(|one| one.id != oldest.id)
        && let Some(first) = recent.first().filter(|first| first.arrived_ms >= oldest.arrived_ms)
    {
        let mut before = page(Some(first.id.clone())).await?;
        if before.is_empty() {
            break;
        }
        before.append(&mut recent);
        recent = before;
    }
    Ok(recent)
}

/// Says that the profile will lock, if it will.
pub(super) fn tell_idle(shell: &Shell, after: Option<Duration>) {
    if let Some(after) = after {
        let by = shell.print.span("span", after.as_secs());
        shell.print.talk("lock-idle-on", [("by", by.into())]);
    }
}

/// A line; or a panic that was typed on one, and begun where it was read: what is shown may stand still.
enum Typed {
    Line(Line),
    Panic(Result<Panic, Error>),
}

impl Typed {
    fn of(line: Line, dir: &Path) -> Self {
        let Said::Command(Command::Panic, _) = said::read(&line, stdin().is_terminal()) else {
            return Self::Line(line);
        };
        let begun = Panic::begin(dir);
        if let Ok(panic) = &begun {
            panic.end_process_within(PANIC);
        }
        Self::Panic(begun)
    }
}

/// Waits for a panic that is typed.
async fn next_panic(typed: &mut Receiver<Typed>) -> Option<Result<Panic, Error>> {
    loop {
        if let Typed::Panic(begun) = typed.recv().await? {
            return Some(begun);
        }
    }
}

async fn talk(
    shell: &Shell,
    client: &Client,
    mut contact: ContactInfo,
    typed: &mut Receiver<Typed>,
    idle: &Idle,
) -> Result<(), Fault> {
    let marks = Marks::ask();
    let mut after = 0;
    let mut told_skew = false;
    loop {
        tokio::select! {
            line = typed.recv() => match line {
                None => return Ok(()),
                Some(Typed::Panic(begun)) => return Err(Fault::Panic(begun)),
                Some(Typed::Line(line)) => {
                    idle.touch();
                    marks.again();
                    if !say(shell, client, &mut contact, &line).await? {
                        return Ok(());
                    }
                }
            },
            events = client.next_events(after, 64, Duration::from_secs(60)) => {
                let events = events?;
                after = events.last().map_or(after, |event| event.seq);
                hear(shell, client, &contact, &events).await?;
                // What is decided from now on is about the key that was just told.
                let known_volatile = contact.volatile;
                contact = client.find_contact(&contact.id).await?;
                if !known_volatile {
                    shell.print.volatile(&contact);
                }
                if !told_skew {
                    let skew = client.status().await?.clock_skew_ms;
                    shell.print.skew(skew);
                    told_skew = skew.is_some();
                }
            }
        }
    }
}

/// Shows new messages of this contact; says that there are some of others.
async fn hear(shell: &Shell, client: &Client, contact: &ContactInfo, events: &[Event]) -> Result<(), Fault> {
    let new = client.new_messages(Some(&contact.id)).await?;
    show(shell, client, &new, |_| contact.name.to_string()).await?;
    let others = |event: &&Event| {
        event.kind == EventKind::MessageArrived && event.contact.as_ref() != Some(&contact.id)
    };
    if events.iter().any(|event| others(&event)) {
        shell.print.talk("chat-others", []);
    }
    tell(shell, client, events).await
}

/// A line that was typed: a text, or a command. False if the chat ends.
async fn say(shell: &Shell, client: &Client, contact: &mut ContactInfo, line: &Line) -> Result<bool, Fault> {
    let done = match said::read(line, stdin().is_terminal()) {
        Said::Nothing => Ok(()),
        Said::Command(Command::Quit, _) => return Ok(false),
        Said::Command(Command::Lock, _) => return Err(Fault::Locked(LockReason::Told)),
        // Done before it came here.
        Said::Command(Command::Panic, _) => Ok(()),
        Said::Command(Command::Help, _) => {
            shell.print.warn("chat-help", []);
            Ok(())
        }
        Said::Command(Command::Timer, typed) => match span(typed) {
            Ok(seconds) => client.set_timer(&contact.id, seconds).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        },
        Said::Command(Command::Anyway, _) => client.accept_identity(contact).await.map_err(Fault::from),
        Said::NotAlone(what) => {
            shell.print.warn("chat-not-alone", [("what", harmless_line(what).into())]);
            Ok(())
        }
        Said::Unknown(what) => {
            shell.print.warn("chat-unknown", [("what", harmless_line(what).into())]);
            Ok(())
        }
        Said::Broken(Broken::Cut) => Err(Fault::LineCut),
        Said::Broken(Broken::NotText) => Err(Fault::Input),
        Said::Text(text) => client.send(&contact.id, text.into()).await.map(drop).map_err(Fault::from),
    };
    // What is refused is told, and the talk goes on.
    if let Err(fault) = done {
        tell_line(&fault.words(&shell.print.text));
    }
    *contact = client.find_contact(&contact.id).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use beresta_client::api::DeliveryState;

    use super::*;

    fn message(number: u32) -> MessageInfo {
        MessageInfo {
            id: number.to_string(),
            contact: String::from("1"),
            outgoing: false,
            text: "text".into(),
            sent_ms: 0,
            arrived_ms: number.into(),
            state: DeliveryState::New,
            expires_ms: None,
            too_long_now: false,
        }
    }

    /// The first and the last that are shown of 99, and how many.
    async fn shown(oldest_new: Option<u32>) -> (String, String, usize) {
        shown_from(oldest_new.map(message)).await
    }

    async fn shown_from(oldest_new: Option<MessageInfo>) -> (String, String, usize) {
        let page = async |before: Option<MessageId>| {
            let end: u32 = before.map_or(100, |before| before.parse().unwrap());
            Ok((end.saturating_sub(RECENT).max(1)..end).map(message).collect())
        };
        let shown = recent(oldest_new.as_ref(), page).await.unwrap();
        assert!(shown.is_sorted_by_key(|one| one.id.parse::<u32>().unwrap()));
        (shown[0].id.clone(), shown[shown.len() - 1].id.clone(), shown.len())
    }

    #[tokio::test]
    async fn a_conversation_begins_with_the_oldest_that_is_new_and_goes_on_in_order() {
        assert_eq!(shown(None).await, (String::from("80"), String::from("99"), 20));
        assert_eq!(shown(Some(85)).await, (String::from("80"), String::from("99"), 20));
        assert_eq!(shown(Some(41)).await, (String::from("40"), String::from("99"), 60));
        let gone = MessageInfo { id: String::from("gone"), ..message(41) };
        let (first, _, count) = shown_from(Some(gone)).await;
        assert_eq!((first, count), (String::from("40"), 60), "nothing before it");
    }
}
