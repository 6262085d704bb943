//! Envelopes and the padding of content.

use beresta_proto::codec::DecodeError;
use beresta_proto::envelope::{Bucket, Envelope, OpenError, SealError};
use beresta_proto::key::EnvelopeKey;
use beresta_proto::{label, pad};
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use proptest::prelude::*;

use crate::values::{Seeded, flipped};

/// An envelope with any inside, made as the text of rule E1 says and not by the code under test.
fn sealed(key: &EnvelopeKey, bucket: Bucket, inside: &[u8]) -> Envelope {
    let nonce = [3; 24];
    let mut inside = inside.to_vec();
    let aad = [label::ENVELOPE, &[bucket.code()]].concat();
    let tag = XChaCha20Poly1305::new(key.expose().into())
        .encrypt_inout_detached(&XNonce::from(nonce), &aad, inside.as_mut_slice().into())
        .unwrap();
    Envelope::from_bytes([nonce.as_slice(), &inside, &tag].concat()).unwrap()
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let mut rng = Seeded::new(1);
    let key = EnvelopeKey::random(&mut rng);
    let sealed = Envelope::seal(&key, b"text", &mut rng).unwrap().into_bytes();
    for at in (0..sealed.len()).step_by(3).chain(sealed.len() - 16..sealed.len()) {
        let envelope = Envelope::from_bytes(flipped(&sealed, at, at)).unwrap();
        assert_eq!(envelope.open(&key), Err(OpenError::Forged), "byte {at}");
    }
}

#[test]
fn another_key_opens_nothing() {
    let mut rng = Seeded::new(2);
    let envelope = Envelope::seal(&EnvelopeKey::random(&mut rng), b"text", &mut rng).unwrap();
    assert_eq!(envelope.open(&EnvelopeKey::random(&mut rng)), Err(OpenError::Forged));
}

#[test]
fn the_same_body_is_sealed_differently_each_time() {
    let mut rng = Seeded::new(3);
    let key = EnvelopeKey::random(&mut rng);
    let one = Envelope::seal(&key, b"text", &mut rng).unwrap().into_bytes();
    let other = Envelope::seal(&key, b"text", &mut rng).unwrap().into_bytes();
    assert_ne!(one[..24], other[..24]);
    let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(same < 40, "{same} of 2,048 bytes are the same; 8 by chance");
}

#[test]
fn an_envelope_has_the_size_of_a_bucket() {
    for len in 0..20_000 {
        let fits = [2_048, 4_096, 16_384].contains(&len);
        assert_eq!(Envelope::from_bytes(vec![0; len]).is_ok(), fits);
    }
    let mut rng = Seeded::new(4);
    let key = EnvelopeKey::random(&mut rng);
    for (len, size) in
        [(0, 2_048), (2_004, 2_048), (2_005, 4_096), (4_052, 4_096), (4_053, 16_384), (16_340, 16_384)]
    {
        assert_eq!(Envelope::seal(&key, &vec![1; len], &mut rng).unwrap().as_bytes().len(), size);
    }
    assert_eq!(
        Envelope::seal(&key, &[0; 16_341], &mut rng),
        Err(SealError::TooLong { got: 16_341, limit: 16_340 })
    );
}

#[test]
fn an_envelope_in_a_larger_bucket_than_needed_is_refused() {
    let key = EnvelopeKey::random(&mut Seeded::new(5));
    let mut inside = vec![0; 4_056];
    inside[..4].copy_from_slice(&2_004_u32.to_be_bytes());
    let refused = OpenError::Malformed(DecodeError::Invalid { what: "bucket" });
    assert_eq!(sealed(&key, Bucket::M, &inside).open(&key), Err(refused));

    inside[..4].copy_from_slice(&2_005_u32.to_be_bytes());
    assert_eq!(sealed(&key, Bucket::M, &inside).open(&key).unwrap().len(), 2_005);
}

#[test]
fn an_inside_that_is_padded_wrongly_is_refused() {
    let key = EnvelopeKey::random(&mut Seeded::new(6));
    let mut inside = vec![0; 2_008];
    inside[..4].copy_from_slice(&10_u32.to_be_bytes());
    for at in 14..inside.len() {
        let padded = sealed(&key, Bucket::S, &flipped(&inside, at, at));
        assert_eq!(padded.open(&key), Err(OpenError::Malformed(DecodeError::Padding)));
    }
    for len in [2_005, 0x0001_0000, u32::MAX] {
        inside[..4].copy_from_slice(&len.to_be_bytes());
        assert!(matches!(
            sealed(&key, Bucket::S, &inside).open(&key),
            Err(OpenError::Malformed(DecodeError::Truncated { .. }))
        ));
    }
}

#[test]
fn padding_comes_off_as_it_went_on() {
    for len in 0..1_100 {
        let content = vec![0xaa; len];
        let padded = pad::pad(&content);
        assert_eq!(padded.len() % 256, 0);
        assert!(padded.len() - len < 256 + 4);
        assert_eq!(pad::unpad(&padded), Ok(content.as_slice()));
        for cut in 0..padded.len() {
            assert!(pad::unpad(&padded[..cut]).is_err());
        }
        assert!(pad::unpad(&[padded.as_slice(), &[0; 256]].concat()).is_err(), "a step more than needed");
    }
}

#[test]
fn padding_of_content_that_is_not_zero_is_refused() {
    let padded = pad::pad(b"text");
    for at in 8..padded.len() {
        assert_eq!(pad::unpad(&flipped(&padded, at, at)), Err(DecodeError::Padding));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_envelope_survives_a_round_trip_in_the_smallest_bucket(seed: u64, len in 0_usize..=16_340) {
        let mut rng = Seeded::new(seed);
        let key = EnvelopeKey::random(&mut rng);
        let body = rng.bytes(len);
        let sealed = Envelope::seal(&key, &body, &mut rng).unwrap();
        prop_assert_eq!(Some(sealed.bucket()), Bucket::for_body(len));
        let heard = Envelope::from_bytes(sealed.into_bytes()).unwrap();
        let opened = heard.open(&key).unwrap();
        prop_assert_eq!(opened.as_slice(), body.as_slice());
    }
}
