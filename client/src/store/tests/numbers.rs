//! Numbers of rows: they rise, and none is used twice.

use super::*;

fn number(store: &mut Store) -> i64 {
    store.transaction(|tx| tx.number()).unwrap()
}

#[test]
fn no_number_is_used_twice_whatever_was_rolled_back_or_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let mut last = 0;
    for n in 0..1_000 {
        // Also the transaction that puts the next block aside, and parts of one.
        if n % 3 == 0 {
            let undone: Result<(), StoreError> = store.transaction(|tx| {
                last = tx.number()?;
                Err(StoreError::BadRow)
            });
            assert!(undone.is_err());
        }
        if n % 5 == 0 {
            store
                .transaction(|tx| {
                    let undone: Result<(), StoreError> = tx.all_or_nothing(|| {
                        last = tx.number()?;
                        Err(StoreError::BadRow)
                    });
                    assert!(undone.is_err());
                    Ok::<_, StoreError>(())
                })
                .unwrap();
        }
        let next = number(&mut store);
        assert!(next > last);
        last = next;
        if n % 100 == 99 {
            let copy = Store::killed(dir.path());
            let mut killed = Store::open(copy.path(), &pass("right")).unwrap();
            assert!(number(&mut killed) > last);
        }
    }
    store.close().unwrap();
    let mut store = Store::open(dir.path(), &pass("right")).unwrap();
    assert!(number(&mut store) > last);
}
