use proptest::prelude::*;
use spqr::{ChainParams, Direction, Params, Version};

use super::header;
use crate::crypto::fault::contain;

/// Headers of all kinds from an honest conversation of two ratchets, each with the state that is to receive it.
fn honest() -> Vec<(Vec<u8>, Vec<u8>)> {
    let side = |direction| {
        let (version, min_version) = (Version::V1, Version::V0);
        let chain_params = ChainParams::default();
        spqr::initial_state(Params { direction, version, min_version, auth_key: &[7; 32], chain_params })
            .unwrap()
    };
    let mut states = [side(Direction::A2B), side(Direction::B2A)];
    let mut rng: rand_chacha::ChaCha20Rng = rand::SeedableRng::seed_from_u64(3);
    let mut all = Vec::new();
    for turn in 0..160 {
        let (from, to) = (turn % 2, 1 - turn % 2);
        let sent = spqr::send(&states[from], &mut rng).unwrap();
        states[from] = sent.state;
        all.push((sent.msg.clone(), states[to].clone()));
        states[to] = spqr::recv(&states[to], &sent.msg).unwrap().state;
    }
    all
}

#[test]
fn every_honest_header_passes_and_no_cut_one() {
    let all = honest();
    let kinds: std::collections::BTreeSet<usize> = all.iter().map(|(header, _)| header.len()).collect();
    assert!(kinds.len() > 1, "headers with and without a chunk");
    for (bytes, _) in all {
        assert!(header::parse(&bytes).is_some());
        for cut in 0..bytes.len() {
            assert_eq!(header::parse(&bytes[..cut]), None);
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(header::parse(&longer), None);
    }
}

#[test]
fn a_header_has_one_form_only() {
    assert_eq!(header::parse(&[1, 1, 0, 0]), Some(header::Header { epoch: 1, index: 0 }));
    let max = [&[1, 1][..], &[0xff, 0xff, 0xff, 0xff, 0x0f], &[4]].concat();
    assert_eq!(header::parse(&max), Some(header::Header { epoch: 1, index: u32::MAX }));
    for bad in [
        &[][..],
        &[1, 1, 0],                               // the cut that crashes libsignal
        &[1, 0, 0, 0],                            // epoch 0
        &[0, 1, 0, 0],                            // version 0: the ratchet off
        &[2, 1, 0, 0],                            // a version that libsignal ignores
        &[1, 1, 0, 7],                            // no such kind
        &[1, 0x81, 0, 0, 0],                      // epoch 1 in a longer form
        &[1, 1, 0xff, 0xff, 0xff, 0xff, 0x1f, 0], // an index of 33 bits
        &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0], // an epoch of 65 bits
        &[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0, 0], // a shift by 70
    ] {
        assert_eq!(header::parse(bad), None, "{bad:02x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the strict parser lets pass, libsignal's own can take: an error perhaps, a panic never.
    #[test]
    fn a_mutated_header_that_passes_panics_nobody(
        pick in 0usize..160,
        changes in prop::collection::vec((0usize..48, any::<u8>()), 0..4),
        cut in 0usize..60,
    ) {
        thread_local! {
            static ALL: Vec<(Vec<u8>, Vec<u8>)> = honest();
        }
        let (mut bytes, state) = ALL.with(|all| all[pick].clone());
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(cut);
        if header::parse(&bytes).is_some() {
            prop_assert!(contain(|| drop(spqr::recv(&state, &bytes))).is_ok());
        }
    }

    #[test]
    fn random_bytes_panic_nobody(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = header::parse(&bytes);
        let _ = super::record::Record::read(Some(&bytes));
        let _ = super::public_key(&bytes);
    }
}

#[test]
fn a_panic_of_libsignal_stays_in_this_room() {
    let (_, state) = honest().swap_remove(4);
    // Without the parser in front, the cut header is libsignal's to read.
    assert!(contain(|| drop(spqr::recv(&state, &vec![1, 1, 0]))).is_err());
    assert_eq!(contain(|| 7), Ok(7));
}
