//! A file of zeros beside the queues, that is given up when the disk is full: deleting needs room in the log, and a full
//! disk that nothing can be deleted from would stay full. Without it nothing new is stored.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Bytes: what the write-ahead log holds before it is moved into the file.
const SIZE: u64 = 16 * 1_024 * 1_024;

/// The reserve.
pub(super) struct Reserve {
    path: PathBuf,
    held: bool,
}

impl Reserve {
    /// The reserve at `path`, made if there is room for it.
    pub(super) fn new(path: PathBuf) -> Self {
        let held = fs::metadata(&path).is_ok_and(|file| file.len() == SIZE);
        let mut reserve = Self { path, held };
        reserve.restore();
        reserve
    }

    /// Gives up the reserve at `path` before an engine has it, if the disk is full. Says whether it was there.
    pub(super) fn release_on_full_disk(path: &Path) -> bool {
        has_no_room(path) && fs::remove_file(path).is_ok()
    }

    /// Whether it is there, so that new things may be stored.
    pub(super) const fn is_held(&self) -> bool {
        self.held
    }

    /// Gives it up.
    pub(super) fn release(&mut self) {
        self.held = false;
        // It may have been given up before, and something else took the place.
        if fs::remove_file(&self.path).is_err_and(|error| error.kind() != ErrorKind::NotFound) {
            tracing::warn!("the reserve of the queues cannot be given up");
        }
    }

    /// Makes it again, if there is room.
    pub(super) fn restore(&mut self) {
        if self.held {
            return;
        }
        // A try that fails writes the disk full for a moment, for all who use it, and wears it out.
        if has_no_room(&self.path) {
            return;
        }
        // Written and not only sized: a file with a hole keeps no room.
        let written = super::private_file(&self.path).is_ok_and(|mut file| {
            let zeros = vec![0; 1 << 16];
            (0..SIZE / (1 << 16)).all(|_| file.write_all(&zeros).is_ok()) && file.sync_data().is_ok()
        });
        if written {
            self.held = true;
        } else {
            self.release();
        }
    }
}

/// Whether the disk has none for a reserve at `path`. Not where that can't be told.
fn has_no_room(path: &Path) -> bool {
    let free = path.parent().and_then(|folder| rustix::fs::statvfs(folder).ok());
    free.is_some_and(|free| free.f_bavail.saturating_mul(free.f_frsize) < SIZE + SIZE / 16)
}
