//! Panic: makes a profile unreadable at once, and then as if it had never been.
//!
//! The order is that of what an interruption must not leave:
//! 1. the header is overwritten where it lies, durably: from here on no passphrase opens anything. 64 KiB, however
//!    large the profile is;
//! 2. so are the seeds of texts, 32 bytes each: an older copy of the header opens no text any more;
//! 3. the databases take the names of such as were never completed, and the header goes: every command says that there
//!    is no profile, and `create` clears away what is left;
//! 4. the rest is deleted, and the folder with it if nothing else is in it.
//!
//! It needs no passphrase and no lock: another process may have the profile open. Files of that process stay readable
//! to it until it ends, which is the caller's to see to ([`super::Holder`]).

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rand::RngCore as _;

use super::lock::{self, sync_dir};
use super::side::Side;
use super::{StoreError, older, open, vault};
use crate::rng::Rng;

/// Random bytes are made in pieces of so many.
const PIECE: usize = 64 * 1024;

/// One thing that a panic does.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Writes random bytes over a file, from its beginning to its end.
    Overwrite(PathBuf),
    /// Makes what was overwritten durable.
    Sync(PathBuf),
    /// Gives a file another name in the folder.
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// Makes names durable.
    SyncFolder,
}

/// What a panic could not do. It did everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The header was not overwritten: who has the passphrase may still open what the disk has.
    Header(StoreError),
    /// Nothing opens any more; some files are left, or were deleted as they were.
    Files(StoreError),
}

/// A panic under way, step by step, so that whoever tests it can interrupt it between any two.
#[derive(Debug)]
pub struct Destruction {
    dir: PathBuf,
    has_header: bool,
    steps: VecDeque<Step>,
    rng: Rng,
    overwritten: u64,
    left: Option<Left>,
}

impl Destruction {
    /// Looks for what there is of a profile in `dir`. Changes nothing yet. What can't be looked at counts as there: each
    /// step tries it, and says so if it fails.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is nothing of a profile, also if a panic was there before.
    pub fn of(dir: &Path) -> Result<Self, StoreError> {
        let there = |name: &str| Some(dir.join(name)).filter(|path| is_there(path));
        let headers: Vec<PathBuf> = [vault::NAME, vault::NEW_NAME].into_iter().filter_map(there).collect();
        let seeds = Side::BOTH.map(Side::seeds).into_iter().chain([older::SEEDS]).filter_map(there);
        let seeds: Vec<PathBuf> = seeds.collect();
        let names = Side::BOTH.map(|side| (side.database(), side.unfinished()));
        let names = names.into_iter().chain([(older::DATABASE, older::UNFINISHED)]);
        let databases: Vec<(PathBuf, PathBuf)> =
            names.filter_map(|(name, unfinished)| Some((there(name)?, dir.join(unfinished)))).collect();
        let mut rest: Vec<PathBuf> = open::files(dir).into_iter().filter(|path| is_there(path)).collect();
        if headers.is_empty() && rest.is_empty() {
            return Err(StoreError::NotFound);
        }
        rest.retain(|path| {
            !seeds.contains(path) && !databases.iter().any(|(one, other)| path == one || path == other)
        });

        let has_header = !headers.is_empty();
        let mut steps = VecDeque::new();
        for secret in headers.iter().chain(&seeds) {
            steps.extend([Step::Overwrite(secret.clone()), Step::Sync(secret.clone())]);
        }
        let unfinished: Vec<PathBuf> = databases.iter().map(|(_, unfinished)| unfinished.clone()).collect();
        steps.extend(databases.into_iter().map(|(database, unfinished)| Step::Rename(database, unfinished)));
        steps.extend(headers.into_iter().map(Step::Remove));
        steps.push_back(Step::SyncFolder);
        steps.extend(seeds.into_iter().chain(rest).chain(unfinished).map(Step::Remove));
        steps.push_back(Step::SyncFolder);
        Ok(Self { dir: dir.to_owned(), has_header, steps, rng: Rng::system(), overwritten: 0, left: None })
    }

    /// Does the next step: false if there is none. One that fails keeps none of the others from being done.
    pub fn step(&mut self) -> bool {
        let Some(step) = self.steps.pop_front() else { return false };
        match self.perform(&step) {
            Ok(()) | Err(StoreError::NotFound) => {}
            Err(error) => self.note(&step, error),
        }
        true
    }

    /// Does every step that is left.
    ///
    /// # Errors
    /// What the first step that failed met, of those that matter most; all others were done.
    pub fn run(mut self) -> Result<(), Left> {
        while self.step() {}
        self.left.map_or(Ok(()), Err)
    }

    fn note(&mut self, step: &Step, error: StoreError) {
        let of_header = |path: &Path| path.ends_with(vault::NAME) || path.ends_with(vault::NEW_NAME);
        let left = match step {
            Step::Overwrite(path) | Step::Sync(path) if of_header(path) => Left::Header(error),
            Step::Overwrite(_) | Step::Sync(_) | Step::Rename(..) | Step::Remove(_) | Step::SyncFolder => {
                Left::Files(error)
            }
        };
        if self.left.is_none() || matches!((self.left, left), (Some(Left::Files(_)), Left::Header(_))) {
            self.left = Some(left);
        }
    }

    /// Removes the lock and the folder, for who holds the lock or knows that nobody does: a process that still has the
    /// old lock must not share the folder with a new profile. A folder with other files in it stays.
    ///
    /// # Errors
    /// [`StoreError::Denied`] and others of the machine.
    pub fn leave(dir: &Path) -> Result<(), StoreError> {
        match std::fs::remove_file(dir.join(lock::NAME)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let _ = std::fs::remove_dir(dir); // an empty folder tells nothing
        Ok(())
    }

    /// Whether the profile in `dir` was destroyed, for who has it open: the folder and the lock are there until the last of
    /// them has ended, and no header is. A folder that was moved away has neither.
    #[must_use]
    pub fn is_done(dir: &Path) -> bool {
        is_there(&dir.join(lock::NAME))
            && ![vault::NAME, vault::NEW_NAME].iter().any(|name| is_there(&dir.join(name)))
    }

    /// Whether there was a header: without one, what is there was left by somebody.
    #[must_use]
    pub const fn has_header(&self) -> bool {
        self.has_header
    }

    /// Bytes that were written over others so far.
    #[must_use]
    pub const fn overwritten(&self) -> u64 {
        self.overwritten
    }

    fn perform(&mut self, step: &Step) -> Result<(), StoreError> {
        match step {
            Step::Overwrite(path) => self.overwrite(path),
            Step::Sync(path) => Ok(OpenOptions::new().write(true).open(path)?.sync_all()?),
            Step::Rename(from, to) => Ok(std::fs::rename(from, to)?),
            Step::Remove(path) => Ok(std::fs::remove_file(path)?),
            Step::SyncFolder => sync_dir(&self.dir),
        }
    }

    fn overwrite(&mut self, path: &Path) -> Result<(), StoreError> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut left = file.metadata()?.len();
        let mut costs = Vec::new();
        if path.ends_with(vault::NAME) {
            file.seek(SeekFrom::Start(vault::COSTS.start as u64))?;
            (&file).take(vault::COSTS.len() as u64).read_to_end(&mut costs)?;
            file.rewind()?;
        }
        let mut noise = vec![0; PIECE];
        while left > 0 {
            self.rng.fill_bytes(&mut noise);
            if let Some(place) = noise.get_mut(vault::COSTS)
                && place.len() == costs.len()
            {
                place.copy_from_slice(&std::mem::take(&mut costs));
            }
            let piece = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            file.write_all(noise.get(..piece).unwrap_or(&noise))?;
            let piece = u64::try_from(piece).unwrap_or(u64::MAX);
            self.overwritten = self.overwritten.saturating_add(piece);
            left = left.saturating_sub(piece);
        }
        Ok(())
    }
}

/// Whether something is there. Who can't look can't say that there is nothing.
fn is_there(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    !path.symlink_metadata().is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}
