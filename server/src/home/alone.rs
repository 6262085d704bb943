//! One command at a time changes what a relay is: two of them would each write half of it. A relay that runs is no such
//! command; it has the queues' lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{Home, HomeError, Name, beside, failed, sync_folder};

/// Nobody else changes the folder while this is held. The system lets go of it when a process ends, however it ends.
#[derive(Debug)]
pub struct Alone(#[expect(dead_code, reason = "held for its lock")] File);

impl Home {
    /// Waits for nobody: another command that is at work here goes on for as long as an export takes. Secrets that a crash
    /// left half made are gone afterwards, but on a disk that only reads.
    ///
    /// # Errors
    /// [`HomeError::Busy`] while another command is at work, [`HomeError::Missing`] if there is no folder.
    pub fn alone(&self) -> Result<Alone, HomeError> {
        let folder = File::open(&self.dir).map_err(failed(None))?;
        folder.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => HomeError::Busy,
            TryLockError::Error(error) => HomeError::Io(error.kind()),
        })?;
        match self.tidy() {
            // A disk goes on so where a write failed, and what that left half made is in nobody's way: whoever wants to write
            // will be refused, and a backup to another disk can still be made.
            Ok(()) | Err(HomeError::Io(io::ErrorKind::ReadOnlyFilesystem)) => Ok(Alone(folder)),
            Err(error) => Err(error),
        }
    }

    /// Removes what a crash left of secrets that were being made, and the mark of an import that is whole.
    fn tidy(&self) -> Result<(), HomeError> {
        self.settle_import()?;
        let made = Name::SECRETS.into_iter().chain([Name::Rotation]);
        made.into_iter().try_for_each(|name| tidy_beside(&self.path(name), name))
    }

    /// Takes the mark of an import away whose last file is there. Whoever finds it later, without a descriptor, would take
    /// what is there for a part of a relay.
    ///
    /// # Errors
    /// [`HomeError`] if the operating system refuses.
    pub fn settle_import(&self) -> Result<(), HomeError> {
        if self.has(Name::Importing) && self.has(Name::Descriptor) {
            self.remove(Name::Importing)?;
        }
        Ok(())
    }

    /// Removes a secret, and what a crash left of it: first it is written over.
    pub(crate) fn destroy(&self, name: Name) -> Result<(), HomeError> {
        let path = self.path(name);
        tidy_beside(&path, name)?;
        if_there(destroy(&path)).map_err(failed(Some(name)))
    }
}

/// Removes what a crash left beside a secret that was being made, which may lie outside the folder.
///
/// # Errors
/// [`HomeError`] if the operating system refuses.
pub fn tidy_beside(path: &Path, name: Name) -> Result<(), HomeError> {
    let left: PathBuf = beside(path);
    let tidied = fs::symlink_metadata(&left).and_then(|file| {
        // Two names of one file: a crash came between them, and the secret is whole. What is no file, is not ours.
        if file.nlink() > 1 || !file.is_file() { fs::remove_file(&left) } else { destroy(&left) }
    });
    if_there(tidied).map_err(failed(Some(name)))
}

fn if_there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Writes over a file, and removes it, both through to the disk: the zeros would come back under a key's name. Nobody who laid a
/// link in its place has another file written.
fn destroy(path: &Path) -> io::Result<()> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file = OpenOptions::new().write(true).custom_flags(flags).open(path)?;
    io::copy(&mut io::repeat(0).take(file.metadata()?.len()), &mut file)?;
    file.sync_all()?;
    fs::remove_file(path)?;
    sync_folder(path)
}
