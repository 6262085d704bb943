//! kill -9 at random points, and what is noticed of it.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use beresta_tests::process::{Person, Process, Programs, Relay, Who};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::{ANNA, BORIS, World};

/// How often something is killed, unless BERESTA_CYCLES says it.
const CYCLES: usize = 50;
/// Milliseconds after which it is killed, at the most.
const LATEST_MS: u64 = 400;
/// What the relay needs to listen again, with everything that it holds.
const OPENS_IN: Duration = Duration::from_secs(2);

#[expect(clippy::disallowed_methods, reason = "how long the real programs take")]
fn clock() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a soak asks for more, and for others each time")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn who_talks_hears_at_once_that_the_relay_was_started_again() {
    let mut world = World::new();
    let mut chat = world.anna.chat(&world.boris).unwrap();
    chat.type_line("before").unwrap();
    chat.expect("at the relay: before").unwrap();
    world.relay.kill().unwrap();
    world.relay.start().unwrap();
    let begun = clock();
    chat.type_line("after").unwrap();
    chat.expect("at the relay: after").unwrap();
    // Without a reset it takes the 30 s in which no reply comes.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn whose_relay_is_gone_for_good_is_reached_at_another() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let relay = |at: &str| Relay::make(&programs, &folder.path().join(at)).unwrap();
    let (mut hers, his, another) = (relay("hers"), relay("his"), relay("another"));
    let make = |at: &str, who, relay: &Relay| {
        Person::make_cheap(&programs, &folder.path().join(at), who, &relay.address).unwrap()
    };
    let (anna, boris) = (make("anna", ANNA, &hers), make("boris", BORIS, &his));
    anna.meet(&boris).unwrap();
    hers.kill().unwrap();
    anna.run(&["relay", "set", &another.address], "").unwrap();
    boris.run(&["receive"], "").unwrap();
    boris.run(&["send", ANNA.name], "found you").unwrap();
    let heard = anna.json(&["receive", "--timeout", "5", "--max", "1"]).unwrap();
    assert!(heard.iter().any(|one| one["message"]["text"] == "found you"), "{heard:?}");
}

/// The texts of a conversation that went one way, and how often each is there.
pub(super) fn texts(person: &Person, with: Who, outgoing: bool) -> BTreeMap<String, u32> {
    let history = person.json(&["chat", "history", with.name, "--limit", "10000"]).unwrap();
    let mut texts = BTreeMap::new();
    for line in &history {
        if line["message"]["outgoing"] == outgoing {
            *texts.entry(line["message"]["text"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    texts
}

/// What Anna and Boris have open, and what Anna's program said of what she typed.
struct Talk {
    world: World,
    hers: Option<Process>,
    his: Option<Process>,
    typed: BTreeSet<String>,
    /// What each of his runs showed.
    shown: Vec<Vec<String>>,
    at_relay: BTreeSet<String>,
    slowest_start: Duration,
}

impl Talk {
    fn begin(world: World) -> Self {
        let (typed, at_relay) = (BTreeSet::new(), BTreeSet::new());
        let (hers, his, shown, slowest_start) = (None, None, Vec::new(), Duration::ZERO);
        let mut talk = Self { world, hers, his, typed, shown, at_relay, slowest_start };
        talk.kill_hers();
        talk.kill_his();
        talk
    }

    fn type_text(&mut self) {
        let text = format!("text-{:04}", self.typed.len());
        self.hers.as_mut().unwrap().type_line(&text).unwrap();
        self.typed.insert(text);
    }

    fn heard(&mut self, lines: &[String]) {
        let states = ["at the relay: ", "delivered: "];
        let said = lines.iter().filter_map(|line| states.iter().find_map(|state| line.strip_prefix(state)));
        self.at_relay.extend(said.map(str::to_owned));
        assert_in_order(lines);
    }

    fn kill_relay(&mut self) {
        assert_in_order(&self.world.relay.kill().unwrap());
        let begun = clock();
        self.world.relay.start().unwrap();
        self.slowest_start = self.slowest_start.max(begun.elapsed());
    }

    fn kill_hers(&mut self) {
        let lines = self.hers.take().map_or(Vec::new(), kill);
        self.heard(&lines);
        self.hers = Some(self.world.anna.chat(&self.world.boris).unwrap());
    }

    fn kill_his(&mut self) {
        let lines = self.his.take().map_or(Vec::new(), kill);
        assert_in_order(&lines);
        self.shown.push(shown_in(&lines));
        self.his = Some(self.world.boris.start(&["receive", "--follow"]).unwrap());
    }
}

/// The texts that a program showed, in order.
pub(super) fn shown_in<S: AsRef<str>>(lines: &[S]) -> Vec<String> {
    let text = |line: &S| line.as_ref().split_once(": text-").map(|(_, number)| format!("text-{number}"));
    lines.iter().filter_map(text).collect()
}

/// Each text was shown, and once: but for what a run showed last, which it may not have noted before it was killed.
fn assert_shown_once(runs: &[Vec<String>], all: &BTreeMap<String, u32>) {
    for text in all.keys() {
        let runs_with: Vec<usize> = (0..runs.len()).filter(|run| runs[*run].contains(text)).collect();
        assert!(!runs_with.is_empty(), "{text} was never shown");
        let last_of = |run: usize| runs[run].iter().skip_while(|one| *one != text);
        for (before, next) in runs_with.iter().zip(runs_with.iter().skip(1)) {
            assert!(last_of(*before).all(|one| runs[*next].contains(one)), "{text} came twice: {runs:?}");
        }
        assert!(
            runs.iter().all(|run| run.iter().filter(|one| *one == text).count() <= 1),
            "{text} twice in one run"
        );
    }
}

fn kill(mut process: Process) -> Vec<String> {
    assert_eq!(process.has_ended().unwrap(), None, "{:?}", process.seen());
    process.kill().unwrap()
}

/// No program says that it failed inside, or that files are damaged.
pub(super) fn assert_in_order(lines: &[String]) {
    for wrong in ["failed inside", "panic", "damaged", "ERROR"] {
        assert!(!lines.iter().any(|line| line.contains(wrong)), "{lines:?}");
    }
}

#[test]
fn kill_9_at_random_points_loses_nothing_and_shows_nothing_twice() {
    let mut chance = ChaCha20Rng::seed_from_u64(number("BERESTA_SEED").unwrap_or(20_261_125));
    let mut talk = Talk::begin(World::new());
    let cycles = number("BERESTA_CYCLES").map_or(CYCLES, |cycles| cycles.try_into().unwrap());
    for _ in 0..cycles {
        for _ in 0..chance.random_range(1..=3) {
            talk.type_text();
            sleep(Duration::from_millis(chance.random_range(0..LATEST_MS / 4)));
        }
        sleep(Duration::from_millis(chance.random_range(0..LATEST_MS / 2)));
        match chance.random_range(0..3) {
            0 => talk.kill_relay(),
            1 => talk.kill_hers(),
            _ => talk.kill_his(),
        }
    }
    let Talk { world, hers, his, typed, mut shown, mut at_relay, slowest_start } = talk;
    shown.push(shown_in(&kill(his.unwrap())));
    let (code, lines) = hers.unwrap().finish().unwrap();
    // 8: something is not sent yet.
    assert!(matches!(code, Some(0 | 8)), "{code:?} {lines:?}");
    at_relay.extend(lines.iter().filter_map(|line| line.strip_prefix("at the relay: ")).map(str::to_owned));

    let mut got = BTreeMap::new();
    let mut said = BTreeMap::new();
    for _ in 0..5 {
        world.anna.run(&["receive", "--brief"], "").unwrap();
        let printed = world.boris.run(&["receive", "--brief"], "").unwrap();
        shown.push(shown_in(&printed.lines().collect::<Vec<_>>()));
        said = texts(&world.anna, BORIS, true);
        got = texts(&world.boris, ANNA, false);
        if said == got {
            break;
        }
    }
    assert!(
        at_relay.len() > cycles * 2 / 5,
        "the test is of use only if something arrives meanwhile: {}",
        at_relay.len()
    );
    assert_eq!(said, got, "what Anna wrote is what Boris has");
    assert!(got.values().all(|count| *count == 1), "once: {got:?}");
    assert_shown_once(&shown, &got);
    assert!(at_relay.iter().all(|text| got.contains_key(text)), "what was said to be at the relay is there");
    assert!(got.keys().all(|text| typed.contains(text)), "nothing that was not typed");
    assert!(slowest_start < OPENS_IN, "the relay listens again in {slowest_start:?}");
    println!(
        "{} typed, {} kept, {} seen at the relay, {slowest_start:?}",
        typed.len(),
        got.len(),
        at_relay.len()
    );
}
