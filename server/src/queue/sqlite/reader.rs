//! The threads that look things up. Each has a connection that can't write, and sees the last commit.

use std::sync::mpsc::Receiver;

use beresta_proto::envelope::Envelope;
use beresta_proto::key::VerifyingKey;
use beresta_proto::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Statement};

use super::day::Ring;
use super::schema::int;
use super::seal::Row;
use super::{Job, row, tell};
use crate::queue::rules::{self, Hour};
use crate::queue::{
    Answer, BlobName, CreditId, CreditRecord, Op, QueueRecord, QueueRef, ReadName, Stats, Stored,
};

struct Statements<'c> {
    find: Statement<'c>,
    last: Statement<'c>,
    find_send: Statement<'c>,
    fetch: Statement<'c>,
    is_queue: Statement<'c>,
    has_ended: Statement<'c>,
    blob_owner: Statement<'c>,
    credits: Statement<'c>,
    stats: Statement<'c>,
    ring: Ring,
}

const STATS: &str = "SELECT (SELECT count(*) FROM queue), (SELECT count(*) FROM message),
    (SELECT count(*) FROM tombstone) + (SELECT length(keys) / 24 FROM fresh_tombstones),
    (SELECT count(*) FROM blob), (SELECT count(*) FROM credit), (SELECT count(*) FROM handed_credit),
    (SELECT used FROM held), (SELECT min(id) FROM message)";

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<QueueRecord> {
    Ok(QueueRecord { queue: QueueRef(row.get(0)?), read_key: VerifyingKey(row.get(1)?), last: None })
}

/// Answers until no more can come.
pub(super) fn run(conn: &Connection, ring: Ring, jobs: &Receiver<Job>) {
    let statements = Statements::prepare(conn, ring);
    let Ok(mut statements) = statements else {
        // As the writer: the relay stops.
        tracing::error!("a reader of the queues cannot read them");
        return jobs.try_iter().for_each(|job| tell(job.done, Answer::Failed));
    };
    for Job { op, done } in jobs {
        let answer = statements.look_up(&op).unwrap_or_else(|_| {
            tracing::error!("a reader of the queues failed");
            Answer::Failed
        });
        tell(done, answer);
    }
}

impl<'c> Statements<'c> {
    fn prepare(conn: &'c Connection, ring: Ring) -> rusqlite::Result<Self> {
        Ok(Self {
            find: conn.prepare("SELECT id, read_key, read FROM queue WHERE id = ?1")?,
            last: conn.prepare("SELECT coalesce(max(sequence), 0) FROM message WHERE queue = ?1")?,
            find_send: conn.prepare("SELECT id, read_key FROM queue WHERE send = ?1")?,
            fetch: conn.prepare(
                // The sign keeps SQLite from looking through all that has not ended.
                "SELECT sequence, envelope, name, day FROM message
                 WHERE queue = ?1 AND sequence > ?2 AND +id >= ?3 ORDER BY sequence",
            )?,
            is_queue: conn.prepare("SELECT EXISTS (SELECT 1 FROM queue WHERE id = ?1)")?,
            has_ended: conn.prepare(
                "SELECT EXISTS (SELECT 1 FROM message WHERE queue = ?1 AND sequence > ?2 AND +id < ?3)",
            )?,
            blob_owner: conn.prepare("SELECT owner FROM blob WHERE name = ?1 AND ends > ?2")?,
            credits: conn.prepare("SELECT id, makes, ends FROM credit WHERE ends > ?1")?,
            stats: conn.prepare(STATS)?,
            ring,
        })
    }

    fn look_up(&mut self, op: &Op) -> rusqlite::Result<Answer> {
        match op {
            Op::Find { reads } => {
                reads.iter().map(|read| self.find(read)).collect::<Result<_, _>>().map(Answer::Found)
            }
            Op::FindSend { send } => {
                let found = self.find_send.query_row([send.0], record).optional()?;
                Ok(Answer::Found(vec![
                    found.map(|found| QueueRecord { last: self.last_of(found.queue), ..found }),
                ]))
            }
            Op::Fetch { queue, after, max_messages, max_bytes, now } => {
                self.fetch(*queue, *after, *max_messages, *max_bytes, *now)
            }
            Op::FindBlob { blob: BlobName(name), now } => {
                let mut rows = self.blob_owner.query(rusqlite::params![name, Hour::down(*now).0])?;
                Ok(match rows.next()? {
                    Some(row) => Answer::Owner(VerifyingKey(row.get(0)?)),
                    None => Answer::Gone,
                })
            }
            Op::Credits { now } => self.credits(*now),
            Op::Stats => stats(&mut self.stats).map(Answer::Stats),
            // Never sent to a reader.
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
            | Op::Expire { .. } => Ok(Answer::Failed),
        }
    }

    fn credits(&mut self, now: Timestamp) -> rusqlite::Result<Answer> {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(CreditRecord {
                id: CreditId(row.get::<_, i64>(0)?.cast_unsigned()),
                left: row.get(1)?,
                ends: Hour(row.get(2)?).begins(),
            })
        };
        let mut list: Vec<_> =
            self.credits.query_map([Hour::down(now).0], read)?.collect::<Result<_, _>>()?;
        list.sort_unstable_by_key(|one| one.id);
        Ok(Answer::Credits(list))
    }

    fn find(&mut self, read: &ReadName) -> rusqlite::Result<Option<QueueRecord>> {
        let queue = rules::queue_ref(read);
        let row = self.find.query_row([queue.0], |row| Ok((record(row)?, row.get(2)?))).optional()?;
        let found = row.filter(|(_, kept)| ReadName(*kept) == *read).map(|(record, _)| record);
        // Also where there is no such queue, or the time would tell that there is (rule Q3).
        let last = self.last_of(queue);
        Ok(found.map(|found| QueueRecord { last, ..found }))
    }

    /// The place of the last message that waits, 0 for none. Where it can't be read, the queue's fetches will say so: what is
    /// damaged of one queue must not keep a reader's others from being subscribed to.
    fn last_of(&mut self, queue: QueueRef) -> Option<u64> {
        let last = self.last.query_row([queue.0], |row| row.get::<_, i64>(0));
        if last.is_err() {
            tracing::error!("how far a queue reaches could not be read");
        }
        last.ok().map(i64::unsigned_abs)
    }

    fn fetch(
        &mut self,
        queue: QueueRef,
        after: u64,
        most: usize,
        max_bytes: usize,
        now: Timestamp,
    ) -> rusqlite::Result<Answer> {
        let mut messages = Vec::new();
        let (mut bytes, mut lost) = (0_usize, false);
        let wanted = [queue.0, int(after), row::first_after(Hour::down(now))];
        let mut rows = self.fetch.query(wanted)?;
        while messages.len() < most
            && let Some(row) = rows.next()?
        {
            let sequence = row.get::<_, i64>(0)?.unsigned_abs();
            let place = Row::Message { queue, sequence, name: row.get(2)? };
            let Some(envelope) = self.ring.open(row.get(3)?, place, row.get(1)?) else {
                lost = true;
                continue;
            };
            let envelope = Envelope::from_bytes(envelope).map_err(|_| rusqlite::Error::InvalidQuery)?;
            bytes = bytes.saturating_add(envelope.bucket().size());
            if !messages.is_empty() && bytes > max_bytes {
                break;
            }
            messages.push(Stored { sequence, envelope });
        }
        if lost {
            tracing::warn!("a message that waits has no key any more and is taken for one that ended");
        }
        if messages.is_empty() {
            if !self.is_queue.query_row([queue.0], |row| row.get(0))? {
                return Ok(Answer::Gone);
            }
            if self.has_ended.query_row(wanted, |row| row.get(0))? {
                return Ok(Answer::Ended);
            }
        }
        Ok(Answer::Messages(messages))
    }
}

/// Counts what a file holds, also one of an earlier version, which has none of some kinds.
pub(super) fn peek(conn: &Connection) -> rusqlite::Result<Stats> {
    let mut counts = STATS.to_owned();
    for table in ["credit", "handed_credit"] {
        if !conn.table_exists(None, table)? {
            counts = counts.replace(&format!("(SELECT count(*) FROM {table})"), "0");
        }
    }
    stats(&mut conn.prepare(&counts)?)
}

fn stats(statement: &mut Statement<'_>) -> rusqlite::Result<Stats> {
    statement.query_row([], |row| {
        let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(Stats {
            queues: count(0)?,
            messages: count(1)?,
            tombstones: count(2)?,
            blobs: count(3)?,
            credits: count(4)?,
            handed_credits: count(5)?,
            used: count(6)?,
            first_end: row.get::<_, Option<i64>>(7)?.map(|id| row::ends(id).begins()),
        })
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::queue::sqlite::schema;

    #[test]
    fn a_queue_that_is_not_there_costs_as_many_looks_as_one_that_is() {
        let mut conn = Connection::open_in_memory().unwrap();
        schema::migrate(&mut conn).unwrap();
        let (there, absent) = (ReadName([1; 32]), ReadName([2; 32]));
        let row = rusqlite::params![rules::queue_ref(&there).0, there.0, [0_u8; 32]];
        conn.execute("INSERT INTO queue VALUES (?1, ?2, ?3, ?3, ?3, 1)", row).unwrap();

        let mut statements = Statements::prepare(&conn, Ring::default()).unwrap();
        let mut looks = |read| {
            let found = statements.find(&read).unwrap().is_some();
            let ran = [&statements.find, &statements.last].map(|one| one.reset_status(StatementStatus::Run));
            (found, ran)
        };
        assert_eq!(looks(there), (true, [1, 1]));
        assert_eq!(looks(absent), (false, [1, 1]));
    }
}
