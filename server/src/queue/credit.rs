//! What queues and blobs are paid with at a relay that asks for it (rule Q2): what is kept of a credit, and when it is good.
//!
//! Of a credit its name is kept, how much is left of it and the day on which it ends: not to whom it was given, when it was used,
//! or what was made with it.

use beresta_proto::time::{DAY_MS, Timestamp};

use super::CreditName;
use super::rules::Hour;

/// So many there are at most, used up or not: more than an operator gives out by hand, and one answer has room for all.
pub const MOST: usize = 1_024;

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

/// What is left of a credit once something is made with it; none if it does not pay for it.
#[must_use]
pub fn spend(left: u32, ends: Hour, now: Timestamp) -> Option<u32> {
    if ends.is_over(now) { None } else { left.checked_sub(1) }
}
