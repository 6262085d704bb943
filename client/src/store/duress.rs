//! A duress passphrase: one that opens nothing, and does what was chosen beforehand.
//!
//! It has a slot like any other. Until the slot is opened nothing that is read, written or computed differs from a right or
//! a wrong passphrase, and the header looks the same with and without one. The profile's database notes that there is
//! one: whoever opens that has everything anyway.

use rand::CryptoRng;

use super::vault::{SLOT_LEN, SlotWrite};
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

/// The note: a state, the slot, what it does; and where a passphrase is on its way into the header, the slot's bytes.
const NOTE: &str = "vault.duress";
const LEAVES: u8 = 0;
const HOLDS: u8 = 1;
const COMES: u8 = 2;

/// What the note says.
enum Note {
    Holds(usize, Duress),
    /// A removal is under way.
    Leaves(usize),
    /// It is to be written in place of the one before, if there was one: in the other half of the same pair.
    Comes(SlotWrite, Duress),
}

fn note(tx: &Tx<'_>) -> Result<Option<Note>, StoreError> {
    let Some(bytes) = tx.meta(NOTE)? else { return Ok(None) };
    let [state, slot, what, bytes @ ..] = bytes.as_slice() else { return Err(StoreError::Damaged) };
    let (slot, what) = (usize::from(*slot), Duress::from_code(*what).ok_or(StoreError::Damaged));
    Ok(Some(match *state {
        LEAVES => Note::Leaves(slot),
        HOLDS => Note::Holds(slot, what?),
        COMES if bytes.len() == SLOT_LEN => Note::Comes(SlotWrite { slot, bytes: bytes.to_vec() }, what?),
        _ => return Err(StoreError::Damaged),
    }))
}

/// The note of a passphrase that comes. Once it is kept, that one takes the place of the one before, whatever happens.
pub(super) fn note_coming(write: &SlotWrite, what: Duress) -> Result<Vec<u8>, StoreError> {
    let slot = u8::try_from(write.slot).map_err(|_| StoreError::DamagedHeader)?;
    let mut note = vec![COMES, slot, what.to_code()];
    note.extend_from_slice(&write.bytes);
    Ok(note)
}

/// Carries out what the note says: also after a change that was cut short.
pub(super) fn settle(tx: &Tx<'_>, vault: &Vault) -> Result<(), StoreError> {
    match note(tx)? {
        None | Some(Note::Holds(..)) => Ok(()),
        Some(Note::Leaves(slot)) => {
            vault.clear(slot, &mut Rng::system())?;
            tx.remove_meta(NOTE)
        }
        Some(Note::Comes(write, what)) => {
            vault.replace(&write, &mut Rng::system())?;
            let slot = u8::try_from(write.slot).map_err(|_| StoreError::Damaged)?;
            tx.set_meta(NOTE, &[HOLDS, slot, what.to_code()])
        }
    }
}

/// Where an earlier version set it, if it is in the half of the header that a decoy has.
pub(super) fn is_far(tx: &Tx<'_>, vault: &Vault) -> Result<bool, StoreError> {
    Ok(match note(tx)? {
        None => false,
        Some(Note::Holds(slot, _) | Note::Leaves(slot)) => !vault.is_near(slot),
        Some(Note::Comes(write, _)) => !vault.is_near(write.slot),
    })
}

impl Store {
    /// What the duress passphrase does, if there is one.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn duress(&mut self) -> Result<Option<Duress>, StoreError> {
        Ok(match self.transaction(note)? {
            None | Some(Note::Leaves(_)) => None,
            Some(Note::Holds(_, what) | Note::Comes(_, what)) => Some(what),
        })
    }

    /// Makes `passphrase` the duress passphrase, in place of the one before. Refused or interrupted, the one before stays, or
    /// the new one holds.
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
        self.settle_duress()?;
        let before = match self.transaction(note)? {
            Some(Note::Holds(slot, _)) => Some(slot),
            None | Some(Note::Leaves(_) | Note::Comes(..)) => None,
        };
        let home = self.home.as_ref().ok_or(StoreError::NotFound)?;
        let write = home.vault.prepare_duress(passphrase, what, before, rng)?;
        if before.is_some_and(|slot| !home.vault.is_near(slot)) {
            self.remove_duress()?; // an earlier version set it, in the half of a decoy
        }
        let coming = note_coming(&write, what)?;
        self.transaction(|tx| tx.set_meta(NOTE, &coming))?;
        self.settle_duress()
    }

    /// Removes the duress passphrase: false if there was none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a store in memory, and those of the machine.
    pub fn remove_duress(&mut self) -> Result<bool, StoreError> {
        let slot = match self.transaction(note)? {
            None => return Ok(false),
            Some(Note::Holds(slot, _) | Note::Leaves(slot)) => slot,
            Some(Note::Comes(write, _)) => write.slot,
        };
        let number = u8::try_from(slot).map_err(|_| StoreError::Damaged)?;
        self.transaction(|tx| tx.set_meta(NOTE, &[LEAVES, number, 0]))?;
        self.settle_duress()?;
        Ok(true)
    }

    fn settle_duress(&mut self) -> Result<(), StoreError> {
        self.at_home(|tx, vault, _| settle(tx, vault))
    }
}
