//! A person of the simulation: the engine over its store, on a machine that may be off, wrong about the time, or killed,
//! and whose disk may fail.

use std::collections::{BTreeMap, BTreeSet};

use beresta_client::crypto;
use beresta_client::engine::{AskId, Effect, Engine, Token};
use beresta_client::rng::Rng;
use beresta_client::store::contact::ContactId;
use beresta_client::store::profile::Profile;
use beresta_client::store::{Store, StoreError};
use beresta_proto::address::RelayAddress;
use beresta_proto::bundle::IdentityPublic;
use beresta_proto::frame::RequestId;
use beresta_proto::time::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use beresta_server::relay::LinkId;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::event::Event;
use super::log::SECRET;
use super::older::OldProfile;
use super::{At, Sim, Who};

/// A link as its person sees it.
struct Line {
    link: LinkId,
    requests: BTreeMap<RequestId, Token>,
    /// When the last frame arrives there, and here: a stream keeps its order.
    last: (Timestamp, Timestamp),
}

/// What is wrong with a person's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// In of a hundred steps so many a write fails, or the commit.
    Fails(u32),
    /// Nothing fits that needs more room.
    Full,
}

/// A write of a step that fails is one of so many, the commit among them.
const WRITES: u32 = 16;
/// First and longest pause of a program whose disk fails.
const PAUSE_FIRST_MS: u64 = SECOND_MS;
const PAUSE_LONGEST_MS: u64 = MINUTE_MS;
/// A machine without a line sleeps after so long: its program stands still, and finds out when it has a line again.
const AWAKE_MS: u64 = DAY_MS;

/// One person.
pub(super) struct Person {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) identity: IdentityPublic,
    pub(super) online: bool,
    /// Since when they had no line, and the longest time in which they had none.
    gone: Option<Timestamp>,
    away_ms: u64,
    /// Whether their program runs.
    pub(super) running: bool,
    pub(super) clock_off_ms: i64,
    pub(super) dialling: BTreeSet<At>,
    /// Links that carry nothing any more, whether or not both sides know.
    pub(super) dead: BTreeSet<LinkId>,
    /// For whom an invite is that was asked for, and whether it names them.
    pub(super) invites: BTreeMap<AskId, (Who, bool)>,
    /// Whether there was a step that nobody looked at yet.
    pub(super) changed: bool,
    /// The last event that they were told of.
    pub(super) told: u64,
    pub(super) trouble: Option<Trouble>,
    /// Their profile as it was once.
    pub(super) older: Option<OldProfile>,
    /// Counts the runs of their program.
    life: u64,
    /// Steps in a row that failed, and until when the next one waits, by the true clock.
    failures: u32,
    pause: Timestamp,
    /// Whether the disk was to fail in the last step.
    met_fault: bool,
    lines: BTreeMap<At, Line>,
    next_request: u32,
    wakes: Option<Timestamp>,
}

impl Person {
    pub(super) fn new(seed: u64, home: RelayAddress, now: Timestamp) -> Self {
        let mut rng = Rng::new(ChaCha20Rng::seed_from_u64(seed));
        let mut store = Store::open_in_memory(&mut rng).unwrap();
        let identity = store
            .transaction(|tx| {
                crypto::check_backend(tx).unwrap();
                let account = crypto::create_account(tx, &mut rng).unwrap();
                let (name, language) = (format!("{SECRET} {seed}").into(), String::from("en"));
                tx.insert_profile(&Profile { account, name, language, home: Some(home) }, now)?;
                Ok::<_, StoreError>(crypto::own_identity(tx).unwrap())
            })
            .unwrap();
        Self {
            engine: Engine::new(rng),
            store,
            identity,
            online: true,
            gone: None,
            away_ms: 0,
            running: true,
            clock_off_ms: 0,
            dialling: BTreeSet::new(),
            dead: BTreeSet::new(),
            invites: BTreeMap::new(),
            changed: false,
            told: 0,
            trouble: None,
            older: None,
            life: 0,
            failures: 0,
            pause: now,
            met_fault: false,
            lines: BTreeMap::new(),
            next_request: 1,
            wakes: None,
        }
    }

    /// What their clock shows.
    pub(super) fn clock(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_add_signed(self.clock_off_ms))
    }

    /// When their engine wants to be looked at, by the true clock.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.wakes
            .filter(|_| self.running)
            .map(|due| Timestamp(due.0.saturating_add_signed(-self.clock_off_ms)).max(self.pause))
            .filter(|due| !self.sleeps(*due))
    }

    fn sleeps(&self, now: Timestamp) -> bool {
        self.gone.is_some_and(|since| now.since(since) > AWAKE_MS)
    }

    /// They have a line from now on, or none.
    pub(super) fn connects(&mut self, online: bool, now: Timestamp) {
        let gone = self.gone.take();
        self.away_ms = self.away_ms.max(gone.map_or(0, |since| now.since(since)));
        self.gone = if online { None } else { gone.or(Some(now)) };
        self.online = online;
    }

    /// The longest time in which they had no line.
    pub(super) const fn away_ms(&self) -> u64 {
        self.away_ms
    }

    /// Whether what is due at a time was done by then.
    pub(super) fn works(&self, now: Timestamp) -> bool {
        self.trouble.is_none() && self.pause <= now && !self.sleeps(now)
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    pub(super) fn link(&self, at: At) -> Option<LinkId> {
        self.lines.get(&at).map(|line| line.link)
    }

    pub(super) fn links(&self) -> Vec<(At, LinkId)> {
        self.lines.iter().map(|(at, line)| (*at, line.link)).collect()
    }

    pub(super) fn linked(&mut self, at: At, link: LinkId) {
        let last = (Timestamp(0), Timestamp(0));
        self.lines.insert(at, Line { link, requests: BTreeMap::new(), last });
    }

    pub(super) fn unlink(&mut self, at: At) {
        self.lines.remove(&at);
    }

    pub(super) fn answered(&mut self, at: At, request: RequestId) -> Option<Token> {
        self.lines.get_mut(&at)?.requests.remove(&request)
    }

    /// When a frame arrives at the relay that would, alone, arrive then.
    pub(super) fn arrival(&mut self, at: At, alone: Timestamp) -> Timestamp {
        self.lines.get_mut(&at).map_or(alone, |line| {
            line.last.0 = line.last.0.max(alone);
            line.last.0
        })
    }

    /// The same for the other way.
    pub(super) fn arrival_back(&mut self, at: At, alone: Timestamp) -> Timestamp {
        self.lines.get_mut(&at).map_or(alone, |line| {
            line.last.1 = line.last.1.max(alone);
            line.last.1
        })
    }
}

impl Sim {
    /// What one person, whose program runs, calls another, if they have met.
    pub(super) fn contact(&mut self, who: Who, other: Who) -> Option<ContactId> {
        if !self.people[who.0].running {
            return None;
        }
        let identity = self.people[other.0].identity;
        let found = self.people[who.0].store.transaction(|tx| tx.contact_by_identity(&identity));
        found.unwrap().map(|contact| contact.id)
    }

    /// One step of a person's engine and what follows. One that the disk did not take is due again after a pause.
    pub(super) fn step(
        &mut self,
        who: Who,
        run: impl FnOnce(&mut Engine, &mut Store) -> Result<(), StoreError>,
    ) {
        self.step_of(who, 1, run);
    }

    /// A step that writes as much as so many others.
    pub(super) fn step_of(
        &mut self,
        who: Who,
        steps: u32,
        run: impl FnOnce(&mut Engine, &mut Store) -> Result<(), StoreError>,
    ) {
        let life = self.people[who.0].life;
        let failed = self.wish_of(who, steps, run).is_err();
        let person = &mut self.people[who.0];
        if person.life != life {
            return;
        }
        if failed {
            if !person.met_fault {
                return self.model.breaks(format!("the store of {who:?} fails by itself"));
            }
            let pause = (PAUSE_FIRST_MS << person.failures.min(10)).min(PAUSE_LONGEST_MS);
            (person.failures, person.pause) = (person.failures + 1, self.now.plus(pause));
        } else {
            person.failures = 0;
        }
    }

    /// A step that gives something.
    pub(super) fn wish<T, E>(
        &mut self,
        who: Who,
        run: impl FnOnce(&mut Engine, &mut Store) -> Result<T, E>,
    ) -> Result<T, E> {
        self.wish_of(who, 1, run)
    }

    /// A step that writes as much as so many others, and gives something.
    fn wish_of<T, E>(
        &mut self,
        who: Who,
        steps: u32,
        run: impl FnOnce(&mut Engine, &mut Store) -> Result<T, E>,
    ) -> Result<T, E> {
        // The worst moments to be killed: before the commit, and after it, before anything that follows from it.
        let killed = self.dice.random_range(0..1_000) < self.plan.kills;
        let trouble = self.people[who.0].trouble;
        let fails = match trouble {
            Some(Trouble::Fails(percent)) => self.dice.random_range(0..100) < percent,
            Some(Trouble::Full) | None => killed && self.dice.random(),
        };
        let after = fails.then(|| self.dice.random_range(0..WRITES * steps));
        let person = &mut self.people[who.0];
        person.store.fail_write(after);
        let value = run(&mut person.engine, &mut person.store);
        let met = after.is_some() && !person.store.fail_write(None);
        person.met_fault = met || trouble == Some(Trouble::Full);
        self.summary.own_disk_faults += u64::from(met);
        if killed {
            self.kill(who);
        } else {
            self.perform(who);
        }
        value
    }

    /// The machine is switched off: nothing of the program runs, and what was not in the store is gone.
    pub(super) fn switch_off(&mut self, who: Who) {
        self.cut(who);
        let person = &mut self.people[who.0];
        person.connects(false, self.now);
        person.running = false;
        person.life += 1;
        person.lines.clear();
        person.dialling.clear();
        person.invites.clear();
    }

    /// The machine is on and has a line. A program that ran there goes on and finds out by itself.
    pub(super) fn switch_on(&mut self, who: Who) {
        self.people[who.0].connects(true, self.now);
        if !self.people[who.0].running {
            self.start(who);
        }
    }

    /// The program is killed and started again, on a machine that is on.
    pub(super) fn kill(&mut self, who: Who) {
        let online = self.people[who.0].online;
        if self.people[who.0].running {
            self.summary.kills += 1;
            self.switch_off(who);
            self.people[who.0].connects(online, self.now);
            self.start(who);
        }
    }

    pub(super) fn start(&mut self, who: Who) {
        let seed = self.dice.random();
        let clock = self.people[who.0].clock(self.now);
        let person = &mut self.people[who.0];
        person.running = true;
        (person.failures, person.pause) = (0, self.now);
        person.engine = Engine::new(Rng::new(ChaCha20Rng::seed_from_u64(seed)));
        self.step(who, |engine, store| engine.handle_start(store, clock));
    }

    fn perform(&mut self, who: Who) {
        while let Some(effect) = self.people[who.0].engine.poll_effect() {
            match effect {
                Effect::Dial { relay, own: _, known_sequence: _ } => {
                    if let Some(at) = self.at(&relay) {
                        self.people[who.0].dialling.insert(at);
                        self.dial(who, at);
                    }
                }
                Effect::Transmit { relay, token, command } => {
                    let Some(at) = self.relay_of(&relay) else { continue };
                    let person = &mut self.people[who.0];
                    let Some(line) = person.lines.get_mut(&at) else { continue };
                    let request = RequestId(person.next_request);
                    person.next_request += 1;
                    line.requests.insert(request, token);
                    let link = line.link;
                    self.send_to_relay(who, at, link, command.encode(request).unwrap());
                }
                Effect::HangUp { relay } => {
                    let Some(at) = self.relay_of(&relay) else { continue };
                    if let Some(line) = self.people[who.0].lines.remove(&at) {
                        self.people[who.0].dead.insert(line.link);
                        self.events.at(self.now.plus(self.plan.latency_ms), Event::RelayLoses(at, line.link));
                    }
                }
                Effect::Answer { ask, outcome } => self.answer(who, ask, outcome.ok()),
            }
        }
        let person = &mut self.people[who.0];
        // One that failed is due again after the next step.
        let scrubbed = person.store.scrub();
        assert!(scrubbed.is_ok() || person.trouble.is_some(), "a scrub failed: {scrubbed:?}");
        person.wakes = person.engine.poll_timeout(&mut person.store).unwrap();
        person.changed = true;
    }

    fn at(&self, address: &RelayAddress) -> Option<At> {
        self.relay_of(&address.relay)
    }

    pub(super) fn relay_of(&self, relay: &beresta_proto::id::RelayId) -> Option<At> {
        self.relays.iter().position(|one| one.id == *relay).map(At)
    }
}
