//! One transaction, and the small tools with which row modules read and write in it.

use std::cell::{Cell, RefCell};

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::StoreError;
use super::body::{BodyKeys, Slot};
use super::faults::Faults;
use super::number::Numbers;

/// One IMMEDIATE transaction of a [`Store`](super::Store): everything done through it is kept together or not at all.
pub struct Tx<'c> {
    conn: &'c Connection,
    keys: &'c BodyKeys,
    numbers: &'c Numbers,
    erased: Cell<bool>,
    /// Seeds that were given to texts, or found to be spent: not to be given again unless this is committed.
    handed: RefCell<Vec<Slot>>,
    pending: Cell<Pending>,
    faults: Option<&'c Faults>,
}

/// What memory learns of the database once this is committed: how far row numbers and seeds reach.
#[derive(Clone, Copy, Default)]
pub(super) struct Pending {
    pub(super) numbers: Option<i64>,
    pub(super) seeds: Option<u32>,
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        self.spend(0);
        if !self.conn.is_autocommit() {
            // Where even this fails, the connection is of no use any more, and the next transaction cannot begin.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
    }
}

#[allow(dead_code, reason = "tools for row modules, not each of which is there yet")]
impl<'c> Tx<'c> {
    /// Begins one. It is rolled back when dropped, unless it was committed.
    pub(super) fn begin(
        conn: &'c mut Connection,
        keys: &'c BodyKeys,
        numbers: &'c Numbers,
    ) -> Result<Self, StoreError> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let (erased, handed, pending) = (Cell::new(false), RefCell::default(), Cell::default());
        Ok(Self { conn, keys, numbers, erased, handed, pending, faults: None })
    }

    /// Lets its writes meet these faults.
    pub(super) const fn under(self, faults: &'c Faults) -> Self {
        let mut tx = self;
        tx.faults = Some(faults);
        tx
    }

    /// A write, or the commit, is about to be done.
    fn strike(&self) -> Result<(), StoreError> {
        self.faults.map_or(Ok(()), Faults::strike)
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        self.alive()?;
        self.strike()?;
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        self.handed.borrow_mut().clear();
        let Pending { numbers, seeds } = self.pending.get();
        numbers.into_iter().for_each(|kept| self.numbers.kept.set(kept));
        seeds.into_iter().for_each(|listed| self.keys.listed.set(listed));
        Ok(())
    }

    /// What seals texts.
    pub(super) fn keys(&self) -> &'c BodyKeys {
        self.keys
    }

    /// What numbers rows.
    pub(super) fn numbers(&self) -> &'c Numbers {
        self.numbers
    }

    /// What this has written that memory goes by once it is committed.
    pub(super) fn pending(&self) -> Pending {
        self.pending.get()
    }

    /// Notes such a thing.
    pub(super) fn pend(&self, note: impl FnOnce(&mut Pending)) {
        let mut pending = self.pending.get();
        note(&mut pending);
        self.pending.set(pending);
    }

    /// Notes that a seed is not to be given to another text if this is rolled back.
    pub(super) fn hand(&self, slot: Slot) {
        self.handed.borrow_mut().push(slot);
    }

    /// The seeds that were handed out are spent, but for the first `kept`: what was sealed under them is rolled back.
    fn spend(&self, kept: usize) {
        let mut handed = self.handed.borrow_mut();
        let from = kept.min(handed.len());
        self.keys.spent.borrow_mut().extend(handed.drain(from..));
    }

    /// Whether something was erased in it.
    pub(super) fn erased(&self) -> bool {
        self.erased.get()
    }

    /// Rows that were changed through this store so far.
    #[cfg(test)]
    pub(crate) fn changes(&self) -> u64 {
        self.conn().total_changes()
    }

    /// The connection, for row modules whose need the tools below don't meet. Whoever writes through it must pass on
    /// every error: see `alive`.
    pub(in crate::store) const fn conn(&self) -> &Connection {
        self.conn
    }

    /// Runs one statement; returns how many rows it changed.
    pub(in crate::store) fn run(&self, sql: &'static str, params: impl Params) -> Result<usize, StoreError> {
        self.alive()?;
        self.strike()?;
        Ok(self.conn().prepare_cached(sql)?.execute(params)?)
    }

    /// Runs one statement that deletes, or empties, something said or secret. Its key stays in the file of seeds: the
    /// store owes a [scrub](super::Store::scrub) from then on. Whatever a person or a rule wants gone goes through here.
    ///
    /// What a step of a ratchet overwrites does not: the text that its keys open is in the store itself, and the scrub
    /// that takes the text takes them along.
    pub(in crate::store) fn erase(
        &self,
        sql: &'static str,
        params: impl Params,
    ) -> Result<usize, StoreError> {
        let rows = self.run(sql, params)?;
        self.erased.set(self.erased.get() || rows > 0);
        Ok(rows)
    }

    /// The first row of a query, if there is one.
    pub(in crate::store) fn one<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.conn().prepare_cached(sql)?.query_row(params, read).optional()?)
    }

    /// Every row of a query, in its order.
    pub(in crate::store) fn all<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.conn().prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// SQLite may roll back by itself when the disk fails. A caller that went on after such an error would write each
    /// row for itself: half a step. So whoever means to go on after an error asks first.
    ///
    /// # Errors
    /// [`StoreError::RolledBack`] if that happened.
    pub fn alive(&self) -> Result<(), StoreError> {
        if self.conn().is_autocommit() { Err(StoreError::RolledBack) } else { Ok(()) }
    }

    /// Does all of `step`, or nothing of it: what it wrote goes if it fails, and the transaction lives on. It costs a copy
    /// of every page that `step` touches, in locked memory: not for what every message does.
    ///
    /// # Errors
    /// The error of `step`, or [`StoreError`] if the store failed.
    pub fn all_or_nothing<T, E: From<StoreError>>(
        &self,
        step: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let run = |sql: &str| self.conn().execute_batch(sql).map_err(StoreError::from);
        run("SAVEPOINT step")?;
        let (handed, pending) = (self.handed.borrow().len(), self.pending.get());
        match step() {
            Ok(value) => {
                run("RELEASE step")?;
                Ok(value)
            }
            Err(error) => {
                run("ROLLBACK TO step; RELEASE step")?;
                self.spend(handed);
                self.pending.set(pending);
                Err(error)
            }
        }
    }

    /// The value of `key` in `meta`.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn meta(&self, key: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.one("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    /// Sets the value of `key` in `meta`.
    ///
    /// # Errors
    /// [`StoreError::Full`] and others of the machine.
    pub fn set_meta(&self, key: &'static str, value: &[u8]) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )?;
        Ok(())
    }

    /// Removes `key` from `meta`, if it is there.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn remove_meta(&self, key: &'static str) -> Result<(), StoreError> {
        self.run("DELETE FROM meta WHERE key = ?1", [key])?;
        Ok(())
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { conn: _, keys: _, numbers: _, erased: _, handed: _, pending: _, faults: _ } = self;
        f.write_str("Tx(..)")
    }
}
