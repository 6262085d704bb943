//! The duress passphrase: setting it, and doing what it says.

use std::path::Path;

use super::lock::{Patience, end_holder};
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

    /// Removes the duress passphrase: false if there was none.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn remove_duress(&self) -> Result<bool, Error> {
        self.desk(|desk, _| desk.store.remove_duress()).await
    }
}
