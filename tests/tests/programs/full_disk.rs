//! A disk that is full under a client, and under a relay: nothing that was acknowledged is lost, people are told, and all
//! goes on when there is room.

use std::process::Command;

use beresta_tests::process::apart::{Disk, fill, fill_up_to, make_room};
use beresta_tests::process::{Output, Person, Programs, Relay, output};

use super::command_line::{assert_told, in_english};
use super::killed::texts;
use super::{ANNA, BORIS, World};

/// A relay elsewhere, and two people who met, of whom Boris has his profile on a disk of 20 MiB.
fn boris_on(disk: &std::path::Path) -> World {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::make(&programs, &folder.path().join("relay")).unwrap();
    let anna = Person::make_cheap(&programs, &folder.path().join("anna"), ANNA, &relay.address).unwrap();
    let boris = Person::make_cheap(&programs, &disk.join("boris"), BORIS, &relay.address).unwrap();
    anna.meet(&boris).unwrap();
    World { relay, anna, boris, _folder: folder }
}

/// Anna says something that the relay has then.
fn say(world: &World, said: &[&str]) {
    let mut chat = world.anna.chat(&world.boris).unwrap();
    for text in said {
        chat.type_line(text).unwrap();
        chat.expect(&format!("at the relay: {text}")).unwrap();
    }
    chat.finish().unwrap();
}

#[test]
fn a_client_whose_disk_is_full_loses_nothing_says_so_and_goes_on_by_itself() {
    let test = "full_disk::a_client_whose_disk_is_full_loses_nothing_says_so_and_goes_on_by_itself";
    let Some(disk) = Disk::Memory(20).apart(test).unwrap() else { return };
    let mut world = boris_on(&disk);

    // One that runs says it, shows nothing that it can't keep, and goes on.
    let mut follows = world.boris.start(&["receive", "--follow"]).unwrap();
    follows.expect("Waiting for messages").unwrap();
    say(&world, &["text-1"]);
    follows.expect("text-1").unwrap();
    fill(&disk).unwrap();
    say(&world, &["text-2", "text-3"]);
    follows.expect(&in_english("store-unwritable")).unwrap();
    make_room(&disk).unwrap();
    follows.expect("text-2").unwrap();
    follows.expect("text-3").unwrap();
    let lines = follows.kill().unwrap();
    assert!(!lines.iter().any(|line| line.contains("internal")), "{lines:?}");

    // What is kept for later, on a disk that fills up then, and under programs that are started on it.
    world.relay.kill().unwrap();
    let kept = world.boris.try_run(&["send", ANNA.name, "--wait", "1s"], "text-4").unwrap();
    assert_told(&kept, 8, &in_english("kept-not-sent"), &["send"]);
    world.relay.start().unwrap();
    say(&world, &["text-5"]);
    fill(&disk).unwrap();
    let full = in_english("error-store-full");
    for args in [&["send", ANNA.name][..], &["receive"], &["contact", "rename", ANNA.name, "Anya"]] {
        assert_told(&world.boris.try_run(args, "text-6").unwrap(), 1, &full, args);
    }
    let reads = world.boris.try_run(&["contact", "list"], "").unwrap();
    assert!(reads.code == 0 && reads.out.contains(ANNA.name), "{reads:?}");
    make_room(&disk).unwrap();
    assert!(world.boris.run(&["receive"], "").unwrap().contains("text-5"));
    assert!(world.anna.run(&["receive", "--max", "1"], "").unwrap().contains("text-4"));
    let got = texts(&world.boris, ANNA, false);
    assert_eq!(got.into_iter().collect::<Vec<_>>(), ["1", "2", "3", "5"].map(|n| (format!("text-{n}"), 1)));
    let got = texts(&world.anna, BORIS, false);
    assert_eq!(
        got.into_iter().collect::<Vec<_>>(),
        [(String::from("text-4"), 1)],
        "what was refused was not sent"
    );
}

#[test]
fn a_relay_whose_disk_is_full_refuses_what_is_new_delivers_what_it_has_and_goes_on() {
    let test = "full_disk::a_relay_whose_disk_is_full_refuses_what_is_new_delivers_what_it_has_and_goes_on";
    // The reserve takes 16 of them.
    let Some(disk) = Disk::Memory(24).apart(test).unwrap() else { return };
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::make(&programs, &disk.join("relay")).unwrap();
    let mut world = World::at(&programs, relay, folder);
    world.anna.meet(&world.boris).unwrap();
    say(&world, &["text-00"]);
    fill(&disk).unwrap();

    // The log has room for some more.
    let mut kept = Vec::new();
    let mut sent = vec![String::from("text-00")];
    for n in 1..40 {
        let text = format!("text-{n:02}");
        let done = world.anna.try_run(&["send", BORIS.name, "--wait", "1s"], &text).unwrap();
        if done.code == 0 {
            sent.push(text)
        } else {
            assert_told(&done, 8, &in_english("kept-not-sent"), &["send"]);
            kept.push(text);
            break;
        }
    }
    assert_eq!(kept.len(), 1, "it refused in the end");
    // What it gave up for deleting is taken, too, and it is started anew.
    fill(&disk).unwrap();
    world.relay.kill().unwrap();
    world.relay.start().unwrap();
    let waiting = world.relay.waiting().unwrap();
    assert_eq!(waiting, sent.len() as u64);
    let shown = world.boris.run(&["receive", "--brief"], "").unwrap();
    assert!(sent.iter().all(|text| shown.contains(text)), "{shown}");
    assert_eq!(world.relay.waiting().unwrap(), 0, "what was read is deleted");

    make_room(&disk).unwrap();
    // It was told to come later, and does so some seconds after it was.
    let comes = || {
        world.anna.run(&["receive", "--brief"], "").unwrap();
        world.relay.waiting().unwrap() == 1
    };
    assert!((0..20).any(|_| comes()));
    assert!(world.boris.run(&["receive"], "").unwrap().contains(&kept[0]));
    sent.append(&mut kept);
    let got = texts(&world.boris, ANNA, false);
    assert_eq!(
        got.into_iter().collect::<Vec<_>>(),
        sent.into_iter().map(|text| (text, 1)).collect::<Vec<_>>()
    );
    let lines = world.relay.stop().unwrap();
    assert!(!lines.iter().any(|line| line.contains("internal") || line.contains("panic")), "{lines:?}");
}

#[test]
fn doctor_tells_the_step_that_holds_as_a_disk_fills_and_the_relay_does_as_it_says() {
    let test = "full_disk::doctor_tells_the_step_that_holds_as_a_disk_fills_and_the_relay_does_as_it_says";
    // Of which a fifth is more than what `doctor` calls full whatever the share.
    let Some(disk) = Disk::Memory(600).apart(test).unwrap() else { return };
    let programs = Programs::for_tests().unwrap();
    let mut relay = Relay::make(&programs, &disk.join("relay")).unwrap();
    let ask = |relay: &Relay, args: &[&str], at: [&str; 2]| {
        let mut ask = Command::new(&programs.relay);
        ask.args(args).args(["--lang", "en"]).args(at);
        output(ask, "").unwrap_or_else(|error| panic!("{} {error:?}", relay.address))
    };
    let dir = relay.dir.to_str().unwrap().to_owned();
    let doctor = |relay: &Relay, code: i32, line: &str| {
        let Output { code: ended, out, err } = ask(relay, &["doctor"], ["--dir", &dir]);
        assert!(ended == code && out.contains(line), "{line}: {ended} {out}{err}");
    };
    let lets_in = |relay: &Relay| ask(relay, &["selftest"], ["--via", &relay.address]).code == 0;

    doctor(&relay, 4, "everything is taken in");
    doctor(&relay, 4, "once 120 MiB are left");
    assert!(lets_in(&relay));
    fill_up_to(&disk, 100).unwrap();
    doctor(&relay, 4, "warn The disk is 80 % full");
    assert!(!lets_in(&relay));
    fill_up_to(&disk, 80).unwrap();
    doctor(&relay, 4, "warn The disk is 85 % full");
    fill_up_to(&disk, 20).unwrap();
    doctor(&relay, 5, "FAIL The disk is full");
    // Also of one that does not run, whose log and free pages are counted as it would find them.
    make_room(&disk).unwrap();
    fill_up_to(&disk, 100).unwrap();
    relay.stop().unwrap();
    doctor(&relay, 4, "warn The disk is 80 % full");
    make_room(&disk).unwrap();
    doctor(&relay, 4, "everything is taken in");
    relay.start().unwrap();
    assert!(lets_in(&relay));
}

#[test]
fn who_writes_at_length_to_a_relay_with_little_room_hears_that_it_waits_for_its_length() {
    let test =
        "full_disk::who_writes_at_length_to_a_relay_with_little_room_hears_that_it_waits_for_its_length";
    let Some(disk) = Disk::Memory(600).apart(test).unwrap() else { return };
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::make(&programs, &disk.join("relay")).unwrap();
    let world = World::at(&programs, relay, folder);
    world.anna.meet(&world.boris).unwrap();
    fill_up_to(&disk, 80).unwrap();
    let (long, why) = ("long ".repeat(1_200), "takes no long texts at present");
    let sent = world.anna.try_run(&["send", BORIS.name, "--wait", "3s"], &long).unwrap();
    assert!(sent.code == 8 && sent.err.contains(why), "{} {}", sent.code, sent.err);
    let mut chat = world.anna.chat(&world.boris).unwrap();
    chat.type_line("short").unwrap();
    chat.expect("at the relay: short").unwrap();
    let (code, said) = chat.finish().unwrap();
    let last = said.last().map(String::as_str).unwrap_or_default();
    assert!(code == Some(8) && last.starts_with("Kept") && last.contains(why), "{code:?} {said:?}");
    assert!(world.boris.run(&["receive"], "").unwrap().contains("short"));
}
