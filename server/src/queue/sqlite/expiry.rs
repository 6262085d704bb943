//! How queues, messages and the keys of days end (rules Q9, Q13, Q15), inside the writer's transaction.

use std::collections::BTreeSet;

use beresta_proto::time::Timestamp;
use rusqlite::{ErrorCode, ffi};

use super::OpenError;
use super::row;
use super::schema::int;
use super::work::{Work, settle};
use crate::queue::rules::{self, Cost, Hour};
use crate::queue::{Answer, QueueRef};

/// Queues that are looked at in one commit: a few megabytes of the file, and others wait behind it.
const LOOK: usize = 4_096;
/// Remembered ids of a queue that go in one commit with it, at the most: others wait behind it.
const GO_ALONG: usize = 2_000;
/// Rows that go in one commit on a full disk: each may have a page of its own written, and of the log there is only as much as the
/// reserve was.
const STEP_WHEN_TIGHT: usize = 100;

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Queues,
    Ids,
    Credits,
    Handed,
    Blobs,
    Messages,
    Lost,
}

/// How far the look through all queues has come. All ends of queues are midnights: one look is enough for a day.
#[derive(Debug, Default)]
pub(super) struct Look {
    day: Option<i64>,
    /// The first queue that it has not come to; none where it is over.
    next: Option<i64>,
    /// The two as of the last commit. A step that fails must not send the look back to its beginning: on a full disk there are such
    /// without end.
    committed: (Option<i64>, Option<i64>),
    /// Kinds in which a page of the file was found damaged. They are left out for the day: what ended of the others, and
    /// above all the keys of days, must go all the same.
    damaged: BTreeSet<Kind>,
    left_out: Option<i64>,
}

impl Look {
    /// What it found came about.
    pub(super) const fn settle(&mut self) {
        self.committed = (self.day, self.next);
    }

    /// What it found since the last commit did not.
    pub(super) const fn go_back(&mut self) {
        (self.day, self.next) = self.committed;
    }
}

impl Work<'_> {
    /// Deletes a queue. How many rows went, if it was there. What is remembered of it may go later: nobody can ask for it.
    pub(super) fn forget(&mut self, queue: QueueRef) -> rusqlite::Result<Option<usize>> {
        let statements = &mut self.statements;
        let (waiting, messages) = match self.cache.queue(queue, statements) {
            Ok(None) => return Ok(None),
            Ok(Some(held)) => {
                let costs = held.places.iter().map(|place| Cost::message(place.bucket.size()));
                (held.places.len(), costs.sum())
            }
            Err(error) if is_damage(&error) => (0, 0),
            Err(error) => return Err(error),
        };
        statements.delete_upto.execute([queue.0, i64::MAX])?;
        let tombstones = self.graves.forget(queue, GO_ALONG, statements)?;
        statements.delete_counter.execute([queue.0])?;
        statements.delete_queue.execute([queue.0])?;
        let cost = Cost::TOMBSTONE.saturating_mul(tombstones as u64).saturating_add(messages + Cost::QUEUE);
        self.used = self.used.saturating_sub(cost);
        self.cache.remove(queue);
        self.quick.remove(&queue);
        Ok(Some(1 + waiting + tombstones))
    }

    /// Deletes queues that ended, until so many rows went or so many were looked at. How many rows did.
    fn expire_queues(&mut self, now: Timestamp, limit: usize, slice: usize) -> rusqlite::Result<usize> {
        let Some(from) = self.look.next else { return Ok(0) };
        let (over, latest) = (rules::counted(now, self.missed).0, rules::queue_ends(now, self.missed).0);
        let most = int(slice as u64);
        let queues =
            self.statements.queues_from.query_map([from, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let queues: Vec<(i64, i64)> = queues.collect::<Result<_, _>>()?;
        self.look.next = None;
        let mut rows = 0_usize;
        for (looked, (queue, ends)) in (1..).zip(&queues) {
            if *ends <= over {
                rows = rows.saturating_add(self.forget(QueueRef(*queue))?.unwrap_or(0));
            } else if *ends > latest {
                // A clock that was ahead may be right again, whether a sweep saw it or not.
                self.statements.renew.execute([*queue, latest])?;
            }
            if rows >= limit || looked == slice {
                self.look.next = queue.checked_add(1);
                break;
            }
        }
        Ok(rows)
    }

    /// Destroys the keys of days that an expiry found over, and that was committed.
    pub(super) fn destroy_keys(&mut self) -> Result<(), OpenError> {
        self.keys.destroy(&mut self.statements)
    }

    /// Begins the day if it is a new one.
    fn turn_day(&mut self, today: i64) {
        self.missed = self.missed.saturating_add(rules::missed(self.swept, today));
        if self.look.day != Some(today) {
            (self.look.day, self.look.next) = (Some(today), Some(i64::MIN));
        }
        if self.look.left_out != Some(today) {
            self.look.left_out = Some(today);
            self.look.damaged.clear();
        }
        self.swept = Some(today);
    }

    /// Ends one kind, if none of it was found damaged today.
    fn end<T: Default>(
        &mut self,
        kind: Kind,
        end: impl FnOnce(&mut Self) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        if self.look.damaged.contains(&kind) {
            return Ok(T::default());
        }
        end(self).inspect_err(|error| {
            if is_damage(error) || is_unreadable(error) {
                tracing::error!("the queues' file is damaged: some of what ended can't be deleted");
                self.look.damaged.insert(kind);
            }
        })
    }

    pub(super) fn expire(&mut self, now: Timestamp, limit: usize) -> rusqlite::Result<Answer> {
        let (limit, slice) =
            if self.tight { (limit.min(STEP_WHEN_TIGHT), STEP_WHEN_TIGHT) } else { (limit, LOOK) };
        let today = rules::day(now);
        self.turn_day(today);
        self.keys.turn(today, &mut self.statements)?;
        let hour = Hour::down(now);
        // One number for all that ends: others wait behind each step, whatever it is made of.
        let mut left = limit;
        let queues = self.end(Kind::Queues, |work| work.expire_queues(now, left, slice))?;
        left = left.saturating_sub(queues);
        let ids = self.end(Kind::Ids, |work| work.graves.expire(hour, left, &mut work.statements))?;
        self.used = self.used.saturating_sub(Cost::TOMBSTONE.saturating_mul(ids as u64));
        left = left.saturating_sub(ids);
        // Few enough to need no limit.
        let credits = self.end(Kind::Credits, |work| work.statements.expire_credits.execute([hour.0]))?;
        let most = int(left as u64);
        let handed = self.end(Kind::Handed, |work| work.statements.expire_handed.execute([hour.0, most]))?;
        left = left.saturating_sub(handed);
        let most = int(left as u64);
        let blobs = self.end(Kind::Blobs, |work| work.statements.expire_blobs.execute([hour.0, most]))?;
        self.used = self.used.saturating_sub(Cost::BLOB.saturating_mul(blobs as u64));
        left = left.saturating_sub(blobs);
        let (messages, mut drained) = self.end(Kind::Messages, |work| work.expire_messages(now, left))?;
        left = left.saturating_sub(messages);
        let (lost, too, unseen) = self.end(Kind::Lost, |work| work.expire_lost(today, left))?;
        drained.extend(too);
        let looks = self.look.next.is_some() && !self.look.damaged.contains(&Kind::Queues);
        let more = looks || left == 0 || unseen;
        let deleted = [queues, ids, credits, handed, blobs, messages, lost].into_iter().sum();
        Ok(Answer::Expired { deleted, drained, more })
    }

    /// Deletes messages that ended, at most so many. How many, and which queues drained by it.
    fn expire_messages(&mut self, now: Timestamp, limit: usize) -> rusqlite::Result<(usize, Vec<QueueRef>)> {
        let statements = &mut self.statements;
        let ended = statements
            .ended_messages
            .query_map([row::first_after(Hour::down(now)), int(limit as u64)], |row| {
                Ok((QueueRef(row.get(1)?), row.get::<_, i64>(2)?.unsigned_abs(), row.get(0)?))
            })?;
        let ended: Vec<(QueueRef, u64, i64)> = ended.collect::<Result<_, _>>()?;
        let count = ended.len();
        Ok((count, self.end_messages(ended, Some(rules::tombstone_ends(now)))?))
    }

    /// Deletes messages, by their queues, places and rows. Until when their ids are remembered, if they are. Which queues drained.
    pub(super) fn end_messages(
        &mut self,
        mut ended: Vec<(QueueRef, u64, i64)>,
        remembered: Option<Hour>,
    ) -> rusqlite::Result<Vec<QueueRef>> {
        let statements = &mut self.statements;
        ended.sort_unstable();
        let mut drained = Vec::new();
        // Queue by queue: what is remembered of one may be forgotten when the next is read.
        for group in ended.chunk_by(|one, next| one.0 == next.0) {
            let Some((queue, _, _)) = group.first() else { continue };
            let held = match self.cache.queue(*queue, statements) {
                Ok(held) => held,
                Err(error) if is_damage(&error) => None,
                Err(error) => return Err(error),
            };
            group.iter().try_for_each(|(_, _, id)| statements.delete_message.execute([id]).map(drop))?;
            let Some(held) = held else { continue };
            for (_, sequence, _) in group {
                let Ok(at) = held.places.binary_search_by_key(sequence, |place| place.sequence) else {
                    continue;
                };
                let Some(place) = held.places.remove(at) else { continue };
                held.fill.remove(place.bucket.size());
                self.used = self.used.saturating_sub(Cost::message(place.bucket.size()));
                if let Some(ends) = remembered {
                    self.graves.bury(ends, *queue, place.name);
                    self.used = self.used.saturating_add(Cost::TOMBSTONE);
                }
            }
            if settle(*queue, held, statements)? {
                drained.push(*queue);
            }
        }
        Ok(drained)
    }
}

/// Whether a page could not be read, or is not what SQLite writes. Nothing more can be written in this transaction.
pub(super) fn is_unreadable(error: &rusqlite::Error) -> bool {
    const READS: [i32; 2] = [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ];
    error
        .sqlite_error()
        .is_some_and(|error| error.code == ErrorCode::DatabaseCorrupt || READS.contains(&error.extended_code))
}

/// Whether a row says what no row of ours can. What ended goes all the same, or one bad row would keep the rest for ever;
/// what the queue took stays counted as used.
const fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, InvalidQuery,
    };
    matches!(
        error,
        InvalidQuery | FromSqlConversionFailure(..) | InvalidColumnType(..) | IntegralValueOutOfRange(..)
    )
}

#[cfg(test)]
mod tests;
