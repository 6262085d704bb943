//! Older states that come back: of a relay's folder, of a person's profile.

use std::collections::VecDeque;

use beresta_client::store::Store;
use rand::Rng as _;

use super::disk::{Disk, Fault};
use super::event::Event;
use super::model::Remembered;
use super::person::Trouble;
use super::{At, DISK_MS, MINUTE_MS, Sim, Who};

/// Whose disk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Person(Who),
    Relay(At),
}

/// A profile as it was once.
pub(super) struct OldProfile {
    store: Store,
    /// The last event that its person had been told of.
    told: u64,
    remembered: Remembered,
}

impl Sim {
    /// Copies a disk as it is, while everything runs; or, if there is a copy, stops what runs on the disk and starts it on
    /// the copy.
    pub(super) fn older(&mut self, of: Of) {
        match of {
            Of::Person(who) => match self.people[who.0].older.take() {
                Some(older) => self.profile_goes_back(who, older),
                None => {
                    let remembered = self.model.remember(who);
                    let person = &mut self.people[who.0];
                    let store = person.store.copy().unwrap();
                    person.older = Some(OldProfile { store, told: person.told, remembered });
                }
            },
            Of::Relay(at) => match self.relays[at.0].older.take() {
                Some(older) => self.relay_goes_back(at, older),
                None => self.relays[at.0].older = Some(self.relays[at.0].disk.copy()),
            },
        }
    }

    fn profile_goes_back(&mut self, who: Who, older: OldProfile) {
        let (running, online) = (self.people[who.0].running, self.people[who.0].online);
        self.switch_off(who);
        let person = &mut self.people[who.0];
        (person.store, person.told) = (older.store, older.told);
        person.connects(online, self.now);
        self.mend(who);
        self.model.goes_back(who, older.remembered);
        self.summary.older += 1;
        if running {
            self.start(who);
        }
    }

    fn relay_goes_back(&mut self, at: At, older: Disk) {
        let down_ms = self.dice.random_range(0..MINUTE_MS);
        self.kill_relay(at, down_ms);
        self.relays[at.0].disk = older;
        self.model.relay_goes_back(at);
        self.summary.older += 1;
    }

    /// Lets a person's disk work again.
    pub(super) fn mend(&mut self, who: Who) {
        let person = &mut self.people[who.0];
        person.trouble = None;
        person.store.fill_disk(false).unwrap();
    }

    /// Something is wrong with a person's disk from now on, until they notice.
    pub(super) fn own_disk(&mut self, who: Who, trouble: Trouble) {
        let person = &mut self.people[who.0];
        person.trouble = Some(trouble);
        person.store.fill_disk(trouble == Trouble::Full).unwrap();
        let mended = self.now.plus(self.dice.random_range(MINUTE_MS..DISK_MS));
        self.events.at(mended, Event::OwnDiskMended(who));
    }
}

impl Disk {
    /// What is on it, without what is under way.
    fn copy(&self) -> Self {
        let copy = Self {
            engine: self.engine.clone(),
            pending: VecDeque::new(),
            passing: Vec::new(),
            fault: Fault::None,
            epochs: self.epochs.clone(),
            known: self.known.clone(),
        };
        self.forget_passing(&copy);
        copy
    }
}
