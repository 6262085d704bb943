//! The identity key, which its operator keeps elsewhere, often on a stick that is not in.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use beresta_proto::id::RelayId;
use beresta_proto::key::SigningKey;
use beresta_proto::rng::Random;

use super::SetupError;
use crate::home::{self, Home, HomeError, Name};

/// What an operator may take for the identity key, and is as long, or may be.
const OTHERS: [Name; 6] =
    [Name::RelayId, Name::QueueKey, Name::EpochSigner, Name::EpochKeys, Name::DayKeys, Name::TlsKey];

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

/// Why the key that was read is not that of the relay `here`.
pub(super) fn refused(home: &Home, named: Option<&Path>, key: &SigningKey, here: RelayId) -> SetupError {
    refuse_other_file(home, named, key).err().unwrap_or(SetupError::OtherIdentity(here))
}

/// Refuses a file of a relay that is no identity key, by its name or because the folder has the same. Any 32 bytes pass for
/// a key: of `relay.id` everybody could make it again, of the others whoever takes the machine.
pub(super) fn refuse_other_file(
    home: &Home,
    named: Option<&Path>,
    key: &SigningKey,
) -> Result<(), SetupError> {
    refuse_other_name(home, named)?;
    let is_the_same = |name: &Name| home.read(*name).is_ok_and(|bytes| **bytes == key.expose()[..]);
    OTHERS.into_iter().find(is_the_same).map_or(Ok(()), |name| Err(SetupError::OtherFile(name)))
}

/// Refuses a place that has the name of another of a relay's files: one that is made there would be taken for that one, or be
/// written over.
pub(super) fn refuse_other_name(home: &Home, named: Option<&Path>) -> Result<(), SetupError> {
    let place = place(home, named);
    let has_its_name = |name: &Name| place.file_name() == Some(OsStr::new(name.as_str()));
    let others =
        Name::LASTING.into_iter().chain([Name::Queues, Name::Moved, Name::Rotation, Name::Importing]);
    let other = others.filter(|name| *name != Name::Identity).find(has_its_name);
    other.map_or(Ok(()), |name| Err(SetupError::OtherFile(name)))
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
