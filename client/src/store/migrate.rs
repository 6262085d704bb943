//! The schema, step by step. A step, once released, is never edited: the next one corrects it.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Step N brings `user_version` from N to N + 1. Row modules append theirs here.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_meta.sql"),
    include_str!("migrations/0002_signal.sql"),
    include_str!("migrations/0003_messaging.sql"),
    include_str!("migrations/0004_gone.sql"),
    include_str!("migrations/0005_credit.sql"),
    include_str!("migrations/0006_volatile.sql"),
    include_str!("migrations/0007_alert.sql"),
    include_str!("migrations/0008_told.sql"),
    include_str!("migrations/0009_lost.sql"),
    include_str!("migrations/0010_queues_of.sql"),
];

/// Brings the schema to what this program knows; all missing steps in one transaction.
///
/// # Errors
/// [`StoreError::Newer`] if a newer program wrote the file, which is left alone.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    run(conn, STEPS)
}

pub(super) fn run(conn: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
    let found = version(conn)?;
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    if found == known {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in steps.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", known)?;
    tx.commit()?;
    Ok(())
}

/// The schema's number in the file, 0 if nothing was ever made in it.
pub(super) fn version(conn: &Connection) -> Result<u32, StoreError> {
    Ok(conn.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}
