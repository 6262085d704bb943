//! The relay's core, driven by a script of bytes: what honest links, clocks and disks do, in any order, and what nobody
//! would say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use beresta_proto::auth::Exporter;
use beresta_proto::capsule::Session;
use beresta_proto::frame::{Class, RequestId};
use beresta_proto::hpke::EpochPublic;
use beresta_proto::id::{ReadId, RelayId, SendId};
use beresta_proto::key::{SendCapability, SigningKey};
use beresta_proto::reply::{Heard, Push, Reply};
use beresta_proto::time::Timestamp;
use beresta_server::queue::memory::MemoryEngine;
use beresta_server::queue::rules::Cap;
use beresta_server::queue::{Answer, Namer, QueueEngine as _};
use beresta_server::relay::{Identity, Limits, LinkId, Output, Relay, Ticket, Worked};

mod steps;

use crate::vectors::VectorRandom;
use crate::world::Seeded;

const BEGIN: Timestamp = Timestamp(1_800_000_000_000);
/// Steps of one script; a fuzzer gains nothing from longer ones.
const STEPS: usize = 640;
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
            fetches: 2,
            subscriptions: 8,
            subscriptions_of_all: 12,
            subscriptions_share: 4,
            subscriptions_single: 1,
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
            Heard::Push(Push::TakenOver { queues: _ }) => "taken over",
            Heard::Push(Push::Drained { queue: _ }) => "drained",
            Heard::Push(Push::GoAway { reconnect_after: _ }) => "go away",
            Heard::Push(Push::CaughtUp { subscribed: _ }) => "caught up",
        });
    }
}

fn exporter(link: LinkId) -> Exporter {
    Exporter([u8::try_from(link.0 % 251).unwrap(); 32])
}
