//! Takes out of a damaged file what can be read of it, and puts a file with that in its place. There is no copy of a relay's
//! queues anywhere, by design: one bad sector must not cost everybody theirs.
//!
//! Tables are read by their keys from the front and from the back until a page can't be read, and between these by halves of what is left.
//! Indexes are made anew, so that nothing is lost with theirs. What can be read and makes no sense goes (`sense`). Then the new file is whole under a name of its own, and only then
//! does it take the place of the damaged one: a crash before that has changed nothing, and one behind it is finished by the
//! next opening.

mod sense;

use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use beresta_proto::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::expiry::is_unreadable;
use super::files::{keys_of, lock, private_file, with_suffix};
use super::schema::{self, int};
use super::{Keeping, OpenError, day, proof};
use crate::home::sync_folder;
use crate::queue::KeyProof;
use crate::queue::rules::{self, Cost};

/// The tables, by what their rows are read: first those that others need.
const TABLES: [(&str, Key); 10] = [
    ("day_key", Key::Number("day")),
    ("held", Key::Number("one")),
    ("fresh_tombstones", Key::Number("one")),
    ("queue", Key::Number("id")),
    ("counter", Key::Number("queue")),
    ("message", Key::Number("id")),
    ("tombstone", Key::Several("ends, queue, name")),
    ("blob", Key::Several("name")),
    ("credit", Key::Number("id")),
    ("handed_credit", Key::Number("id")),
];
/// Rows that are written together.
const STEP: usize = 4_096;
/// How often what is left between two pages that can't be read is halved, in each table.
const HALVES: usize = 256;

/// By what a table's rows are read.
#[derive(Clone, Copy)]
enum Key {
    /// One column with a number.
    Number(&'static str),
    /// Columns.
    Several(&'static str),
}

impl Key {
    const fn columns(self) -> &'static str {
        match self {
            Self::Number(columns) | Self::Several(columns) => columns,
        }
    }
}

/// What was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salvaged {
    /// Queues.
    pub queues: u64,
    /// Messages that wait.
    pub messages: u64,
    /// Whether all could be read.
    pub whole: bool,
}

/// Makes a new file of what can be read of the one at `path`, and puts it in its place. `now` is what no place in a queue is
/// beyond: so many milliseconds since 1970 are more than there were messages.
///
/// # Errors
/// [`OpenError::InUse`], [`OpenError::Newer`], [`OpenError::QueueKey`], [`OpenError::Damaged`] if nothing at all can be read,
/// [`OpenError::Keys`] if the keys are others' or, where something waits that is to survive a restart, are not there,
/// [`OpenError::Io`] if the disk has no room for a second file. Nothing is changed then.
pub(super) fn salvage(
    path: &Path,
    keeping: Keeping,
    proof: KeyProof,
    now: Timestamp,
) -> Result<Salvaged, OpenError> {
    let _lock = lock(path)?;
    finish(path).map_err(OpenError::Io)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = Connection::open_with_flags(path, flags)?;
    // Neither can its first page be, or its log.
    schema::standing(&old).map_err(|error| match error {
        OpenError::Sqlite => OpenError::Damaged,
        error @ (OpenError::InUse
        | OpenError::Newer
        | OpenError::Keys
        | OpenError::QueueKey
        | OpenError::Damaged
        | OpenError::Io(_)) => error,
    })?;
    // What can't be read there is taken for a new file's.
    if let Err(error @ OpenError::QueueKey) = proof::check(&old, proof) {
        return Err(error);
    }
    let unfinished = unfinished_at(path);
    let keys = (keeping == Keeping::Durable).then(|| keys_of(path));
    let made = fill(&old, &unfinished, keys.as_deref(), now);
    if made.is_err() {
        let _ = forget(&unfinished);
    }
    let salvaged = made?;
    // What it closes would else be written where the new file is.
    drop(old);
    let ready = fs::rename(&unfinished, salvaged_at(path)).and_then(|()| sync_folder(path));
    ready.and_then(|()| finish(path)).map_err(OpenError::Io)?;
    Ok(salvaged)
}

/// Puts a file in its place that was whole when a crash came, and forgets one that was not. The log that lies there belongs to the
/// damaged one.
pub(super) fn finish(path: &Path) -> std::io::Result<()> {
    forget(&unfinished_at(path))?;
    let salvaged = salvaged_at(path);
    if !salvaged.exists() {
        return Ok(());
    }
    for suffix in ["-wal", "-shm"] {
        remove(&with_suffix(path, suffix))?;
    }
    sync_folder(path)?;
    fs::rename(salvaged, path)?;
    sync_folder(path)
}

/// Forgets what a repair left, of queues that are gone: the next opening would put it in the place of those that came since.
pub(super) fn forget_all(path: &Path) -> std::io::Result<()> {
    forget(&unfinished_at(path))?;
    forget(&salvaged_at(path))
}

/// Whether a repair left a file that is whole, and that the next opening puts in its place.
pub(super) fn is_ready(path: &Path) -> bool {
    salvaged_at(path).exists()
}

fn unfinished_at(path: &Path) -> PathBuf {
    with_suffix(path, ".beresta-unfinished")
}

fn salvaged_at(path: &Path) -> PathBuf {
    with_suffix(path, ".beresta-salvaged")
}

fn forget(path: &Path) -> std::io::Result<()> {
    ["", "-wal", "-shm", "-journal"].into_iter().try_for_each(|suffix| remove(&with_suffix(path, suffix)))
}

fn remove(path: &Path) -> std::io::Result<()> {
    fs::remove_file(path)
        .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Makes the new file. It is on the disk, with nothing beside it, when this is done. `keys`: the file in which those of days are, if
/// they are to be kept.
fn fill(old: &Connection, path: &Path, keys: Option<&Path>, now: Timestamp) -> Result<Salvaged, OpenError> {
    drop(private_file(path)?);
    let mut new = schema::open_writer(path)?;
    schema::migrate(&mut new)?;
    let mut broken = Vec::new();
    for (table, key) in TABLES {
        let copied = Copying::of(old, &new, table, key)?.map_or(Ok(true), |mut copying| copying.run());
        if !copied? {
            broken.push(table);
        }
    }
    let of = |table: &str| {
        new.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
            .map(i64::unsigned_abs)
    };
    if broken.contains(&"queue") && of("queue")? == 0 {
        return Err(OpenError::Damaged);
    }
    broken.extend(sense::drop_nonsense(&new)?);
    let swept = new.query_row("SELECT swept FROM held", [], |row| row.get(0))?;
    let now = rules::not_before(swept, now);
    if broken.contains(&"counter") {
        // A place that was given is not to be given again (rule Q14), and up to where they were given is not known.
        let lost = "INSERT INTO counter SELECT id, max(?1, (SELECT coalesce(max(last), 0) FROM counter)), 0
            FROM queue WHERE id NOT IN (SELECT queue FROM counter)";
        new.execute(lost, [int(now.0)])?;
    }
    if broken.contains(&"held") {
        // By how much they end later than their rows say is not known either.
        new.execute("UPDATE queue SET ends = max(ends, ?1)", [rules::queue_ends(now, 0).0])?;
    }
    if let Some(keys) = keys
        && !day::find_again(&new, keys, broken.contains(&"day_key"))?
    {
        broken.push("day_key");
    }
    count(&new)?;
    let whole = broken.is_empty();
    let salvaged = Salvaged { queues: of("queue")?, messages: of("message")?, whole };
    new.close().map_err(|(_, error)| error)?;
    is_all(path).map_err(OpenError::Io)?;
    Ok(salvaged)
}

/// Whether a file that was closed has all of it, on the disk. Where a disk is full its log can't be moved into it, and SQLite closes it
/// without a word: alone, it would lack what is there.
fn is_all(path: &Path) -> std::io::Result<()> {
    if fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(ErrorKind::StorageFull.into());
    }
    File::open(path)?.sync_all()
}

/// Counts anew what counts against the cap.
fn count(new: &Connection) -> rusqlite::Result<()> {
    let mut used = 0_u64;
    let mut add = |sql: &str, cost: u64| {
        let count: i64 = new.query_row(sql, [], |row| row.get(0))?;
        used = used.saturating_add(cost.saturating_mul(count.unsigned_abs()));
        Ok::<(), rusqlite::Error>(())
    };
    add("SELECT count(*) FROM queue", Cost::QUEUE)?;
    add("SELECT count(*) FROM tombstone", Cost::TOMBSTONE)?;
    add("SELECT length(keys) / 24 FROM fresh_tombstones", Cost::TOMBSTONE)?;
    add("SELECT count(*) FROM blob", Cost::BLOB)?;
    for bucket in beresta_proto::envelope::Bucket::ALL {
        add(
            &format!("SELECT count(*) FROM message WHERE bucket = {}", bucket.code()),
            Cost::message(bucket.size()),
        )?;
    }
    new.execute("UPDATE held SET used = ?1", [int(used)]).map(drop)
}

/// One table on its way.
struct Copying<'c> {
    old: &'c Connection,
    new: &'c Connection,
    /// `SELECT` and the key, if that is a number, and the columns that both files have.
    select: String,
    insert: String,
    key: Key,
    /// Rows that were written and not committed.
    open: usize,
    whole: bool,
}

/// How a reading ended.
enum End {
    /// At the last row.
    Reached,
    /// At a page that can't be read, behind this row, if the key is a number and there was one.
    Broke(Option<i64>),
}

impl<'c> Copying<'c> {
    /// None if the old file is of an earlier version and has no such table.
    fn of(old: &'c Connection, new: &'c Connection, table: &str, key: Key) -> rusqlite::Result<Option<Self>> {
        let columns = |conn: &Connection| {
            let mut names = conn.prepare("SELECT name FROM pragma_table_info(?1)")?;
            names.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        };
        let (had, mut both) = (columns(old)?, columns(new)?);
        both.retain(|column| had.contains(column));
        if both.is_empty() {
            return Ok(None);
        }
        let names = both.join(", ");
        let marks: Vec<String> = (1..=both.len()).map(|mark| format!("?{mark}")).collect();
        let of_queue = both.iter().position(|column| column == "queue").and_then(|at| marks.get(at));
        // What was a lost queue's is nobody's.
        let only = of_queue.filter(|_| table != "tombstone").map_or_else(String::new, |mark| {
            format!(" WHERE EXISTS (SELECT 1 FROM queue WHERE id = {mark})")
        });
        let marks = marks.join(", ");
        let (select, or) = match key {
            // The tables of one row have theirs from the beginning.
            Key::Number("one") => (format!("SELECT one, {names} FROM {table}"), "OR REPLACE "),
            Key::Number(column) => (format!("SELECT {column}, {names} FROM {table}"), ""),
            Key::Several(_) => (format!("SELECT NULL, {names} FROM {table}"), ""),
        };
        Ok(Some(Self {
            old,
            new,
            select,
            insert: format!("INSERT {or}INTO {table} ({names}) SELECT {marks}{only}"),
            key,
            open: 0,
            whole: true,
        }))
    }

    /// Takes over what can be read. Whether that was all.
    fn run(&mut self) -> rusqlite::Result<bool> {
        self.new.execute_batch("BEGIN")?;
        let columns = self.key.columns();
        let back: Vec<String> = columns.split(", ").map(|one| format!("{one} DESC")).collect();
        if let End::Broke(first) = self.read(&format!("ORDER BY {columns}"))?
            && let End::Broke(last) = self.read(&format!("ORDER BY {}", back.join(", ")))?
            && let Key::Number(column) = self.key
        {
            let first = first.map_or(i64::MIN, |first| first.saturating_add(1));
            let last = last.map_or(i64::MAX, |last| last.saturating_sub(1));
            self.between(column, first, last)?;
        }
        self.new.execute_batch("COMMIT")?;
        Ok(self.whole)
    }

    /// Takes over what can be read of these keys, at both ends of which a page can't be: from the middle of the widest gap on, up
    /// and down.
    fn between(&mut self, column: &str, first: i64, last: i64) -> rusqlite::Result<()> {
        let mut gaps = BinaryHeap::from([gap(first, last)]);
        for _ in 0..HALVES {
            let Some((_, first, last)) = gaps.pop() else { return Ok(()) };
            let middle = first.midpoint(last);
            let up = format!("WHERE {column} > {middle} AND {column} <= {last} ORDER BY {column}");
            if let End::Broke(at) = self.read(&up)? {
                gaps.extend(
                    at.unwrap_or(middle).checked_add(1).filter(|at| *at <= last).map(|at| gap(at, last)),
                );
            }
            let down = format!("WHERE {column} >= {first} AND {column} <= {middle} ORDER BY {column} DESC");
            if let End::Broke(at) = self.read(&down)? {
                let below = at.map_or(Some(middle), |at| at.checked_sub(1)).filter(|at| *at >= first);
                // What is one key wide has been asked for.
                gaps.extend(below.filter(|below| *below < last).map(|at| gap(first, at)));
            }
        }
        Ok(())
    }

    /// Takes over what these words find, until a page can't be read.
    fn read(&mut self, words: &str) -> rusqlite::Result<End> {
        let (old, new) = (self.old, self.new);
        let mut at = None;
        let mut statement = old.prepare(&format!("{} {words}", self.select))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut insert = new.prepare_cached(&self.insert)?;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(End::Reached),
                Err(error) if is_unreadable(&error) => {
                    self.whole = false;
                    return Ok(End::Broke(at));
                }
                Err(error) => return Err(error),
            };
            let values: rusqlite::Result<Vec<Value>> = (1..columns).map(|column| row.get(column)).collect();
            at = row.get(0).unwrap_or(at);
            let taken = values.and_then(|values| insert.execute(params_from_iter(values)));
            match taken {
                Ok(_) => {}
                // What a damaged page says may be no row of ours.
                Err(error) if is_no_row(&error) => self.whole = false,
                Err(error) => return Err(error),
            }
            self.open = self.open.saturating_add(1);
            if self.open >= STEP {
                self.open = 0;
                new.execute_batch("COMMIT; BEGIN")?;
            }
        }
    }
}

fn is_no_row(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::Utf8Error(..))
        || matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch))
}

/// What is between two keys, the widest first.
fn gap(first: i64, last: i64) -> (u64, i64, i64) {
    (last.abs_diff(first), first, last)
}

#[cfg(test)]
mod tests;
