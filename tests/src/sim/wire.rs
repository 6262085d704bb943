//! Lines between people and relays: how long a frame takes, what a line that stands still costs, and what each side
//! hears of its end.

use beresta_client::engine::{DialFailure, LinkUp, TOGETHER};
use beresta_proto::command::Command;
use beresta_proto::descriptor::UnverifiedDescriptor;
use beresta_proto::frame::{Class, RequestId};
use beresta_proto::reply::{Heard, Push, Reply};
use beresta_proto::time::MINUTE_MS;
use beresta_server::relay::LinkId;
use rand::Rng as _;

use super::attack::{TAPPED, Tapped};
use super::disk::Fault;
use super::event::Event;
use super::relay::{TLS_KEY, exporter};
use super::times::{DIAL_MS, NOTICED_MS};
use super::{At, Sim, Who};

/// The request under which the transport asks for the descriptor.
const ASKED: RequestId = RequestId(u32::MAX);
/// Lost packets in a row after which a line counts as dead.
const DEAD: u32 = 9;

/// The beginning of what `Debug` shows.
fn name(of: &impl std::fmt::Debug) -> String {
    format!("{of:?}").chars().take(150).collect()
}

impl Sim {
    /// How long one frame is under way: with each loss twice as long, and for ever after too many.
    fn delay(&mut self) -> Option<u64> {
        let mut delay = self.plan.latency_ms + self.dice.random_range(0..=self.plan.latency_ms);
        for lost in 0.. {
            if self.dice.random_range(0..100) >= self.plan.loss {
                break;
            }
            if lost == DEAD {
                return None;
            }
            delay += (self.plan.latency_ms * 3) << lost;
        }
        Some(delay)
    }

    fn check_size(&mut self, frame: &[u8]) {
        if Class::ALL.iter().all(|class| class.size() != frame.len()) {
            self.model.breaks(format!("a frame of {} bytes was on a line", frame.len()));
        }
    }

    pub(super) fn send_to_relay(&mut self, who: Who, at: At, link: LinkId, frame: Vec<u8>) {
        self.check_size(&frame);
        match self.delay() {
            Some(delay) => {
                let arrives = self.people[who.0].arrival(at, self.now.plus(delay));
                self.tell(|| {
                    let said = Command::decode(&frame)
                        .map(|(request, command)| format!("{request:?} {}", name(&command)));
                    format!("{who:?} to {at:?} on {link:?}: {said:?}")
                });
                self.events.at(arrives, Event::ToRelay(at, link, frame));
            }
            None => self.line_dies(who, at, link),
        }
    }

    pub(super) fn send_to_person(&mut self, who: Who, at: At, link: LinkId, frame: Vec<u8>) {
        self.check_size(&frame);
        let delivers = self.tap(who, at, &frame);
        match self.delay() {
            Some(delay) => {
                let alone = self.now.plus(delay);
                let arrives = if delivers && self.plan.disorder && self.dice.random_range(0..4) == 0 {
                    alone.plus(self.dice.random_range(0..MINUTE_MS))
                } else {
                    self.people[who.0].arrival_back(at, alone)
                };
                self.tell(|| format!("{at:?} to {who:?} on {link:?}: {}", name(&Heard::decode(&frame))));
                self.events.at(arrives, Event::ToPerson(who, at, link, frame));
            }
            None => self.line_dies(who, at, link),
        }
    }

    /// A relay that lies remembers what it delivers. Whether it delivers something.
    fn tap(&mut self, to: Who, at: At, frame: &[u8]) -> bool {
        if self.plan.liar.is_none() {
            return false;
        }
        let Ok(Heard::Push(Push::Deliver { queue, sequence: _, envelope })) = Heard::decode(frame) else {
            return false;
        };
        if self.tapped.len() == TAPPED {
            self.tapped.pop_front();
        }
        self.tapped.push_back(Tapped { to, at, queue, envelope });
        true
    }

    /// What is on the line is lost, and each side notices by itself.
    fn line_dies(&mut self, who: Who, at: At, link: LinkId) {
        self.people[who.0].dead.insert(link);
        for event in [Event::PersonLoses(who, at, link), Event::RelayLoses(at, link)] {
            let noticed = self.now.plus(self.dice.random_range(0..NOTICED_MS));
            self.events.at(noticed, event);
        }
    }

    /// Every line of a person dies.
    pub(super) fn cut(&mut self, who: Who) {
        for (at, link) in self.people[who.0].links() {
            self.line_dies(who, at, link);
        }
    }

    pub(super) fn dial(&mut self, who: Who, at: At) {
        let works = self.people[who.0].online && self.relays[at.0].up;
        let event = if works { Event::Linked(who, at) } else { Event::DialFailed(who, at) };
        let takes = if works { 3 * self.plan.latency_ms } else { self.dice.random_range(1..DIAL_MS) };
        self.events.at(self.now.plus(takes), event);
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::ToRelay(at, link, frame) => {
                let from = self.relays[at.0].links.get(&link).copied();
                if from.is_some_and(|who| !self.people[who.0].dead.contains(&link)) {
                    self.summary.frames += 1;
                    self.relays[at.0].core.handle_frame(link, &frame, self.now);
                    self.settle(at);
                }
            }
            Event::ToPerson(who, at, link, frame) => {
                let person = &self.people[who.0];
                if person.link(at) == Some(link) && !person.dead.contains(&link) {
                    self.summary.frames += 1;
                    self.heard(who, at, link, &frame);
                }
            }
            Event::PersonLoses(who, at, link) => {
                if self.people[who.0].link(at) == Some(link) {
                    self.people[who.0].unlink(at);
                    let (relay, clock) = (self.relays[at.0].id, self.people[who.0].clock(self.now));
                    self.step(who, |engine, store| engine.handle_link_down(store, relay, clock));
                }
            }
            Event::RelayLoses(at, link) => {
                if self.relays[at.0].links.remove(&link).is_some() {
                    self.relays[at.0].core.handle_closed(link);
                    self.settle(at);
                }
            }
            Event::Linked(who, at) => self.linked(who, at),
            Event::DialFailed(who, at) => {
                if self.people[who.0].dialling.remove(&at) {
                    let (relay, clock) = (self.relays[at.0].id, self.people[who.0].clock(self.now));
                    let why = DialFailure::Unreachable;
                    self.step(who, |engine, store| engine.handle_dial_failed(store, relay, why, clock));
                }
            }
            Event::Disk(at, life) => self.disk(at, life),
            Event::Overdue(at, life, ticket) => self.overdue(at, life, ticket),
            Event::Stored(at, life, ticket, answer) => {
                if self.relays[at.0].life == life {
                    self.relays[at.0].core.handle_stored(ticket, answer, self.now);
                    self.settle(at);
                }
            }
            Event::Worked(at, life, ticket, worked) => {
                if self.relays[at.0].life == life {
                    self.relays[at.0].core.handle_opened(ticket, worked, self.now);
                    self.settle(at);
                }
            }
            Event::DiskMended(at) => self.relays[at.0].disk.fault = Fault::None,
            Event::RelayUp(at) => self.start_relay(at),
            Event::OwnDiskMended(who) => self.mend(who),
            Event::HandOver { from, to, link, again } => self.accept(from, to, link, again),
        }
    }

    fn linked(&mut self, who: Who, at: At) {
        if !self.people[who.0].dialling.contains(&at) {
            return;
        }
        if !self.people[who.0].online || !self.relays[at.0].up {
            self.events.at(self.now.plus(DIAL_MS), Event::DialFailed(who, at));
            return;
        }
        self.links += 1;
        let link = LinkId(self.links);
        self.relays[at.0].links.insert(link, who);
        self.relays[at.0].core.handle_connected(link, exporter(link), self.now);
        self.settle(at);
        self.people[who.0].dialling.remove(&at);
        self.people[who.0].linked(at, link);
        let ask = Command::Descriptor.encode(ASKED).unwrap();
        self.send_to_relay(who, at, link, ask);
    }

    fn heard(&mut self, who: Who, at: At, link: LinkId, frame: &[u8]) {
        let relay = self.relays[at.0].id;
        let clock = self.people[who.0].clock(self.now);
        match Heard::decode(frame).unwrap() {
            Heard::Reply(ASKED, Reply::Descriptor { descriptor, epoch_keys, clock: theirs }) => {
                let known = self.people[who.0].store.transaction(|tx| tx.relay(&relay)).unwrap();
                let sequence = known.map_or(0, |known| known.sequence);
                let heard = UnverifiedDescriptor::decode(&descriptor).unwrap();
                let Ok(descriptor) = heard.verify(&relay, &TLS_KEY, sequence, clock) else {
                    self.people[who.0].unlink(at);
                    self.events.at(self.now, Event::RelayLoses(at, link));
                    let why = DialFailure::Stale;
                    self.step(who, |engine, store| engine.handle_dial_failed(store, relay, why, clock));
                    return;
                };
                self.relays[at.0].shown.clone_from(&epoch_keys);
                let up = LinkUp { descriptor, epoch_keys, clock: theirs, exporter: exporter(link) };
                self.step(who, |engine, store| engine.handle_link_up(store, up, clock));
            }
            Heard::Reply(request, reply) => {
                if let Some(token) = self.people[who.0].answered(at, request) {
                    self.step(who, |engine, store| {
                        engine.handle_reply(store, relay, token, Some(reply), clock)
                    });
                }
            }
            Heard::Push(push) => {
                let pushes = self.together(who, at, link, push);
                for push in &pushes {
                    if let Push::Deliver { queue, sequence: _, envelope } = push {
                        self.model.delivered(&mut self.people[who.0], who, &relay, queue, envelope);
                    }
                }
                let steps = u32::try_from(pushes.len()).unwrap();
                self.step_of(who, steps, |engine, store| engine.handle_pushes(store, relay, pushes, clock));
            }
        }
    }

    /// A push; behind a message, those that come on the same link in the same moment: the loop takes them as one.
    fn together(&mut self, who: Who, at: At, link: LinkId, first: Push) -> Vec<Push> {
        let mut pushes = vec![first];
        let follows = |event: &Event| {
            let Event::ToPerson(to, from, on, frame) = event else { return false };
            (*to, *from, *on) == (who, at, link)
                && matches!(Heard::decode(frame), Ok(Heard::Push(Push::Deliver { .. })))
        };
        while pushes.len() < TOGETHER
            && matches!(pushes[0], Push::Deliver { .. })
            && let Some(Event::ToPerson(_, _, _, frame)) = self.events.due_if(self.now, follows)
        {
            let Ok(Heard::Push(push)) = Heard::decode(&frame) else { break };
            self.summary.frames += 1;
            self.summary.together += 1;
            pushes.push(push);
        }
        pushes
    }
}
