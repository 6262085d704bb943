//! The keys of messages' rows. SQLite would number rows as they come, and the file would tell in which order messages
//! came to all queues. A key made of what the row shows anyway tells nothing more, and it groups what ends together and
//! what is fetched together.
//!
//! ```text
//! 0: 1 bit │ hour in which it ends: 23 bits │ front of the queue: 20 bits │ front of the name: 20 bits
//! ```

use crate::queue::QueueRef;
use crate::queue::rules::Hour;

const HOUR_BITS: u32 = 23;
const FRONT_BITS: u32 = 20;

/// Where a message's row is to be put. If two meet there, the second takes the next free key.
pub(super) fn key(ends: Hour, queue: QueueRef, name: i64) -> i64 {
    let front = |id: i64| i64::from_ne_bytes((id as u64 >> (u64::BITS - FRONT_BITS)).to_ne_bytes());
    first_of(ends) | front(queue.0) << FRONT_BITS | front(name)
}

/// The first key of what ends in an hour, which is behind all that ends before.
pub(super) fn first_of(ends: Hour) -> i64 {
    ends.0.clamp(0, (1 << HOUR_BITS) - 1) << (2 * FRONT_BITS)
}

/// The first key of what has not ended in an hour.
pub(super) fn first_after(hour: Hour) -> i64 {
    first_of(Hour(hour.0.saturating_add(1)))
}

/// When a message ends.
pub(super) const fn ends(key: i64) -> Hour {
    Hour(key >> (2 * FRONT_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_ends() {
        let (low, high) = (QueueRef(0), QueueRef(-1));
        for hour in [0, 1, 480_000, (1 << HOUR_BITS) - 2] {
            let hour = Hour(hour);
            assert_eq!((ends(key(hour, low, 0)), ends(key(hour, high, -1))), (hour, hour));
            assert!(first_of(hour) <= key(hour, low, 0) && key(hour, high, -1) < first_after(hour));
        }
        assert!(key(Hour(i64::MAX), high, -1) > 0);
    }
}
