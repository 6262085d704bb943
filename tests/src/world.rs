#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the false world is a test: what it did not expect ends it"
)]
//! A false world around the real cores: one relay's core over its memory engine, people's engines over real stores in
//! memory, and a line and a clock that do as they are told. No socket, no thread, no sleep; one seed is one history.
//!
//! What a line may do here is what an ordered stream may do: be slow, and break, with what was on it lost either way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use beresta_client::crypto;
use beresta_client::engine::{Answer, AskError, AskId, DialFailure, Effect, Engine, LinkUp, Token};
use beresta_client::rng::Rng;
use beresta_client::store::Store;
use beresta_client::store::profile::Profile;
use beresta_proto::address::RelayAddress;
use beresta_proto::auth::Exporter;
use beresta_proto::command::Command;
use beresta_proto::descriptor::{Descriptor, Policy, UnverifiedDescriptor};
use beresta_proto::frame::RequestId;
use beresta_proto::key::SigningKey;
use beresta_proto::reply::{Heard, Reply};
use beresta_proto::rng::Random;
use beresta_proto::route::Route;
use beresta_proto::time::{DAY_MS, SECOND_MS, Timestamp};
use beresta_server::queue::memory::MemoryEngine;
use beresta_server::queue::rules::Cap;
use beresta_server::queue::{Answer as EngineAnswer, Namer, QueueEngine as _};
use beresta_server::relay::{Identity, Limits, LinkId, Output, Relay, Ticket, Worked};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

mod look;

pub use look::Shown;

/// One way of a line, in milliseconds.
const LATENCY_MS: u64 = 40;
/// The world's first moment: 2027-01-15 08:00 UTC.
pub const BEGIN: Timestamp = Timestamp(1_800_000_000_000);
/// Bytes that the relay may hold.
const DISK: u64 = 256 * 1024 * 1024;
const TLS_KEY: [u8; 32] = [7; 32];

/// A seeded source of randomness for every part of the world.
#[derive(Debug)]
pub struct Seeded(ChaCha20Rng);

impl Seeded {
    /// A source of its own for each number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }
}

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        rand::RngCore::fill_bytes(&mut self.0, out);
    }
}

/// A person of the world, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who(pub usize);

/// One person: their engine over their store.
pub struct Person {
    /// The core under test.
    pub engine: Engine,
    /// Survives crashes of the engine.
    pub store: Store,
    clock_off_ms: i64,
    link: Option<LinkId>,
    requests: BTreeMap<RequestId, Token>,
    next_request: u32,
    answers: BTreeMap<AskId, Result<Answer, AskError>>,
    /// Whether their machine is on and has a line.
    online: bool,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("online", &self.online).finish_non_exhaustive()
    }
}

enum Parcel {
    ToRelay(LinkId, Vec<u8>),
    ToPerson(Who, LinkId, Vec<u8>),
    Broken(Who, LinkId),
    DialFailed(Who),
}

type Answers = Arc<Mutex<Vec<(Ticket, EngineAnswer)>>>;

/// The world.
pub struct World {
    /// The one true clock.
    pub now: Timestamp,
    /// Every frame that was on a line, with its direction: true towards the relay.
    pub tap: Vec<(bool, Vec<u8>)>,
    /// Whether the relay runs and is reachable.
    pub relay_up: bool,
    people: Vec<Person>,
    relay: Relay<Seeded>,
    queues: Arc<MemoryEngine>,
    answers: Answers,
    identity: SigningKey,
    epoch_signer: SigningKey,
    namer_secret: [u8; 32],
    epochs: Vec<u8>,
    parcels: BTreeMap<(Timestamp, u64), Parcel>,
    next: u64,
    rng: Seeded,
    seed: u64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl World {
    /// A world with a relay and nobody in it.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Seeded::new(seed);
        let identity = SigningKey::random(&mut rng);
        let epoch_signer = SigningKey::random(&mut rng);
        let namer_secret = rng.array();
        let relay = relay(&identity, &epoch_signer, &namer_secret, None, BEGIN, seed);
        let mut world = Self {
            now: BEGIN,
            tap: Vec::new(),
            relay_up: true,
            people: Vec::new(),
            relay,
            queues: Arc::new(MemoryEngine::new(Cap { bytes: DISK })),
            answers: Answers::default(),
            identity,
            epoch_signer,
            namer_secret,
            epochs: Vec::new(),
            parcels: BTreeMap::new(),
            next: 0,
            rng,
            seed,
        };
        world.settle_relay();
        world
    }

    /// The relay's address.
    #[must_use]
    pub fn relay_address(&self) -> RelayAddress {
        descriptor(&self.identity, &self.epoch_signer, self.now).address()
    }

    /// A new person with the relay as their home.
    pub fn person(&mut self, name: &str) -> Who {
        let who = Who(self.people.len());
        let mut rng = Rng::new(ChaCha20Rng::seed_from_u64(self.seed.wrapping_mul(1000) + who.0 as u64));
        let mut store = Store::open_in_memory(&mut rng).unwrap();
        let home = Some(self.relay_address());
        let now = self.now;
        store
            .transaction(|tx| {
                crypto::check_backend(tx).unwrap();
                let account = crypto::create_account(tx, &mut rng).unwrap();
                let (name, language) = (name.to_owned(), "en".to_owned());
                tx.insert_profile(&Profile { account, name, language, home }, now)
            })
            .unwrap();
        self.people.push(Person {
            engine: Engine::new(rng),
            store,
            clock_off_ms: 0,
            link: None,
            requests: BTreeMap::new(),
            next_request: 1,
            answers: BTreeMap::new(),
            online: true,
        });
        who
    }

    /// A person.
    pub fn get(&mut self, who: Who) -> &mut Person {
        &mut self.people[who.0]
    }

    /// What a person's clock shows.
    #[must_use]
    pub fn clock_of(&self, who: Who) -> Timestamp {
        Timestamp(self.now.0.saturating_add_signed(self.people[who.0].clock_off_ms))
    }

    /// Sets a person's clock off by so many milliseconds. Their program looks at the clock now and then, as the driver
    /// does, and so finds out.
    pub fn set_clock(&mut self, who: Who, off_ms: i64) {
        self.people[who.0].clock_off_ms = off_ms;
        let clock = self.clock_of(who);
        let person = &mut self.people[who.0];
        person.engine.handle_timeout(&mut person.store, clock).unwrap();
        self.perform(who);
    }

    /// Runs a wish of a person and performs what follows.
    pub fn wish<T>(&mut self, who: Who, wish: impl FnOnce(&mut Engine, &mut Store, Timestamp) -> T) -> T {
        let now = self.clock_of(who);
        let person = &mut self.people[who.0];
        let value = wish(&mut person.engine, &mut person.store, now);
        self.perform(who);
        value
    }

    /// The answer to a wish that a relay had to give, once it came.
    pub fn answer(&mut self, who: Who, ask: AskId) -> Option<Result<Answer, AskError>> {
        self.people[who.0].answers.remove(&ask)
    }

    /// The person's machine loses its line and gets none until [`World::go_online`].
    pub fn go_offline(&mut self, who: Who) {
        self.people[who.0].online = false;
        self.break_line(who);
    }

    /// The person's machine has a line again; it finds out by itself.
    pub fn go_online(&mut self, who: Who) {
        self.people[who.0].online = true;
    }

    /// The person's line breaks: what was on it is lost both ways.
    pub fn break_line(&mut self, who: Who) {
        let Some(link) = self.people[who.0].link.take() else { return };
        self.parcels.retain(|_, parcel| match parcel {
            Parcel::ToRelay(one, _) | Parcel::ToPerson(_, one, _) => *one != link,
            Parcel::Broken(..) | Parcel::DialFailed(_) => true,
        });
        self.relay.handle_closed(link);
        self.settle_relay();
        self.post(Parcel::Broken(who, link));
    }

    /// The person's program is killed and started again: what was not in the store is gone.
    pub fn crash(&mut self, who: Who) {
        self.break_line(who);
        let seed = u64::from_le_bytes(self.rng.array());
        let person = &mut self.people[who.0];
        person.engine = Engine::new(Rng::new(ChaCha20Rng::seed_from_u64(seed)));
        person.requests.clear();
        let now = self.clock_of(who);
        let person = &mut self.people[who.0];
        person.engine.handle_start(&mut person.store, now).unwrap();
        self.perform(who);
    }

    /// The relay is killed and started again: its queues and epoch keys are on its disk, its memory is gone.
    pub fn restart_relay(&mut self) {
        for who in 0..self.people.len() {
            self.break_line(Who(who));
        }
        let epochs = self.epochs.clone();
        let seed = u64::from_le_bytes(self.rng.array());
        self.relay =
            relay(&self.identity, &self.epoch_signer, &self.namer_secret, Some(epochs), self.now, seed);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.settle_relay();
    }

    /// Lets `ms` milliseconds pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now.plus(ms);
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            while let Some(entry) = self.parcels.first_entry().filter(|one| one.key().0 <= self.now) {
                let parcel = entry.remove();
                self.deliver(parcel);
            }
            if self.relay.poll_timeout() <= self.now {
                self.relay.handle_timeout(self.now);
                self.settle_relay();
            }
            for who in (0..self.people.len()).map(Who) {
                let clock = self.clock_of(who);
                let person = &mut self.people[who.0];
                let due = person.engine.poll_timeout(&mut person.store).unwrap();
                if due.is_some_and(|due| due <= clock) {
                    person.engine.handle_timeout(&mut person.store, clock).unwrap();
                    self.perform(who);
                }
            }
        }
        self.now = end;
    }

    fn next_moment(&mut self) -> Option<Timestamp> {
        let parcel = self.parcels.keys().next().map(|(at, _)| *at);
        let now = self.now;
        let mut moments: Vec<Timestamp> = parcel.into_iter().collect();
        moments.push(self.relay.poll_timeout());
        for person in &mut self.people {
            if let Some(due) = person.engine.poll_timeout(&mut person.store).unwrap() {
                let due = Timestamp(due.0.saturating_add_signed(-person.clock_off_ms));
                // What is due and cannot be done (offline) is looked at again, but the world moves on.
                moments.push(due.max(now.plus(1)));
            }
        }
        moments.into_iter().min()
    }

    fn post(&mut self, parcel: Parcel) {
        self.next += 1;
        self.parcels.insert((self.now.plus(LATENCY_MS), self.next), parcel);
    }

    fn deliver(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::ToRelay(link, frame) => {
                if self.people.iter().any(|person| person.link == Some(link)) {
                    self.tap.push((true, frame.clone()));
                    self.relay.handle_frame(link, &frame, self.now);
                    self.settle_relay();
                }
            }
            Parcel::ToPerson(who, link, frame) => {
                if self.people[who.0].link == Some(link) {
                    self.tap.push((false, frame.clone()));
                    self.heard(who, link, &frame);
                }
            }
            Parcel::Broken(who, link) => {
                let clock = self.clock_of(who);
                let person = &mut self.people[who.0];
                if person.link.is_none() || person.link == Some(link) {
                    person.link = None;
                    person.requests.clear();
                    let relay = beresta_proto::descriptor::relay_id(&self.identity.verifying_key().unwrap());
                    person.engine.handle_link_down(&mut person.store, relay, clock).unwrap();
                    self.perform(who);
                }
            }
            Parcel::DialFailed(who) => {
                let clock = self.clock_of(who);
                let relay = self.relay_address().relay;
                let person = &mut self.people[who.0];
                person
                    .engine
                    .handle_dial_failed(&mut person.store, relay, DialFailure::Unreachable, clock)
                    .unwrap();
                self.perform(who);
            }
        }
    }

    /// A frame of the relay's reaches a person. Request 0xffff_ffff is the DESCRIPTOR that the transport says.
    fn heard(&mut self, who: Who, link: LinkId, frame: &[u8]) {
        let clock = self.clock_of(who);
        let relay = self.relay_address();
        let person = &mut self.people[who.0];
        match Heard::decode(frame).unwrap() {
            Heard::Reply(
                RequestId(u32::MAX),
                Reply::Descriptor { descriptor, epoch_keys, clock: theirs },
            ) => {
                let known = person.store.transaction(|tx| tx.relay(&relay.relay)).unwrap();
                let sequence = known.map_or(0, |known| known.sequence);
                let descriptor = UnverifiedDescriptor::decode(&descriptor)
                    .unwrap()
                    .verify(&relay.relay, &TLS_KEY, sequence, self.now)
                    .unwrap();
                let exporter = exporter(link);
                let up = LinkUp { address: relay, descriptor, epoch_keys, clock: theirs, exporter };
                person.engine.handle_link_up(&mut person.store, up, clock).unwrap();
            }
            Heard::Reply(request, reply) => {
                let token = person.requests.remove(&request).unwrap();
                let (engine, store) = (&mut person.engine, &mut person.store);
                engine.handle_reply(store, relay.relay, token, Some(reply), clock).unwrap();
            }
            Heard::Push(push) => {
                person.engine.handle_push(&mut person.store, relay.relay, push, clock).unwrap();
            }
        }
        self.perform(who);
    }

    /// Performs a person's effects, as the driver does.
    fn perform(&mut self, who: Who) {
        while let Some(effect) = self.people[who.0].engine.poll_effect() {
            match effect {
                Effect::Dial { relay: _, known_sequence: _ } => self.dial(who),
                Effect::Transmit { relay: _, token, command } => {
                    let person = &mut self.people[who.0];
                    let Some(link) = person.link else { continue };
                    let request = RequestId(person.next_request);
                    person.next_request += 1;
                    person.requests.insert(request, token);
                    let frame = command.encode(request).unwrap();
                    self.post(Parcel::ToRelay(link, frame));
                }
                Effect::HangUp { relay: _ } => {
                    if let Some(link) = self.people[who.0].link.take() {
                        self.relay.handle_closed(link);
                        self.settle_relay();
                    }
                }
                Effect::Answer { ask, outcome } => {
                    self.people[who.0].answers.insert(ask, outcome);
                }
                Effect::Wake => {}
                Effect::Scrub => self.people[who.0].store.checkpoint_and_truncate().unwrap(),
            }
        }
    }

    fn dial(&mut self, who: Who) {
        if !self.people[who.0].online || !self.relay_up {
            self.post(Parcel::DialFailed(who));
            return;
        }
        self.next += 1;
        let link = LinkId(self.next);
        self.people[who.0].link = Some(link);
        self.people[who.0].requests.clear();
        self.relay.handle_connected(link, exporter(link), self.now);
        self.settle_relay();
        let frame = Command::Descriptor.encode(RequestId(u32::MAX)).unwrap();
        self.post(Parcel::ToRelay(link, frame));
    }

    /// Performs the relay's outputs until it rests.
    fn settle_relay(&mut self) {
        loop {
            let mut idle = true;
            while let Some(output) = self.relay.poll_output() {
                idle = false;
                self.relay_output(output);
            }
            let answers = std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner));
            for (ticket, answer) in answers {
                idle = false;
                self.relay.handle_stored(ticket, answer, self.now);
            }
            if idle {
                return;
            }
        }
    }

    fn relay_output(&mut self, output: Output) {
        match output {
            Output::Frame { link, bytes } => {
                self.relay.handle_written(link, bytes.len(), self.now);
                let to = self.people.iter().position(|person| person.link == Some(link));
                if let Some(to) = to {
                    self.post(Parcel::ToPerson(Who(to), link, bytes));
                }
            }
            Output::Close { link, reason: _ } => {
                let to = self.people.iter().position(|person| person.link == Some(link));
                if let Some(to) = to {
                    self.post(Parcel::Broken(Who(to), link));
                }
            }
            Output::Resume { link: _ } => {}
            Output::Engine { ticket, op } => {
                let answers = Arc::clone(&self.answers);
                self.queues.submit(
                    op,
                    Box::new(move |answer| {
                        answers.lock().unwrap_or_else(PoisonError::into_inner).push((ticket, answer));
                    }),
                );
            }
            Output::Work { ticket, job } => {
                let worked: Worked = job.run();
                self.relay.handle_opened(ticket, worked, self.now);
            }
            Output::KeepEpochs(bytes) => self.epochs = bytes.to_vec(),
        }
    }
}

fn exporter(link: LinkId) -> Exporter {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&link.0.to_be_bytes());
    Exporter(bytes)
}

/// The descriptor of a relay that renews it every month it is started in.
fn descriptor(identity: &SigningKey, epoch_signer: &SigningKey, now: Timestamp) -> Descriptor {
    let month = now.since(BEGIN) / (30 * DAY_MS);
    let begins = BEGIN.plus(month * 30 * DAY_MS);
    let at = std::net::SocketAddr::from(([192, 0, 2, 1], 443));
    Descriptor {
        identity: identity.verifying_key().unwrap(),
        sequence: month + 1,
        not_before: begins.minus(SECOND_MS),
        not_after: begins.plus(89 * DAY_MS),
        tls_key: TLS_KEY,
        epoch_signer: epoch_signer.verifying_key().unwrap(),
        routes: vec![Route::Quic(at)],
        policy: Policy::MAILBOX.and(Policy::OPEN),
        operator: String::new(),
    }
}

fn relay(
    identity: &SigningKey,
    epoch_signer: &SigningKey,
    namer_secret: &[u8; 32],
    epochs: Option<Vec<u8>>,
    now: Timestamp,
    seed: u64,
) -> Relay<Seeded> {
    let described = descriptor(identity, epoch_signer, now);
    let identity = Identity {
        relay: described.address().relay,
        descriptor: described.sign(identity).unwrap(),
        epoch_signer: epoch_signer.clone(),
        epochs: epochs.map(Into::into),
        namer: Namer::new(namer_secret),
    };
    Relay::new(identity, Limits::default(), now, Seeded::new(seed ^ 0x5eed)).unwrap()
}
