//! Numbers of rows that every step adds: messages, what leaves, receipts, events. They rise, and none is used twice.
//!
//! SQLite's AUTOINCREMENT promises the same and writes a page more in each step for it. Here one counter in memory numbers
//! all of them, and the database holds, in one row, a number that it has not reached yet: in blocks, written by the
//! transaction that first goes past it. What is rolled back or lost in a crash leaves numbers out.

use std::cell::Cell;

use super::{StoreError, Tx};

/// No number from this one on was used: 8 bytes.
const KEPT: &str = "row.numbers";
/// So many are put aside at once.
const BLOCK: i64 = 256;

/// The counter of an open store.
#[derive(Default)]
pub(super) struct Numbers {
    /// The next; 0 until the database was asked.
    next: Cell<i64>,
    /// What the database holds, as it was last committed.
    pub(super) kept: Cell<i64>,
}

impl Tx<'_> {
    /// The number of the next row.
    pub(super) fn number(&self) -> Result<i64, StoreError> {
        let numbers = self.numbers();
        if numbers.next.get() == 0 {
            let kept = self.meta(KEPT)?.map(|bytes| bytes.try_into().map(i64::from_be_bytes));
            let kept = kept.transpose().map_err(|_| StoreError::Damaged)?.unwrap_or(0);
            numbers.kept.set(kept);
            numbers.next.set(kept.max(1));
        }
        let number = numbers.next.get();
        let after = number.checked_add(1).ok_or(StoreError::Damaged)?;
        if number >= self.pending().numbers.unwrap_or_else(|| numbers.kept.get()) {
            let kept = number.saturating_add(BLOCK);
            self.set_meta(KEPT, &kept.to_be_bytes())?;
            self.pend(|pending| pending.numbers = Some(kept));
        }
        numbers.next.set(after);
        Ok(number)
    }
}
