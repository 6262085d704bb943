//! What a seed lets happen: how bad the lines are, how often something is killed, who says what to whom, and when.

use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use rand::Rng as _;
use rand_chacha::ChaCha20Rng;

use super::attack::Attack;
use super::disk::Fault;
use super::older::Of;
use super::person::Trouble;
use super::{At, Who};

/// One thing that happens from outside.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transition {
    Meet(Who, Who),
    /// They meet by an invite that names a contact, if the other is one.
    MeetAgain(Who, Who),
    /// An invite that is open is taken back.
    Revoke(Who),
    Say(Who, Who),
    Timer(Who, Who, Option<u32>),
    /// Another relay is their home from now on.
    Move(Who, At),
    Block(Who, Who),
    Remove(Who, Who),
    /// What was said with a contact is deleted.
    Clear(Who, Who),
    /// Their machine has no line any more.
    Offline(Who),
    /// Their machine is switched off.
    Off(Who),
    /// It is on, and has a line.
    Online(Who),
    Kill(Who),
    KillRelay(At, u64),
    Break(Who),
    Clock(Who, i64),
    Disk(At, Fault),
    /// Something is wrong with the disk of their machine.
    OwnDisk(Who, Trouble),
    /// A copy of a disk is made; the next time it takes the disk's place.
    Older(Of),
    Attack(Attack),
}

/// The history of a seed, drawn as it goes.
pub(super) struct Plan {
    pub(super) relays: usize,
    pub(super) people: usize,
    /// Of a hundred packets so many are lost.
    pub(super) loss: u32,
    /// The least time of one way.
    pub(super) latency_ms: u64,
    /// Of a thousand steps of a person so many are the last before the program is killed.
    pub(super) kills: u32,
    /// Who has a program of their own, and relays that help them.
    pub(super) liar: Option<Who>,
    /// Relays deliver out of order: nothing is promised then but that nothing false is shown.
    pub(super) disorder: bool,
    /// Of a hundred transitions so many are something bad.
    bad: u32,
    /// Whether people part: block, remove, delete what was said.
    parting: bool,
    /// Whether people move to other relays.
    moves: bool,
    /// Whether older states of profiles, and of relays, come back.
    older: (bool, bool),
    left: u32,
    meetings: Vec<(Who, Who)>,
    pairs: Vec<(Who, Who)>,
}

impl Plan {
    pub(super) fn draw(dice: &mut ChaCha20Rng) -> Self {
        let people = *pick(dice, &PEOPLE);
        let mut meetings: Vec<(Who, Who)> = (1..people)
            .map(|n| {
                let other = dice.random_range(0..n);
                if dice.random() { (Who(n), Who(other)) } else { (Who(other), Who(n)) }
            })
            .collect();
        let lies = people > 2 && dice.random_range(0..3) > 0;
        let liar = lies.then(|| Who(people - 1));
        if let Some(liar) = liar {
            // Somebody to play others off against.
            let met = meetings[people - 2];
            let other = [Who(0), Who(1)].into_iter().find(|who| *who != met.0 && *who != met.1);
            meetings.extend(other.map(|other| (liar, other)));
        }
        Self {
            relays: 3,
            people,
            loss: *pick(dice, &[0, 0, 2, 10, 30]),
            latency_ms: *pick(dice, &[1, 20, 150, 800]),
            kills: *pick(dice, &[0, 0, 2, 15]),
            liar,
            disorder: lies && dice.random_range(0..4) == 0,
            bad: *pick(dice, &[0, 10, 30]),
            parting: dice.random_range(0..3) == 0,
            moves: dice.random(),
            older: (dice.random_range(0..4) == 0, dice.random_range(0..4) == 0),
            left: if people == MANY { dice.random_range(60..110) } else { dice.random_range(30..90) },
            pairs: meetings.iter().flat_map(|(one, other)| [(*one, *other), (*other, *one)]).collect(),
            meetings,
        }
    }

    /// From here on nothing bad happens.
    pub(super) fn calm(&mut self) {
        (self.loss, self.kills, self.bad) = (0, 0, 0);
    }

    /// The next thing, and how long nothing from outside happens before it.
    pub(super) fn next(&mut self, dice: &mut ChaCha20Rng) -> Option<(u64, Transition)> {
        if let Some((one, other)) = self.meetings.pop() {
            return Some((dice.random_range(0..10 * SECOND_MS), Transition::Meet(one, other)));
        }
        self.left = self.left.checked_sub(1)?;
        let pause = match dice.random_range(0..100) {
            0..50 => dice.random_range(0..2 * SECOND_MS),
            50..85 => dice.random_range(0..2 * MINUTE_MS),
            85..97 => dice.random_range(0..6 * HOUR_MS),
            97..99 => dice.random_range(0..3 * DAY_MS),
            // Longer than a relay keeps a message.
            _ => dice.random_range(0..30 * DAY_MS),
        };
        let lies = self.liar.is_some() && dice.random_range(0..5) == 0;
        let transition = if lies {
            Transition::Attack(*pick(dice, &Attack::ALL))
        } else if dice.random_range(0..100) < self.bad {
            self.bad(dice)
        } else {
            self.usual(dice)
        };
        Some((pause, transition))
    }

    fn anybody(&self, dice: &mut ChaCha20Rng) -> Who {
        Who(dice.random_range(0..self.people))
    }

    fn any_relay(&self, dice: &mut ChaCha20Rng) -> At {
        At(dice.random_range(0..self.relays))
    }

    fn usual(&self, dice: &mut ChaCha20Rng) -> Transition {
        let (from, to) = *pick(dice, &self.pairs);
        match dice.random_range(0..100) {
            0..5 => Transition::Timer(from, to, *pick(dice, &[None, Some(60), Some(3_600), Some(604_800)])),
            5..20 => Transition::Online(self.anybody(dice)),
            20..23 if self.moves => Transition::Move(from, self.any_relay(dice)),
            23..26 if self.parting => match dice.random_range(0..3) {
                0 => Transition::Block(from, to),
                1 => Transition::Remove(from, to),
                _ => Transition::Clear(from, to),
            },
            26..28 => match dice.random_range(0..3) {
                0 => Transition::Meet(from, to),
                1 => Transition::MeetAgain(from, to),
                _ => Transition::Revoke(from),
            },
            // Of the same two again and again, neither of whom lies: whose program is their own takes no part in it.
            28..32 if self.older.0 => Transition::Older(Of::Person(Who(dice.random_range(0..2)))),
            32..35 if self.older.1 => Transition::Older(Of::Relay(self.any_relay(dice))),
            _ => Transition::Say(from, to),
        }
    }

    fn bad(&self, dice: &mut ChaCha20Rng) -> Transition {
        const DAY: i64 = DAY_MS.cast_signed();
        let (who, at) = (self.anybody(dice), self.any_relay(dice));
        match dice.random_range(0..12) {
            0 => Transition::Offline(who),
            1 | 2 => Transition::Off(who),
            3 | 4 => Transition::Kill(who),
            5 => Transition::KillRelay(at, dice.random_range(0..10 * MINUTE_MS)),
            6 => Transition::Break(who),
            7 => Transition::Clock(who, *pick(dice, &[0, 0, DAY, -DAY])),
            8 | 9 if Some(who) != self.liar => Transition::OwnDisk(
                who,
                *pick(dice, &[Trouble::Fails(20), Trouble::Fails(60), Trouble::Full]),
            ),
            _ => {
                Transition::Disk(at, *pick(dice, &[Fault::None, Fault::None, Fault::Fails(20), Fault::Full]))
            }
        }
    }
}

/// Many people, in two of five histories: each such takes most of a second of a core. Among few, more comes together.
const MANY: usize = 20;
/// How many people there are, as often as a number stands here.
const PEOPLE: [usize; 10] = [2, 3, 4, 5, 6, 8, MANY, MANY, MANY, MANY];

fn pick<'a, T>(dice: &mut ChaCha20Rng, from: &'a [T]) -> &'a T {
    &from[dice.random_range(0..from.len())]
}
