//! The engine that keeps everything in one SQLite file. An answer is given after the commit that it rests on was flushed
//! to the disk (rule Q10). What was deleted is overwritten where it lay in the file, and soon gone from the write-ahead log;
//! copies that SQLite made of it when it balanced pages may stay, a few in ten thousand.
//!
//! Bodies lie in it sealed, under the keys of the days on which they end: `day` says how those are kept and destroyed.
//!
//! One `writer` thread carries out all that changes something, many operations to a commit; `reader` threads look
//! things up beside it, so that a reader never waits for a disk. `schema` says what the file looks like.

mod append;
mod blobs;
mod cache;
mod credits;
mod day;
mod error;
mod expiry;
mod files;
mod gather;
mod graves;
mod lost;
mod passing;
mod proof;
mod reader;
mod reserve;
mod room;
mod row;
mod salvage;
mod schema;
mod seal;
mod statements;
mod work;
mod writer;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use beresta_proto::time::Timestamp;
use rusqlite::Connection;

use self::day::DayKeys;
pub use self::error::OpenError;
use self::files::{keys_of, lock, private_file, with_suffix};
use self::reserve::Reserve;
use self::room::{FileSystem, Watch};
pub use self::salvage::Salvaged;
use super::intake::{Disk, Room};
use super::rules::Cap;
use super::{Answer, Completion, Health, KeyProof, Op, QueueEngine, Stats};

/// Threads that look things up. One more counts, which takes seconds in a large file, and must hold nobody up.
const READERS: usize = 2;
/// Operations that wait for a thread: with 16 KiB envelopes 64 MiB. One more is refused with [`Answer::Failed`].
const WAITING: usize = 4_096;

/// Where the keys are kept of what waits (rule Q15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// In the file `day.keys` beside the queues': what was stored survives a restart.
    Durable,
    /// In memory only: with the process all goes that waited, and nobody can open it on the disk from then on. Queues stay.
    Volatile,
}

/// What an engine of this version would find in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is of this version.
    Current,
    /// An earlier version wrote it. To open it brings it to this version, for good.
    Older,
}

/// An operation and whom to tell.
struct Job {
    op: Op,
    done: Completion,
}

/// The engine. Dropping it finishes what was submitted, and closes the file.
pub struct SqliteEngine {
    writer: Option<SyncSender<Job>>,
    readers: Vec<SyncSender<Job>>,
    next_reader: AtomicUsize,
    threads: Vec<JoinHandle<()>>,
    health: Arc<Health>,
    /// Held as long as the file is open: two writers would not know of each other's changes.
    _lock: File,
}

impl core::fmt::Debug for SqliteEngine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { writer: _, readers: _, next_reader: _, threads: _, health: _, _lock: _ } = self;
        f.write_str("SqliteEngine(..)")
    }
}

impl SqliteEngine {
    /// Whether an engine was ever opened at `path`.
    #[must_use]
    pub fn was_opened(path: &Path) -> bool {
        with_suffix(path, ".lock").exists()
    }

    /// Whether an engine was opened at `path`, and its file is gone since, or has nothing in it. To open it makes another.
    #[must_use]
    pub fn has_vanished(path: &Path) -> bool {
        let is_there = || match std::fs::metadata(path) {
            // Of a single byte SQLite says, too, that there is nothing in it.
            Ok(file) => file.len() > 1,
            // What can't be looked at is not known to be gone.
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        };
        // Only an engine makes keys.
        let was_opened = Self::was_opened(path) || keys_of(path).exists();
        was_opened && !is_there() && !Self::has_salvaged(path)
    }

    /// Removes what an engine leaves beside a file that is gone.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn forget_traces(path: &Path) -> std::io::Result<()> {
        for suffix in [".lock", ".reserve", "-shm"] {
            match std::fs::remove_file(with_suffix(path, suffix)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        salvage::forget_all(path)
    }

    /// Whether a repair of the file at `path` left another, which takes its place when that is opened.
    #[must_use]
    pub fn has_salvaged(path: &Path) -> bool {
        salvage::is_ready(path)
    }

    /// Opens the file at `path`, or makes it, for its owner's eyes only. Beside it lie `-wal`, `-shm`,
    /// `.lock`, `.reserve` and [`crate::home::Name::DayKeys`]. `proof` is of the secret that makes the names in it.
    ///
    /// # Errors
    /// [`OpenError`]: in use, of a newer version, damaged, without its keys, another secret's, or not accessible.
    pub fn open(path: &Path, cap: Cap, keeping: Keeping, proof: KeyProof) -> Result<Self, OpenError> {
        Self::open_on(path, cap, keeping, proof, Box::new(FileSystem::of(path)))
    }

    /// The same, where another says how full the disk is.
    ///
    /// # Errors
    /// As [`SqliteEngine::open`].
    pub fn open_on(
        path: &Path,
        cap: Cap,
        keeping: Keeping,
        proof: KeyProof,
        disk: Box<dyn Disk>,
    ) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        salvage::finish(path).map_err(OpenError::Io)?;
        let reserve = with_suffix(path, ".reserve");
        let (conn, mut keys) = match open_file(path, keeping, proof) {
            // On a full disk, where SQLite finds no place for its log: what waits has to be fetched there, too.
            Err(OpenError::Io(_) | OpenError::Sqlite) if Reserve::release_on_full_disk(&reserve) => {
                open_file(path, keeping, proof)?
            }
            opened => opened?,
        };
        match lost::drop_lost(&conn, &mut keys) {
            Ok(false) => {}
            Ok(true) => tracing::warn!("what waited in the queues and has no key any more was dropped"),
            // On a full disk. It is left out when it is asked for, and the sweeps try again.
            Err(_) => {
                tracing::error!("what waits in the queues and has no key any more could not be dropped")
            }
        }

        let mut engine = Self {
            writer: None,
            readers: Vec::new(),
            next_reader: AtomicUsize::new(0),
            threads: Vec::new(),
            health: Arc::default(),
            _lock: lock,
        };
        for _ in 0..=READERS {
            let (conn, ring) = (schema::open_reader(path)?, keys.ring());
            let jobs = engine.spawn("queue-reader", move |jobs| reader::run(&conn, ring, &jobs))?;
            engine.readers.push(jobs);
        }
        let reserve = Reserve::new(reserve);
        let (watch, health) = (Watch::new(disk, cap), engine.health());
        let run = move |jobs| writer::run(&conn, cap, keys, (watch, health), reserve, &jobs);
        engine.writer = Some(engine.spawn("queue-writer", run)?);
        Ok(engine)
    }

    /// Counts what the file at `path` holds, also while a relay runs on it. Changes nothing.
    ///
    /// # Errors
    /// [`OpenError`] if it is no file of this engine, or can't be read.
    pub fn peek(path: &Path) -> Result<Stats, OpenError> {
        reader::peek(&schema::open_look(path)?).map_err(|_| OpenError::Damaged)
    }

    /// What the disk has left on which the file at `path` is or will be, how many bytes of the file are in use, and what counts
    /// against its cap. None where the disk does not tell. Changes nothing.
    #[must_use]
    pub fn room(path: &Path) -> Option<(Room, u64, u64)> {
        let room = FileSystem::of(path).room()?;
        let look = || schema::in_use(&schema::open_look(path).ok()?).ok();
        // Of a file that can't be read none is taken to be free.
        let (live, used) = look().unwrap_or((room.file, 0));
        Some((room, live, used))
    }

    /// Whether [`SqliteEngine::open`] would take the file at `path`, also while a relay runs on it. Changes nothing.
    ///
    /// # Errors
    /// [`OpenError`], as it would say, but for what only writing finds out.
    pub fn check(path: &Path, keeping: Keeping, proof: KeyProof) -> Result<Standing, OpenError> {
        let conn = schema::open_look(path)?;
        let standing = schema::standing(&conn)?;
        proof::check(&conn, proof)?;
        // An earlier version's may have none yet.
        if keeping == Keeping::Durable && conn.table_exists(None, "day_key")? {
            day::check(&conn, &keys_of(path))?;
        }
        Ok(standing)
    }

    /// Takes out of a damaged file at `path` what can be read of it, and puts a file with that in its place. No relay may run on it.
    ///
    /// # Errors
    /// [`OpenError`], and nothing is changed: in use, of a newer version, another secret's, or nothing can be read at all
    /// ([`OpenError::Damaged`]); no room for a second file ([`OpenError::Io`]); of what is to survive a restart, `day.keys` is not
    /// there ([`OpenError::Keys`]).
    pub fn salvage(
        path: &Path,
        keeping: Keeping,
        proof: KeyProof,
        now: Timestamp,
    ) -> Result<Salvaged, OpenError> {
        salvage::salvage(path, keeping, proof, now)
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Whether a relay has the file at `path` open. None where that can't be told.
    #[must_use]
    pub fn is_in_use(path: &Path) -> Option<bool> {
        match File::open(with_suffix(path, ".lock")).map(|lock| lock.try_lock_shared()) {
            Ok(Err(TryLockError::WouldBlock)) => Some(true),
            Ok(Ok(())) => Some(false),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(false),
            Ok(Err(TryLockError::Error(_))) | Err(_) => None,
        }
    }

    /// Whether all of its threads run. Without one of them it answers [`Answer::Failed`] for ever.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    fn spawn(
        &mut self,
        name: &str,
        run: impl FnOnce(Receiver<Job>) + Send + 'static,
    ) -> Result<SyncSender<Job>, OpenError> {
        let (jobs, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name(name.to_owned());
        self.threads.push(thread.spawn(move || run(waiting)).map_err(OpenError::Io)?);
        Ok(jobs)
    }
}

impl QueueEngine for SqliteEngine {
    fn submit(&self, op: Op, done: Completion) {
        let thread = match op {
            Op::Find { .. } | Op::FindSend { .. } | Op::Fetch { .. } | Op::FindBlob { .. } => {
                let turn = self.next_reader.fetch_add(1, Ordering::Relaxed);
                self.readers.get(turn % READERS)
            }
            Op::Credits { .. } | Op::Stats => self.readers.get(READERS),
            Op::MakeQueue { .. }
            | Op::Renew { .. }
            | Op::Append { .. }
            | Op::Acknowledge { .. }
            | Op::DeleteQueue { .. }
            | Op::PutBlob { .. }
            | Op::ClaimBlob { .. }
            | Op::DeleteBlob { .. }
            | Op::Grant { .. }
            | Op::Revoke { .. }
            | Op::Expire { .. } => self.writer.as_ref(),
        };
        let Some(thread) = thread else { return tell(done, Answer::Failed) };
        // Never waits: the caller may be the thread that serves every link.
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            thread.try_send(Job { op, done })
        {
            tell(job.done, Answer::Failed);
        }
    }
}

impl Drop for SqliteEngine {
    fn drop(&mut self) {
        let this_thread = std::thread::current().id();
        let join = |thread: JoinHandle<()>| {
            // A completion may hold the last reference: a thread can't wait for itself.
            if thread.thread().id() != this_thread {
                let _ = thread.join();
            }
        };
        // The writer began last and ends last: where two let go of the file in one moment, SQLite leaves its log and the
        // log's index behind.
        let readers = self.readers.len();
        self.readers.clear();
        self.threads.drain(..readers).for_each(join);
        self.writer = None;
        self.threads.drain(..).for_each(join);
    }
}

/// Tells the answer. A completion that panics must not take the thread, and everybody's queues, with it.
fn tell(mut done: Completion, answer: Answer) {
    guarded(move || done(answer));
}

/// Tells an answer that is not the last.
fn tell_early(done: &mut Completion, answer: Answer) {
    guarded(|| done(answer));
}

fn guarded(tell: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(tell)).is_err() {
        tracing::error!("a completion panicked");
    }
}

/// Opens the file at `path` to write, as one of this version, with the keys of what waits in it.
fn open_file(path: &Path, keeping: Keeping, proof: KeyProof) -> Result<(Connection, DayKeys), OpenError> {
    // SQLite gives its other files the permissions of this one.
    drop(private_file(path)?);
    let mut conn = schema::open_writer(path)?;
    // First of all: a step to this version is for good, and at a volatile relay the keys of what waits are forgotten.
    proof::check(&conn, proof)?;
    schema::migrate(&mut conn)?;
    proof::prove(&conn, proof)?;
    let keys = DayKeys::open(&conn, &keys_of(path), keeping)?;
    Ok((conn, keys))
}

#[cfg(test)]
mod tests;
