//! Whose names are in the file (rule Q11). Under another secret a relay would find none of its queues, and nothing would say so:
//! clients would make others, and what waited would end unread.

use rusqlite::Connection;

use super::OpenError;
use crate::queue::KeyProof;

/// Refuses a file with the names of another secret. One that does not say whose they are, because it is new or of an earlier version,
/// says so from now on: whose else it may be is not known.
pub(super) fn prove(conn: &Connection, proof: KeyProof) -> Result<(), OpenError> {
    if check(conn, proof)? == Known::No {
        conn.execute("UPDATE held SET key_proof = ?1", [proof.0])?;
    }
    Ok(())
}

/// Whether a file says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    No,
}

/// Whether a file says whose names it has, and refuses it where they are another secret's. Changes nothing.
pub(super) fn check(conn: &Connection, proof: KeyProof) -> Result<Known, OpenError> {
    if !conn.column_exists(None, "held", "key_proof")? {
        return Ok(Known::No);
    }
    let known: Option<[u8; 32]> = conn.query_row("SELECT key_proof FROM held", [], |row| row.get(0))?;
    match known {
        None => Ok(Known::No),
        Some(known) if known == proof.0 => Ok(Known::Yes),
        Some(_) => Err(OpenError::QueueKey),
    }
}
