//! Which seeds of `body.keys` are in use, and texts sealed and opened by them.

use std::collections::BTreeSet;

use beresta_proto::words::Words;
use rusqlite::Row;

use super::body::Slot;
use super::{StoreError, Tx};

impl Tx<'_> {
    /// Seals a text under a key of its own: the key's place, and the column.
    pub(super) fn sealed(&self, text: &Words) -> Result<(Slot, Vec<u8>), StoreError> {
        let spent = std::mem::take(&mut *self.keys().spent.borrow_mut());
        if !spent.is_empty() {
            // What was rolled back may have listed them, too.
            self.list_seeds(self.keys().count())?;
        }
        for slot in spent {
            self.hand(slot);
            self.erase("UPDATE body_seed SET state = 2 WHERE seed = ?1 AND state = 0", [slot.0])?;
        }
        // That it is not in use has to be said, or SQLite reads every row in place of the index.
        let free = "UPDATE body_seed SET state = 1 WHERE seed =
                        (SELECT seed FROM body_seed WHERE state = 0 AND state <> 1 LIMIT 1) RETURNING seed";
        let slot = |row: &Row<'_>| row.get(0).map(Slot);
        let slot = match self.one(free, [], slot)? {
            Some(slot) => slot,
            None => {
                self.list_seeds(self.keys().more_than(self.listed_seeds()?)?)?;
                self.one(free, [], slot)?.ok_or(StoreError::Damaged)?
            }
        };
        self.hand(slot);
        Ok((slot, self.keys().seal(slot, text)?))
    }

    /// The text of a message's row. Empty where it has disappeared, or where its key is gone and it soon will have.
    pub(super) fn opened(&self, row: &Row<'_>) -> Result<Words, StoreError> {
        let (Some(seed), Some(body)) = (row.get("seed")?, row.get::<_, Option<Vec<u8>>>("body")?) else {
            return Ok(Words::default());
        };
        match self.keys().open_body(Slot(seed), &body) {
            // An older state of the database was put back beside newer keys: what ended stays ended.
            Err(StoreError::Damaged) => Ok(Words::default()),
            other => other,
        }
    }

    /// How many seeds are listed: all from the first.
    fn listed_seeds(&self) -> Result<u32, StoreError> {
        Ok(self.one("SELECT count(*) FROM body_seed", [], |row| row.get(0))?.unwrap_or(0))
    }

    /// Lists the seeds below `count` that are not listed yet.
    fn list_seeds(&self, count: u32) -> Result<(), StoreError> {
        for seed in self.listed_seeds()?..count {
            self.run("INSERT INTO body_seed (seed, state) VALUES (?1, 0)", [seed])?;
        }
        Ok(())
    }

    /// The store was just opened, and what was written last is not known: a crash may have left seeds that never reached the
    /// disk, or pages of a text whose seed counts as free. Whatever is not in use is overwritten before it is used. Where an
    /// older file was put back, the texts of the seeds that it lacks are gone, and the store goes on.
    pub(super) fn refresh_seeds(&self) -> Result<(), StoreError> {
        self.keys().trust(self.listed_seeds()?)?;
        let used: BTreeSet<u32> = self
            .all("SELECT seed FROM body_seed WHERE state = 1", [], |row| row.get(0))?
            .into_iter()
            .collect();
        let others: Vec<Slot> =
            (0..self.keys().count()).filter(|seed| !used.contains(seed)).map(Slot).collect();
        self.keys().destroy(&others)?;
        self.run("UPDATE body_seed SET state = 0 WHERE state = 2 AND state <> 1", [])?;
        Ok(())
    }

    /// Overwrites the seeds of texts that are gone; after a crash in between, again.
    pub(super) fn destroy_seeds(&self) -> Result<(), StoreError> {
        let over = self.all("SELECT seed FROM body_seed WHERE state = 2 AND state <> 1", [], |row| {
            row.get(0).map(Slot)
        })?;
        self.keys().destroy(&over)?;
        self.run("UPDATE body_seed SET state = 0 WHERE state = 2 AND state <> 1", [])?;
        Ok(())
    }
}
