//! Finds keys again whose rows a damaged file lost, or says wrongly.

use std::path::Path;

use rusqlite::{Connection, Row as Found, params};

use super::seeds::{SLOTS, Seeds, Slot};
use super::{LISTED, first_hour, of, prove};
use crate::queue::sqlite::schema::int;
use crate::queue::sqlite::seal::Row;
use crate::queue::sqlite::{OpenError, row};
use crate::queue::{BlobName, QueueRef};

/// Rows of a day at which a key is tried: some of them may be damaged, or open with none.
const TRIED: usize = 64;
/// Whether a key is listed that is not over.
const LISTS_ONE: &str = "SELECT EXISTS (SELECT 1 FROM day_key WHERE over = 0)";
/// Whether something waits that a key opens.
const WAITS: &str = "SELECT EXISTS (SELECT 1 FROM message WHERE day IS NOT NULL) OR EXISTS (SELECT 1 FROM blob WHERE day IS NOT NULL)";

/// Forgets rows that no key in the file at `path` bears out, and finds the keys of days again that have none then. Whether none
/// was missing. `lost`: rows were, before that.
///
/// # Errors
/// [`OpenError::Keys`] if the file is not there although something waits, can't be read, is not one of keys, or has the keys of
/// others.
pub(in crate::queue::sqlite) fn find_again(
    conn: &Connection,
    path: &Path,
    lost: bool,
) -> Result<bool, OpenError> {
    let is = |what: &str| conn.query_row(what, [], |row| row.get::<_, bool>(0));
    let expected = is(LISTS_ONE)? || lost && is(WAITS)?;
    if !expected && matches!(path.try_exists(), Ok(false)) {
        // Those of days that are over: the start takes any for one whose key has to be there.
        conn.execute("DELETE FROM day_key", [])?;
        return Ok(!lost);
    }
    let seeds = Seeds::look(path)?;
    let borne_out = forget_unproven(conn, &seeds)?;
    if borne_out && !lost {
        return Ok(true);
    }
    find(conn, &seeds)?;
    // To go on would destroy what is in it: the next start begins a file anew of which nothing is listed. It may be another relay's.
    if expected && !is(LISTS_ONE)? {
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

/// Which of the seeds is a day's shows what lies sealed under it. Bodies are read one at a time: together they are more than memory.
fn find(conn: &Connection, seeds: &Seeds) -> Result<(), OpenError> {
    let mut next = conn.prepare("SELECT min(id) FROM message WHERE id >= ?1")?;
    let mut of_day = conn.prepare(
        "SELECT queue, sequence, name, envelope FROM message
        WHERE id >= ?1 AND id < ?2 AND day = ?3 AND day NOT IN (SELECT day FROM day_key) LIMIT ?4",
    )?;
    let mut from = 0_i64;
    while let Some(first) = next.query_row([from], |row| row.get::<_, Option<i64>>(0))? {
        let day = of(row::ends(first));
        from = row::first_of(first_hour(day.saturating_add(1)));
        let mut rows = of_day.query(params![first, from, day, int(TRIED as u64)])?;
        while let Some(found) = rows.next()? {
            let queue = QueueRef(found.get(0)?);
            let sequence = found.get::<_, i64>(1)?.unsigned_abs();
            let place = Row::Message { queue, sequence, name: found.get(2)? };
            if name(conn, seeds, day, place, &found.get::<_, Vec<u8>>(3)?)? {
                break;
            }
        }
        if from <= first {
            break;
        }
    }
    let mut blobs = conn.prepare(
        "SELECT day, min(name), max(name) FROM blob
        WHERE day IS NOT NULL AND day NOT IN (SELECT day FROM day_key) GROUP BY day",
    )?;
    let days = blobs.query_map([], |row| Ok((row.get(0)?, [row.get(1)?, row.get(2)?])))?;
    for (day, names) in days.collect::<Result<Vec<(i64, [[u8; 32]; 2])>, _>>()? {
        for blob in names.map(BlobName) {
            let sealed = "SELECT sealed FROM blob WHERE name = ?1";
            let sealed: Vec<u8> = conn.query_row(sealed, [blob.0], |row| row.get(0))?;
            if name(conn, seeds, day, Row::Blob(&blob), &sealed)? {
                break;
            }
        }
    }
    Ok(())
}

/// Lists the key that opens what lies there, as a day's. Whether there is one.
fn name(conn: &Connection, seeds: &Seeds, day: i64, at: Row<'_>, body: &[u8]) -> Result<bool, OpenError> {
    for slot in 0..SLOTS {
        let key = seeds.key(slot).map_err(|_| OpenError::Keys)?;
        if key.open(at, body.to_vec()).is_some() {
            let proof = key.seal(Row::Proof { day }, &[]).map_err(rusqlite::Error::from)?;
            let named = "INSERT OR IGNORE INTO day_key (day, slot, proof) VALUES (?1, ?2, ?3)";
            conn.execute(named, params![day, int(slot as u64), proof])?;
            return Ok(true);
        }
    }
    Ok(false)
}
