//! `relay.toml`: what an operator sets without signing it. Few keys, each with a default but the address to listen at.
//! A key that is not known is refused: it may be a guard that its writer counts on.

use std::net::SocketAddr;

use beresta_proto::descriptor::Policy;
use serde::Deserialize;
use toml_edit::DocumentMut;

use super::{SetupError, memory};
use crate::home::{Home, HomeError, Name};
use crate::net::Loopback;
use crate::queue::rules::Cap;
use crate::queue::sqlite::Keeping;

/// What [`Config::keep_listen`] begins with: every key and its default, explained.
const TEMPLATE: &str = include_str!("relay.toml");

/// Bytes of a MiB.
const MIB: u64 = 1024 * 1024;
/// The least that can be set for the queues' files, in MiB.
pub(crate) const LEAST_DISK_MIB: u64 = 64;
/// Bytes of files for each byte that queues may count for, at the most.
const FILES_PER_CAP: u64 = 2;

/// One of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Where to listen.
    Listen,
    /// The most that the queues' files take.
    DiskMib,
    /// The most memory that links may take.
    MemoryMib,
    /// How many links one neighbourhood of addresses may have.
    LinksPerNetwork,
    /// How long `drain` waits.
    DrainSeconds,
    /// What is logged.
    Log,
    /// Whether what waits is lost with a restart.
    Volatile,
    /// Where the relay's numbers are scraped.
    Metrics,
    /// Whether anybody may make queues.
    Open,
}

impl Key {
    /// All of them, in the order of the template.
    pub const ALL: [Self; 9] = [
        Self::Listen,
        Self::DiskMib,
        Self::MemoryMib,
        Self::LinksPerNetwork,
        Self::DrainSeconds,
        Self::Log,
        Self::Volatile,
        Self::Metrics,
        Self::Open,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::DiskMib => "disk_mib",
            Self::MemoryMib => "memory_mib",
            Self::LinksPerNetwork => "links_per_network",
            Self::DrainSeconds => "drain_seconds",
            Self::Log => "log",
            Self::Volatile => "volatile",
            Self::Metrics => "metrics",
            Self::Open => "open",
        }
    }
}

/// The least urgent lines that are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What the operator has to do something about.
    Error,
    /// And what is not well.
    Warn,
    /// And what goes on.
    Info,
}

/// A number between `LEAST` and `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
struct Within<const LEAST: u64, const MOST: u64>(u64);

impl<const LEAST: u64, const MOST: u64> TryFrom<u64> for Within<LEAST, MOST> {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        if (LEAST..=MOST).contains(&number) { Ok(Self(number)) } else { Err("out of range") }
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    listen: Option<Fixed>,
    disk_mib: Option<Within<LEAST_DISK_MIB, 16_777_216>>,
    memory_mib: Option<Within<16, 1_048_576>>,
    links_per_network: Option<Within<8, 16_384>>,
    drain_seconds: Option<Within<0, 600>>,
    log: Option<LogLevel>,
    volatile: Option<bool>,
    metrics: Option<Here>,
    open: Option<bool>,
}

/// An address at which people find the relay again after its next start.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "SocketAddr")]
struct Fixed(SocketAddr);

impl TryFrom<SocketAddr> for Fixed {
    type Error = &'static str;

    fn try_from(at: SocketAddr) -> Result<Self, Self::Error> {
        if at.port() == 0 { Err("another port at each start") } else { Ok(Self(at)) }
    }
}

/// An address of this machine that nobody else reaches.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "SocketAddr")]
struct Here(Loopback);

impl TryFrom<SocketAddr> for Here {
    type Error = &'static str;

    fn try_from(at: SocketAddr) -> Result<Self, Self::Error> {
        let Fixed(at) = Fixed::try_from(at)?;
        Loopback::try_from(at).map(Self).map_err(|_| "not a loopback address")
    }
}

/// The settings in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Bytes that the queues' files may take.
    pub disk: u64,
    /// Bytes of memory that all links together may take.
    pub memory: u64,
    /// Links at once of one neighbourhood of addresses, /24 or /56. Eight times as many of one owner's, /16 or /48.
    pub links_per_network: u32,
    /// Seconds in which people hang up by themselves when the relay drains.
    pub drain_seconds: u64,
    /// What is logged.
    pub log: LogLevel,
    /// Whether the keys of what waits are kept in memory only.
    pub volatile: bool,
    /// Where the relay's numbers are scraped; none if nowhere.
    pub metrics: Option<Loopback>,
    /// Whether queues and blobs are made for anybody, or for credits only (rule Q2).
    pub open: bool,
}

/// The settings are not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the settings are not understood")]
pub struct ConfigError {
    /// The line, counted from 1; none if a key is missing.
    pub line: Option<usize>,
    /// The key whose value does not fit or is missing; none if there is no such key.
    pub key: Option<Key>,
}

impl Config {
    /// Reads the settings of a relay.
    ///
    /// # Errors
    /// [`SetupError::Config`] if they are not understood, [`SetupError::Home`] if the file can't be read.
    pub fn read(home: &Home) -> Result<Self, SetupError> {
        Ok(Self::parse(&text(home)?)?)
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        let written: Written = toml_edit::de::from_str(text).map_err(|error| {
            let before = text.get(..error.span().unwrap_or_default().start).unwrap_or(text);
            let line = before.matches('\n').count();
            let words = text.lines().nth(line).and_then(|line| line.split_once('='));
            let key = words.and_then(|(key, _)| Key::ALL.into_iter().find(|one| one.as_str() == key.trim()));
            ConfigError { line: Some(line.saturating_add(1)), key }
        })?;
        let Fixed(listen) = written.listen.ok_or(ConfigError { line: None, key: Some(Key::Listen) })?;
        Ok(Self {
            listen,
            disk: written.disk_mib.map_or(32_768, |set| set.0).saturating_mul(MIB),
            memory: written
                .memory_mib
                .map_or_else(|| memory::for_links() / MIB, |set| set.0)
                .saturating_mul(MIB),
            links_per_network: written
                .links_per_network
                .map_or(64, |set| u32::try_from(set.0).unwrap_or(u32::MAX)),
            drain_seconds: written.drain_seconds.map_or(30, |set| set.0),
            log: written.log.unwrap_or(LogLevel::Info),
            volatile: written.volatile.unwrap_or(false),
            metrics: written.metrics.map(|Here(at)| at),
            open: written.open.unwrap_or(true),
        })
    }

    /// Sets where to listen, and leaves every other line as its operator wrote it. Where there is no file, one with the
    /// defaults and this policy is made.
    ///
    /// # Errors
    /// As [`Config::read`]; [`SetupError::LinkedConfig`] if the file is a link, and there is something to change in it.
    pub fn keep_listen(home: &Home, listen: SocketAddr, policy: Policy) -> Result<(), SetupError> {
        let text = if home.has(Name::Config) { text(home)? } else { template(policy) };
        if home.has(Name::Config) && Self::parse(&text).is_ok_and(|written| written.listen == listen) {
            return Ok(());
        }
        let unreadable = SetupError::Home(HomeError::Damaged(Name::Config));
        let mut document: DocumentMut = text.parse().map_err(|_| unreadable)?;
        // Only the value: the comment above hangs on the key.
        let slot = document.entry(Key::Listen.as_str()).or_insert(toml_edit::value(""));
        *slot = toml_edit::value(listen.to_string());
        let text = document.to_string();
        Self::parse(&text)?;
        // A copy in its place would part from what its operator goes on to write. Nor is that file ours to write: another
        // program may make it, or another user own it.
        if home.is_link(Name::Config) {
            return Err(SetupError::LinkedConfig(listen));
        }
        Ok(home.replace(Name::Config, text.as_bytes())?)
    }

    /// What a relay says of itself with the defaults.
    pub const FIRST_POLICY: Policy = Policy::MAILBOX.and(Policy::OPEN);

    /// What a relay with these settings says of itself (rule D2).
    #[must_use]
    pub const fn policy(&self) -> Policy {
        let policy = if self.open { Policy::MAILBOX.and(Policy::OPEN) } else { Policy::MAILBOX };
        if self.volatile { policy.and(Policy::VOLATILE) } else { policy }
    }

    /// The setting by which a signed policy differs from these, the first one.
    #[must_use]
    pub fn differs(&self, signed: Policy) -> Option<Key> {
        let ours = self.policy();
        let said = [(Policy::OPEN, Key::Open), (Policy::VOLATILE, Key::Volatile)];
        said.into_iter().find(|(bit, _)| signed.has(*bit) != ours.has(*bit)).map(|(_, key)| key)
    }

    /// What the queues may count for.
    #[must_use]
    pub const fn cap(&self) -> Cap {
        Cap { bytes: self.disk / FILES_PER_CAP }
    }

    /// Where the keys of what waits are kept.
    #[must_use]
    pub const fn keeping(&self) -> Keeping {
        if self.volatile { Keeping::Volatile } else { Keeping::Durable }
    }

    /// The settings as lines of the file, the defaults among them.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let log = match self.log {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
        };
        let values = [
            Some(format!("\"{}\"", self.listen)),
            Some((self.disk / MIB).to_string()),
            Some((self.memory / MIB).to_string()),
            Some(self.links_per_network.to_string()),
            Some(self.drain_seconds.to_string()),
            Some(format!("\"{log}\"")),
            Some(self.volatile.to_string()),
            self.metrics.map(|at| format!("\"{}\"", at.address())),
            Some(self.open.to_string()),
        ];
        let set = Key::ALL.iter().zip(values).filter_map(|(key, value)| Some((key, value?)));
        set.map(|(key, value)| format!("{} = {value}", key.as_str())).collect::<Vec<_>>().join("\n")
    }
}

/// The template, with what differs from the defaults in place of its comment.
fn template(policy: Policy) -> String {
    let mut text = TEMPLATE.to_owned();
    for (key, is, first) in
        [(Key::Volatile, policy.has(Policy::VOLATILE), false), (Key::Open, policy.has(Policy::OPEN), true)]
    {
        if is != first {
            let key = key.as_str();
            text = text.replace(&format!("\n#{key} = {first}\n"), &format!("\n{key} = {is}\n"));
        }
    }
    text
}

fn text(home: &Home) -> Result<String, SetupError> {
    // What is read is not looked into, so that only its length can be wrong.
    let long = |error: HomeError| {
        if error == HomeError::Damaged(Name::Config) { SetupError::LongConfig } else { error.into() }
    };
    let bytes = home.read(Name::Config).map_err(long)?;
    let text = core::str::from_utf8(&bytes).map_err(|_| HomeError::Damaged(Name::Config))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
