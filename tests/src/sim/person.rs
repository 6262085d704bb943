//! A person of the simulation: the engine over its store, on a machine that may be off, wrong about the time, or killed.

use std::collections::{BTreeMap, BTreeSet};

use beresta_client::crypto;
use beresta_client::engine::{AcceptRequest, Answer, AskId, Effect, Engine, Token};
use beresta_client::rng::Rng;
use beresta_client::store::contact::ContactId;
use beresta_client::store::profile::Profile;
use beresta_client::store::{Store, StoreError};
use beresta_proto::address::RelayAddress;
use beresta_proto::bundle::IdentityPublic;
use beresta_proto::frame::RequestId;
use beresta_proto::invite::InviteLink;
use beresta_proto::time::{HOUR_MS, MINUTE_MS, Timestamp};
use beresta_proto::words::Words;
use beresta_server::relay::LinkId;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::event::Event;
use super::log::SECRET;
use super::{At, Sim, Who};

/// A link as its person sees it.
struct Line {
    link: LinkId,
    requests: BTreeMap<RequestId, Token>,
    /// When the last frame arrives there, and here: a stream keeps its order.
    last: (Timestamp, Timestamp),
}

/// One person.
pub(super) struct Person {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) identity: IdentityPublic,
    pub(super) online: bool,
    /// Whether their program runs.
    pub(super) running: bool,
    pub(super) clock_off_ms: i64,
    pub(super) dialling: BTreeSet<At>,
    /// Links that carry nothing any more, whether or not both sides know.
    pub(super) dead: BTreeSet<LinkId>,
    /// For whom an invite is that was asked for.
    pub(super) invites: BTreeMap<AskId, Who>,
    /// Whether there was a step that nobody looked at yet.
    pub(super) changed: bool,
    /// The last event that they were told of.
    pub(super) told: u64,
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
            running: true,
            clock_off_ms: 0,
            dialling: BTreeSet::new(),
            dead: BTreeSet::new(),
            invites: BTreeMap::new(),
            changed: false,
            told: 0,
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
            .map(|due| Timestamp(due.0.saturating_add_signed(-self.clock_off_ms)))
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

    /// One step of a person's engine and what follows.
    pub(super) fn step(
        &mut self,
        who: Who,
        run: impl FnOnce(&mut Engine, &mut Store) -> Result<(), StoreError>,
    ) {
        self.wish(who, run).unwrap();
    }

    /// A step that gives something.
    pub(super) fn wish<T>(&mut self, who: Who, run: impl FnOnce(&mut Engine, &mut Store) -> T) -> T {
        let person = &mut self.people[who.0];
        let value = run(&mut person.engine, &mut person.store);
        // The worst moment to be killed: after the commit, before anything that follows from it.
        if self.dice.random_range(0..1_000) < self.plan.kills {
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
        (person.online, person.running) = (false, false);
        person.lines.clear();
        person.dialling.clear();
        person.invites.clear();
    }

    /// The machine is on and has a line. A program that ran there goes on and finds out by itself.
    pub(super) fn switch_on(&mut self, who: Who) {
        self.people[who.0].online = true;
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
            self.people[who.0].online = online;
            self.start(who);
        }
    }

    fn start(&mut self, who: Who) {
        let seed = self.dice.random();
        let clock = self.people[who.0].clock(self.now);
        let person = &mut self.people[who.0];
        person.running = true;
        person.engine = Engine::new(Rng::new(ChaCha20Rng::seed_from_u64(seed)));
        person.engine.handle_start(&mut person.store, clock).unwrap();
        self.perform(who);
    }

    fn perform(&mut self, who: Who) {
        while let Some(effect) = self.people[who.0].engine.poll_effect() {
            match effect {
                Effect::Dial { relay, known_sequence: _ } => {
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
        person.store.scrub().unwrap();
        person.wakes = person.engine.poll_timeout(&mut person.store).unwrap();
        person.changed = true;
    }

    fn at(&self, address: &RelayAddress) -> Option<At> {
        self.relay_of(&address.relay)
    }

    pub(super) fn relay_of(&self, relay: &beresta_proto::id::RelayId) -> Option<At> {
        self.relays.iter().position(|one| one.id == *relay).map(At)
    }

    fn answer(&mut self, who: Who, ask: AskId, outcome: Option<Answer>) {
        match outcome {
            Some(Answer::Invited { invite: _, link }) => {
                if let Some(other) = self.people[who.0].invites.remove(&ask) {
                    self.events.at(self.now.plus(MINUTE_MS), Event::HandOver(other, link));
                }
            }
            Some(Answer::Accepted { contact: _ }) => self.summary.met += 1,
            None => {}
        }
    }

    pub(super) fn accept(&mut self, who: Who, link: Words) {
        if !self.people[who.0].running {
            return self.events.at(self.now.plus(HOUR_MS), Event::HandOver(who, link));
        }
        let link = InviteLink::from_link(&link).unwrap();
        let clock = self.people[who.0].clock(self.now);
        let request = AcceptRequest { link, name: Words::default(), renews: None };
        let _ = self.wish(who, |engine, store| engine.invite_accept(store, request, clock));
    }
}
