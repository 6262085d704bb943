//! Frames, commands, replies and pushes.

use beresta_proto::auth;
use beresta_proto::codec::DecodeError;
use beresta_proto::command::Command;
use beresta_proto::frame::{Class, Frame, RequestId};
use beresta_proto::id::{BlobId, ReadId};
use beresta_proto::key::SigningKey;
use beresta_proto::reply::{Heard, Push, Reply};
use proptest::prelude::*;

use crate::values::{self, Seeded, exact};

const REQUEST: RequestId = RequestId(0x0102_0304);

#[test]
fn a_frame_has_one_of_four_sizes() {
    let mut sizes = Vec::new();
    for len in 0..=17_912 {
        let size = Frame { kind: 1, request: REQUEST, body: &vec![7; len] }.encode().unwrap().len();
        if sizes.last() != Some(&size) {
            sizes.push(size);
        }
    }
    assert_eq!(sizes, [256, 3_584, 5_632, 17_920]);
    assert!(matches!(
        Frame { kind: 1, request: REQUEST, body: &[0; 17_913] }.encode(),
        Err(DecodeError::TooLong { got: 17_913, limit: 17_912, .. })
    ));
    for code in 4..=u8::MAX {
        assert!(Class::from_code(code).is_err());
    }
}

#[test]
fn padding_that_is_not_zero_is_refused() {
    let frame = Frame { kind: 1, request: REQUEST, body: &[1, 2, 3] }.encode().unwrap();
    for at in 11..frame.len() {
        assert_eq!(Frame::decode(&values::flipped(&frame, at, at)), Err(DecodeError::Padding));
    }
}

#[test]
fn a_frame_in_a_larger_class_than_needed_is_refused() {
    let mut frame = Frame { kind: 1, request: REQUEST, body: &[9; 300] }.encode().unwrap();
    assert_eq!(frame.len(), 3_584);
    frame[6..8].copy_from_slice(&248_u16.to_be_bytes());
    frame[256..].fill(0);
    assert_eq!(Frame::decode(&frame), Err(DecodeError::Invalid { what: "frame class" }));
}

#[test]
fn a_kind_that_nobody_knows_is_refused() {
    for kind in 0..=u8::MAX {
        let frame = Frame { kind, request: RequestId(0), body: &[0; 48] }.encode().unwrap();
        let both = (Command::decode(&frame).is_ok(), Heard::decode(&frame).is_ok());
        assert_ne!(both, (true, true), "kind {kind:#x} comes from both sides");
        if kind < 0x80 {
            assert!(!both.1, "{kind:#x} is a command's");
        } else {
            assert!(!both.0, "{kind:#x} is a relay's");
        }
    }
}

#[test]
fn a_push_with_a_request_number_is_refused() {
    let mut frame = Push::GoAway { reconnect_after: 5 }.encode().unwrap();
    frame[5] = 1;
    assert_eq!(Heard::decode(&frame), Err(DecodeError::Invalid { what: "request of a push" }));
}

#[test]
fn a_signature_is_valid_for_one_purpose_on_one_link_only() {
    let mut rng = Seeded::new(1);
    let key = SigningKey::random(&mut rng);
    let public = key.verifying_key().unwrap();
    let (here, there) = (values::exporter(&mut rng), values::exporter(&mut rng));
    let (queue, other) = (ReadId::random(&mut rng), ReadId::random(&mut rng));
    let blob = BlobId::random(&mut rng);
    let texts = [
        auth::subscribe(&here, &queue),
        auth::subscribe(&there, &queue),
        auth::subscribe(&here, &other),
        auth::delete_queue(&here, &queue),
        auth::claim_blob(&here, &blob),
        auth::delete_blob(&here, &blob),
    ];
    for (i, signed) in texts.iter().enumerate() {
        let signature = key.sign(signed).unwrap();
        for (j, text) in texts.iter().enumerate() {
            assert_eq!(public.verify(text, &signature).is_ok(), i == j);
        }
        assert!(SigningKey::random(&mut rng).verifying_key().unwrap().verify(signed, &signature).is_err());
    }
}

#[test]
fn a_blob_of_another_size_or_life_is_not_even_written() {
    let mut rng = Seeded::new(2);
    let put = |hours, len| Command::PutBlob {
        blob: BlobId([0; 16]),
        owner: beresta_proto::key::VerifyingKey([0; 32]),
        hours,
        sealed: vec![0; len],
        payment: None,
    };
    assert!(put(168, 4_096).encode(REQUEST).is_ok());
    for (hours, len) in [(0, 4_096), (169, 4_096), (24, 4_095), (24, 4_097)] {
        assert!(put(hours, len).encode(REQUEST).is_err(), "{hours} h, {len} bytes");
    }
    assert!(Reply::Blob(rng.bytes(4_095)).encode(REQUEST).is_err());
    assert!(
        Reply::Descriptor { descriptor: vec![0; 1_025], epoch_keys: vec![], clock: Default::default() }
            .encode(REQUEST)
            .is_err()
    );
}

#[test]
fn what_a_capsule_and_a_delivery_need_fits_the_class_of_their_bucket() {
    for (class, capsule) in [(1, 3_341), (2, 5_389), (3, 17_677)] {
        let frame = Command::Send { capsule: vec![0; capsule] }.encode(REQUEST).unwrap();
        assert_eq!(frame[0], class);
    }
    let mut rng = Seeded::new(3);
    for _ in 0..20 {
        let envelope = values::envelope(&mut rng);
        let class = envelope.bucket().code();
        let frame = Push::Deliver { queue: ReadId([0; 24]), sequence: 1, envelope }.encode().unwrap();
        assert_eq!(frame[0], class);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_command_survives_a_round_trip(seed: u64) {
        let command = values::command(&mut Seeded::new(seed));
        let frame = command.encode(REQUEST).unwrap();
        exact(&(REQUEST, command), &frame, Command::decode);
        prop_assert!(Heard::decode(&frame).is_err());
    }

    #[test]
    fn every_reply_survives_a_round_trip(seed: u64) {
        let reply = values::reply(&mut Seeded::new(seed));
        let frame = reply.encode(REQUEST).unwrap();
        exact(&Heard::Reply(REQUEST, reply), &frame, Heard::decode);
        prop_assert!(Command::decode(&frame).is_err());
    }

    #[test]
    fn every_push_survives_a_round_trip(seed: u64) {
        let push = values::push(&mut Seeded::new(seed));
        let frame = push.encode().unwrap();
        exact(&Heard::Push(push), &frame, Heard::decode);
        prop_assert!(Command::decode(&frame).is_err());
    }
}
