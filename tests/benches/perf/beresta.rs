//! A pair's way of talking to the relay: real capsules into a real queue, and a reader that acknowledges every message.
//! The capsules are sealed before the clock starts, because the senders of a real relay have processors of their own.

use std::collections::VecDeque;
use std::net::SocketAddr;

use beresta_proto::auth::{self, Exporter};
use beresta_proto::capsule::{ReplyKey, SendOrder, SendReply, Session};
use beresta_proto::command::{Command, Subscription};
use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::frame::RequestId;
use beresta_proto::hpke::EpochPublic;
use beresta_proto::id::{MessageId, ReadId, RelayId, SendId};
use beresta_proto::key::{SendCapability, SigningKey};
use beresta_proto::label::LINK_EXPORTER;
use beresta_proto::reply::{Heard, Push, Reply, Subscribed};
use beresta_proto::rng::Random as _;
use beresta_proto::time::TtlClass;
use beresta_server::clock;
use beresta_server::random::SystemRandom;
use bytes::Bytes;
use quinn::Endpoint;

use crate::load::{Pair, Pushed, Wire};
use crate::quic::{self, Link};

/// The requests with which a link is set up.
const SET_UP: RequestId = RequestId(u32::MAX);

/// Where messages go.
pub(crate) struct Address {
    queue: SendId,
    capability: SendCapability,
}

impl Address {
    /// A queue that is nowhere.
    pub(crate) fn random() -> Self {
        let mut rng = SystemRandom::new().unwrap();
        Self { queue: SendId(rng.array()), capability: SendCapability::random(&mut rng) }
    }
}

/// Makes capsules.
pub(crate) struct Sealer {
    relay: RelayId,
    epoch: EpochPublic,
    to: Address,
    session: Session,
    /// Whether the capsules are of one session, which the relay recognises after the first.
    recognised: bool,
    rng: SystemRandom,
}

impl Sealer {
    pub(crate) fn new(relay: RelayId, epoch: EpochPublic, to: Address, recognised: bool) -> Self {
        let mut rng = SystemRandom::new().unwrap();
        let session = Session::new(relay, epoch.clone(), &mut rng);
        Self { relay, epoch, to, session, recognised, rng }
    }

    /// The frame of a message of 4 KiB, and what opens the answer.
    pub(crate) fn frame(&mut self, request: RequestId) -> (Bytes, ReplyKey) {
        if !self.recognised {
            self.session = Session::new(self.relay, self.epoch.clone(), &mut self.rng);
        }
        let mut envelope = vec![0; Bucket::M.size()];
        self.rng.fill(&mut envelope);
        let order = SendOrder {
            queue: self.to.queue,
            capability: self.to.capability.clone(),
            message: MessageId::random(&mut self.rng),
            ttl: TtlClass::ThreeWeeks,
            envelope: Envelope::from_bytes(envelope).unwrap(),
        };
        let (capsule, reply) = self.session.seal(&order, &mut self.rng).unwrap();
        (Command::Send { capsule }.encode(request).unwrap().into(), reply)
    }
}

/// What a pair must hear from the relay.
pub(crate) struct Beresta {
    replies: VecDeque<(RequestId, ReplyKey)>,
    queue: ReadId,
    /// Messages that were not acknowledged yet, and the last one's number.
    unacknowledged: usize,
    upto: u64,
    /// Acknowledgements that were not answered yet: of how many messages each.
    acknowledged: VecDeque<(RequestId, usize)>,
    next: u32,
}

impl Wire for Beresta {
    fn replied(&mut self, frame: &[u8]) {
        let (request, key) = self.replies.pop_front().expect("a message that was sent");
        let Ok(Heard::Reply(to, Reply::Sent(sealed))) = Heard::decode(frame) else { panic!("refused") };
        assert_eq!((to, key.open(&sealed)), (request, Ok(SendReply::Stored)));
    }

    fn pushed(&mut self, frame: &[u8]) -> Pushed {
        match Heard::decode(frame).unwrap() {
            Heard::Push(Push::Deliver { queue, sequence, envelope: _ }) if queue == self.queue => {
                self.unacknowledged += 1;
                self.upto = sequence;
                Pushed::Message
            }
            Heard::Reply(request, Reply::Done) => {
                let (to, messages) = self.acknowledged.pop_front().expect("an acknowledgement");
                assert_eq!(to, request);
                Pushed::Done(messages)
            }
            Heard::Push(_) | Heard::Reply(..) => panic!("neither a message nor the end of one"),
        }
    }

    fn acknowledge(&mut self) -> Option<Vec<u8>> {
        let messages = std::mem::take(&mut self.unacknowledged);
        (messages > 0).then(|| {
            let request = RequestId(self.next);
            self.next += 1;
            self.acknowledged.push_back((request, messages));
            Command::Acknowledge { queue: self.queue, upto: self.upto }.encode(request).unwrap()
        })
    }
}

/// Lets a pair meet at the relay, with `count` messages.
pub(crate) async fn pair(at: SocketAddr, relay: RelayId, recognised: bool, count: usize) -> Pair<Beresta> {
    let (reader, read_id, to) = reader(&quic::client(), at).await;
    let mut sender = Link::open(&quic::client(), at).await;
    let Reply::Descriptor { epoch_keys, .. } = ask(&mut sender, &Command::Descriptor).await else {
        panic!("no descriptor")
    };
    let today = epoch_keys.into_iter().find(|key| key.day == clock::now().day()).expect("today's key");
    let mut sealer = Sealer::new(relay, today.public, to, recognised);
    let (mut frames, mut replies) = (Vec::with_capacity(count), VecDeque::with_capacity(count));
    for request in (1..).map(RequestId).take(count) {
        let (frame, reply) = sealer.frame(request);
        frames.push(frame);
        replies.push_back((request, reply));
    }
    let acknowledged = VecDeque::new();
    let wire = Beresta { replies, queue: read_id, unacknowledged: 0, upto: 0, acknowledged, next: 1 };
    Pair { sender, reader, frames, wire }
}

/// A link of whoever asks for the descriptor and nothing else.
pub(crate) async fn visit(endpoint: &Endpoint, at: SocketAddr) -> Link {
    let mut link = Link::open(endpoint, at).await;
    let Reply::Descriptor { .. } = ask(&mut link, &Command::Descriptor).await else {
        panic!("no descriptor")
    };
    link
}

/// A link that reads a fresh queue.
pub(crate) async fn reader(endpoint: &Endpoint, at: SocketAddr) -> (Link, ReadId, Address) {
    let mut rng = SystemRandom::new().unwrap();
    let (read_key, capability) = (SigningKey::random(&mut rng), SendCapability::random(&mut rng));
    let mut link = Link::open(endpoint, at).await;
    let make = Command::MakeQueue {
        read_key: read_key.verifying_key().unwrap(),
        capability: capability.hash(),
        credit: None,
    };
    let Reply::QueueMade { read_id, send_id } = ask(&mut link, &make).await else { panic!("no queue") };
    let mut exporter = [0; 32];
    link.connection.export_keying_material(&mut exporter, LINK_EXPORTER, b"").unwrap();
    let signature = read_key.sign(&auth::subscribe(&Exporter(exporter), &read_id)).unwrap();
    let subscribe = Command::Subscribe(vec![Subscription { queue: read_id, signature }]);
    assert_eq!(ask(&mut link, &subscribe).await, Reply::Subscribed(vec![Subscribed::Ok]));
    let Some(frame) = link.frames.next().await else { link.ended() };
    assert_eq!(Heard::decode(&frame).unwrap(), Heard::Push(Push::CaughtUp { subscribed: 1 }));
    (link, read_id, Address { queue: send_id, capability })
}

async fn ask(link: &mut Link, command: &Command) -> Reply {
    let frame = link.ask(&command.encode(SET_UP).unwrap()).await;
    let Ok(Heard::Reply(SET_UP, reply)) = Heard::decode(&frame) else { panic!("no answer") };
    reply
}
