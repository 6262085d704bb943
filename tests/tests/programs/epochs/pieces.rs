//! What an epoch key is in a memory: its seed, and each secret that the libraries make of it on the way to opening a
//! capsule (draft-connolly-cfrg-xwing-kem-10 §5.2, FIPS 203 §5.1). Whoever has one of the latter has half of the key.

use beresta_proto::key::EpochSecret;
use beresta_tests::process::scan::{Needle, secret};
use ml_kem::{FromSeed as _, KeyExport as _, MlKem768, Seed};
use sha3::{Digest as _, Sha3_512};
use shake::{ExtendableOutput as _, Shake256, Update as _, XofReader as _};

/// ML-KEM's prime, and the vectors' length of ML-KEM-768.
const Q: u16 = 3_329;
const K: u8 = 3;
/// So many bytes of something longer are looked for at a time: part of it may have been written over.
const PIECE: usize = 32;
/// The same of vectors of small numbers, which have two bits in sixteen.
const SMALL_PIECE: usize = 128;

fn shake<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut hash = Shake256::default();
    parts.iter().for_each(|part| hash.update(part));
    let mut out = [0; N];
    hash.finalize_xof().read(&mut out);
    out
}

/// Numbers as the library has them.
fn numbers(of: impl Iterator<Item = u16>) -> Vec<u8> {
    of.flat_map(u16::to_ne_bytes).collect()
}

/// Twelve bits each (FIPS 203 §4.2.1).
fn twelve_bits(packed: &[u8]) -> Vec<u8> {
    numbers(packed.chunks_exact(3).flat_map(|three| {
        let [a, b, c] = [0, 1, 2].map(|at| u16::from(three[at]));
        [a | (b & 0xf) << 8, b >> 4 | c << 4]
    }))
}

/// A polynomial of small numbers out of drawn bytes (FIPS 203 §4.2.2).
fn small(drawn: &[u8]) -> Vec<u8> {
    let number = |bits: u8| {
        let ones = |bits: u8| u16::try_from((bits & 3).count_ones()).unwrap();
        (ones(bits) + Q - ones(bits >> 2)) % Q
    };
    numbers(drawn.iter().flat_map(|byte| [number(byte & 15), number(byte >> 4)]))
}

/// The key's seed alone.
pub(super) fn seed(what: &str, seed: &[u8; 32]) -> Vec<Needle> {
    secret(what, seed)
}

/// All that is made of it, without the seed.
pub(super) fn made_of(what: &str, seed: &[u8; 32]) -> Vec<Needle> {
    let expanded: [u8; 96] = shake(&[seed]);
    let (d, rest) = expanded.split_at(32);
    let (z, x25519) = rest.split_at(32);
    let both = Sha3_512::digest([d, &[K]].concat());
    let sigma = &both[32..];
    let mut needles = Vec::new();
    let mut add = |part: &str, bytes: &[u8], piece: usize| {
        let what = format!("{what}: {part}");
        needles.extend(
            bytes.chunks_exact(piece).map(|bytes| Needle { what: what.clone(), bytes: bytes.to_vec() }),
        );
    };
    add("ML-KEM's seed", d, PIECE);
    add("ML-KEM's seed for refusals", z, PIECE);
    // Its ends are changed before it is used (RFC 7748 §5).
    add("X25519's key", &x25519[1..31], 30);
    add("the seed of ML-KEM's vectors", sigma, PIECE);
    for number in 0..2 * K {
        let drawn: [u8; 128] = shake(&[sigma, &[number]]);
        add("what ML-KEM's vectors are drawn from", &drawn, PIECE);
        add("ML-KEM's vectors as drawn", &small(&drawn), SMALL_PIECE);
    }
    let (private, public) = MlKem768::from_seed(&Seed::try_from(&expanded[..64]).unwrap());
    let made = EpochSecret::take(&mut seed.clone()).public().unwrap();
    assert!(made.as_bytes().starts_with(&public.to_bytes()), "a relay makes other keys of a seed");
    #[expect(deprecated, reason = "the one form in which the library shows it")]
    let private = ml_kem::ExpandedKeyEncoding::to_expanded_bytes(&private);
    add("ML-KEM's private key", &twelve_bits(&private[..usize::from(K) * 384]), PIECE);
    needles
}
