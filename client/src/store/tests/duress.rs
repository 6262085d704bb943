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

const NOTE: &str = "vault.duress";

#[test]
fn a_change_of_the_duress_passphrase_that_is_cut_short_leaves_the_one_before_or_the_new_one() {
    // Killed after the note, in the middle of the slot, after it, and after the one before was overwritten.
    for step in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let mut store = with_duress(dir.path(), Duress::Wipe);
        let before = usize::from(store.transaction(|tx| tx.meta(NOTE)).unwrap().unwrap()[1]);
        let vault = &store.home.as_ref().unwrap().vault;
        let write = vault.prepare_duress(&pass("new"), Duress::Cold, Some(before), &mut rng()).unwrap();
        let (slot, half) = (write.slot, write.bytes[..2_000].to_vec());
        assert_eq!(slot, before ^ 1);
        let note = super::super::duress::note_coming(&write, Duress::Cold).unwrap();
        match step {
            0 => {}
            1 => vault.write(&vault::SlotWrite { slot, bytes: half }).unwrap(),
            2 => vault.write(&write).unwrap(),
            _ => vault.replace(&write, &mut rng()).unwrap(),
        }
        store.transaction(|tx| tx.set_meta(NOTE, &note)).unwrap();
        drop(store);
        let works = |text| matches!(open(dir.path(), text), Err(StoreError::Duress(_)));
        assert_eq!((works("forced"), works("new")), (step < 3, step > 1), "{step}");
        // Whoever opens the profile ends the change.
        assert_eq!(open(dir.path(), "right").unwrap().duress(), Ok(Some(Duress::Cold)));
        assert_eq!((works("forced"), works("new")), (false, true), "{step}");
    }
}

#[test]
fn a_removal_of_the_duress_passphrase_that_is_cut_short_leaves_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = with_duress(dir.path(), Duress::Wipe);
    let slot = store.transaction(|tx| tx.meta(NOTE)).unwrap().unwrap()[1];
    store.transaction(|tx| tx.set_meta(NOTE, &[0, slot, 0])).unwrap();
    assert_eq!(store.duress(), Ok(None));
    drop(store);
    drop(open(dir.path(), "right").unwrap());
    assert_eq!(open(dir.path(), "forced").unwrap_err(), StoreError::WrongPassphrase);
    assert_eq!(open(dir.path(), "right").unwrap().remove_duress(), Ok(false));
}

#[test]
fn a_duress_passphrase_that_is_refused_leaves_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = with_duress(dir.path(), Duress::Wipe);
    let header = || fs::read(dir.path().join(vault::NAME)).unwrap();
    let before = header();
    let refused = store.set_duress(&pass("right"), Duress::Cold, &mut rng());
    assert_eq!(refused, Err(StoreError::PassphraseTaken));
    assert_eq!((store.duress(), header() == before), (Ok(Some(Duress::Wipe)), true));
    // The same one may be set to do something else.
    store.set_duress(&pass("forced"), Duress::Cold, &mut rng()).unwrap();
    drop(store);
    assert_eq!(open(dir.path(), "forced").unwrap_err(), StoreError::Duress(Duress::Cold));
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
    assert_eq!(store.duress(), Ok(Some(Duress::Wipe)));
    store.set_duress(&pass("forced"), Duress::Cold, &mut rng()).unwrap();
    store.change_passphrase(&pass("right"), &pass("right"), &mut rng()).unwrap();
    store.change_passphrase(&pass("right"), &pass("new"), &mut rng()).unwrap();
    drop(store);
    assert_eq!(open(dir.path(), "forced").unwrap_err(), StoreError::Duress(Duress::Cold));
    open(dir.path(), "new").unwrap();
}
