//! A relay that moves to another machine, seen by the people who use it.

use std::process::Command;

use beresta_tests::process::{Person, Programs, Relay, Who, output};

use super::{ANNA, BORIS, World, codes};

const BEFORE: &str = "Written before the move";
const AFTER: &str = "Written after the move";

#[test]
fn a_relay_that_moved_delivers_what_waited_and_people_notice_nothing() {
    let programs = Programs::for_tests().unwrap();
    let mut world = World::new();
    world.anna.run(&["send", BORIS.name], BEFORE).unwrap();
    assert!(world.relay.waiting().unwrap() > 0);
    world.relay.stop().unwrap();
    let elsewhere = world.relay.dir.with_file_name("elsewhere");
    let file = world.relay.dir.with_file_name("file");
    for (name, dir) in [("export", &world.relay.dir), ("import", &elsewhere)] {
        let mut command = Command::new(&programs.relay);
        command.arg(name).arg("--dir").arg(dir).arg("--file").arg(&file);
        let done = output(command, "five words that nobody guesses\n").unwrap();
        assert_eq!(done.code, 0, "{}", done.err);
    }
    let words = std::fs::read(&file).unwrap();
    assert!(!words.windows(13).any(|one| one == b"queues.sqlite"), "the file is sealed");
    assert!(world.relay.start().is_err(), "the old one does not run any more");

    world.relay.dir = elsewhere;
    world.relay.start().unwrap();
    assert!(world.boris.run(&["receive", "--max", "1"], "").unwrap().contains(BEFORE));
    world.boris.run(&["send", ANNA.name], AFTER).unwrap();
    assert!(world.anna.run(&["receive", "--max", "1"], "").unwrap().contains(AFTER));
}

/// Rules D3, D4.
#[test]
fn people_go_on_with_a_relay_whose_keys_were_rotated_and_refuse_who_has_the_old_ones() {
    let programs = Programs::for_tests().unwrap();
    let mut world = World::new();
    world.relay.stop().unwrap();
    let taken = world.relay.dir.with_file_name("taken");
    let mut copy = Command::new("cp");
    copy.arg("-R").arg(&world.relay.dir).arg(&taken);
    assert_eq!(output(copy, "").unwrap().code, 0);
    let mut rotate = Command::new(&programs.relay);
    rotate.args(["keys", "rotate", "--dir"]).arg(&world.relay.dir);
    let rotated = output(rotate, "").unwrap();
    assert_eq!(rotated.code, 0, "{}", rotated.err);

    world.relay.start().unwrap();
    world.anna.run(&["send", BORIS.name], AFTER).unwrap();
    assert!(world.boris.run(&["receive", "--max", "1"], "").unwrap().contains(AFTER));
    world.relay.stop().unwrap();
    world.relay.dir = taken;
    world.relay.start().unwrap();
    let refused = world.anna.try_run(&["invite", "new", "--no-qr"], "").unwrap();
    assert_eq!(refused.code, 3, "{} {}", refused.out, refused.err);
}

/// Rule I16.
#[test]
fn what_lies_at_a_relay_that_died_is_said_again_where_its_reader_moved() {
    let programs = Programs::for_tests().unwrap();
    let mut world = World::new();
    let other = Relay::make(&programs, &world.relay.dir.with_file_name("other relay")).unwrap();
    world.anna.run(&["relay", "set", &other.address], "").unwrap();
    world.boris.run(&["receive"], "").unwrap();
    world.anna.run(&["send", BORIS.name], BEFORE).unwrap();
    world.relay.kill().unwrap();
    world.boris.run(&["relay", "set", &other.address], "").unwrap();
    // She is told where he reads now; of the relay that died, that it is not reached.
    world.anna.try_run(&["receive"], "").unwrap();
    let heard = world.boris.try_run(&["receive"], "").unwrap();
    assert_eq!(heard.out.matches(BEFORE).count(), 1, "{} {}", heard.out, heard.err);

    // What was said twice is shown once.
    world.relay.start().unwrap();
    assert!(!world.boris.run(&["receive"], "").unwrap().contains(BEFORE));
}

#[test]
fn what_waits_for_a_relay_that_died_makes_nothing_else_look_unsent() {
    let programs = Programs::for_tests().unwrap();
    let world = World::new();
    let (anna, folder) = (&world.anna, world.relay.dir.parent().unwrap());
    let mut other = Relay::make(&programs, &folder.join("other relay")).unwrap();
    world.boris.run(&["relay", "set", &other.address], "").unwrap();
    anna.run(&["receive"], "").unwrap();
    other.kill().unwrap();
    assert_eq!(anna.try_run(&["send", BORIS.name, "--wait", "1s"], BEFORE).unwrap().code, 8);

    let vera = Who { name: "Vera", ..BORIS };
    let vera = Person::make_cheap(&programs, &folder.join("vera"), vera, &world.relay.address).unwrap();
    let link = vera.run(&["-q", "invite", "new", "--no-qr"], "").unwrap();
    anna.run(&["invite", "accept", "-"], &link).unwrap();
    vera.run(&["receive"], "").unwrap();
    anna.run(&["chat", "open", "Vera"], "said and gone\n").unwrap();
    anna.run(&["-q", "invite", "new", "--no-qr"], "").unwrap();
    let made = anna.json(&["invite", "list"]).unwrap();
    let open = made.iter().find(|one| one["status"] == "open").unwrap();
    anna.run(&["invite", "revoke", open["id"].as_str().unwrap()], "").unwrap();
}

#[test]
fn who_moves_to_a_relay_that_makes_no_queues_is_told_so_until_it_does() {
    let programs = Programs::for_tests().unwrap();
    let world = World::new();
    let mut closed = Relay::make(&programs, &world.relay.dir.with_file_name("closed relay")).unwrap();
    codes::close(&mut closed, &programs);
    let settled = world.anna.run(&["status"], "").unwrap();
    assert!(settled.contains("Contacts: 1"), "{settled}");
    let moved = world.anna.try_run(&["relay", "set", &closed.address], "").unwrap();
    let russian = world.anna.reading("ru");
    let (status, received) = (russian.try_run(&["status"], ""), world.anna.try_run(&["receive"], ""));
    let json = world.anna.try_run(&["--json", "status"], "").unwrap();
    for (said, untold) in [
        (moved, "1 CONTACT DOES NOT KNOW YET"),
        (status.unwrap(), "1 КОНТАКТ ЕЩЁ НЕ ЗНАЕТ"),
        (received.unwrap(), "1 CONTACT DOES NOT KNOW YET"),
    ] {
        assert_eq!(said.code, 8, "{} {}", said.out, said.err);
        assert!(said.err.contains(untold) && said.err.contains("relay credit"), "{}", said.err);
        assert!(!said.err.contains("Your letters wait at the new relay"), "{}", said.err);
    }
    assert!(
        json.out.contains("\"untold\":1") && json.out.contains("\"refusal\":\"no_credit\""),
        "{}",
        json.out
    );
    closed.stop().unwrap();
    let unreached = world.anna.try_run(&["relay", "set", &closed.address], "").unwrap();
    assert!(unreached.code == 8 && unreached.err.contains("CONTACT DOES NOT KNOW YET"), "{}", unreached.err);
    assert!(unreached.err.contains("Relay: not reached"), "{}", unreached.err);
    closed.start().unwrap();

    // With a code it makes them, and nothing is left to say.
    let code = codes::invite(&closed, &programs, &["create"], "").out;
    world.anna.run(&["relay", "credit", "-"], &code).unwrap();
    let told = world.anna.try_run(&["status"], "").unwrap();
    assert!(told.code == 0 && !told.err.contains("CONTACT"), "{} {}", told.out, told.err);
    world.boris.run(&["receive"], "").unwrap();
    world.boris.run(&["send", ANNA.name], AFTER).unwrap();
    assert!(world.anna.run(&["receive", "--max", "1"], "").unwrap().contains(AFTER));
}
