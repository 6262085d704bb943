use std::fs;
use std::path::{Path, PathBuf};

use beresta_proto::time::Timestamp;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use super::side::Side;
use super::*;

mod alert;
mod decoy;
mod duress;
mod events;
mod faults;
mod files;
mod header;
mod key_file;
mod numbers;
mod panic;
mod passphrase;
mod secrets;
mod seeds;
mod sides;
mod traces;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn pass(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

fn make(dir: &Path) -> Store {
    Store::create(dir, &pass("right"), KdfCost::FOR_TESTS, &mut rng()).unwrap()
}

/// Where the database of the profile in `dir` is.
fn database(dir: &Path) -> PathBuf {
    dir.join(own(dir).database())
}

/// Where its seeds are.
fn seeds_of(dir: &Path) -> PathBuf {
    dir.join(own(dir).seeds())
}

fn own(dir: &Path) -> Side {
    Vault::open(dir, &pass("right")).unwrap().1.side().unwrap()
}

fn put(store: &mut Store, value: &[u8]) {
    store.transaction(|tx| tx.set_meta("test", value)).unwrap();
}

fn get(store: &mut Store) -> Option<Vec<u8>> {
    store.transaction(|tx| tx.meta("test")).unwrap()
}

/// Every file of a profile but the lock, by name, with its bytes.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

fn assert_unchanged(dir: &Path, before: &[(String, Vec<u8>)]) {
    let after = files(dir);
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(before), names(&after));
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        assert!(before == after, "{name} changed");
    }
}

#[test]
fn what_is_due_next_is_found_without_reading_every_message() {
    let mut store = Store::open_in_memory(&mut rng()).unwrap();
    // Each look asserts how it is done.
    let dues = store.transaction(|tx| {
        let last = Timestamp(1);
        Ok::<_, StoreError>([
            tx.next_expiry()?,
            tx.next_overdue(Timestamp(0), 0)?,
            tx.next_given_up()?,
            tx.next_outgoing(last)?,
        ])
    });
    assert_eq!(dues.unwrap(), [None; 4]);
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    put(&mut store, b"kept");
    drop(store);
    assert_eq!(get(&mut Store::open(dir.path(), &pass("right")).unwrap()), Some(b"kept".to_vec()));
}

#[test]
fn a_store_in_memory_works_like_one_on_disk() {
    let mut store = Store::open_in_memory(&mut rng()).unwrap();
    put(&mut store, b"kept");
    assert_eq!(get(&mut store), Some(b"kept".to_vec()));
    store.close().unwrap();
}

#[test]
fn an_error_or_a_panic_in_a_transaction_leaves_no_trace() {
    let mut store = Store::open_in_memory(&mut rng()).unwrap();
    put(&mut store, b"before");
    let refused: Result<(), StoreError> = store.transaction(|tx| {
        tx.set_meta("test", b"half")?;
        Err(StoreError::BadRow)
    });
    assert_eq!(refused, Err(StoreError::BadRow));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.transaction(|tx| -> Result<(), StoreError> {
            tx.set_meta("test", b"half")?;
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(get(&mut store), Some(b"before".to_vec()));
}

#[test]
fn a_wrong_passphrase_is_refused_and_changes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let before = files(dir.path());
    for wrong in ["wrong", "", "right "] {
        assert_eq!(Store::open(dir.path(), &pass(wrong)).unwrap_err(), StoreError::WrongPassphrase);
    }
    assert_unchanged(dir.path(), &before);
}

#[test]
fn a_second_handle_on_the_same_profile_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = make(dir.path());
    assert_eq!(Store::open(dir.path(), &pass("right")).unwrap_err(), StoreError::InUse);
    assert_eq!(
        Store::create(dir.path(), &pass("other"), KdfCost::FOR_TESTS, &mut rng()).unwrap_err(),
        StoreError::InUse
    );
    drop(store);
    Store::open(dir.path(), &pass("right")).unwrap();
}

#[test]
fn a_full_database_is_told_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    put(&mut store, b"kept");
    // A quota of SQLite's own stands in for the disk; client/tests/store.rs fills a real one where it may mount.
    store.conn.query_row("PRAGMA max_page_count = 20", [], |row| row.get::<_, i64>(0)).unwrap();
    let full = store.transaction(|tx| tx.set_meta("big", &vec![1; 6 << 20]));
    assert_eq!(full, Err(StoreError::Full));
    assert_eq!(get(&mut store), Some(b"kept".to_vec()));
    put(&mut store, b"goes on");
    drop(store);
    assert_eq!(get(&mut Store::open(dir.path(), &pass("right")).unwrap()), Some(b"goes on".to_vec()));
}

#[test]
fn a_step_that_goes_on_after_its_transaction_ended_keeps_nothing() {
    let mut store = Store::open_in_memory(&mut rng()).unwrap();
    // What SQLite does by itself after some failures of the disk.
    let step: Result<(), StoreError> = store.transaction(|tx| {
        tx.set_meta("test", b"first")?;
        tx.conn().execute_batch("ROLLBACK").unwrap();
        assert_eq!(tx.set_meta("test", b"second"), Err(StoreError::RolledBack));
        Ok(())
    });
    assert_eq!(step, Err(StoreError::RolledBack));
    assert_eq!(get(&mut store), None);
}

#[test]
fn where_no_profile_is_none_is_opened_and_none_is_made() {
    let dir = tempfile::tempdir().unwrap();
    for at in [dir.path().to_owned(), dir.path().join("missing")] {
        assert_eq!(Store::open(&at, &pass("right")).unwrap_err(), StoreError::NotFound);
    }
    assert!(files(dir.path()).is_empty());
}

#[test]
fn a_store_can_live_on_a_thread_of_its_own() {
    fn sent<T: Send>(_: &T) {}
    sent(&Store::open_in_memory(&mut rng()).unwrap());
}

#[test]
fn a_setting_that_did_not_take_is_noticed() {
    let store = Store::open_in_memory(&mut rng()).unwrap();
    let refused = sqlcipher::check(&store.conn, "synchronous", "0", false);
    assert_eq!(refused, Err(StoreError::Refused { setting: "synchronous" }));
}

#[test]
fn a_failed_migration_leaves_the_schema_as_it_was() {
    let mut store = Store::open_in_memory(&mut rng()).unwrap();
    let first = "CREATE TABLE a (x INTEGER NOT NULL) STRICT;";
    let before = migrate::version(&store.conn).unwrap();
    let mut steps = vec![""; usize::try_from(before).unwrap()];
    steps.push(first);
    migrate::run(&mut store.conn, &[&steps[..], &[first]].concat()).unwrap_err();
    assert_eq!(migrate::version(&store.conn).unwrap(), before);
    migrate::run(&mut store.conn, &steps).unwrap();
    assert_eq!(migrate::version(&store.conn).unwrap(), before + 1);
}

#[test]
fn rows_that_break_a_rule_or_do_not_read_back_are_typed_errors() {
    let mut store = Store::open_in_memory(&mut rng()).unwrap();
    let twice = store.transaction(|tx| {
        tx.run("INSERT INTO meta (key, value) VALUES ('a', x'00')", [])?;
        tx.run("INSERT INTO meta (key, value) VALUES ('a', x'01')", [])
    });
    assert_eq!(twice, Err(StoreError::Conflict));
    let short = store.transaction(|tx| {
        tx.set_meta("a", b"short")?;
        tx.one("SELECT value FROM meta", [], |row| row.get::<_, [u8; 32]>(0))
    });
    assert_eq!(short, Err(StoreError::BadRow));
}

#[test]
fn debug_output_of_secrets_shows_none() {
    let mut store = Store::open_in_memory(&mut rng()).unwrap();
    let master = MasterKey::generate(&mut rng());
    assert_eq!(format!("{:?}", pass("secret")), "Passphrase(..)");
    assert_eq!(format!("{master:?}"), "MasterKey(..)");
    assert_eq!(format!("{:?}", master.database_key().unwrap()), "DatabaseKey(..)");
    assert_eq!(format!("{store:?}"), "Store { on_disk: false, .. }");
    let tx = store.transaction(|tx| Ok::<_, StoreError>(format!("{tx:?}"))).unwrap();
    assert_eq!(tx, "Tx(..)");
}
