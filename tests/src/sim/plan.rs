//! What a seed lets happen: how bad the lines are, how often something is killed, who says what to whom, and when.

use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use rand::Rng as _;
use rand_chacha::ChaCha20Rng;

use super::attack::Attack;
use super::disk::Fault;
use super::{At, Who};

/// One thing that happens from outside.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transition {
    Meet(Who, Who),
    Say(Who, Who),
    Timer(Who, Who, Option<u32>),
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
    Attack(Attack),
}

/// The history of a seed, drawn as it goes.
pub(super) struct Plan {
    pub(super) relays: u64,
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
    left: u32,
    meetings: Vec<(Who, Who)>,
    pairs: Vec<(Who, Who)>,
}

impl Plan {
    pub(super) fn draw(dice: &mut ChaCha20Rng) -> Self {
        // Every tenth history is of many people; the others are short enough to run by the thousand.
        let many = dice.random_range(0..10) == 0;
        let people = if many { 20 } else { dice.random_range(2..=5) };
        let mut meetings: Vec<(Who, Who)> = (1..people)
            .map(|n| {
                let other = if many { n - 1 } else { dice.random_range(0..n) };
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
            relays: dice.random_range(1..=3),
            people,
            loss: *pick(dice, &[0, 0, 2, 10, 30]),
            latency_ms: *pick(dice, &[1, 20, 150, 800]),
            kills: *pick(dice, &[0, 0, 2, 15]),
            liar,
            disorder: lies && dice.random_range(0..4) == 0,
            bad: *pick(dice, &[0, 10, 30]),
            left: if many { 120 } else { dice.random_range(30..90) },
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
        self.left = self.left.checked_sub(1)?;
        let pause = match dice.random_range(0..100) {
            0..50 => dice.random_range(0..2 * SECOND_MS),
            50..85 => dice.random_range(0..2 * MINUTE_MS),
            85..97 => dice.random_range(0..6 * HOUR_MS),
            97..99 => dice.random_range(0..3 * DAY_MS),
            // Longer than a relay keeps a message.
            _ => dice.random_range(0..30 * DAY_MS),
        };
        if let Some((one, other)) = self.meetings.pop() {
            return Some((pause.min(MINUTE_MS), Transition::Meet(one, other)));
        }
        let who = Who(dice.random_range(0..self.people));
        let at = At(usize::try_from(dice.random_range(0..self.relays)).unwrap());
        let lies = self.liar.is_some() && dice.random_range(0..5) == 0;
        let transition = if lies {
            Transition::Attack(*pick(dice, &Attack::ALL))
        } else if dice.random_range(0..100) < self.bad {
            bad(dice, who, at)
        } else {
            let (from, to) = *pick(dice, &self.pairs);
            match dice.random_range(0..20) {
                0 => Transition::Timer(from, to, *pick(dice, &[None, Some(60), Some(3_600), Some(604_800)])),
                1..4 => Transition::Online(who),
                _ => Transition::Say(from, to),
            }
        };
        Some((pause, transition))
    }
}

fn bad(dice: &mut ChaCha20Rng, who: Who, at: At) -> Transition {
    const DAY: i64 = DAY_MS.cast_signed();
    match dice.random_range(0..10) {
        0 => Transition::Offline(who),
        1 | 2 => Transition::Off(who),
        3 | 4 => Transition::Kill(who),
        5 => Transition::KillRelay(at, dice.random_range(0..10 * MINUTE_MS)),
        6 => Transition::Break(who),
        7 => Transition::Clock(who, *pick(dice, &[0, 0, DAY, -DAY])),
        _ => Transition::Disk(at, *pick(dice, &[Fault::None, Fault::None, Fault::Fails(20), Fault::Full])),
    }
}

fn pick<'a, T>(dice: &mut ChaCha20Rng, from: &'a [T]) -> &'a T {
    &from[dice.random_range(0..from.len())]
}
