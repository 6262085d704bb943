//! The world: one core, one engine in memory, links that remember what they heard.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use beresta_proto::auth::{self, Exporter};
use beresta_proto::capsule::{ReplyKey, SendOrder, SendReply, Session};
use beresta_proto::command::{Command, Subscription};
use beresta_proto::envelope::Envelope;
use beresta_proto::frame::RequestId;
use beresta_proto::hpke::EpochPublic;
use beresta_proto::id::{MessageId, ReadId, RelayId, SendId};
use beresta_proto::key::{EnvelopeKey, SendCapability, SigningKey};
use beresta_proto::reply::{Heard, Push, Reply};
use beresta_proto::rng::Random;
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp, TtlClass};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use zeroize::Zeroizing;

use super::super::*;
use crate::queue::memory::MemoryEngine;
use crate::queue::rules::Cap;
use crate::queue::{Answer, QueueEngine as _};

pub(super) const RELAY: RelayId = RelayId([9; 32]);
/// Noon of some day: no epoch turns by itself.
pub(super) const NOON: Timestamp = Timestamp(20_000 * DAY_MS + 12 * HOUR_MS);

pub(super) struct Seeded(ChaCha20Rng);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

pub(super) fn seeded(seed: u64) -> Seeded {
    Seeded(ChaCha20Rng::seed_from_u64(seed))
}

/// What a reader holds of a queue.
#[derive(Clone)]
pub(super) struct Queue {
    pub(super) read_id: ReadId,
    pub(super) send_id: SendId,
    pub(super) read_key: SigningKey,
    pub(super) capability: SendCapability,
}

pub(super) struct World {
    pub(super) relay: Relay<Seeded>,
    pub(super) engine: Arc<MemoryEngine>,
    pub(super) now: Timestamp,
    pub(super) rng: Seeded,
    /// Asked of the engine and not carried out yet.
    pub(super) asked: VecDeque<(Ticket, Op)>,
    pub(super) jobs: VecDeque<(Ticket, Job)>,
    /// Slow openings that were asked for in all.
    pub(super) openings: usize,
    pub(super) closed: BTreeMap<LinkId, CloseReason>,
    pub(super) resumed: usize,
    /// Whether epoch keys can't be written, and how often that was asked for.
    pub(super) disk_is_full: bool,
    pub(super) writes: usize,
    epochs: Option<Zeroizing<Vec<u8>>>,
    heard: BTreeMap<LinkId, VecDeque<Heard>>,
    written: BTreeMap<LinkId, usize>,
    links: u64,
    requests: u32,
}

fn core(epochs: Option<Zeroizing<Vec<u8>>>, limits: Limits, now: Timestamp) -> Relay<Seeded> {
    let identity = Identity {
        relay: RELAY,
        descriptor: vec![1; 200],
        epoch_signer: SigningKey::take(&mut [3; 32]),
        epochs,
        namer: Namer::new(&[4; 32]),
    };
    Relay::new(identity, limits, now, seeded(now.0)).unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let mut world = Self {
            relay: core(None, limits, NOON),
            engine: Arc::new(MemoryEngine::new(Cap { bytes: 1 << 30 })),
            now: NOON,
            rng: seeded(1),
            asked: VecDeque::new(),
            jobs: VecDeque::new(),
            openings: 0,
            closed: BTreeMap::new(),
            resumed: 0,
            disk_is_full: false,
            writes: 0,
            epochs: None,
            heard: BTreeMap::new(),
            written: BTreeMap::new(),
            links: 0,
            requests: 0,
        };
        world.perform();
        world
    }

    /// The relay ends and begins again: the queues and the epoch keys are there, everything else is forgotten.
    pub(super) fn restart(&mut self) {
        self.relay = core(self.epochs.clone(), Limits::default(), self.now);
        self.asked.clear();
        self.jobs.clear();
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Frame { link, bytes } => {
                    *self.written.entry(link).or_default() += bytes.len();
                    self.heard.entry(link).or_default().push_back(Heard::decode(&bytes).unwrap());
                }
                Output::Close { link, reason } => assert!(self.closed.insert(link, reason).is_none()),
                Output::Resume { .. } => self.resumed += 1,
                Output::Engine { ticket, op } => self.asked.push_back((ticket, op)),
                Output::Work { ticket, job } => {
                    self.openings += usize::from(matches!(job, Job::Open { .. }));
                    self.jobs.push_back((ticket, job));
                }
                Output::KeepEpochs { ticket, keys } => {
                    let kept = !self.disk_is_full;
                    self.writes += 1;
                    if kept {
                        self.epochs = Some(keys);
                    }
                    self.relay.handle_kept(ticket, kept, self.now);
                }
            }
        }
    }

    pub(super) fn connect(&mut self) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        self.relay.handle_connected(link, exporter(link), self.now);
        link
    }

    pub(super) fn close(&mut self, link: LinkId) {
        self.relay.handle_closed(link);
        self.perform();
    }

    pub(super) fn frame(&mut self, link: LinkId, frame: &[u8]) {
        self.relay.handle_frame(link, frame, self.now);
        self.perform();
    }

    pub(super) fn say(&mut self, link: LinkId, command: &Command) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.frame(link, &command.encode(request).unwrap());
        request
    }

    /// The engine carries out what it was asked for the longest, and does not say so yet.
    pub(super) fn carry_out(&mut self) -> Option<(Ticket, Answer)> {
        let (ticket, op) = self.asked.pop_front()?;
        Some((ticket, self.answer_to(op)))
    }

    pub(super) fn answer_to(&self, op: Op) -> Answer {
        let place = Arc::new(Mutex::new(None));
        let put = Arc::clone(&place);
        self.engine.submit(op, Box::new(move |answer| *put.lock().unwrap() = Some(answer)));
        let answer = place.lock().unwrap().take();
        answer.unwrap()
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.relay.handle_stored(ticket, answer, self.now);
        self.perform();
    }

    pub(super) fn work(&mut self) -> bool {
        let Some((ticket, job)) = self.jobs.pop_front() else { return false };
        self.relay.handle_opened(ticket, job.run(), self.now);
        self.perform();
        true
    }

    /// Everything that is under way ends, in order.
    pub(super) fn settle(&mut self) {
        loop {
            match self.carry_out() {
                Some((ticket, answer)) => self.answer(ticket, answer),
                None if self.work() => {}
                None => return,
            }
        }
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
        self.relay.handle_timeout(self.now);
        self.perform();
    }

    /// Time passes, and more than half of the places are taken then.
    pub(super) fn pass_in_a_crowd(&mut self, ms: u64) {
        self.pass(ms);
        self.relay.handle_crowded(self.now);
        self.perform();
    }

    /// The driver wrote all that it was given for a link.
    pub(super) fn write_out(&mut self, link: LinkId) {
        let bytes = self.written.remove(&link).unwrap_or_default();
        self.relay.handle_written(link, bytes, self.now);
        self.perform();
    }

    /// Bytes that were given for a link and not reported as written.
    pub(super) fn heard_unwritten(&self, link: LinkId) -> usize {
        self.written.get(&link).copied().unwrap_or_default()
    }

    /// The next thing that a link hears; only that is written out.
    pub(super) fn hear_next(&mut self, link: LinkId) -> Option<Heard> {
        let heard = self.heard.get_mut(&link)?.pop_front()?;
        let frame = match &heard {
            Heard::Push(push) => push.encode(),
            Heard::Reply(request, reply) => reply.encode(*request),
        };
        let bytes = frame.unwrap().len();
        *self.written.entry(link).or_default() -= bytes;
        self.relay.handle_written(link, bytes, self.now);
        self.perform();
        self.settle();
        Some(heard)
    }

    /// What a link heard since the last time; it is written out by that.
    pub(super) fn hear(&mut self, link: LinkId) -> Vec<Heard> {
        let heard = self.heard.remove(&link).unwrap_or_default().into();
        self.write_out(link);
        heard
    }

    /// The replies among what a link heard since the last time.
    pub(super) fn replies(&mut self, link: LinkId) -> Vec<Reply> {
        let reply = |heard| if let Heard::Reply(_, reply) = heard { Some(reply) } else { None };
        self.hear(link).into_iter().filter_map(reply).collect()
    }

    /// The one reply that a settled command got.
    pub(super) fn ask(&mut self, link: LinkId, command: &Command) -> Reply {
        let request = self.say(link, command);
        self.settle();
        let heard = self.heard.entry(link).or_default();
        let at = heard.iter().position(|one| matches!(one, Heard::Reply(to, _) if *to == request)).unwrap();
        let Some(Heard::Reply(_, reply)) = heard.remove(at) else { unreachable!() };
        reply
    }

    pub(super) fn make_queue(&mut self) -> Queue {
        let link = self.connect();
        let (read_key, capability) =
            (SigningKey::random(&mut self.rng), SendCapability::random(&mut self.rng));
        let make = Command::MakeQueue {
            read_key: read_key.verifying_key().unwrap(),
            capability: capability.hash(),
            credit: None,
        };
        let Reply::QueueMade { read_id, send_id } = self.ask(link, &make) else { panic!("no queue") };
        self.close(link);
        Queue { read_id, send_id, read_key, capability }
    }

    pub(super) fn subscribe(&mut self, link: LinkId, queue: &Queue) -> Reply {
        let one = subscription(link, queue);
        self.ask(link, &Command::Subscribe(vec![one]))
    }

    pub(super) fn acknowledge(&mut self, link: LinkId, queue: &Queue, upto: u64) -> Reply {
        self.ask(link, &Command::Acknowledge { queue: queue.read_id, upto })
    }

    pub(super) fn epoch(&mut self) -> EpochPublic {
        let link = self.connect();
        let Reply::Descriptor { epoch_keys, .. } = self.ask(link, &Command::Descriptor) else { panic!() };
        self.close(link);
        let today = self.now.day();
        epoch_keys.into_iter().find(|key| key.day == today).unwrap().public
    }

    pub(super) fn sender(&mut self, queue: &Queue) -> Sender {
        let to = self.epoch();
        let session = Session::new(RELAY, to, &mut self.rng);
        Sender { queue: queue.clone(), session, rng: seeded(self.rng.array::<8>()[0].into()), size: 10 }
    }

    /// What a settled capsule came to.
    pub(super) fn send(&mut self, link: LinkId, (capsule, key): &(Vec<u8>, ReplyKey)) -> SendReply {
        let capsule = capsule.clone();
        let Reply::Sent(sealed) = self.ask(link, &Command::Send { capsule }) else { panic!("not sent") };
        key.open(&sealed).unwrap()
    }

    /// The sequence numbers and texts that were delivered to a link; nothing else may have come.
    pub(super) fn delivered(&mut self, link: LinkId) -> Vec<(u64, u32)> {
        self.hear(link)
            .into_iter()
            .filter_map(|heard| {
                let Heard::Push(Push::Deliver { queue: _, sequence, envelope }) = heard else { return None };
                Some((sequence, text(&envelope)))
            })
            .collect()
    }
}

pub(super) fn text(envelope: &Envelope) -> u32 {
    u32::from_be_bytes(*envelope.open(&key()).unwrap().first_chunk().unwrap())
}

pub(super) fn exporter(link: LinkId) -> Exporter {
    Exporter([u8::try_from(link.0 % 251).unwrap(); 32])
}

pub(super) fn subscription(link: LinkId, queue: &Queue) -> Subscription {
    let signature = queue.read_key.sign(&auth::subscribe(&exporter(link), &queue.read_id)).unwrap();
    Subscription { queue: queue.read_id, signature }
}

fn key() -> EnvelopeKey {
    EnvelopeKey::take(&mut [5; 32])
}

pub(super) struct Sender {
    queue: Queue,
    session: Session,
    rng: Seeded,
    /// Bytes of the texts.
    pub(super) size: usize,
}

impl Sender {
    pub(super) fn order(&mut self, text: u32) -> SendOrder {
        let mut body = text.to_be_bytes().to_vec();
        body.resize(self.size.max(4), 0);
        SendOrder {
            queue: self.queue.send_id,
            capability: self.queue.capability.clone(),
            message: MessageId::random(&mut self.rng),
            ttl: TtlClass::ThreeWeeks,
            envelope: Envelope::seal(&key(), &body, &mut self.rng).unwrap(),
        }
    }

    pub(super) fn seal(&mut self, order: &SendOrder) -> (Vec<u8>, ReplyKey) {
        self.session.seal(order, &mut self.rng).unwrap()
    }

    pub(super) fn capsule(&mut self, text: u32) -> (Vec<u8>, ReplyKey) {
        let order = self.order(text);
        self.seal(&order)
    }
}
