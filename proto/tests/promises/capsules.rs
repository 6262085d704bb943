//! Capsules and their answers.

use beresta_proto::capsule::{
    Capsule, CapsuleError, OVERHEAD, ReplyKey, SealedReply, SendOrder, SendReply, Session,
};
use beresta_proto::codec::DecodeError;
use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::hpke;
use beresta_proto::id::{RelayId, SendId};
use beresta_proto::key::{EnvelopeKey, EpochSecret, SendCapability};
use beresta_proto::label;
use beresta_proto::time::TtlClass;
use proptest::prelude::*;
use ring::hmac;

use crate::values::{self, Seeded, flipped};

struct Trip {
    rng: Seeded,
    relay: RelayId,
    epoch: EpochSecret,
    session: Session,
}

impl Trip {
    fn new(seed: u64) -> Self {
        let mut rng = Seeded::new(seed);
        let relay = RelayId::random(&mut rng);
        let epoch = EpochSecret::random(&mut rng);
        let session = Session::new(relay, epoch.public().unwrap(), &mut rng);
        Self { rng, relay, epoch, session }
    }

    fn order(&mut self, bucket: Bucket) -> SendOrder {
        let key = EnvelopeKey::random(&mut self.rng);
        let body = vec![0x5a; bucket.capacity()];
        SendOrder {
            queue: SendId::random(&mut self.rng),
            capability: SendCapability::random(&mut self.rng),
            message: values::message_id(&mut self.rng),
            ttl: TtlClass::ThreeWeeks,
            envelope: Envelope::seal(&key, &body, &mut self.rng).unwrap(),
        }
    }

    fn seal(&mut self, order: &SendOrder) -> (Vec<u8>, ReplyKey) {
        self.session.seal(order, &mut self.rng).unwrap()
    }

    fn open(&self, capsule: &[u8]) -> Result<(SendOrder, ReplyKey), CapsuleError> {
        let capsule = Capsule::decode(capsule.to_vec())?;
        let header = capsule.open_header(&self.epoch, &self.relay)?;
        capsule.open_order(&header.session, header.n)
    }
}

#[test]
fn recognised_and_opened_the_slow_way_mean_the_same() {
    let mut trip = Trip::new(1);
    let first = trip.order(Bucket::S);
    let (capsule, _) = trip.seal(&first);
    let remembered = Capsule::decode(capsule.clone()).unwrap().open_header(&trip.epoch, &trip.relay).unwrap();
    assert_eq!(remembered.n, 0);

    for n in 1..20 {
        let order = trip.order(Bucket::ALL[usize::try_from(n % 3).unwrap()]);
        let (capsule, reply_key) = trip.seal(&order);
        let heard = Capsule::decode(capsule.clone()).unwrap();
        assert_eq!(heard.tag(), remembered.session.tag(n).unwrap(), "recognised by its tag");
        assert_eq!(heard.key_id(), trip.session.key_id());

        let (fast, fast_key) = heard.open_order(&remembered.session, n).unwrap();
        let (slow, slow_key) = trip.open(&capsule).unwrap();
        assert_eq!(fast, order);
        assert_eq!(slow, order);
        for key in [fast_key, slow_key] {
            let sealed = key.seal(SendReply::Stored, &mut trip.rng).unwrap();
            assert_eq!(reply_key.open(&sealed), Ok(SendReply::Stored));
        }
    }
}

#[test]
fn a_capsule_for_another_relay_or_epoch_key_does_not_open() {
    let mut trip = Trip::new(2);
    let order = trip.order(Bucket::S);
    let (bytes, _) = trip.seal(&order);
    let capsule = Capsule::decode(bytes.clone()).unwrap();
    let other_relay = RelayId::random(&mut trip.rng);
    let other_epoch = EpochSecret::random(&mut trip.rng);
    assert_eq!(capsule.open_header(&trip.epoch, &other_relay).unwrap_err(), CapsuleError::Header);
    assert_eq!(capsule.open_header(&other_epoch, &trip.relay).unwrap_err(), CapsuleError::Header);
    assert!(capsule.open_header(&trip.epoch, &trip.relay).is_ok());
}

#[test]
fn all_capsules_of_a_bucket_have_the_same_size_and_form() {
    assert_eq!(OVERHEAD, 1_293);
    let mut trip = Trip::new(3);
    for bucket in Bucket::ALL {
        let order = trip.order(bucket);
        let fronts: Vec<_> = (0..3).map(|_| trip.seal(&order).0).collect();
        for capsule in &fronts {
            assert_eq!(capsule.len(), 1_293 + bucket.size());
            assert_eq!(capsule[..10], fronts[0][..10]);
        }
    }
}

#[test]
fn two_capsules_of_one_session_share_nothing_but_the_public_front() {
    let mut trip = Trip::new(4);
    let order = trip.order(Bucket::S);
    // The same order twice: the worst case, a retry.
    let (one, other) = (trip.seal(&order).0, trip.seal(&order).0);
    assert_eq!(one[..10], other[..10]);
    let run = one[10..].iter().zip(&other[10..]).fold((0, 0), |(longest, run), (a, b)| {
        let run = if a == b { run + 1 } else { 0 };
        (longest.max(run), run)
    });
    assert!(run.0 < 5, "{} bytes in a row are the same", run.0);
}

#[test]
fn a_session_never_repeats_a_number() {
    let mut trip = Trip::new(5);
    let order = trip.order(Bucket::S);
    let mut tags = std::collections::BTreeSet::new();
    for n in 0..50 {
        let (bytes, _) = trip.seal(&order);
        let capsule = Capsule::decode(bytes.clone()).unwrap();
        assert_eq!(capsule.open_header(&trip.epoch, &trip.relay).unwrap().n, n);
        assert!(tags.insert(capsule.tag()));
    }
}

#[test]
fn a_tag_that_is_not_its_own_is_refused() {
    let mut trip = Trip::new(6);
    let order = trip.order(Bucket::S);
    let (bytes, _) = trip.seal(&order);
    // By somebody on the way: 16 bytes behind front, enc and header.
    for at in 1_186..1_202 {
        let capsule = Capsule::decode(flipped(&bytes, at, at)).unwrap();
        assert_eq!(capsule.open_header(&trip.epoch, &trip.relay).unwrap_err(), CapsuleError::Order);
    }
    // By a sender that seals a header to the relay and plants the tag of another's capsule.
    let (session, n) = ([9_u8; 32], 4_u64);
    let aad = [[1, Bucket::S.code()].as_slice(), &trip.relay.0].concat();
    let plain = [session.as_slice(), &n.to_be_bytes()].concat();
    let public = trip.epoch.public().unwrap();
    let (enc, header) = hpke::seal(&public, label::CAPSULE, &aad, &plain, &mut trip.rng).unwrap();
    let planted = [&bytes[..10], &enc, &header, &bytes[1_186..]].concat();
    let planted = Capsule::decode(planted.clone()).unwrap();
    assert_eq!(planted.open_header(&trip.epoch, &trip.relay).unwrap_err(), CapsuleError::Order);
}

#[test]
fn a_swapped_bucket_or_key_id_does_not_open() {
    let mut trip = Trip::new(7);
    let order = trip.order(Bucket::S);
    let (bytes, _) = trip.seal(&order);
    let mut swapped = bytes.clone();
    swapped[1] = Bucket::M.code();
    assert!(matches!(Capsule::decode(swapped.clone()), Err(DecodeError::Truncated { .. })));
    swapped.resize(1_293 + 4_096, 0);
    let capsule = Capsule::decode(swapped.clone()).unwrap();
    assert_eq!(capsule.open_header(&trip.epoch, &trip.relay).unwrap_err(), CapsuleError::Header);

    // A relay tries the epoch key that it was asked to, whatever its id.
    assert_eq!(trip.open(&flipped(&bytes, 2, 0)).unwrap_err(), CapsuleError::Order);
    assert!(matches!(Capsule::decode(flipped(&bytes, 0, 1)), Err(DecodeError::Unknown { .. })));
}

#[test]
fn a_flipped_bit_anywhere_in_a_capsule_is_noticed() {
    let mut trip = Trip::new(8);
    let order = trip.order(Bucket::S);
    let (bytes, _) = trip.seal(&order);
    let header = Capsule::decode(bytes.clone()).unwrap().open_header(&trip.epoch, &trip.relay).unwrap();
    for at in
        (0..bytes.len()).step_by(41).chain([0, 1, 9, 10, 1_129, 1_130, 1_185, 1_201, 1_202, bytes.len() - 1])
    {
        let changed = flipped(&bytes, at, at);
        assert!(trip.open(&changed).is_err(), "byte {at}");
        // Neither when the relay takes it for the one that it recognises: enc and header are then not looked at.
        if !(10..1_186).contains(&at)
            && let Ok(capsule) = Capsule::decode(changed.clone())
        {
            assert_eq!(capsule.open_order(&header.session, 0).unwrap_err(), CapsuleError::Order);
        }
    }
}

#[test]
fn a_recognised_capsule_under_another_number_does_not_open() {
    let mut trip = Trip::new(9);
    let order = trip.order(Bucket::S);
    let (bytes, _) = trip.seal(&order);
    let capsule = Capsule::decode(bytes.clone()).unwrap();
    let header = capsule.open_header(&trip.epoch, &trip.relay).unwrap();
    for n in [1, 2, u64::MAX] {
        assert_eq!(capsule.clone().open_order(&header.session, n).unwrap_err(), CapsuleError::Order);
    }
}

#[test]
fn every_answer_is_read_by_the_sender() {
    let mut trip = Trip::new(10);
    let order = trip.order(Bucket::S);
    let (bytes, mine) = trip.seal(&order);
    let (_, relays) = trip.open(&bytes).unwrap();
    for reply in [
        SendReply::Stored,
        SendReply::QueueFull,
        SendReply::Gone,
        SendReply::Later { seconds: 0 },
        SendReply::Later { seconds: u32::MAX },
    ] {
        let sealed = relays.seal(reply, &mut trip.rng).unwrap();
        assert_eq!(sealed.0.len(), 60);
        assert_eq!(mine.open(&sealed), Ok(reply));
        assert_ne!(sealed, relays.seal(reply, &mut trip.rng).unwrap(), "a repeat looks different");
    }
}

#[test]
fn a_forged_answer_is_refused() {
    let mut trip = Trip::new(11);
    let order = trip.order(Bucket::S);
    let (bytes, mine) = trip.seal(&order);
    let (_, relays) = trip.open(&bytes).unwrap();
    let sealed = relays.seal(SendReply::Gone, &mut trip.rng).unwrap();
    for at in 0..60 {
        let forged = SealedReply(flipped(&sealed.0, at, at).try_into().unwrap());
        assert_eq!(mine.open(&forged), Err(CapsuleError::Order));
    }
    // The answer to another capsule of the same session is no answer to this one.
    let (_, others) = trip.seal(&order);
    assert_eq!(others.open(&sealed), Err(CapsuleError::Order));
}

/// HKDF-SHA256 of RFC 5869, written out: one block is enough for 16 bytes, two for 64.
fn hkdf(salt: &[u8], key: &[u8], info: &[u8], len: usize) -> Vec<u8> {
    let prk = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), key);
    let prk = hmac::Key::new(hmac::HMAC_SHA256, prk.as_ref());
    let one = hmac::sign(&prk, &[info, &[1]].concat());
    let two = hmac::sign(&prk, &[one.as_ref(), info, &[2]].concat());
    [one.as_ref(), two.as_ref()].concat()[..len].to_vec()
}

#[test]
fn the_keys_of_a_capsule_are_those_of_the_text() {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

    let mut trip = Trip::new(12);
    let order = trip.order(Bucket::S);
    let (bytes, _) = trip.seal(&order);
    let aad = [[1, 1].as_slice(), &trip.relay.0].concat();
    let header = trip.epoch.open(&bytes[10..1_130], label::CAPSULE, &aad, &bytes[1_130..1_186]).unwrap();
    let (session, n) = header.split_at(32);
    let info = |purpose: &[u8]| [purpose, &bytes[2..10], n].concat();
    assert_eq!(bytes[1_186..1_202], hkdf(label::CAPSULE_SESSION, session, &info(b"tag"), 16));

    let keys = hkdf(label::CAPSULE_SESSION, session, &info(b"keys"), 64);
    let cipher = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &keys[..32]).unwrap());
    let aad = [&bytes[..2], &bytes[2..10], &bytes[1_186..1_202]].concat();
    let mut sealed = bytes[1_202..].to_vec();
    let plain =
        cipher.open_in_place(Nonce::assume_unique_for_key([0; 12]), Aad::from(aad), &mut sealed).unwrap();
    let expected = [
        [1].as_slice(),
        &order.queue.0,
        order.capability.expose(),
        &order.message.0,
        &[3, 0],
        order.envelope.as_bytes(),
    ];
    assert_eq!(plain, expected.concat());
}

/// The two keys of a capsule, K_n and the answer's, from its bytes and the relay's secrets.
fn keys_of(trip: &Trip, capsule: &[u8]) -> [[u8; 32]; 2] {
    let aad = [&capsule[..2], &trip.relay.0].concat();
    let header = trip.epoch.open(&capsule[10..1_130], label::CAPSULE, &aad, &capsule[1_130..1_186]).unwrap();
    let info = [b"keys".as_slice(), &capsule[2..10], &header[32..]].concat();
    let keys = hkdf(label::CAPSULE_SESSION, &header[..32], &info, 64);
    [keys[..32].try_into().unwrap(), keys[32..].try_into().unwrap()]
}

fn sealed_by_hand(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

    let cipher = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).unwrap());
    let mut sealed = plain.to_vec();
    cipher
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
        .unwrap();
    sealed
}

#[test]
fn an_answer_that_a_relay_wrote_wrongly_is_refused() {
    let mut trip = Trip::new(13);
    let order = trip.order(Bucket::S);
    let (bytes, mine) = trip.seal(&order);
    let [_, reply_key] = keys_of(&trip, &bytes);
    let answer = |plain: &[u8; 32]| {
        let sealed = sealed_by_hand(&reply_key, [1; 12], &[], plain);
        mine.open(&SealedReply([[1; 12].as_slice(), &sealed].concat().try_into().unwrap()))
    };
    let mut plain = [0; 32];
    assert_eq!(answer(&plain), Ok(SendReply::Stored));
    plain[31] = 1;
    assert_eq!(answer(&plain), Err(CapsuleError::Malformed(DecodeError::Padding)));
    for (status, seconds) in [(0, 1), (1, 1), (2, 1), (4, 0), (255, 0)] {
        let mut plain = [0; 32];
        (plain[0], plain[4]) = (status, seconds);
        let code = u32::from(status);
        let unknown = DecodeError::Unknown { what: "send status", code };
        assert_eq!(answer(&plain), Err(CapsuleError::Malformed(unknown)));
    }
}

#[test]
fn an_order_that_its_sender_wrote_wrongly_is_refused() {
    let mut trip = Trip::new(14);
    let order = trip.order(Bucket::S);
    let (bytes, _) = trip.seal(&order);
    let [order_key, _] = keys_of(&trip, &bytes);
    let aad = [&bytes[..10], &bytes[1_186..1_202]].concat();
    let good = [
        [1].as_slice(),
        &order.queue.0,
        order.capability.expose(),
        &order.message.0,
        &[3, 0],
        order.envelope.as_bytes(),
    ]
    .concat();
    let open = |plain: &[u8]| {
        let sealed = sealed_by_hand(&order_key, [0; 12], &aad, plain);
        trip.open(&[&bytes[..1_202], &sealed].concat())
    };
    assert_eq!(open(&good).unwrap().0, order);
    // op, ttl class and flags.
    for (at, value) in [(0, 0), (0, 2), (73, 4), (74, 1)] {
        let mut wrong = good.clone();
        wrong[at] = value;
        assert!(matches!(open(&wrong), Err(CapsuleError::Malformed(_))), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_capsule_survives_a_round_trip(seed: u64, bucket in 0_usize..3, ttl in 0_usize..4) {
        let mut trip = Trip::new(seed);
        let mut order = trip.order(Bucket::ALL[bucket]);
        order.ttl = TtlClass::ALL[ttl];
        let (bytes, _) = trip.seal(&order);
        prop_assert_eq!(&trip.open(&bytes).unwrap().0, &order);
        for len in 0..bytes.len() {
            prop_assert!(Capsule::decode(bytes[..len].to_vec()).is_err());
        }
        prop_assert!(Capsule::decode([bytes.as_slice(), &[0]].concat()).is_err());
    }
}
