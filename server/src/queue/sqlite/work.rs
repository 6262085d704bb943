//! What each changing operation does to queues and messages, inside the writer's transaction. An error means that the
//! whole transaction is to be rolled back. Blobs are in [`super::blobs`], ends in [`super::expiry`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use beresta_proto::key::{CapabilityHash, VerifyingKey};
use beresta_proto::time::Timestamp;
use rusqlite::{Row, Statement, params};

use super::append::Admitted;
use super::cache::{Cache, Queue};
use super::day::DayKeys;
use super::expiry::Look;
use super::graves::Graves;
use super::passing::GRACE;
use super::room::Watch;
use super::schema::{PAGE, int, most_pages};
use super::statements::Statements;
use crate::clock;
use crate::queue::intake::Grows;
use crate::queue::rules::{self, Cap, Cost, Felt};
use crate::queue::{Answer, CreditName, Health, Op, QueueRef, ReadName, SendName};

/// What will be answered, once it is durable.
pub(super) enum Decided {
    /// This.
    Answer(Answer),
    /// [`Answer::Appended`], with the operation's envelope.
    Appended { queue: QueueRef, sequence: u64 },
    /// The same, but nothing is written yet: its reader may be quick.
    Admitted(Admitted),
}

/// The writer's statements and what it remembers.
pub(super) struct Work<'c> {
    pub(super) statements: Statements<'c>,
    pub(super) cache: Cache,
    pub(super) graves: Graves,
    pub(super) keys: DayKeys,
    pub(super) cap: Cap,
    /// Queues whose reader acknowledges at once, as far as is known.
    pub(super) quick: HashSet<QueueRef>,
    /// How many more messages may be admitted and not written.
    pub(super) room: usize,
    /// What was admitted and is to be written with this transaction, up to a place of each queue: in order, for a reader
    /// that fetches what is behind it acknowledges what is before it.
    pub(super) hurried: HashMap<QueueRef, u64>,
    /// Queues that set places aside in this transaction.
    pub(super) risen: Vec<QueueRef>,
    /// Bytes that count against the cap.
    pub(super) used: u64,
    felt: Felt,
    /// The day of the last sweep.
    pub(super) swept: Option<i64>,
    /// Hours that did not count for queues.
    pub(super) missed: i64,
    pub(super) look: Look,
    /// The three numbers before it, as the file has them.
    committed: (u64, Option<i64>, i64),
    /// The file has as many pages as it may have.
    crowded: bool,
    /// The disk is full, and the reserve given up: nothing may be stored, and what goes must go in small steps.
    pub(super) tight: bool,
    /// What is remembered here is not what the file says: a failed transaction could not be forgotten.
    stale: bool,
    watch: Watch,
    health: Arc<Health>,
}

impl<'c> Work<'c> {
    /// Begins with what the file says.
    pub(super) fn new(
        statements: Statements<'c>,
        cap: Cap,
        keys: DayKeys,
        (watch, health): (Watch, Arc<Health>),
    ) -> rusqlite::Result<Self> {
        let mut work = Self {
            statements,
            cache: Cache::default(),
            graves: Graves::default(),
            keys,
            cap,
            quick: HashSet::new(),
            room: 0,
            hurried: HashMap::new(),
            risen: Vec::new(),
            used: 0,
            felt: Felt::default(),
            swept: None,
            missed: 0,
            look: Look::default(),
            committed: (0, None, 0),
            crowded: false,
            tight: false,
            stale: false,
            watch,
            health,
        };
        work.reload()?;
        Ok(work)
    }

    /// Forgets all that a transaction changed which did not come about.
    pub(super) fn reload(&mut self) -> rusqlite::Result<()> {
        self.stale = true;
        self.cache.clear();
        self.hurried.clear();
        self.risen.clear();
        self.graves = Graves::read(&mut self.statements)?;
        self.keys.reload(&mut self.statements)?;
        let held = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?, row.get(2)?));
        self.committed = self.statements.held.query_row([], held)?;
        (self.used, self.swept, self.missed) = self.committed;
        self.look.go_back();
        self.stale = false;
        Ok(())
    }

    /// What is remembered here is not to be gone by.
    pub(super) const fn distrust(&mut self) {
        self.stale = true;
    }

    /// Begins a transaction; of what could not be forgotten of one before, forgets it first.
    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        if self.stale {
            self.reload()?;
        }
        let pages = self.pages()?;
        self.crowded = pages > int(most_pages(self.cap));
        let felt = self.felt.follow(self.used, self.cap);
        let (watch, statements) = (&mut self.watch, &mut self.statements);
        let live = pages.unsigned_abs().saturating_mul(PAGE);
        // Before the transaction, within which the log can't be emptied.
        let intake = watch.look(live, felt, || {
            statements.empty_log();
        });
        self.health.takes(intake);
        self.statements.begin.execute([])?;
        Ok(())
    }

    /// Pages in use.
    pub(super) fn pages(&mut self) -> rusqlite::Result<i64> {
        let count = |statement: &mut Statement<'_>| statement.query_row([], |row| row.get::<_, i64>(0));
        Ok(count(&mut self.statements.pages)?.saturating_sub(count(&mut self.statements.free_pages)?))
    }

    /// What counts against the cap when something is to be stored: all that there can be, if the file has got too large
    /// or its disk too full.
    pub(super) fn weight(&mut self, grows: Grows) -> u64 {
        let felt = self.felt.follow(self.used, self.cap);
        if self.tight || self.crowded || !self.watch.admits(grows) { u64::MAX } else { felt }
    }

    /// Makes a transaction durable. `unwritten`: what counts against the cap and is in memory only.
    pub(super) fn commit(&mut self, unwritten: u64) -> rusqlite::Result<()> {
        let held = (self.used.saturating_sub(unwritten), self.swept, self.missed);
        if held != self.committed {
            self.statements.set_held.execute(params![int(held.0), held.1, held.2])?;
        }
        self.graves.settle(&mut self.statements)?;
        let begun = clock::monotonic();
        self.statements.commit.execute([])?;
        self.health.took(begun.elapsed());
        self.committed = held;
        self.look.settle();
        self.keys.settle();
        self.hurried.clear();
        for queue in self.risen.drain(..) {
            self.cache.reserved(queue);
        }
        Ok(())
    }

    /// Carries one operation out.
    pub(super) fn carry_out(&mut self, op: &Op) -> rusqlite::Result<Decided> {
        let answer = match op {
            Op::Append { send, capability, message, ttl, envelope, now } => {
                return self.append(send, capability, *message, *ttl, envelope, *now);
            }
            Op::MakeQueue { read, send, read_key, capability, credit, now } => {
                self.make((read, send), read_key, capability, credit.as_ref(), *now)
            }
            Op::Renew { queues, now } => self.renew(queues, *now),
            Op::Acknowledge { queue, upto, now } => self.acknowledge(*queue, *upto, *now),
            Op::DeleteQueue { queue } => {
                self.forget(*queue).map(|gone| gone.map_or(Answer::Gone, |_| Answer::Done))
            }
            Op::PutBlob { blob, owner, hours, sealed, payment, now } => {
                self.put_blob(blob, owner, (*hours, sealed), payment.as_ref(), *now)
            }
            Op::ClaimBlob { blob, claimant, now } => self.claim_blob(blob, claimant, *now),
            Op::DeleteBlob { blob, owner, now } => self.delete_blob(blob, owner, *now),
            Op::Grant { credit, makes, days, now } => self.grant(credit, *makes, *days, *now),
            Op::Revoke { credit } => self.revoke(*credit),
            Op::Expire { now, limit } => self.expire(*now, *limit),
            // Never sent to the writer.
            Op::Find { .. }
            | Op::FindSend { .. }
            | Op::Fetch { .. }
            | Op::FindBlob { .. }
            | Op::Credits { .. }
            | Op::Stats => Ok(Answer::Failed),
        };
        answer.map(Decided::Answer)
    }

    fn make(
        &mut self,
        (read, send): (&ReadName, &SendName),
        key: &VerifyingKey,
        capability: &CapabilityHash,
        credit: Option<&CreditName>,
        now: Timestamp,
    ) -> rusqlite::Result<Answer> {
        let queue = rules::queue_ref(read);
        if self.statements.queue_exists.query_row(params![queue.0, send.0], |row| row.get(0))? {
            return Ok(Answer::Exists);
        }
        if !self.cap.admits_new(self.weight(Grows::New), Cost::QUEUE) {
            return Ok(Answer::Full);
        }
        if !self.pay(credit, now)? {
            return Ok(Answer::NoCredit);
        }
        let ends = rules::new_queue_ends(rules::not_before(self.swept, now), self.missed).0;
        self.statements.make_queue.execute(params![queue.0, read.0, send.0, key.0, capability.0, ends])?;
        self.used = self.used.saturating_add(Cost::QUEUE);
        Ok(Answer::Made(queue))
    }

    /// Writes once in a stretch for each queue; else it costs a look. Somebody is there, and may be quick.
    fn renew(&mut self, queues: &[QueueRef], now: Timestamp) -> rusqlite::Result<Answer> {
        let ends = rules::queue_ends(rules::not_before(self.swept, now), self.missed).0;
        for queue in queues {
            self.statements.renew.execute([queue.0, ends])?;
            self.mark_quick(*queue);
        }
        Ok(Answer::Done)
    }

    /// Whether an acknowledgement lets nothing go, of a queue that is not remembered: who acknowledges nothing, in thousands of full
    /// queues, would have each read from the file.
    pub(super) fn lets_nothing_go(&mut self, queue: QueueRef, upto: u64) -> rusqlite::Result<bool> {
        if self.cache.remembers(queue) {
            return Ok(false);
        }
        self.statements.waits_upto.query_row([queue.0, int(upto)], |row| row.get(0)).map(|waits: bool| !waits)
    }

    fn acknowledge(&mut self, queue: QueueRef, upto: u64, now: Timestamp) -> rusqlite::Result<Answer> {
        if self.lets_nothing_go(queue, upto)? {
            let there = self.statements.is_queue.query_row([queue.0], |row| row.get(0))?;
            return Ok(if there {
                Answer::Acknowledged { deleted: 0, drained: false }
            } else {
                Answer::Gone
            });
        }
        let statements = &mut self.statements;
        let Some(held) = self.cache.queue(queue, statements)? else { return Ok(Answer::Gone) };
        let going = held.places.partition_point(|place| place.sequence <= upto);
        if going == 0 {
            return Ok(Answer::Acknowledged { deleted: 0, drained: settle(queue, held, statements)? });
        }
        if held.places.iter().take(going).any(|place| place.stored) {
            statements.delete_upto.execute([queue.0, int(upto)])?;
        }
        let ends = rules::tombstone_ends(now);
        for place in held.places.drain(..going) {
            self.graves.bury(ends, queue, place.name);
            held.fill.remove(place.bucket.size());
            self.used = self.used.saturating_sub(Cost::message(place.bucket.size()));
            self.used = self.used.saturating_add(Cost::TOMBSTONE);
        }
        let drained = settle(queue, held, statements)?;
        // Of a reader who has taken all: a late word for an older message says nothing about the newest.
        let quick = held.places.is_empty() && held.appended.is_some_and(|last| last.elapsed() < GRACE);
        if quick {
            self.mark_quick(queue);
        }
        self.set_aside_early(queue)?;
        Ok(Answer::Acknowledged { deleted: going, drained })
    }
}

/// No place that was given may be behind what is set aside, or it would be given again once its message is gone.
pub(super) fn set_counter(
    queue: QueueRef,
    held: &mut Queue,
    statements: &mut Statements<'_>,
) -> rusqlite::Result<()> {
    held.reserved = held.reserved.max(held.last);
    statements.set_counter.execute(params![queue.0, int(held.reserved), held.fill.was_full]).map(drop)
}

/// After messages went: takes the mark off a queue that drained, and sets its places aside that were given by an older relay.
/// Whether it drained.
pub(super) fn settle(
    queue: QueueRef,
    held: &mut Queue,
    statements: &mut Statements<'_>,
) -> rusqlite::Result<bool> {
    let drained = held.fill.is_drained();
    held.fill.was_full &= !drained;
    if drained || held.reserved < held.last {
        set_counter(queue, held, statements)?;
    }
    Ok(drained)
}
