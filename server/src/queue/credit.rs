//! What queues and blobs are paid with at a relay that asks for it (rule Q2): what is kept of a credit, and when it is good.
//!
//! Of a credit its name is kept, how much is left of it and the day on which it ends: not to whom it was given, when it was used,
//! or what was made with it.

use beresta_proto::time::{DAY_MS, Timestamp};

use super::CreditName;
use super::rules::Hour;

/// So many there are at most, used up or not: more than an operator gives out by hand, and one answer has room for all.
pub const MOST: usize = 1_024;

/// How many queues a credit pays for that was handed on: one, and one more where the reply to the first is lost.
pub const HANDED_ON: u32 = 2;

/// Names a credit to its operator: the front of its [`CreditName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditId(pub u64);

impl CreditId {
    /// The one of this name.
    #[must_use]
    pub fn of(name: &CreditName) -> Self {
        let front = name.0.first_chunk().copied().unwrap_or_default();
        Self(u64::from_be_bytes(front))
    }

    /// As a row has it.
    pub(crate) const fn row(self) -> i64 {
        self.0.cast_signed()
    }
}

/// What an invite blob is paid with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// Pays for the blob.
    pub credit: CreditName,
    /// Is to be good for [`HANDED_ON`] of the first one's, for whom the invite brings.
    pub hands_on: Option<CreditName>,
}

impl Payment {
    /// How much of the first credit it takes.
    #[must_use]
    pub const fn takes(&self) -> u32 {
        if self.hands_on.is_some() { 1 + HANDED_ON } else { 1 }
    }
}

/// What is kept of a credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditRecord {
    /// Which.
    pub id: CreditId,
    /// How many queues and blobs it still pays for.
    pub left: u32,
    /// From when on it pays for none.
    pub ends: Timestamp,
}

/// When a credit ends that is granted now, for whole days: a midnight, which tells no hour.
#[must_use]
pub fn ends(days: u16, now: Timestamp) -> Hour {
    Hour::midnight(now.plus(u64::from(days).saturating_mul(DAY_MS)))
}

/// When a credit ends that was handed on with a blob: whoever claims that in its last hour has a day still.
#[must_use]
pub fn handed_ends(blob: Hour) -> Hour {
    Hour::midnight(blob.begins().plus(DAY_MS))
}

/// What is left of a credit once so much is made with it; none if it does not pay for it.
#[must_use]
pub fn spend(left: u32, takes: u32, ends: Hour, now: Timestamp) -> Option<u32> {
    if ends.is_over(now) { None } else { left.checked_sub(takes) }
}
