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
use beresta_client::engine::{Answer, AskError, AskId, Engine, Token};
use beresta_client::rng::Rng;
use beresta_client::store::Store;
use beresta_client::store::profile::Profile;
use beresta_proto::address::RelayAddress;
use beresta_proto::frame::RequestId;
use beresta_proto::id::RelayId;
use beresta_proto::key::SigningKey;
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;
use beresta_server::queue::Answer as EngineAnswer;
use beresta_server::queue::memory::MemoryEngine;
use beresta_server::queue::rules::Cap;
use beresta_server::relay::{Limits, LinkId, Relay, Ticket};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

mod attack;
mod known;
mod lie;
mod line;
mod look;
mod operator;
mod relay;

pub use lie::{Asked, Liar, Lie};
pub use look::Shown;

use relay::{descriptor, relay};

/// One way of a line, in milliseconds.
const LATENCY_MS: u64 = 40;
/// A program looks at the clock at least this often. The driver does so each half minute, which would take long here.
const LOOK_MS: u64 = beresta_proto::time::HOUR_MS;
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
    /// When their program last looked at the clock by itself.
    looked: Timestamp,
    link: Option<LinkId>,
    /// A link that broke and of which their engine has not heard yet.
    broken: Option<LinkId>,
    requests: BTreeMap<RequestId, Token>,
    next_request: u32,
    answers: BTreeMap<AskId, Result<Answer, AskError>>,
    /// Whether their machine is on and has a line.
    online: bool,
    /// Whether their program runs.
    running: bool,
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
    DialFailed(Who, RelayId),
}

type Answers = Arc<Mutex<Vec<(Ticket, EngineAnswer)>>>;

/// The world.
pub struct World {
    /// The one true clock.
    pub now: Timestamp,
    /// Every frame that was on a line, with its direction: true towards the relay.
    pub tap: Vec<(bool, Vec<u8>)>,
    /// How many capsules the relay refuses before it takes one.
    pub refuses: u32,
    /// How many envelopes it takes and then fails to store before it stores one.
    pub fails: u32,
    /// Whether its disk is so full that it takes no envelopes of 16 KiB.
    pub takes_no_long: bool,
    /// Whether the relay runs and is reachable.
    pub relay_up: bool,
    people: Vec<Person>,
    relay: Relay<Seeded>,
    limits: Limits,
    liar: Option<Liar>,
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
        let limits = Limits::default();
        let relay = relay((&identity, &epoch_signer, &namer_secret), limits, None, BEGIN, seed);
        let mut world = Self {
            now: BEGIN,
            tap: Vec::new(),
            refuses: 0,
            fails: 0,
            takes_no_long: false,
            relay_up: true,
            people: Vec::new(),
            relay,
            limits,
            liar: None,
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
        let seed = self.seed.wrapping_mul(1000) + self.people.len() as u64;
        let mut rng = Rng::new(ChaCha20Rng::seed_from_u64(seed));
        let store = Store::open_in_memory(&mut rng).unwrap();
        self.person_with(name, store, rng)
    }

    /// A new person with the relay as their home, over a fresh store and randomness of the caller's.
    pub fn person_with(&mut self, name: &str, mut store: Store, mut rng: Rng) -> Who {
        let who = Who(self.people.len());
        let home = Some(self.relay_address());
        let now = self.now;
        store
            .transaction(|tx| {
                crypto::check_backend(tx).unwrap();
                let account = crypto::create_account(tx, &mut rng).unwrap();
                let (name, language) = (name.into(), "en".to_owned());
                tx.insert_profile(&Profile { account, name, language, home }, now)
            })
            .unwrap();
        self.people.push(Person {
            engine: Engine::new(rng),
            store,
            clock_off_ms: 0,
            looked: now,
            link: None,
            broken: None,
            requests: BTreeMap::new(),
            next_request: 1,
            answers: BTreeMap::new(),
            online: true,
            running: true,
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

    /// Sets a person's clock off by so many milliseconds. Their program, if it runs, looks at the clock now and then, as
    /// the driver does, and so finds out.
    pub fn set_clock(&mut self, who: Who, off_ms: i64) {
        self.people[who.0].clock_off_ms = off_ms;
        let clock = self.clock_of(who);
        let person = &mut self.people[who.0];
        if !person.running {
            return;
        }
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

    /// The person closes their laptop: nothing of their program runs until [`World::wake`].
    pub fn sleep(&mut self, who: Who) {
        self.go_offline(who);
        self.people[who.0].running = false;
    }

    /// The person starts their program again, on a machine with a line.
    pub fn wake(&mut self, who: Who) {
        self.people[who.0].running = true;
        self.go_online(who);
        self.crash(who);
    }

    /// The person's line breaks: what was on it is lost both ways.
    pub fn break_line(&mut self, who: Who) {
        let Some(link) = self.people[who.0].link.take() else { return };
        self.parcels.retain(|_, parcel| match parcel {
            Parcel::ToRelay(one, _) | Parcel::ToPerson(_, one, _) => *one != link,
            Parcel::Broken(..) | Parcel::DialFailed(..) => true,
        });
        self.relay.handle_closed(link);
        self.settle_relay();
        self.people[who.0].broken = Some(link);
        self.post(Parcel::Broken(who, link));
    }

    /// The person's program is killed and started again: what was not in the store is gone.
    pub fn crash(&mut self, who: Who) {
        self.break_line(who);
        let seed = u64::from_le_bytes(self.rng.array());
        let person = &mut self.people[who.0];
        person.engine = Engine::new(Rng::new(ChaCha20Rng::seed_from_u64(seed)));
        person.broken = None;
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
        let keys = (&self.identity, &self.epoch_signer, &self.namer_secret);
        self.relay = relay(keys, self.limits, Some(epochs), self.now, seed);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.settle_relay();
    }
}
