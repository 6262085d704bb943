//! The profile's files: how they come to be, whom they belong to, what they give away.

use super::*;

#[test]
#[cfg(unix)]
fn a_profile_belongs_to_its_owner_only_and_has_no_other_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("profile");
    let mut store = make(&dir);
    put(&mut store, b"kept");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let names: Vec<_> = files(&dir).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["keys.1", "keys.2", "lock", "store.1", "store.1-journal", "store.2", "store.2-journal", "vault.hdr"]
    );
    for name in names {
        assert_eq!(mode(&dir.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn no_file_holds_a_word_that_was_stored_or_the_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let word = b"Wiedersehensfreude".as_slice();
    put(&mut store, word);
    let master = Vault::open(dir.path(), &pass("right")).unwrap().1;
    for when in ["open", "closed"] {
        for (name, bytes) in files(dir.path()) {
            for secret in [word, b"right", master.as_bytes(), b"SQLite format 3"] {
                assert!(memchr::memmem::find(&bytes, secret).is_none(), "{name} while {when}");
            }
        }
        if when == "open" {
            drop(std::mem::replace(&mut store, Store::open_in_memory(&mut rng()).unwrap()));
        }
    }
}

#[test]
fn a_copied_profile_does_not_open_without_the_passphrase() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = make(dir.path());
    put(&mut store, b"kept");
    // Taken while it runs: the kernel's lock is not copied along.
    for (name, bytes) in files(dir.path()) {
        fs::write(copy.path().join(name), bytes).unwrap();
    }
    assert_eq!(Store::open(copy.path(), &pass("wrong")).unwrap_err(), StoreError::WrongPassphrase);
    assert_eq!(get(&mut Store::open(copy.path(), &pass("right")).unwrap()), Some(b"kept".to_vec()));

    // Nor does the database under another profile's header.
    let other = tempfile::tempdir().unwrap();
    let mut seeded = ChaCha20Rng::seed_from_u64(8);
    drop(Store::create(other.path(), &pass("right"), KdfCost::FOR_TESTS, &mut seeded).unwrap());
    fs::copy(database(dir.path()), database(other.path())).unwrap();
    assert_eq!(Store::open(other.path(), &pass("right")).unwrap_err(), StoreError::Damaged);
}

#[test]
fn a_profile_is_not_made_over_another() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let before = files(dir.path());
    let again = Store::create(dir.path(), &pass("other"), KdfCost::FOR_TESTS, &mut rng());
    assert_eq!(again.unwrap_err(), StoreError::AlreadyExists);
    assert_unchanged(dir.path(), &before);
}

#[test]
fn a_profile_has_its_first_rows_or_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let half = |tx: &Tx<'_>, _: &mut ChaCha20Rng| {
        tx.set_meta("test", b"half")?;
        Err(StoreError::Full)
    };
    let cut = Store::create_with(dir.path(), &pass("right"), KdfCost::FOR_TESTS, &mut rng(), half);
    assert_eq!(cut.unwrap_err(), StoreError::Full);
    assert_eq!(Store::open(dir.path(), &pass("right")).unwrap_err(), StoreError::NotFound);
    let whole = |tx: &Tx<'_>, _: &mut ChaCha20Rng| tx.set_meta("test", b"whole");
    drop(Store::create_with(dir.path(), &pass("other"), KdfCost::FOR_TESTS, &mut rng(), whole).unwrap());
    let mut store = Store::open(dir.path(), &pass("other")).unwrap();
    assert_eq!(store.transaction(|tx| tx.meta("test")).unwrap(), Some(b"whole".to_vec()));
}

#[test]
fn a_creation_cut_short_is_begun_again_or_finished() {
    // Before the header appeared: there is no profile, and the leftovers are in nobody's way.
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "store.1.new",
        "store.2.new",
        "store.1.part",
        "store.1.part-journal",
        "keys.1",
        "store.db.new-wal",
        "vault.hdr.new",
    ] {
        fs::write(dir.path().join(name), b"half").unwrap();
    }
    assert_eq!(Store::open(dir.path(), &pass("right")).unwrap_err(), StoreError::NotFound);
    drop(make(dir.path()));

    // After the header appeared, before the databases had their names, or one of them.
    for sides in [&[Side::First, Side::Second][..], &[Side::First], &[Side::Second]] {
        for side in sides {
            fs::rename(dir.path().join(side.database()), dir.path().join(side.unfinished())).unwrap();
        }
        put(&mut Store::open(dir.path(), &pass("right")).unwrap(), b"works");
        assert!(!Side::BOTH.iter().any(|side| dir.path().join(side.unfinished()).exists()));
    }
}

#[test]
fn a_missing_emptied_or_overwritten_database_is_not_replaced_by_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let db = database(dir.path());
    let whole = fs::read(&db).unwrap();
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    for bytes in [vec![], vec![0; 4096], vec![7; 8192], whole[..8192].to_vec(), flipped] {
        fs::write(&db, &bytes).unwrap();
        assert_eq!(Store::open(dir.path(), &pass("right")).unwrap_err(), StoreError::Damaged);
        assert_eq!(fs::read(&db).unwrap(), bytes);
    }
    fs::remove_file(&db).unwrap();
    assert_eq!(Store::open(dir.path(), &pass("right")).unwrap_err(), StoreError::Damaged);
    fs::write(&db, whole).unwrap();
    Store::open(dir.path(), &pass("right")).unwrap();
}

#[test]
fn a_newer_schema_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = make(dir.path());
    let known = migrate::version(&store.conn).unwrap();
    store.conn.pragma_update(None, "user_version", known + 1).unwrap();
    store.close().unwrap();
    let before = files(dir.path());
    let newer = StoreError::Newer { found: known + 1, known };
    assert_eq!(Store::open(dir.path(), &pass("right")).unwrap_err(), newer);
    assert_unchanged(dir.path(), &before);
}

#[test]
fn opening_and_closing_changes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path()).close().unwrap();
    let before = files(dir.path());
    Store::open(dir.path(), &pass("right")).unwrap().close().unwrap();
    drop(Store::open(dir.path(), &pass("right")).unwrap());
    assert_unchanged(dir.path(), &before);
}
