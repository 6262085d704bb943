//! What went wrong, in words that say what to do, and the exit code for it.

use std::process::ExitCode;

use beresta_client::api::{Error, LinkFault, LockReason, Panic, Words};
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::sanitize::harmless_line;
use super::span::utc_now;
use super::text::Text;

/// A failure that a person hears of.
#[derive(Debug)]
pub(crate) enum Fault {
    Usage(Box<clap::Error>),
    BadSpan,
    Api(Error),
    NoHome,
    NoTerminal,
    NoDescriptor,
    WeakPassphrase,
    PassphrasesDiffer,
    KeyFileInside,
    Unconfirmed,
    Locked(LockReason),
    BadIdle,
    /// The person had the profile destroyed: handled where it is open, and told to nobody.
    Panic(Result<Panic, Error>),
    Input,
    /// A terminal may have dropped the end of a line.
    LineCut,
    Output,
    Internal,
}

/// The exit codes, as the help lists them.
pub(crate) mod code {
    pub(crate) const INTERNAL: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const NETWORK: u8 = 3;
    pub(crate) const IDENTITY: u8 = 4;
    pub(crate) const BUSY: u8 = 5;
    pub(crate) const LOCKED: u8 = 6;
    pub(crate) const NOT_FOUND: u8 = 7;
    pub(crate) const PARTLY: u8 = 8;
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Api(error)
    }
}

impl Fault {
    /// Whether files of the profile could not be read or written: also what who has it open meets when it is destroyed.
    pub(crate) const fn is_of_the_files(&self) -> bool {
        matches!(self, Self::Api(Error::Denied | Error::Store | Error::StoreDamaged | Error::Closed))
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_)
            | Self::BadSpan
            | Self::WeakPassphrase
            | Self::PassphrasesDiffer
            | Self::KeyFileInside
            | Self::BadIdle
            | Self::Input
            | Self::LineCut => code::USAGE,
            Self::Api(error) => api(error).1,
            Self::NoTerminal | Self::NoDescriptor | Self::Locked(_) => code::LOCKED,
            Self::NoHome => code::NOT_FOUND,
            Self::Unconfirmed => code::IDENTITY,
            Self::Output | Self::Panic(_) | Self::Internal => code::INTERNAL,
        })
    }

    /// The kind's stable name, for `--json`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::BadSpan => "bad-span",
            Self::Api(error) => api(error).0,
            Self::NoHome => "no-home",
            Self::NoTerminal => "no-terminal",
            Self::NoDescriptor => "no-descriptor",
            Self::WeakPassphrase => "weak-passphrase",
            Self::PassphrasesDiffer => "passphrases-differ",
            Self::KeyFileInside => "key-file-inside",
            Self::Unconfirmed => "unconfirmed",
            Self::Locked(LockReason::Told) => "locked",
            Self::Locked(LockReason::Idle) => "locked-idle",
            Self::Locked(LockReason::Slept) => "locked-slept",
            Self::Locked(LockReason::Session) => "locked-session",
            Self::BadIdle => "bad-idle",
            Self::Input => "input",
            Self::LineCut => "line-cut",
            Self::Output => "output",
            Self::Panic(_) | Self::Internal => "internal",
        }
    }

    pub(crate) fn words(&self, text: &Text) -> String {
        match self {
            Self::Usage(error) => usage(error, text),
            Self::Api(Error::Ambiguous(names)) => {
                let names: Vec<&str> = names.iter().map(Words::as_str).collect();
                text.say_with("error-ambiguous", [("names", harmless_line(&names.join(", ")).into())])
            }
            Self::Api(Error::AlreadyContact(id)) => {
                text.say_with("error-already-contact", [("id", id.into())])
            }
            // Whose clock is wrong only they can tell.
            Self::Api(Error::Link(LinkFault::Stale)) => {
                text.say_with("error-stale", [("now", utc_now().into())])
            }
            Self::BadSpan
            | Self::Api(_)
            | Self::NoHome
            | Self::NoTerminal
            | Self::NoDescriptor
            | Self::WeakPassphrase
            | Self::PassphrasesDiffer
            | Self::KeyFileInside
            | Self::Unconfirmed
            | Self::Locked(_)
            | Self::BadIdle
            | Self::Panic(_)
            | Self::Input
            | Self::LineCut
            | Self::Output
            | Self::Internal => text.say(&format!("error-{}", self.kind())),
        }
    }
}

/// The name and the exit code of each kind of error.
#[expect(clippy::wildcard_enum_match_arm, reason = "the public face may grow")]
fn api(error: &Error) -> (&'static str, u8) {
    match error {
        Error::NoProfile => ("no-profile", code::NOT_FOUND),
        Error::ProfileExists => ("profile-exists", code::USAGE),
        Error::InUse => ("in-use", code::LOCKED),
        Error::WrongPassphrase => ("wrong-passphrase", code::LOCKED),
        Error::NoKeyFile => ("no-key-file", code::LOCKED),
        Error::KeyFileExists => ("key-file-exists", code::USAGE),
        Error::PassphraseTaken => ("passphrase-taken", code::USAGE),
        Error::DuressInTheWay => ("duress-in-the-way", code::USAGE),
        Error::DecoyExists => ("decoy-exists", code::USAGE),
        Error::StoreDamaged => ("store-damaged", code::INTERNAL),
        Error::StoreNewer => ("store-newer", code::INTERNAL),
        Error::StoreFull => ("store-full", code::INTERNAL),
        Error::Denied => ("denied", code::INTERNAL),
        Error::Backend => ("backend", code::INTERNAL),
        Error::BadLink { damaged: true } => ("damaged-link", code::USAGE),
        Error::BadLink { damaged: false } => ("bad-link", code::USAGE),
        Error::BadName => ("bad-name", code::USAGE),
        Error::BadTimer => ("bad-timer", code::USAGE),
        Error::NotFound => ("not-found", code::NOT_FOUND),
        Error::Ambiguous(_) => ("ambiguous", code::USAGE),
        Error::NoRelay => ("no-relay", code::USAGE),
        Error::Link(LinkFault::Unreachable) => ("unreachable", code::NETWORK),
        Error::Link(LinkFault::NotTheRelay) => ("not-the-relay", code::NETWORK),
        Error::Link(LinkFault::Stale) => ("stale", code::NETWORK),
        Error::Link(LinkFault::NoRoute) => ("no-route", code::NETWORK),
        Error::Link(LinkFault::Broke) => ("broke", code::NETWORK),
        Error::RelayBusy => ("relay-busy", code::BUSY),
        Error::RelayClosed => ("relay-closed", code::BUSY),
        Error::NoCredit => ("no-credit", code::BUSY),
        Error::RelayMisbehaved => ("relay-misbehaved", code::NETWORK),
        Error::InviteGone => ("invite-gone", code::NOT_FOUND),
        Error::InviteUsed => ("invite-used", code::IDENTITY),
        Error::InviteForged => ("invite-forged", code::IDENTITY),
        Error::OwnInvite => ("own-invite", code::USAGE),
        Error::AlreadyContact(_) => ("already-contact", code::USAGE),
        Error::IdentityChanged => ("identity-changed", code::IDENTITY),
        Error::Blocked => ("blocked", code::IDENTITY),
        Error::CodeDiffers => ("code-differs", code::IDENTITY),
        Error::EmptyText => ("empty-text", code::USAGE),
        Error::TextTooLong => ("text-too-long", code::USAGE),
        Error::AlertContacts => ("alert-contacts", code::USAGE),
        Error::TooManyUndelivered => ("too-many-undelivered", code::BUSY),
        Error::Session => ("session", code::IDENTITY),
        Error::NotDestroyed => ("not-destroyed", code::INTERNAL),
        Error::DestroyedInUse => ("destroyed-in-use", code::LOCKED),
        Error::DestroyedInPart => ("destroyed-in-part", code::INTERNAL),
        Error::Store | Error::Closed => ("store", code::INTERNAL),
        _ => ("internal", code::INTERNAL),
    }
}

fn usage(error: &clap::Error, text: &Text) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(one)) => Some(harmless_line(one)),
        Some(ContextValue::Strings(many)) => Some(harmless_line(&many.join(", "))),
        Some(_) | None => None,
    };
    let arg = context(ContextKind::InvalidArg);
    let value = context(ContextKind::InvalidValue);
    let sub = context(ContextKind::InvalidSubcommand);
    let like = context(ContextKind::SuggestedSubcommand).or_else(|| context(ContextKind::SuggestedArg));
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some(what) = arg
    {
        return text.say_with("error-missing", [("what", what.into())]);
    }
    if let (Some(option), Some(what)) = (&arg, value) {
        return text.say_with("error-value", [("what", what.into()), ("option", option.into())]);
    }
    match (arg.or(sub), like) {
        (Some(what), Some(like)) => {
            text.say_with("error-unknown-like", [("what", what.into()), ("like", like.into())])
        }
        (Some(what), None) => text.say_with("error-unknown", [("what", what.into())]),
        (None, _) => text.say("error-usage"),
    }
}
