//! A decoy: a second profile, on the side that is not the person's, which a passphrase of its own opens like any other.
//!
//! Nothing in it, in the header or in the files says which of the two is the decoy. The person's own database notes that there
//! is one, and in which pair of slots: whoever opens that has everything anyway. The decoy notes nothing, so it can't keep its
//! keeper from making a decoy of its own, which overwrites the side that they can't open.

use rand::CryptoRng;

use super::vault::{SLOT_LEN, SlotWrite};
use super::{MasterKey, Passphrase, Sides, Store, StoreError, Tx, Vault, duress, open, side};
use crate::rng::Rng;

/// The note: a state and the slot; and where it is on its way into the header, the slot's bytes.
const NOTE: &str = "vault.decoy";
const LEAVES: u8 = 0;
const HOLDS: u8 = 1;
const COMES: u8 = 2;

/// What the note says.
enum Note {
    Holds(usize),
    /// A removal is under way.
    Leaves(usize),
    /// Its side is complete, and its slot is to be written.
    Comes(SlotWrite),
}

fn note(tx: &Tx<'_>) -> Result<Option<Note>, StoreError> {
    let Some(bytes) = tx.meta(NOTE)? else { return Ok(None) };
    let [state, slot, bytes @ ..] = bytes.as_slice() else { return Err(StoreError::Damaged) };
    let slot = usize::from(*slot);
    Ok(Some(match *state {
        LEAVES => Note::Leaves(slot),
        HOLDS => Note::Holds(slot),
        COMES if bytes.len() == SLOT_LEN => Note::Comes(SlotWrite { slot, bytes: bytes.to_vec() }),
        _ => return Err(StoreError::Damaged),
    }))
}

fn number(slot: usize) -> Result<u8, StoreError> {
    u8::try_from(slot).map_err(|_| StoreError::Damaged)
}

/// Carries out what the note says: also after a change that was cut short.
pub(super) fn settle(tx: &Tx<'_>, vault: &Vault, sides: &Sides) -> Result<(), StoreError> {
    match note(tx)? {
        None | Some(Note::Holds(_)) => Ok(()),
        Some(Note::Leaves(slot)) => {
            vault.clear(slot, &mut Rng::system())?;
            side::overwrite(sides.dir(), sides.own().other())?;
            tx.remove_meta(NOTE)
        }
        Some(Note::Comes(write)) => {
            vault.replace(&write, &mut Rng::system())?;
            tx.set_meta(NOTE, &[HOLDS, number(write.slot)?])
        }
    }
}

impl Store {
    /// Whether there is a decoy that was made from here.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn has_decoy(&mut self) -> Result<bool, StoreError> {
        Ok(matches!(self.transaction(note)?, Some(Note::Holds(_) | Note::Comes(_))))
    }

    /// Makes a decoy that `passphrase` opens, with what `fill` writes in it, over whatever is on the other side. Interrupted,
    /// there is none, or all of it.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] if there is one, [`StoreError::PassphraseTaken`], [`StoreError::DuressInTheWay`],
    /// [`StoreError::NotFound`] for a store in memory, what `fill` returns, and those of the machine.
    pub fn set_decoy<R: CryptoRng + ?Sized, E: From<StoreError>>(
        &mut self,
        passphrase: &Passphrase,
        rng: &mut R,
        fill: impl FnOnce(&Tx<'_>, &mut R) -> Result<(), E>,
    ) -> Result<(), E> {
        self.settle_decoy()?;
        if self.has_decoy()? {
            return Err(StoreError::AlreadyExists.into());
        }
        if self.at_home(|tx, vault, _| duress::is_far(tx, vault))? {
            return Err(StoreError::DuressInTheWay.into());
        }
        let home = self.home.as_ref().ok_or(StoreError::NotFound)?;
        let (dir, other) = (home.sides.dir().to_owned(), home.sides.own().other());
        let master = MasterKey::generate_on(other, rng)?;
        let write = home.vault.prepare_decoy(passphrase, &master, rng)?;
        side::discard(&dir, other)?; // of one that came to nothing
        if let Err(error) = open::fill_side(&dir, &master, rng, fill) {
            let _ = side::discard(&dir, other); // no profile has such a file at rest; the next opening tries it again
            return Err(error);
        }
        side::transplant(&dir, other, other.database())?;
        let mut coming = vec![COMES, number(write.slot)?];
        coming.extend_from_slice(&write.bytes);
        self.transaction(|tx| tx.set_meta(NOTE, &coming))?;
        Ok(self.settle_decoy()?)
    }

    /// Removes the decoy, and overwrites all that is on its side: false if there is none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a store in memory, and those of the machine.
    pub fn remove_decoy(&mut self) -> Result<bool, StoreError> {
        let slot = match self.transaction(note)? {
            None => return Ok(false),
            Some(Note::Holds(slot) | Note::Leaves(slot)) => slot,
            Some(Note::Comes(write)) => write.slot,
        };
        let leaving = [LEAVES, number(slot)?];
        self.transaction(|tx| tx.set_meta(NOTE, &leaving))?;
        self.settle_decoy()?;
        Ok(true)
    }

    fn settle_decoy(&mut self) -> Result<(), StoreError> {
        self.at_home(settle)
    }
}
