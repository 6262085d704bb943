//! What can go wrong with a store. Opaque: no path, size, SQL or text of the library underneath passes through it.

use rusqlite::ErrorCode;

/// Why the store could not do what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The person: no profile is there.
    #[error("no profile is there")]
    NotFound,
    /// The person: a profile is there already.
    #[error("a profile is there already")]
    AlreadyExists,
    /// Another process has the profile open.
    #[error("the profile is in use")]
    InUse,
    /// No slot opened: the passphrase is wrong, or the slots were overwritten. The header cannot tell which, because
    /// a slot in use looks like an unused one.
    #[error("the passphrase opens nothing")]
    WrongPassphrase,
    /// The person: the file is not one that was made as a key file: it has another length.
    #[error("the file is no key file")]
    NoKeyFile,
    /// It was the duress passphrase: what was chosen is to be done now, and nobody is to see by what is said that it was.
    #[error("the passphrase opens nothing")]
    Duress(super::Duress),
    /// The person: the passphrase does something else already.
    #[error("the passphrase is taken")]
    PassphraseTaken,
    /// The person: the duress passphrase was set by an earlier version, where a decoy has its place.
    #[error("the duress passphrase is in the way")]
    DuressInTheWay,
    /// The header is not one of ours: its length or its costs are impossible.
    #[error("the vault header is damaged")]
    DamagedHeader,
    /// The passphrase was right, but the database does not read as ours.
    #[error("the database is damaged")]
    Damaged,
    /// A newer program wrote the database, or the slot that opened; nothing was changed.
    #[error("the profile has version {found}, this program knows up to {known}")]
    Newer {
        /// The number in the file.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// The disk, a quota or the database's own limit is full. Nothing that was committed is lost.
    #[error("no space is left")]
    Full,
    /// The system does not let us read or write the profile.
    #[error("the system denied access")]
    Denied,
    /// The caller: a cost outside of what [`KdfCost`](super::KdfCost) allows.
    #[error("the key derivation's cost is out of range")]
    Cost,
    /// The machine has not the memory that the passphrase's derivation needs.
    #[error("not enough memory")]
    OutOfMemory,
    /// The caller: a row breaks a rule of its table (a unique key that is there already, for instance).
    #[error("a row breaks a rule of its table")]
    Conflict,
    /// The caller: an earlier failure in the same transaction ended it, and the caller went on. Nothing of it is kept.
    #[error("the transaction was rolled back before")]
    RolledBack,
    /// A row holds what its reader cannot take.
    #[error("a row does not read back")]
    BadRow,
    /// A setting that protects the store did not take; it was not opened.
    #[error("the setting {setting} did not take")]
    Refused {
        /// The pragma's name.
        setting: &'static str,
    },
    /// The file system failed in another way.
    #[error("the file system failed: {kind}")]
    Io {
        /// The kind of failure.
        kind: std::io::ErrorKind,
    },
    /// SQLite failed in another way.
    #[error("the database failed with code {code}")]
    Backend {
        /// SQLite's extended result code.
        code: i32,
    },
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorKind is open-ended")]
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::AlreadyExists => Self::AlreadyExists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Denied,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::Full,
            ErrorKind::OutOfMemory => Self::OutOfMemory,
            kind => Self::Io { kind },
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "both enums are open-ended")]
        match error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull => Self::Full,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::InUse,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
                ErrorCode::PermissionDenied | ErrorCode::ReadOnly => Self::Denied,
                ErrorCode::OutOfMemory => Self::OutOfMemory,
                ErrorCode::ConstraintViolation => Self::Conflict,
                _ => Self::Backend { code: failure.extended_code },
            },
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::ToSqlConversionFailure(..)
            | rusqlite::Error::QueryReturnedNoRows => Self::BadRow,
            _ => Self::Backend { code: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// What SQLite says with a code, and words of its own that may name a path or a value.
    fn told(code: i32) -> StoreError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(String::from("planted words"))).into()
    }

    #[test]
    fn whoever_tells_of_a_trouble_people_hear_what_they_can_do_about_it() {
        for (code, expected) in [
            (ffi::SQLITE_FULL, StoreError::Full),
            (ffi::SQLITE_BUSY, StoreError::InUse),
            (ffi::SQLITE_LOCKED, StoreError::InUse),
            (ffi::SQLITE_CORRUPT, StoreError::Damaged),
            (ffi::SQLITE_NOTADB, StoreError::Damaged),
            (ffi::SQLITE_PERM, StoreError::Denied),
            (ffi::SQLITE_READONLY, StoreError::Denied),
            (ffi::SQLITE_NOMEM, StoreError::OutOfMemory),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, StoreError::Conflict),
            (ffi::SQLITE_IOERR_FSYNC, StoreError::Backend { code: ffi::SQLITE_IOERR_FSYNC }),
        ] {
            assert_eq!(told(code), expected);
        }
        use std::io::ErrorKind;
        for (kind, expected) in [
            (ErrorKind::NotFound, StoreError::NotFound),
            (ErrorKind::AlreadyExists, StoreError::AlreadyExists),
            (ErrorKind::PermissionDenied, StoreError::Denied),
            (ErrorKind::ReadOnlyFilesystem, StoreError::Denied),
            (ErrorKind::StorageFull, StoreError::Full),
            (ErrorKind::QuotaExceeded, StoreError::Full),
            (ErrorKind::FileTooLarge, StoreError::Full),
            (ErrorKind::OutOfMemory, StoreError::OutOfMemory),
            (ErrorKind::TimedOut, StoreError::Io { kind: ErrorKind::TimedOut }),
        ] {
            assert_eq!(StoreError::from(std::io::Error::from(kind)), expected);
        }
    }

    #[test]
    fn no_word_of_the_library_passes_through() {
        for error in
            [told(ffi::SQLITE_ERROR), rusqlite::Error::InvalidColumnName(String::from("planted")).into()]
        {
            assert!(matches!(error, StoreError::Backend { .. }));
            assert!(!format!("{error} {error:?}").contains("planted"));
        }
    }
}
