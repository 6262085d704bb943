//! What each changing operation does to queues and messages, inside the writer's transaction. An error means that the
//! whole transaction is to be rolled back. Blobs are in [`super::blobs`].

use beresta_proto::envelope::Envelope;
use beresta_proto::key::{CapabilityHash, VerifyingKey};
use beresta_proto::time::{Timestamp, TtlClass};
use rusqlite::{OptionalExtension as _, Statement, params};

use super::cache::{Cache, Place, Queue};
use super::graves::Graves;
use super::row;
use super::schema::{int, most_pages};
use super::statements::Statements;
use crate::queue::rules::{self, Append, Cap, Cost, Hour};
use crate::queue::{Answer, MessageName, Op, QueueRef, ReadName, SendName};

/// What will be answered, once it is durable.
pub(super) enum Decided {
    /// This.
    Answer(Answer),
    /// [`Answer::Appended`], with the operation's envelope.
    Appended { queue: QueueRef, sequence: u64 },
}

/// The writer's statements and what it remembers.
pub(super) struct Work<'c> {
    pub(super) statements: Statements<'c>,
    pub(super) cache: Cache,
    graves: Graves,
    pub(super) cap: Cap,
    /// Bytes that count against the cap.
    pub(super) used: u64,
    /// The day of the last sweep.
    pub(super) swept: Option<i64>,
    /// The day on which no queue is left that ended.
    queues_swept: Option<i64>,
    /// The two, as the file has them.
    committed: (u64, Option<i64>),
    /// The file has as many pages as it may have.
    crowded: bool,
}

impl<'c> Work<'c> {
    /// Begins with what the file says.
    pub(super) fn new(statements: Statements<'c>, cap: Cap) -> rusqlite::Result<Self> {
        let mut work = Self {
            statements,
            cache: Cache::default(),
            graves: Graves::default(),
            cap,
            used: 0,
            swept: None,
            queues_swept: None,
            committed: (0, None),
            crowded: false,
        };
        work.reload()?;
        Ok(work)
    }

    /// Forgets all that a transaction changed which did not come about.
    pub(super) fn reload(&mut self) -> rusqlite::Result<()> {
        self.cache.forget();
        self.graves = Graves::read(&mut self.statements)?;
        let held = self.statements.held.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
        self.committed = (held.0.unsigned_abs(), held.1);
        (self.used, self.swept) = self.committed;
        self.queues_swept = None;
        Ok(())
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.statements.begin.execute([])?;
        self.crowded = self.pages()? > int(most_pages(self.cap));
        Ok(())
    }

    /// Pages in use.
    pub(super) fn pages(&mut self) -> rusqlite::Result<i64> {
        let count = |statement: &mut Statement<'_>| statement.query_row([], |row| row.get::<_, i64>(0));
        Ok(count(&mut self.statements.pages)?.saturating_sub(count(&mut self.statements.free_pages)?))
    }

    /// What counts against the cap when something new is to be stored: all that there can be, if the file has got too
    /// large.
    pub(super) const fn weight(&self) -> u64 {
        if self.crowded { u64::MAX } else { self.used }
    }

    /// Makes a transaction durable.
    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        let held = (self.used, self.swept);
        if held != self.committed {
            self.statements.set_held.execute(params![int(self.used), self.swept])?;
        }
        self.statements.commit.execute([])?;
        self.committed = held;
        Ok(())
    }

    /// Carries one operation out.
    pub(super) fn carry_out(&mut self, op: &Op) -> rusqlite::Result<Decided> {
        let answer = match op {
            Op::Append { send, capability, message, ttl, envelope, now } => {
                return self.append(send, capability, *message, *ttl, envelope, *now);
            }
            Op::MakeQueue { read, send, read_key, capability, now } => {
                self.make(read, send, read_key, capability, *now)
            }
            Op::Renew { queues, now } => self.renew(queues, *now),
            Op::Acknowledge { queue, upto, now } => self.acknowledge(*queue, *upto, *now),
            Op::DeleteQueue { queue } => {
                self.forget(*queue).map(|gone| gone.map_or(Answer::Gone, |_| Answer::Done))
            }
            Op::PutBlob { blob, owner, hours, sealed, now } => {
                self.put_blob(blob, owner, *hours, sealed, *now)
            }
            Op::ClaimBlob { blob, claimant, now } => self.claim_blob(blob, claimant, *now),
            Op::DeleteBlob { blob, owner, now } => self.delete_blob(blob, owner, *now),
            Op::Expire { now, limit } => self.expire(*now, *limit),
            // Never sent to the writer.
            Op::Find { .. } | Op::FindSend { .. } | Op::Fetch { .. } | Op::FindBlob { .. } | Op::Stats => {
                Ok(Answer::Failed)
            }
        };
        answer.map(Decided::Answer)
    }

    fn make(
        &mut self,
        read: &ReadName,
        send: &SendName,
        key: &VerifyingKey,
        capability: &CapabilityHash,
        now: Timestamp,
    ) -> rusqlite::Result<Answer> {
        let queue = rules::queue_ref(read);
        if self.statements.queue_exists.query_row(params![queue.0, send.0], |row| row.get(0))? {
            return Ok(Answer::Exists);
        }
        if !self.cap.admits_new(self.weight(), Cost::QUEUE) {
            return Ok(Answer::Full);
        }
        let ends = rules::new_queue_ends(now);
        self.statements.make_queue.execute(params![queue.0, read.0, send.0, key.0, capability.0, ends.0])?;
        self.used = self.used.saturating_add(Cost::QUEUE);
        Ok(Answer::Made(queue))
    }

    /// Writes once in a stretch for each queue; else it costs a look.
    fn renew(&mut self, queues: &[QueueRef], now: Timestamp) -> rusqlite::Result<Answer> {
        let ends = rules::queue_ends(now);
        for queue in queues {
            self.statements.renew.execute([queue.0, ends.0])?;
        }
        Ok(Answer::Done)
    }

    fn append(
        &mut self,
        send: &SendName,
        shown: &CapabilityHash,
        name: MessageName,
        ttl: TtlClass,
        envelope: &Envelope,
        now: Timestamp,
    ) -> rusqlite::Result<Decided> {
        // Rule Q3: this one look into the file is all that is done for whoever has no right to send.
        let found = self.statements.queue_by_send.query_row([&send.0], |row| Ok((row.get(0)?, row.get(1)?)));
        let (queue, kept) = found.optional()?.map(|(id, kept)| (QueueRef(id), CapabilityHash(kept))).unzip();
        if !rules::may_send(kept.as_ref(), shown) {
            return Ok(Decided::Answer(Answer::Gone));
        }
        let weight = self.weight();
        let Some(queue) = queue else { return Ok(Decided::Answer(Answer::Gone)) };
        let Some(held) = self.cache.queue(queue, &mut self.statements)? else {
            return Ok(Decided::Answer(Answer::Gone));
        };

        let name = i64::from_be_bytes(name.0);
        let waits = held.places.iter().any(|place| place.name == name);
        let tombstone = if waits { None } else { self.graves.find(queue, name, &mut self.statements)? };
        let known = waits || tombstone.is_some_and(|ends| !ends.is_over(now));
        let bucket = envelope.bucket();
        match rules::append(known, &held.fill, bucket.size(), weight, self.cap) {
            Append::Repeated => Ok(Decided::Answer(Answer::Repeated)),
            Append::Full => Ok(Decided::Answer(Answer::Full)),
            Append::QueueFull => {
                // Written once, so that knocking at a full queue costs no disk.
                if !held.fill.was_full {
                    held.fill.was_full = true;
                    self.statements.set_counter.execute(params![queue.0, int(held.last), true])?;
                }
                Ok(Decided::Answer(Answer::QueueFull))
            }
            Append::Store { cost } => {
                if let Some(ends) = tombstone {
                    self.statements.unbury.execute([ends.0, queue.0, name])?;
                    self.used = self.used.saturating_sub(Cost::TOMBSTONE);
                }
                let sequence = held.last.saturating_add(1);
                let mut id = row::key(rules::message_ends(ttl, now), queue, name);
                let (place, code) = (int(sequence), bucket.code());
                while self.statements.append.execute(params![
                    id,
                    queue.0,
                    place,
                    name,
                    code,
                    envelope.as_bytes()
                ])? == 0
                {
                    id = id.saturating_add(1);
                }
                held.last = sequence;
                held.fill.add(bucket.size());
                held.places.push_back(Place { sequence, name, bucket });
                self.used = self.used.saturating_add(cost);
                self.cache.grew();
                Ok(Decided::Appended { queue, sequence })
            }
        }
    }

    fn acknowledge(&mut self, queue: QueueRef, upto: u64, now: Timestamp) -> rusqlite::Result<Answer> {
        let statements = &mut self.statements;
        let Some(held) = self.cache.queue(queue, statements)? else { return Ok(Answer::Gone) };
        let going = held.places.partition_point(|place| place.sequence <= upto);
        if going == 0 {
            return Ok(Answer::Acknowledged { deleted: 0, drained: settle(queue, held, false, statements)? });
        }
        statements.delete_upto.execute([queue.0, int(upto)])?;
        let ends = rules::tombstone_ends(now);
        for place in held.places.drain(..going) {
            self.graves.bury(ends, queue, place.name, statements)?;
            held.fill.remove(place.bucket.size());
            self.used = self.used.saturating_sub(Cost::message(place.bucket.size()));
            self.used = self.used.saturating_add(Cost::TOMBSTONE);
        }
        Ok(Answer::Acknowledged { deleted: going, drained: settle(queue, held, true, statements)? })
    }

    /// Deletes a queue. How many rows went, if it was there.
    fn forget(&mut self, queue: QueueRef) -> rusqlite::Result<Option<usize>> {
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
        let tombstones = self.graves.forget(queue, statements)?;
        statements.delete_counter.execute([queue.0])?;
        statements.delete_queue.execute([queue.0])?;
        let cost = Cost::TOMBSTONE.saturating_mul(tombstones as u64).saturating_add(messages + Cost::QUEUE);
        self.used = self.used.saturating_sub(cost);
        self.cache.remove(queue);
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

    fn expire(&mut self, now: Timestamp, limit: usize) -> rusqlite::Result<Answer> {
        let queues = self.expire_queues(now, limit)?;
        let statements = &mut self.statements;
        let (hour, most) = (Hour::down(now).0, int(limit as u64));
        let tombstones = self.graves.expire(Hour(hour), most, statements)?;
        self.used = self.used.saturating_sub(Cost::TOMBSTONE.saturating_mul(tombstones as u64));
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
                self.graves.bury(ends, *queue, place.name, statements)?;
                held.fill.remove(place.bucket.size());
                self.used = self.used.saturating_sub(Cost::message(place.bucket.size()));
                self.used = self.used.saturating_add(Cost::TOMBSTONE);
            }
            if settle(*queue, held, true, statements)? {
                drained.push(*queue);
            }
        }
        let kinds = [queues, tombstones, blobs, ended.len()];
        let more = kinds.into_iter().any(|kind| kind >= limit);
        Ok(Answer::Expired { deleted: kinds.into_iter().sum(), drained, more })
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

/// After messages went: keeps the last sequence number where no waiting message does, and takes the mark off a queue
/// that drained. Whether it did.
fn settle(
    queue: QueueRef,
    held: &mut Queue,
    went: bool,
    statements: &mut Statements<'_>,
) -> rusqlite::Result<bool> {
    let drained = held.fill.is_drained();
    held.fill.was_full &= !drained;
    let shown = held.places.back().map_or(0, |place| place.sequence);
    if drained || (went && shown < held.last) {
        statements.set_counter.execute(params![queue.0, int(held.last), held.fill.was_full])?;
    }
    Ok(drained)
}
