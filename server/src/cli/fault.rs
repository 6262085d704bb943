//! What went wrong, in words that say what to do, and the exit code for it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use beresta_proto::address::{RELAY_SCHEME, RelayAddress};
use beresta_proto::id::RelayId;
use beresta_server::home::{HomeError, Name};
use beresta_server::net::{AdminError, ServerError};
use beresta_server::queue::sqlite::OpenError;
use beresta_server::setup::{ConfigError, Key, SetupError};
use beresta_server::transfer::{Mark, TransferError};

use super::text::{Text, pasted};

mod folder;
mod usage;

pub(super) use usage::harmless;

/// A failure that a person hears of.
#[derive(Debug)]
pub(crate) enum Fault {
    Usage(Box<clap::Error>),
    Setup(SetupError),
    /// In this folder there is none, and one was named that is there: mistyped, perhaps.
    NoRelay(PathBuf),
    /// The same of what would renew a relay, or make one if it said where it is to be.
    NoAddress(PathBuf),
    Server(ServerError),
    Admin(AdminError),
    Transfer(TransferError),
    /// The relay is exported, or that was begun.
    Moved(Mark),
    /// Root is about to write into another user's folder.
    OfAnother(PathBuf),
    /// What a command prints can't be written.
    Output,
    NoPassphrase,
    ShortPassphrase,
    LongPassphrase,
    /// Queues were there, and their file is not any more.
    QueuesGone(PathBuf),
    PassphrasesDiffer,
    BadId,
    /// An id of a queue stands on the command line.
    IdInSight,
    /// A line was to come on standard input, and nothing came.
    NothingTyped,
    /// What was typed is no address of a relay.
    BadAddress,
    NoQueue,
    /// What was typed is no code, and no id of one.
    BadCredit,
    /// A code stands on the command line.
    CreditInSight,
    /// It is a code of another relay than the one that is tried.
    OtherCreditToTry,
    /// It is a code of another relay than the one that is to take it back.
    OtherCreditToRevoke,
    NoCredit,
    ManyCredits,
    NoRoom,
    StillDraining,
    Refused,
    Queues(OpenError),
    /// Nothing can be read of the queues.
    BeyondRepair,
    Internal,
}

const INTERNAL: u8 = 1;
const USAGE: u8 = 2;
const NETWORK: u8 = 3;
/// Something should be looked at: no failure of the command, which says it of a relay.
pub(super) const LOOK: u8 = 4;
/// Something of a relay is wrong: a file is lost, damaged or another's, and no start mends that (`RestartPreventExitStatus` of
/// the service).
pub(super) const WRONG: u8 = 5;
const LOCKED: u8 = 6;
const NOT_FOUND: u8 = 7;

impl From<SetupError> for Fault {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl From<ServerError> for Fault {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

impl From<TransferError> for Fault {
    fn from(error: TransferError) -> Self {
        if let TransferError::Setup(error) = error { Self::Setup(error) } else { Self::Transfer(error) }
    }
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        Self::Queues(error)
    }
}

impl From<AdminError> for Fault {
    fn from(error: AdminError) -> Self {
        Self::Admin(error)
    }
}

impl Fault {
    /// The same, with the folder in which it was looked for.
    pub(crate) fn at(self, dir: &Path) -> Self {
        if matches!(self, Self::Setup(SetupError::NoRelay)) {
            Self::NoRelay(dir.to_owned())
        } else if matches!(self, Self::Setup(SetupError::NoAddress)) {
            Self::NoAddress(dir.to_owned())
        } else {
            self
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => USAGE,
            Self::Setup(SetupError::NoRelay | SetupError::HalfImported | SetupError::NoIdentity) => NOT_FOUND,
            Self::Setup(
                SetupError::NoAddress
                | SetupError::ManyRoutes
                | SetupError::BadPublic(_)
                | SetupError::NoPort
                | SetupError::LongName
                | SetupError::OtherIdentity(_)
                | SetupError::OtherFile(_)
                | SetupError::WasRelay(_)
                | SetupError::WasAnother { .. }
                | SetupError::NotAnIdentity
                | SetupError::Config(_)
                | SetupError::LinkedConfig(_)
                | SetupError::LongConfig
                | SetupError::Home(HomeError::Missing(Some(Name::Config)) | HomeError::Damaged(Name::Config)),
            ) => USAGE,
            Self::Setup(SetupError::Home(HomeError::Missing(Some(_)) | HomeError::Damaged(_)))
            | Self::Server(ServerError::Tls(_))
            | Self::Queues(OpenError::Keys | OpenError::QueueKey | OpenError::Newer | OpenError::Damaged)
            | Self::Transfer(TransferError::Keys | TransferError::QueueKey)
            | Self::BeyondRepair => WRONG,
            // A clock that is wrong only as long as the machine starts says that a descriptor has ended: the next start may do.
            Self::Setup(
                SetupError::Ended
                | SetupError::IdentityDenied
                | SetupError::IdentityNotWritten
                | SetupError::ClockBehind
                | SetupError::HalfRotated
                | SetupError::Home(
                    HomeError::Missing(None)
                    | HomeError::Exists(_)
                    | HomeError::Busy
                    | HomeError::Foreign
                    | HomeError::Io(_),
                )
                | SetupError::Key,
            ) => INTERNAL,
            Self::Server(ServerError::Bind(_)) => NETWORK,
            Self::Server(ServerError::Threads(_) | ServerError::Admin(_) | ServerError::Metrics(_))
            | Self::Admin(AdminError::Denied | AdminError::NoAnswer | AdminError::Unreached)
            | Self::Refused
            | Self::ManyCredits
            | Self::NoRoom
            | Self::StillDraining
            | Self::Queues(OpenError::InUse | OpenError::Io(_) | OpenError::Sqlite)
            | Self::Output
            | Self::OfAnother(_)
            | Self::Internal => INTERNAL,
            Self::Admin(AdminError::NotRunning) => NETWORK,
            Self::Transfer(TransferError::WrongPassphrase) | Self::Moved(_) => LOCKED,
            Self::Transfer(_) => INTERNAL,
            Self::BadId
            | Self::IdInSight
            | Self::NothingTyped
            | Self::BadCredit
            | Self::CreditInSight
            | Self::OtherCreditToTry
            | Self::OtherCreditToRevoke
            | Self::BadAddress
            | Self::NoAddress(_)
            | Self::NoPassphrase
            | Self::ShortPassphrase
            | Self::LongPassphrase
            | Self::PassphrasesDiffer => USAGE,
            // No start brings them back (`RestartPreventExitStatus` of the service), and nobody copies a file under one.
            Self::NoQueue | Self::NoCredit | Self::NoRelay(_) | Self::QueuesGone(_) => NOT_FOUND,
        })
    }

    pub(crate) fn words(&self, text: &Text) -> String {
        match self {
            Self::Usage(error) => usage::words(error, text),
            Self::Setup(error) => setup(*error, text),
            Self::NoRelay(dir) => folder::without_relay(dir, "error-no-relay", text),
            Self::NoAddress(dir) => folder::without_relay(dir, "error-no-address", text),
            Self::Server(ServerError::Bind(_)) => text.say("error-bind"),
            Self::Server(ServerError::Tls(_)) => lost(Name::TlsKey, "error-damaged-file", text),
            Self::Server(ServerError::Threads(_)) | Self::Internal => text.say("error-internal"),
            Self::Server(ServerError::Admin(_)) => text.say("error-socket"),
            Self::Server(ServerError::Metrics(_)) => text.say("error-metrics"),
            Self::Admin(AdminError::NotRunning) => text.say("error-not-running"),
            Self::Admin(AdminError::Denied) => text.say("error-denied"),
            Self::Admin(AdminError::NoAnswer) => text.say("error-no-answer"),
            Self::Admin(AdminError::Unreached) | Self::Refused => text.say("error-refused"),
            Self::BadId => text.say("error-bad-id"),
            Self::IdInSight => text.say("error-id-in-sight"),
            Self::NothingTyped => text.say("error-nothing-typed"),
            Self::BadAddress => text.say("error-bad-address"),
            Self::Transfer(error) => text.say(transfer(*error)),
            Self::Moved(Mark::Done) => text.say("error-moved"),
            Self::Moved(Mark::Begun) => text.say("error-half-moved"),
            Self::OfAnother(dir) => text.say_with("error-of-another", &[("dir", &pasted(dir))]),
            Self::Output => text.say("error-output"),
            Self::NoPassphrase => text.say("error-no-passphrase"),
            Self::ShortPassphrase => text.say("error-short-passphrase"),
            Self::QueuesGone(dir) => text.say_with("queues-gone", &[("dir", &pasted(dir))]),
            Self::LongPassphrase => text.say("error-long-passphrase"),
            Self::PassphrasesDiffer => text.say("error-passphrases-differ"),
            Self::NoQueue => text.say("error-no-queue"),
            Self::BadCredit => text.say("error-bad-credit"),
            Self::CreditInSight => text.say("error-credit-in-sight"),
            Self::OtherCreditToTry => text.say("error-other-credit-to-try"),
            Self::OtherCreditToRevoke => text.say("error-other-credit-to-revoke"),
            Self::NoCredit => text.say("error-no-credit"),
            Self::ManyCredits => text.say("error-many-credits"),
            Self::NoRoom => text.say("error-no-room"),
            Self::StillDraining => text.say("still-draining"),
            Self::Queues(error) => text.say(queues(error)),
            Self::BeyondRepair => text.say("error-beyond-repair"),
        }
    }
}

fn setup(error: SetupError, text: &Text) -> String {
    match error {
        SetupError::NoAddress => text.say("error-no-address"),
        SetupError::ManyRoutes => text.say("error-many-routes"),
        SetupError::BadPublic(at) => text.say_with("error-bad-public", &[("at", &at.to_string())]),
        SetupError::NoPort => text.say("error-no-port"),
        SetupError::LongName => text.say("error-long-name"),
        SetupError::NoIdentity => text.say("error-no-identity"),
        SetupError::NotAnIdentity => text.say("error-not-an-identity"),
        SetupError::IdentityNotWritten => text.say("error-identity-not-written"),
        SetupError::IdentityDenied => text.say("error-identity-denied"),
        SetupError::HalfRotated => text.say("error-half-rotated"),
        SetupError::ClockBehind => text.say("error-clock-behind"),
        SetupError::OtherIdentity(here) => {
            text.say_with("error-other-identity", &[("address", &beginning(here))])
        }
        SetupError::OtherFile(name) => text.say_with("error-other-file", &[("file", name.as_str())]),
        SetupError::WasRelay(Some(relay)) => {
            text.say_with("error-was-relay", &[("address", &beginning(relay))])
        }
        SetupError::WasAnother { was, given } => {
            let (was, given) = (beginning(was), beginning(given));
            text.say_with("error-was-another", &[("address", &was), ("given", &given)])
        }
        SetupError::WasRelay(None) => text.say("error-was-some-relay"),
        SetupError::NoRelay => text.say("error-no-relay"),
        SetupError::HalfImported => text.say("error-half-imported"),
        SetupError::Ended => text.say("error-ended"),
        SetupError::Key => text.say("error-internal"),
        SetupError::Config(error) => config(error, text),
        SetupError::LongConfig => text.say("error-long-config"),
        SetupError::LinkedConfig(at) => text.say_with("error-linked-config", &[("at", &at.to_string())]),
        SetupError::Home(HomeError::Missing(Some(Name::Config))) => text.say("error-missing-config"),
        SetupError::Home(HomeError::Damaged(Name::Config)) => text.say("error-damaged-config"),
        SetupError::Home(HomeError::Missing(Some(name))) => lost(name, "error-missing-file", text),
        SetupError::Home(HomeError::Exists(Some(name))) => {
            text.say_with("error-exists-file", &[("file", name.as_str())])
        }
        SetupError::Home(HomeError::Damaged(name)) => lost(name, "error-damaged-file", text),
        SetupError::Home(HomeError::Busy) => text.say("error-busy"),
        SetupError::Home(HomeError::Foreign) => text.say("error-foreign-folder"),
        SetupError::Home(HomeError::Io(io::ErrorKind::PermissionDenied)) => text.say("error-denied"),
        SetupError::Home(HomeError::Io(io::ErrorKind::ReadOnlyFilesystem)) => text.say("doctor-read-only"),
        SetupError::Home(HomeError::Missing(None) | HomeError::Exists(None) | HomeError::Io(_)) => {
            text.say("error-file")
        }
    }
}

/// What to do about a file that is missing or damaged. `other`: what is said of a file that can't be made anew.
fn lost(name: Name, other: &str, text: &Text) -> String {
    match name {
        Name::Descriptor => text.say("error-remake-descriptor"),
        Name::RelayId => text.say("error-remake-id"),
        Name::TlsKey | Name::EpochSigner | Name::Rotation => {
            text.say_with("error-remake-file", &[("file", name.as_str())])
        }
        Name::QueueKey => text.say("error-queue-key"),
        Name::Config
        | Name::Identity
        | Name::EpochKeys
        | Name::DayKeys
        | Name::Queues
        | Name::Admin
        | Name::Paused
        | Name::Moved
        | Name::Importing => text.say_with(other, &[("file", name.as_str())]),
    }
}

/// What every address of a relay begins with, whatever routes it names.
fn beginning(relay: RelayId) -> String {
    let link = RelayAddress { relay, routes: Vec::new() }.to_link();
    // The last character of the id holds bits of what follows it.
    link.chars().take(RELAY_SCHEME.len().saturating_add(RelayId::LEN * 8 / 6)).collect()
}

fn queues(error: &OpenError) -> &'static str {
    match error {
        OpenError::Newer => "error-queues-newer",
        OpenError::Keys => "error-day-keys",
        OpenError::QueueKey => "error-queue-key",
        OpenError::InUse => "error-running",
        OpenError::Io(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => "doctor-read-only",
        OpenError::Damaged | OpenError::Io(_) | OpenError::Sqlite => "error-queues",
    }
}

fn transfer(error: TransferError) -> &'static str {
    match error {
        TransferError::Setup(_) | TransferError::TooLong => "error-internal",
        TransferError::Running => "error-running",
        TransferError::Queues => "error-queues",
        TransferError::Keys => "error-day-keys",
        TransferError::QueueKey => "error-queue-key",
        TransferError::Exists(None) => "error-exists",
        TransferError::Exists(Some(Mark::Begun)) => "error-exists-half",
        TransferError::Exists(Some(Mark::Done)) => "error-exists-exported",
        TransferError::Folder => "error-file-is-folder",
        TransferError::NoFolder => "error-no-folder",
        TransferError::Occupied => "error-occupied",
        TransferError::Unwritten(kind) if is_denied(kind) => "error-export-denied",
        TransferError::Unwritten(kind) if is_full(kind) => "error-export-full",
        TransferError::Unwritten(_) => "error-export-file",
        TransferError::Left => "error-export-left",
        TransferError::Unsure => "error-export-unsure",
        TransferError::NoFile => "error-no-file",
        TransferError::Unread(kind) if is_denied(kind) => "error-import-denied",
        TransferError::Unread(_) => "error-import-file",
        TransferError::Target(kind) if is_denied(kind) => "error-target-denied",
        TransferError::Target(kind) if is_full(kind) => "error-target-full",
        TransferError::Target(_) => "error-target",
        TransferError::NotAnExport => "error-not-an-export",
        TransferError::WrongPassphrase => "error-wrong-passphrase",
        TransferError::Damaged => "error-export-damaged",
        TransferError::OutOfMemory => "error-out-of-memory",
    }
}

fn is_denied(kind: io::ErrorKind) -> bool {
    kind == io::ErrorKind::PermissionDenied
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

fn config(error: ConfigError, text: &Text) -> String {
    let line = error.line.map(|line| line.to_string());
    let form = error.key.map(|key| form(key, text));
    match (line, form) {
        (Some(line), Some(form)) => text.say_with("error-config-value", &[("line", &line), ("form", &form)]),
        (Some(line), None) => {
            let keys = Key::ALL.map(Key::as_str).join(", ");
            text.say_with("error-config-unknown", &[("line", &line), ("keys", &keys)])
        }
        (None, form) => text.say_with("error-config-missing", &[("form", &form.unwrap_or_default())]),
    }
}

/// How a setting is written.
fn form(key: Key, text: &Text) -> String {
    text.say(match key {
        Key::Listen => "config-listen",
        Key::DiskMib => "config-disk-mib",
        Key::MemoryMib => "config-memory-mib",
        Key::LinksPerNetwork => "config-links-per-network",
        Key::DrainSeconds => "config-drain-seconds",
        Key::Log => "config-log",
        Key::Volatile => "config-volatile",
        Key::Metrics => "config-metrics",
        Key::Open => "config-open",
    })
}

#[cfg(test)]
mod tests;
