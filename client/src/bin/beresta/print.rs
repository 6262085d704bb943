//! What goes to the terminal: data to standard output (one JSON object a line with `--json`), talk to standard error.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};

use beresta_client::api::{
    ContactInfo, ContactTrust, DeliveryState, Error, Event, EventKind, LinkFault, MessageInfo, Status,
    StoreTrouble, Surroundings,
};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use super::fault::Fault;
use super::run::Word;
use super::sanitize::{harmless, harmless_line};
use super::span::utc;
use super::text::{Put, Text};

/// Before each line of a text but its first. No line of ours begins so: else a contact's text could go on with a line that looks like
/// somebody else's, or like a word of the program.
const FOLLOWS: &str = "\n    │ ";

/// Puts a line on standard output, as far as whoever reads it.
pub(crate) fn put(line: &str) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Puts a line on standard error. Who closed it wants none, and nothing may end for that reason.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(stderr().lock(), "{line}");
}

/// Records of the public face have no maps with odd keys: they always serialise.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// How this run speaks.
pub(crate) struct Printer {
    pub(crate) text: Text,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Printer {
    /// Wipes what stands on the terminal and above it, as far as it lets us, and what was typed and not read.
    pub(crate) fn clear(&self) {
        if stderr().is_terminal() || stdout().is_terminal() {
            // Home, the screen, what was scrolled out of it (ECMA-48 8.3.39, and xterm's 3).
            let _ = stderr().write_all(b"\x1b[H\x1b[2J\x1b[3J");
        }
        #[cfg(unix)]
        let _ = rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush);
    }

    /// A line of data. Who closed standard output wants none.
    pub(crate) fn line(&self, line: &str) {
        let _ = put(line);
    }

    /// One JSON object on a line.
    pub(crate) fn object(&self, value: &impl Serialize) {
        let _ = put(&json(value));
    }

    /// A message, with who wrote it.
    ///
    /// # Errors
    /// [`Fault::Output`]: nobody saw it.
    pub(crate) fn show(&self, message: &MessageInfo, from: &str) -> Result<(), Fault> {
        let line = if self.json {
            json(&serde_json::json!({ "message": message, "from": from }))
        } else {
            self.message(message, from)
        };
        put(&line).map_err(|_| Fault::Output)
    }

    /// Talk: for a person, not for a program.
    pub(crate) fn talk<const N: usize>(&self, key: &str, values: [(&str, Put); N]) {
        if !self.quiet {
            tell(&self.text.say_with(key, values));
        }
    }

    /// Talk that no `--quiet` silences: something is wrong.
    pub(crate) fn warn<const N: usize>(&self, key: &str, values: [(&str, Put); N]) {
        tell(&self.text.say_with(key, values));
    }

    /// A QR code on standard error, where that is a terminal. Light on dark with its quiet zone, so that it is readable
    /// on dark and light terminals.
    pub(crate) fn qr(&self, link: &str) {
        if self.quiet || !stderr().is_terminal() {
            return;
        }
        if let Ok(code) = QrCode::new(link.as_bytes()) {
            let mut drawn = code.render::<Dense1x2>();
            tell(&drawn.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build());
        }
    }

    /// How sure we are of a contact, in words.
    pub(crate) fn trust(&self, contact: &ContactInfo) -> String {
        self.text.say(match contact.trust {
            _ if contact.blocked => "trust-blocked",
            _ if contact.seized => "trust-seized",
            ContactTrust::Invited => "trust-invited",
            ContactTrust::Verified => "trust-verified",
            ContactTrust::IdentityChanged => "trust-changed",
        })
    }

    /// When messages disappear, in words.
    pub(crate) fn timer(&self, seconds: Option<u32>) -> String {
        let Some(seconds) = seconds.map(u64::from) else { return self.text.say("timer-off") };
        self.span("timer", seconds)
    }

    /// A span of time in the largest unit that it is a multiple of, or nearly.
    pub(crate) fn span(&self, key: &str, seconds: u64) -> String {
        let (unit, count) = match seconds {
            s if s >= 604_800 && s.is_multiple_of(604_800) => ("weeks", s / 604_800),
            s if s >= 86_400 => ("days", s / 86_400),
            s if s >= 3_600 => ("hours", s / 3_600),
            s if s >= 60 => ("minutes", s / 60),
            s => ("seconds", s),
        };
        self.text.say_with(&format!("{key}-{unit}"), [("n", count.into())])
    }

    /// A contact on one line.
    pub(crate) fn contact(&self, contact: &ContactInfo) -> String {
        let lost =
            if contact.lost { format!("  {}", self.text.say("contact-is-lost")) } else { String::new() };
        format!(
            "{}  {}  [{}]  {}  {}{lost}",
            contact.id,
            harmless_line(&contact.name),
            contact.tag.as_str(),
            self.trust(contact),
            self.timer(contact.timer_secs)
        )
    }

    /// Tells of a contact that we may have lost each other, and what to do.
    pub(crate) fn lost(&self, contact: &ContactInfo) {
        if contact.lost {
            let (name, id) = (harmless_line(&contact.name), contact.id.to_string());
            self.warn("event-lost-each-other", [("name", name.into()), ("id", id.into())]);
        }
    }

    fn state(&self, message: &MessageInfo) -> String {
        self.text.say(match message.state {
            DeliveryState::Queued if message.too_long_now => "state-too-long-now",
            DeliveryState::Queued => "state-queued",
            DeliveryState::AtRelay => "state-at-relay",
            DeliveryState::Delivered => "state-delivered",
            DeliveryState::Failed => "state-failed",
            DeliveryState::New => "state-new",
            DeliveryState::Shown => "state-shown",
        })
    }

    /// A message on its lines.
    fn message(&self, message: &MessageInfo, from: &str) -> String {
        let who = if message.outgoing { self.text.say("me") } else { harmless_line(from) };
        let state = if message.outgoing { format!("  · {}", self.state(message)) } else { String::new() };
        let text = harmless(&message.text).replace('\n', FOLLOWS);
        format!("{}  {who}: {text}{state}", utc(message.sent_ms))
    }

    /// What became of a message of ours, for who watches. That it was not delivered everybody hears.
    pub(crate) fn came_further(&self, message: &MessageInfo) {
        let text: String = harmless_line(&message.text).chars().take(24).collect();
        let values = [("state", self.state(message).into()), ("text", text.into())];
        if message.state == DeliveryState::Failed {
            self.warn("came-further", values);
        } else {
            self.talk("came-further", values);
        }
    }

    /// Tells an event other than that of a message.
    pub(crate) fn event(&self, event: &Event, contact: Option<&ContactInfo>) {
        let name = contact.map_or_else(String::new, |contact| harmless_line(&contact.name));
        let key = match event.kind {
            EventKind::Met => "event-met",
            EventKind::InviteUsedAgain => "event-invite-used-again",
            EventKind::IdentityChanged => "event-identity-changed",
            EventKind::TimerChanged => "event-timer-changed",
            EventKind::TakenOver => "event-taken-over",
            EventKind::NeedsNewer => "event-needs-newer",
            EventKind::RelayForked => "event-relay-forked",
            EventKind::InviteEnded => "event-invite-ended",
            EventKind::NotDelivered => "event-not-delivered",
            EventKind::InviteNamesAnother => "event-invite-names-another",
            EventKind::NotToBeMet => "event-not-to-be-met",
            EventKind::SeizedWrote => "event-seized-wrote",
            EventKind::HomeVolatile => "relay-volatile",
            EventKind::LostEachOther => "event-lost-each-other",
            EventKind::MessageArrived | EventKind::MessageChanged | _ => return,
        };
        let timer = contact.map_or_else(String::new, |contact| self.timer(contact.timer_secs));
        // A command names a contact by their id: the name was chosen by somebody else, and a shell would act upon it.
        let id = contact.map_or_else(String::new, |contact| contact.id.to_string());
        self.warn(key, [("name", name.into()), ("id", id.into()), ("timer", timer.into())]);
    }

    /// Tells what is wrong with the store and was not a moment `before`, and what to do.
    pub(crate) fn trouble(&self, now: StoreTrouble, before: StoreTrouble) {
        if now.unwritable && !before.unwritable {
            self.warn("store-unwritable", []);
        }
        if now.unwiped && !before.unwiped {
            self.warn("store-unwiped", []);
        }
    }

    /// Tells what around the profile may keep what it destroys, and what to do.
    pub(crate) fn surroundings(&self, around: Surroundings) {
        if around.writes_elsewhere {
            self.warn("writes-elsewhere", []);
        }
        if around.bare_swap {
            self.warn("bare-swap", []);
        }
    }

    /// What keeps the relay from being reached, if it is more than a line that does not work.
    pub(crate) fn fault(&self, status: &Status) {
        match status.relay.as_ref().and_then(|relay| relay.fault) {
            Some(LinkFault::Unreachable | LinkFault::Broke) | None => {}
            fault => tell(&self.why(fault)),
        }
    }

    /// Why a line is not there, and what to do, where it is tried for as long as somebody waits.
    fn why(&self, fault: Option<LinkFault>) -> String {
        match fault {
            Some(LinkFault::Unreachable | LinkFault::Broke) | None => self.text.say("line-unreachable"),
            Some(fault) => Fault::from(Error::Link(fault)).words(&self.text),
        }
    }

    /// Tells that home is not reached, or is again.
    pub(crate) fn home_line(&self, word: Word) {
        self.line_object("home", word);
        match word {
            Word::Lost(fault) => self.warn("home-lost", [("why", self.why(fault).into())]),
            Word::Back => self.warn("home-back", []),
        }
    }

    /// Tells that a contact's relay is not reached, for who wrote to them.
    pub(crate) fn contact_line(&self, contact: &ContactInfo, fault: Option<LinkFault>) {
        self.line_object(&contact.id, Word::Lost(fault));
        self.contact_lost(contact, fault);
    }

    /// The same where it is no news: `--json` has the state of the message.
    pub(crate) fn contact_lost(&self, contact: &ContactInfo, fault: Option<LinkFault>) {
        let name = harmless_line(&contact.name);
        self.warn("contact-lost", [("name", name.into()), ("why", self.why(fault).into())]);
    }

    /// A line whose state changed; `of`: home, or a contact's id.
    fn line_object(&self, of: &str, word: Word) {
        if self.json {
            let fault = match word {
                Word::Lost(fault) => fault,
                Word::Back => None,
            };
            let line = serde_json::json!({ "of": of, "linked": word == Word::Back, "fault": fault });
            self.object(&serde_json::json!({ "line": line }));
        }
    }

    /// Tells that contacts do not know yet where to write, and why home made no queue for them: whether that is so. What is
    /// under way is not told.
    pub(crate) fn untold(&self, status: &Status) -> bool {
        let Some(relay) = status.relay.as_ref().filter(|_| status.untold > 0) else { return false };
        if relay.linked && relay.refusal.is_none() {
            return false;
        }
        self.warn("relay-untold", [("n", status.untold.into())]);
        if let Some(refusal) = relay.refusal {
            tell(&Fault::from(Error::from(refusal)).words(&self.text));
        }
        true
    }

    /// Tells that the home relay has no room for all of our queues, so that what comes may come late: whether that is so.
    pub(crate) fn crowded(&self, status: &Status) -> bool {
        if let Some(relay) = status.relay.as_ref().filter(|_| status.is_crowded()) {
            self.warn("relay-crowded", [("n", relay.passed_over.into())]);
        }
        status.is_crowded()
    }

    /// Tells that the home relay forgets with a restart, if it says so.
    pub(crate) fn volatile_home(&self, status: &Status) {
        if status.relay.as_ref().is_some_and(|relay| relay.volatile) {
            self.warn("relay-volatile", []);
        }
    }

    /// Tells that a contact's relay does.
    pub(crate) fn volatile(&self, contact: &ContactInfo) {
        if contact.volatile {
            self.warn("contact-volatile", [("name", harmless_line(&contact.name).into())]);
        }
    }

    /// Tells that the clock is wrong, and what that means.
    pub(crate) fn skew(&self, skew_ms: Option<i64>) {
        let Some(skew) = skew_ms else { return };
        let by = self.span("span", skew.unsigned_abs() / 1_000);
        self.warn(if skew > 0 { "clock-behind" } else { "clock-ahead" }, [("by", by.into())]);
    }
}
