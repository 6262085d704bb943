//! What no key opens any more: all that waited when a volatile relay ended, and what lies in a file whose keys went. It is
//! dropped when the file is opened, as if it had ended, so that it takes no room; where that fails, on a full disk say, with
//! the sweeps. Its id is not remembered: who sends it again delivers it, whether it was dropped yet or not.

use beresta_proto::envelope::Bucket;
use beresta_proto::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Statement, params};

use super::cache::Place;
use super::day::{self, DayKeys, Looked};
use super::row;
use super::schema::int;
use super::seal::Row;
use super::statements::Statements;
use super::work::{Work, set_counter};
use crate::queue::QueueRef;
use crate::queue::rules::{Cost, Hour};

/// Rows in one transaction: the log holds what is overwritten.
const STEP: i64 = 1_000;
/// Messages that a sweep looks at in one step: each is opened, which takes up to 40 µs, and others wait.
const LOOK: usize = 1_000;

const NEXT_MESSAGE: &str = "SELECT min(id) FROM message WHERE id >= ?1";
const MESSAGES: &str = "SELECT id, queue, sequence, bucket FROM message
    WHERE id >= ?1 AND id < ?2 AND (day IS NOT NULL OR ?3) ORDER BY id LIMIT ?4";
// Its place is not given again (rule Q14).
const KEEP_PLACE: &str = "INSERT INTO counter (queue, last, was_full) VALUES (?1, ?2, 0)
    ON CONFLICT (queue) DO UPDATE SET last = max(last, excluded.last)";
const BLOBS: &str = "DELETE FROM blob WHERE name IN
    (SELECT name FROM blob WHERE ends = ?1 AND (day IS NOT NULL OR ?2) LIMIT ?3)";

/// Drops it. Whether there was anything. With keys in memory only, also what an earlier version stored as it came.
pub(super) fn drop_lost(conn: &Connection, keys: &mut DayKeys) -> rusqlite::Result<bool> {
    let all = keys.are_volatile();
    let mut lost = false;
    let mut next_message = conn.prepare(NEXT_MESSAGE)?;
    let (mut from, mut days) = (i64::MIN, Vec::new());
    while let Some(first) = next(&mut next_message, from)? {
        let day = day::of(row::ends(first));
        from = row::first_of(day::first_hour(day.saturating_add(1))).max(first.saturating_add(1));
        if all || !keys.has(day) {
            keys.lost.insert(day, Looked::NOT);
            days.push((day, first, from));
        }
    }
    for (day, first, behind) in days {
        lost |= drop_messages(conn, first, behind, all)?;
        if next(&mut next_message, first)?.is_some_and(|left| left < behind) {
            adopt(conn, keys, day)?;
        }
        keys.lost.remove(&day);
    }
    let ends: Vec<i64> = conn
        .prepare("SELECT DISTINCT ends FROM blob")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for ends in ends.into_iter().filter(|ends| all || !keys.has(day::of(Hour(*ends)))) {
        lost |= drop_blobs(conn, ends, all)?;
    }
    Ok(lost)
}

fn next(statement: &mut Statement<'_>, from: i64) -> rusqlite::Result<Option<i64>> {
    statement.query_row([from], |row| row.get(0))
}

/// What an earlier version stored goes on. With a key its day is not looked through at every start; without one, nothing is
/// lost but time.
fn adopt(conn: &Connection, keys: &mut DayKeys, day: i64) -> rusqlite::Result<()> {
    let tx = conn.unchecked_transaction()?;
    let named = keys.name(day, &mut Statements::prepare(conn)?);
    if named.is_ok() { tx.commit() } else { tx.rollback() }
}

fn drop_messages(conn: &Connection, first: i64, behind: i64, all: bool) -> rusqlite::Result<bool> {
    let mut from = first;
    loop {
        let tx = conn.unchecked_transaction()?;
        let found: Vec<(i64, i64, i64, u8)> = tx
            .prepare(MESSAGES)?
            .query_map(params![from, behind, all, STEP], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<Result<_, _>>()?;
        let Some((last, ..)) = found.last() else { return Ok(from > first) };
        from = last.saturating_add(1);
        let mut freed = 0_u64;
        for (id, queue, sequence, bucket) in &found {
            tx.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([id])?;
            tx.prepare_cached(KEEP_PLACE)?.execute([queue, sequence])?;
            let size = Bucket::from_code(*bucket).map_or(0, Bucket::size);
            freed = freed.saturating_add(Cost::message(size));
        }
        free(&tx, freed)?;
        tx.commit()?;
    }
}

fn drop_blobs(conn: &Connection, ends: i64, all: bool) -> rusqlite::Result<bool> {
    let mut lost = false;
    loop {
        let tx = conn.unchecked_transaction()?;
        let gone = tx.execute(BLOBS, params![ends, all, STEP])?;
        if gone == 0 {
            return Ok(lost);
        }
        free(&tx, Cost::BLOB.saturating_mul(gone as u64))?;
        tx.commit()?;
        lost = true;
    }
}

/// So much less counts against the cap.
fn free(conn: &Connection, bytes: u64) -> rusqlite::Result<()> {
    conn.execute("UPDATE held SET used = max(0, used - ?1)", [int(bytes)]).map(drop)
}

impl Work<'_> {
    /// Drops messages that could not be dropped before, or whose day lost its key since: at most so many. How many, which queues
    /// drained by it, and whether more are to be looked at. A day may have a fresh key by now, and what lies under that stays.
    pub(super) fn expire_lost(
        &mut self,
        today: i64,
        most: usize,
    ) -> rusqlite::Result<(usize, Vec<QueueRef>, bool)> {
        let days: Vec<(i64, i64)> = self.keys.lost.iter().map(|(day, looked)| (*day, looked.next)).collect();
        let (mut lost, mut looks, mut more) = (Vec::new(), LOOK, false);
        for (day, next) in days {
            // What ended by itself is remembered.
            let left = if day < today { None } else { self.look_at(day, next, most, &mut looks, &mut lost)? };
            if let Some(left) = left {
                if let Some(looked) = self.keys.lost.get_mut(&day) {
                    looked.next = left;
                }
                more = true;
                break;
            }
            self.keys.cleared.insert(day);
        }
        let count = lost.len();
        Ok((count, self.end_messages(lost, None)?, more))
    }

    /// Looks at messages that end on a day, from a row on, for such as no key opens: until there are so many, or so many were looked
    /// at. The row that it has not come to.
    fn look_at(
        &mut self,
        day: i64,
        from: i64,
        most: usize,
        looks: &mut usize,
        lost: &mut Vec<(QueueRef, u64, i64)>,
    ) -> rusqlite::Result<Option<i64>> {
        let [first, behind] = [day, day.saturating_add(1)].map(|day| row::first_of(day::first_hour(day)));
        let ring = self.keys.ring();
        let mut rows = self.statements.between.query([first.max(from), behind])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            if lost.len() >= most || *looks == 0 {
                return Ok(Some(id));
            }
            *looks = looks.saturating_sub(1);
            let (queue, sequence) = (QueueRef(row.get(1)?), row.get::<_, i64>(2)?.unsigned_abs());
            let place = Row::Message { queue, sequence, name: row.get(3)? };
            if ring.open(row.get(4)?, place, row.get(5)?).is_none() {
                lost.push((queue, sequence, id));
            }
        }
        Ok(None)
    }

    /// The row of a message that is stored, if no key opens it. Not of one that ended by itself, whose day's key goes before it: it
    /// may have been delivered (rule Q5).
    pub(super) fn lost_row(
        &mut self,
        queue: QueueRef,
        place: Place,
        now: Timestamp,
    ) -> rusqlite::Result<Option<i64>> {
        let Place { sequence, name, bucket: _, stored: _ } = place;
        let kept = self
            .statements
            .of_place
            .query_row([queue.0, int(sequence), name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let kept: Option<(i64, _, _)> = kept.optional()?;
        let Some((id, day, body)) = kept.filter(|(id, ..)| !row::ends(*id).is_over(now)) else {
            return Ok(None);
        };
        let opened = self.keys.ring().open(day, Row::Message { queue, sequence, name }, body);
        Ok(opened.is_none().then_some(id))
    }

    /// Drops it, so that who sends it again delivers it.
    pub(super) fn drop_row(&mut self, id: i64, queue: QueueRef, sequence: u64) -> rusqlite::Result<()> {
        self.statements.delete_message.execute([id])?;
        if let Some(place) = self.cache.withdraw(queue, sequence) {
            self.used = self.used.saturating_sub(Cost::message(place.bucket.size()));
        }
        match self.cache.queue(queue, &mut self.statements)? {
            // Its place is not given again (rule Q14).
            Some(held) if held.reserved < held.last => set_counter(queue, held, &mut self.statements),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
