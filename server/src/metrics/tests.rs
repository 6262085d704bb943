use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_123_456);

struct Seeded(ChaCha20Rng);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

fn board() -> Board<Seeded> {
    Board::new(Seeded(ChaCha20Rng::seed_from_u64(1)))
}

/// A relay with something of everything, each number unlike all others.
fn busy() -> Figures {
    Figures {
        links: 1_237,
        roomy: true,
        held: Stats {
            credits: 0,
            handed_credits: 0,
            queues: 70_001,
            messages: 313,
            tombstones: 99,
            blobs: 41,
            used: 50_500,
            first_end: None,
        },
        cap: 100_000,
        refused: vec![("full", 7), ("crowded", 1_001), ("handshake", 777)],
        closed: vec![("malformed", 3), ("slow", 1_999)],
        commits: [130, 900, 71, 0, 1, 0, 0, 0, 500],
        epoch_age: Some(5 * HOUR_MS + 7 * MINUTE_MS),
        descriptor_left: 50 * DAY_MS + 1,
        dropped: Some(4_321),
        ..Figures::default()
    }
}

/// The lines that are no comments: name with labels, and value.
fn samples(text: &str) -> Vec<(&str, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect()
}

fn value(text: &str, name: &str) -> f64 {
    let found = samples(text).into_iter().find(|(one, _)| one.trim_start_matches("beresta_relay_") == name);
    found.unwrap_or_else(|| panic!("no {name} in {text}")).1
}

#[test]
fn nothing_changes_within_five_minutes_whatever_happens() {
    let mut board = board();
    let begin = NOW.floor(EVERY_MS);
    board.update(&Figures::default(), begin);
    let first = board.text();
    for second in 0..300 {
        let now = begin.plus(second * SECOND_MS);
        let mut figures = busy();
        figures.links = second * 1_000;
        assert!(!board.is_due(now));
        board.update(&figures, now);
        assert_eq!(board.text(), first);
    }
    board.update(&busy(), begin.plus(EVERY_MS));
    assert_ne!(board.text(), first);
}

#[test]
fn what_is_shown_is_steps_and_no_exact_number() {
    let mut board = board();
    let mut figures = busy();
    for at in 0..100 {
        figures.links += 1;
        figures.refused[1].1 += 97;
        figures.commits[2] += 33;
        board.update(&figures, NOW.plus(at * EVERY_MS));
    }
    let text = board.text();
    for (name, value) in samples(&text) {
        let name = name.trim_start_matches("beresta_relay_");
        let step = value.to_bits() != 0 && value % 64.0 == 0.0;
        let good = match name.split('{').next().unwrap() {
            "links" | "queues" | "blobs" => [0.0, 64.0, 1_024.0, 65_536.0].contains(&value),
            "cap_used_ratio" => value == 0.6,
            "updated_timestamp_seconds" => value % 300.0 == 0.0,
            "descriptor_left_seconds" => value == 50.0 * 86_400.0,
            "epoch_key_age_seconds" => value == 5.0 * 3_600.0,
            "build_info" | "paused" | "intake_step" | "udp_buffers_roomy" => value == 0.0 || value == 1.0,
            "commit_seconds_sum" => true,
            _ => value == 0.0 || step,
        };
        assert!(good, "{name} {value}");
    }
    assert_eq!(value(&text, "links"), 1_024.0);
    assert!((9_700.0..12_000.0).contains(&value(&text, "links_refused_total{reason=\"crowded\"}")));
    let about = |name: &str, real: f64| (value(&text, name) - real).abs() < 64.0;
    assert!(about("links_closed_total{reason=\"slow\"}", 1_999.0));
    assert!(about("udp_dropped_datagrams_total", 4_321.0));
    assert!(about("commit_seconds_bucket{le=\"0.001\"}", 130.0));
}

#[test]
fn the_step_of_the_disk_and_a_pause_are_shown_as_they_are() {
    let mut board = board();
    let both = Intake::ALL.into_iter().flat_map(|intake| [(intake, true), (intake, false)]);
    for (period, (intake, paused)) in (0..).zip(both) {
        board.update(&Figures { intake, paused, ..busy() }, NOW.plus(period * EVERY_MS));
        let step = match intake {
            Intake::All => 0.0,
            Intake::NoNew => 1.0,
            Intake::NoLarge => 2.0,
            Intake::Nothing => 3.0,
        };
        let text = board.text();
        assert_eq!(
            (value(&text, "intake_step"), value(&text, "paused")),
            (step, f64::from(u8::from(paused)))
        );
    }
}

#[test]
fn a_number_that_was_never_asked_for_is_there_all_the_same() {
    let mut board = board();
    board.update(&busy(), NOW);
    let first = board.text();
    assert_eq!(value(&first, "commands_total{kind=\"delete_blob\",outcome=\"claimed\"}"), 0.0);
    let mut figures = busy();
    for _ in 0..1_000 {
        figures.commands.count(Kind::DeleteBlob, Outcome::Claimed);
    }
    board.update(&figures, NOW.plus(EVERY_MS));
    let series =
        |text: &str| samples(text).into_iter().map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(series(&board.text()), series(&first), "a series that appears would be news");
}

#[test]
fn no_key_to_hand_out_is_an_age_beyond_every_alarm() {
    let mut board = board();
    board.update(&Figures { epoch_age: None, dropped: None, ..busy() }, NOW);
    assert_eq!(value(&board.text(), "epoch_key_age_seconds"), f64::INFINITY);
    assert_eq!(value(&board.text(), "udp_dropped_datagrams_total"), 0.0);
}
