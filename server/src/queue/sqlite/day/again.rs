//! Finds keys again whose rows a damaged file lost, or says wrongly.

use std::path::Path;

use rusqlite::{Connection, Row as Found, params};

use super::seeds::{SLOTS, Seeds, Slot};
use super::{LISTED, prove};
use crate::queue::sqlite::OpenError;
use crate::queue::sqlite::schema::int;
use crate::queue::sqlite::seal::Row;
use crate::queue::{BlobName, QueueRef};

/// Whether something waits, and no key is known that could open any of it.
const OPENS_NOTHING: &str = "SELECT NOT EXISTS (SELECT 1 FROM day_key WHERE over = 0)
    AND (EXISTS (SELECT 1 FROM message WHERE day IS NOT NULL) OR EXISTS (SELECT 1 FROM blob WHERE day IS NOT NULL))";

/// Forgets rows that no key in the file at `path` bears out, and finds the keys of days again that have none then. Whether none
/// was missing. `lost`: rows were, before that.
///
/// # Errors
/// [`OpenError::Keys`] if the file is not there, can't be read, is not one of keys, or has the keys of others.
pub(in crate::queue::sqlite) fn find_again(
    conn: &Connection,
    path: &Path,
    lost: bool,
) -> Result<bool, OpenError> {
    let seeds = Seeds::look(path)?;
    let borne_out = forget_unproven(conn, &seeds)?;
    if borne_out && !lost {
        return Ok(true);
    }
    find(conn, &seeds)?;
    // To go on would destroy them, and drop what opens once the right ones were put back.
    if !lost && conn.query_row(OPENS_NOTHING, [], |row| row.get(0))? {
        return Err(OpenError::Keys);
    }
    Ok(false)
}

/// Whether all rows were borne out.
fn forget_unproven(conn: &Connection, seeds: &Seeds) -> Result<bool, OpenError> {
    let mut listed = conn.prepare(LISTED)?;
    let row = |row: &Found<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let rows: Vec<(i64, i64, Vec<u8>, i64)> = listed.query_map([], row)?.collect::<Result<_, _>>()?;
    let mut all = true;
    for (day, number, proof, over) in rows {
        let slot = Slot::try_from(number).ok().filter(|slot| *slot < SLOTS);
        let stands = match (slot, over) {
            (Some(slot), 0) => prove(&seeds.key(slot).map_err(|_| OpenError::Keys)?, day, proof).is_ok(),
            // It may have been written over.
            (Some(_), over) => over == 1,
            (None, _) => false,
        };
        if !stands {
            conn.execute("DELETE FROM day_key WHERE day = ?1", [day])?;
            all = false;
        }
    }
    Ok(all)
}

/// Which of the seeds is a day's shows what lies sealed under it.
fn find(conn: &Connection, seeds: &Seeds) -> Result<(), OpenError> {
    let of_all = "SELECT day, queue, sequence, name, NULL, envelope, min(id) FROM message
            WHERE day IS NOT NULL AND day NOT IN (SELECT day FROM day_key) GROUP BY day
        UNION ALL SELECT day, 0, 0, 0, name, sealed, min(name) FROM blob
            WHERE day IS NOT NULL AND day NOT IN (SELECT day FROM day_key) GROUP BY day";
    let mut samples = conn.prepare(of_all)?;
    let mut rows = samples.query([])?;
    while let Some(row) = rows.next()? {
        let (day, blob): (i64, Option<[u8; 32]>) = (row.get(0)?, row.get(4)?);
        let blob = blob.map(BlobName);
        let place = match &blob {
            Some(name) => Row::Blob(name),
            None => Row::Message {
                queue: QueueRef(row.get(1)?),
                sequence: row.get::<_, i64>(2)?.unsigned_abs(),
                name: row.get(3)?,
            },
        };
        let body: Vec<u8> = row.get(5)?;
        for slot in 0..SLOTS {
            let key = seeds.key(slot).map_err(|_| OpenError::Keys)?;
            if key.open(place, body.clone()).is_some() {
                let proof = key.seal(Row::Proof { day }, &[]).map_err(rusqlite::Error::from)?;
                let named = "INSERT OR IGNORE INTO day_key (day, slot, proof) VALUES (?1, ?2, ?3)";
                conn.execute(named, params![day, int(slot as u64), proof])?;
                break;
            }
        }
    }
    Ok(())
}
