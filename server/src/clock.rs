//! The one place where the relay reads the clock. Everything else is handed the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use beresta_proto::time::Timestamp;

/// Now, by the machine's clock; 1970 if that stands before it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// For how long something waits, whatever the clock is set to.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}
