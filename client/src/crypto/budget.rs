//! How often a sender may hand us something that does not decrypt (rule S7).
//!
//! A failed decryption costs up to some tenths of a second. Who may fail without end can keep us busy without end, so
//! after some failures a sender's messages are dropped untried for the rest of the hour.

use beresta_proto::time::{HOUR_MS, Timestamp};

use crate::store::signal::FailuresRow;
use crate::store::{StoreError, Tx};

/// Failed decryptions that one sender may have in an hour.
pub const FAILURES_PER_HOUR: u32 = 20;

/// The failures of the running hour, which begins with the first of them. One that began ahead of `now`, because the
/// clock was set back, is over: it must not lock a sender out for years.
fn current(tx: &Tx<'_>, handle: &[u8], now: Timestamp) -> Result<FailuresRow, StoreError> {
    let fresh = FailuresRow { count: 0, since: now.0 };
    Ok(tx.failures(handle)?.filter(|row| row.since <= now.0 && now.0 - row.since < HOUR_MS).unwrap_or(fresh))
}

/// Whether one more may fail.
pub(super) fn allows(tx: &Tx<'_>, handle: &[u8], now: Timestamp) -> Result<bool, StoreError> {
    Ok(current(tx, handle, now)?.count < FAILURES_PER_HOUR)
}

/// Writes a failure down.
pub(super) fn spend(tx: &Tx<'_>, handle: &[u8], now: Timestamp) -> Result<(), StoreError> {
    let row = current(tx, handle, now)?;
    tx.put_failures(handle, FailuresRow { count: row.count.saturating_add(1), ..row })
}
