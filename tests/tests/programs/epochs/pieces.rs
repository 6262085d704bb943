//! What an epoch key and the sessions under it are in a memory. Of the former the seed, and each secret that the libraries
//! make of it on the way to opening a capsule (draft-connolly-cfrg-xwing-kem-10 §5.2, FIPS 203 §5.1): whoever has one of
//! those has half of the key. Of the latter the key, what HKDF makes of it, and how a library keeps that (rule C3).

use beresta_proto::id::KeyId;
use beresta_proto::key::EpochSecret;
use beresta_proto::label;
use beresta_tests::process::scan::{Needle, secret};
use ml_kem::{FromSeed as _, KeyExport as _, MlKem768, Seed};
use sha2::{Digest as _, Sha256, block_api::compress256};
use sha3::Sha3_512;
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

/// SHA-256 before its first block (FIPS 180-4 §5.3.3).
const BEGIN: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A key as HMAC begins its two hashes with it (RFC 2104 §2).
fn padded(key: &[u8], pad: u8) -> [u8; 64] {
    std::array::from_fn(|at| key.get(at).copied().unwrap_or_default() ^ pad)
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let inner = Sha256::digest([&padded(key, 0x36), text].concat());
    Sha256::digest([padded(key, 0x5c).as_slice(), &inner].concat()).into()
}

/// The keys of a session's first capsules, and of the answers to them.
pub(super) fn capsules(what: &str, secret: &[u8; 32], epoch: KeyId, capsules: u64) -> Vec<Needle> {
    let expanded_from = hmac(label::CAPSULE_SESSION, secret);
    let mut needles = Vec::new();
    for n in 0..capsules {
        // Two steps of HKDF (RFC 5869 §2.3).
        let info = [b"keys".as_slice(), &epoch.0, &n.to_be_bytes()].concat();
        let order = hmac(&expanded_from, &[info.as_slice(), &[1]].concat());
        let reply = hmac(&expanded_from, &[order.as_slice(), &info, &[2]].concat());
        needles.push(Needle { what: format!("{what}: a capsule's key"), bytes: order.to_vec() });
        needles.push(Needle { what: format!("{what}: the key of an answer"), bytes: reply.to_vec() });
    }
    needles
}

/// All that is a session's key.
pub(super) fn session(what: &str, secret: &[u8; 32]) -> Vec<Needle> {
    let expanded_from = hmac(label::CAPSULE_SESSION, secret);
    let mut needles = vec![Needle { what: format!("{what}: drawn"), bytes: secret.to_vec() }];
    for pad in [0x36, 0x5c] {
        let mut state = BEGIN;
        compress256(&mut state, &[padded(&expanded_from, pad)]);
        let bytes = state.into_iter().flat_map(u32::to_ne_bytes).collect();
        needles.push(Needle { what: format!("{what}: in a hash"), bytes });
    }
    needles.push(Needle { what: format!("{what}: what its keys come from"), bytes: expanded_from.to_vec() });
    needles
}
