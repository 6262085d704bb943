//! Locking a profile and destroying it, from outside of the program that has it open.

use std::process::Command;

use beresta_tests::process::{Output, Person, Process};

use super::{ANNA, BORIS, World};

const SENTENCE: &str = "The profile was locked.";

/// Waits for the end of a program that was told to lock: it says why, and nothing after it.
fn assert_locked(process: Process) {
    let (code, lines) = process.finish().unwrap();
    assert_eq!(code, Some(6), "{lines:?}");
    assert!(lines.last().unwrap().starts_with(SENTENCE), "{lines:?}");
}

/// As before the first run.
fn assert_no_profile(person: &Person) {
    assert!(!person.dir.exists(), "the folder is there");
    let Output { code, out: _, err } = person.try_run(&["contact", "list"], "").unwrap();
    assert_eq!(
        (code, err.trim()),
        (7, "There is no profile here. Make one by “beresta init”, or name its folder with --dir.")
    );
}

fn signal(process: &Process, name: &str) {
    let done = Command::new("kill").args([name, &process.id().to_string()]).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_profile_that_is_open_is_locked_from_outside_without_the_passphrase() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    let nobody = anna.json(&["lock"]).unwrap();
    assert_eq!(nobody[0]["lock"], "nobody");

    let mut chat = anna.chat(boris).unwrap();
    chat.type_line("before").unwrap();
    chat.expect("at the relay: before").unwrap();
    let mut follow = boris.start(&["receive", "--follow"]).unwrap();
    follow.expect("before").unwrap();
    assert_eq!(anna.json(&["lock"]).unwrap()[0]["lock"], "locked");
    assert_eq!(boris.json(&["lock"]).unwrap()[0]["lock"], "locked");
    assert_locked(chat);
    assert_locked(follow);

    // Nothing is lost by it.
    let heard = boris.run(&["chat", "history", ANNA.name], "").unwrap();
    assert!(heard.contains("before"), "{heard}");
    anna.run(&["send", BORIS.name], "after").unwrap();
    // The person may also type it.
    let mut chat = anna.chat(boris).unwrap();
    chat.expect("Conversation with").unwrap();
    chat.type_line("/lock").unwrap();
    assert_locked(chat);
}

#[test]
fn a_program_that_does_not_lock_in_its_time_is_ended() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    let mut chat = anna.chat(boris).unwrap();
    chat.expect("Conversation with").unwrap();
    signal(&chat, "-STOP");
    assert_eq!(anna.json(&["lock"]).unwrap()[0]["lock"], "killed");
    assert_eq!(chat.finish().unwrap().0, None, "by a signal");
    anna.run(&["contact", "list"], "").unwrap();
}

#[test]
fn a_panic_destroys_a_profile_that_is_open_and_ends_as_before_the_first_run() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    anna.run(&["send", BORIS.name], "gone in a moment").unwrap();
    let mut follow = boris.start(&["receive", "--follow"]).unwrap();
    follow.expect("gone in a moment").unwrap();
    let refused = boris.try_run(&["panic"], "").unwrap();
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(boris.dir.exists());

    let done = boris.try_run(&["-q", "panic", "--yes"], "").unwrap();
    assert_eq!((done.code, &*done.out, &*done.err), (0, "", ""));
    assert_locked(follow);
    assert_no_profile(boris);
    assert_eq!(boris.try_run(&["panic", "--yes"], "").unwrap().code, 7);
    boris.run(&["init", "--name", BORIS.name, "--kdf-memory-mib", "1"], "").unwrap();
    assert!(boris.json(&["contact", "list"]).unwrap().is_empty());

    // One that does not listen is ended, and one in which the person types it ends itself.
    let mut chat = anna.chat(boris).unwrap();
    chat.expect("Conversation with").unwrap();
    signal(&chat, "-STOP");
    anna.run(&["panic", "--yes"], "").unwrap();
    assert_eq!(chat.finish().unwrap().0, None, "by a signal");
    assert_no_profile(anna);
}

#[test]
fn a_panic_can_be_typed_into_a_conversation() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    let mut chat = anna.chat(boris).unwrap();
    chat.expect("Conversation with").unwrap();
    chat.type_line("/panic").unwrap();
    let (code, lines) = chat.finish().unwrap();
    assert_eq!(code, Some(0), "{lines:?}");
    assert_no_profile(anna);
}

#[test]
fn after_how_long_an_idle_profile_locks_is_kept_in_it() {
    let world = World::new();
    let anna = &world.anna;
    let set = |args: &[&str]| anna.json(&[&["lock", "idle"], args].concat()).unwrap()[0]["idle_secs"].clone();
    assert_eq!(set(&[]), 600);
    assert_eq!(set(&["1h"]), 3_600);
    assert_eq!(set(&[]), 3_600);
    assert!(set(&["off"]).is_null());
    assert!(set(&[]).is_null());
    for wrong in ["30s", "2d", "soon"] {
        assert_eq!(anna.try_run(&["lock", "idle", wrong], "").unwrap().code, 2, "{wrong}");
    }
}
