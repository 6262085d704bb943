//! Why the file of the queues is not opened.

/// Why the file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another relay has it open.
    #[error("the queues are in use by another process")]
    InUse,
    /// A later version of the relay wrote it. It is never changed back.
    #[error("the queues were written by a newer version")]
    Newer,
    /// `day.keys` is not there, is damaged, or does not belong to these queues: what waits could not be opened.
    #[error("the keys of what waits are missing or are others")]
    Keys,
    /// The names in it are another secret's: none of the queues would be found.
    #[error("the names of the queues are another secret's")]
    QueueKey,
    /// Not a file of this engine, or damaged.
    #[error("the file of the queues is damaged or is not one")]
    Damaged,
    /// The file or its folder can't be read or written, or the disk is full.
    #[error("the file of the queues cannot be used: {0}")]
    Io(std::io::Error),
    /// SQLite refused for another reason.
    #[error("the file of the queues cannot be opened")]
    Sqlite,
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error, ErrorCode};
        // A number that this engine does not write.
        if matches!(error, Error::IntegralValueOutOfRange(..)) {
            return Self::Damaged;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged,
            Some(ErrorCode::DiskFull) => Self::Io(std::io::ErrorKind::StorageFull.into()),
            _ => Self::Sqlite,
        }
    }
}
