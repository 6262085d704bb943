//! Labels, ids, time and what is made of keys.

use beresta_proto::bundle::IdentityPublic;
use beresta_proto::id::Device;
use beresta_proto::key::{SendCapability, SigningKey};
use beresta_proto::label;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};
use ring::digest::{SHA256, digest};

#[test]
fn no_label_is_the_beginning_of_another() {
    let labels = [
        label::LINK_EXPORTER,
        label::RELAY_ID,
        label::DESCRIPTOR,
        label::EPOCH_KEY,
        label::EPOCH_KEY_ID,
        label::SUBSCRIBE,
        label::DELETE_QUEUE,
        label::CLAIM_BLOB,
        label::DELETE_BLOB,
        label::CAPSULE,
        label::CAPSULE_SESSION,
        label::SEND_CAPABILITY,
        label::ENVELOPE,
        label::STORED_MESSAGE,
        label::STORED_BLOB,
        label::DAY_KEY,
        label::INVITE_BLOB,
        label::INVITE_HASH,
        label::LINK_CHECKSUM,
        label::ACCOUNT_ID,
        label::LINK_RESET,
    ];
    let source = include_str!("../../src/label.rs");
    assert_eq!(source.matches("pub const").count(), labels.len() + 1, "all labels and the ALPN");
    for (i, one) in labels.iter().enumerate() {
        for (j, other) in labels.iter().enumerate() {
            assert!(i == j || !other.starts_with(one));
        }
    }
}

#[test]
fn an_account_id_is_made_of_the_key_and_is_a_uuid() {
    for first in 0..=u8::MAX {
        let mut key = [7; 33];
        key[1] = first;
        let id = IdentityPublic(key).account_id().0;
        let hash = digest(&SHA256, &[b"beresta account id v1".as_slice(), &key].concat());
        assert_eq!(id[6] >> 4, 8, "version 8 of RFC 9562");
        assert_eq!(id[8] >> 6, 0b10, "its variant");
        for i in (0..16).filter(|i| ![6, 8].contains(i)) {
            assert_eq!(id[i], hash.as_ref()[i]);
        }
    }
}

#[test]
fn a_relay_keeps_only_the_hash_of_a_capability() {
    let capability = SendCapability::take(&mut [3; 32]);
    let hash = digest(&SHA256, &[b"beresta send capability v1".as_slice(), &[3; 32]].concat());
    assert_eq!(capability.hash().0, hash.as_ref());
}

#[test]
fn a_secret_wipes_where_it_came_from() {
    let mut bytes = [9; 32];
    let secret = SigningKey::take(&mut bytes);
    assert_eq!(bytes, [0; 32]);
    assert_eq!(secret.expose(), &[9; 32]);
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    // §7.1, TEST 2.
    let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    let mut seed: [u8; 32] =
        hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").try_into().unwrap();
    let key = SigningKey::take(&mut seed);
    let public = key.verifying_key().unwrap();
    assert_eq!(public.0.as_slice(), hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
    let signature = key.sign(&[0x72]).unwrap();
    assert_eq!(
        signature.0.as_slice(),
        hex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        )
    );
    assert!(public.verify(&[0x72], &signature).is_ok());
}

#[test]
fn devices_are_1_to_127() {
    for number in 0..=u8::MAX {
        assert_eq!(Device::new(number).is_ok(), (1..=127).contains(&number));
    }
}

#[test]
fn time_stops_at_its_ends_instead_of_wrapping() {
    assert_eq!(Timestamp(u64::MAX).plus(1), Timestamp(u64::MAX));
    assert_eq!(Timestamp(1).minus(2), Timestamp(0));
    assert_eq!(Timestamp(1).since(Timestamp(2)), 0);
    assert_eq!(Timestamp(2 * DAY_MS + 5).floor(DAY_MS), Timestamp(2 * DAY_MS));
    assert_eq!(Timestamp(5).floor(0), Timestamp(5));
}

#[test]
fn a_ttl_class_has_one_code() {
    for code in 0..=u8::MAX {
        assert_eq!(TtlClass::from_code(code).map(TtlClass::code).ok(), (code < 4).then_some(code));
    }
}
