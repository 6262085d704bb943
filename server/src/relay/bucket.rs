//! A token bucket: how much a link may ask for in a while.

use beresta_proto::time::Timestamp;

/// Tokens that come back over time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    /// In thousandths of a token, so that a millisecond's share is whole.
    level: u64,
    burst: u64,
    per_second: u64,
    at: Timestamp,
}

impl Bucket {
    pub(super) fn new(burst: u32, per_second: u32, now: Timestamp) -> Self {
        let burst = u64::from(burst).saturating_mul(1_000);
        Self { level: burst, burst, per_second: u64::from(per_second), at: now }
    }

    /// Takes `cost` tokens if they are there.
    pub(super) fn take(&mut self, cost: u32, now: Timestamp) -> bool {
        // A clock that was set back gives nothing and takes nothing.
        let gained = now.since(self.at).saturating_mul(self.per_second);
        self.level = self.level.saturating_add(gained).min(self.burst);
        self.at = now;
        match self.level.checked_sub(u64::from(cost).saturating_mul(1_000)) {
            Some(level) => {
                self.level = level;
                true
            }
            None => false,
        }
    }
}
