//! A relay that is gone, or is somebody else, under people who stay.

use std::fs;
use std::path::Path;

use beresta_tests::process::{Person, Programs, Relay, free_port};

use super::{ANNA, BORIS, World};

const TEXT: &str = "Written while nobody was there";

/// A relay, and somebody else who will answer at its address.
fn with_impostor(programs: &Programs, folder: &Path) -> (Relay, Relay) {
    let at = free_port().unwrap();
    let make = |name| Relay::make_at(programs, &folder.join(name), &at, &at).unwrap();
    let (mut relay, impostor) = (make("true"), make("false"));
    relay.start().unwrap();
    (relay, impostor)
}

#[test]
fn who_stays_is_told_that_home_is_not_reached_and_that_it_is_back() {
    let mut world = World::new();
    world.relay.kill().unwrap();
    let (boris, follow) = (world.boris.reading("ru"), ["receive", "--follow", "--timeout", "1"]);
    let mut chat = boris.chat(&world.anna).unwrap();
    let mut follows = world.anna.start(&follow).unwrap();
    follows.expect("YOUR RELAY IS NOT REACHED: what is written to you there does not come").unwrap();
    chat.type_line(TEXT).unwrap();
    chat.expect("НЕТ СВЯЗИ С ВАШИМ УЗЛОМ").unwrap();
    world.relay.start().unwrap();
    follows.expect("Your relay is reached again.").unwrap();
    chat.expect("Связь с вашим узлом снова есть.").unwrap();
    follows.expect(TEXT).unwrap();
    chat.finish().unwrap();
    let lost = |lines: &[String]| lines.iter().filter(|line| line.contains("NOT REACHED")).count();
    assert_eq!(lost(follows.seen()), 1, "{:?}", follows.seen());
}

#[test]
fn who_stays_is_told_at_once_that_somebody_else_answers_at_homes_address() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (relay, mut impostor) = with_impostor(&programs, folder.path());
    let mut world = World::at(&programs, relay, folder);
    world.anna.meet(&world.boris).unwrap();
    world.relay.kill().unwrap();
    impostor.start().unwrap();
    let mut follows = world.anna.start(&["--json", "receive", "--follow"]).unwrap();
    follows.expect("{\"line\":{\"fault\":\"not_the_relay\",\"linked\":false,\"of\":\"home\"}}").unwrap();
    let mut chat = world.boris.chat(&world.anna).unwrap();
    chat.expect("Somebody else answers at the relay's address.").unwrap();
    impostor.kill().unwrap();
    world.relay.start().unwrap();
    follows.expect("{\"line\":{\"fault\":null,\"linked\":true,\"of\":\"home\"}}").unwrap();
    chat.expect("Your relay is reached again.").unwrap();
}

#[test]
fn where_a_contacts_relay_is_not_reached_that_is_said_of_it_and_not_of_home() {
    let programs = Programs::for_tests().unwrap();
    let mut world = World::new();
    let folder = world.relay.dir.parent().unwrap();
    let (mut other, mut impostor) = with_impostor(&programs, folder);
    world.boris.run(&["relay", "set", &other.address], "").unwrap();
    world.anna.run(&["receive"], "").unwrap();
    other.kill().unwrap();
    impostor.start().unwrap();
    let mut chat = world.anna.chat(&world.boris).unwrap();
    chat.type_line(TEXT).unwrap();
    chat.expect(&format!("THE RELAY OF {} IS NOT REACHED", BORIS.name)).unwrap();
    assert!(!chat.seen().iter().any(|line| line.contains("YOUR RELAY")), "{:?}", chat.seen());
    chat.finish().unwrap();
    let sent = world.anna.try_run(&["send", BORIS.name, "--wait", "3s"], TEXT).unwrap();
    assert_eq!(sent.code, 8, "{} {}", sent.out, sent.err);
    let said = sent.err.find(&format!("THE RELAY OF {} IS NOT REACHED", BORIS.name));
    assert!(said.is_some() && sent.err.contains("Somebody else answers"), "{}", sent.err);
    // His home is somebody else, and what he writes waits for hers all the same.
    world.relay.kill().unwrap();
    let sent = world.boris.try_run(&["send", ANNA.name, "--wait", "3s"], TEXT).unwrap();
    let said = sent.err.contains(&format!("THE RELAY OF {} IS NOT REACHED", ANNA.name));
    assert!(sent.code == 8 && said && !sent.err.contains("Somebody else"), "{}", sent.err);
}

#[test]
fn two_whose_relay_lost_its_queues_are_told_that_they_lost_each_other_and_meet_again() {
    let mut world = World::new();
    world.relay.kill().unwrap();
    for file in ["queues.sqlite", "queues.sqlite-wal", "queues.sqlite-shm", "day.keys"] {
        // As an operator does who lost the first: docs/operators.md.
        let _ = fs::remove_file(world.relay.dir.join(file));
    }
    world.relay.start().unwrap();
    let told = |who: &Person, other: &str, word: &str| {
        let said = who.try_run(&["receive"], "").unwrap().err;
        assert!(said.contains(word) && said.contains(other), "{said}");
    };
    told(&world.anna, BORIS.name, "may have lost each other");
    told(&world.boris.reading("ru"), ANNA.name, "потеряли друг друга");
    let (anna, boris) = (&world.anna, &world.boris);
    let is_lost = || {
        let (list, status) =
            (anna.run(&["contact", "list"], "").unwrap(), anna.try_run(&["status"], "").unwrap());
        [list.contains("LOST EACH OTHER"), status.err.contains("ONE CONTACT MAY HAVE LOST EACH OTHER")]
    };
    assert_eq!(is_lost(), [true, true]);
    let link = anna.run(&["-q", "invite", "new", "--no-qr", "--for", BORIS.name], "").unwrap();
    boris.run(&["invite", "accept", "--for", ANNA.name, "-"], &link).unwrap();
    anna.run(&["receive"], "").unwrap();
    boris.run(&["receive"], "").unwrap();
    assert_eq!(is_lost(), [false, false]);
    anna.run(&["send", BORIS.name], TEXT).unwrap();
    assert!(boris.run(&["receive"], "").unwrap().contains(TEXT));
}
