//! The duress passphrase: setting it, and doing what it says; and the decoy that another one opens.

use std::path::Path;

use super::lock::{Patience, end_holder};
use super::open::Newcomer;
use super::{Client, Error};
use crate::rng::Rng;
use crate::store::{Duress, Passphrase};

/// Does what was chosen beforehand: what the person at the keyboard is told then.
pub(super) fn obey(dir: &Path, duress: Duress) -> Error {
    match duress {
        Duress::Cold => {
            // Whether there was somebody is not to be seen.
            let _ = end_holder(dir, Patience::DURESS);
            Error::WrongPassphrase
        }
        // What could not be destroyed has to be known, whoever it is that hears it.
        Duress::Wipe => super::panic(dir).err().unwrap_or(Error::NoProfile),
    }
}

impl Client {
    /// What the duress passphrase does, if there is one.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn duress(&self) -> Result<Option<Duress>, Error> {
        self.desk(|desk, _| desk.store.duress()).await
    }

    /// Makes `passphrase` the duress passphrase, in place of the one before.
    ///
    /// # Errors
    /// [`Error::PassphraseTaken`] if it is that of the profile; [`Error::Store`].
    pub async fn set_duress(&self, passphrase: Passphrase, what: Duress) -> Result<(), Error> {
        self.desk(move |desk, _| desk.store.set_duress(&passphrase, what, &mut Rng::system())).await
    }

    /// Whether a decoy was made from this profile.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn has_decoy(&self) -> Result<bool, Error> {
        self.desk(|desk, _| desk.store.has_decoy()).await
    }

    /// Makes a decoy: a second profile of somebody called `name`, with an account of its own, which `passphrase` opens. It
    /// overwrites whatever is on the side of the files that this profile does not use.
    ///
    /// # Errors
    /// [`Error::DecoyExists`], [`Error::BadName`], [`Error::BadLink`] for `relay`, [`Error::PassphraseTaken`],
    /// [`Error::DuressInTheWay`]; [`Error::Store`].
    pub async fn set_decoy(
        &self,
        passphrase: Passphrase,
        name: &str,
        relay: Option<&str>,
    ) -> Result<(), Error> {
        let language = self.status().await?.language;
        let person = Newcomer::new(name, language, relay)?;
        let made = self.desk(move |desk, _| {
            // The files are as old as this profile: a decoy that is younger would be one that was made later.
            let made = desk.store.transaction(|tx| tx.profile_made())?;
            desk.store.set_decoy(&passphrase, &mut Rng::system(), |tx, rng| person.enter(tx, made, rng))
        });
        match made.await {
            Err(Error::ProfileExists) => Err(Error::DecoyExists),
            made => made,
        }
    }

    /// Removes the decoy, and overwrites all that is in it: false if there was none.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn remove_decoy(&self) -> Result<bool, Error> {
        self.desk(|desk, _| desk.store.remove_decoy()).await
    }

    /// Removes the duress passphrase: false if there was none.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn remove_duress(&self) -> Result<bool, Error> {
        self.desk(|desk, _| desk.store.remove_duress()).await
    }
}
