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
    /// Those that may go, each with whether its relay took none like it: the oldest, and where that is a long text that is refused, what
    /// is behind it, too.
    pub(super) fn may_go(self) -> impl Iterator<Item = (bool, OutboxId, Timestamp)> {
        let long = self.long.map(|(id, due, refused)| (refused, id, due));
        let other = self.other.map(|(id, due)| (false, id, due));
        let behind = match (long, other) {
            (Some((refused, long, _)), Some((_, other, _))) if long < other => refused,
            (Some(_), Some(_)) => return [other, None].into_iter().flatten(),
            _ => true,
        };
        [long, other.filter(|_| behind)].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(long: Option<(i64, bool)>, other: Option<i64>) -> Vec<(bool, i64)> {
        let first = First {
            long: long.map(|(id, refused)| (OutboxId(id), Timestamp(0), refused)),
            other: other.map(|id| (OutboxId(id), Timestamp(0))),
        };
        first.may_go().map(|(refused, id, _)| (refused, id.0)).collect()
    }

    #[test]
    fn only_past_a_long_text_that_is_refused_goes_what_is_behind_it() {
        assert_eq!(go(None, Some(1)), [(false, 1)]);
        assert_eq!(go(Some((1, false)), Some(2)), [(false, 1)]);
        assert_eq!(go(Some((1, true)), Some(2)), [(true, 1), (false, 2)]);
        assert_eq!(go(Some((2, true)), Some(1)), [(false, 1)]);
        assert_eq!(go(Some((1, true)), None), [(true, 1)]);
    }
}
