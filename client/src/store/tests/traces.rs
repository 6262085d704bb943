//! What was deleted is in no page and in no journal.

use rusqlite::MAIN_DB;

use super::*;
use crate::store::body::Slot;

pub(super) fn count(bytes: &[u8], word: &[u8]) -> usize {
    memchr::memmem::find_iter(bytes, word).count()
}

/// What the files hold of one text: its sealed form, and the seed without which that is noise.
pub(crate) struct Trace {
    sealed: Vec<u8>,
    seed: Vec<u8>,
}

impl Store {
    /// What is there of each text that has `word` in it.
    pub(crate) fn traces(&mut self, word: &str) -> Vec<Trace> {
        let keys = self.keys.all();
        self.transaction(|tx| {
            let sql = "SELECT body, seed FROM message WHERE body IS NOT NULL UNION ALL SELECT body, seed FROM alert";
            let rows = tx.all(sql, [], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u32>(1)?))
            })?;
            let traces = rows.into_iter().filter_map(|(sealed, seed)| {
                let text = tx.keys().open_body(Slot(seed), &sealed).unwrap();
                let at = 32 * usize::try_from(seed).unwrap();
                text.contains(word).then(|| Trace { sealed, seed: keys[at..at + 32].to_vec() })
            });
            Ok::<_, StoreError>(traces.collect())
        })
        .unwrap()
    }

    /// How many of the sealed forms are in a page still, and how many of the seeds in the file of seeds.
    pub(crate) fn left_of(&mut self, traces: &[Trace]) -> (usize, usize) {
        let (pages, keys) = (self.pages(), self.keys.all());
        // A long text's is cut into pages: its front tells it from any other.
        let sealed = traces.iter().filter(|one| count(&pages, &one.sealed[..40]) > 0).count();
        (sealed, traces.iter().filter(|one| count(&keys, &one.seed) > 0).count())
    }

    /// Every page of the database decrypted, free ones too.
    pub(crate) fn pages(&mut self) -> Vec<u8> {
        let pages = self.conn.serialize(MAIN_DB).unwrap().to_vec();
        assert!(pages.starts_with(b"SQLite format 3"), "these are not decrypted pages");
        pages
    }

    /// Bytes of the journals in `dir`.
    pub(crate) fn journal_len(dir: &Path) -> u64 {
        let len = |side: Side| fs::metadata(dir.join(side.journal())).map_or(0, |file| file.len());
        Side::BOTH.into_iter().map(len).sum()
    }

    /// Puts the keys of texts of one profile in the place of another's.
    pub(crate) fn give_keys(from: &Path, to: &Path) {
        for side in Side::BOTH {
            fs::copy(from.join(side.seeds()), to.join(side.seeds())).unwrap();
        }
    }

    /// The profile as a killed process leaves it: its files as they are while it is open.
    pub(crate) fn killed(dir: &Path) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for (name, bytes) in files(dir) {
            fs::write(copy.path().join(name), bytes).unwrap();
        }
        copy
    }
}

/// 200 rows that say `KEEP-n` and 200 that say `GONE-n`, some in pages of their own.
fn fill(store: &mut Store) {
    store
        .transaction(|tx| {
            tx.conn().execute_batch(
                "CREATE TABLE talk (id INTEGER PRIMARY KEY, said TEXT NOT NULL, gone INTEGER NOT NULL) STRICT;
                 CREATE INDEX talk_said ON talk (said);",
            )
        .map_err(StoreError::from)
        })
        .unwrap();
    for n in 0..200 {
        for (word, gone) in [("KEEP", 0), ("GONE", 1)] {
            let said = format!("{word}-{n} ").repeat(if n % 50 == 0 { 2_000 } else { 3 });
            store
                .transaction(|tx| tx.run("INSERT INTO talk (said, gone) VALUES (?1, ?2)", (said, gone)))
                .unwrap();
        }
    }
}

#[test]
fn after_deletion_no_page_and_no_journal_holds_the_text() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    fill(&mut store);
    let before = store.pages();
    assert!(count(&before, b"GONE") >= 200 && count(&before, b"KEEP") >= 200);
    // Changed first, so that old versions of the rows have been written as well.
    store.transaction(|tx| tx.run("UPDATE talk SET said = 'GONE again ' || id WHERE gone = 1", [])).unwrap();
    store.transaction(|tx| tx.run("DELETE FROM talk WHERE gone = 1", [])).unwrap();

    assert_eq!(Store::journal_len(dir.path()), 0);
    let after = store.pages();
    assert_eq!(count(&after, b"GONE"), 0);
    assert!(count(&after, b"KEEP") >= 200, "the search does not find what was kept");
    // The pages that are free are still there, and empty: a file that shrank would tell that something went.
    let free: i64 = store.conn.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
    assert!(free > 0 && after.len() == before.len());

    // The file itself, opened afresh, says the same.
    store.close().unwrap();
    assert_eq!(Store::journal_len(dir.path()), 0);
    let reopened = Store::open(dir.path(), &pass("right")).unwrap().pages();
    assert_eq!(count(&reopened, b"GONE"), 0);
    assert!(count(&reopened, b"KEEP") >= 200);
}

#[test]
fn the_search_for_traces_finds_them_where_secure_deletion_is_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    store.conn.query_row("PRAGMA secure_delete = OFF", [], |row| row.get::<_, i64>(0)).unwrap();
    fill(&mut store);
    store.transaction(|tx| tx.run("DELETE FROM talk WHERE gone = 1 AND id % 3 = 0", [])).unwrap();
    let left = store.pages();
    let rows = store
        .transaction(|tx| tx.all("SELECT said FROM talk WHERE gone = 1", [], |row| row.get::<_, String>(0)))
        .unwrap();
    let in_rows: usize = rows.iter().map(|said| count(said.as_bytes(), b"GONE")).sum();
    assert!(count(&left, b"GONE") > 2 * in_rows, "row and index hold each once; the rest are traces");
}

#[test]
fn a_scrub_that_a_crash_or_a_full_disk_kept_from_happening_stays_due() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    fill(&mut store);
    assert!(!store.owes_scrub());
    let erase = |store: &mut Store, id: i64| {
        store.transaction(|tx| tx.erase("DELETE FROM talk WHERE id = ?1", [id])).unwrap()
    };
    // Nothing was there, nothing is owed; nor for what was rolled back.
    assert_eq!((erase(&mut store, 10_000), store.owes_scrub()), (0, false));
    let refused: Result<(), StoreError> = store.transaction(|tx| {
        tx.erase("DELETE FROM talk WHERE gone = 1", [])?;
        Err(StoreError::BadRow)
    });
    assert!(refused.is_err() && !store.owes_scrub());
    assert_eq!((erase(&mut store, 2), store.owes_scrub()), (1, true));

    // Killed before the scrub: the next opening knows no better than to owe it.
    let copy = Store::killed(dir.path());
    let mut reopened = Store::open(copy.path(), &pass("right")).unwrap();
    assert!(reopened.owes_scrub());
    reopened.scrub().unwrap();
    assert!(!reopened.owes_scrub() && Store::journal_len(copy.path()) == 0);

    // It fails while something still reads, as on a full disk, and succeeds later.
    store.conn.execute_batch("BEGIN; SELECT count(*) FROM talk;").unwrap();
    assert!(store.scrub().is_err() && store.owes_scrub());
    store.conn.execute_batch("ROLLBACK").unwrap();
    store.scrub().unwrap();
    assert!(!store.owes_scrub() && Store::journal_len(dir.path()) == 0);
}
