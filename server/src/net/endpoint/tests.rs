//! Over real QUIC on loopback, with a client that is only as good as these tests need.

mod addresses;
mod admin;
mod client;
mod hostile;
mod metrics;
mod networks;
mod places;
mod selftest;
mod stop;
mod waste;

use beresta_proto::auth;
use beresta_proto::capsule::{SendOrder, SendReply, Session};
use beresta_proto::command::{Command, Subscription};
use beresta_proto::descriptor::{EpochKey, UnverifiedDescriptor};
use beresta_proto::envelope::Envelope;
use beresta_proto::frame::RequestId;
use beresta_proto::id::MessageId;
use beresta_proto::key::{EnvelopeKey, SendCapability, SigningKey};
use beresta_proto::reply::{Heard, Push, Reply, Subscribed};
use beresta_proto::time::TtlClass;

use super::*;
use crate::queue::memory::MemoryEngine;
use crate::queue::rules::Cap;
use crate::relay::{Identity, Limits};
use crate::setup::{self, Wish};
use client::Client;

struct Running {
    _dir: tempfile::TempDir,
    setup: setup::Setup,
    server: Server,
}

fn start() -> Running {
    start_at("127.0.0.1:0", 64)
}

/// A relay that listens there and takes so many links from one network.
fn start_at(listen: &str, links_per_network: u32) -> Running {
    start_for(listen, Crowd::of(1 << 30, links_per_network))
}

/// A relay that listens there and takes so many.
fn start_for(listen: &str, crowd: Crowd) -> Running {
    start_on(listen, crowd, Arc::new(MemoryEngine::new(Cap { bytes: 1 << 30 })))
}

/// The same, whose queues are kept there.
fn start_on(listen: &str, crowd: Crowd, engine: Arc<dyn QueueEngine>) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let wish = Wish {
        dir: dir.path().to_path_buf(),
        // The setup wants one that stays; here any will do.
        listen: Some("127.0.0.1:1".parse().unwrap()),
        public: vec!["127.0.0.1:1".parse().unwrap()],
        operator: None,
        identity: None,
        clock_is_right: false,
    };
    let mut rng = SystemRandom::new().unwrap();
    let now = clock::now();
    setup::init(&wish, now, &mut rng).unwrap();
    let setup = setup::load(dir.path(), now).unwrap();
    let identity = Identity {
        relay: setup.relay,
        descriptor: setup.signed.clone(),
        epoch_signer: setup.epoch_signer.clone(),
        epochs: None,
        namer: setup.namer.clone(),
    };
    let relay = Relay::new(identity, Limits::default(), now, rng).unwrap();
    let (listen, home) = (listen.parse().unwrap(), Home::at(dir.path()));
    let server = Server::start(listen, crowd, &setup.tls, relay, engine, &home).unwrap();
    Running { _dir: dir, setup, server }
}

impl Running {
    async fn client(&self) -> Client {
        Client::connect(self.server.listens_at().unwrap(), beresta_proto::label::LINK_ALPN).await.unwrap()
    }
}

async fn epoch_key(relay: &Running, client: &mut Client) -> EpochKey {
    client.say(RequestId(1), &Command::Descriptor).await;
    let Heard::Reply(RequestId(1), Reply::Descriptor { descriptor, mut epoch_keys, .. }) =
        client.hear().await
    else {
        panic!("no descriptor");
    };
    let heard = UnverifiedDescriptor::decode(&descriptor).unwrap();
    let checked = heard.verify(&relay.setup.relay, &client.tls_key(), 0, clock::now()).unwrap();
    let now = clock::now().day();
    epoch_keys.retain(|key| key.day == now);
    let key = epoch_keys.pop().unwrap();
    key.verify(&checked).unwrap();
    key
}

#[tokio::test]
async fn a_descriptor_that_matches_the_link_is_given_and_a_message_goes_from_one_to_the_other() {
    let relay = start();
    let mut rng = SystemRandom::new().unwrap();
    let (mut anna, mut boris) = (relay.client().await, relay.client().await);
    let key = epoch_key(&relay, &mut anna).await;

    let (read_key, capability) = (SigningKey::random(&mut rng), SendCapability::random(&mut rng));
    let make = Command::MakeQueue {
        read_key: read_key.verifying_key().unwrap(),
        capability: capability.hash(),
        credit: None,
    };
    boris.say(RequestId(7), &make).await;
    let Heard::Reply(RequestId(7), Reply::QueueMade { read_id, send_id }) = boris.hear().await else {
        panic!("no queue");
    };
    let signature = read_key.sign(&auth::subscribe(&boris.exporter(), &read_id)).unwrap();
    boris.say(RequestId(8), &Command::Subscribe(vec![Subscription { queue: read_id, signature }])).await;
    assert_eq!(boris.hear().await, Heard::Reply(RequestId(8), Reply::Subscribed(vec![Subscribed::Ok])));
    assert_eq!(boris.hear().await, Heard::Push(Push::CaughtUp { subscribed: 1 }));

    let mut session = Session::new(relay.setup.relay, key.public, &mut rng);
    let sealed_by = EnvelopeKey::random(&mut rng);
    for number in 0..20_u32 {
        let envelope = Envelope::seal(&sealed_by, &number.to_be_bytes(), &mut rng).unwrap();
        let order = SendOrder {
            queue: send_id,
            capability: capability.clone(),
            message: MessageId::random(&mut rng),
            ttl: TtlClass::ThreeWeeks,
            envelope,
        };
        let (capsule, reply) = session.seal(&order, &mut rng).unwrap();
        anna.say(RequestId(number + 10), &Command::Send { capsule }).await;
        let Heard::Reply(request, Reply::Sent(sealed)) = anna.hear().await else { panic!("not sent") };
        assert_eq!((request, reply.open(&sealed).unwrap()), (RequestId(number + 10), SendReply::Stored));
        let Heard::Push(Push::Deliver { queue, sequence, envelope }) = boris.hear().await else {
            panic!("not delivered")
        };
        assert_eq!(
            (queue, envelope.open(&sealed_by).unwrap().as_slice()),
            (read_id, number.to_be_bytes().as_slice())
        );
        boris.say(RequestId(number + 10), &Command::Acknowledge { queue: read_id, upto: sequence }).await;
        assert_eq!(boris.hear().await, Heard::Reply(RequestId(number + 10), Reply::Done));
    }
}

#[tokio::test]
async fn another_protocol_is_refused_in_the_handshake() {
    let relay = start();
    assert!(Client::connect(relay.server.listens_at().unwrap(), b"beresta/9").await.is_err());
}

#[tokio::test]
async fn a_connection_carries_one_link() {
    let relay = start();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    assert!(!client.may_open_another_stream().await);
}

#[tokio::test]
async fn garbage_closes_the_link_with_its_reason() {
    let relay = start();
    let mut client = relay.client().await;
    client.write(&[0xff; 300]).await;
    assert_eq!(client.closed().await, Some(CloseReason::Malformed.code()));
}

#[tokio::test]
async fn a_frame_of_a_class_that_does_not_exist_is_not_waited_for() {
    let relay = start();
    let mut client = relay.client().await;
    client.write(&[4]).await;
    assert_eq!(client.closed().await, Some(CloseReason::Malformed.code()));
}

#[tokio::test]
async fn padding_that_is_not_zero_closes_the_link() {
    let relay = start();
    let mut client = relay.client().await;
    let mut frame = Command::Descriptor.encode(RequestId(1)).unwrap();
    *frame.last_mut().unwrap() = 1;
    client.write(&frame).await;
    assert_eq!(client.closed().await, Some(CloseReason::Malformed.code()));
}

#[tokio::test]
async fn frames_may_come_in_pieces_and_several_at_once() {
    let relay = start();
    let mut client = relay.client().await;
    let frames: Vec<u8> =
        (1..=3).flat_map(|number| Command::Descriptor.encode(RequestId(number)).unwrap()).collect();
    for piece in [&frames[..1], &frames[1..300], &frames[300..]] {
        client.write(piece).await;
        tokio::task::yield_now().await;
    }
    for number in 1..=3 {
        assert!(
            matches!(client.hear().await, Heard::Reply(RequestId(one), Reply::Descriptor { .. }) if one == number)
        );
    }
}

#[tokio::test]
async fn a_relay_that_stops_says_so_and_closes() {
    let relay = start();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    let Running { _dir, setup: _, server } = relay;
    let stopped = tokio::spawn(server.stop(Duration::ZERO, std::future::pending()));
    assert!(matches!(client.hear().await, Heard::Push(Push::GoAway { .. })));
    assert_eq!(client.closed().await, Some(0));
    stopped.await.unwrap();
}

#[tokio::test]
async fn a_relay_that_has_lost_a_part_says_so() {
    let mut relay = start();
    assert!(timeout(Duration::ZERO, relay.server.fails()).await.is_err());
    relay.server.tasks.spawn(async { panic!("a fault") });
    relay.server.fails().await;
}

#[tokio::test]
async fn a_link_whose_task_panics_is_forgotten() {
    let relay = start();
    let hub = Arc::clone(&relay.server.hub);
    let (id, _) = hub.connected(Exporter([7; 32]));
    let registered = Registered { hub: Arc::clone(&hub), id };
    let task = tokio::spawn(async move {
        let _registered = registered;
        panic!("a fault");
    });
    assert!(task.await.is_err());
    let mut frame = Some(Command::Descriptor.encode(RequestId(1)).unwrap());
    assert!(
        !hub.frames(id, 0, || {
            frame.take();
            None
        }),
        "nobody is read from under its number"
    );
    assert!(frame.is_some());
}
