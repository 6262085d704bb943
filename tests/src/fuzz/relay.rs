//! The relay's core, driven by a script of bytes: what honest links, clocks and disks do, in any order, and what nobody
//! would say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use beresta_proto::auth::{self, Exporter};
use beresta_proto::capsule::{SendOrder, Session};
use beresta_proto::command::{Command, Subscription};
use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::frame::{Class, RequestId};
use beresta_proto::hpke::EpochPublic;
use beresta_proto::id::{BlobId, MessageId, ReadId, RelayId, SendId};
use beresta_proto::key::{EpochSecret, SendCapability, SigningKey};
use beresta_proto::limits::BLOB;
use beresta_proto::reply::{Heard, Push, Reply};
use beresta_proto::time::{HOUR_MS, Timestamp, TtlClass};
use beresta_server::queue::memory::MemoryEngine;
use beresta_server::queue::rules::Cap;
use beresta_server::queue::{Answer, Namer, QueueEngine as _};
use beresta_server::relay::{Identity, Limits, LinkId, Output, Relay, Ticket, Worked};

use crate::vectors::VectorRandom;
use crate::world::Seeded;

const BEGIN: Timestamp = Timestamp(1_800_000_000_000);
/// Steps of one script; a fuzzer gains nothing from longer ones.
const STEPS: usize = 640;
/// Links at a time.
const LINKS: usize = 4;

/// A queue that was made.
struct Queue {
    read_id: ReadId,
    send_id: SendId,
    key: SigningKey,
    capability: SendCapability,
    session: Option<Session>,
}

struct Bench<'a> {
    script: &'a [u8],
    relay: Relay<Seeded>,
    engine: MemoryEngine,
    answers: Arc<Mutex<VecDeque<(Ticket, Answer)>>>,
    work: VecDeque<(Ticket, Worked)>,
    kept: VecDeque<Ticket>,
    now: Timestamp,
    links: Vec<LinkId>,
    /// Every link that the relay closed or that broke.
    over: BTreeSet<LinkId>,
    wanted: BTreeMap<(LinkId, RequestId), SigningKey>,
    queues: Vec<Queue>,
    /// The newest epoch key that the relay handed out.
    epoch: Option<EpochPublic>,
    next: u32,
    rng: VectorRandom,
    heard: BTreeSet<&'static str>,
}

/// The script's end ends it.
pub(super) fn relay(bytes: &[u8]) {
    let _ = heard(bytes);
}

/// Runs a script: what the links heard in it.
#[must_use]
pub fn heard(script: &[u8]) -> BTreeSet<&'static str> {
    let mut bench = Bench::new(script);
    bench.settle();
    for _ in 0..STEPS {
        let Some(op) = bench.byte() else { break };
        bench.step(op);
    }
    bench.settle();
    // Nothing stays begun, and what was due was done.
    assert!(!bench.relay.is_busy(), "work is left over");
    let now = bench.now;
    bench.relay.handle_timeout(now);
    bench.settle();
    assert!(bench.relay.poll_timeout() > now, "what was due is due still");
    bench.heard
}

const RELAY: RelayId = RelayId([9; 32]);

impl<'a> Bench<'a> {
    fn new(script: &'a [u8]) -> Self {
        let mut rng = VectorRandom::new("relay");
        let identity = Identity {
            relay: RELAY,
            descriptor: vec![0; 300],
            epoch_signer: SigningKey::random(&mut rng),
            epochs: None,
            namer: Namer::new(&[3; 32]),
        };
        // Small, so that a script reaches them.
        let limits = Limits {
            outstanding: 8,
            held: 64 * 1024,
            openings: 4,
            signatures: 64,
            sessions: 8,
            subscriptions: 8,
            untold: 4,
            ..Limits::default()
        };
        Self {
            script,
            relay: Relay::new(identity, limits, BEGIN, Seeded::new(1)).unwrap(),
            engine: MemoryEngine::new(Cap { bytes: 1024 * 1024 }),
            answers: Arc::default(),
            work: VecDeque::new(),
            kept: VecDeque::new(),
            now: BEGIN,
            links: Vec::new(),
            over: BTreeSet::new(),
            wanted: BTreeMap::new(),
            queues: Vec::new(),
            epoch: None,
            next: 0,
            rng,
            heard: BTreeSet::new(),
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.script.split_first()?;
        self.script = rest;
        Some(*byte)
    }

    /// One of `n`, by the script; 0 when that is over.
    fn choice(&mut self, n: usize) -> usize {
        usize::from(self.byte().unwrap_or(0)) % n.max(1)
    }

    fn step(&mut self, op: u8) {
        match op % 16 {
            0 => self.connect(),
            1 => self.close(),
            2 => self.noise(),
            3 => self.make_queue(),
            4 => self.subscribe(),
            5 => self.acknowledge(),
            6 => self.delete_queue(),
            7 | 8 => self.send(op >= 128),
            9 => self.blob(),
            10 => drop(self.say(&Command::Descriptor)),
            11 => self.pass(),
            // One answer of the disk, of the workers, of the key file: in whatever order.
            12 => drop(self.answer(op >= 128)),
            13 => drop(self.opened()),
            14 => drop(self.keep(op < 128)),
            _ => self.settle(),
        }
        self.outputs();
    }

    fn connect(&mut self) {
        if self.links.len() < LINKS {
            self.next += 1;
            let link = LinkId(u64::from(self.next));
            self.relay.handle_connected(link, exporter(link), self.now);
            self.links.push(link);
        }
    }

    fn close(&mut self) {
        if !self.links.is_empty() {
            let at = self.choice(self.links.len());
            let link = self.links.swap_remove(at);
            self.over.insert(link);
            self.relay.handle_closed(link);
        }
    }

    fn link(&mut self) -> Option<LinkId> {
        let at = self.choice(self.links.len());
        self.links.get(at).copied()
    }

    fn frame(&mut self, link: LinkId, frame: &[u8]) {
        if self.relay.may_read(link) {
            self.relay.handle_frame(link, frame, self.now);
        }
    }

    /// A command on some link, with a number that may be in use.
    fn say(&mut self, command: &Command) -> Option<(LinkId, RequestId)> {
        let link = self.link()?;
        self.next += 1;
        let request = RequestId(self.next);
        let frame = command.encode(request).unwrap();
        self.frame(link, &frame);
        Some((link, request))
    }

    /// Bytes that nobody meant, in a frame of one of the sizes.
    fn noise(&mut self) {
        let Some(link) = self.link() else { return };
        let class = Class::ALL[self.choice(Class::ALL.len())];
        let take = self.choice(256).min(self.script.len());
        let (said, rest) = self.script.split_at(take);
        self.script = rest;
        let mut frame = said.to_vec();
        frame.resize(class.size(), 0);
        self.frame(link, &frame);
    }

    fn make_queue(&mut self) {
        let key = SigningKey::random(&mut self.rng);
        let capability = SendCapability::take(&mut [5; 32]).hash();
        let read_key = key.verifying_key().unwrap();
        if let Some(asked) = self.say(&Command::MakeQueue { read_key, capability, credit: None }) {
            self.wanted.insert(asked, key);
        }
    }

    /// Some of the queues, rightly or by a key of another.
    fn subscribe(&mut self) {
        let Some(link) = self.link() else { return };
        let (mask, wrong) = (self.choice(256), self.choice(8) == 7);
        let chosen = self.queues.iter().enumerate().filter(|(n, _)| mask >> (n % 8) & 1 == 1).take(32);
        let list: Vec<Subscription> = chosen
            .map(|(n, queue)| {
                let by = if wrong { &self.queues[(n + 1) % self.queues.len()] } else { queue };
                let text = auth::subscribe(&exporter(link), &queue.read_id);
                Subscription { queue: queue.read_id, signature: by.key.sign(&text).unwrap() }
            })
            .collect();
        self.next += 1;
        if let Ok(frame) = Command::Subscribe(list).encode(RequestId(self.next)) {
            self.frame(link, &frame);
        }
    }

    fn queue(&mut self) -> Option<usize> {
        let at = self.choice(self.queues.len());
        (at < self.queues.len()).then_some(at)
    }

    fn acknowledge(&mut self) {
        let Some(at) = self.queue() else { return };
        let upto = u64::from(self.byte().unwrap_or(0));
        let queue = self.queues[at].read_id;
        self.say(&Command::Acknowledge { queue, upto });
    }

    fn delete_queue(&mut self) {
        let Some(at) = self.queue() else { return };
        let Some(link) = self.link() else { return };
        let queue = self.queues[at].read_id;
        let signature = self.queues[at].key.sign(&auth::delete_queue(&exporter(link), &queue)).unwrap();
        let frame = Command::DeleteQueue { queue, signature }.encode(RequestId(1)).unwrap();
        self.frame(link, &frame);
    }

    /// A capsule, of a session that goes on or of a new one, whole or with a bit turned.
    fn send(&mut self, damaged: bool) {
        let Some(at) = self.queue() else { return };
        let (message, fresh) = (self.choice(256), self.choice(4) == 0);
        let turned = self.choice(256);
        let order = SendOrder {
            queue: self.queues[at].send_id,
            capability: self.queues[at].capability.clone(),
            message: MessageId((message << 8 | turned).to_be_bytes().repeat(2).try_into().unwrap()),
            ttl: [TtlClass::Hour, TtlClass::TwoDays, TtlClass::Week, TtlClass::ThreeWeeks][message % 4],
            envelope: Envelope::from_bytes(vec![6; Bucket::S.size()]).unwrap(),
        };
        // Who was not told of a key yet guesses one.
        let epoch = self.epoch.clone();
        let epoch = epoch.unwrap_or_else(|| EpochSecret::random(&mut self.rng).public().unwrap());
        let queue = &mut self.queues[at];
        let began = queue.session.take().filter(|_| !fresh);
        let session =
            queue.session.insert(began.unwrap_or_else(|| Session::new(RELAY, epoch, &mut self.rng)));
        let (mut capsule, _) = session.seal(&order, &mut self.rng).unwrap();
        if damaged {
            let at = turned * 13 % capsule.len();
            capsule[at] ^= 1;
        }
        self.say(&Command::Send { capsule });
    }

    fn blob(&mut self) {
        let Some(link) = self.link() else { return };
        let (kind, name) = (self.choice(3), self.choice(4));
        let blob = BlobId([u8::try_from(name).unwrap(); 16]);
        let key = SigningKey::take(&mut [8; 32]);
        let owner = key.verifying_key().unwrap();
        let command = match kind {
            0 => Command::PutBlob { blob, owner, hours: 24, sealed: vec![4; BLOB], credit: None },
            1 => {
                let signature = key.sign(&auth::claim_blob(&exporter(link), &blob)).unwrap();
                Command::ClaimBlob { blob, claimant: owner, signature }
            }
            _ => {
                let signature = key.sign(&auth::delete_blob(&exporter(link), &blob)).unwrap();
                Command::DeleteBlob { blob, signature }
            }
        };
        let frame = command.encode(RequestId(2)).unwrap();
        self.frame(link, &frame);
    }

    /// Time passes, from a millisecond to a month; or the clock is set back by an hour.
    fn pass(&mut self) {
        let power = self.choice(33);
        self.now = if power == 32 { self.now.minus(HOUR_MS) } else { self.now.plus(1 << power) };
        if self.relay.poll_timeout() <= self.now || power == 32 {
            self.relay.handle_timeout(self.now);
        }
    }

    fn answer(&mut self, last: bool) -> bool {
        let mut answers = self.answers.lock().unwrap();
        let answer = if last { answers.pop_back() } else { answers.pop_front() };
        drop(answers);
        let Some((ticket, answer)) = answer else { return false };
        self.relay.handle_stored(ticket, answer, self.now);
        true
    }

    fn opened(&mut self) -> bool {
        let Some((ticket, worked)) = self.work.pop_front() else { return false };
        self.relay.handle_opened(ticket, worked, self.now);
        true
    }

    fn keep(&mut self, kept: bool) -> bool {
        let Some(ticket) = self.kept.pop_front() else { return false };
        self.relay.handle_kept(ticket, kept, self.now);
        true
    }

    /// Everything that was begun ends.
    fn settle(&mut self) {
        loop {
            self.outputs();
            if !(self.answer(false) | self.opened() | self.keep(true)) {
                return;
            }
        }
    }

    fn outputs(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Frame { link, bytes } => {
                    assert!(!self.over.contains(&link), "a frame on a link that is over");
                    assert!(Class::ALL.iter().any(|class| class.size() == bytes.len()), "{}", bytes.len());
                    self.hears(link, &bytes);
                    self.relay.handle_written(link, bytes.len(), self.now);
                }
                Output::Close { link, reason: _ } => {
                    assert!(self.over.insert(link), "a link ends once");
                    self.links.retain(|one| *one != link);
                }
                Output::Resume { link: _ } => {}
                Output::Engine { ticket, op } => {
                    let answers = Arc::clone(&self.answers);
                    let done = move |answer| answers.lock().unwrap().push_back((ticket, answer));
                    self.engine.submit(op, Box::new(done));
                }
                Output::Work { ticket, job } => self.work.push_back((ticket, job.run())),
                Output::KeepEpochs { ticket, keys: _ } => self.kept.push_back(ticket),
            }
        }
    }

    fn hears(&mut self, link: LinkId, frame: &[u8]) {
        self.heard.insert(match Heard::decode(frame).unwrap() {
            Heard::Reply(request, Reply::QueueMade { read_id, send_id }) => {
                let key = self.wanted.remove(&(link, request)).unwrap();
                let capability = SendCapability::take(&mut [5; 32]);
                assert!(self.queues.iter().all(|one| one.read_id != read_id && one.send_id != send_id));
                self.queues.push(Queue { read_id, send_id, key, capability, session: None });
                "a queue is made"
            }
            Heard::Reply(_, Reply::Descriptor { epoch_keys, .. }) => {
                self.epoch = epoch_keys.into_iter().max_by_key(|key| key.day).map(|key| key.public);
                "a descriptor"
            }
            Heard::Reply(_, Reply::Sent(_)) => "a capsule is answered",
            Heard::Reply(_, Reply::Subscribed(_)) => "subscribed",
            Heard::Reply(_, Reply::Blob(_)) => "a blob",
            Heard::Reply(_, Reply::Done) => "done",
            Heard::Reply(_, Reply::Refused(_)) => "refused",
            Heard::Push(Push::Deliver { queue, .. }) => {
                assert!(self.queues.iter().any(|one| one.read_id == queue), "a queue that nobody made");
                "a message"
            }
            Heard::Push(Push::TakenOver { queue: _ }) => "taken over",
            Heard::Push(Push::Drained { queue: _ }) => "drained",
            Heard::Push(Push::GoAway { reconnect_after: _ }) => "go away",
        });
    }
}

fn exporter(link: LinkId) -> Exporter {
    Exporter([u8::try_from(link.0 % 251).unwrap(); 32])
}
