//! The mark of a relay that is exported to run elsewhere. It is on the disk before the file is, and keeps the relay from running
//! whatever it says; what it says tells its operator whether a whole file was ever there.

use crate::home::{Home, HomeError, Name};

const BEGUN: &[u8] = b"begun\n";
const DONE: &[u8] = b"done\n";

/// How far the export came that left the mark. With neither does the relay run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is under way, or was cut short: most likely no file is whole. One may be, of which nobody was told.
    Begun,
    /// Its file was whole, and on the disk.
    Done,
}

impl Mark {
    /// The mark in a folder, if there is one. Whatever does not plainly say that nothing was finished says that a file may be
    /// whole: a mark of an earlier version, in which nothing is, or one that can't be read.
    #[must_use]
    pub fn of(home: &Home) -> Option<Self> {
        let begun = || home.read(Name::Moved).is_ok_and(|bytes| bytes.as_slice() == BEGUN);
        home.has(Name::Moved).then(|| if begun() { Self::Begun } else { Self::Done })
    }

    /// Leaves it, through to the disk. That an earlier export is done stays: its file may be anywhere.
    pub(super) fn leave(self, home: &Home) -> Result<(), HomeError> {
        match (Self::of(home), self) {
            (Some(Self::Done), _) | (Some(Self::Begun), Self::Begun) => Ok(()),
            (None, Self::Begun) => home.replace(Name::Moved, BEGUN),
            (Some(Self::Begun) | None, Self::Done) => home.replace(Name::Moved, DONE),
        }
    }

    /// Puts back what was there before an export of which no file is left.
    pub(super) fn put_back(before: Option<Self>, home: &Home) -> Result<(), HomeError> {
        match before {
            None => home.remove(Name::Moved),
            Some(Self::Begun) if Self::of(home) == Some(Self::Done) => home.replace(Name::Moved, BEGUN),
            Some(Self::Begun | Self::Done) => Ok(()),
        }
    }
}
