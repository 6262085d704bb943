//! The alert, at the real programs: a relay, a profile that is destroyed while it is open, and who hears of it.

use std::fs;
use std::time::{Duration, Instant};

use beresta_tests::process::apart::not_tested;
use beresta_tests::process::{Output, Person, Process, Programs, Relay};

use super::duress::{self, FORCED, at_the_keyboard_of};
use super::memory::{can_look, is_in};
use super::{BORIS, World};

const ALERT: &str = "I was detained. Do as we agreed.";

/// Anna sets an alert for Boris: what is printed.
fn set(world: &World) -> String {
    world.anna.run(&["alert", "set", "--to", BORIS.name, "--yes"], &format!("{ALERT}\n")).unwrap()
}

/// Anna's program that has her profile open, and through which the two have talked.
fn open(world: &World) -> Process {
    let mut chat = world.anna.chat(&world.boris).unwrap();
    chat.type_line("before").unwrap();
    chat.expect("at the relay: before").unwrap();
    chat
}

/// All that Boris is shown now.
fn heard(boris: &Person) -> String {
    boris.run(&["receive", "--brief"], "").unwrap()
}

fn assert_destroyed(person: &Person) {
    assert!(!person.dir.exists());
    assert_eq!(person.try_run(&["contact", "list"], "").unwrap().code, 7);
}

#[test]
fn an_alert_is_chosen_knowing_its_limits_and_shown_and_removed() {
    let world = World::new();
    let anna = &world.anna;
    let status = || anna.json(&["alert", "status"]).unwrap()[0]["alert"].clone();
    assert!(status().is_null());
    let refused = anna.try_run(&["-q", "alert", "set", "--to", BORIS.name], ALERT).unwrap();
    assert_eq!(refused.code, 4, "{refused:?}");
    for told in ["answer within a second", "you will not learn whether it arrived", "cold says nothing"] {
        assert!(refused.err.contains(told), "{told}: {refused:?}");
    }
    assert!(status().is_null());
    let said = set(&world);
    assert!(said.contains(ALERT) && said.contains("Goes to: Boris"), "{said}");
    assert_eq!((&status()["text"], &status()["to"][0]["name"]), (&ALERT.into(), &"Boris".into()));
    assert_eq!(status()["to"][0]["ready"], true);
    anna.run(&["contact", "block", BORIS.name], "").unwrap();
    assert_eq!(status()["to"][0]["ready"], false);
    let blocked = anna.try_run(&["alert", "set", "--to", BORIS.name, "--yes"], ALERT).unwrap();
    assert_eq!(blocked.code, 4, "{blocked:?}");
    for (to, text, code) in [("Vera", ALERT, 7), (BORIS.name, " \n", 2)] {
        let wrong = anna.try_run(&["alert", "set", "--to", to, "--yes"], text).unwrap();
        assert_eq!(wrong.code, code, "{wrong:?}");
    }
    assert!(anna.json(&["alert", "remove"]).unwrap()[0]["alert"].is_null());
    assert!(status().is_null());
}

#[test]
fn a_contact_hears_the_alert_of_a_panic_from_outside_and_nothing_is_left() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    set(&world);
    let chat = open(&world);
    // As without an alert: nothing is said of it.
    let done = anna.try_run(&["-q", "panic", "--yes"], "").unwrap();
    assert_eq!((done.code, &*done.out, &*done.err), (0, "", ""));
    let (code, lines) = chat.finish().unwrap();
    assert_eq!(code, Some(6), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains(ALERT)), "{lines:?}");
    assert_destroyed(anna);
    let heard = heard(boris);
    assert_eq!((heard.matches(ALERT).count(), heard.contains("before")), (1, true), "{heard}");
}

#[test]
fn a_contact_hears_the_alert_of_a_panic_that_is_typed_into_a_conversation() {
    let world = World::new();
    set(&world);
    let mut chat = open(&world);
    chat.type_line("/panic").unwrap();
    assert_eq!(chat.finish().unwrap().0, Some(0));
    assert_destroyed(&world.anna);
    assert_eq!(heard(&world.boris).matches(ALERT).count(), 1);
}

#[test]
fn a_contact_at_a_relay_that_was_not_linked_hears_the_alert() {
    let world = World::new();
    let programs = Programs::for_tests().unwrap();
    let other = Relay::make(&programs, &world.relay.dir.with_file_name("other relay")).unwrap();
    world.boris.run(&["relay", "set", &other.address], "").unwrap();
    world.anna.run(&["receive"], "").unwrap();
    set(&world);
    let mut follow = world.anna.start(&["receive", "--follow"]).unwrap();
    follow.expect("Waiting for messages").unwrap();
    world.anna.run(&["panic", "--yes"], "").unwrap();
    assert_eq!(follow.finish().unwrap().0, Some(6));
    assert_destroyed(&world.anna);
    assert!(other.waiting().unwrap() > 0, "it went to the other relay");
    assert_eq!(heard(&world.boris).matches(ALERT).count(), 1);
}

#[test]
fn wipe_says_the_alert_and_cold_and_a_lock_do_not() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    set(&world);
    duress::set(anna, "cold");
    let typed = |passphrase| anna_types(anna, passphrase);
    let chat = open(&world);
    let wrong = typed("not it");
    let cold = typed(FORCED);
    assert_eq!((cold.code, &cold.out, &cold.err), (wrong.code, &wrong.out, &wrong.err));
    assert_eq!(chat.finish().unwrap().0, Some(6));
    let chat = open(&world);
    anna.run(&["lock"], "").unwrap();
    assert_eq!(chat.finish().unwrap().0, Some(6));
    let chat = open(&world);
    assert_eq!(chat.finish().unwrap().0, Some(0));
    assert_eq!(heard(boris).matches(ALERT).count(), 0);

    duress::set(anna, "wipe");
    let chat = open(&world);
    assert_eq!(typed(FORCED).code, 7);
    assert_eq!(chat.finish().unwrap().0, Some(6));
    assert_destroyed(anna);
    assert_eq!(heard(boris).matches(ALERT).count(), 1);
}

fn anna_types(anna: &Person, passphrase: &'static str) -> Output {
    at_the_keyboard_of(anna, passphrase).try_run(&["contact", "list"], "").unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the programs' clocks are real")]
#[test]
fn a_panic_waits_for_no_relay_and_what_had_the_profile_open_for_a_second() {
    // How long a program that had the profile open may take to end, by its own clock; and time for a busy machine.
    const ENDS: Duration = Duration::from_secs(3);
    const BUSY: Duration = Duration::from_secs(3);
    let mut world = World::new();
    set(&world);
    let mut chat = open(&world);
    // A relay that answers nothing, on a line that is up.
    let relay = world.relay.take().unwrap();
    relay.freeze().unwrap();
    let begun = Instant::now();
    let done = world.anna.try_run(&["-q", "panic", "--yes"], "").unwrap();
    let told = begun.elapsed();
    assert_eq!((done.code, &*done.out, &*done.err), (0, "", ""));
    assert!(!world.anna.dir.exists());
    let waits = chat.has_ended().unwrap().is_none();
    assert_eq!(chat.finish().unwrap().0, Some(6));
    let ended = begun.elapsed();
    assert!(waits && told < ended, "the panic waited: {told:?} {ended:?}");
    assert!(ended < ENDS + BUSY, "{ended:?}");
    assert_destroyed(&world.anna);

    // Nobody there at all.
    relay.kill().unwrap();
    world.relay.start().unwrap();
    let boris = &world.boris;
    boris.run(&["alert", "set", "--to", "Anna", "--yes"], ALERT).unwrap();
    let mut chat = boris.chat(&world.anna).unwrap();
    chat.expect("Conversation with").unwrap();
    world.relay.kill().unwrap();
    let begun = Instant::now();
    chat.type_line("/panic").unwrap();
    assert_eq!(chat.finish().unwrap().0, Some(0));
    assert!(begun.elapsed() < ENDS + BUSY, "{:?}", begun.elapsed());
    assert_destroyed(boris);
}

#[test]
fn the_text_of_an_alert_that_lies_ready_is_not_in_memory() {
    if !can_look() {
        return not_tested("the look at the memory of a program with an alert", "it takes root");
    }
    let world = World::new();
    set(&world);
    let mut chat = open(&world);
    // What is shown last lies in the buffer of the output.
    let last = "This line may be found";
    world.boris.run(&["send", "Anna"], last).unwrap();
    chat.expect(last).unwrap();
    let memory = chat.memory().unwrap();
    assert!(is_in(&memory, last), "the look finds nothing");
    assert!(!is_in(&memory, ALERT));
}

#[test]
fn a_program_that_is_killed_loses_the_alert_and_nothing_else() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    set(&world);
    // Killed while the profile is there: it goes on, and the alert is not said.
    open(&world).kill().unwrap();
    assert_eq!(heard(boris).matches(ALERT).count(), 0);
    anna.run(&["send", BORIS.name], "still here").unwrap();
    assert!(heard(boris).contains("still here"));

    // One that can't hear is killed, and the profile is destroyed all the same.
    let chat = open(&world);
    chat.freeze().unwrap();
    anna.run(&["panic", "--yes"], "").unwrap();
    assert_eq!(chat.finish().unwrap().0, None, "by a signal");
    assert_destroyed(anna);
    assert_eq!(heard(boris).matches(ALERT).count(), 0);
}

#[test]
fn an_alert_is_said_where_the_header_alone_was_overwritten_by_a_panic_that_was_killed() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    set(&world);
    let chat = open(&world);
    // As far as a panic that is killed comes at least: nothing opens any more, and files are left.
    let header = anna.dir.join("vault.hdr");
    let len = fs::metadata(&header).unwrap().len();
    fs::write(&header, vec![0x5a; usize::try_from(len).unwrap()]).unwrap();
    assert_ne!(anna.try_run(&["contact", "list"], "").unwrap().code, 0);
    // The next one ends it, and says it.
    anna.run(&["panic", "--yes"], "").unwrap();
    assert_eq!(chat.finish().unwrap().0, Some(6));
    assert_destroyed(anna);
    assert_eq!(heard(boris).matches(ALERT).count(), 1);
}
