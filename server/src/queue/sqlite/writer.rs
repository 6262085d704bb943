//! The thread that changes the file: takes what waits, carries it out in one transaction, commits, then tells everybody.
//!
//! A commit costs one flush of the disk, however much is in it. While one is under way the next operations gather, so the
//! batches grow with the load by themselves.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, ffi};

use super::reserve::Reserve;
use super::statements::Statements;
use super::work::{Decided, Work};
use super::{Job, tell};
use crate::queue::rules::Cap;
use crate::queue::{Answer, Op};

/// Operations in one commit at the most.
const BATCH: usize = 1_024;
/// So long nothing must come before the log is emptied for rest.
const REST: Duration = Duration::from_millis(500);

/// Pages of a file that is small: 32 MiB, which is a fraction of a second's work.
const SMALL: i64 = 1_024;

/// Works until no more can come.
pub(super) fn run(conn: &Connection, cap: Cap, reserve: Reserve, jobs: &Receiver<Job>) {
    let work = Statements::prepare(conn).and_then(|statements| Work::new(statements, cap));
    let Ok(work) = work else {
        tracing::error!("the writer of the queues cannot prepare its statements");
        return jobs.iter().for_each(|job| tell(job.done, Answer::Failed));
    };
    let mut writer = Writer { conn, work, reserve, log_holds_something: true, laid: None };
    while let Some(batch) = writer.gather(jobs) {
        let expiry = batch.iter().any(|job| matches!(job.op, Op::Expire { .. }));
        writer.carry_out(batch);
        // Expiry comes again and again: so the log is emptied under a load that never rests, too.
        if expiry {
            writer.lay_anew();
            writer.empty_log();
        }
    }
    writer.empty_log();
}

/// A transaction failed, at one of its operations or as a whole.
struct Failure {
    at: Option<usize>,
    error: rusqlite::Error,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self { at: None, error }
    }
}

struct Writer<'c> {
    conn: &'c Connection,
    work: Work<'c>,
    reserve: Reserve,
    log_holds_something: bool,
    /// The day on which the rows were last laid anew.
    laid: Option<i64>,
}

impl Writer<'_> {
    /// Waits for operations: all that are there, up to a batch. None when no more can come.
    fn gather(&mut self, jobs: &Receiver<Job>) -> Option<Vec<Job>> {
        let first = if self.log_holds_something {
            match jobs.recv_timeout(REST) {
                Err(RecvTimeoutError::Timeout) => {
                    self.empty_log();
                    jobs.recv().ok()?
                }
                other => other.ok()?,
            }
        } else {
            jobs.recv().ok()?
        };
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        Some(batch)
    }

    /// Carries a batch out and tells everybody.
    fn carry_out(&mut self, mut batch: Vec<Job>) {
        while !batch.is_empty() {
            match self.commit(&batch) {
                Ok(decided) => {
                    let decided = batch.drain(..).zip(decided);
                    decided.for_each(|(job, decided)| tell(job.done, answer(job.op, decided)));
                }
                Err(Failure { at, error }) => {
                    tracing::error!("a commit of the queues failed");
                    let full = may_be_full(&error);
                    // One operation, on a damaged row say, must not fail all that came with it. Those before it went
                    // well a moment ago; without it they will again.
                    let alone = at.filter(|_| !full);
                    let (before, failed) = alone.map_or((0, batch.len()), |at| (at, 1));
                    let after = batch.split_off(before.saturating_add(failed));
                    let failed = batch.split_off(before);
                    self.carry_out(batch);
                    for Job { op, done } in failed {
                        tell(done, if full && !frees(&op) { Answer::Full } else { Answer::Failed });
                    }
                    batch = after;
                }
            }
        }
    }

    /// Carries a batch out in one transaction; if the disk is full, what makes room.
    fn commit(&mut self, batch: &[Job]) -> Result<Vec<Decided>, Failure> {
        let done = self.attempt(batch, !self.reserve.is_held()).or_else(|failure| {
            self.undo();
            if !may_be_full(&failure.error) {
                return Err(failure);
            }
            tracing::warn!("the disk of the queues is full");
            // What makes room must still work: it gets the reserve, and the log's own place, which serves again once
            // the log was moved into the file.
            self.reserve.release();
            checkpoint(&mut self.work.statements.restart);
            self.attempt(batch, true)
        });
        if done.is_err() {
            self.undo();
        }
        done
    }

    /// One transaction. `only_frees`: what might store something is refused with [`Answer::Full`].
    fn attempt(&mut self, batch: &[Job], only_frees: bool) -> Result<Vec<Decided>, Failure> {
        self.work.begin()?;
        let mut decided = Vec::with_capacity(batch.len());
        for (at, job) in batch.iter().enumerate() {
            decided.push(if only_frees && !frees(&job.op) {
                Decided::Answer(Answer::Full)
            } else {
                self.work.carry_out(&job.op).map_err(|error| Failure { at: Some(at), error })?
            });
        }
        self.work.commit()?;
        self.log_holds_something = true;
        Ok(decided)
    }

    /// Takes back a transaction that failed, and what was remembered of it.
    fn undo(&mut self) {
        // Some errors end the transaction by themselves.
        let undone = self.conn.is_autocommit() || self.work.statements.rollback.execute([]).is_ok();
        if !undone || self.work.reload().is_err() {
            tracing::error!("a failed commit could not be undone");
        }
    }

    /// Lays the rows of a small file anew, once a day. Within a page rows lie as they came, and where few people use a
    /// relay, one page tells of all of them who made queues one after the other. In a large file the keys
    /// scatter what one person did over many pages, and laying it anew would hold everybody up.
    fn lay_anew(&mut self) {
        if self.laid == self.work.swept {
            return;
        }
        self.laid = self.work.swept;
        let small = self.work.pages().is_ok_and(|pages| pages <= SMALL);
        if small && self.work.statements.lay_anew.execute([]).is_err() {
            tracing::warn!("the rows of the queues could not be laid anew");
        }
        self.log_holds_something = true;
    }

    /// Moves the log into the file and empties it: deleted ciphertext is not kept in it.
    fn empty_log(&mut self) {
        // If a reader holds it or the disk fails, the next rest or expiry tries again.
        self.log_holds_something = !checkpoint(&mut self.work.statements.truncate);
        self.reserve.restore();
    }
}

/// Whether there may be no room. To SQLite a used-up quota is a write that failed, for whatever reason.
fn may_be_full(error: &rusqlite::Error) -> bool {
    const WRITES: [i32; 3] = [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_SHMSIZE];
    error
        .sqlite_error()
        .is_some_and(|error| error.code == ErrorCode::DiskFull || WRITES.contains(&error.extended_code))
}

/// Whether the whole log was moved.
fn checkpoint(statement: &mut rusqlite::Statement<'_>) -> bool {
    matches!(statement.query_row([], |row| row.get::<_, i64>(0)), Ok(0))
}

/// Whether an operation only makes room, or changes a row in its place. Such a one is never refused with
/// [`Answer::Full`].
fn frees(op: &Op) -> bool {
    matches!(
        op,
        Op::Acknowledge { .. }
            | Op::DeleteQueue { .. }
            | Op::DeleteBlob { .. }
            | Op::ClaimBlob { .. }
            | Op::Renew { .. }
            | Op::Expire { .. }
    )
}

fn answer(op: Op, decided: Decided) -> Answer {
    match (decided, op) {
        (Decided::Answer(answer), _) => answer,
        (
            Decided::Appended { queue, sequence },
            Op::Append { envelope, send: _, capability: _, message: _, ttl: _, now: _ },
        ) => Answer::Appended { queue, sequence, envelope },
        // Only an append is decided as appended.
        (Decided::Appended { .. }, _) => Answer::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_quota_is_taken_for_a_full_disk_and_a_bad_sector_is_not() {
        let full = |code| may_be_full(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(full(ffi::SQLITE_FULL) && full(ffi::SQLITE_IOERR_WRITE) && full(ffi::SQLITE_IOERR_FSYNC));
        assert!(!full(ffi::SQLITE_IOERR_READ) && !full(ffi::SQLITE_CORRUPT) && !full(ffi::SQLITE_CONSTRAINT));
    }
}
