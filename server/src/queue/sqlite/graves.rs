//! The remembered ids of messages that are gone (rule Q5), by the midnight at which they are forgotten. A few midnights are
//! ahead at any time, and the writer knows which, so that to look for an id takes one look for each.

use std::collections::BTreeSet;

use super::statements::Statements;
use crate::queue::QueueRef;
use crate::queue::rules::Hour;

/// The midnights for which an id is remembered. Must be read again whenever a commit fails: some may not have come about.
#[derive(Default)]
pub(super) struct Graves {
    midnights: BTreeSet<i64>,
}

impl Graves {
    /// Reads from the file which midnights there are.
    pub(super) fn read(statements: &mut Statements<'_>) -> rusqlite::Result<Self> {
        let mut midnights = BTreeSet::new();
        let mut last = i64::MIN;
        while let Some(next) =
            statements.next_midnight.query_row([last], |row| row.get::<_, Option<i64>>(0))?
        {
            midnights.insert(next);
            last = next;
        }
        Ok(Self { midnights })
    }

    /// Until when an id is remembered, perhaps until a midnight that is over and was not swept yet.
    pub(super) fn find(
        &self,
        queue: QueueRef,
        name: i64,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<Option<Hour>> {
        for ends in &self.midnights {
            if statements.is_buried.query_row([*ends, queue.0, name], |row| row.get(0))? {
                return Ok(Some(Hour(*ends)));
            }
        }
        Ok(None)
    }

    /// Remembers an id that is not remembered.
    pub(super) fn bury(
        &mut self,
        ends: Hour,
        queue: QueueRef,
        name: i64,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<()> {
        self.midnights.insert(ends.0);
        statements.bury.execute([ends.0, queue.0, name]).map(drop)
    }

    /// Forgets all of a queue. How many there were.
    pub(super) fn forget(&self, queue: QueueRef, statements: &mut Statements<'_>) -> rusqlite::Result<usize> {
        let mut gone = 0_usize;
        for ends in &self.midnights {
            gone = gone.saturating_add(statements.delete_tombstones.execute([*ends, queue.0])?);
        }
        Ok(gone)
    }

    /// Forgets what ended by `hour`, at most so many. How many did.
    pub(super) fn expire(
        &mut self,
        hour: Hour,
        most: i64,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<usize> {
        let gone = statements.expire_tombstones.execute([hour.0, most])?;
        *self = Self::read(statements)?;
        Ok(gone)
    }
}
