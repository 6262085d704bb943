use rand::SeedableRng as _;

use super::*;

/// The state as the portable form writes it: coefficients of a polynomial modulo 3,329, each two bytes, the high one
/// first. Read the other way round they would be out of range.
#[test]
fn the_measured_state_is_the_portable_one() {
    let state = encapsulation_state().unwrap();
    let (coefficients, seed) = state.split_at(2_048);
    assert_eq!(seed.len(), 32);
    let big = |pair: &[u8]| i16::from_be_bytes([pair[0], pair[1]]).abs() < 3_329;
    let little = |pair: &[u8]| i16::from_le_bytes([pair[0], pair[1]]).abs() < 3_329;
    assert!(coefficients.chunks(2).all(big));
    assert!(!coefficients.chunks(2).all(little));
    assert_eq!(measure(), Some(PORTABLE));
}

#[test]
fn a_store_of_another_backend_is_refused() {
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let mut store = crate::store::Store::open_in_memory(&mut rng).unwrap();
    // A new store takes the program's form, and keeps it.
    store.transaction(check_backend).unwrap();
    store.transaction(check_backend).unwrap();
    // A program of another form is refused, whatever the store says.
    let other = store.transaction(|tx| check(tx, [1; 32]));
    assert!(matches!(other, Err(BackendError::NotPortable)));
    store.transaction(|tx| tx.set_meta(BACKEND, &[1; 32])).unwrap();
    assert!(matches!(store.transaction(check_backend), Err(BackendError::OtherStore)));
}
