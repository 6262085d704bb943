//! A duress passphrase: one that opens nothing, and does what was chosen beforehand.
//!
//! It has a slot like any other. Until the slot is opened nothing that is read, written or computed differs from a right or
//! a wrong passphrase, and the header looks the same with and without one. The profile's database notes that there is
//! one: whoever opens that has everything anyway.

use rand::CryptoRng;

use super::{Passphrase, Store, StoreError, Tx, Vault};
use crate::rng::Rng;

/// What a duress passphrase does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duress {
    /// The profile is closed wherever it is open, and the passphrase is called wrong. Nothing is destroyed.
    Cold,
    /// The profile is destroyed as in a panic.
    Wipe,
}

impl Duress {
    const fn to_code(self) -> u8 {
        match self {
            Self::Cold => 1,
            Self::Wipe => 2,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Cold),
            2 => Some(Self::Wipe),
            _ => None,
        }
    }
}

/// The note: whether it holds or is being made or removed, the slot, what it does.
const NOTE: &str = "vault.duress";
const HOLDS: u8 = 1;
const UNDER_WAY: u8 = 0;

/// What the note says: the slot, and what its passphrase does; none if that is being changed.
fn note(tx: &Tx<'_>) -> Result<Option<(usize, Option<Duress>)>, StoreError> {
    let Some(bytes) = tx.meta(NOTE)? else { return Ok(None) };
    let [state, slot, what] = bytes.as_slice() else { return Err(StoreError::Damaged) };
    let what = Duress::from_code(*what).filter(|_| *state == HOLDS);
    Ok(Some((usize::from(*slot), what)))
}

/// After a change that was cut short: there is none.
pub(super) fn settle(tx: &Tx<'_>, vault: &Vault) -> Result<(), StoreError> {
    if let Some((slot, None)) = note(tx)? {
        vault.clear(slot, &mut Rng::system())?;
        tx.remove_meta(NOTE)?;
    }
    Ok(())
}

impl Store {
    /// What the duress passphrase does, if there is one.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn duress(&mut self) -> Result<Option<Duress>, StoreError> {
        Ok(self.transaction(note)?.and_then(|(_, what)| what))
    }

    /// Makes `passphrase` the duress passphrase, in place of the one before. Interrupted, there is none.
    ///
    /// # Errors
    /// [`StoreError::PassphraseTaken`] if it is that of the profile, [`StoreError::NotFound`] for a store in memory, and
    /// those of the machine.
    pub fn set_duress<R: CryptoRng + ?Sized>(
        &mut self,
        passphrase: &Passphrase,
        what: Duress,
        rng: &mut R,
    ) -> Result<(), StoreError> {
        self.remove_duress()?;
        let home = self.home.as_ref().ok_or(StoreError::NotFound)?;
        let write = home.vault.prepare_duress(passphrase, what, rng)?;
        let slot = u8::try_from(write.slot).map_err(|_| StoreError::DamagedHeader)?;
        self.transaction(|tx| tx.set_meta(NOTE, &[UNDER_WAY, slot, what.to_code()]))?;
        let home = self.home.as_ref().ok_or(StoreError::NotFound)?;
        home.vault.write(&write)?;
        self.transaction(|tx| tx.set_meta(NOTE, &[HOLDS, slot, what.to_code()]))
    }

    /// Removes the duress passphrase: false if there was none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a store in memory, and those of the machine.
    pub fn remove_duress(&mut self) -> Result<bool, StoreError> {
        let Some((slot, _)) = self.transaction(note)? else { return Ok(false) };
        let number = u8::try_from(slot).map_err(|_| StoreError::Damaged)?;
        self.transaction(|tx| tx.set_meta(NOTE, &[UNDER_WAY, number, 0]))?;
        let Self { conn, keys, numbers, home, owes_scrub: _, faults } = self;
        let home = home.as_ref().ok_or(StoreError::NotFound)?;
        let tx = Tx::begin(conn, keys, numbers)?.under(faults);
        settle(&tx, &home.vault)?;
        tx.commit()?;
        Ok(true)
    }
}
