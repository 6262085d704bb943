//! How the writer gathers what it carries out and commits together.
//!
//! A message that can be admitted is admitted and pushed at once; what must be written waits for the batch. Where many are
//! on their way, the writer waits a moment for more of their acknowledgements: one commit for all of them is less work.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::Job;
use super::passing::GRACE;
use super::work::Decided;
use super::writer::{MOST_WAITING, Writer, tell_admitted};
use crate::clock;
use crate::queue::Op;

/// Operations that are looked at between two looks at the clock, at the most.
const BATCH: usize = 1_024;
/// Messages that go in one commit, but for the last operation: each may have a page of its own written over, and others wait behind
/// it. A full queue has a quarter of them.
const GOING: usize = 1_024;
/// So many messages on their way make it worth while to wait for more of their acknowledgements.
const CROWD: usize = 32;
/// For how long at the most.
const LINGER: Duration = Duration::from_micros(500);
/// Between two looks meanwhile.
const NAP: Duration = Duration::from_micros(100);
/// So long nothing must come before the log is emptied for rest.
const REST: Duration = Duration::from_millis(500);

/// What is carried out and committed together.
struct Batch {
    jobs: Vec<Job>,
    only_acknowledges: bool,
    /// Messages that they let go, at the most: those of two operations on one queue are counted twice.
    going: usize,
}

impl Writer<'_> {
    /// Waits for operations to be carried out: all that are there, up to a batch; none if what waits must be written first.
    /// None when no more can come and nothing waits.
    pub(super) fn gather(&mut self, jobs: &Receiver<Job>) -> Option<Vec<Job>> {
        loop {
            let Some(first) = self.first(jobs)? else { return Some(Vec::new()) };
            let batch = self.batch(first, jobs);
            // Where all were admitted, nothing is to be committed; but who knocks without end must not keep from the disk what
            // its reader does not acknowledge.
            if !batch.is_empty() || self.is_overdue() || !self.end() {
                return Some(batch);
            }
        }
    }

    /// Whether a message waited for its reader for as long as it may.
    fn is_overdue(&self) -> bool {
        self.waiting.front().is_some_and(|oldest| oldest.since.elapsed() >= GRACE)
    }

    /// Waits for an operation. The inner one is none if what waits must be written first.
    fn first(&mut self, jobs: &Receiver<Job>) -> Option<Option<Job>> {
        if let Some(oldest) = self.waiting.front() {
            return match jobs.recv_timeout(GRACE.saturating_sub(oldest.since.elapsed())) {
                Ok(job) => Some(Some(job)),
                Err(RecvTimeoutError::Timeout) => Some(None),
                Err(RecvTimeoutError::Disconnected) => {
                    self.closing = true;
                    Some(None)
                }
            };
        }
        if self.log_holds_something {
            match jobs.recv_timeout(REST) {
                Err(RecvTimeoutError::Timeout) => self.empty_log(),
                other => return other.ok().map(Some),
            }
        }
        jobs.recv().ok().map(Some)
    }

    fn batch(&mut self, first: Job, jobs: &Receiver<Job>) -> Vec<Job> {
        let mut batch = Batch { jobs: Vec::new(), only_acknowledges: true, going: 0 };
        self.take(first, &mut batch);
        let until = clock::monotonic().checked_add(LINGER);
        loop {
            // Counted with those that are admitted, or more of them than are carried out would never end it.
            for _ in 1..BATCH {
                if batch.going >= GOING {
                    return batch.jobs;
                }
                match jobs.try_recv() {
                    Ok(job) => self.take(job, &mut batch),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            if !self.may_linger(&batch) || until.is_none_or(|until| clock::monotonic() >= until) {
                return batch.jobs;
            }
            std::thread::sleep(NAP);
        }
    }

    /// Whether more acknowledgements are to be expected in a moment than have come: then one commit for all of them is
    /// less work, and what is admitted meanwhile does not wait for it.
    fn may_linger(&self, batch: &Batch) -> bool {
        batch.only_acknowledges
            && (1..BATCH).contains(&batch.jobs.len())
            && self.waiting.len().saturating_sub(batch.going) >= CROWD.max(batch.going)
    }

    /// Admits a message at once if it can be: it need not wait for a commit of others. All else joins the batch, and so
    /// does a message behind anything but acknowledgements, whose order it might change.
    fn take(&mut self, mut job: Job, batch: &mut Batch) {
        let acknowledges = matches!(job.op, Op::Acknowledge { .. });
        if batch.only_acknowledges && !acknowledges && self.reserve.is_held() {
            self.work.room = MOST_WAITING.saturating_sub(self.waiting.len());
            // A row that can't be read fails again in the batch, and there it is looked after.
            if self.open()
                && let Ok(Some(decided)) = self.work.admit(&job.op)
            {
                if let Decided::Admitted(admitted) = decided {
                    tell_admitted(&mut job, admitted);
                }
                return self.tell(job, decided);
            }
        }
        batch.going = batch.going.saturating_add(self.going(&job.op));
        batch.only_acknowledges &= acknowledges;
        batch.jobs.push(job);
    }

    /// How many messages an operation lets go. None where that can't be read: it fails then, or is the deletion of a damaged queue.
    fn going(&mut self, op: &Op) -> usize {
        let (queue, upto) = if let Op::Acknowledge { queue, upto, now: _ } = op {
            (*queue, *upto)
        } else if let Op::DeleteQueue { queue } = op {
            (*queue, u64::MAX)
        } else {
            return 0;
        };
        if !self.open() || self.work.lets_nothing_go(queue, upto).is_ok_and(|nothing| nothing) {
            return 0;
        }
        match self.work.cache.queue(queue, &mut self.work.statements) {
            Ok(Some(held)) => held.places.partition_point(|place| place.sequence <= upto),
            Ok(None) | Err(_) => 0,
        }
    }

    /// Sees to it that our transaction is open. Whether it is.
    fn open(&mut self) -> bool {
        // Some errors end a transaction by themselves.
        self.opened &= !self.conn.is_autocommit();
        self.opened = self.opened || self.work.begin().is_ok();
        self.opened
    }

    /// Ends a transaction in which nothing was written. Whether it has ended.
    fn end(&mut self) -> bool {
        let ended = self.conn.is_autocommit() || self.work.statements.rollback.execute([]).is_ok();
        self.opened &= !ended;
        ended
    }
}
