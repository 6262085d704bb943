//! The keys of days: what ends on a day lies in the file sealed under the day's key, which is destroyed once the day is
//! over (rule Q15). What SQLite deleted, what its log held and what a disk keeps of older pages is noise from then on.
//!
//! The seeds are in `day.keys`, and that a day has one of them is a row of `day_key`. So no key is ever written beside a
//! body that needs it: a seed was random and durable long before the transaction that gives it to a day and stores the first
//! body under it. It goes in three steps, and a crash between them leaves what the next opening finishes:
//!
//! 1. with an expiry, the row says that the day is over, and nothing is sealed or opened under its key any more;
//! 2. after that commit, a fresh seed is written over it where it lies, and flushed;
//! 3. the row is deleted, and the seed may serve another day.
//!
//! A seed that no row names may have sealed what a rolled-back transaction left in the log: an opening writes over all
//! of them, and until then it stays with its day.

mod again;
mod seeds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::{Connection, Statement, params};

pub(super) use self::again::find_again;
use self::seeds::{SLOTS, Seeds, Slot};
use super::seal::{DayKey, NoKey, Row};
use super::statements::Statements;
use super::{Keeping, OpenError};
use crate::queue::rules::Hour;

/// Days that have a key at the most after an expiry: so many are never ahead, and the latest come from a clock that stood
/// wrong. Without a bound they would take every seed.
const CROWD: usize = 96;
const DAY_HOURS: i64 = 24;
/// Every row.
pub(super) const LISTED: &str = "SELECT day, slot, proof, over FROM day_key";

/// The day with which the key goes of what ends in an hour: the day that is over by then.
pub(super) const fn of(ends: Hour) -> i64 {
    ends.0.saturating_sub(1).div_euclid(DAY_HOURS)
}

/// The first hour of a day in which something ends whose key goes with it.
pub(super) const fn first_hour(day: i64) -> Hour {
    Hour(day.saturating_mul(DAY_HOURS).saturating_add(1))
}

/// The keys of the days that are not over, as all threads see them.
#[derive(Clone, Default)]
pub(super) struct Ring(Arc<RwLock<BTreeMap<i64, DayKey>>>);

impl Ring {
    fn key(&self, day: i64) -> Option<DayKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&day).cloned()
    }

    /// Opens what lies in a row. None if there is no key for it any more: it is to be treated as if it had ended.
    pub(super) fn open(&self, day: Option<i64>, row: Row<'_>, body: Vec<u8>) -> Option<Vec<u8>> {
        match day {
            // As an earlier version stored it.
            None => Some(body),
            Some(day) => self.key(day)?.open(row, body),
        }
    }

    fn insert(&self, day: i64, key: DayKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(day, key);
    }

    fn remove(&self, day: i64) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&day);
    }
}

/// What a row of `day_key` says.
struct Listed {
    day: i64,
    slot: Slot,
    proof: Vec<u8>,
    over: bool,
}

struct Named {
    slot: Slot,
    /// A row says so. Not after a transaction that came to nothing: then the next one says it again.
    listed: bool,
}

/// How far a day was looked through: the first row to come.
#[derive(Clone, Copy)]
pub(super) struct Looked {
    pub(super) next: i64,
    /// As of the last commit: what was found since may be there still, and what was found before is gone.
    committed: i64,
}

impl Looked {
    pub(super) const NOT: Self = Self { next: i64::MIN, committed: i64::MIN };
}

/// The keys, as the writer has them.
pub(super) struct DayKeys {
    seeds: Seeds,
    ring: Ring,
    named: BTreeMap<i64, Named>,
    /// Seeds of days that are over, to be overwritten.
    over: BTreeSet<Slot>,
    /// Days on which something may end that no key opens, and that was not dropped yet.
    pub(super) lost: BTreeMap<i64, Looked>,
    /// Those of which nothing was found any more, which holds once that is committed.
    pub(super) cleared: BTreeSet<i64>,
}

impl core::fmt::Debug for DayKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { seeds: _, ring: _, named: _, over: _, lost: _, cleared: _ } = self;
        f.write_str("DayKeys(..)")
    }
}

impl DayKeys {
    /// The keys of an engine, in the file at `path` or in memory; finishes what an earlier run had begun to destroy.
    ///
    /// # Errors
    /// [`OpenError::Keys`] if the file is not the one under whose keys the rows lie.
    pub(super) fn open(conn: &Connection, path: &Path, keeping: Keeping) -> Result<Self, OpenError> {
        if keeping == Keeping::Volatile {
            // The rows first: a file that no row names is nobody's, whatever happens in between.
            conn.execute("DELETE FROM day_key", [])?;
            Seeds::destroy(path).map_err(OpenError::Io)?;
            return Ok(Self::of(Seeds::in_memory()?));
        }
        let listed = listed(&mut conn.prepare(LISTED)?)?;
        if listed.is_empty() {
            return Ok(Self::of(Seeds::make(path).map_err(OpenError::Io)?));
        }
        let mut keys = Self::of(Seeds::open(path)?);
        for Listed { day, slot, proof, over } in listed {
            if over {
                keys.over.insert(slot);
                continue;
            }
            let key = keys.seeds.key(slot).map_err(OpenError::Io)?;
            prove(&key, day, proof)?;
            keys.ring.insert(day, key);
            keys.named.insert(day, Named { slot, listed: true });
        }
        let used: BTreeSet<Slot> = keys.named.values().map(|named| named.slot).collect();
        keys.seeds.overwrite((0..SLOTS).filter(|slot| !used.contains(slot))).map_err(OpenError::Io)?;
        // A full disk must not keep a relay from what makes room: the next expiry tries again.
        match conn.execute("DELETE FROM day_key WHERE over = 1", []) {
            Ok(_) => keys.over.clear(),
            Err(_) => {
                tracing::warn!("that keys of days that are over are destroyed could not be written down")
            }
        }
        Ok(keys)
    }

    fn of(seeds: Seeds) -> Self {
        let (named, over) = (BTreeMap::new(), BTreeSet::new());
        let (lost, cleared) = (BTreeMap::new(), BTreeSet::new());
        Self { seeds, ring: Ring::default(), named, over, lost, cleared }
    }

    /// Whether they are in memory only.
    pub(super) const fn are_volatile(&self) -> bool {
        matches!(self.seeds, Seeds::Memory(_))
    }

    /// The same keys, for who opens.
    pub(super) fn ring(&self) -> Ring {
        self.ring.clone()
    }

    /// Whether there is a key for a day.
    pub(super) fn has(&self, day: i64) -> bool {
        self.named.contains_key(&day)
    }

    /// Seals a body for its row, under the key of a day. Inside a transaction.
    pub(super) fn seal(
        &mut self,
        day: i64,
        row: Row<'_>,
        body: &[u8],
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<Vec<u8>> {
        Ok(self.name(day, statements)?.seal(row, body)?)
    }

    /// The key of a day, which gets one if it has none. Inside a transaction.
    pub(super) fn name(&mut self, day: i64, statements: &mut Statements<'_>) -> rusqlite::Result<DayKey> {
        let key = match self.ring.key(day) {
            Some(key) => key,
            None => {
                let used: BTreeSet<Slot> = self.named.values().map(|named| named.slot).collect();
                let free = |slot: &Slot| !used.contains(slot) && !self.over.contains(slot);
                let slot = (0..SLOTS).find(free).ok_or(NoKey)?;
                let key = self.seeds.key(slot).map_err(|_| NoKey)?;
                self.ring.insert(day, key.clone());
                self.named.insert(day, Named { slot, listed: false });
                key
            }
        };
        let listed = !self.are_volatile();
        if let Some(named) = self.named.get_mut(&day)
            && listed
            && !named.listed
        {
            let proof = key.seal(Row::Proof { day }, &[])?;
            let slot = i64::try_from(named.slot).map_err(|_| NoKey)?;
            statements.name_day.execute(params![day, slot, proof])?;
            named.listed = true;
        }
        Ok(key)
    }

    /// Says that the days before `today` are over: nothing opens that ended with them. Inside a transaction;
    /// [`DayKeys::destroy`] follows once it is committed.
    pub(super) fn turn(&mut self, today: i64, statements: &mut Statements<'_>) -> rusqlite::Result<()> {
        let mut over: Vec<i64> = self.named.range(..today).map(|(day, _)| *day).collect();
        let crowd = self.named.len().saturating_sub(over.len()).saturating_sub(CROWD);
        let late: Vec<i64> = self.named.keys().rev().take(crowd).copied().collect();
        self.lost.extend(late.iter().map(|day| (*day, Looked::NOT)));
        over.extend(late);
        for day in over {
            statements.end_day.execute([day])?;
            self.ring.remove(day);
            if let Some(named) = self.named.remove(&day) {
                self.over.insert(named.slot);
            }
        }
        Ok(())
    }

    /// Writes over the keys of the days that are over. Outside a transaction. If it fails, the next time does it.
    pub(super) fn destroy(&mut self, statements: &mut Statements<'_>) -> Result<(), OpenError> {
        if self.over.is_empty() {
            return Ok(());
        }
        // What was committed decides: a key whose row does not say so would be taken for a damaged one.
        for Listed { slot, over, .. } in listed(&mut statements.days)? {
            if !over {
                self.over.remove(&slot);
            }
        }
        self.seeds.overwrite(self.over.iter().copied()).map_err(OpenError::Io)?;
        statements.forget_days.execute([])?;
        self.over.clear();
        Ok(())
    }

    /// A transaction was committed.
    pub(super) fn settle(&mut self) {
        for day in core::mem::take(&mut self.cleared) {
            self.lost.remove(&day);
        }
        self.lost.values_mut().for_each(|day| day.committed = day.next);
    }

    /// After a transaction that came to nothing: what the rows say, holds.
    pub(super) fn reload(&mut self, statements: &mut Statements<'_>) -> rusqlite::Result<()> {
        self.cleared.clear();
        self.lost.values_mut().for_each(|day| day.next = day.committed);
        if self.are_volatile() {
            // What was over is over: it has ended all the same.
            return Ok(());
        }
        self.named.values_mut().for_each(|named| named.listed = false);
        for Listed { day, slot, proof: _, over } in listed(&mut statements.days)? {
            if over {
                self.over.insert(slot);
                continue;
            }
            self.over.remove(&slot);
            self.ring.insert(day, self.seeds.key(slot).map_err(|_| NoKey)?);
            let other = self.named.insert(day, Named { slot, listed: true });
            // The log may have what that transaction sealed under it.
            self.over.extend(other.map(|other| other.slot).filter(|other| *other != slot));
        }
        Ok(())
    }
}

fn listed(statement: &mut Statement<'_>) -> rusqlite::Result<Vec<Listed>> {
    let rows = statement.query_map([], |row| {
        let number: i64 = row.get(1)?;
        let slot = Slot::try_from(number).ok().filter(|slot| *slot < SLOTS);
        let slot = slot.ok_or(rusqlite::Error::IntegralValueOutOfRange(1, number))?;
        Ok(Listed { day: row.get(0)?, slot, proof: row.get(2)?, over: row.get(3)? })
    })?;
    rows.collect()
}

fn prove(key: &DayKey, day: i64, proof: Vec<u8>) -> Result<(), OpenError> {
    key.open(Row::Proof { day }, proof).map(drop).ok_or(OpenError::Keys)
}

/// Whether the file at `path` has the keys under which the rows lie. Changes nothing.
///
/// # Errors
/// [`OpenError::Keys`] if it has not.
pub(super) fn check(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let listed = listed(&mut conn.prepare(LISTED)?)?;
    if listed.is_empty() {
        return Ok(());
    }
    let seeds = Seeds::look(path)?;
    listed.into_iter().filter(|one| !one.over).try_for_each(|Listed { day, slot, proof, over: _ }| {
        prove(&seeds.key(slot).map_err(OpenError::Io)?, day, proof)
    })
}

#[cfg(test)]
mod tests;
