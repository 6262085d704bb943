use std::fs;
use std::path::Path;

use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use super::*;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn pass(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

fn make(dir: &Path) -> Store {
    Store::create(dir, &pass("right"), KdfCost::FOR_TESTS, &mut rng()).unwrap()
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
    store.checkpoint_and_truncate().unwrap();
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
    assert_eq!(files(dir.path()), before);
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
