//! The thread that changes the file: takes what waits, carries it out in one transaction, commits, then tells everybody.
//!
//! A commit costs one flush of the disk, however much is in it. While one is under way the next operations gather, so the
//! batches grow with the load by themselves.
//!
//! A message whose reader is there and quick is pushed first and not written: mostly it is acknowledged a moment later, and
//! then only its id is kept (rule Q5). Its sender hears nothing until the one or the other is durable (rule Q10).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::append::Admitted;
use super::day::DayKeys;
use super::files::hide_last_change;
use super::passing::GRACE;
use super::reserve::Reserve;
use super::room::{Watch, frees, is_weighed, may_be_full};
use super::statements::Statements;
use super::work::{Decided, Work};
use super::{Job, tell, tell_early};
use crate::clock;
use crate::queue::rules::{Cap, Cost};
use crate::queue::{Answer, Health, Op, QueueRef};

/// Messages that may wait in memory: 17 MiB of the largest, each in the capsule that it came in.
pub(super) const MOST_WAITING: usize = 1_024;

/// After which a log is tried again that could not be emptied.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Pages of a file that is small: 32 MiB, which is a fraction of a second's work.
const SMALL: i64 = 1_024;

/// Works until no more can come.
pub(super) fn run(
    conn: &Connection,
    cap: Cap,
    keys: DayKeys,
    disk: (Watch, Arc<Health>),
    reserve: Reserve,
    jobs: &Receiver<Job>,
) {
    let work = Statements::prepare(conn).and_then(|statements| Work::new(statements, cap, keys, disk));
    let Ok(work) = work else {
        // With its thread the engine counts as dead, and the relay stops: one that only refused would look alive.
        tracing::error!("the writer of the queues cannot read them");
        return jobs.try_iter().for_each(|job| tell(job.done, Answer::Failed));
    };
    let mut writer = Writer {
        conn,
        work,
        reserve,
        waiting: VecDeque::new(),
        closing: false,
        log_holds_something: true,
        late: None,
        opened: false,
        hopeless: false,
        laid: None,
    };
    while let Some(batch) = writer.gather(jobs) {
        let expiry = batch.iter().any(|job| matches!(job.op, Op::Expire { .. }));
        writer.hopeless = false;
        writer.carry_out(batch);
        // Expiry comes again and again: so the log is emptied under a load that never rests, too.
        if expiry {
            writer.destroy_keys();
            writer.lay_anew();
            writer.empty_log();
            if let Some(path) = conn.path() {
                hide_last_change(Path::new(path));
            }
        } else if writer.late.is_some_and(|late| late <= clock::monotonic()) {
            writer.empty_log();
        }
    }
    if writer.work.give_back().is_err() {
        tracing::warn!("places of messages that were set aside are left out");
        writer.undo();
    }
    writer.empty_log();
}

/// At what a transaction failed.
#[derive(Clone, Copy)]
enum Culprit {
    /// An operation of the batch.
    One(usize),
    /// A message that waited.
    Waiting(QueueRef, u64),
    /// No one of them.
    All,
}

/// A transaction failed.
struct Failure {
    at: Culprit,
    error: rusqlite::Error,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self { at: Culprit::All, error }
    }
}

/// A message that was admitted and is not written: its reader may acknowledge it before it need be.
pub(super) struct Passing {
    pub(super) job: Job,
    pub(super) queue: QueueRef,
    pub(super) sequence: u64,
    pub(super) since: Instant,
}

pub(super) struct Writer<'c> {
    pub(super) conn: &'c Connection,
    pub(super) work: Work<'c>,
    pub(super) reserve: Reserve,
    /// In the order in which they were admitted.
    pub(super) waiting: VecDeque<Passing>,
    /// Nothing more comes: nothing may wait.
    pub(super) closing: bool,
    pub(super) log_holds_something: bool,
    /// When the log is to be emptied although nothing rests, because it could not be, or the reserve was given up.
    late: Option<Instant>,
    /// What is gathered lies in a transaction already.
    pub(super) opened: bool,
    /// The disk has no room even for one operation of the batch.
    hopeless: bool,
    /// The day on which the rows were last laid anew.
    laid: Option<i64>,
}

impl Writer<'_> {
    /// Carries a batch out and tells everybody.
    fn carry_out(&mut self, mut batch: Vec<Job>) {
        loop {
            match self.commit(&mut batch) {
                Ok(decided) => {
                    self.tell_waiting();
                    for (job, decided) in batch.into_iter().zip(decided) {
                        self.tell(job, decided);
                    }
                    return;
                }
                Err(Failure { at, error }) => {
                    tracing::error!("a commit of the queues failed");
                    let full = may_be_full(&error);
                    // What makes room needs some itself: less at once may find it. Where not even one finds it, none does.
                    self.hopeless |= full && batch.len() <= 1;
                    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) && !self.hopeless {
                        let rest = batch.split_off(batch.len() / 2);
                        self.carry_out(batch);
                        batch = rest;
                        continue;
                    }
                    // One operation, on a damaged row say, must not fail all that came with it. Those before it went
                    // well a moment ago; without it they will again.
                    let (before, failed) = match at {
                        Culprit::One(at) if !full => (at, 1),
                        Culprit::Waiting(queue, sequence) if !full => {
                            self.give_up(
                                |one| (one.queue, one.sequence) == (queue, sequence),
                                &Answer::Failed,
                            );
                            continue;
                        }
                        Culprit::One(_) | Culprit::Waiting(..) | Culprit::All => (0, batch.len()),
                    };
                    let after = batch.split_off(before.saturating_add(failed));
                    let failed = batch.split_off(before);
                    if !batch.is_empty() {
                        self.carry_out(batch);
                    }
                    for Job { op, done } in failed {
                        tell(done, if full && !frees(&op) { Answer::Full } else { Answer::Failed });
                    }
                    batch = after;
                    if batch.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Tells what became of an operation that was committed. What was admitted and is not written goes on waiting.
    pub(super) fn tell(&mut self, job: Job, decided: Decided) {
        match decided {
            Decided::Admitted(Admitted { queue, sequence, after: _ }) if self.work.waits(queue, sequence) => {
                self.waiting.push_back(Passing { job, queue, sequence, since: clock::monotonic() });
            }
            Decided::Admitted(Admitted { queue, sequence, after: _ })
            | Decided::Appended { queue, sequence } => {
                tell(job.done, appended(job.op, queue, sequence));
            }
            Decided::Answer(answer) => tell(job.done, answer),
        }
    }

    /// Tells of those that waited and were written, or are gone.
    fn tell_waiting(&mut self) {
        for _ in 0..self.waiting.len() {
            let Some(one) = self.waiting.pop_front() else { return };
            if self.work.waits(one.queue, one.sequence) {
                self.waiting.push_back(one);
            } else {
                tell(one.job.done, appended(one.job.op, one.queue, one.sequence));
            }
        }
    }

    /// Stores none of those that wait and are meant: their senders try again.
    fn give_up(&mut self, meant: impl Fn(&Passing) -> bool, answer: &Answer) {
        for one in core::mem::take(&mut self.waiting) {
            if meant(&one) && self.work.waits(one.queue, one.sequence) {
                self.work.withdraw(one.queue, one.sequence);
                tell(one.job.done, answer.clone());
            } else {
                self.waiting.push_back(one);
            }
        }
    }

    /// Carries a batch out in one transaction; if the disk is full, what makes room.
    fn commit(&mut self, batch: &mut [Job]) -> Result<Vec<Decided>, Failure> {
        let done = self.attempt(batch, !self.reserve.is_held()).or_else(|failure| {
            self.undo();
            if !may_be_full(&failure.error) {
                return Err(failure);
            }
            tracing::warn!("the disk of the queues is full");
            // What makes room must still work: it gets the reserve, and the log's own place, which serves again once
            // the log was moved into the file.
            self.reserve.release();
            self.work.statements.begin_log_again();
            self.attempt(batch, true)
        });
        if let Err(failure) = &done {
            self.undo();
            let full = may_be_full(&failure.error);
            if full || matches!(failure.at, Culprit::All) {
                self.give_up(|_| true, if full { &Answer::Full } else { &Answer::Failed });
            }
        }
        done
    }

    /// One transaction. `only_frees`: what would store something is refused with [`Answer::Full`].
    fn attempt(&mut self, batch: &mut [Job], only_frees: bool) -> Result<Vec<Decided>, Failure> {
        // One that could not be rolled back is not gone on with: to begin fails then.
        if !core::mem::take(&mut self.opened) || self.conn.is_autocommit() {
            self.work.begin()?;
        }
        self.work.room = MOST_WAITING.saturating_sub(self.waiting.len());
        self.work.tight = only_frees;
        let mut decided = Vec::with_capacity(batch.len());
        for (at, job) in batch.iter().enumerate() {
            decided.push(if only_frees && !frees(&job.op) && !is_weighed(&job.op) {
                Decided::Answer(Answer::Full)
            } else {
                let at = Culprit::One(at);
                self.work.carry_out(&job.op).map_err(|error| Failure { at, error })?
            });
        }
        // The oldest are in front: one look at the clock, and none at who came later.
        let now = clock::monotonic();
        for one in &self.waiting {
            if !self.closing && now.saturating_duration_since(one.since) < GRACE {
                break;
            }
            self.work.overdue(one.queue, one.sequence);
        }
        let waiting = self.waiting.iter().map(|one| {
            let at = Culprit::Waiting(one.queue, one.sequence);
            (at, &one.job.op, one.queue, one.sequence)
        });
        let admitted =
            batch.iter().zip(&decided).enumerate().filter_map(|(at, (job, decided))| match decided {
                Decided::Admitted(Admitted { queue, sequence, after: _ }) => {
                    Some((Culprit::One(at), &job.op, *queue, *sequence))
                }
                Decided::Answer(_) | Decided::Appended { .. } => None,
            });
        let mut unwritten = 0_u64;
        for (at, op, queue, sequence) in waiting.chain(admitted) {
            if !self.work.waits(queue, sequence) {
                continue;
            }
            if self.work.is_hurried(queue, sequence) && !only_frees {
                self.work.write(queue, sequence, op).map_err(|error| Failure { at, error })?;
            } else {
                unwritten = unwritten.saturating_add(cost(op));
            }
        }
        // Nothing is lost by a reader that hears of it before the disk does: its sender was told nothing.
        for (job, decided) in batch.iter_mut().zip(&decided) {
            if let Decided::Admitted(admitted) = *decided
                && self.work.waits(admitted.queue, admitted.sequence)
            {
                tell_admitted(job, admitted);
            }
        }
        self.work.commit(unwritten)?;
        self.log_holds_something = true;
        if only_frees {
            // For these there is no room, and nobody acknowledged them yet.
            self.give_up(|_| true, &Answer::Full);
            // The reserve is looked for again soon, also under a load that never rests: it may have been a moment's want of room.
            self.late = self.late.or_else(|| clock::monotonic().checked_add(TRY_AGAIN));
        }
        Ok(decided)
    }

    /// Takes back a transaction that failed, and what was remembered of it. What waited goes on waiting.
    fn undo(&mut self) {
        // Some errors end the transaction by themselves.
        let undone = self.conn.is_autocommit() || self.work.statements.rollback.execute([]).is_ok();
        if !undone {
            self.work.distrust();
        }
        if !undone || self.work.reload().is_err() {
            tracing::error!("a failed commit could not be undone");
            // Where they were to go is not known any more: none of them is stored, and their senders try again.
            return core::mem::take(&mut self.waiting)
                .into_iter()
                .for_each(|one| tell(one.job.done, Answer::Failed));
        }
        for one in core::mem::take(&mut self.waiting) {
            if self.work.readmit(one.queue, one.sequence, &one.job.op, cost(&one.job.op)) {
                self.waiting.push_back(one);
            } else {
                tell(one.job.done, Answer::Failed);
            }
        }
    }

    /// Destroys the keys of days that are over, now that the file says so.
    fn destroy_keys(&mut self) {
        if !self.conn.is_autocommit() || self.work.destroy_keys().is_err() {
            tracing::error!(
                "the keys of days that are over could not be destroyed: tried again with the next expiry"
            );
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
    pub(super) fn empty_log(&mut self) {
        // If a reader holds it or the disk fails, it is tried again, at the next rest or a little later.
        self.log_holds_something = !self.work.statements.empty_log();
        let later = clock::monotonic().checked_add(TRY_AGAIN);
        self.late = later.filter(|_| self.log_holds_something);
        self.reserve.restore();
    }
}

pub(super) fn tell_admitted(job: &mut Job, Admitted { queue, sequence, after }: Admitted) {
    if let Op::Append { envelope, .. } = &job.op {
        let envelope = envelope.clone();
        tell_early(&mut job.done, Answer::Admitted { queue, sequence, after, envelope });
    }
}

/// What an append is told in the end.
fn appended(op: Op, queue: QueueRef, sequence: u64) -> Answer {
    // Only an append is decided so.
    let Op::Append { envelope, .. } = op else { return Answer::Failed };
    Answer::Appended { queue, sequence, envelope }
}

/// What a message counts against the cap.
fn cost(op: &Op) -> u64 {
    if let Op::Append { envelope, .. } = op { Cost::message(envelope.bucket().size()) } else { 0 }
}
