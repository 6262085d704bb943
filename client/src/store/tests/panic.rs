//! A panic, interrupted wherever it may be.

use super::*;

/// A panic's steps until it has none left.
fn steps(dir: &Path) -> usize {
    let copy = Store::killed(dir);
    let mut panic = Destruction::of(copy.path()).unwrap();
    std::iter::repeat_with(|| panic.step()).take_while(|done| *done).count()
}

/// Steps and overwritten bytes until the passphrase opens nothing any more.
fn until_nothing_opens(dir: &Path) -> (usize, u64) {
    let mut panic = Destruction::of(dir).unwrap();
    let done = (1..).find(|_| panic.step() && Vault::open(dir, &pass("right")).is_err()).unwrap();
    (done, panic.overwritten())
}

#[test]
fn a_panic_that_ends_after_any_step_leaves_nothing_that_opens() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    put(&mut store, b"kept");
    fs::write(dir.path().join(vault::NEW_NAME), fs::read(dir.path().join(vault::NAME)).unwrap()).unwrap();
    let all = steps(dir.path());
    assert!(all > 8, "{all}");
    for done in 0..=all {
        let copy = Store::killed(dir.path());
        let header = fs::read(copy.path().join(vault::NAME)).unwrap();
        let mut panic = Destruction::of(copy.path()).unwrap();
        (0..done).for_each(|_| assert!(panic.step()));
        drop(panic);
        let opened = Store::open(copy.path(), &pass("right"));
        if done == 0 {
            assert_eq!(get(&mut opened.unwrap()), Some(b"kept".to_vec()));
            continue;
        }
        let error = opened.unwrap_err();
        assert!(matches!(error, StoreError::WrongPassphrase | StoreError::NotFound), "{done}: {error:?}");
        // Nor does what a creation that was cut short may have left of one.
        if done > 2 {
            assert!(files(copy.path()).iter().all(|(_, bytes)| *bytes != header), "{done}");
        }

        // It goes on where it was, or there is nothing left of it; and then it is as before the first run.
        if let Ok(again) = Destruction::of(copy.path()) {
            again.run().unwrap();
        }
        assert_eq!(Destruction::of(copy.path()).unwrap_err(), StoreError::NotFound);
        Destruction::leave(copy.path()).unwrap();
        assert!(!copy.path().exists());
        put(&mut make(copy.path()), b"new");
        assert_eq!(get(&mut Store::open(copy.path(), &pass("right")).unwrap()), Some(b"new".to_vec()));
    }
}

#[test]
fn once_the_header_is_gone_a_new_profile_is_made_although_the_panic_went_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    put(&mut store, b"old");
    let (mut made, all) = (0, steps(dir.path()));
    for done in 1..=all {
        // As it is while it is open.
        let copy = Store::killed(dir.path());
        let mut panic = Destruction::of(copy.path()).unwrap();
        (0..done).for_each(|_| assert!(panic.step()));
        if copy.path().join(vault::NAME).exists() {
            continue;
        }
        assert_eq!(Store::open(copy.path(), &pass("right")).unwrap_err(), StoreError::NotFound);
        put(&mut make(copy.path()), b"new");
        assert_eq!(get(&mut Store::open(copy.path(), &pass("right")).unwrap()), Some(b"new".to_vec()));
        made += 1;
    }
    assert!(made > 3, "{made}");
}

#[test]
fn an_older_copy_of_the_header_opens_no_text_after_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let store = make(dir.path());
    let (header, keys) = (dir.path().join(vault::NAME), seeds_of(dir.path()));
    let copied = fs::read(&header).unwrap();
    let seeds = fs::read(&keys).unwrap();
    let mut panic = Destruction::of(dir.path()).unwrap();
    while panic.overwritten() < (copied.len() + 2 * seeds.len()) as u64 {
        assert!(panic.step());
    }
    // Not one seed is where it was, and the database is still there.
    let left = fs::read(&keys).unwrap();
    assert_eq!(left.len(), seeds.len());
    assert!(seeds.chunks(32).zip(left.chunks(32)).all(|(before, after)| before != after));
    drop(store);
    fs::write(&header, copied).unwrap();
    Store::open(dir.path(), &pass("right")).unwrap();
}

#[test]
fn a_large_profile_becomes_unreadable_in_as_few_steps_and_bytes_as_a_small_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let small = until_nothing_opens(Store::killed(dir.path()).path());
    for name in Side::BOTH.into_iter().flat_map(|side| [side.database(), side.seeds()]) {
        let file = fs::File::options().write(true).open(dir.path().join(name)).unwrap();
        file.set_len(300 << 20).unwrap();
    }
    assert_eq!(until_nothing_opens(dir.path()), small);
    assert_eq!(small, (1, 64 * 1024), "one write of the header's size");
}

#[test]
fn a_panic_needs_no_passphrase_and_no_lock_and_leaves_what_is_not_the_profiles() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    put(&mut store, b"kept");
    let others = dir.path().join("notes.txt");
    fs::write(&others, "mine").unwrap();
    Destruction::of(dir.path()).unwrap().run().unwrap();
    // Whoever has it open brings nothing back: there is nothing any more that SQLite would write to.
    let late: Result<(), StoreError> = store.transaction(|tx| tx.set_meta("test", b"late"));
    assert!(late.is_err());
    let _ = store.close();
    let names: Vec<String> = files(dir.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["lock", "notes.txt"]);
    Destruction::leave(dir.path()).unwrap();
    assert_eq!(fs::read(others).unwrap(), b"mine");
    assert_eq!(Destruction::of(dir.path()).unwrap_err(), StoreError::NotFound);
    assert_eq!(Destruction::of(&dir.path().join("none")).unwrap_err(), StoreError::NotFound);
}
