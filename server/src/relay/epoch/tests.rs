use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::*;

struct Seeded(ChaCha20Rng);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

const DAY: u64 = 20_000;

fn at(day: u64, hour: u64) -> Timestamp {
    Timestamp(day * DAY_MS + hour * HOUR_MS)
}

fn begin(kept: Option<&[u8]>, now: Timestamp) -> (Epochs, Seeded) {
    let mut rng = Seeded(ChaCha20Rng::seed_from_u64(now.0));
    let mut epochs = Epochs::new(SigningKey::take(&mut [7; 32]), kept, now, &mut rng).unwrap();
    write(&mut epochs);
    (epochs, rng)
}

/// Everything comes to the disk. Says whether anything was to be written.
fn write(epochs: &mut Epochs) -> bool {
    let unkept = epochs.unkept();
    unkept.into_iter().for_each(|state| epochs.keep(state));
    unkept.is_some()
}

fn days(offered: &[EpochKey]) -> Vec<u64> {
    offered.iter().map(|key| key.day).collect()
}

#[test]
fn an_epoch_key_is_destroyed_after_48_hours() {
    let (mut epochs, mut rng) = begin(None, at(DAY, 12));
    let id = epochs.offered(at(DAY, 12))[0].id();
    for hour in 13..48 {
        epochs.turn(at(DAY, hour), &mut rng).unwrap();
        assert!(epochs.secret(id, at(DAY, hour)).is_some());
    }
    let held = epochs.secret(id, at(DAY, 47)).unwrap();
    assert!(epochs.secret(id, at(DAY, 48)).is_none(), "even before the turn");
    write(&mut epochs);
    epochs.turn(at(DAY, 48), &mut rng).unwrap();
    assert!(write(&mut epochs));
    assert_eq!(Arc::strong_count(&held), 1, "nothing but what is under way holds it");
    assert!(!epochs.to_bytes().windows(32).any(|window| window == held.expose()));
}

#[test]
fn tomorrows_key_is_offered_in_the_last_hours_of_a_day_and_yesterdays_in_the_first() {
    let (mut epochs, mut rng) = begin(None, at(DAY, 12));
    let mut seen = Vec::new();
    for hour in 12..36 {
        let now = at(DAY, hour);
        if now >= epochs.next_turn(at(DAY, hour - 1)) {
            epochs.turn(now, &mut rng).unwrap();
            write(&mut epochs);
        }
        seen.push(days(&epochs.offered(now)));
    }
    assert_eq!(seen[..6], vec![vec![DAY]; 6]);
    assert_eq!(seen[6..18], vec![vec![DAY, DAY + 1]; 12]);
    assert_eq!(seen[18..], vec![vec![DAY + 1]; 6]);
}

#[test]
fn a_restart_keeps_the_keys_that_are_of_use() {
    let (epochs, _) = begin(None, at(DAY, 20));
    let kept = epochs.to_bytes();
    let ids = |epochs: &Epochs, now| epochs.offered(now).iter().map(EpochKey::id).collect::<Vec<_>>();
    let (again, _) = begin(Some(&kept), at(DAY, 21));
    assert_eq!(ids(&again, at(DAY, 21)), ids(&epochs, at(DAY, 21)));
    let (later, _) = begin(Some(&kept), at(DAY + 5, 12));
    assert_eq!(days(&later.offered(at(DAY + 5, 12))), [DAY + 5]);
    let (damaged, _) = begin(Some(&kept[1..]), at(DAY, 12));
    assert_eq!(days(&damaged.offered(at(DAY, 12))), [DAY]);
}

#[test]
fn the_keys_that_an_earlier_version_kept_are_taken_up() {
    let (epochs, _) = begin(None, at(DAY, 12));
    for length in FILES_BEFORE {
        let (again, _) = begin(Some(&epochs.to_bytes()[..length]), at(DAY, 13));
        assert_eq!(again.offered(at(DAY, 13))[0].id(), epochs.offered(at(DAY, 13))[0].id());
    }
}

#[test]
fn the_file_is_too_long_to_be_kept_in_the_records_of_a_file_system() {
    let (epochs, _) = begin(None, at(DAY, 12));
    assert!(epochs.to_bytes().len() >= 4_096);
}

#[test]
fn the_file_always_has_the_same_length() {
    let (one, _) = begin(None, at(DAY, 12));
    let (two, _) = begin(None, at(DAY, 20));
    assert_eq!(one.to_bytes().len(), two.to_bytes().len());
}

#[test]
fn a_clock_that_stood_wrong_leaves_no_key_of_the_future() {
    let (future, _) = begin(None, at(DAY + 400, 12));
    let (mut epochs, mut rng) = begin(Some(&future.to_bytes()), at(DAY, 12));
    epochs.turn(at(DAY, 12), &mut rng).unwrap();
    assert!(!write(&mut epochs));
    epochs.forget_later(at(DAY, 12));
    assert!(write(&mut epochs));
    assert_eq!(epochs.alive.len(), 1);
    epochs.forget_later(at(DAY, 19));
    assert!(!write(&mut epochs));
}

#[test]
fn a_clock_that_is_back_for_some_minutes_changes_no_key_of_the_day() {
    for (day, hour) in [(DAY - 2, 12), (DAY - 2, 20), (DAY - 300, 12), (DAY - 300, 20)] {
        let (mut epochs, mut rng) = begin(None, at(DAY - 1, hour));
        epochs.turn(at(DAY, hour), &mut rng).unwrap();
        write(&mut epochs);
        let ids =
            |epochs: &Epochs| epochs.offered(at(DAY, hour)).iter().map(EpochKey::id).collect::<Vec<_>>();
        let before = ids(&epochs);
        epochs.turn(at(day, hour), &mut rng).unwrap();
        write(&mut epochs);
        assert!(before.iter().all(|id| epochs.secret(*id, at(day, hour)).is_some()));
        // And so where the relay begins while it is back.
        let (mut again, _) = begin(Some(&epochs.to_bytes()), at(day, hour));
        for epochs in [&mut epochs, &mut again] {
            epochs.turn(at(DAY, hour), &mut rng).unwrap();
            write(epochs);
            assert_eq!(ids(epochs), before);
        }
    }
}

#[test]
fn no_key_is_handed_out_before_it_is_on_the_disk() {
    let (mut epochs, mut rng) = begin(None, at(DAY, 12));
    let (evening, next) = (at(DAY, 19), at(DAY + 1, 12));
    epochs.turn(evening, &mut rng).unwrap();
    let state = epochs.unkept().unwrap();
    assert_eq!(days(&epochs.offered(evening)), [DAY]);
    // The disk goes on refusing: the newest that is there serves as long as it lives.
    epochs.turn(next, &mut rng).unwrap();
    assert_eq!(days(&epochs.offered(next)), [DAY]);
    assert!(epochs.offered(at(DAY + 2, 0)).is_empty());
    // What came after a write began is not on the disk by its end.
    epochs.turn(at(DAY + 1, 19), &mut rng).unwrap();
    epochs.keep(state);
    assert_eq!(days(&epochs.offered(at(DAY + 1, 19))), [DAY + 1]);
    assert!(write(&mut epochs));
    assert_eq!(days(&epochs.offered(at(DAY + 1, 19))), [DAY + 1, DAY + 2]);
}

#[test]
fn the_keys_in_a_file_of_an_earlier_version_go_on() {
    let (epochs, _) = begin(None, at(DAY, 12));
    let (id, file) = (epochs.offered(at(DAY, 12))[0].id(), epochs.to_bytes());
    for (length, goes_on) in [(4_096, true), (160, true), (120, true), (80, false), (4_095, false)] {
        let (again, _) = begin(Some(&file[..length]), at(DAY, 13));
        assert_eq!(again.offered(at(DAY, 13))[0].id() == id, goes_on, "{length}");
    }
}
