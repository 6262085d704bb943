//! What the file looks like, and how connections to it are set up. Versions only go forward.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{OpenError, Standing, with_suffix};
use crate::queue::rules::Cap;

/// "Bere": says whose file it is.
const APPLICATION: i32 = 0x4265_7265;
/// The bytes of a page. Measured: 32 KiB pages and a checkpoint every 500 had the best tail.
pub(super) const PAGE: u64 = 32 * 1_024;
/// Pages in the write-ahead log after which the commit moves them into the file.
const CHECKPOINT: i32 = 500;

/// The steps from an empty file; a file's version is how many it has taken.
static STEPS: [&str; 7] = [
    include_str!("schema/0001_queues.sql"),
    include_str!("schema/0002_fresh_tombstones.sql"),
    include_str!("schema/0003_day_keys.sql"),
    include_str!("schema/0004_credits.sql"),
    include_str!("schema/0005_handed_credits.sql"),
    include_str!("schema/0006_skipped_days.sql"),
    include_str!("schema/0007_key_proof.sql"),
];

/// For how long a connection waits for others at the file.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Opens the one connection that writes.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(PATIENCE)?;
    conn.pragma_update(None, "page_size", int(PAGE))?;
    // Fails here if it is no database at all.
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // FULL flushes the log at each commit: NORMAL would lose the last ones with the power.
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "secure_delete", "ON")?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    conn.pragma_update(None, "cache_size", -65_536)?;
    Ok(conn)
}

/// Pages in use at which nothing new is stored, whatever the count of rows says: where many rows went, those that stay
/// lie loosely. Twice the cap is more than was ever measured, and what makes room may still take a few pages more.
pub(super) fn most_pages(cap: Cap) -> u64 {
    (cap.bytes / PAGE).saturating_mul(2).saturating_add(64)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(PATIENCE)?;
    conn.pragma_update(None, "cache_size", -8_192)?;
    Ok(conn)
}

/// Bytes of the pages that are in use, and what counts against the cap.
pub(super) fn in_use(conn: &Connection) -> rusqlite::Result<(u64, u64)> {
    let count = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let pages = count("PRAGMA page_count")?.saturating_sub(count("PRAGMA freelist_count")?);
    Ok((pages.saturating_mul(PAGE), count("SELECT used FROM held")?))
}

/// Opens a connection to look at a file that nobody may have open. SQLite would put its log and the log's index beside it, and
/// they would be whose who looks: root's, and out of the relay's reach.
pub(super) fn open_look(path: &Path) -> Result<Connection, OpenError> {
    let beside = |suffix| std::fs::metadata(with_suffix(path, suffix)).ok();
    if beside("-shm").is_some() || beside("-wal").is_some_and(|log| log.len() > 0) {
        return open_reader(path);
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let escaped: String =
        path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("%{byte:02x}")).collect();
    Ok(Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?)
}

/// Brings the file to today's version, all steps or none.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), OpenError> {
    let steps = steps_ahead(conn)?;
    if steps.is_empty() {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in steps {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", int(STEPS.len() as u64))?;
    tx.commit()?;
    Ok(())
}

/// What [`migrate`] would find.
pub(super) fn standing(conn: &Connection) -> Result<Standing, OpenError> {
    Ok(if steps_ahead(conn)?.is_empty() { Standing::Current } else { Standing::Older })
}

fn steps_ahead(conn: &Connection) -> Result<&'static [&'static str], OpenError> {
    let application: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let empty = version == 0 && application == 0 && tables == 0;
    if !empty && application != APPLICATION {
        return Err(OpenError::Damaged);
    }
    let taken = usize::try_from(version).map_err(|_| OpenError::Damaged)?;
    STEPS.get(taken..).ok_or(OpenError::Newer)
}

/// SQLite's integers have a sign. What does not fit is beyond every limit anyway.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
