//! Which seeds of `body.keys` are in use, and texts sealed and opened by them.

use beresta_proto::words::Words;
use rusqlite::Row;

use super::body::Slot;
use super::{StoreError, Tx};

impl Tx<'_> {
    /// Seals a text under a key of its own: the key's place, and the column.
    pub(super) fn sealed(&self, text: &Words) -> Result<(Slot, Vec<u8>), StoreError> {
        let free = "UPDATE body_seed SET state = 1
                    WHERE seed = (SELECT seed FROM body_seed WHERE state = 0 LIMIT 1) RETURNING seed";
        let slot = |row: &Row<'_>| row.get(0).map(Slot);
        let slot = match self.one(free, [], slot)? {
            Some(slot) => slot,
            None => {
                self.list_seeds()?;
                self.one(free, [], slot)?.ok_or(StoreError::Damaged)?
            }
        };
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

    /// Lists seeds of the file that are not listed yet, and makes more where there are none.
    fn list_seeds(&self) -> Result<(), StoreError> {
        let listed = self.one("SELECT count(*) FROM body_seed", [], |row| row.get::<_, u32>(0))?.unwrap_or(0);
        for seed in listed..self.keys().more_than(listed)? {
            self.run("INSERT INTO body_seed (seed, state) VALUES (?1, 0)", [seed])?;
        }
        Ok(())
    }

    /// Overwrites the seeds of texts that are gone; after a crash in between, again.
    pub(super) fn destroy_seeds(&self) -> Result<(), StoreError> {
        let over = self.all("SELECT seed FROM body_seed WHERE state = 2", [], |row| row.get(0).map(Slot))?;
        self.keys().destroy(&over)?;
        self.run("UPDATE body_seed SET state = 0 WHERE state = 2", [])?;
        Ok(())
    }
}
