//! Messages on their way through: admitted, pushed, and written only if their reader does not acknowledge them at once
//! (rule Q14).

use std::collections::HashMap;
use std::time::Duration;

use beresta_proto::envelope::Envelope;
use rusqlite::params;

use super::cache::Place;
use super::day::{self, DayKeys};
use super::row;
use super::schema::int;
use super::seal::Row;
use super::statements::Statements;
use super::work::{Work, set_counter};
use crate::queue::rules::{self, Cost, Hour};
use crate::queue::{Op, QueueRef};

/// For how long a message may wait in memory for its reader's acknowledgement before it is stored. Its sender waits for the
/// answer meanwhile, in vain once for each time that a reader went away.
pub(super) const GRACE: Duration = Duration::from_millis(250);
/// Queues that are remembered as quick. Beyond it they are forgotten, and become quick again.
const QUICK: usize = 65_536;

impl Work<'_> {
    /// Whether a message that was admitted is neither written nor gone.
    pub(super) fn waits(&self, queue: QueueRef, sequence: u64) -> bool {
        self.cache.place(queue, sequence).is_some_and(|place| !place.stored)
    }

    /// Whether it must be written with this transaction.
    pub(super) fn is_hurried(&self, queue: QueueRef, sequence: u64) -> bool {
        self.hurried.get(&queue).is_some_and(|upto| sequence <= *upto)
    }

    /// Has all of a queue written with this transaction, up to a message whose reader was not quick.
    pub(super) fn overdue(&mut self, queue: QueueRef, sequence: u64) {
        self.quick.remove(&queue);
        hurry(&mut self.hurried, queue, sequence);
    }

    /// Writes a message that was admitted by `op`.
    pub(super) fn write(&mut self, queue: QueueRef, sequence: u64, op: &Op) -> rusqlite::Result<()> {
        let Op::Append { message, ttl, envelope, now, send: _, capability: _ } = op else { return Ok(()) };
        let name = i64::from_be_bytes(message.0);
        let ends = rules::message_ends(*ttl, *now);
        write(ends, queue, sequence, name, envelope, &mut self.keys, &mut self.statements)?;
        if let Some(place) = self.cache.place_mut(queue, sequence) {
            place.stored = true;
        }
        Ok(())
    }

    /// Has a message wait again, after a transaction of others failed. False if its queue can't be read, or is gone.
    pub(super) fn readmit(&mut self, queue: QueueRef, sequence: u64, op: &Op, cost: u64) -> bool {
        let Op::Append { message, envelope, send: _, capability: _, ttl: _, now: _ } = op else {
            return false;
        };
        let Ok(Some(held)) = self.cache.queue(queue, &mut self.statements) else { return false };
        let (name, bucket) = (i64::from_be_bytes(message.0), envelope.bucket());
        held.places.push_back(Place { sequence, name, bucket, stored: false });
        held.last = held.last.max(sequence);
        held.fill.add(bucket.size());
        self.used = self.used.saturating_add(cost);
        true
    }

    /// Takes a message back that waits.
    pub(super) fn withdraw(&mut self, queue: QueueRef, sequence: u64) {
        if let Some(place) = self.cache.withdraw(queue, sequence) {
            self.used = self.used.saturating_sub(Cost::message(place.bucket.size()));
        }
    }

    /// Gives back the places that were set aside and not given, because nothing more comes.
    pub(super) fn give_back(&mut self) -> rusqlite::Result<()> {
        self.begin()?;
        for (queue, held) in self.cache.remembered().filter(|(_, held)| held.reserved > held.last) {
            held.reserved = held.last;
            set_counter(queue, held, &mut self.statements)?;
        }
        self.commit(0)
    }

    /// Takes the reader of a queue for one who is there, and quick.
    pub(super) fn mark_quick(&mut self, queue: QueueRef) {
        if self.quick.len() >= QUICK {
            self.quick.clear();
        }
        self.quick.insert(queue);
    }
}

/// Has what was admitted to a queue written with this transaction, up to a place.
pub(super) fn hurry(hurried: &mut HashMap<QueueRef, u64>, queue: QueueRef, upto: u64) {
    let place = hurried.entry(queue).or_insert(upto);
    *place = upto.max(*place);
}

/// Puts a message's row into the file, sealed, at the next free key.
pub(super) fn write(
    ends: Hour,
    queue: QueueRef,
    sequence: u64,
    name: i64,
    envelope: &Envelope,
    keys: &mut DayKeys,
    statements: &mut Statements<'_>,
) -> rusqlite::Result<()> {
    let (place, code, day) = (int(sequence), envelope.bucket().code(), day::of(ends));
    let sealed = keys.seal(day, Row::Message { queue, sequence, name }, envelope.as_bytes(), statements)?;
    let mut key = row::key(ends, queue, name);
    while statements.append.execute(params![key, queue.0, place, name, code, sealed, day])? == 0 {
        key = key.saturating_add(1);
    }
    Ok(())
}
