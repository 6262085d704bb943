//! How much a sender may make us compute (rule S7).
//!
//! A failed decryption costs up to some tenths of a second, and so does a genuine message that skips two thousand others.
//! Who may do either without end can keep us busy without end. So both are paid in skipped steps of a ratchet, and when
//! an hour's allowance is spent, a sender's messages are dropped untried for the rest of the hour.
//!
//! It is spent for each way that messages come by: whoever serves one may push again what went by it long ago, and each
//! is a failure that its sender cannot help. That must not cost what comes by another way.

use beresta_proto::time::{HOUR_MS, Timestamp};

use super::Handle;
use super::guard::MAX_JUMP;
use crate::store::signal::FailuresRow;
use crate::store::{StoreError, Tx};

/// The way that a message came by: a name of the caller's, who keeps the number of ways that a sender has small.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Way(pub [u8; 24]);

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Way(..)")
    }
}

/// Under what is kept what a sender spent by one way: the handle comes first, so that both are forgotten together.
pub(super) fn key(handle: Handle, way: Way) -> Vec<u8> {
    [handle.0.as_slice(), &way.0].concat()
}

/// Failed decryptions that one sender may have in an hour by one way, if they skip nothing.
pub const FAILURES_PER_HOUR: u32 = 20;
/// What a failure costs: what it claimed is not worth believing, so as much as the longest jump.
pub(super) const FAILURE: u32 = MAX_JUMP;
/// Steps that one sender may skip in an hour by one way. Honest ones skip what was lost: rarely more than 1,000 (rule S9).
const STEPS_PER_HOUR: u32 = FAILURES_PER_HOUR * FAILURE;

/// What was spent in the running hour, which begins with the first of it. One that began ahead of `now`, because the
/// clock was set back, is over: it must not lock a sender out for years.
fn current(tx: &Tx<'_>, key: &[u8], now: Timestamp) -> Result<FailuresRow, StoreError> {
    let fresh = FailuresRow { count: 0, since: now.0 };
    Ok(tx.failures(key)?.filter(|row| row.since <= now.0 && now.0 - row.since < HOUR_MS).unwrap_or(fresh))
}

/// Whether one more message may be tried.
pub(super) fn allows(tx: &Tx<'_>, key: &[u8], now: Timestamp) -> Result<bool, StoreError> {
    Ok(current(tx, key, now)?.count < STEPS_PER_HOUR)
}

/// Writes down what a message cost. Most cost nothing.
pub(super) fn spend(tx: &Tx<'_>, key: &[u8], steps: u32, now: Timestamp) -> Result<(), StoreError> {
    if steps == 0 {
        return Ok(());
    }
    // Ways come and go: what is over would stay for ever.
    tx.forget_failures(now.minus(HOUR_MS).0)?;
    let row = current(tx, key, now)?;
    tx.put_failures(key, FailuresRow { count: row.count.saturating_add(steps), ..row })
}
