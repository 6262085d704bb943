//! How many commands came to what. Kinds and outcomes only: no link, queue, time or size is in it, and whoever shows it
//! to anybody makes it coarse first (the room `metrics`).

use beresta_proto::command::Command;
use beresta_proto::reply::Refusal;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The descriptor and epoch keys.
    Descriptor,
    /// To make a queue.
    MakeQueue,
    /// To be pushed to.
    Subscribe,
    /// To delete what was read.
    Acknowledge,
    /// To delete a queue.
    DeleteQueue,
    /// To store a message.
    Send,
    /// To store a blob.
    PutBlob,
    /// To fetch a blob.
    ClaimBlob,
    /// To delete a blob.
    DeleteBlob,
    /// Nobody knows: its link was over its rate, so it was not read.
    Unread,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Descriptor,
        Self::MakeQueue,
        Self::Subscribe,
        Self::Acknowledge,
        Self::DeleteQueue,
        Self::Send,
        Self::PutBlob,
        Self::ClaimBlob,
        Self::DeleteBlob,
        Self::Unread,
    ];

    /// For programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Descriptor => "descriptor",
            Self::MakeQueue => "make_queue",
            Self::Subscribe => "subscribe",
            Self::Acknowledge => "acknowledge",
            Self::DeleteQueue => "delete_queue",
            Self::Send => "send",
            Self::PutBlob => "put_blob",
            Self::ClaimBlob => "claim_blob",
            Self::DeleteBlob => "delete_blob",
            Self::Unread => "unread",
        }
    }

    pub(super) const fn of(command: &Command) -> Self {
        match command {
            Command::Descriptor => Self::Descriptor,
            Command::MakeQueue { .. } => Self::MakeQueue,
            Command::Subscribe(_) => Self::Subscribe,
            Command::Acknowledge { .. } => Self::Acknowledge,
            Command::DeleteQueue { .. } => Self::DeleteQueue,
            Command::Send { .. } => Self::Send,
            Command::PutBlob { .. } => Self::PutBlob,
            Command::ClaimBlob { .. } => Self::ClaimBlob,
            Command::DeleteBlob { .. } => Self::DeleteBlob,
        }
    }
}

/// What became of a command that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Ok,
    /// There was nothing like that, or it was not the asker's.
    Gone,
    /// The blob was claimed by somebody else.
    Claimed,
    /// The name was taken.
    Exists,
    /// The relay was full.
    Full,
    /// The queue was full.
    QueueFull,
    /// Too much, too fast.
    RateLimited,
    /// The capsule did not open.
    Unopenable,
    /// The operator lets nobody new in.
    Closed,
    /// It was to be paid for, and was not.
    NoCredit,
    /// The relay failed.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Gone,
        Self::Claimed,
        Self::Exists,
        Self::Full,
        Self::QueueFull,
        Self::RateLimited,
        Self::Unopenable,
        Self::Closed,
        Self::NoCredit,
        Self::Failed,
    ];

    /// For programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Gone => "gone",
            Self::Claimed => "claimed",
            Self::Exists => "exists",
            Self::Full => "full",
            Self::QueueFull => "queue_full",
            Self::RateLimited => "rate_limited",
            Self::Unopenable => "unopenable",
            Self::Closed => "closed",
            Self::NoCredit => "no_credit",
            Self::Failed => "failed",
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Gone => Self::Gone,
            Refusal::Claimed => Self::Claimed,
            Refusal::Exists => Self::Exists,
            Refusal::Full => Self::Full,
            Refusal::RateLimited => Self::RateLimited,
            Refusal::Unopenable => Self::Unopenable,
            Refusal::Failed => Self::Failed,
            Refusal::Closed => Self::Closed,
            Refusal::NoCredit => Self::NoCredit,
        }
    }
}

/// Counts since the relay began.
#[derive(Debug, Clone, Default)]
pub struct Tally([[u64; Outcome::ALL.len()]; Kind::ALL.len()]);

impl Tally {
    pub(crate) fn count(&mut self, kind: Kind, outcome: Outcome) {
        let slot = self.0.get_mut(kind as usize).and_then(|row| row.get_mut(outcome as usize));
        if let Some(slot) = slot {
            *slot = slot.saturating_add(1);
        }
    }

    /// How many commands of this kind had this outcome.
    #[must_use]
    pub fn of(&self, kind: Kind, outcome: Outcome) -> u64 {
        self.0.get(kind as usize).and_then(|row| row.get(outcome as usize)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_outcome_has_a_place_and_a_name_of_its_own() {
        let mut tally = Tally::default();
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
                assert_eq!(outcome as usize, at);
                assert_eq!(tally.of(kind, outcome), 0);
                tally.count(kind, outcome);
                assert_eq!(tally.of(kind, outcome), 1);
            }
        }
        let names = |mut names: Vec<&str>| {
            names.sort_unstable();
            names.dedup();
            names.len()
        };
        assert_eq!(names(Kind::ALL.map(Kind::as_str).to_vec()), Kind::ALL.len());
        assert_eq!(names(Outcome::ALL.map(Outcome::as_str).to_vec()), Outcome::ALL.len());
    }
}
