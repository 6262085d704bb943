//! Faults of a store's disk, and older states of a store, for a false world around it. In a program there are none.

#[cfg(any(test, feature = "false-world"))]
use std::cell::Cell;

use super::StoreError;

/// What is wrong with the disk of a store.
#[derive(Default)]
pub(super) struct Faults {
    /// The write after so many others fails.
    #[cfg(any(test, feature = "false-world"))]
    after: Cell<Option<u32>>,
}

impl Faults {
    /// A write, or the commit, is about to be done.
    #[cfg(not(any(test, feature = "false-world")))]
    pub(super) const fn strike(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// A write, or the commit, is about to be done.
    ///
    /// # Errors
    /// [`StoreError::Io`] where it is to fail.
    #[cfg(any(test, feature = "false-world"))]
    pub(super) fn strike(&self) -> Result<(), StoreError> {
        match self.after.get() {
            None => Ok(()),
            Some(0) => {
                self.after.set(None);
                Err(StoreError::Io { kind: std::io::ErrorKind::Other })
            }
            Some(more) => {
                self.after.set(Some(more.saturating_sub(1)));
                Ok(())
            }
        }
    }
}

#[cfg(any(test, feature = "false-world"))]
mod false_world {
    use rand::CryptoRng;
    use rusqlite::backup::{Backup, StepResult};

    use crate::rng::Rng;
    use crate::store::{MasterKey, Store, StoreError, open, sqlcipher};

    /// More pages than SQLite counts.
    const NO_LIMIT: u32 = 0xffff_fffe;

    impl Store {
        /// A store that lives in memory and is gone with the value.
        ///
        /// The library, the migrations and the settings are the real ones, except that SQLite has no journal of that kind in memory, that
        /// SQLCipher encrypts files only, and that nothing is locked in memory.
        ///
        /// # Errors
        /// [`StoreError::Refused`] if a setting did not take.
        pub fn open_in_memory<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<Self, StoreError> {
            let (conn, keys) = open::in_memory(rng)?;
            Ok(Self::over(conn, keys, None))
        }

        /// A store in memory as this one is now: a snapshot to go back to.
        ///
        /// # Errors
        /// [`StoreError::NotFound`] for one that is not in memory, others if the library fails.
        pub fn copy(&self) -> Result<Self, StoreError> {
            let mut conn = sqlcipher::blank(&MasterKey::generate(&mut Rng::system()))?;
            if Backup::new(&self.conn, &mut conn)?.step(-1)? != StepResult::Done {
                return Err(StoreError::InUse);
            }
            // As one that was just opened: what its last owner erased may be left in its files.
            Ok(Self { owes_scrub: true, ..Self::over(conn, self.keys.copy()?, None) })
        }

        /// Lets the write after so many others fail, or the commit; or takes that back. Whether one was still to fail.
        pub fn fail_write(&self, after: Option<u32>) -> bool {
            self.faults.after.replace(after).is_some()
        }

        /// Fills the disk, or makes room on it: while it is full, nothing can be written that needs more pages than there are.
        ///
        /// # Errors
        /// [`StoreError`] if the library fails.
        pub fn fill_disk(&self, full: bool) -> Result<(), StoreError> {
            // One below what there is counts as what there is.
            let pages = if full { 1 } else { NO_LIMIT };
            let set = format!("PRAGMA max_page_count = {pages}");
            Ok(self.conn.query_row(&set, [], |_| Ok(()))?)
        }
    }
}
