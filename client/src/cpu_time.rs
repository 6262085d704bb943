//! The CPU time of a thread, for tests that promise a bound on work: unlike a clock it is not moved by a busy machine.

use std::time::Duration;

/// What this thread has used of a CPU since it began, in steps of the kernel's tick.
pub(crate) fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}
