//! What opens a profile: passphrases that are made, and key files.

use std::path::Path;

use super::{Error, KeyFile, MadePhrase, WordList};
use crate::rng::Rng;
use crate::store::StoreError;

/// Makes a passphrase of random words of a list.
#[must_use]
pub fn make_phrase(list: WordList) -> MadePhrase {
    MadePhrase::draw(list, &mut Rng::system())
}

/// Reads a key file.
///
/// # Errors
/// [`Error::NoKeyFile`] if it is not there or is none; [`Error::Denied`], [`Error::Store`].
pub fn read_key_file(path: &Path) -> Result<KeyFile, Error> {
    KeyFile::read(path)
        .map_err(|error| if error == StoreError::NotFound { Error::NoKeyFile } else { error.into() })
}

/// Makes a key file where there is none. Lost, it takes along every profile whose passphrase goes with it.
///
/// # Errors
/// [`Error::KeyFileExists`]; [`Error::NoKeyFile`] if its folder is not there; [`Error::Denied`], [`Error::StoreFull`].
pub fn make_key_file(path: &Path) -> Result<KeyFile, Error> {
    KeyFile::make(path, &mut Rng::system()).map_err(|error| {
        if error == StoreError::AlreadyExists {
            Error::KeyFileExists
        } else if error == StoreError::NotFound {
            Error::NoKeyFile
        } else {
            error.into()
        }
    })
}
