//! How queues, messages and the keys of days end (rules Q9, Q13, Q15), inside the writer's transaction.

use beresta_proto::time::Timestamp;

use super::OpenError;
use super::row;
use super::schema::int;
use super::work::{Work, settle};
use crate::queue::rules::{self, Cost, Hour};
use crate::queue::{Answer, QueueRef};

/// Remembered ids of a queue that go in one commit with it, at the most: others wait behind it.
const GO_ALONG: usize = 2_000;
/// Rows that go in one commit on a full disk: each may have a page of its own written, and of the log there is only as much as the
/// reserve was.
const STEP_WHEN_TIGHT: usize = 100;

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

    /// Deletes queues that ended, until so many rows went. How many did.
    fn expire_queues(&mut self, now: Timestamp, limit: usize) -> rusqlite::Result<usize> {
        let today = rules::day(now);
        let missed = rules::missed(self.swept, today);
        if missed > 0 {
            self.statements.postpone.execute([missed])?;
        }
        self.swept = Some(today);
        // All ends are midnights: one look through the queues is enough for a day.
        if self.queues_swept == self.swept {
            return Ok(0);
        }
        // A clock that was ahead may be right again, whether a sweep saw it or not.
        self.statements.shorten.execute([rules::queue_ends(now).0])?;
        let most = int(limit as u64);
        let ended = self.statements.ended_queues.query_map([Hour::down(now).0, most], |row| row.get(0))?;
        let ended: Vec<i64> = ended.collect::<Result<_, _>>()?;
        let mut rows = 0_usize;
        for queue in ended {
            if rows < limit {
                rows = rows.saturating_add(self.forget(QueueRef(queue))?.unwrap_or(0));
            }
        }
        if rows < limit {
            self.queues_swept = self.swept;
        }
        Ok(rows)
    }

    /// Destroys the keys of days that an expiry found over, and that was committed.
    pub(super) fn destroy_keys(&mut self) -> Result<(), OpenError> {
        self.keys.destroy(&mut self.statements)
    }

    pub(super) fn expire(&mut self, now: Timestamp, limit: usize) -> rusqlite::Result<Answer> {
        let limit = if self.tight { limit.min(STEP_WHEN_TIGHT) } else { limit };
        let queues = self.expire_queues(now, limit)?;
        let statements = &mut self.statements;
        self.keys.turn(rules::day(now), statements)?;
        let (hour, most) = (Hour::down(now).0, int(limit as u64));
        let tombstones = self.graves.expire(Hour(hour), limit, statements)?;
        self.used = self.used.saturating_sub(Cost::TOMBSTONE.saturating_mul(tombstones as u64));
        // Few enough to need no limit.
        let credits = statements.expire_credits.execute([hour])?;
        let handed = statements.expire_handed.execute([hour, most])?;
        let blobs = statements.expire_blobs.execute([hour, most])?;
        self.used = self.used.saturating_sub(Cost::BLOB.saturating_mul(blobs as u64));

        let ended = statements.ended_messages.query_map([row::first_after(Hour(hour)), most], |row| {
            Ok((QueueRef(row.get(1)?), row.get::<_, i64>(2)?.unsigned_abs(), row.get(0)?))
        })?;
        let mut ended: Vec<(QueueRef, u64, i64)> = ended.collect::<Result<_, _>>()?;
        ended.sort_unstable();
        let ends = rules::tombstone_ends(now);
        let mut drained = Vec::new();
        // Queue by queue: what is remembered of one may be forgotten when the next is read.
        for group in ended.chunk_by(|one, next| one.0 == next.0) {
            let Some((queue, _, _)) = group.first() else { continue };
            let held = match self.cache.queue(*queue, statements) {
                Ok(Some(held)) => held,
                Ok(None) => continue,
                Err(error) if is_damage(&error) => {
                    group
                        .iter()
                        .try_for_each(|(_, _, id)| statements.delete_message.execute([id]).map(drop))?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (_, sequence, id) in group {
                statements.delete_message.execute([id])?;
                let Ok(at) = held.places.binary_search_by_key(sequence, |place| place.sequence) else {
                    continue;
                };
                let Some(place) = held.places.remove(at) else { continue };
                self.graves.bury(ends, *queue, place.name);
                held.fill.remove(place.bucket.size());
                self.used = self.used.saturating_sub(Cost::message(place.bucket.size()));
                self.used = self.used.saturating_add(Cost::TOMBSTONE);
            }
            if settle(*queue, held, statements)? {
                drained.push(*queue);
            }
        }
        let kinds = [queues, tombstones, handed, blobs, ended.len()];
        let deleted = kinds.into_iter().sum::<usize>().saturating_add(credits);
        let more = kinds.into_iter().any(|kind| kind >= limit);
        Ok(Answer::Expired { deleted, drained, more })
    }
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
