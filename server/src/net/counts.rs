//! How many connections did not become links, and how many links we closed, by reason and by nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::relay::CloseReason;

/// Why a connection did not become a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The relay has as many as it may.
    Full,
    /// Its neighbourhood has, or the networks of whoever may own it, or they come too fast.
    Crowded,
    /// Its handshake was no good or too slow, or it opened no stream in time.
    Handshake,
}

impl Refused {
    const ALL: [Self; 3] = [Self::Full, Self::Crowded, Self::Handshake];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Crowded => "crowded",
            Self::Handshake => "handshake",
        }
    }
}

const CLOSED: [CloseReason; 5] = [
    CloseReason::Malformed,
    CloseReason::OverRate,
    CloseReason::Unopenable,
    CloseReason::Slow,
    CloseReason::Unused,
];

const fn name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Malformed => "malformed",
        CloseReason::OverRate => "over_rate",
        CloseReason::Unopenable => "unopenable",
        CloseReason::Slow => "slow",
        CloseReason::Unused => "unused",
    }
}

/// Counts since the relay began.
#[derive(Debug, Default)]
pub(super) struct Counts {
    refused: [AtomicU64; Refused::ALL.len()],
    closed: [AtomicU64; CLOSED.len()],
}

impl Counts {
    pub(super) fn refuse(&self, why: Refused) {
        if let Some(count) = self.refused.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn close(&self, why: CloseReason) {
        let at = CLOSED.iter().position(|one| *one == why);
        if let Some(count) = at.and_then(|at| self.closed.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Connections that did not become links, by reason.
    pub(super) fn refused(&self) -> Vec<(&'static str, u64)> {
        named(&Refused::ALL.map(Refused::as_str), &self.refused)
    }

    /// Links that we closed, by reason.
    pub(super) fn closed(&self) -> Vec<(&'static str, u64)> {
        named(&CLOSED.map(name), &self.closed)
    }
}

fn named(names: &[&'static str], counts: &[AtomicU64]) -> Vec<(&'static str, u64)> {
    names.iter().zip(counts).map(|(name, count)| (*name, count.load(Ordering::Relaxed))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_by_itself() {
        let counts = Counts::default();
        Refused::ALL.iter().zip(1..).for_each(|(why, times)| (0..times).for_each(|_| counts.refuse(*why)));
        CLOSED.iter().zip(1..).for_each(|(why, times)| (0..times).for_each(|_| counts.close(*why)));
        assert_eq!(counts.refused(), [("full", 1), ("crowded", 2), ("handshake", 3)]);
        let closed = [("malformed", 1), ("over_rate", 2), ("unopenable", 3), ("slow", 4), ("unused", 5)];
        assert_eq!(counts.closed(), closed);
    }
}
