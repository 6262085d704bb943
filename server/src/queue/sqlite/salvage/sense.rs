//! What can be read and says what no row of ours does. A relay that goes by it does not start, or fails for one queue for as
//! long as the row is there.

use beresta_proto::envelope::Bucket;
use rusqlite::Connection;

/// No queue gives so many places. Behind the largest number that SQLite has each would be the same.
const PLACES: i64 = 1 << 53;
/// Keys of messages' rows have no room for a later hour.
const HOURS: i64 = 1 << 23;

/// Drops it. The tables in which there was some: what is derived of them is not known then.
pub(super) fn drop_nonsense(new: &Connection) -> rusqlite::Result<Vec<&'static str>> {
    let codes: Vec<String> = Bucket::ALL.iter().map(|bucket| bucket.code().to_string()).collect();
    let (codes, days) = (codes.join(", "), HOURS / 24);
    let counts = |table| format!("DELETE FROM {table} WHERE makes NOT BETWEEN 0 AND {}", u32::MAX);
    let mut nonsense = Vec::new();
    for (table, sql) in [
        (
            "message",
            format!(
                "DELETE FROM message WHERE bucket NOT IN ({codes}) OR sequence NOT BETWEEN 1 AND {PLACES}"
            ),
        ),
        ("counter", format!("DELETE FROM counter WHERE last NOT BETWEEN 0 AND {PLACES}")),
        (
            "fresh_tombstones",
            "UPDATE fresh_tombstones SET keys = substr(keys, 1, length(keys) / 24 * 24)
                WHERE length(keys) % 24 <> 0"
                .to_owned(),
        ),
        (
            // Below zero all queues would be over at once.
            "held",
            format!(
                "UPDATE held SET swept = NULL, skipped = 0
                WHERE swept NOT BETWEEN 0 AND {days} OR skipped NOT BETWEEN 0 AND {HOURS}"
            ),
        ),
        ("credit", counts("credit")),
        ("handed_credit", counts("handed_credit")),
    ] {
        if new.execute(&sql, [])? > 0 {
            nonsense.push(table);
        }
    }
    Ok(nonsense)
}

#[cfg(test)]
mod tests;
