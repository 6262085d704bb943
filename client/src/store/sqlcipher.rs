//! SQLCipher set up. Fails closed: a setting that does not read back as it was set means no store.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

#[cfg(any(test, feature = "false-world"))]
use super::MasterKey;
use super::{DatabaseKey, StoreError};

/// Where a database is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Disk,
    #[cfg(any(test, feature = "false-world"))]
    Memory,
}

/// Opens the database at `path`, which is there, if only as an empty file.
pub(super) fn connect(path: &Path, key: &DatabaseKey) -> Result<Connection, StoreError> {
    ready()?;
    let conn = reach(path)?;
    unlock(&conn, key, Place::Disk)?;
    // Alone with it, a journal that is played back is emptied; else it would be removed, and made anew later than the other's.
    run_pragma(&conn, "locking_mode", "EXCLUSIVE")?;
    prove(&conn)?;
    set_up(&conn, Place::Disk)?;
    // From now on each transaction looks anew how long the file is.
    run_pragma(&conn, "locking_mode", "NORMAL")?;
    prove(&conn)?;
    Ok(conn)
}

/// Moves everything out of the write-ahead log of a database of an earlier version, which has none from then on.
pub(super) fn leave_log(path: &Path, key: &DatabaseKey) -> Result<(), StoreError> {
    ready()?;
    let conn = reach(path)?;
    unlock(&conn, key, Place::Disk)?;
    // Before the first read: one connection, so that the log's index stays in memory and there is no -shm file.
    run_pragma(&conn, "locking_mode", "EXCLUSIVE")?;
    prove(&conn)?;
    journal(&conn, "delete")?;
    conn.close().map_err(|(_, error)| error.into())
}

/// Without CREATE: the file is made beforehand with mode 0600, which its journal inherits. Without URI: a path is a path.
fn reach(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags)?)
}

/// An empty database in memory. Nothing in it is anybody's, so its memory is not locked: that would be half of what a
/// simulation does.
#[cfg(any(test, feature = "false-world"))]
pub(super) fn blank(master: &MasterKey) -> Result<Connection, StoreError> {
    ready()?;
    let conn = Connection::open_in_memory()?;
    unlock(&conn, &master.database_key()?, Place::Memory)?;
    prove(&conn)?;
    set_up(&conn, Place::Memory)?;
    Ok(conn)
}

/// Waits until SQLCipher is ready, whichever thread opens its first store: SQLite says that it is before SQLCipher has
/// finished, and the second of two that begin at once would be refused.
fn ready() -> Result<(), StoreError> {
    static FIRST: Mutex<bool> = Mutex::new(false);
    let mut done = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    if !*done {
        drop(Connection::open_in_memory()?);
        *done = true;
    }
    Ok(())
}

/// Hands SQLCipher the key.
fn unlock(conn: &Connection, key: &DatabaseKey, place: Place) -> Result<(), StoreError> {
    let version: Option<String> = conn.query_row("PRAGMA cipher_version", [], |row| row.get(0)).ok();
    if version.is_none_or(|version| version.is_empty()) {
        return Err(StoreError::Refused { setting: "cipher_version" }); // plain SQLite would write plain text
    }
    // Before the key, so that every copy that the library makes of it is locked in memory and wiped.
    if place == Place::Disk {
        conn.execute_batch("PRAGMA cipher_memory_security = ON")?;
    }
    // SQLCipher writes its complaints to standard error by itself; ours are typed.
    run_pragma(conn, "cipher_log_level", "NONE")?;
    // Not by a PRAGMA, whose text would stay with the statement.
    conn.key(None::<&str>, key.keyspec().as_slice(), false)?;
    conn.execute_batch("PRAGMA cipher_page_size = 4096")?;
    Ok(())
}

/// Proves that the key reads the first page.
fn prove(conn: &Connection) -> Result<(), StoreError> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(())
}

/// The journal on a disk: emptied by each commit. A write-ahead log says in the clear how many pages it has of which
/// database, until it is emptied: also after a power cut, when that tells which [side](super::side) is used.
const JOURNAL: &str = "truncate";

/// Every setting, its value, and how it reads back.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("synchronous", "FULL", "2"), // a ratchet that rolls back reuses message keys
    ("secure_delete", "ON", "1"),
    ("temp_store", "MEMORY", "2"),
    ("mmap_size", "0", "0"),
    ("trusted_schema", "OFF", "0"),
    ("cell_size_check", "ON", "1"),
    ("foreign_keys", "ON", "1"),
];

/// Prepared statements that are kept: more than there are, since every allocation of SQLCipher's is locked and wiped, and
/// a step that prepares its statements anew spends its time on that.
const STATEMENTS: usize = 128;

fn set_up(conn: &Connection, place: Place) -> Result<(), StoreError> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    for &(setting, value, expected) in SETTINGS {
        run_pragma(conn, setting, value)?;
        // SQLite has no mmap in memory and answers with no row at all.
        let optional = setting == "mmap_size" && place != Place::Disk;
        check(conn, setting, expected, optional)?;
    }
    journal(conn, if place == Place::Disk { JOURNAL } else { "memory" })?;
    if place == Place::Disk {
        check(conn, "cipher_memory_security", "1", false)?;
    }
    check(conn, "cipher_page_size", "4096", place != Place::Disk)?;
    check(conn, "page_size", "4096", false)?;
    // No SQL, not even a hostile file's own, may edit the schema as a table or turn the journal off.
    for (config, on, setting) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true, "defensive"),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false, "writable_schema"),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false, "dqs_dml"),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false, "dqs_ddl"),
        // Or a statement whose plan looked at a value (`LIMIT ?`) would be prepared anew for each one.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true, "query_planner_stability"),
    ] {
        if conn.set_db_config(config, on)? != on {
            return Err(StoreError::Refused { setting });
        }
    }
    Ok(())
}

fn journal(conn: &Connection, wanted: &str) -> Result<(), StoreError> {
    let mode: String = conn.query_row(&format!("PRAGMA journal_mode = {wanted}"), [], |row| row.get(0))?;
    if mode == wanted { Ok(()) } else { Err(StoreError::Refused { setting: "journal_mode" }) }
}

/// Sets a pragma. Some answer with a row and some with none: prepared and stepped, both do.
fn run_pragma(conn: &Connection, setting: &'static str, value: &'static str) -> Result<(), StoreError> {
    let mut statement = conn.prepare(&format!("PRAGMA {setting} = {value}"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Compares a setting with what it must read back as. Extensions cannot be loaded: the library is built without.
pub(super) fn check(
    conn: &Connection,
    setting: &'static str,
    expected: &str,
    optional: bool,
) -> Result<(), StoreError> {
    use rusqlite::types::Value;
    let mut statement = conn.prepare(&format!("PRAGMA {setting}"))?;
    let mut rows = statement.query([])?;
    let read = match rows.next()? {
        None if optional => return Ok(()),
        None => String::new(),
        Some(row) => match row.get(0)? {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            Value::Null | Value::Real(_) | Value::Blob(_) => String::new(),
        },
    };
    if read == expected { Ok(()) } else { Err(StoreError::Refused { setting }) }
}
