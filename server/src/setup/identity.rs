//! The identity key, which its operator keeps elsewhere, often on a stick that is not in.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use beresta_proto::key::SigningKey;
use beresta_proto::rng::Random;

use super::SetupError;
use crate::home::{self, Home, HomeError, Name};

/// Where it lies: where its operator says, else in the folder.
pub(super) fn place(home: &Home, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| home.path(Name::Identity), Path::to_path_buf)
}

/// Reads it.
pub(super) fn read(home: &Home, named: Option<&Path>) -> Result<SigningKey, SetupError> {
    match home::read_array_at(&place(home, named), Name::Identity) {
        Ok(mut seed) => Ok(SigningKey::take(&mut seed)),
        Err(HomeError::Missing(_)) => Err(SetupError::NoIdentity),
        Err(HomeError::Io(ErrorKind::PermissionDenied)) => Err(SetupError::IdentityDenied),
        // The folder of a stick in place of the file on it, or a path through a file.
        Err(HomeError::Io(ErrorKind::IsADirectory | ErrorKind::NotADirectory)) => {
            Err(SetupError::NotAnIdentity)
        }
        // The operator took the wrong file. Nothing of the relay is damaged by that.
        Err(HomeError::Damaged(_)) if named.is_some() => Err(SetupError::NotAnIdentity),
        Err(
            error @ (HomeError::Exists(_)
            | HomeError::Damaged(_)
            | HomeError::Foreign
            | HomeError::Busy
            | HomeError::Io(_)),
        ) => Err(error.into()),
    }
}

/// Makes one, that of a new relay.
pub(super) fn make(
    home: &Home,
    named: Option<&Path>,
    rng: &mut impl Random,
) -> Result<SigningKey, SetupError> {
    let key = SigningKey::random(rng);
    let place = place(home, named);
    home::tidy_beside(&place, Name::Identity)?;
    match home::create_at(&place, Name::Identity, key.expose()) {
        // Its folder is not there: a stick that is not in.
        Err(HomeError::Missing(_)) => Err(SetupError::NoIdentity),
        // Not the relay's folder, of which other things would be said.
        Err(HomeError::Io(_)) if named.is_some() => Err(SetupError::IdentityNotWritten),
        made => made.map(|()| key).map_err(SetupError::Home),
    }
}
