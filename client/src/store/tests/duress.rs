//! A duress passphrase beside the right one.

use super::*;

const BOTH: [Duress; 2] = [Duress::Cold, Duress::Wipe];

fn with_duress(dir: &Path, what: Duress) -> Store {
    let mut store = make(dir);
    put(&mut store, b"kept");
    store.set_duress(&pass("forced"), what, &mut rng()).unwrap();
    store
}

fn open(dir: &Path, text: &str) -> Result<Store, StoreError> {
    Store::open(dir, &pass(text))
}

#[test]
fn a_duress_passphrase_opens_nothing_changes_nothing_and_says_what_was_chosen() {
    for what in BOTH {
        let dir = tempfile::tempdir().unwrap();
        with_duress(dir.path(), what).close().unwrap();
        let before = files(dir.path());
        let times = || {
            let stat = |entry: fs::DirEntry| entry.metadata().unwrap().modified().unwrap();
            fs::read_dir(dir.path()).unwrap().map(|entry| stat(entry.unwrap())).collect::<Vec<_>>()
        };
        let times_before = times();
        for (text, error) in [
            ("forced", StoreError::Duress(what)),
            ("wrong", StoreError::WrongPassphrase),
            ("", StoreError::WrongPassphrase),
        ] {
            assert_eq!(open(dir.path(), text).unwrap_err(), error);
        }
        assert_unchanged(dir.path(), &before);
        assert_eq!(times(), times_before);
        let header = fs::metadata(dir.path().join(vault::NAME)).unwrap();
        assert_eq!(header.len(), 64 * 1024);
        let mut store = open(dir.path(), "right").unwrap();
        assert_eq!((get(&mut store), store.duress().unwrap()), (Some(b"kept".to_vec()), Some(what)));
    }
}

#[test]
fn whatever_the_passphrase_one_derivation_and_eight_trials_are_made() {
    for what in BOTH {
        let dir = tempfile::tempdir().unwrap();
        drop(with_duress(dir.path(), what));
        for text in ["right", "forced", "wrong", "", "right "] {
            let before = (kdf::RUNS.get(), vault::TRIALS.get());
            let _ = open(dir.path(), text).map(drop);
            assert_eq!((kdf::RUNS.get() - before.0, vault::TRIALS.get() - before.1), (1, 8), "{text}");
        }
    }
}

#[test]
fn a_duress_passphrase_works_while_another_has_the_profile_open() {
    let dir = tempfile::tempdir().unwrap();
    let _held = with_duress(dir.path(), Duress::Wipe);
    assert_eq!(open(dir.path(), "forced").unwrap_err(), StoreError::Duress(Duress::Wipe));
    // And a wrong one is called wrong as when nobody has it open.
    assert_eq!(open(dir.path(), "wrong").unwrap_err(), StoreError::WrongPassphrase);
    assert_eq!(open(dir.path(), "right").unwrap_err(), StoreError::InUse);
}

#[test]
fn another_duress_passphrase_takes_the_place_of_the_first_and_none_stays_after_its_removal() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = with_duress(dir.path(), Duress::Wipe);
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    // Wherever its slot falls: our own way in stays.
    for round in 0..12 {
        let what = BOTH[round % 2];
        let text = format!("forced {round}");
        store.set_duress(&pass(&text), what, &mut rng).unwrap();
        drop(store);
        assert_eq!(open(dir.path(), &text).unwrap_err(), StoreError::Duress(what));
        for old in ["forced".to_owned(), format!("forced {}", round.wrapping_sub(1))] {
            assert_eq!(open(dir.path(), &old).unwrap_err(), StoreError::WrongPassphrase);
        }
        store = open(dir.path(), "right").unwrap();
    }
    assert_eq!((store.remove_duress(), store.remove_duress()), (Ok(true), Ok(false)));
    assert_eq!(store.duress(), Ok(None));
    drop(store);
    assert_eq!(open(dir.path(), "forced 11").unwrap_err(), StoreError::WrongPassphrase);
    open(dir.path(), "right").unwrap();
}

#[test]
fn a_change_of_the_duress_passphrase_that_is_cut_short_leaves_none() {
    // Killed after the note, and after the slot.
    for slot_written in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = make(dir.path());
        let vault = &store.home.as_ref().unwrap().vault;
        let write = vault.prepare_duress(&pass("forced"), Duress::Wipe, &mut rng()).unwrap();
        let slot = u8::try_from(write.slot).unwrap();
        if slot_written {
            vault.write(&write).unwrap();
        }
        store.transaction(|tx| tx.set_meta("vault.duress", &[0, slot, 2])).unwrap();
        assert_eq!(store.duress(), Ok(None));
        drop(store);
        drop(open(dir.path(), "right").unwrap());
        assert_eq!(open(dir.path(), "forced").unwrap_err(), StoreError::WrongPassphrase);
        assert_eq!(open(dir.path(), "right").unwrap().remove_duress(), Ok(false));
    }
}

#[test]
fn neither_passphrase_becomes_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = with_duress(dir.path(), Duress::Wipe);
    let taken = Err(StoreError::PassphraseTaken);
    assert_eq!(store.change_passphrase(&pass("right"), &pass("forced"), &mut rng()), taken);
    assert_eq!(
        store.change_passphrase(&pass("forced"), &pass("new"), &mut rng()),
        Err(StoreError::WrongPassphrase)
    );
    assert_eq!(store.set_duress(&pass("right"), Duress::Cold, &mut rng()), taken);
    // That one took the first away; nothing is left half.
    assert_eq!(store.duress(), Ok(None));
    store.set_duress(&pass("forced"), Duress::Cold, &mut rng()).unwrap();
    store.change_passphrase(&pass("right"), &pass("right"), &mut rng()).unwrap();
    store.change_passphrase(&pass("right"), &pass("new"), &mut rng()).unwrap();
    drop(store);
    assert_eq!(open(dir.path(), "forced").unwrap_err(), StoreError::Duress(Duress::Cold));
    open(dir.path(), "new").unwrap();
}
