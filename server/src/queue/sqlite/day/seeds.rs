//! The seeds of the keys, in a file of its own or in memory. The file always has the same length and is written where it
//! lies, never renamed and never shortened: what is written over is gone from the disk, as far as its file system writes in
//! place. A seed that is not in use is random bytes like any other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::home::{in_place, sync_folder};
use crate::queue::sqlite::OpenError;
use crate::queue::sqlite::seal::{DayKey, KEY};
use crate::random;

/// How many seeds there are. At most 23 days are ahead at any time; the rest is for clocks that stood wrong.
pub(super) const SLOTS: usize = 128;
/// Bytes of all of them: a page, so that no file system keeps them inside its records, which it writes elsewhere.
const ALL: usize = SLOTS * KEY;

/// Where one seed lies. Below [`SLOTS`].
pub(super) type Slot = usize;

/// All seeds.
pub(super) enum Seeds {
    /// `day.keys`.
    File(File),
    /// Nowhere else.
    Memory(Box<Zeroizing<[u8; ALL]>>),
}

impl Seeds {
    /// Draws them, for as long as this process lives.
    pub(super) fn in_memory() -> Result<Self, OpenError> {
        let mut all = Box::new(Zeroizing::new([0; ALL]));
        fill(all.as_mut_slice()).map_err(OpenError::Io)?;
        Ok(Self::Memory(all))
    }

    /// Opens the file, to be read only.
    ///
    /// # Errors
    /// [`OpenError::Keys`] if it is not there, or has another length.
    pub(super) fn look(path: &Path) -> Result<Self, OpenError> {
        Self::of_right_length(OpenOptions::new().read(true).open(path))
    }

    /// Opens the file.
    ///
    /// # Errors
    /// As [`Seeds::look`].
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        Self::of_right_length(OpenOptions::new().read(true).write(true).open(path))
    }

    fn of_right_length(opened: io::Result<File>) -> Result<Self, OpenError> {
        let file = opened.map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound { OpenError::Keys } else { OpenError::Io(error) }
        })?;
        let whole = file.metadata().map_err(OpenError::Io)?.len() == ALL as u64;
        if whole { Ok(Self::File(file)) } else { Err(OpenError::Keys) }
    }

    /// Makes the file, or makes it anew over what a crash or somebody else left: nothing may be sealed under a seed of it.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        in_place(&file);
        file.set_len(ALL as u64)?;
        let mut seeds = Self::File(file);
        seeds.overwrite(0..SLOTS)?;
        if let Self::File(file) = &seeds {
            file.sync_all()?;
        }
        sync_folder(path)?;
        Ok(seeds)
    }

    /// Destroys the file, if it is there.
    pub(super) fn destroy(path: &Path) -> io::Result<()> {
        if path.try_exists()? {
            drop(Self::make(path)?);
            std::fs::remove_file(path)?;
            sync_folder(path)?;
        }
        Ok(())
    }

    /// The key that a seed is.
    pub(super) fn key(&self, slot: Slot) -> io::Result<DayKey> {
        let mut seed = Zeroizing::new([0; KEY]);
        match self {
            Self::File(file) => file.read_exact_at(seed.as_mut_slice(), at(slot))?,
            Self::Memory(all) => {
                let (all, _) = all.as_chunks();
                *seed = *all.get(slot).ok_or(io::ErrorKind::InvalidInput)?;
            }
        }
        Ok(DayKey::new(&seed))
    }

    /// Writes fresh seeds over old ones where they lie, durably.
    pub(super) fn overwrite(&mut self, slots: impl IntoIterator<Item = Slot>) -> io::Result<()> {
        let mut fresh = Zeroizing::new([0; KEY]);
        for slot in slots {
            fill(fresh.as_mut_slice())?;
            match self {
                Self::File(file) => file.write_all_at(fresh.as_slice(), at(slot))?,
                Self::Memory(all) => {
                    let (all, _) = all.as_chunks_mut();
                    *all.get_mut(slot).ok_or(io::ErrorKind::InvalidInput)? = *fresh;
                }
            }
        }
        if let Self::File(file) = self {
            file.sync_data()?;
        }
        Ok(())
    }
}

fn at(slot: Slot) -> u64 {
    (slot as u64).saturating_mul(KEY as u64)
}

fn fill(out: &mut [u8]) -> io::Result<()> {
    random::fill(out).map_err(io::Error::other)
}
