//! The remembered ids of messages that are gone (rule Q5), by the midnight at which they are forgotten. A few midnights are
//! ahead at any time, and the writer knows which, so that to look for an id takes one look for each.
//!
//! The latest lie together in one row, and move from there together: one by one, each would have a page written for itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::schema::int;
use super::statements::Statements;
use crate::queue::QueueRef;
use crate::queue::rules::Hour;

/// So many of the latest move together. Their row fits into a page.
const FRESH: usize = 1_024;
/// Queues whose ids are counted. Beyond it they are counted again.
const COUNTED: usize = 65_536;
/// Bytes of one of them.
const KEY: usize = 24;

/// Where ids are remembered. Must be read again whenever a commit fails: some may not have come about.
#[derive(Default)]
pub(super) struct Graves {
    midnights: BTreeSet<i64>,
    fresh: BTreeMap<(i64, i64), Hour>,
    /// How many there are of a queue, where that was asked for.
    counts: HashMap<QueueRef, usize>,
    /// Queues that are gone, and of which more is remembered than went with them.
    leaving: Vec<QueueRef>,
    /// The row of the latest is not what it should be.
    changed: bool,
    /// They are to move, however few.
    moves: bool,
}

impl Graves {
    /// Reads from the file which midnights there are, and the latest ids.
    pub(super) fn read(statements: &mut Statements<'_>) -> rusqlite::Result<Self> {
        let mut midnights = BTreeSet::new();
        let mut last = i64::MIN;
        while let Some(next) =
            statements.next_midnight.query_row([last], |row| row.get::<_, Option<i64>>(0))?
        {
            midnights.insert(next);
            last = next;
        }
        let keys: Vec<u8> = statements.fresh.query_row([], |row| row.get(0))?;
        let (keys, rest) = keys.as_chunks::<KEY>();
        if !rest.is_empty() {
            return Err(rusqlite::Error::InvalidQuery);
        }
        let fresh = keys.iter().map(decode).collect();
        Ok(Self { midnights, fresh, ..Self::default() })
    }

    /// How many ids are remembered of a queue, those too that ended and were not swept.
    pub(super) fn count(
        &mut self,
        queue: QueueRef,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<usize> {
        if let Some(count) = self.counts.get(&queue) {
            return Ok(*count);
        }
        let mut count = self.fresh.range((queue.0, i64::MIN)..=(queue.0, i64::MAX)).count();
        for ends in &self.midnights {
            let buried: i64 = statements.count_buried.query_row([*ends, queue.0], |row| row.get(0))?;
            count = count.saturating_add(usize::try_from(buried).unwrap_or_default());
        }
        if self.counts.len() >= COUNTED {
            self.counts.clear();
        }
        self.counts.insert(queue, count);
        Ok(count)
    }

    /// Until when an id is remembered, perhaps until a midnight that is over and was not swept yet.
    pub(super) fn find(
        &self,
        queue: QueueRef,
        name: i64,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<Option<Hour>> {
        if let Some(ends) = self.fresh.get(&(queue.0, name)) {
            return Ok(Some(*ends));
        }
        for ends in &self.midnights {
            if statements.is_buried.query_row([*ends, queue.0, name], |row| row.get(0))? {
                return Ok(Some(Hour(*ends)));
            }
        }
        Ok(None)
    }

    /// Remembers an id that is not remembered.
    pub(super) fn bury(&mut self, ends: Hour, queue: QueueRef, name: i64) {
        if self.fresh.insert((queue.0, name), ends).is_none()
            && let Some(count) = self.counts.get_mut(&queue)
        {
            *count = count.saturating_add(1);
        }
        self.changed = true;
    }

    /// Forgets an id that is remembered until `ends`.
    pub(super) fn unbury(
        &mut self,
        ends: Hour,
        queue: QueueRef,
        name: i64,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<()> {
        one_less(&mut self.counts, queue);
        if self.fresh.remove(&(queue.0, name)).is_some() {
            self.changed = true;
            return Ok(());
        }
        statements.unbury.execute([ends.0, queue.0, name]).map(drop)
    }

    /// Writes what changed of the latest, or moves them to the others if they are many. Before every commit.
    pub(super) fn settle(&mut self, statements: &mut Statements<'_>) -> rusqlite::Result<()> {
        if self.fresh.len() >= FRESH || self.moves {
            self.moves = false;
            for ((queue, name), ends) in core::mem::take(&mut self.fresh) {
                self.midnights.insert(ends.0);
                statements.bury.execute([ends.0, queue, name])?;
            }
        }
        if self.changed {
            let keys: Vec<[u8; KEY]> = self.fresh.iter().map(|(key, ends)| encode(*key, *ends)).collect();
            statements.set_fresh.execute([keys.as_flattened()])?;
            self.changed = false;
        }
        Ok(())
    }

    /// Forgets all of a queue that goes: at most so many now, and the rest with what ends next. After a restart, or a commit
    /// that failed, the rest goes at its own end. How many now.
    pub(super) fn forget(
        &mut self,
        queue: QueueRef,
        most: usize,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<usize> {
        self.counts.remove(&queue);
        let before = self.fresh.len();
        self.fresh.retain(|(one, _), _| *one != queue.0);
        let fresh = before.saturating_sub(self.fresh.len());
        self.changed |= fresh > 0;
        let gone = self.delete(queue, most, statements)?;
        if gone >= most {
            self.leaving.push(queue);
        }
        Ok(gone.saturating_add(fresh))
    }

    fn delete(
        &self,
        queue: QueueRef,
        most: usize,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<usize> {
        let mut gone = 0_usize;
        for ends in &self.midnights {
            let rest = int(most.saturating_sub(gone) as u64);
            gone = gone.saturating_add(statements.delete_tombstones.execute([*ends, queue.0, rest])?);
        }
        Ok(gone)
    }

    /// Forgets what ended by `hour` or with its queue, at most so many. How many did.
    pub(super) fn expire(
        &mut self,
        hour: Hour,
        most: usize,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<usize> {
        let mut fresh = 0_usize;
        self.fresh.retain(|(queue, _), ends| {
            let goes = ends.0 <= hour.0 && fresh < most;
            fresh = fresh.saturating_add(usize::from(goes));
            if goes {
                one_less(&mut self.counts, QueueRef(*queue));
            }
            !goes
        });
        // That they are among the latest tells when they came: no longer than from one sweep to the next.
        (self.changed, self.moves) = (true, true);
        let mut gone = 0_usize;
        while let Some(queue) = self.leaving.last().copied() {
            let rest = most.saturating_sub(fresh).saturating_sub(gone);
            let left = self.delete(queue, rest, statements)?;
            gone = gone.saturating_add(left);
            if left >= rest {
                return Ok(gone.saturating_add(fresh));
            }
            self.leaving.pop();
        }
        let rest = most.saturating_sub(fresh).saturating_sub(gone);
        let mut ended = 0_usize;
        let mut rows = statements.expire_tombstones.query([hour.0, int(rest as u64)])?;
        while let Some(row) = rows.next()? {
            one_less(&mut self.counts, QueueRef(row.get(0)?));
            ended = ended.saturating_add(1);
        }
        if ended < rest {
            self.midnights.retain(|ends| *ends > hour.0);
        }
        Ok(ended.saturating_add(gone).saturating_add(fresh))
    }
}

fn one_less(counts: &mut HashMap<QueueRef, usize>, queue: QueueRef) {
    if let Some(count) = counts.get_mut(&queue) {
        *count = count.saturating_sub(1);
    }
}

fn encode((queue, name): (i64, i64), ends: Hour) -> [u8; KEY] {
    let mut key = [0; KEY];
    for (place, number) in key.as_chunks_mut::<8>().0.iter_mut().zip([queue, name, ends.0]) {
        *place = number.to_be_bytes();
    }
    key
}

fn decode(key: &[u8; KEY]) -> ((i64, i64), Hour) {
    let mut numbers = key.as_chunks::<8>().0.iter().map(|number| i64::from_be_bytes(*number));
    let mut next = || numbers.next().unwrap_or_default();
    ((next(), next()), Hour(next()))
}
