//! A profile's files made and opened, and SQLCipher set up. Fails closed: a setting that does not read back as it was
//! set means no store.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rand::CryptoRng;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::body::{self, BodyKeys};
use super::lock::{private, sync_dir};
use super::number::Numbers;
use super::tx::Tx;
use super::vault::Vault;
use super::{DatabaseKey, KdfCost, MasterKey, Passphrase, StoreError, duress, migrate, vault, wipe};

pub(super) const NAME: &str = "store.db";
pub(super) const NEW_NAME: &str = "store.db.new";

/// While a change of passphrase is under way: the seed of the bytes that wipe the old slot.
pub(super) const CHANGE: &str = "vault.change";

/// What an open profile is made of.
pub(super) struct Opened {
    pub(super) conn: Connection,
    pub(super) keys: BodyKeys,
    pub(super) vault: Vault,
}

pub(super) fn create<R: CryptoRng + ?Sized, E: From<StoreError>>(
    dir: &Path,
    passphrase: &Passphrase,
    cost: KdfCost,
    rng: &mut R,
    fill: impl FnOnce(&Tx<'_>, &mut R) -> Result<(), E>,
) -> Result<Opened, E> {
    let master = MasterKey::generate(rng);
    let (mut conn, keys) = begin(dir, &master)?;
    let numbers = Numbers::default();
    let tx = Tx::begin(&mut conn, &keys, &numbers)?;
    fill(&tx, rng)?;
    tx.commit()?;
    let (conn, vault) = complete(dir, conn, passphrase, cost, &master, rng)?;
    Ok(Opened { conn, keys, vault })
}

/// An empty database under a name for what is not complete yet, and the file of its texts' keys.
fn begin(dir: &Path, master: &MasterKey) -> Result<(Connection, BodyKeys), StoreError> {
    let (path, new) = (dir.join(NAME), dir.join(NEW_NAME));
    if dir.join(vault::NAME).exists() || path.exists() {
        return Err(StoreError::AlreadyExists);
    }
    // What a creation or a panic that was cut short left: no header holds its key.
    for leftover in files(dir).into_iter().chain([vault::NEW_NAME, body::NAME].map(|name| dir.join(name))) {
        match std::fs::remove_file(leftover) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }

    private(OpenOptions::new().write(true).create_new(true)).open(&new)?.sync_all()?;
    let mut conn = connect(&new, &master.database_key()?)?;
    migrate::migrate(&mut conn)?;
    Ok((conn, BodyKeys::create(dir, master)?))
}

/// The database is complete before the header says that there is a profile; `finish` is the last step of both this and
/// an opening after a crash in between.
fn complete<R: CryptoRng + ?Sized>(
    dir: &Path,
    conn: Connection,
    passphrase: &Passphrase,
    cost: KdfCost,
    master: &MasterKey,
    rng: &mut R,
) -> Result<(Connection, Vault), StoreError> {
    wipe::checkpoint(&conn)?;
    conn.close().map_err(|(_, error)| StoreError::from(error))?;
    let vault = Vault::create(dir, passphrase, cost, master, rng)?;
    finish(dir)?;
    let mut conn = connect(&dir.join(NAME), &master.database_key()?)?;
    migrate::migrate(&mut conn)?;
    Ok((conn, vault))
}

pub(super) fn open(dir: &Path, passphrase: &Passphrase) -> Result<Opened, StoreError> {
    let (vault, master) = Vault::open(dir, passphrase)?;
    finish(dir)?;
    let path = dir.join(NAME);
    // Making an empty database in place of a missing or an emptied one would hide that everything is gone.
    match std::fs::metadata(&path) {
        Ok(file) if file.len() > 0 => {}
        Ok(_) => return Err(StoreError::Damaged),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(StoreError::Damaged),
        Err(error) => return Err(error.into()),
    }
    let mut conn = connect(&path, &master.database_key()?)?;
    if migrate::version(&conn)? == 0 {
        return Err(StoreError::Damaged);
    }
    migrate::migrate(&mut conn)?;
    let keys = BodyKeys::open(dir, &master)?;
    settle(&mut conn, &keys, &vault)?;
    Ok(Opened { conn, keys, vault })
}

#[cfg(any(test, feature = "false-world"))]
pub(super) fn in_memory<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<(Connection, BodyKeys), StoreError> {
    let master = MasterKey::generate(rng);
    let mut conn = blank(&master)?;
    migrate::migrate(&mut conn)?;
    Ok((conn, BodyKeys::in_memory(&master)?))
}

/// An empty database in memory. Nothing in it is anybody's, so its memory is not locked: that would be half of what a
/// simulation does.
#[cfg(any(test, feature = "false-world"))]
pub(super) fn blank(master: &MasterKey) -> Result<Connection, StoreError> {
    ready()?;
    let conn = Connection::open_in_memory()?;
    unlock(&conn, &master.database_key()?, Place::Memory)?;
    set_up(&conn, Place::Memory)?;
    Ok(conn)
}

/// Where a database is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Disk,
    #[cfg(any(test, feature = "false-world"))]
    Memory,
}

/// Gives the database its name, if a crash came between the header's appearance and this.
fn finish(dir: &Path) -> Result<(), StoreError> {
    let (path, new) = (dir.join(NAME), dir.join(NEW_NAME));
    if !path.exists() && new.exists() {
        std::fs::rename(&new, &path)?;
        sync_dir(dir)?;
    }
    Ok(())
}

/// Puts right what a crash may have left of the keys of texts, and ends a change of passphrase that was cut short: the passphrase that opened the profile stays, the other goes.
fn settle(conn: &mut Connection, keys: &BodyKeys, vault: &Vault) -> Result<(), StoreError> {
    let numbers = Numbers::default();
    let tx = Tx::begin(conn, keys, &numbers)?;
    tx.refresh_seeds()?;
    if let Some(seed) = tx.meta(CHANGE)? {
        vault.settle(seed.as_slice().try_into().map_err(|_| StoreError::BadRow)?)?;
        tx.remove_meta(CHANGE)?;
    }
    duress::settle(&tx, vault)?;
    tx.commit()
}

/// A database, and what SQLite may have made beside it.
fn with_companions(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| beside(path, suffix))
}

/// Every file that a database of a profile may consist of, whole or not.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    [NAME, NEW_NAME].into_iter().flat_map(|name| with_companions(&dir.join(name))).collect()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn connect(path: &Path, key: &DatabaseKey) -> Result<Connection, StoreError> {
    ready()?;
    // Without CREATE: the file is made beforehand with mode 0600, which its WAL inherits. Without URI: a path is a path.
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    unlock(&conn, key, Place::Disk)?;
    set_up(&conn, Place::Disk)?;
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

/// Hands SQLCipher the key and proves that it reads the first page.
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
    // Before the first read: one connection, so that the WAL's index stays in memory and there is no -shm file.
    run_pragma(conn, "locking_mode", "EXCLUSIVE")?;
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(())
}

/// Every setting, its value, and how it reads back.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("auto_vacuum", "INCREMENTAL", "2"), // before the first table, or it does not take
    ("locking_mode", "EXCLUSIVE", "exclusive"),
    ("synchronous", "FULL", "2"), // a ratchet that rolls back reuses message keys
    ("secure_delete", "ON", "1"),
    ("wal_autocheckpoint", "200", "200"),
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
    let journal = if place == Place::Disk { "wal" } else { "memory" };
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    for &(setting, value, expected) in SETTINGS {
        // On a database that has tables, this one would not change anything but write a page at every opening.
        if setting != "auto_vacuum" || migrate::version(conn)? == 0 {
            run_pragma(conn, setting, value)?;
        }
        // SQLite has no mmap in memory and answers with no row at all.
        let optional = setting == "mmap_size" && place != Place::Disk;
        check(conn, setting, expected, optional)?;
    }
    let mode: String = conn.query_row(&format!("PRAGMA journal_mode = {journal}"), [], |row| row.get(0))?;
    if mode != journal {
        return Err(StoreError::Refused { setting: "journal_mode" });
    }
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
