//! How a message comes in (rules Q3, Q5, Q10, Q14): inside the writer's transaction, or without one if nothing is to be
//! written for it yet.

use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::key::CapabilityHash;
use beresta_proto::time::{Timestamp, TtlClass};
use rusqlite::OptionalExtension as _;

use super::cache::{Place, Queue};
use super::passing::{hurry, write};
use super::statements::Statements;
use super::work::{Decided, Work, set_counter};
use crate::clock;
use crate::queue::intake::Grows;
use crate::queue::rules::{self, Append, Cost, Hour};
use crate::queue::{Answer, MessageName, Op, QueueRef, SendName};

/// Places of a queue that are set aside at once: a row is written for one message of so many.
const STRIDE: u64 = 64;

/// A message that has its place.
#[derive(Clone, Copy)]
pub(super) struct Admitted {
    pub(super) queue: QueueRef,
    pub(super) sequence: u64,
    /// The place of the one before it that waits, or 0.
    pub(super) after: u64,
}

/// What stands in the way of a message.
enum Found {
    /// There is no such queue, or no right to send to it.
    Gone,
    /// It came before. Where the first is, if that waits.
    Repeated { queue: QueueRef, first: Option<Place> },
    /// The relay is full.
    Full,
    /// The queue is.
    QueueFull(QueueRef),
    /// Nothing.
    Room(Room),
}

/// How a message goes to its reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It need not be written at once: its reader is quick, and is pushed it.
    Passes,
    /// It is written at once, and pushed.
    IsPushed,
    /// It is written at once, and perhaps fetched later: nothing behind it passes as long as it is there.
    MayBeFetched,
}

/// Where a message fits.
struct Room {
    queue: QueueRef,
    /// When its id is forgotten, which is over, and still there.
    tombstone: Option<Hour>,
    /// Bytes that it counts against the cap.
    cost: u64,
}

impl Work<'_> {
    /// Admits a message without a commit: nothing is written for it, because its reader is quick and its place is set
    /// aside. Whoever has no right to send is told so at once, too, and holds nobody up. None where something must be
    /// written or is to be refused for another reason.
    pub(super) fn admit(&mut self, op: &Op) -> rusqlite::Result<Option<Decided>> {
        let Op::Append { send, capability, message, ttl: _, envelope, now } = op else { return Ok(None) };
        let bucket = envelope.bucket();
        let Room { queue, cost, .. } = match self.find(send, capability, *message, bucket, *now)? {
            Found::Gone => return Ok(Some(Decided::Answer(Answer::Gone))),
            Found::Room(room) if room.tombstone.is_none() => room,
            Found::Repeated { .. } | Found::Full | Found::QueueFull(_) | Found::Room(_) => return Ok(None),
        };
        if self.way(queue, bucket)? != Way::Passes {
            return Ok(None);
        }
        let admitted = self.place(queue, i64::from_be_bytes(message.0), bucket, cost, false)?;
        Ok(admitted.map(Decided::Admitted))
    }

    /// What stands in the way of a message.
    fn find(
        &mut self,
        send: &SendName,
        shown: &CapabilityHash,
        name: MessageName,
        bucket: Bucket,
        now: Timestamp,
    ) -> rusqlite::Result<Found> {
        let Some(queue) = self.sends_to(send, shown)? else { return Ok(Found::Gone) };
        let weight = self.weight(Grows::Message(bucket));
        let Some(held) = self.cache.queue(queue, &mut self.statements)? else { return Ok(Found::Gone) };

        let name = i64::from_be_bytes(name.0);
        let waiting = held.places.iter().find(|place| place.name == name);
        let tombstone = match waiting {
            Some(_) => None,
            None => self.graves.find(queue, name, &mut self.statements)?,
        };
        let known = waiting.is_some() || tombstone.is_some_and(|ends| !ends.is_over(now));
        let remembered = self.graves.count(queue, &mut self.statements)?;
        Ok(match rules::append(known, (&held.fill, remembered), bucket.size(), weight, self.cap) {
            // What is said now of the repeat must be true of the first (rule Q10).
            Append::Repeated => Found::Repeated { queue, first: waiting.copied() },
            Append::Full => Found::Full,
            Append::QueueFull => Found::QueueFull(queue),
            Append::Store { cost } => Found::Room(Room { queue, tombstone, cost }),
        })
    }

    /// The queue to which somebody may send. Who has no right to is answered after one look into the file, whether there is
    /// such a queue or not (rule Q3), and whether others wrote to it lately or not; who had it lately is known.
    fn sends_to(&mut self, send: &SendName, shown: &CapabilityHash) -> rusqlite::Result<Option<QueueRef>> {
        if let Some((queue, kept)) = self.cache.by_send(send)
            && rules::may_send(Some(&kept), shown)
        {
            return Ok(Some(queue));
        }
        let found = self.statements.queue_by_send.query_row([&send.0], |row| Ok((row.get(0)?, row.get(1)?)));
        let (queue, kept) = found.optional()?.map(|(id, kept)| (QueueRef(id), CapabilityHash(kept))).unzip();
        if !rules::may_send(kept.as_ref(), shown) {
            return Ok(None);
        }
        if let Some(queue) = queue
            && self.cache.queue(queue, &mut self.statements)?.is_some()
        {
            self.cache.learn(*send, queue, *shown);
        }
        Ok(queue)
    }

    /// How the next message of a queue goes.
    fn way(&mut self, queue: QueueRef, bucket: Bucket) -> rusqlite::Result<Way> {
        let (room, quick) = (self.room > 0, self.quick.contains(&queue));
        let held = self.cache.queue(queue, &mut self.statements)?;
        Ok(match held.filter(|held| quick && held.is_pushed_at_once(bucket)) {
            None => Way::MayBeFetched,
            // Its place is told before it is stored, so it must not be given again after a crash (rule Q14).
            Some(held) if room && held.last < held.durably => Way::Passes,
            Some(_) => Way::IsPushed,
        })
    }

    /// Gives the next place of a queue to a message.
    fn place(
        &mut self,
        queue: QueueRef,
        name: i64,
        bucket: Bucket,
        cost: u64,
        stored: bool,
    ) -> rusqlite::Result<Option<Admitted>> {
        let Some(held) = self.cache.queue(queue, &mut self.statements)? else { return Ok(None) };
        let after = held.places.back().map_or(0, |place| place.sequence);
        let sequence = held.last.saturating_add(1);
        held.last = sequence;
        held.fill.add(bucket.size());
        held.places.push_back(Place { sequence, name, bucket, stored });
        held.appended = Some(clock::monotonic());
        self.used = self.used.saturating_add(cost);
        self.cache.grew();
        if !stored {
            self.room = self.room.saturating_sub(1);
        }
        Ok(Some(Admitted { queue, sequence, after }))
    }

    /// Takes a message in, inside the transaction.
    pub(super) fn append(
        &mut self,
        send: &SendName,
        shown: &CapabilityHash,
        name: MessageName,
        ttl: TtlClass,
        envelope: &Envelope,
        now: Timestamp,
    ) -> rusqlite::Result<Decided> {
        let bucket = envelope.bucket();
        let mut found = self.find(send, shown, name, bucket, now)?;
        // What no key opens has ended (rule Q15), though its row is there: nobody would get it.
        if let Found::Repeated { queue, first: Some(first) } = found
            && first.stored
            && let Some(lost) = self.lost_row(queue, first, now)?
        {
            if self.tight {
                return Ok(Decided::Answer(Answer::Full));
            }
            self.drop_row(lost, queue, first.sequence)?;
            found = self.find(send, shown, name, bucket, now)?;
        }
        let Room { queue, tombstone, cost } = match found {
            Found::Gone => return Ok(Decided::Answer(Answer::Gone)),
            Found::Repeated { queue, first } => {
                if let Some(first) = first.filter(|first| !first.stored) {
                    if self.tight {
                        return Ok(Decided::Answer(Answer::Full));
                    }
                    hurry(&mut self.hurried, queue, first.sequence);
                }
                return Ok(Decided::Answer(Answer::Repeated));
            }
            Found::Full => return Ok(Decided::Answer(Answer::Full)),
            Found::QueueFull(queue) => {
                self.mark_full(queue)?;
                return Ok(Decided::Answer(Answer::QueueFull));
            }
            Found::Room(room) => room,
        };
        let name = i64::from_be_bytes(name.0);
        if let Some(ends) = tombstone {
            self.graves.unbury(ends, queue, name, &mut self.statements)?;
            self.used = self.used.saturating_sub(Cost::TOMBSTONE);
        }
        let way = self.way(queue, bucket)?;
        let passes = way == Way::Passes;
        let gone = || Decided::Answer(Answer::Gone);
        let Some(held) = self.cache.queue(queue, &mut self.statements)? else { return Ok(gone()) };
        let sequence = held.last.saturating_add(1);
        if sequence > held.reserved {
            set_aside(queue, held, &mut self.statements, &mut self.risen)?;
        }
        if way == Way::MayBeFetched {
            held.behind = sequence;
        }
        if !passes {
            let ends = rules::message_ends(ttl, now);
            if held.places.iter().any(|place| !place.stored) {
                hurry(&mut self.hurried, queue, sequence);
            }
            write(ends, queue, sequence, name, envelope, &mut self.keys, &mut self.statements)?;
        }
        let placed = self.place(queue, name, bucket, cost, !passes)?;
        Ok(placed.map_or_else(gone, |admitted| {
            if passes { Decided::Admitted(admitted) } else { Decided::Appended { queue, sequence } }
        }))
    }

    /// Written once, so that knocking at a full queue costs no disk.
    fn mark_full(&mut self, queue: QueueRef) -> rusqlite::Result<()> {
        match self.cache.queue(queue, &mut self.statements)? {
            Some(held) if !held.fill.was_full => {
                held.fill.was_full = true;
                set_counter(queue, held, &mut self.statements)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Sets places of a queue aside before they run out, in a transaction that writes anyhow: a message that finds none
    /// can't be admitted without one. Only for who may be admitted at all, and once in half a stride.
    pub(super) fn set_aside_early(&mut self, queue: QueueRef) -> rusqlite::Result<()> {
        if !self.quick.contains(&queue) {
            return Ok(());
        }
        match self.cache.queue(queue, &mut self.statements)? {
            Some(held) if held.reserved.saturating_sub(held.last) < STRIDE / 2 => {
                set_aside(queue, held, &mut self.statements, &mut self.risen)
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Sets the next places of a queue aside.
fn set_aside(
    queue: QueueRef,
    held: &mut Queue,
    statements: &mut Statements<'_>,
    risen: &mut Vec<QueueRef>,
) -> rusqlite::Result<()> {
    held.reserved = held.last.saturating_add(STRIDE);
    risen.push(queue);
    set_counter(queue, held, statements)
}
