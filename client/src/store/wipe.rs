//! Nothing left behind in the store's own files: the list of free pages and the WAL.

use rusqlite::Connection;

use super::StoreError;

/// Returns free pages to the file system. `secure_delete` has zeroed them; a file that shrinks also hides how much
/// was once there.
pub(super) fn incremental_vacuum(conn: &Connection) -> Result<(), StoreError> {
    // The pragma frees one page per step; stepping to the end frees all.
    let mut statement = conn.prepare("PRAGMA incremental_vacuum")?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Copies the WAL into the database and truncates it to nothing.
pub(super) fn checkpoint(conn: &Connection) -> Result<(), StoreError> {
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 { Ok(()) } else { Err(StoreError::InUse) }
}
