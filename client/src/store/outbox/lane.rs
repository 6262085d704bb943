//! What of a contact's waiting envelopes may go next: one after the other, but past a long text that its relay has no room for
//! (rule I9).

use beresta_proto::time::Timestamp;

use super::OutboxId;

/// What the last try told about the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    No,
    /// The queue is full.
    QueueFull,
    /// The relay takes no long text for a while (rule Q16). What is not one need not wait for it.
    TooLong,
}

/// In the column `full` the lower bits say what held an envelope, and this one that it is stale.
const STALE: i64 = 4;

impl Held {
    pub(super) const fn from_code(code: i64) -> Option<Self> {
        match code & !STALE {
            0 => Some(Self::No),
            1 => Some(Self::QueueFull),
            2 => Some(Self::TooLong),
            _ => None,
        }
    }

    pub(super) const fn is_stale(code: i64) -> bool {
        code & STALE != 0
    }

    pub(super) const fn with(self, stale: bool) -> i64 {
        let held = match self {
            Self::No => 0,
            Self::QueueFull => 1,
            Self::TooLong => 2,
        };
        if stale { held | STALE } else { held }
    }
}

/// The first of what waits for a contact.
#[derive(Debug, Default)]
pub(super) struct First {
    /// Of the long texts, and whether the relay takes none.
    pub(super) long: Option<(OutboxId, Timestamp, bool)>,
    /// Of all others.
    pub(super) other: Option<(OutboxId, Timestamp)>,
}

impl First {
    /// Those that may go: the oldest, and where that is a long text that is refused, what is behind it, too.
    pub(super) fn may_go(self) -> impl Iterator<Item = (OutboxId, Timestamp)> {
        let long = self.long.map(|(id, due, _)| (id, due));
        let both = self.long.is_some_and(|(_, _, refused)| refused) && long < self.other;
        let oldest = long.into_iter().chain(self.other).min().filter(|_| !both);
        oldest.into_iter().chain([long, self.other].into_iter().flatten().filter(move |_| both))
    }
}
