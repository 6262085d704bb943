//! The writer's statements, prepared once.

use std::time::Duration;

use rusqlite::{Connection, Statement};

use super::schema::PATIENCE;

macro_rules! statements {
    ($($name:ident: $sql:expr;)*) => {
        /// Every statement of the writer.
        pub(super) struct Statements<'c> {
            conn: &'c Connection,
            $(pub(super) $name: Statement<'c>,)*
        }

        impl<'c> Statements<'c> {
            /// Prepares them.
            pub(super) fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
                Ok(Self { conn, $($name: conn.prepare($sql)?,)* })
            }
        }
    };
}

/// For how long a checkpoint waits for readers. Whoever counts in the file reads for seconds, and everybody's messages would wait
/// behind that. A log that could not be emptied is tried again soon.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(50);

impl Statements<'_> {
    /// Moves the log into the file and empties it, so that what was deleted is not in it any more. Whether it could.
    pub(super) fn empty_log(&mut self) -> bool {
        checkpoint(self.conn, &mut self.truncate)
    }

    /// Moves the log into the file and begins it again, but keeps its place on a full disk. Whether it could.
    pub(super) fn begin_log_again(&mut self) -> bool {
        checkpoint(self.conn, &mut self.restart)
    }
}

fn checkpoint(conn: &Connection, statement: &mut Statement<'_>) -> bool {
    let waits = conn.busy_timeout(CHECKPOINT_PATIENCE);
    let moved = statement.query_row([], |row| row.get::<_, i64>(0));
    conn.busy_timeout(PATIENCE).is_ok() && waits.is_ok() && matches!(moved, Ok(0))
}

statements! {
    begin: "BEGIN IMMEDIATE";
    commit: "COMMIT";
    rollback: "ROLLBACK";
    truncate: "PRAGMA wal_checkpoint(TRUNCATE)";
    restart: "PRAGMA wal_checkpoint(RESTART)";
    // Lays every row anew, in the order of the keys.
    lay_anew: "VACUUM";
    pages: "PRAGMA page_count";
    free_pages: "PRAGMA freelist_count";
    held: "SELECT used, swept, skipped FROM held";
    set_held: "UPDATE held SET used = ?1, swept = ?2, skipped = ?3";

    queue_exists: "SELECT EXISTS (SELECT 1 FROM queue WHERE id = ?1 OR send = ?2)";
    make_queue: "INSERT INTO queue (id, read, send, read_key, capability, ends)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    renew: "UPDATE queue SET ends = ?2 WHERE id = ?1 AND ends <> ?2";
    queues_from: "SELECT id, ends FROM queue WHERE id >= ?1 ORDER BY id LIMIT ?2";
    queue_by_send: "SELECT id, capability FROM queue WHERE send = ?1";
    is_queue: "SELECT EXISTS (SELECT 1 FROM queue WHERE id = ?1)";
    delete_queue: "DELETE FROM queue WHERE id = ?1";
    counter: "SELECT last, was_full FROM counter WHERE queue = ?1";
    set_counter: "INSERT INTO counter (queue, last, was_full) VALUES (?1, ?2, ?3)
        ON CONFLICT (queue) DO UPDATE SET last = excluded.last, was_full = excluded.was_full";
    delete_counter: "DELETE FROM counter WHERE queue = ?1";

    places: "SELECT sequence, name, bucket FROM message WHERE queue = ?1 ORDER BY sequence";
    append: "INSERT INTO message (id, queue, sequence, name, bucket, envelope, day)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (id) DO NOTHING";
    waits_upto: "SELECT EXISTS (SELECT 1 FROM message WHERE queue = ?1 AND sequence <= ?2)";
    delete_upto: "DELETE FROM message WHERE queue = ?1 AND sequence <= ?2";
    delete_message: "DELETE FROM message WHERE id = ?1";
    of_place: "SELECT id, day, envelope FROM message WHERE queue = ?1 AND sequence = ?2 AND name = ?3";
    between: "SELECT id, queue, sequence, name, day, envelope FROM message WHERE id >= ?1 AND id < ?2
        ORDER BY id";
    ended_messages: "SELECT id, queue, sequence FROM message WHERE id < ?1 LIMIT ?2";

    next_midnight: "SELECT min(ends) FROM tombstone WHERE ends > ?1";
    is_buried: "SELECT EXISTS (SELECT 1 FROM tombstone WHERE ends = ?1 AND queue = ?2 AND name = ?3)";
    count_buried: "SELECT count(*) FROM tombstone WHERE ends = ?1 AND queue = ?2";
    unbury: "DELETE FROM tombstone WHERE ends = ?1 AND queue = ?2 AND name = ?3";
    delete_tombstones: "DELETE FROM tombstone WHERE ends = ?1 AND queue = ?2 AND name IN
        (SELECT name FROM tombstone WHERE ends = ?1 AND queue = ?2 LIMIT ?3)";
    expire_tombstones: "DELETE FROM tombstone WHERE (ends, queue, name) IN
        (SELECT ends, queue, name FROM tombstone WHERE ends <= ?1 LIMIT ?2) RETURNING queue";
    bury: "INSERT INTO tombstone (ends, queue, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    fresh: "SELECT keys FROM fresh_tombstones";
    set_fresh: "UPDATE fresh_tombstones SET keys = ?1";

    days: super::day::LISTED;
    name_day: "INSERT INTO day_key (day, slot, proof) VALUES (?1, ?2, ?3)
        ON CONFLICT (day) DO UPDATE SET slot = excluded.slot, proof = excluded.proof, over = 0";
    end_day: "UPDATE day_key SET over = 1 WHERE day = ?1";
    forget_days: "DELETE FROM day_key WHERE over = 1";

    blob: "SELECT owner, ends, claimant, sealed, day FROM blob WHERE name = ?1";
    put_blob: "INSERT INTO blob (name, owner, ends, claimant, sealed, day) VALUES (?1, ?2, ?3, x'', ?4, ?5)";
    claim_blob: "UPDATE blob SET claimant = ?2 WHERE name = ?1";
    delete_blob: "DELETE FROM blob WHERE name = ?1";
    credit: "SELECT name, makes, ends FROM credit WHERE id = ?1";
    credits: "SELECT count(*) FROM credit WHERE ends > ?1";
    grant: "INSERT INTO credit (id, name, makes, ends) VALUES (?1, ?2, ?3, ?4)";
    spend: "UPDATE credit SET makes = ?2 WHERE id = ?1";
    handed: "SELECT name, makes, ends FROM handed_credit WHERE id = ?1";
    hand_on: "INSERT INTO handed_credit (id, name, makes, ends) VALUES (?1, ?2, ?3, ?4)";
    spend_handed: "UPDATE handed_credit SET makes = ?2 WHERE id = ?1";
    forget_used: "DELETE FROM handed_credit WHERE id = ?1 AND makes = 0";
    expire_handed: "DELETE FROM handed_credit WHERE id IN
        (SELECT id FROM handed_credit WHERE ends <= ?1 LIMIT ?2)";
    revoke: "DELETE FROM credit WHERE id = ?1";
    expire_credits: "DELETE FROM credit WHERE ends <= ?1";
    expire_blobs: "DELETE FROM blob WHERE name IN (SELECT name FROM blob WHERE ends <= ?1 LIMIT ?2)";
}
