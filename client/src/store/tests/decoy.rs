//! A decoy beside a profile: each is whole, and nothing says which is which.

use super::*;

fn nothing(_: &Tx<'_>, _: &mut ChaCha20Rng) -> Result<(), StoreError> {
    Ok(())
}

fn open(dir: &Path, text: &str) -> Result<Store, StoreError> {
    Store::open(dir, &pass(text))
}

/// A profile and a decoy, either with a word in it.
fn with_decoy(dir: &Path) {
    let mut store = make(dir);
    put(&mut store, b"real");
    let fill = |tx: &Tx<'_>, _: &mut ChaCha20Rng| tx.set_meta("test", b"harmless");
    store.set_decoy(&pass("decoy"), &mut rng(), fill).unwrap();
    assert!(store.has_decoy().unwrap());
    store.close().unwrap();
}

#[test]
fn either_passphrase_opens_its_own_side_and_neither_reads_or_changes_the_other() {
    let dir = tempfile::tempdir().unwrap();
    with_decoy(dir.path());
    for round in 0..3_u8 {
        let mut store = open(dir.path(), "decoy").unwrap();
        assert_eq!(store.transaction(|tx| tx.meta("round")).unwrap(), round.checked_sub(1).map(|n| vec![n]));
        store.transaction(|tx| tx.set_meta("round", &[round])).unwrap();
        store.transaction(|tx| tx.set_meta("much", &vec![round; 2 << 20])).unwrap();
        assert_eq!(get(&mut store), Some(b"harmless".to_vec()));
        assert_eq!((store.has_decoy(), store.duress()), (Ok(false), Ok(None)), "the decoy knows of nothing");
        store.close().unwrap();

        let mut store = open(dir.path(), "right").unwrap();
        assert_eq!(get(&mut store), Some(b"real".to_vec()));
        assert_eq!(store.transaction(|tx| tx.meta("round")).unwrap(), None);
        store.transaction(|tx| tx.set_meta("much", &vec![round; 3 << 20])).unwrap();
        store.close().unwrap();
    }
}

#[test]
fn a_profile_with_a_decoy_has_the_files_of_one_without() {
    let (dir, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    with_decoy(dir.path());
    make(without.path()).close().unwrap();
    let shape =
        |dir: &Path| files(dir).into_iter().map(|(name, bytes)| (name, bytes.len())).collect::<Vec<_>>();
    assert_eq!(shape(dir.path()), shape(without.path()));
}

#[test]
fn the_folder_of_any_profile_is_as_old_as_its_last_opening() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path()).close().unwrap();
    let changed = || fs::metadata(dir.path()).unwrap().modified().unwrap();
    let made = changed();
    // The kernel's clock for files goes in steps of some milliseconds.
    while {
        drop(open(dir.path(), "right").unwrap());
        changed() == made
    } {}
    let before = changed();
    assert_eq!(open(dir.path(), "wrong").unwrap_err(), StoreError::WrongPassphrase);
    assert_eq!(changed(), before);
}

#[test]
fn what_is_done_with_the_decoy_open_leaves_the_profile_its_way_in() {
    // Wherever the slots fall.
    for seed in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut store = Store::create(dir.path(), &pass("right"), KdfCost::FOR_TESTS, &mut rng).unwrap();
        store.set_duress(&pass("forced"), Duress::Cold, &mut rng).unwrap();
        store.set_decoy(&pass("decoy"), &mut rng, nothing).unwrap();
        store.close().unwrap();
        let mut store = open(dir.path(), "decoy").unwrap();
        for round in 0..4 {
            store.set_duress(&pass(&format!("its own {round}")), Duress::Wipe, &mut rng).unwrap();
            let (old, new) = (format!("decoy {round}"), format!("decoy {}", round + 1));
            let old = if round == 0 { "decoy" } else { &*old };
            store.change_passphrase(&pass(old), &pass(&new), &mut rng).unwrap();
        }
        store.close().unwrap();
        assert_eq!(open(dir.path(), "forced").unwrap_err(), StoreError::Duress(Duress::Cold));
        assert_eq!(open(dir.path(), "its own 3").unwrap_err(), StoreError::Duress(Duress::Wipe));
        open(dir.path(), "decoy 4").unwrap();
        // And the profile can take it away, whatever its passphrase is now.
        let mut store = open(dir.path(), "right").unwrap();
        assert!(
            store.has_decoy().unwrap() && store.remove_decoy().unwrap() && !store.remove_decoy().unwrap()
        );
        drop(store);
        assert_eq!(open(dir.path(), "decoy 4").unwrap_err(), StoreError::WrongPassphrase);
    }
}

#[test]
fn nothing_of_a_decoy_that_was_removed_is_left_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    with_decoy(dir.path());
    let other = own(dir.path()).other();
    let before = [other.database(), other.seeds()].map(|name| fs::read(dir.path().join(name)).unwrap());
    open(dir.path(), "right").unwrap().remove_decoy().unwrap();
    for (name, before) in [other.database(), other.seeds()].into_iter().zip(before) {
        let after = fs::read(dir.path().join(name)).unwrap();
        assert_eq!(after.len(), before.len());
        assert!(after.chunks(32).zip(before.chunks(32)).all(|(one, other)| one != other), "{name}");
    }
    // Another one can be made then.
    let mut store = open(dir.path(), "right").unwrap();
    store.set_decoy(&pass("another"), &mut rng(), nothing).unwrap();
    drop(store);
    open(dir.path(), "another").unwrap();
}

#[test]
fn a_journal_of_a_decoy_that_was_killed_is_not_played_back_over_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    with_decoy(dir.path());
    let journal = dir.path().join(own(dir.path()).other().journal());
    fs::write(&journal, vec![7; 9_000]).unwrap();
    let mut store = open(dir.path(), "right").unwrap();
    store.remove_decoy().unwrap();
    assert_eq!(fs::metadata(&journal).unwrap().len(), 0);
    fs::write(&journal, vec![7; 9_000]).unwrap();
    store.set_decoy(&pass("another"), &mut rng(), nothing).unwrap();
    assert_eq!(fs::metadata(&journal).unwrap().len(), 0);
    drop(store);
    open(dir.path(), "another").unwrap();
}

#[test]
fn the_passphrase_of_the_other_side_changes_nothing_from_this_one() {
    let dir = tempfile::tempdir().unwrap();
    with_decoy(dir.path());
    let mut store = open(dir.path(), "right").unwrap();
    let refused = store.change_passphrase(&pass("decoy"), &pass("new"), &mut rng());
    assert_eq!(refused, Err(StoreError::WrongPassphrase));
    drop(store);
    open(dir.path(), "decoy").unwrap();
    open(dir.path(), "right").unwrap();
}

#[test]
fn a_decoy_is_refused_where_it_would_take_the_place_of_something() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    store.set_duress(&pass("forced"), Duress::Cold, &mut rng()).unwrap();
    for taken in ["right", "forced"] {
        let refused = store.set_decoy(&pass(taken), &mut rng(), nothing);
        assert_eq!(refused, Err(StoreError::PassphraseTaken));
    }
    store.set_decoy(&pass("decoy"), &mut rng(), nothing).unwrap();
    assert_eq!(store.set_decoy(&pass("second"), &mut rng(), nothing), Err(StoreError::AlreadyExists));
    let mut memory = Store::open_in_memory(&mut rng()).unwrap();
    assert_eq!(memory.set_decoy(&pass("decoy"), &mut rng(), nothing), Err(StoreError::NotFound));
}

#[test]
fn a_duress_passphrase_of_an_earlier_version_is_moved_out_of_the_decoys_half() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    store.set_duress(&pass("forced"), Duress::Cold, &mut rng()).unwrap();
    // As an earlier version may have drawn it.
    let far = store.home.as_ref().unwrap().vault.slot() ^ 4;
    let far = u8::try_from(far).unwrap();
    store.transaction(|tx| tx.set_meta("vault.duress", &[1, far, 1])).unwrap();
    assert_eq!(store.set_decoy(&pass("decoy"), &mut rng(), nothing), Err(StoreError::DuressInTheWay));
    store.set_duress(&pass("forced anew"), Duress::Wipe, &mut rng()).unwrap();
    store.set_decoy(&pass("decoy"), &mut rng(), nothing).unwrap();
    drop(store);
    assert_eq!(open(dir.path(), "forced anew").unwrap_err(), StoreError::Duress(Duress::Wipe));
    open(dir.path(), "decoy").unwrap();
    open(dir.path(), "right").unwrap();
}

#[test]
fn a_decoy_whose_making_is_cut_short_is_there_or_not_and_the_profile_opens() {
    const NOTE: &str = "vault.decoy";
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    put(&mut store, b"real");
    // Its first rows fail: nothing was made.
    let full = |_: &Tx<'_>, _: &mut ChaCha20Rng| Err(StoreError::Full);
    let names = || files(dir.path()).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let before = names();
    assert_eq!(store.set_decoy(&pass("decoy"), &mut rng(), full), Err(StoreError::Full));
    assert_eq!((store.has_decoy(), names()), (Ok(false), before));
    store.set_decoy(&pass("decoy"), &mut rng(), nothing).unwrap();
    let slot = store.transaction(|tx| tx.meta(NOTE)).unwrap().unwrap()[1];
    let header = fs::read(dir.path().join(vault::NAME)).unwrap();
    let at = 4096 * (1 + usize::from(slot));
    let bytes = header[at..at + 4096].to_vec();
    store.close().unwrap();
    // Killed after the note, in the middle of the slot, after it.
    for kept in [0, 2_000, 4_096] {
        let copy = Store::killed(dir.path());
        let mut cut = header.clone();
        cut[at + kept..at + 4096].fill(7);
        fs::write(copy.path().join(vault::NAME), cut).unwrap();
        let mut store = open(copy.path(), "right").unwrap();
        store.transaction(|tx| tx.set_meta(NOTE, &[&[2, slot], &bytes[..]].concat())).unwrap();
        drop(store);
        assert_eq!(open(copy.path(), "decoy").is_ok(), kept == 4_096);
        assert_eq!(get(&mut open(copy.path(), "right").unwrap()), Some(b"real".to_vec()));
        open(copy.path(), "decoy").unwrap();
    }
    // A removal is ended by the next opening.
    let mut store = open(dir.path(), "right").unwrap();
    store.transaction(|tx| tx.set_meta(NOTE, &[0, slot])).unwrap();
    drop(store);
    drop(open(dir.path(), "right").unwrap());
    assert_eq!(open(dir.path(), "decoy").unwrap_err(), StoreError::WrongPassphrase);
}

#[test]
fn whichever_of_the_two_is_opened_the_work_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    with_decoy(dir.path());
    let work = ["right", "decoy", "wrong"].map(|text| {
        let before = (kdf::RUNS.get(), vault::TRIALS.get());
        drop(open(dir.path(), text));
        (kdf::RUNS.get() - before.0, vault::TRIALS.get() - before.1)
    });
    assert_eq!(work, [(1, 8); 3]);
}
