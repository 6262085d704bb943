//! A key file beside the passphrase.

use super::*;

fn made(path: &Path, seed: u64) -> KeyFile {
    KeyFile::make(path, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap()
}

#[test]
fn with_a_key_file_the_passphrase_alone_opens_nothing_and_neither_does_another_file() {
    let (dir, stick) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = make(dir.path());
    put(&mut store, b"kept");
    let path = stick.path().join("holiday");
    let with = pass("right").with_key_file(Some(made(&path, 1)));
    store.change_passphrase(&pass("right"), &with, &mut rng()).unwrap();
    store.close().unwrap();
    let other = made(&stick.path().join("other"), 2);
    let before = files(dir.path());
    for wrong in [pass("right"), pass("right").with_key_file(Some(other.clone())), pass("")] {
        assert_eq!(Store::open(dir.path(), &wrong).unwrap_err(), StoreError::WrongPassphrase);
    }
    let file_only = pass("wrong").with_key_file(Some(KeyFile::read(&path).unwrap()));
    assert_eq!(Store::open(dir.path(), &file_only).unwrap_err(), StoreError::WrongPassphrase);
    assert_unchanged(dir.path(), &before);

    let both = || pass("right").with_key_file(Some(KeyFile::read(&path).unwrap()));
    let mut store = Store::open(dir.path(), &both()).unwrap();
    assert_eq!(get(&mut store), Some(b"kept".to_vec()));
    // Another file, and none any more.
    let moved = pass("right").with_key_file(Some(other));
    store.change_passphrase(&both(), &moved, &mut rng()).unwrap();
    store.change_passphrase(&moved, &pass("right"), &mut rng()).unwrap();
    drop(store);
    assert_eq!(Store::open(dir.path(), &both()).unwrap_err(), StoreError::WrongPassphrase);
    Store::open(dir.path(), &pass("right")).unwrap();
}

#[test]
fn nothing_in_a_profile_tells_whether_a_key_file_is_wanted() {
    let (dir, stick) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = stick.path().join("key");
    let with = pass("right").with_key_file(Some(made(&path, 1)));
    let shape = |passphrase: &Passphrase, name: &str| {
        let at = dir.path().join(name);
        drop(Store::create(&at, passphrase, KdfCost::FOR_TESTS, &mut rng()).unwrap());
        files(&at).into_iter().map(|(name, bytes)| (name, bytes.len())).collect::<Vec<_>>()
    };
    assert_eq!(shape(&with, "with"), shape(&pass("right"), "without"));
    let header = |name: &str| fs::read(dir.path().join(name).join(vault::NAME)).unwrap();
    let (with, without) = (header("with"), header("without"));
    // From the same randomness: what differs is the inside of the one slot, which nobody can read.
    let differs: Vec<usize> = (0..with.len()).filter(|at| with[*at] != without[*at]).collect();
    let slots: Vec<usize> = differs.iter().map(|at| (at - vault::HEAD_LEN) / vault::SLOT_LEN).collect();
    assert!(!slots.is_empty() && slots.iter().all(|slot| *slot == slots[0]));
    let key = fs::read(&path).unwrap();
    for (name, bytes) in files(&dir.path().join("with")) {
        assert_eq!(traces::count(&bytes, &key[..8]), 0, "{name}");
    }
}

#[test]
fn a_key_file_is_random_its_owners_only_and_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    made(&path, 1);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 64);
    assert_eq!(KeyFile::make(&path, &mut rng()).unwrap_err(), StoreError::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    made(&dir.path().join("other"), 2);
    assert_ne!(fs::read(dir.path().join("other")).unwrap(), bytes);
    // What is none is told from one that is not there.
    for len in [0, 63, 65, 1_000_000] {
        fs::write(&path, vec![7; len]).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap_err(), StoreError::NoKeyFile, "{len}");
    }
    assert_eq!(KeyFile::read(&dir.path().join("missing")).unwrap_err(), StoreError::NotFound);
    let lost = dir.path().join("missing/key");
    assert_eq!(KeyFile::make(&lost, &mut rng()).unwrap_err(), StoreError::NotFound);
}
