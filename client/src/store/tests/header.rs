//! A header from a hostile hand.

use rand::{Rng as _, RngCore as _};

use super::*;

/// A profile, and what opening it says after `change` has been at its header.
fn opened(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Result<Store, StoreError> {
    let path = dir.join(vault::NAME);
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    let opened = Store::open(dir, &pass("right"));
    fs::write(&path, whole).unwrap();
    opened
}

#[test]
fn a_header_of_another_length_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    for len in [0, 1, 31, 43, 44, 4096, 36 * 1024, 65_535, 65_537, 1_000_000] {
        let error = opened(dir.path(), |header| header.resize(len, 0)).unwrap_err();
        assert_eq!(error, StoreError::DamagedHeader, "{len} bytes");
    }
}

#[test]
fn costs_that_would_eat_the_machine_or_cost_nothing_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    // Memory KiB, passes, lanes are at 32, 36, 40.
    for (at, value) in [
        (32, u32::MAX),
        (32, 1024 * 1024 + 1),
        (32, 255),
        (32, 0),
        (36, u32::MAX),
        (36, 17),
        (36, 0),
        (40, u32::MAX),
        (40, 17),
        (40, 0),
    ] {
        let error = opened(dir.path(), |header| header[at..at + 4].copy_from_slice(&value.to_le_bytes()));
        assert_eq!(error.unwrap_err(), StoreError::DamagedHeader, "{value} at {at}");
    }
    assert_eq!(KdfCost::new(1024 * 1024 + 1, 3, 4), Err(StoreError::Cost));
    assert_eq!(KdfCost::new(256 * 1024, 3, 4), Ok(KdfCost::DEFAULT));
}

#[test]
fn every_byte_that_means_something_is_bound_to_the_slot() {
    let dir = tempfile::tempdir().unwrap();
    let store = make(dir.path());
    let slot = vault::HEAD_LEN + store.home.as_ref().unwrap().vault.slot() * vault::SLOT_LEN;
    drop(store);
    for at in [0, 31, slot, slot + 23, slot + 24, slot + 100, slot + vault::SLOT_LEN - 1] {
        let error = opened(dir.path(), |header| header[at] ^= 1).unwrap_err();
        assert_eq!(error, StoreError::WrongPassphrase, "byte {at}");
    }
    // Another cost that is allowed: the slot is not opened under it either.
    let error = opened(dir.path(), |header| header[36] += 1).unwrap_err();
    assert_eq!(error, StoreError::WrongPassphrase);
    // What means nothing may change.
    for at in [44, 4095, 36 * 1024, 65_535] {
        opened(dir.path(), |header| header[at] ^= 1).unwrap();
    }
    // A slot in another slot's place does not open.
    let moved = |header: &mut Vec<u8>| header[vault::HEAD_LEN..36 * 1024].rotate_left(vault::SLOT_LEN);
    assert_eq!(opened(dir.path(), moved).unwrap_err(), StoreError::WrongPassphrase);
}

#[test]
fn random_headers_get_typed_errors() {
    let dir = tempfile::tempdir().unwrap();
    drop(make(dir.path()));
    let mut rng = rng();
    for round in 0..60 {
        let error = opened(dir.path(), |header| {
            rng.fill_bytes(header);
            if round % 2 == 0 {
                // Costs that pass, so that the slots are reached.
                header[32..44].copy_from_slice(&[0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
            }
            let len = rng.random_range(0..=header.len());
            if round % 4 == 3 {
                header.truncate(len);
            }
        });
        let error = error.unwrap_err();
        assert!(matches!(error, StoreError::DamagedHeader | StoreError::WrongPassphrase), "{error:?}");
    }
}

#[test]
fn two_headers_of_the_same_passphrase_share_no_byte_but_the_costs() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut rng = rng();
    for dir in [&a, &b] {
        drop(Store::create(dir.path(), &pass("right"), KdfCost::FOR_TESTS, &mut rng).unwrap());
    }
    let [a, b] = [a, b].map(|dir| fs::read(dir.path().join(vault::NAME)).unwrap());
    assert_eq!(a.len(), 64 * 1024);
    let runs = |from: usize, to: usize| (from..to - 4).filter(|&at| a[at..at + 4] == b[at..at + 4]).count();
    assert_eq!(runs(0, 32) + runs(44, a.len()), 0);
}

#[test]
fn the_layout_and_the_labels_are_what_every_profile_has() {
    // The key by HKDF-SHA256 written down from RFC 5869, in another language.
    let key = MasterKey::from_bytes(&[7; 32]).database_key().unwrap();
    let spec = String::from_utf8(key.keyspec().to_vec()).unwrap();
    assert_eq!(
        spec,
        "x'd5d14316061a705b7a06ad4e0e837bea4fa7e80ead191070\
         860ecd6f2a8319922c3a7215b66588fa65ec8c04ae8698f5'"
    );
    // The header by its hash, from seeded randomness: who changes its bytes closes every profile there is. (Only the
    // order in which randomness is drawn may change, and the hash with it.)
    let dir = tempfile::tempdir().unwrap();
    Vault::create(
        dir.path(),
        &pass("right"),
        KdfCost::FOR_TESTS,
        &MasterKey::from_bytes(&[7; 32]),
        &mut rng(),
    )
    .unwrap();
    let header = fs::read(dir.path().join(vault::NAME)).unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, &header);
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "04b648227604251877f4d35533315beece016d1fbea9d9284b786620d94d3aa9");
    let (_, master) = Vault::open(dir.path(), &pass("right")).unwrap();
    assert_eq!(master.as_bytes(), [7; 32]);
}

#[test]
fn the_default_cost_works() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::create(dir.path(), &pass("right"), KdfCost::DEFAULT, &mut rng()).unwrap());
    let header = fs::read(dir.path().join(vault::NAME)).unwrap();
    assert_eq!(header[32..44], [0, 0, 4, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
    Store::open(dir.path(), &pass("right")).unwrap();
}
