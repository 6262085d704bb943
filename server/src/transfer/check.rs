//! What refuses an export or an import whatever the passphrase is, to be said before somebody thinks one up and types it twice.
//! Nothing is promised by it: the world may be another when it is typed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{Access, access};

use super::import::is_occupied;
use super::{Mark, TransferError, What, fits, seal, unmade, unread};
use crate::home::{Home, Name};
use crate::queue::sqlite::SqliteEngine;
use crate::setup;

/// Whether [`super::export()`] would be refused.
///
/// # Errors
/// [`TransferError`], as of the export.
pub fn check_export(dir: &Path, file: &Path, what: What) -> Result<(), TransferError> {
    let home = Home::at(dir);
    setup::describe(dir)?;
    drop(home.alone()?);
    setup::complete(&home)?;
    fits(&home, what)?;
    if what == What::Move && SqliteEngine::is_in_use(&home.path(Name::Queues)) == Some(true) {
        return Err(TransferError::Running);
    }
    match fs::symlink_metadata(file) {
        Ok(_) => Err(unmade(io::ErrorKind::AlreadyExists, file, what, Mark::of(&home))),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unmade(error.kind(), file, what, None)),
        Err(_) => {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            may_write(folder.unwrap_or(Path::new("."))).map_err(|kind| unmade(kind, file, what, None))
        }
    }
}

/// Whether [`super::import()`] would be refused.
///
/// # Errors
/// [`TransferError`], as of the import.
pub fn check_import(dir: &Path, file: &Path) -> Result<(), TransferError> {
    // What may not be looked into would pass for occupied.
    let there = dir.ancestors().find(|one| one.exists());
    may_write(there.unwrap_or(Path::new("."))).map_err(TransferError::Target)?;
    if is_occupied(&Home::at(dir)) {
        return Err(TransferError::Occupied);
    }
    // What is read from a pipe here would be missing later.
    if fs::metadata(file).map_err(unread)?.is_file() {
        return seal::is_export(File::open(file).map_err(unread)?);
    }
    if file.is_dir() { Err(TransferError::Folder) } else { Ok(()) }
}

/// Whether files can be made in a folder, as far as the system tells.
fn may_write(folder: &Path) -> Result<(), io::ErrorKind> {
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| io::Error::from(error).kind())
}
