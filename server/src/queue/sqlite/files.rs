//! The files beside that of the queues, and who has them.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::OpenError;
use crate::home::Name;

/// Between two looks at a lock that is taken.
const LOOK: Duration = Duration::from_millis(50);

/// Keeps others from the file at `path`, as long as this is held.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let lock = private_file(&with_suffix(path, ".lock"))?;
    let mut looks = 0_u8;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            // Whoever only looks whether it is taken ([`SqliteEngine::is_in_use`]) holds it for a moment.
            Err(TryLockError::WouldBlock) if looks < 3 => {
                looks = looks.saturating_add(1);
                std::thread::sleep(LOOK);
            }
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse),
            Err(TryLockError::Error(error)) => return Err(OpenError::Io(error)),
        }
    }
}

/// Where the keys lie of the file at `path`.
pub(super) fn keys_of(path: &Path) -> PathBuf {
    path.with_file_name(Name::DayKeys.as_str())
}

/// Has the file at `path`, and those beside it, look as if they had been read and changed now: their times would tell the second in which
/// somebody last wrote or read. By name, because whoever opens and closes SQLite's file once more lets go of its locks.
pub(super) fn hide_last_change(path: &Path) {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let now = Timestamps { last_access: now, last_modification: now };
    for file in [path.to_owned(), with_suffix(path, "-wal"), with_suffix(path, "-shm"), keys_of(path)] {
        match utimensat(CWD, &file, &now, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(_) => {
                tracing::warn!(
                    "the times of the queues' files could not be set and tell when somebody last wrote or read: look by doctor who owns them"
                );
            }
        }
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn private_file(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(OpenError::Io)
}
