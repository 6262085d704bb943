//! What a false world does to a store, before anything is concluded from it.

use super::*;

fn memory() -> Store {
    Store::open_in_memory(&mut rng()).unwrap()
}

#[test]
fn whichever_write_fails_nothing_of_a_transaction_is_kept() {
    let mut store = memory();
    put(&mut store, b"before");
    let mut failed = 0;
    loop {
        store.fail_write(Some(failed));
        let outcome = store.transaction(|tx| {
            tx.set_meta("test", b"after")?;
            tx.set_meta("other", b"after")
        });
        if store.fail_write(None) {
            // There were fewer.
            assert_eq!(outcome, Ok(()));
            break;
        }
        assert!(matches!(outcome, Err(StoreError::Io { .. })));
        assert_eq!(get(&mut store), Some(b"before".to_vec()));
        failed += 1;
    }
    assert_eq!(failed, 3, "two writes and the commit");
    assert_eq!(get(&mut store), Some(b"after".to_vec()));
}

#[test]
fn a_full_disk_takes_nothing_more_until_there_is_room() {
    let mut store = memory();
    put(&mut store, b"kept");
    store.fill_disk(true).unwrap();
    let big = |store: &mut Store| store.transaction(|tx| tx.set_meta("big", &[1; 200_000]));
    assert_eq!(big(&mut store), Err(StoreError::Full));
    assert_eq!(get(&mut store), Some(b"kept".to_vec()));
    store.fill_disk(false).unwrap();
    assert_eq!(big(&mut store), Ok(()));
}

#[test]
fn a_copy_stays_what_it_was() {
    let mut store = memory();
    put(&mut store, b"then");
    let mut copy = store.copy().unwrap();
    put(&mut store, b"now");
    assert_eq!(get(&mut copy), Some(b"then".to_vec()));
    put(&mut copy, b"another way");
    copy.scrub().unwrap();
    assert_eq!(get(&mut store), Some(b"now".to_vec()));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(make(dir.path()).copy().unwrap_err(), StoreError::NotFound);
}
