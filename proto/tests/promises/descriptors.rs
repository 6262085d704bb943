//! Descriptors and epoch keys.

use beresta_proto::codec::{Reader, Writer};
use beresta_proto::descriptor::{
    Descriptor, DescriptorError, EpochError, EpochKey, Policy, UnverifiedDescriptor, relay_id,
};
use beresta_proto::id::RelayId;
use beresta_proto::key::{EpochSecret, SigningKey};
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp};
use proptest::prelude::*;

use crate::values::{self, Seeded, flipped};

const NOON: Timestamp = Timestamp(150 * DAY_MS);

fn checked(bytes: &[u8], at: &Descriptor, known: u64, now: Timestamp) -> Result<Descriptor, DescriptorError> {
    UnverifiedDescriptor::decode(bytes).unwrap().verify(&relay_id(&at.identity), &at.tls_key, known, now)
}

#[test]
fn another_relay_at_the_address_is_refused() {
    let mut rng = Seeded::new(1);
    let (key, _, descriptor) = values::descriptor(&mut rng);
    let heard = UnverifiedDescriptor::decode(&descriptor.sign(&key).unwrap()).unwrap();
    let other = RelayId::random(&mut rng);
    let refused = heard.verify(&other, &descriptor.tls_key, 0, NOON);
    assert_eq!(refused, Err(DescriptorError::OtherRelay));
}

#[test]
fn a_forged_descriptor_is_refused() {
    let mut rng = Seeded::new(2);
    let (key, _, descriptor) = values::descriptor(&mut rng);
    let bytes = descriptor.sign(&key).unwrap();
    assert_eq!(checked(&bytes, &descriptor, 0, NOON), Ok(descriptor.clone()));
    for at in 0..bytes.len() {
        let changed = flipped(&bytes, at, at);
        if let Ok(heard) = UnverifiedDescriptor::decode(&changed) {
            let refused = heard.verify(&relay_id(&descriptor.identity), &descriptor.tls_key, 0, NOON);
            let expected =
                if (1..33).contains(&at) { DescriptorError::OtherRelay } else { DescriptorError::Forged };
            assert_eq!(refused, Err(expected), "byte {at}");
        }
    }
    let by_another = descriptor.sign(&SigningKey::random(&mut rng)).unwrap();
    assert_eq!(checked(&by_another, &descriptor, 0, NOON), Err(DescriptorError::Forged));
}

#[test]
fn another_tls_key_is_refused() {
    let mut rng = Seeded::new(3);
    let (key, _, descriptor) = values::descriptor(&mut rng);
    let heard = UnverifiedDescriptor::decode(&descriptor.sign(&key).unwrap()).unwrap();
    let refused = heard.verify(&relay_id(&descriptor.identity), &[0; 32], 0, NOON);
    assert_eq!(refused, Err(DescriptorError::OtherTlsKey));
}

#[test]
fn a_descriptor_is_stale_a_day_after_its_ends() {
    let (key, _, descriptor) = values::descriptor(&mut Seeded::new(4));
    let bytes = descriptor.sign(&key).unwrap();
    let at = |now| checked(&bytes, &descriptor, 0, Timestamp(now)).map(|_| ());
    assert_eq!(at(99 * DAY_MS), Ok(()), "a clock that is a day late");
    assert_eq!(at(99 * DAY_MS - 1), Err(DescriptorError::Stale));
    assert_eq!(at(191 * DAY_MS), Ok(()), "a clock that is a day early");
    assert_eq!(at(191 * DAY_MS + 1), Err(DescriptorError::Stale));
    assert_eq!(at(0), Err(DescriptorError::Stale));
    assert_eq!(at(u64::MAX), Err(DescriptorError::Stale));
}

#[test]
fn a_descriptor_for_longer_than_90_days_is_stale() {
    let (key, _, mut descriptor) = values::descriptor(&mut Seeded::new(5));
    descriptor.not_after = descriptor.not_after.plus(1);
    let bytes = descriptor.sign(&key).unwrap();
    assert_eq!(checked(&bytes, &descriptor, 0, NOON), Err(DescriptorError::Stale));
}

#[test]
fn a_superseded_descriptor_is_refused() {
    let (key, _, descriptor) = values::descriptor(&mut Seeded::new(6));
    let bytes = descriptor.sign(&key).unwrap();
    assert!(checked(&bytes, &descriptor, 4, NOON).is_ok());
    assert!(checked(&bytes, &descriptor, 5, NOON).is_ok(), "the known one itself");
    assert_eq!(checked(&bytes, &descriptor, 6, NOON), Err(DescriptorError::Superseded));
}

#[test]
fn bits_of_a_policy_that_nobody_knows_mean_nothing() {
    let (key, _, mut descriptor) = values::descriptor(&mut Seeded::new(7));
    descriptor.policy = Policy(0x8000).and(Policy::MAILBOX);
    let heard = checked(&descriptor.sign(&key).unwrap(), &descriptor, 0, NOON).unwrap();
    assert!(heard.policy.has(Policy::MAILBOX));
    assert!(!heard.policy.has(Policy::OPEN) && !heard.policy.has(Policy::VOLATILE));
    assert_eq!(heard, descriptor);
}

#[test]
fn the_smallest_and_the_largest_descriptor_have_the_sizes_of_the_text() {
    let (key, _, mut descriptor) = values::descriptor(&mut Seeded::new(8));
    descriptor.routes = vec![];
    descriptor.operator = String::new();
    assert_eq!(descriptor.sign(&key).unwrap().len(), 190);
    let route = beresta_proto::route::Route::Other { kind: 9, data: vec![0; 64] };
    descriptor.routes = vec![route; 4];
    descriptor.operator = "o".repeat(64);
    assert_eq!(descriptor.sign(&key).unwrap().len(), 518);
}

#[test]
fn an_epoch_key_of_another_signer_is_refused() {
    let mut rng = Seeded::new(9);
    let (identity, signer, descriptor) = values::descriptor(&mut rng);
    let public = EpochSecret::random(&mut rng).public().unwrap();
    let key = EpochKey::sign(150, public.clone(), &signer).unwrap();
    assert_eq!(key.verify(&descriptor), Ok(()));
    // Neither the offline key nor the same signature for another day or key will do.
    let by_identity = EpochKey::sign(150, public, &identity).unwrap();
    assert_eq!(by_identity.verify(&descriptor), Err(DescriptorError::Forged));
    assert_eq!(EpochKey { day: 151, ..key.clone() }.verify(&descriptor), Err(DescriptorError::Forged));
    let other = EpochSecret::random(&mut rng).public().unwrap();
    assert_ne!(other.id(), key.id());
    assert_eq!(EpochKey { public: other, ..key }.verify(&descriptor), Err(DescriptorError::Forged));
}

#[test]
fn epoch_keys_are_taken_by_the_relays_clock_and_all_or_none() {
    let mut rng = Seeded::new(11);
    let (identity, signer, descriptor) = values::descriptor(&mut rng);
    let mut key = |day, signer: &SigningKey| {
        EpochKey::sign(day, EpochSecret::random(&mut rng).public().unwrap(), signer).unwrap()
    };
    let (yesterday, today, tomorrow) = (key(149, &signer), key(150, &signer), key(151, &signer));
    let (old, late, forged) = (key(147, &signer), key(152, &signer), key(150, &identity));
    let check =
        |keys: &[&EpochKey], clock| descriptor.epoch_keys(keys.iter().copied().cloned().collect(), clock);
    assert_eq!(check(&[&yesterday, &today], NOON), Ok(vec![yesterday, today.clone()]));
    assert_eq!(check(&[&today, &tomorrow], NOON), Ok(vec![today.clone(), tomorrow.clone()]));
    assert_eq!(check(&[&old, &today, &late], NOON), Ok(vec![today.clone()]));
    assert_eq!(check(&[&today, &forged], NOON), Err(EpochError::Forged));
    assert_eq!(check(&[&old, &forged], NOON), Err(EpochError::Forged), "one that is not used");
    assert_eq!(check(&[&tomorrow], NOON), Err(EpochError::NoneOfToday));
    assert_eq!(check(&[&old], NOON), Err(EpochError::NoneOfToday));
    assert_eq!(check(&[], NOON), Err(EpochError::NoneOfToday));
    for clock in [0, 99 * DAY_MS - 1, 191 * DAY_MS + 1, u64::MAX] {
        assert_eq!(check(&[&today], Timestamp(clock)), Err(EpochError::WrongClock));
    }
}

#[test]
fn an_epoch_begins_with_its_day_and_is_destroyed_after_48_hours() {
    let mut rng = Seeded::new(10);
    let signer = SigningKey::random(&mut rng);
    let mut key = values::epoch_key(&mut rng, &signer);
    key.day = 150;
    assert_eq!(key.begins(), NOON);
    assert_eq!(key.begins().day(), 150);
    assert_eq!(key.ends(), Timestamp(151 * DAY_MS));
    assert_eq!(key.destroyed(), NOON.plus(48 * HOUR_MS));
    key.day = u64::MAX;
    assert!(key.begins() <= key.ends() && key.ends() <= key.destroyed(), "no overflow");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_descriptor_survives_a_round_trip(seed: u64) {
        let (key, _, descriptor) = values::descriptor(&mut Seeded::new(seed));
        let bytes = descriptor.sign(&key).unwrap();
        prop_assert_eq!(checked(&bytes, &descriptor, 0, NOON).unwrap(), descriptor);
        for len in 0..bytes.len() {
            prop_assert!(UnverifiedDescriptor::decode(&bytes[..len]).is_err());
        }
        prop_assert!(UnverifiedDescriptor::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn an_epoch_key_survives_a_round_trip(seed: u64) {
        let mut rng = Seeded::new(seed);
        let signer = SigningKey::random(&mut rng);
        let key = values::epoch_key(&mut rng, &signer);
        let mut w = Writer::default();
        key.encode(&mut w);
        values::exact(&key, w.as_slice(), |bytes| {
            let mut r = Reader::new(bytes);
            let key = EpochKey::decode(&mut r)?;
            r.finish().map(|()| key)
        });
        prop_assert_eq!(w.len(), 1_288);
    }
}
