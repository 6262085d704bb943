//! Which operations need room on the disk, and which failures say that there is none.

use rusqlite::{ErrorCode, ffi};

use crate::queue::Op;

/// Whether there may be no room. To SQLite a used-up quota is a write that failed, for whatever reason.
pub(super) fn may_be_full(error: &rusqlite::Error) -> bool {
    const WRITES: [i32; 3] = [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_SHMSIZE];
    error
        .sqlite_error()
        .is_some_and(|error| error.code == ErrorCode::DiskFull || WRITES.contains(&error.extended_code))
}

/// Whether an operation only makes room, or changes a row in its place. Such a one is never refused with
/// [`super::super::Answer::Full`].
pub(super) fn frees(op: &Op) -> bool {
    matches!(
        op,
        Op::Acknowledge { .. }
            | Op::DeleteQueue { .. }
            | Op::DeleteBlob { .. }
            | Op::ClaimBlob { .. }
            | Op::Renew { .. }
            | Op::Expire { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_quota_is_taken_for_a_full_disk_and_a_bad_sector_is_not() {
        let full = |code| may_be_full(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(full(ffi::SQLITE_FULL) && full(ffi::SQLITE_IOERR_WRITE) && full(ffi::SQLITE_IOERR_FSYNC));
        assert!(!full(ffi::SQLITE_IOERR_READ) && !full(ffi::SQLITE_CORRUPT) && !full(ffi::SQLITE_CONSTRAINT));
    }
}
