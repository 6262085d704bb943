//! What the operator and a relay that runs say to each other: one request, one reply, a line of JSON each. How it
//! travels is in [`crate::net`], what a person reads in the command line.
//!
//! Nothing in a reply tells people apart: numbers are given as bins, times as whole hours.

use serde::{Deserialize, Serialize};

use crate::queue::intake::Intake;

/// Bytes of a queue's id, for reading or for sending.
pub const QUEUE_ID: usize = 24;

/// What the operator asks.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the relay is. [`Reply::Status`].
    Status,
    /// Make no more queues and blobs, beyond a restart too. [`Reply::Done`], [`Reply::Failed`].
    PauseNew,
    /// Make them again. [`Reply::Done`], [`Reply::Failed`].
    Resume,
    /// Send everybody away and stop. [`Reply::Done`], before it begins.
    Drain,
    /// Delete a queue with all that is in it. [`Reply::Done`], [`Reply::Gone`], [`Reply::Failed`].
    DeleteQueue([u8; QUEUE_ID]),
    /// Serve who has a credit. [`Reply::Done`], [`Reply::Enough`], [`Reply::NoRoom`], [`Reply::Failed`].
    Grant {
        /// The name under which it is kept ([`crate::queue::CreditName`]). The credit itself does not come here.
        name: [u8; 32],
        /// How many queues and blobs it pays for.
        makes: u32,
        /// Whole days for which it is good.
        days: u16,
    },
    /// What there is of credits. [`Reply::Credits`], [`Reply::Failed`].
    Credits,
    /// Take one back. [`Reply::Done`], [`Reply::Gone`], [`Reply::Failed`].
    Revoke(u64),
}

impl core::fmt::Debug for Request {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Status => "Status",
            Self::PauseNew => "PauseNew",
            Self::Resume => "Resume",
            Self::Drain => "Drain",
            Self::DeleteQueue(_) => "DeleteQueue(..)",
            Self::Grant { name: _, makes: _, days: _ } => "Grant(..)",
            Self::Credits => "Credits",
            Self::Revoke(_) => "Revoke(..)",
        })
    }
}

/// What the relay answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done, and on the disk where it has to last.
    Done,
    /// There is no such queue, or credit.
    Gone,
    /// There are as many as there may be.
    Enough,
    /// The disk has no room for it.
    NoRoom,
    /// The relay could not do it.
    Failed,
    /// This was no request of this version.
    NotUnderstood,
    /// How it is.
    Status(Status),
    /// The credits that have not ended.
    Credits(Vec<Credit>),
}

/// What is kept of a credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Names it.
    pub id: u64,
    /// How many queues and blobs it still pays for.
    pub left: u32,
    /// Whole days until it ends, or 1.
    pub days: u64,
}

/// How a relay is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Of the program that runs.
    pub version: String,
    /// Whole hours since it began to listen.
    pub running_hours: u64,
    /// Whether it makes no queues and blobs.
    pub paused: bool,
    /// What it takes in as its disk fills.
    pub intake: Intake,
    /// Whether the kernel gave its socket the buffers that a busy relay needs.
    pub roomy_buffers: bool,
    /// Links, as a [`bin`].
    pub links: String,
    /// Queues, as a [`bin`].
    pub queues: String,
    /// Messages that wait, as a [`bin`].
    pub messages: String,
    /// Blobs, as a [`bin`].
    pub blobs: String,
    /// How much of the disk's cap is used, in steps of 5.
    pub disk_percent: u64,
    /// Whole days until the descriptor ends that is in use. A relay of an older version, that still runs, does not say.
    #[serde(default)]
    pub descriptor_days: Option<u64>,
    /// Its sequence number: one with a higher one is in force after a restart, or will be taken up in a moment.
    #[serde(default)]
    pub descriptor_sequence: u64,
}

/// A number as its order of magnitude: who reads it over a shoulder, or daily, can't see one person come or go.
#[must_use]
pub fn bin(number: u64) -> String {
    let magnitude = number.checked_ilog10().unwrap_or(0);
    let below = 10_u64.saturating_pow(magnitude.saturating_add(1));
    let least = if magnitude == 0 { 0 } else { 10_u64.saturating_pow(magnitude) };
    format!("{least}-{}", below.saturating_sub(1))
}

/// How much of `whole` is used, in steps of 5 percent, rounded up.
#[must_use]
pub fn percent(used: u64, whole: u64) -> u64 {
    let used = u128::from(used).saturating_mul(20).div_ceil(u128::from(whole.max(1)));
    u64::try_from(used).unwrap_or(u64::MAX).saturating_mul(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_by_their_order_of_magnitude() {
        let bins: Vec<String> = [0, 1, 9, 10, 99, 100, u64::MAX].into_iter().map(bin).collect();
        assert_eq!(bins[..6], ["0-9", "0-9", "0-9", "10-99", "10-99", "100-999"]);
        assert!(bins[6].starts_with("10000000000000000000-"));
        assert_eq!([0, 1, 50, 51, 1_000].map(|used| percent(used, 1_000)), [0, 5, 5, 10, 100]);
        assert_eq!(percent(1, 0), 100);
    }

    #[test]
    fn a_request_shows_no_byte_of_a_queues_id() {
        assert_eq!(format!("{:?}", Request::DeleteQueue([0xab; QUEUE_ID])), "DeleteQueue(..)");
    }
}
