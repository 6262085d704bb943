//! A change of passphrase, also one that is interrupted.

use super::*;

fn opens(dir: &Path, passphrase: &str) -> bool {
    match Vault::open(dir, &pass(passphrase)) {
        Ok(_) => true,
        Err(StoreError::WrongPassphrase) => false,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn after_a_change_only_the_new_passphrase_opens() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    put(&mut store, b"kept");
    store.change_passphrase(&pass("right"), &pass("second"), &mut rng()).unwrap();
    store.change_passphrase(&pass("second"), &pass("third"), &mut rng()).unwrap();
    drop(store);
    assert_eq!(["right", "second", "third"].map(|p| opens(dir.path(), p)), [false, false, true]);
    assert_eq!(get(&mut Store::open(dir.path(), &pass("third")).unwrap()), Some(b"kept".to_vec()));
}

#[test]
fn a_change_overwrites_the_old_slot_where_it_lies_and_encrypts_nothing_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let path = dir.path().join(vault::NAME);
    let (slot, before) = (store.home.as_ref().unwrap().vault.slot(), fs::read(&path).unwrap());
    let old = &before[vault::HEAD_LEN + slot * vault::SLOT_LEN..][..vault::SLOT_LEN];
    let master = Vault::open(dir.path(), &pass("right")).unwrap().1;
    // Somebody who has the file open sees the change in it: it is the same file on the disk, not another of its name.
    let mut held = fs::File::open(&path).unwrap();
    store.change_passphrase(&pass("right"), &pass("second"), &mut rng()).unwrap();
    drop(store);
    let mut after = Vec::new();
    std::io::Read::read_to_end(&mut held, &mut after).unwrap();
    assert_eq!(after, fs::read(&path).unwrap());
    for part in old.chunks(16) {
        assert_eq!(traces::count(&after, part), 0, "a piece of the old slot is left");
    }
    assert_eq!(Vault::open(dir.path(), &pass("second")).unwrap().1.as_bytes(), master.as_bytes());
}

#[test]
fn a_change_needs_the_old_passphrase_and_without_it_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let before = files(dir.path());
    let refused = store.change_passphrase(&pass("wrong"), &pass("second"), &mut rng());
    assert_eq!(refused, Err(StoreError::WrongPassphrase));
    assert_unchanged(dir.path(), &before);
}

#[test]
fn a_change_touches_no_slot_of_another_pair() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let path = dir.path().join(vault::NAME);
    let before = fs::read(&path).unwrap();
    let pair = store.home.as_ref().unwrap().vault.slot() / 2;
    store.change_passphrase(&pass("right"), &pass("second"), &mut rng()).unwrap();
    let after = fs::read(&path).unwrap();
    let start = vault::HEAD_LEN + pair * 2 * vault::SLOT_LEN;
    let end = start + 2 * vault::SLOT_LEN;
    assert_eq!((&before[..start], &before[end..]), (&after[..start], &after[end..]));
    assert_ne!(before[start..start + vault::SLOT_LEN], after[start..start + vault::SLOT_LEN]);
    assert_ne!(before[start + vault::SLOT_LEN..end], after[start + vault::SLOT_LEN..end]);
}

/// Leaves a profile as a change from "right" to "second" does that is cut off after `bytes` written bytes.
fn interrupted(dir: &Path, bytes: usize) {
    let mut store = make(dir);
    put(&mut store, b"kept");
    let seed = [9; 32];
    let vault = &store.home.as_ref().unwrap().vault;
    let change = vault.prepare(&pass("right"), &pass("second"), &seed, &mut rng()).unwrap();
    store.transaction(|tx| tx.set_meta(open::CHANGE, &seed)).unwrap();
    let path = dir.join(vault::NAME);
    let mut header = fs::read(&path).unwrap();
    let mut left = bytes;
    for write in &change.writes {
        let part = left.min(write.bytes.len());
        let at = vault::HEAD_LEN + write.slot * vault::SLOT_LEN;
        header[at..at + part].copy_from_slice(&write.bytes[..part]);
        left -= part;
    }
    fs::write(&path, header).unwrap();
}

#[test]
fn a_change_interrupted_anywhere_leaves_a_way_in_and_then_only_one() {
    let slot = vault::SLOT_LEN;
    for (bytes, old_opens, new_opens) in [
        (0, true, false),
        (1, true, false),
        (512, true, false),
        (slot - 1, true, false),
        (slot, true, true),
        (slot + 1, false, true),
        (slot + 512, false, true),
        (2 * slot, false, true),
    ] {
        for first in ["right", "second"] {
            let dir = tempfile::tempdir().unwrap();
            interrupted(dir.path(), bytes);
            assert_eq!(["right", "second"].map(|p| opens(dir.path(), p)), [old_opens, new_opens], "{bytes}");
            if !opens(dir.path(), first) {
                continue;
            }
            let mut store = Store::open(dir.path(), &pass(first)).unwrap();
            assert_eq!(get(&mut store), Some(b"kept".to_vec()));
            assert_eq!(
                ["right", "second"].map(|p| opens(dir.path(), p)),
                [first == "right", first == "second"]
            );
            store.change_passphrase(&pass(first), &pass("third"), &mut rng()).unwrap();
            drop(store);
            assert_eq!(["right", "second", "third"].map(|p| opens(dir.path(), p)), [false, false, true]);
        }
    }
}

#[test]
fn composed_and_decomposed_letters_are_the_same_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let composed = "\u{439}\u{43e}\u{434} \u{451}\u{436}";
    let decomposed = "\u{438}\u{306}\u{43e}\u{434} \u{435}\u{308}\u{436}";
    drop(Store::create(dir.path(), &pass(composed), KdfCost::FOR_TESTS, &mut rng()).unwrap());
    Store::open(dir.path(), &pass(decomposed)).unwrap();
    assert!(pass("").is_empty() && !pass(" ").is_empty());
}

/// A key file, say, must not be given up for a change that came about.
#[test]
fn a_change_that_is_on_the_disk_is_not_called_failed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let run = |store: &mut Store, sql| store.transaction(|tx| tx.run(sql, []).map(drop)).unwrap();
    run(&mut store, "CREATE TRIGGER full BEFORE DELETE ON meta BEGIN SELECT RAISE(ABORT, 'no room'); END");
    store.change_passphrase(&pass("right"), &pass("other"), &mut rng()).unwrap();
    run(&mut store, "DROP TRIGGER full");
    drop(store);
    assert_eq!(Store::open(dir.path(), &pass("right")).unwrap_err(), StoreError::WrongPassphrase);
    drop(Store::open(dir.path(), &pass("other")).unwrap());
}
