//! Which seeds of a side are in use, and texts sealed and opened by them.
//!
//! A seed is in use by the row that names it, ended once that row is gone or emptied, and free when it was overwritten since.
//! Which are free is in memory alone, so that giving one to a text writes nothing.

use std::collections::BTreeSet;

use beresta_proto::words::Words;
use rusqlite::Row;

use super::body::Slot;
use super::{StoreError, Tx};

/// How many seeds the file has; 4 bytes. What it has beyond them, an opening takes for nothing.
const LISTED: &str = "body.seeds";

impl Tx<'_> {
    /// Seals a text under a key of its own: the key's place, and the column.
    pub(super) fn sealed(&self, text: &Words) -> Result<(Slot, Vec<u8>), StoreError> {
        self.end_spent()?;
        let slot = self.keys().take()?;
        self.hand(slot);
        // What was rolled back may have been the first to list it.
        self.list_seeds()?;
        Ok((slot, self.keys().seal(slot, text)?))
    }

    /// The text of a row. Empty where it has disappeared, or where its key is gone and it soon will have.
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

    /// Whoever's texts were rolled back get no other: the scrub overwrites their seeds like those of texts that are gone.
    /// Not at once. A commit that failed as it was flushed may still come to light after a crash; once this one is in its
    /// place, it cannot.
    fn end_spent(&self) -> Result<(), StoreError> {
        let spent = std::mem::take(&mut *self.keys().spent.borrow_mut());
        spent.iter().for_each(|slot| self.hand(*slot));
        for slot in spent {
            self.erase("INSERT OR IGNORE INTO ended_seed (seed) VALUES (?1)", [slot.0])?;
        }
        Ok(())
    }

    /// Says how many seeds there are, if they are more than it was said.
    fn list_seeds(&self) -> Result<(), StoreError> {
        let count = self.keys().count();
        if count > self.pending().seeds.unwrap_or_else(|| self.keys().listed.get()) {
            self.set_meta(LISTED, &count.to_be_bytes())?;
            self.pend(|pending| pending.seeds = Some(count));
        }
        Ok(())
    }

    /// The store was just opened, and what was written last is not known: a crash may have left seeds that never reached the
    /// disk, or pages of a text that no row has. Whatever is not in use is overwritten before it is used. Where an older
    /// file was put back, the texts of the seeds that it lacks are gone, and the store goes on.
    pub(super) fn refresh_seeds(&self) -> Result<(), StoreError> {
        let listed = self.meta(LISTED)?.map(|bytes| bytes.try_into().map(u32::from_be_bytes));
        let listed = listed.transpose().map_err(|_| StoreError::Damaged)?.unwrap_or(0);
        self.keys().trust(listed)?;
        self.keys().listed.set(listed);
        let sql = "SELECT seed FROM message INDEXED BY message_content WHERE seed IS NOT NULL
                   UNION ALL SELECT seed FROM alert";
        let used: BTreeSet<Slot> = self.all(sql, [], |row| row.get(0).map(Slot))?.into_iter().collect();
        let others: Vec<Slot> =
            (0..self.keys().count()).map(Slot).filter(|slot| !used.contains(slot)).collect();
        self.keys().destroy(&others)?;
        self.clear_ended()?;
        // If this is not committed, there is no store that could give them away.
        self.keys().free(&others);
        Ok(())
    }

    /// Overwrites the seeds of texts that are gone; after a crash in between, again. They are [free](super::body::BodyKeys::free)
    /// once this is committed.
    pub(super) fn destroy_seeds(&self) -> Result<Vec<Slot>, StoreError> {
        let ended = self.all("SELECT seed FROM ended_seed ORDER BY seed", [], |row| row.get(0).map(Slot))?;
        self.keys().destroy(&ended)?;
        self.clear_ended()?;
        Ok(ended)
    }

    /// Empties the list of seeds that ended. By its rows: emptied as a whole, a list with none in it would be written too.
    fn clear_ended(&self) -> Result<(), StoreError> {
        self.run("DELETE FROM ended_seed WHERE seed IS NOT NULL", [])?;
        Ok(())
    }
}
