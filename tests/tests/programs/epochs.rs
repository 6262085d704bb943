//! What a relay that runs has in its memory of epoch keys that were destroyed, and of the sessions under them: nothing
//! (rule D8). Nor has it the keys of a single capsule once that is answered. Nobody uses it between the last capsule and the
//! search, because what lies on the stack of a thread that sleeps stays there.

mod pieces;
mod sender;

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use beresta_proto::limits::EPOCH_AHEAD_HOURS;
use beresta_tests::process::apart::not_tested;
use beresta_tests::process::scan::{Needle, found};
use beresta_tests::process::{PATIENCE, Programs, Relay, free_port};

use super::clock::{Clock, library, no_library};
use super::memory::can_look;

const DAY: u64 = 86_400;
/// The second of a day at which a relay makes the next day's key.
const MAKES_AHEAD: u64 = DAY - EPOCH_AHEAD_HOURS * 3_600;
/// The relay is started so many seconds before that: in time for it to be used with one key only.
const EARLIER: u64 = 8;
const LOOK: Duration = Duration::from_millis(200);

/// The seconds until a relay that is started now is to be by its clock.
#[expect(clippy::disallowed_methods, reason = "a real program has a real clock")]
fn until_then() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    (MAKES_AHEAD - EARLIER + DAY - now % DAY) % DAY
}

/// A day and the seed of its key.
type Key = (u64, [u8; 32]);

/// The keys in its file, as who took the disk reads it.
fn keys(relay: &Relay) -> Vec<Key> {
    let file = std::fs::read(relay.dir.join("epoch.keys")).unwrap();
    let keys = file.chunks_exact(40).map(|slot| {
        let (day, seed) = slot.split_at(8);
        (u64::from_be_bytes(day.try_into().unwrap()), seed.try_into().unwrap())
    });
    keys.filter(|(day, _)| *day != 0).collect()
}

/// Waits until the keys in the file are such: a relay looks at its clock every 30 seconds, and when a key is due.
fn wait_for(relay: &Relay, what: &str, such: impl Fn(&[Key]) -> bool) -> Vec<Key> {
    let mut waited = Duration::ZERO;
    loop {
        let keys = keys(relay);
        if such(&keys) {
            return keys;
        }
        assert!(waited < 2 * PATIENCE, "{what}");
        waited += LOOK;
        sleep(LOOK);
    }
}

fn seeds(keys: &[Key]) -> Vec<Needle> {
    keys.iter().flat_map(|(day, seed)| pieces::seed(&format!("day {day}"), seed)).collect()
}

/// The same search finds the keys that live, or it would find nothing.
fn assert_all_found(memory: &[u8], keys: &[Key]) {
    assert_eq!(found(memory, &seeds(keys)).len(), keys.len(), "a key that lives is not found");
}

#[test]
fn no_epoch_key_or_session_that_was_destroyed_is_in_a_relay_s_memory() {
    const NAME: &str = "the look at the relay's memory for epoch keys";
    if !can_look() {
        return not_tested(NAME, "it takes root");
    }
    let Some(library) = library() else { return no_library(NAME) };
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let listen = free_port().unwrap();
    let mut relay = Relay::make_at(&programs, &folder.path().join("relay"), &listen, &listen).unwrap();
    let clock = Clock::new(folder.path().join("clock"));
    clock.environment(&library).into_iter().for_each(|(name, value)| relay.set(name, value));

    let until = until_then();
    clock.jump(&format!("+{until}"));
    // One key is made at a start and read from the file at the next, the other is made by the clock.
    relay.start().unwrap();
    relay.stop().unwrap();
    relay.start().unwrap();
    let sessions = [(); 3].map(|()| sender::send(&relay.address));
    let capsules =
        sessions.map(|(key, epoch)| pieces::capsules("a session", &key, epoch, sender::CAPSULES)).concat();
    // What one capsule needs goes with its answer.
    assert_eq!(found(&relay.memory().unwrap(), &capsules), Vec::<String>::new());
    let first = wait_for(&relay, "no key was made ahead", |keys| keys.len() == 2);
    let memory = relay.memory().unwrap();
    assert_all_found(&memory, &first);
    let sessions = sessions.map(|(key, _)| pieces::session("a session", &key));
    assert!(sessions.iter().all(|one| !found(&memory, one).is_empty()), "a session is not found");

    // Over three midnights at once: what is over is destroyed when the relay next looks at its clock.
    clock.jump(&format!("+{}", until + 3 * DAY));
    let alive = wait_for(&relay, "the first keys are in the file", |keys| {
        !keys.iter().any(|key| first.contains(key))
    });
    let memory = relay.memory().unwrap();
    assert_all_found(&memory, &alive);
    let mut destroyed = seeds(&first);
    for (day, seed) in &first {
        destroyed.extend(pieces::made_of(&format!("day {day}"), seed));
    }
    destroyed.extend(sessions.into_iter().flatten().chain(capsules));
    assert_eq!(found(&memory, &destroyed), Vec::<String>::new());
    // It goes on.
    sender::send(&relay.address);
}
