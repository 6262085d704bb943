//! Content.

use beresta_proto::codec::{DecodeError, Writer};
use beresta_proto::content::{Body, Content, ContentError, Timer};
use beresta_proto::id::ContentId;
use beresta_proto::pad;
use beresta_proto::time::Timestamp;
use proptest::prelude::*;

use crate::values::{self, Seeded};

/// A field of Protocol Buffers with a length, written out.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    [varint(u64::from(number << 3 | 2)), varint(u64::try_from(bytes.len()).unwrap()), bytes.to_vec()].concat()
}

/// A field with a number in it.
fn number(number: u32, value: u64) -> Vec<u8> {
    [varint(u64::from(number << 3)), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
    out
}

/// Everything but timer, needs, epoch and body, as `docs/protocol/4-content.md` numbers it.
fn envelope_fields() -> Vec<Vec<u8>> {
    vec![
        field(1, &[1; 16]),
        field(2, &[2; 16]),
        number(3, 1),
        field(4, &[4; 16]),
        number(5, 127),
        field(6, &[6; 16]),
        number(7, 1_700_000_000_000),
    ]
}

fn with(extra: &[Vec<u8>]) -> Vec<u8> {
    [envelope_fields().concat(), extra.concat()].concat()
}

fn read(plain: &[u8]) -> Result<Content, ContentError> {
    Content::decode(&pad::pad(plain))
}

#[test]
fn fields_have_the_numbers_of_the_text() {
    let bytes = with(&[
        number(8, 60),
        number(9, 3),
        field(11, &[number(1, 20_000), field(2, &[8; 8])].concat()),
        field(16, "привет".as_bytes()),
    ]);
    let content = read(&bytes).unwrap();
    assert_eq!(content.id.0, [1; 16]);
    assert_eq!((content.route.from.0, content.route.from_device.get()), ([2; 16], 1));
    assert_eq!((content.route.to.0, content.route.to_device.get()), ([4; 16], 127));
    assert_eq!(content.route.conversation.0, [6; 16]);
    assert_eq!(content.sent, Timestamp(1_700_000_000_000));
    assert_eq!(content.timer, Timer { seconds: Some(60), version: 3 });
    let seen = content.seen_epoch.unwrap();
    assert_eq!((seen.day, seen.key.0), (20_000, [8; 8]));
    assert!(content.body == Body::Text("привет".into()));
    assert_eq!(content.encode().unwrap().as_slice(), pad::pad(&bytes), "and back to the same bytes");

    let body = |number, bytes: &[u8]| read(&with(&[field(number, bytes)])).unwrap().body;
    assert!(body(17, &field(1, &[9; 16])) == Body::Delivered(vec![ContentId([9; 16])]));
    assert!(body(19, &[]) == Body::TimerChanged);
    assert!(body(20, &[]) == Body::Resume);
    assert!(body(21, &[]) == Body::Probe);
    let addresses = values::queue_addresses(&mut Seeded::new(1));
    let mut w = Writer::default();
    beresta_proto::address::QueueAddress::encode_list(&addresses, &mut w);
    let meeting = [field(1, b"Anna"), field(2, w.as_slice())].concat();
    assert!(body(18, &meeting) == Body::Meeting { name: "Anna".into(), addresses });
}

#[test]
fn an_unknown_field_is_skipped() {
    let plain = with(&[field(16, b"text")]);
    let more = with(&[number(15, 9), field(12, b"later"), field(16, b"text"), field(99, &[1; 40])]);
    assert_eq!(read(&plain), read(&more));
    assert!(read(&plain).is_ok());
}

#[test]
fn what_needs_a_newer_version_says_so() {
    for newer in [
        vec![field(16, b"text"), number(10, 1)],
        vec![field(16, b"text"), number(10, 1 << 31)],
        vec![field(22, b"a body of tomorrow")],
        vec![],
    ] {
        assert_eq!(read(&with(&newer)), Err(ContentError::NeedsNewer));
    }
}

#[test]
fn a_missing_or_wrong_field_is_refused() {
    let text = field(16, b"text");
    for missing in 0..6 {
        let mut fields = envelope_fields();
        fields.remove(missing);
        fields.push(text.clone());
        assert!(matches!(read(&fields.concat()), Err(ContentError::Malformed(_))), "field {}", missing + 1);
    }
    // The last of a field counts, so each of these replaces a good one.
    for wrong in [
        field(1, &[1; 15]),
        field(2, &[1; 17]),
        number(3, 0),
        number(3, 128),
        number(5, 257),
        field(6, &[]),
        field(3, b"not a number"),
        field(11, &field(2, &[8; 9])),
        field(17, &field(1, &[9; 15])),
        field(16, &[0xff, 0xfe]),
    ] {
        let refused = read(&with(&[text.clone(), wrong]));
        assert!(matches!(refused, Err(ContentError::Malformed(_))), "{refused:?}");
    }
}

#[test]
fn everything_over_its_limit_is_refused_both_ways() {
    let mut rng = Seeded::new(2);
    let address = values::queue_address(&mut rng);
    let meeting =
        |name: &str, count| Body::Meeting { name: name.into(), addresses: vec![address.clone(); count] };
    let mut encode = |body| values::content_of(&mut rng, body).encode().map(|_| ());
    assert_eq!(encode(Body::Text("т".repeat(6_500).into())), Ok(()));
    assert!(encode(Body::Text(("т".repeat(6_500) + "t").into())).is_err());
    assert_eq!(encode(Body::Delivered(vec![ContentId([0; 16]); 32])), Ok(()));
    assert!(encode(Body::Delivered(vec![ContentId([0; 16]); 33])).is_err());
    assert_eq!(encode(meeting(&"n".repeat(64), 8)), Ok(()));
    assert!(encode(meeting(&"n".repeat(65), 1)).is_err());
    assert!(encode(meeting("n", 0)).is_err());
    assert!(encode(meeting("n", 9)).is_err());

    for long in [
        field(16, &[b't'; 13_001]),
        field(17, &field(1, &[0; 16]).repeat(33)),
        field(18, &field(1, &[b'n'; 65])),
        field(18, &field(2, &[0])),
        field(18, &field(2, &[9])),
    ] {
        assert!(matches!(read(&with(&[long])), Err(ContentError::Malformed(_))));
    }
    let text = field(16, b"text");
    assert!(read(&with(&[text.clone(), number(8, 2_419_200)])).is_ok());
    assert!(matches!(read(&with(&[text, number(8, 2_419_201)])), Err(ContentError::Malformed(_))));
}

#[test]
fn a_timer_of_zero_seconds_is_refused_and_not_sent_as_none() {
    let mut content = values::content_of(&mut Seeded::new(3), Body::TimerChanged);
    for (seconds, fine) in
        [(None, true), (Some(0), false), (Some(1), true), (Some(2_419_200), true), (Some(2_419_201), false)]
    {
        content.timer.seconds = seconds;
        assert_eq!(content.encode().is_ok(), fine, "{seconds:?}");
    }
}

#[test]
fn content_that_is_padded_wrongly_is_refused() {
    let mut padded = values::content_of(&mut Seeded::new(4), Body::Probe).encode().unwrap().to_vec();
    *padded.last_mut().unwrap() = 1;
    assert_eq!(Content::decode(&padded), Err(ContentError::Padding(DecodeError::Padding)));
    assert!(matches!(Content::decode(&[]), Err(ContentError::Padding(_))));
}

#[test]
fn the_longest_text_and_the_longest_meeting_leave_room_for_a_first_message() {
    let mut rng = Seeded::new(5);
    let mut text = values::content_of(&mut rng, Body::Text("t".repeat(13_000).into()));
    text.seen_epoch =
        Some(beresta_proto::content::SeenEpoch { day: 1 << 20, key: beresta_proto::id::KeyId([1; 8]) });
    text.timer = Timer { seconds: Some(2_419_200), version: u32::MAX };
    assert!(text.encode().unwrap().len() + 2_500 <= 16_340);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_content_survives_a_round_trip(seed: u64) {
        let content = values::content(&mut Seeded::new(seed));
        let padded = content.encode().unwrap();
        prop_assert_eq!(Content::decode(&padded).unwrap(), content);
        let plain = pad::unpad(&padded).unwrap();
        for len in (0..plain.len()).step_by(plain.len() / 500 + 1) {
            prop_assert!(read(&plain[..len]).is_err(), "cut to {} of {} bytes", len, plain.len());
        }
    }
}
