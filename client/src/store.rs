//! The store: keeps all changes of a step or none, encrypted at rest, and is the only door to SQLCipher.
//!
//! A profile is a folder: `vault.hdr` (the wrapped master key), `lock`, and two sides of a database (SQLCipher), its
//! journal and its seeds. What the rows mean is left to the engine and to the crypto room; each of their
//! subjects has a row module here that adds functions to [`Tx`].

mod body;
mod decoy;
mod duress;
mod error;
mod faults;
mod holder;
mod kdf;
mod key;
mod key_file;
mod lock;
mod migrate;
mod number;
mod older;
mod open;
mod page;
mod panic;
mod process;
mod seed;
mod side;
pub mod signal;
mod sqlcipher;
mod surroundings;
mod tx;
mod vault;

mod alert;
mod clock;
mod column;
pub mod contact;
pub mod event;
mod gone;
pub mod invite;
mod lost;
pub mod message;
pub mod outbox;
pub mod profile;
pub mod queue;

use std::path::Path;

use rand::CryptoRng;
use rusqlite::Connection;

pub use duress::Duress;
pub use error::StoreError;
pub use holder::{Holder, Process};
pub use kdf::KdfCost;
pub use key::{DatabaseKey, MasterKey, Passphrase};
pub use key_file::KeyFile;
pub use panic::{Destruction, Left};
pub use process::harden_process;
pub use surroundings::Surroundings;
pub use tx::Tx;

use body::BodyKeys;
use faults::Faults;
use lock::ProfileLock;
use number::Numbers;
use open::Opened;
use side::Sides;
use vault::Vault;

/// One open profile: its SQLCipher connection, its vault header and its lock.
///
/// Fields drop in the order written: the database closes before another process may take the lock.
pub struct Store {
    conn: Connection,
    keys: BodyKeys,
    numbers: Numbers,
    home: Option<Home>,
    /// Whether copies of something that was erased may be left in the files.
    owes_scrub: bool,
    faults: Faults,
}

/// What a profile on disk has and a store in memory has not.
struct Home {
    vault: Vault,
    sides: Sides,
    _lock: ProfileLock,
}

impl Store {
    /// Makes a new profile in `dir` (made if missing, mode 0700) and opens it.
    ///
    /// A crash half-way leaves a folder in which `create` or [`Store::open`] goes on: the header appears whole or not
    /// at all, and the database that belongs to it is complete before that.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if `dir` holds a profile, [`StoreError::InUse`] if another process works on it,
    /// [`StoreError::Full`], [`StoreError::Denied`], [`StoreError::OutOfMemory`] from the machine.
    pub fn create<R: CryptoRng + ?Sized>(
        dir: &Path,
        passphrase: &Passphrase,
        cost: KdfCost,
        rng: &mut R,
    ) -> Result<Self, StoreError> {
        Self::create_with(dir, passphrase, cost, rng, |_, _| Ok(()))
    }

    /// Makes a profile as [`Store::create`] does, with what `fill` writes in it from the first moment on: after a crash
    /// there is a profile with all of that, or none.
    ///
    /// # Errors
    /// What `fill` returns, and those of [`Store::create`].
    pub fn create_with<R: CryptoRng + ?Sized, E: From<StoreError>>(
        dir: &Path,
        passphrase: &Passphrase,
        cost: KdfCost,
        rng: &mut R,
        fill: impl FnOnce(&Tx<'_>, &mut R) -> Result<(), E>,
    ) -> Result<Self, E> {
        let lock = ProfileLock::take_new(dir)?;
        Ok(Self::on_disk(open::create(dir, passphrase, cost, rng, fill)?, lock))
    }

    /// Opens the profile in `dir`. A wrong passphrase changes no file.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::InUse`], [`StoreError::WrongPassphrase`] (also what a header with
    /// damaged slots looks like), [`StoreError::Duress`] (it is the caller's to do what that says),
    /// [`StoreError::DamagedHeader`], [`StoreError::Damaged`], [`StoreError::Newer`].
    pub fn open(dir: &Path, passphrase: &Passphrase) -> Result<Self, StoreError> {
        let lock = match ProfileLock::take(dir) {
            Err(StoreError::InUse) => {
                // A duress passphrase does its work also now, and a wrong one is called wrong, so that the two look alike.
                Vault::open(dir, passphrase)?;
                return Err(StoreError::InUse);
            }
            lock => lock?,
        };
        // Whoever had it open last may have been killed between a deletion and its scrub.
        Ok(Self { owes_scrub: true, ..Self::on_disk(open::open(dir, passphrase)?, lock) })
    }

    fn on_disk(opened: Opened, lock: ProfileLock) -> Self {
        let Opened { conn, keys, vault, sides } = opened;
        Self::over(conn, keys, Some(Home { vault, sides, _lock: lock }))
    }

    fn over(conn: Connection, keys: BodyKeys, home: Option<Home>) -> Self {
        Self { conn, keys, numbers: Numbers::default(), home, owes_scrub: false, faults: Faults::default() }
    }

    /// Makes `new` the passphrase in place of `old`. The master key and the database stay as they are, so a copy of
    /// the old header still opens with the old passphrase.
    ///
    /// The new slot is durable before the old one is overwritten: whenever this is interrupted, at least one of the
    /// two passphrases opens the profile. The first one used after that becomes the only one again.
    ///
    /// # Errors
    /// [`StoreError::WrongPassphrase`] if `old` does not open the profile, [`StoreError::PassphraseTaken`] if `new` is the
    /// duress passphrase, [`StoreError::NotFound`] for a store in
    /// memory, and those of the machine.
    pub fn change_passphrase<R: CryptoRng + ?Sized>(
        &mut self,
        old: &Passphrase,
        new: &Passphrase,
        rng: &mut R,
    ) -> Result<(), StoreError> {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let home = self.home.as_ref().ok_or(StoreError::NotFound)?;
        let change = home.vault.prepare(old, new, &seed, rng)?;
        // Should we be interrupted, the next opening finds this and ends the change.
        self.transaction(|tx| tx.set_meta(open::CHANGE, &seed))?;
        let home = self.home.as_mut().ok_or(StoreError::NotFound)?;
        home.vault.commit(&change)?;
        // It is done. A note that can't be taken back, on a full disk say, the next opening takes back.
        let _ = self.transaction(|tx| tx.remove_meta(open::CHANGE));
        Ok(())
    }

    /// Runs `f` in one IMMEDIATE transaction: committed and durable if it returns `Ok`, rolled back if it returns
    /// `Err` or panics.
    ///
    /// # Errors
    /// What `f` returns, and [`StoreError::Full`] and others if beginning or committing fails; nothing of `f` is kept
    /// then.
    pub fn transaction<T, E: From<StoreError>>(
        &mut self,
        f: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let before = self.conn.total_changes();
        let tx = Tx::begin(&mut self.conn, &self.keys, &self.numbers)?.under(&self.faults);
        let value = f(&tx)?; // dropping a transaction rolls it back
        let erased = tx.erased();
        tx.commit()?;
        self.owes_scrub |= erased;
        if let Some(home) = &self.home
            && self.conn.total_changes() != before
        {
            home.sides.keep_up(&self.conn);
        }
        Ok(value)
    }

    /// Runs `f` in one transaction, beside the header and the sides that the database belongs to.
    fn at_home<T>(
        &mut self,
        f: impl FnOnce(&Tx<'_>, &Vault, &Sides) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Self { conn, keys, numbers, home, owes_scrub: _, faults } = self;
        let Home { vault, sides, _lock: _ } = home.as_ref().ok_or(StoreError::NotFound)?;
        let tx = Tx::begin(conn, keys, numbers)?.under(faults);
        let value = f(&tx, vault, sides)?;
        tx.commit()?;
        sides.keep_up(conn);
        Ok(value)
    }

    /// Whether a scrub is due: something said or secret was erased since the last one, or the profile was just opened.
    #[must_use]
    pub const fn owes_scrub(&self) -> bool {
        self.owes_scrub
    }

    /// Does the scrub that is due, if one is (rule E10): destroys the keys of texts that are gone. Call it after every step: one
    /// that failed stays due. What else was deleted is overwritten in its page by the commit itself.
    ///
    /// What a file system or flash keeps of freed blocks is out of its reach: of texts it is noise without their keys;
    /// names and the like may be found there.
    ///
    /// # Errors
    /// [`StoreError::Full`] and others of the machine.
    pub fn scrub(&mut self) -> Result<(), StoreError> {
        if !self.owes_scrub {
            return Ok(());
        }
        let destroyed = self.transaction(|tx| {
            tx.forget_stale_events()?;
            tx.destroy_seeds()
        })?;
        // Not before: a scrub that is rolled back is done again, over the key of whoever had been given it.
        self.keys.free(&destroyed);
        self.owes_scrub = false;
        Ok(())
    }

    /// Does the scrub that is due and closes the database. Dropping a store closes it too, but cannot tell of a failure.
    ///
    /// # Errors
    /// Those of the machine. Committed rows are safe all the same.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.scrub()?;
        let Self { conn, keys: _, numbers: _, home, owes_scrub: _, faults: _ } = self;
        let closed = conn.close().map_err(|(_, error)| StoreError::from(error));
        drop(home);
        closed
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { conn: _, keys: _, numbers: _, home, owes_scrub: _, faults: _ } = self;
        f.debug_struct("Store").field("on_disk", &home.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
