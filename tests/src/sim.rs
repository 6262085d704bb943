#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the simulation is a test: what it did not expect ends it"
)]
//! A simulation that one seed decides: relays and people, the real cores of both, on bad lines and bad disks, killed at
//! bad moments, with clocks that jump. A reference model says what must have come of it.
//!
//! ```text
//! plan ─► transitions ─► people ─ frames ─► wire ─► relays ─ operations ─► disks
//!                          │                                                 │
//!                          └──────────────► model ◄──────────────────────────┘   looks after every step
//! ```
//! No thread, no socket, no clock, no randomness but the seed's: the same seed is the same history, step by step. What
//! a line may do here is what an ordered stream over a bad line may do: be slow, stand still, and break with what was
//! on it, which each side learns at another time.

mod attack;
mod disk;
mod event;
mod log;
mod model;
mod older;
mod passing;
mod person;
mod plan;
mod relay;
mod wire;
mod wish;

use std::collections::VecDeque;

use beresta_proto::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use attack::Tapped;
use event::Events;
use model::Model;
use person::Person;
use plan::{Plan, Transition};
use relay::Node;

pub use model::Violation;

/// The first moment: 2027-01-15 08:00 UTC.
const BEGIN: Timestamp = Timestamp(1_800_000_000_000);
/// How long something may be wrong with a disk.
const DISK_MS: u64 = 6 * HOUR_MS;
/// How long everything works, at the end, before it is asked what became of each message.
const HEALING_MS: u64 = 26 * HOUR_MS;

/// A person, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who(pub usize);

/// A relay, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(pub usize);

/// What happened in a seed's history, so that one can see that a simulation simulates something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pairs of people who met.
    pub met: usize,
    /// Texts that were accepted for sending.
    pub said: usize,
    /// Of these, texts that were shown.
    pub shown: usize,
    /// Messages of ratchets that were delivered, each of a key of its own.
    pub encrypted: usize,
    /// Frames that arrived at one side or the other.
    pub frames: u64,
    /// Pushes that came together with one before and were stored with it.
    pub together: u64,
    /// Programs and relays that were killed.
    pub kills: u64,
    /// Messages that were pushed before they were stored.
    pub admitted: u64,
    /// Operations of relays' disks that failed or were lost.
    pub disk_faults: u64,
    /// Writes of people's disks that failed.
    pub own_disk_faults: u64,
    /// How often somebody took another relay as home.
    pub moves: u64,
    /// How often somebody blocked or removed a contact.
    pub parted: u64,
    /// Older states of profiles and relays that came back.
    pub older: u64,
    /// What was forged, repeated or put into a wrong queue.
    pub attacks: u64,
}

impl Summary {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            met: self.met + other.met,
            said: self.said + other.said,
            shown: self.shown + other.shown,
            encrypted: self.encrypted + other.encrypted,
            frames: self.frames + other.frames,
            together: self.together + other.together,
            kills: self.kills + other.kills,
            admitted: self.admitted + other.admitted,
            disk_faults: self.disk_faults + other.disk_faults,
            own_disk_faults: self.own_disk_faults + other.own_disk_faults,
            moves: self.moves + other.moves,
            parted: self.parted + other.parted,
            older: self.older + other.older,
            attacks: self.attacks + other.attacks,
        }
    }
}

/// The simulation.
pub struct Sim {
    now: Timestamp,
    dice: ChaCha20Rng,
    plan: Plan,
    events: Events,
    relays: Vec<Node>,
    people: Vec<Person>,
    model: Model,
    links: u64,
    /// What relays delivered last, where somebody lies.
    tapped: VecDeque<Tapped>,
    summary: Summary,
    /// Whether each thing that happens is printed.
    told: bool,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("now", &self.now).finish_non_exhaustive()
    }
}

/// Runs the history of a seed to its end.
///
/// # Errors
/// The first [`Violation`] of what was promised.
pub fn run(seed: u64) -> Result<Summary, Violation> {
    let (outcome, logged) = log::listen(|| history(seed));
    match logged {
        Some(line) => Err(Violation(format!("it was logged: {line}"))),
        None => outcome,
    }
}

fn history(seed: u64) -> Result<Summary, Violation> {
    let mut sim = Sim::new(seed);
    while let Some((pause, transition)) = sim.plan.next(&mut sim.dice) {
        sim.pass(pause)?;
        sim.transition(transition);
        sim.look(true)?;
    }
    sim.heal();
    sim.pass(HEALING_MS)?;
    sim.model.judge(&mut sim.people, &sim.relays, sim.now)?;
    sim.summary.said = sim.model.said();
    sim.summary.shown = sim.model.shown();
    sim.summary.encrypted = sim.model.encrypted();
    Ok(sim.summary)
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let plan = Plan::draw(&mut dice);
        let relays: Vec<Node> = (0..plan.relays)
            .map(|n| Node::new(seed.wrapping_mul(31).wrapping_add(n as u64), BEGIN))
            .collect();
        let people = (0..plan.people)
            .map(|n| {
                let home = relays[n % relays.len()].address(BEGIN);
                Person::new(seed.wrapping_mul(1_009).wrapping_add(n as u64), home, BEGIN)
            })
            .collect();
        let mut sim = Self {
            now: BEGIN,
            dice,
            plan,
            events: Events::default(),
            relays,
            people,
            model: Model::default(),
            links: 0,
            tapped: VecDeque::new(),
            summary: Summary::default(),
            told: std::env::var_os("BERESTA_TOLD").is_some(),
        };
        sim.model.know(&sim.people, &sim.plan);
        (0..sim.people.len()).for_each(|n| sim.model.lives_at(Who(n), At(n % sim.relays.len())));
        (0..sim.relays.len()).for_each(|at| sim.settle(At(at)));
        sim
    }

    /// Lets time pass, with all that happens in it.
    fn pass(&mut self, ms: u64) -> Result<(), Violation> {
        let end = self.now.plus(ms);
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            while let Some(event) = self.events.due(self.now) {
                self.happen(event);
                // At once: what else happens in this moment is another step, and what is due then is still to be done.
                self.look(false)?;
            }
            for at in (0..self.relays.len()).map(At) {
                self.relays[at.0].renew(self.now);
                if self.relays[at.0].is_due(self.now) {
                    self.relays[at.0].core.handle_timeout(self.now);
                    self.settle(at);
                }
            }
            for who in (0..self.people.len()).map(Who) {
                if self.people[who.0].is_due(self.now) {
                    let clock = self.people[who.0].clock(self.now);
                    self.step(who, |engine, store| engine.handle_timeout(store, clock));
                    if self.people[who.0].is_due(self.now) {
                        return Err(Violation(format!("{who:?} does nothing about what is due, for ever")));
                    }
                }
            }
            self.look(true)?;
        }
        self.now = end;
        Ok(())
    }

    fn next_moment(&self) -> Option<Timestamp> {
        let relays = self.relays.iter().filter_map(Node::due);
        let people = self.people.iter().filter_map(Person::due);
        self.events.next().into_iter().chain(relays).chain(people).min()
    }

    /// What the model sees after every step; once all is done that was due, also whether it was.
    fn look(&mut self, done: bool) -> Result<(), Violation> {
        let disks = self.relays.iter_mut().find_map(|relay| relay.disk.broken());
        if let Some(broken) = self.model.broken().or(disks) {
            return Err(broken);
        }
        for who in (0..self.people.len()).map(Who) {
            if self.people[who.0].changed {
                let rows = self.model.look(&mut self.people[who.0], who, self.now, done)?;
                if !rows.is_empty() {
                    let clock = self.people[who.0].clock(self.now);
                    if self.wish(who, |engine, store| engine.shown(store, &rows, clock)).is_ok() {
                        self.model.noted(who, &rows);
                    }
                }
                self.people[who.0].changed = !done;
            }
        }
        Ok(())
    }

    /// Prints what happens, where somebody wants to read the history of a seed.
    fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            eprintln!("{:>13} {}", self.now.since(BEGIN), what());
        }
    }

    fn transition(&mut self, transition: Transition) {
        self.tell(|| format!("{transition:?}"));
        match transition {
            Transition::Meet(one, other) => self.meet(one, other, false),
            Transition::MeetAgain(one, other) => {
                self.model.met_anew.extend([(one, other), (other, one)]);
                self.meet(one, other, true);
            }
            Transition::Revoke(who) => self.revoke(who),
            Transition::Say(from, to) => self.say(from, to),
            Transition::Timer(who, with, seconds) => self.set_timer(who, with, seconds),
            Transition::Move(who, to) => self.relocate(who, to),
            Transition::Block(who, other) => self.block(who, other),
            Transition::Remove(who, other) => self.remove(who, other),
            Transition::Clear(who, with) => self.clear(who, with),
            Transition::Offline(who) => {
                self.people[who.0].connects(false, self.now);
                self.cut(who);
            }
            Transition::Off(who) => self.switch_off(who),
            Transition::Online(who) => self.switch_on(who),
            Transition::Kill(who) => self.kill(who),
            Transition::KillRelay(at, down_ms) => self.kill_relay(at, down_ms),
            Transition::Break(who) => self.cut(who),
            Transition::Clock(who, off_ms) => self.set_clock(who, off_ms),
            Transition::Attack(attack) => self.attack(attack),
            Transition::OwnDisk(who, trouble) => self.own_disk(who, trouble),
            Transition::Older(of) => self.older(of),
            Transition::Disk(at, fault) => {
                self.relays[at.0].disk.fault = fault;
                // Its operator looks after it.
                let mended = self.now.plus(self.dice.random_range(MINUTE_MS..DISK_MS));
                self.events.at(mended, event::Event::DiskMended(at));
            }
        }
    }

    /// Sets a person's clock. A program that runs looks at it now and then, a moment before as well, and so finds out.
    fn set_clock(&mut self, who: Who, off_ms: i64) {
        if self.people[who.0].running {
            let clock = self.people[who.0].clock(self.now);
            self.step(who, |engine, store| engine.handle_timeout(store, clock));
        }
        self.people[who.0].clock_off_ms = off_ms;
        if self.people[who.0].running {
            let clock = self.people[who.0].clock(self.now);
            self.step(who, |engine, store| engine.handle_timeout(store, clock));
        }
    }

    /// From here on everything works: what was not lost for good must come through.
    fn heal(&mut self) {
        self.plan.calm();
        for at in (0..self.relays.len()).map(At) {
            self.relays[at.0].disk.fault = disk::Fault::None;
            self.start_relay(at);
        }
        for who in (0..self.people.len()).map(Who) {
            self.mend(who);
            self.switch_on(who);
            self.set_clock(who, 0);
        }
    }
}

/// Times that the parts of a simulation share.
mod times {
    use super::{MINUTE_MS, SECOND_MS};

    /// A link that broke is noticed by one side after at most so long: QUIC's idle time-out.
    pub(super) const NOTICED_MS: u64 = 2 * MINUTE_MS;
    /// A try to reach a relay ends after so long.
    pub(super) const DIAL_MS: u64 = 12 * SECOND_MS;
}
