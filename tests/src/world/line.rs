//! The world's clock and lines: what is under way, and when it arrives.

use beresta_client::engine::{DialFailure, Effect, LinkUp, Token};
use beresta_proto::auth::Exporter;
use beresta_proto::command::Command;
use beresta_proto::descriptor::UnverifiedDescriptor;
use beresta_proto::frame::RequestId;
use beresta_proto::id::RelayId;
use beresta_proto::reply::{Heard, Push, Refusal, Reply};
use beresta_proto::time::Timestamp;
use beresta_server::relay::LinkId;

use super::{LATENCY_MS, LOOK_MS, Parcel, TLS_KEY, Who, World};

impl World {
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
                if !person.running {
                    continue;
                }
                let due = person.engine.poll_timeout(&mut person.store).unwrap();
                if self.now.since(person.looked) >= LOOK_MS || due.is_some_and(|due| due <= clock) {
                    person.looked = self.now;
                    person.engine.handle_timeout(&mut person.store, clock).unwrap();
                    // A driver would wake up again at once, for ever.
                    let next = person.engine.poll_timeout(&mut person.store).unwrap();
                    assert!(next.is_none_or(|next| next > clock), "what was due is due still");
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
        for person in self.people.iter_mut().filter(|person| person.running) {
            moments.push(person.looked.plus(LOOK_MS).max(now));
            if let Some(due) = person.engine.poll_timeout(&mut person.store).unwrap() {
                let due = Timestamp(due.0.saturating_add_signed(-person.clock_off_ms));
                moments.push(due.max(now));
            }
        }
        moments.into_iter().min()
    }

    pub(super) fn post(&mut self, parcel: Parcel) {
        self.next += 1;
        self.parcels.insert((self.now.plus(LATENCY_MS), self.next), parcel);
    }

    /// Takes off the line what is being pushed to a person, for who wants to hand it over by hand.
    pub fn take_pushes(&mut self, who: Who) -> Vec<Push> {
        let pushed = |parcel: &mut Parcel| match parcel {
            Parcel::ToPerson(to, _, frame) if *to == who => match Heard::decode(frame).unwrap() {
                Heard::Push(push) => Some(push),
                Heard::Reply(..) => None,
            },
            Parcel::ToPerson(..) | Parcel::ToRelay(..) | Parcel::Broken(..) | Parcel::DialFailed(..) => None,
        };
        let mut pushes = Vec::new();
        self.parcels.retain(|_, parcel| match pushed(parcel) {
            Some(push) => {
                pushes.push(push);
                false
            }
            None => true,
        });
        pushes
    }

    fn deliver(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::ToRelay(link, frame) => {
                let from = self.people.iter().position(|person| person.link == Some(link)).map(Who);
                if let Some(from) = from {
                    self.tap.push((true, frame.clone()));
                    if !self.refused(link, &frame) && !self.lied(from, link, &frame) {
                        self.relay.handle_frame(link, &frame, self.now);
                        self.settle_relay();
                    }
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
                if person.link == Some(link) || person.broken == Some(link) {
                    (person.link, person.broken) = (None, None);
                    person.requests.clear();
                    let relay = beresta_proto::descriptor::relay_id(&self.identity.verifying_key().unwrap());
                    person.engine.handle_link_down(&mut person.store, relay, clock).unwrap();
                    self.perform(who);
                }
            }
            Parcel::DialFailed(who, relay) => {
                let clock = self.clock_of(who);
                let person = &mut self.people[who.0];
                person
                    .engine
                    .handle_dial_failed(&mut person.store, relay, DialFailure::Unreachable, clock)
                    .unwrap();
                self.perform(who);
            }
        }
    }

    /// Whether the relay does not take a capsule now, though it may take the next.
    fn refused(&mut self, link: LinkId, frame: &[u8]) -> bool {
        let Ok((request, Command::Send { .. })) = Command::decode(frame) else { return false };
        let Some(who) = self.people.iter().position(|person| person.link == Some(link)) else { return false };
        let Some(left) = self.refuses.checked_sub(1) else { return false };
        self.refuses = left;
        let reply = Reply::Refused(Refusal::RateLimited).encode(request).unwrap();
        self.post(Parcel::ToPerson(Who(who), link, reply));
        true
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
                let up = LinkUp { descriptor, epoch_keys, clock: theirs, exporter };
                person.engine.handle_link_up(&mut person.store, up, clock).unwrap();
            }
            Heard::Reply(request, reply) => {
                let token = person.requests.remove(&request).unwrap();
                let (engine, store) = (&mut person.engine, &mut person.store);
                engine.handle_reply(store, relay.relay, token, Some(reply), clock).unwrap();
            }
            Heard::Push(push) => {
                person.engine.handle_pushes(&mut person.store, relay.relay, [push], clock).unwrap();
            }
        }
        self.perform(who);
    }

    /// Performs a person's effects, as the driver does.
    pub(super) fn perform(&mut self, who: Who) {
        self.people[who.0].store.scrub().unwrap();
        while let Some(effect) = self.people[who.0].engine.poll_effect() {
            match effect {
                Effect::Dial { relay, own: _, known_sequence: _ } => self.dial(who, relay.relay),
                Effect::Transmit { relay: _, token, command } => {
                    let person = &mut self.people[who.0];
                    let Some(link) = person.link else { continue };
                    let request = RequestId(person.next_request);
                    person.next_request += 1;
                    person.requests.insert(request, token);
                    let frame = command.encode(request).unwrap();
                    self.post(Parcel::ToRelay(link, frame));
                }
                Effect::HangUp { relay } if relay != self.relay_address().relay => {}
                Effect::HangUp { relay: _ } => {
                    let person = &mut self.people[who.0];
                    person.broken = None;
                    if let Some(link) = person.link.take() {
                        self.relay.handle_closed(link);
                        self.settle_relay();
                    }
                }
                Effect::Answer { ask, outcome } => {
                    self.people[who.0].answers.insert(ask, outcome);
                }
            }
        }
        let clock = self.clock_of(who);
        let person = &mut self.people[who.0];
        person.engine.ready_alert(&mut person.store, clock).unwrap();
    }

    /// The person's profile is destroyed: what was to be said then is said from memory, and their program ends. To how many
    /// it was said.
    pub fn destroy(&mut self, who: Who) -> usize {
        let now = self.clock_of(who);
        let person = &mut self.people[who.0];
        let alert = person.engine.take_alert(now);
        let commands: Vec<Command> = alert.into_iter().filter_map(|mut one| one.take_command()).collect();
        for command in &commands {
            let request = RequestId(person.next_request);
            person.next_request += 1;
            // Nobody reads the answer any more.
            person.requests.insert(request, Token(u64::MAX));
            let frame = command.encode(request).unwrap();
            let link = person.link.unwrap();
            self.next += 1;
            self.parcels.insert((self.now.plus(LATENCY_MS), self.next), Parcel::ToRelay(link, frame));
        }
        person.running = false;
        commands.len()
    }

    /// There is one relay in the world: every other one is gone.
    fn dial(&mut self, who: Who, relay: RelayId) {
        let there = self.relay_up && relay == self.relay_address().relay;
        if !self.people[who.0].online || !there {
            self.post(Parcel::DialFailed(who, relay));
            return;
        }
        self.next += 1;
        let link = LinkId(self.next);
        let person = &mut self.people[who.0];
        (person.link, person.broken) = (Some(link), None);
        person.requests.clear();
        self.relay.handle_connected(link, exporter(link), self.now);
        self.settle_relay();
        let frame = Command::Descriptor.encode(RequestId(u32::MAX)).unwrap();
        self.post(Parcel::ToRelay(link, frame));
    }
}

pub(super) fn exporter(link: LinkId) -> Exporter {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&link.0.to_be_bytes());
    Exporter(bytes)
}
