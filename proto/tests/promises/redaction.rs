//! What `Debug` shows: of secrets, ids, names and ciphertexts nothing.

use std::fmt::Debug;

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::auth::Exporter;
use beresta_proto::bundle::{Bundle, IdentityPublic, SignedPreKey};
use beresta_proto::capsule::{Capsule, SendOrder, SendReply, Session, Tag};
use beresta_proto::codec::{Reader, Writer};
use beresta_proto::command::{Command, Subscription};
use beresta_proto::content::{Body, Content, Route as Between, Timer};
use beresta_proto::descriptor::{Descriptor, EpochKey, Policy, UnverifiedDescriptor};
use beresta_proto::envelope::Envelope;
use beresta_proto::frame::{Frame, RequestId};
use beresta_proto::id::{
    AccountId, BlobId, ContentId, ConversationId, Device, KeyId, MessageId, ReadId, RelayId, SendId,
};
use beresta_proto::invite::{InviteLink, Offer};
use beresta_proto::key::{
    BlobKey, CapabilityHash, Credit, EnvelopeKey, EpochSecret, EpochSeed, SendCapability, SessionKey,
    SessionPrk, Signature, SigningKey, VerifyingKey,
};
use beresta_proto::reply::{Heard, Push, Reply};
use beresta_proto::route::Route;
use beresta_proto::time::{Timestamp, TtlClass};

use crate::values::Seeded;

/// Every planted byte: 167 in lists, a7 in hexadecimal.
const P: u8 = 0xa7;
const NAME: &str = "Anna167";

fn shown(values: &[&dyn Debug]) -> String {
    let lines: Vec<_> = values.iter().map(|value| format!("{value:?}")).collect();
    let text = lines.join("\n");
    let pretty = values.iter().map(|value| format!("{value:#?}")).collect::<String>();
    for planted in ["167", "a7", "A7", "Anna"] {
        assert!(!text.contains(planted) && !pretty.contains(planted), "{planted} shows in {text}");
    }
    text
}

fn relay() -> RelayAddress {
    RelayAddress {
        relay: RelayId([P; 32]),
        routes: vec![
            Route::Quic(([P; 4], 167).into()),
            Route::Quic(([P; 16], 167).into()),
            Route::Other { kind: P, data: vec![P; 9] },
        ],
    }
}

fn queue() -> QueueAddress {
    QueueAddress {
        relay: relay(),
        device: Device::FIRST,
        send_id: SendId([P; 24]),
        capability: SendCapability::take(&mut [P; 32]),
        key: EnvelopeKey::take(&mut [P; 32]),
    }
}

fn bundle() -> Bundle {
    Bundle {
        registration_id: 167,
        device: Device::FIRST,
        identity: IdentityPublic([P; 33]),
        signed: SignedPreKey { id: 167, public: [P; 33], signature: [P; 64] },
        one_time: Some((167, [P; 33])),
        kyber: SignedPreKey { id: 167, public: [P; 1_569], signature: [P; 64] },
    }
}

fn envelope() -> Envelope {
    Envelope::from_bytes(vec![P; 2_048]).unwrap()
}

#[test]
fn secrets_show_no_byte() {
    insta::assert_snapshot!(shown(&[
        &SendCapability::take(&mut [P; 32]),
        &EnvelopeKey::take(&mut [P; 32]),
        &BlobKey::take(&mut [P; 32]),
        &SessionKey::take(&mut [P; 32]),
        &SessionPrk::take(&mut [P; 32]),
        &SigningKey::take(&mut [P; 32]),
        &EpochSeed::take(&mut [P; 32]),
        &EpochSecret::take(&mut [P; 32]),
        &CapabilityHash([P; 32]),
        &VerifyingKey([P; 32]),
        &Signature([P; 64]),
        &Credit::take(&mut [P; 32]),
        &Exporter([P; 32]),
    ]), @r"
    SendCapability(..)
    EnvelopeKey(..)
    BlobKey(..)
    SessionKey(..)
    SessionPrk(..)
    SigningKey(..)
    EpochSeed(..)
    EpochSecret(..)
    CapabilityHash(..)
    VerifyingKey(..)
    Signature(..)
    Credit(..)
    Exporter(..)
    ");
}

#[test]
fn ids_show_no_byte() {
    insta::assert_snapshot!(shown(&[
        &RelayId([P; 32]),
        &ReadId([P; 24]),
        &SendId([P; 24]),
        &BlobId([P; 16]),
        &MessageId([P; 16]),
        &ContentId([P; 16]),
        &KeyId([P; 8]),
        &AccountId([P; 16]),
        &ConversationId([P; 16]),
        &Tag([P; 16]),
        &IdentityPublic([P; 33]),
    ]), @r"
    RelayId(..)
    ReadId(..)
    SendId(..)
    BlobId(..)
    MessageId(..)
    ContentId(..)
    KeyId(..)
    AccountId(..)
    ConversationId(..)
    Tag(..)
    IdentityPublic(..)
    ");
}

#[test]
fn capsules_and_their_keys_show_no_byte() {
    let mut rng = Seeded::new(1);
    let epoch = EpochSecret::random(&mut rng);
    let mut session = Session::new(RelayId([P; 32]), epoch.public().unwrap(), &mut rng);
    let order = SendOrder {
        queue: SendId([P; 24]),
        capability: SendCapability::take(&mut [P; 32]),
        message: MessageId([P; 16]),
        ttl: TtlClass::Week,
        envelope: envelope(),
    };
    let (bytes, key) = session.seal(&order, &mut rng).unwrap();
    let capsule = Capsule::decode(bytes.clone()).unwrap();
    let header = capsule.open_header(&epoch, &RelayId([P; 32])).unwrap();
    let sealed = key.seal(SendReply::Stored, &mut rng).unwrap();
    insta::assert_snapshot!(
        shown(&[&epoch.public().unwrap(), &session, &order, &capsule, &header, &key, &sealed]), @r"
    EpochPublic(..)
    Session { relay: RelayId(..), to: EpochPublic(..), secret: SessionKey(..), keys: SessionKeys(..), next: 1 }
    SendOrder { queue: SendId(..), capability: SendCapability(..), message: MessageId(..), ttl: Week, envelope: Envelope(..) }
    Capsule(..)
    Header { session: SessionKeys(..), n: 0 }
    ReplyKey(..)
    SealedReply(..)
    ");
}

#[test]
fn invites_addresses_and_contents_show_no_byte_and_no_name() {
    let content = Content {
        id: ContentId([P; 16]),
        route: Between {
            from: AccountId([P; 16]),
            from_device: Device::FIRST,
            to: AccountId([P; 16]),
            to_device: Device::FIRST,
            conversation: ConversationId([P; 16]),
        },
        sent: Timestamp(167),
        timer: Timer { seconds: Some(167), version: 167 },
        seen_epoch: None,
        body: Body::Text(NAME.into()),
    };
    let link = InviteLink {
        relay: relay(),
        blob: BlobId([P; 16]),
        key: BlobKey::take(&mut [P; 32]),
        hash: [P; 16],
        expires: Timestamp(167),
    };
    let offer = Offer {
        name: NAME.into(),
        conversation: ConversationId([P; 16]),
        bundle: bundle(),
        addresses: vec![queue()],
        credit: Some(Credit::take(&mut [P; 32])),
    };
    let mut writer = Writer::default();
    writer.put(&[P; 40]);
    insta::assert_snapshot!(shown(&[
        &link,
        &offer,
        &bundle(),
        &queue(),
        &content,
        &Body::Meeting { name: NAME.into(), addresses: vec![queue()] },
        &Body::Delivered(vec![ContentId([P; 16])]),
        &writer,
        &Reader::new(&[P; 4]),
    ]), @r"
    InviteLink(..)
    Offer(..)
    Bundle(..)
    QueueAddress { relay: RelayAddress { relay: RelayId(..), routes: [Route::Quic(..), Route::Quic(..), Route::Other(..)] }, device: Device(1), send_id: SendId(..), capability: SendCapability(..), key: EnvelopeKey(..) }
    Content { body: Text(..), .. }
    Meeting(..)
    Delivered(..)
    Writer(..)
    Reader(..)
    ");
}

#[test]
fn frames_and_descriptors_show_no_byte_and_no_name() {
    let mut rng = Seeded::new(2);
    let key = SigningKey::random(&mut rng);
    let descriptor = Descriptor {
        identity: key.verifying_key().unwrap(),
        sequence: 167,
        not_before: Timestamp(167),
        not_after: Timestamp(167),
        tls_key: [P; 32],
        epoch_signer: VerifyingKey([P; 32]),
        routes: relay().routes,
        policy: Policy::MAILBOX,
        operator: NAME.into(),
    };
    let heard = UnverifiedDescriptor::decode(&descriptor.sign(&key).unwrap()).unwrap();
    let epoch = EpochKey::sign(3, EpochSecret::random(&mut rng).public().unwrap(), &key).unwrap();
    let subscription = Subscription { queue: ReadId([P; 24]), signature: Signature([P; 64]) };
    let reply = Reply::Descriptor { descriptor: vec![P; 9], epoch_keys: vec![], clock: Timestamp(167) };
    insta::assert_snapshot!(shown(&[
        &Frame { kind: 1, request: RequestId(167), body: &[P; 3] },
        &Command::Send { capsule: vec![P; 9] },
        &Command::Subscribe(vec![subscription]),
        &Command::Acknowledge { queue: ReadId([P; 24]), upto: 167 },
        &subscription,
        &Heard::Reply(RequestId(1), reply),
        &Reply::Blob(vec![P; 9]),
        &Push::Deliver { queue: ReadId([P; 24]), sequence: 1, envelope: envelope() },
        &descriptor,
        &heard,
        &epoch,
    ]), @r"
    Frame { kind: 1, .. }
    Send(..)
    Subscribe(..)
    Acknowledge(..)
    Subscription { queue: ReadId(..), signature: Signature(..) }
    Reply(RequestId(1), Descriptor(..))
    Blob(..)
    Deliver { queue: ReadId(..), sequence: 1, envelope: Envelope(..) }
    Descriptor(..)
    UnverifiedDescriptor(..)
    EpochKey { day: 3, public: EpochPublic(..), signature: Signature(..) }
    ");
}

#[test]
fn errors_name_places_and_no_bytes() {
    let refused = Envelope::from_bytes(vec![P; 9]).unwrap_err();
    insta::assert_snapshot!(shown(&[&refused]), @r#"Invalid { what: "envelope size" }"#);
}
