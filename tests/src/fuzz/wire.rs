//! Decoders of the protocol: a typed error, or one meaning with one form.

use std::sync::LazyLock;

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::bundle::Bundle;
use beresta_proto::capsule::{Capsule, SealedReply, SessionKeys};
use beresta_proto::codec::{Reader, Writer};
use beresta_proto::command::Command;
use beresta_proto::content::Content;
use beresta_proto::descriptor::{EpochKey, UnverifiedDescriptor, relay_id};
use beresta_proto::envelope::Envelope;
use beresta_proto::id::RelayId;
use beresta_proto::invite::{InviteLink, Offer};
use beresta_proto::key::{EnvelopeKey, EpochSecret, SessionKey, SigningKey};
use beresta_proto::pad;
use beresta_proto::reply::Heard;
use beresta_proto::time::{DAY_MS, Timestamp};

use crate::vectors::VectorRandom;

/// Rules L1 to L5: what decodes from a frame encodes to that frame, whichever side said it.
pub(super) fn frame(bytes: &[u8]) {
    if let Ok((request, command)) = Command::decode(bytes) {
        assert_eq!(command.encode(request).unwrap(), bytes);
    }
    match Heard::decode(bytes) {
        Ok(Heard::Reply(request, reply)) => assert_eq!(reply.encode(request).unwrap(), bytes),
        Ok(Heard::Push(push)) => assert_eq!(push.encode().unwrap(), bytes),
        Err(_) => {}
    }
}

/// The relay of the vectors, so that a fuzzer begins with capsules that open.
static EPOCH: LazyLock<(RelayId, EpochSecret)> = LazyLock::new(|| {
    let mut rng = VectorRandom::new("capsule");
    let relay = RelayId::random(&mut rng);
    (relay, EpochSecret::random(&mut rng))
});

/// Rules C1 to C5: a capsule opens the slow way or not at all, and an answer for nobody opens for nobody.
pub(super) fn capsule(bytes: &[u8]) {
    let (relay, epoch) = &*EPOCH;
    let Ok(capsule) = Capsule::decode(bytes.to_vec()) else { return };
    let strange = SessionKeys::new(&SessionKey::take(&mut [7; 32]), capsule.key_id());
    assert!(capsule.clone().open_order(&strange, 7).is_err());
    let Ok(header) = capsule.open_header(epoch, relay) else { return };
    if let Ok((order, replies)) = capsule.open_order(&header.session, header.n) {
        assert!(order.envelope.as_bytes().len() < bytes.len());
        let noise = bytes.first_chunk().copied().unwrap_or([0; 60]);
        assert!(replies.open(&SealedReply(noise)).is_err());
    }
}

/// Rules E1 to E4.
pub(super) fn envelope(bytes: &[u8]) {
    let key = EnvelopeKey::random(&mut VectorRandom::new("envelope"));
    if let Ok(envelope) = Envelope::from_bytes(bytes.to_vec()) {
        assert_eq!(envelope.as_bytes(), bytes);
        let _ = envelope.open(&key);
    }
    if let Ok(sealed) = Envelope::seal(&key, bytes, &mut VectorRandom::new("nonce")) {
        assert_eq!(sealed.open(&key).unwrap().as_slice(), bytes);
    }
}

/// Rules E5 and E6: what decodes means the same when it is encoded and decoded again.
pub(super) fn content(bytes: &[u8]) {
    for padded in [bytes, &pad::pad(bytes)] {
        if let Ok(content) = Content::decode(padded) {
            let again = content.encode().unwrap();
            assert_eq!(Content::decode(&again).unwrap(), content);
        }
    }
}

/// Rules I1 to I3 and S4: links, addresses and bundles.
pub(super) fn invite(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(link) = InviteLink::from_link(text) {
            assert_eq!(InviteLink::from_link(&link.to_link()).unwrap(), link);
            assert!(Offer::open(&link, bytes).is_err());
        }
        if let Ok(address) = RelayAddress::from_link(text) {
            assert_eq!(RelayAddress::from_link(&address.to_link()).unwrap(), address);
        }
    }
    if let Ok(address) = RelayAddress::from_bytes(bytes) {
        assert_eq!(address.to_bytes(), bytes);
    }
    let mut reader = Reader::new(bytes);
    if let Ok(list) = QueueAddress::decode_list(&mut reader) {
        let mut writer = Writer::default();
        QueueAddress::encode_list(&list, &mut writer);
        assert_eq!(writer.as_slice(), &bytes[..bytes.len() - reader.left()]);
    }
    let mut reader = Reader::new(bytes);
    if let Ok(bundle) = Bundle::decode(&mut reader) {
        let mut writer = Writer::default();
        bundle.encode(&mut writer);
        assert_eq!(writer.as_slice(), &bytes[..bytes.len() - reader.left()]);
    }
}

/// Rules D1, D2 and D7: only what the identity signed verifies, and that says what it said.
pub(super) fn descriptor(bytes: &[u8]) {
    let identity = SigningKey::random(&mut VectorRandom::new("descriptor"));
    let relay = relay_id(&identity.verifying_key().unwrap());
    if let Ok(heard) = UnverifiedDescriptor::decode(bytes)
        && let Ok(descriptor) = heard.verify(&relay, &[0; 32], 0, Timestamp(20_001 * DAY_MS))
    {
        assert_eq!(descriptor.sign(&identity).unwrap(), bytes);
    }
    let mut reader = Reader::new(bytes);
    if let Ok(key) = EpochKey::decode(&mut reader) {
        let mut writer = Writer::default();
        key.encode(&mut writer);
        assert_eq!(writer.as_slice(), &bytes[..bytes.len() - reader.left()]);
    }
}
