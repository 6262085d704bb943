//! Bytes that nobody meant: no panic, and one form for what decodes.

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::bundle::Bundle;
use beresta_proto::capsule::{Capsule, SealedReply, SendOrder, SendReply, Session};
use beresta_proto::codec::{Reader, Writer};
use beresta_proto::command::Command;
use beresta_proto::content::Content;
use beresta_proto::credit::CreditCode;
use beresta_proto::descriptor::{EpochKey, UnverifiedDescriptor};
use beresta_proto::envelope::Envelope;
use beresta_proto::frame::{Frame, RequestId};
use beresta_proto::id::RelayId;
use beresta_proto::invite::{InviteLink, Offer};
use beresta_proto::key::{EnvelopeKey, EpochSecret};
use beresta_proto::pad;
use beresta_proto::reply::{Heard, Reply};
use beresta_proto::time::TtlClass;
use data_encoding::BASE64URL_NOPAD;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::values::{self, Seeded, flipped};

/// What decodes from a frame encodes to that frame.
fn frame_has_one_form(frame: &[u8]) {
    if let Ok((request, command)) = Command::decode(frame) {
        assert_eq!(command.encode(request).unwrap(), frame);
    }
    match Heard::decode(frame) {
        Ok(Heard::Reply(request, reply)) => assert_eq!(reply.encode(request).unwrap(), frame),
        Ok(Heard::Push(push)) => assert_eq!(push.encode().unwrap(), frame),
        Err(_) => {}
    }
}

fn content_means_itself(padded: &[u8]) {
    if let Ok(content) = Content::decode(padded) {
        let again = content.encode().unwrap();
        assert_eq!(Content::decode(&again).unwrap(), content);
    }
}

fn everything_reads(bytes: &[u8], text: &str) {
    frame_has_one_form(bytes);
    let _ = Frame::decode(bytes);
    content_means_itself(bytes);
    content_means_itself(&pad::pad(bytes));
    let _ = pad::unpad(bytes);
    let _ = UnverifiedDescriptor::decode(bytes);
    let _ = EpochKey::decode(&mut Reader::new(bytes));
    let _ = Bundle::decode(&mut Reader::new(bytes));
    let _ = Capsule::decode(bytes.to_vec());
    if let Ok(address) = RelayAddress::from_bytes(bytes) {
        assert_eq!(address.to_bytes(), bytes);
    }
    let mut r = Reader::new(bytes);
    if let Ok(list) = QueueAddress::decode_list(&mut r) {
        let mut w = Writer::default();
        QueueAddress::encode_list(&list, &mut w);
        assert_eq!(w.as_slice(), &bytes[..bytes.len() - r.left()]);
    }
    for text in [text, &format!("beresta:{text}"), &format!("https://x#beresta:{text}")] {
        let _ = InviteLink::from_link(text);
        let _ = RelayAddress::from_link(text);
        let _ = CreditCode::from_code(text);
    }
}

#[test]
fn a_changed_capsule_or_answer_never_panics() {
    let mut rng = Seeded::new(1);
    let relay = RelayId::random(&mut rng);
    let epoch = EpochSecret::random(&mut rng);
    let mut session = Session::new(relay, epoch.public().unwrap(), &mut rng);
    let order = SendOrder {
        queue: beresta_proto::id::SendId::random(&mut rng),
        capability: beresta_proto::key::SendCapability::random(&mut rng),
        message: values::message_id(&mut rng),
        ttl: TtlClass::Hour,
        envelope: Envelope::seal(&EnvelopeKey::random(&mut rng), b"x", &mut rng).unwrap(),
    };
    let (bytes, key) = session.seal(&order, &mut rng).unwrap();
    for _ in 0..200 {
        let at = rng.upto(bytes.len() - 1);
        let noise = rng.bytes(40);
        let mut changed = flipped(&bytes, at, at);
        for (to, from) in changed.iter_mut().skip(at).zip(&noise) {
            *to = *from;
        }
        if let Ok(capsule) = Capsule::decode(changed.clone()) {
            assert!(capsule.open_header(&epoch, &relay).is_err() || !(2..1_202).contains(&at));
        }
        assert!(key.open(&SealedReply(rng.bytes(60).try_into().unwrap())).is_err());
    }
    let sealed = key.seal(SendReply::Gone, &mut rng).unwrap();
    assert_eq!(key.open(&sealed), Ok(SendReply::Gone));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..700), text in ".{0,80}") {
        everything_reads(&bytes, &text);
        everything_reads(&bytes, &BASE64URL_NOPAD.encode(&bytes));
    }

    #[test]
    fn a_random_body_of_a_known_kind_never_panics(
        kind in proptest::sample::select(vec![
            0x01_u8, 0x10, 0x11, 0x12, 0x13, 0x20, 0x30, 0x31, 0x32, 0x80, 0x81, 0x82, 0x90, 0x91, 0xa0, 0xb0, 0xc0,
            0xc1, 0xc2, 0xc3,
        ]),
        request in 0_u32..2,
        body in vec(prop_oneof![Just(0_u8), Just(1_u8), any::<u8>()], 0..400),
    ) {
        frame_has_one_form(&Frame { kind, request: RequestId(request), body: &body }.encode().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_decodes_after_a_flip_has_one_form(seed: u64) {
        let mut rng = Seeded::new(seed);
        let frames = [
            values::command(&mut rng).encode(RequestId(7)).unwrap(),
            values::push(&mut rng).encode().unwrap(),
            Reply::Done.encode(RequestId(1)).unwrap(),
        ];
        for frame in frames {
            for _ in 0..8 {
                let at = rng.upto(frame.len().min(300) - 1);
                frame_has_one_form(&flipped(&frame, at, at));
            }
        }
        let padded = values::content(&mut rng).encode().unwrap();
        for _ in 0..8 {
            let at = 4 + rng.upto(200);
            content_means_itself(&flipped(&padded, at, at));
        }
    }

    #[test]
    fn random_blobs_and_envelopes_do_not_open(seed: u64) {
        let mut rng = Seeded::new(seed);
        let offer = values::offer(&mut rng);
        let (link, _) = values::invite(&mut rng, &offer);
        prop_assert!(Offer::open(&link, &rng.bytes(4_096)).is_err());
        prop_assert!(values::envelope(&mut rng).open(&EnvelopeKey::random(&mut rng)).is_err());
    }
}
