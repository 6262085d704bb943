//! A relay that serves only people whom its operator gave a code (rule Q2), and the people.

use std::process::Command;

use beresta_proto::credit::CreditCode;
use beresta_tests::process::{Output, Person, Programs, Relay, Who, output};

use super::{ANNA, BORIS, World};

const VERA: Who = Who { name: "Vera", language: "en", passphrase: "candle river stamp otter plain" };

pub(super) fn invite(relay: &Relay, programs: &Programs, args: &[&str], typed: &str) -> Output {
    let mut command = Command::new(&programs.relay);
    command.arg("invite").args(args).arg("--dir").arg(&relay.dir);
    output(command, typed).unwrap()
}

/// From now on the relay asks for codes.
pub(super) fn close(relay: &mut Relay, programs: &Programs) {
    relay.stop().unwrap();
    let settings = relay.dir.join("relay.toml");
    let written = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{written}\nopen = false\n")).unwrap();
    let mut sign = Command::new(&programs.relay);
    sign.arg("init").arg("--dir").arg(&relay.dir);
    assert_eq!(output(sign, "").unwrap().code, 0);
    relay.start().unwrap();
}

/// An invite brings its relay: with a code for that one it is accepted after all, though it was claimed before.
#[test]
fn who_is_invited_without_a_code_accepts_the_same_invite_with_one() {
    let programs = Programs::for_tests().unwrap();
    let mut world = World::new();
    let link = world.anna.run(&["-q", "invite", "new", "--no-qr"], "").unwrap();
    close(&mut world.relay, &programs);
    let folder = world.relay.dir.with_file_name("vera");
    let vera = Person::new(&programs, &folder, VERA).unwrap();
    vera.run(&["init", "--name", VERA.name, "--kdf-memory-mib", "1"], "").unwrap();
    let refused = vera.try_run(&["invite", "accept", "-"], &link).unwrap();
    assert_eq!(refused.code, 5, "{} {}", refused.out, refused.err);
    assert!(refused.err.contains("relay credit"), "{}", refused.err);
    let code = invite(&world.relay, &programs, &["create"], "").out;
    vera.run(&["relay", "credit", "-"], &code).unwrap();
    vera.run(&["invite", "accept", "-"], &link).unwrap();
    vera.run(&["send", ANNA.name], "met after all").unwrap();
}

#[test]
fn who_has_a_code_meets_people_and_who_is_there_goes_on_without() {
    let programs = Programs::for_tests().unwrap();
    let mut world = World::new();
    close(&mut world.relay, &programs);

    world.anna.run(&["send", BORIS.name], "as before").unwrap();
    assert!(world.boris.run(&["receive", "--max", "1"], "").unwrap().contains("as before"));
    let folder = world.relay.dir.with_file_name("vera");
    let vera = Person::make_cheap(&programs, &folder, VERA, &world.relay.address).unwrap();
    for person in [&world.anna, &vera] {
        let refused = person.try_run(&["invite", "new", "--no-qr"], "").unwrap();
        assert_eq!(refused.code, 5, "{} {}", refused.out, refused.err);
        assert!(refused.err.contains("relay credit"), "{}", refused.err);
    }
    // One for two queues and an invite, which takes two along for whom it brings: not enough for a second one.
    let code = invite(&world.relay, &programs, &["create", "--makes", "5"], "").out;
    let wrong = vera.try_run(&["relay", "credit", "beresta-credit:AAAA"], "").unwrap();
    assert_eq!(wrong.code, 2, "{} {}", wrong.out, wrong.err);
    vera.run(&["relay", "credit", "-"], &code).unwrap();
    vera.meet(&world.anna).unwrap();
    vera.run(&["send", ANNA.name], "by a code").unwrap();
    assert!(world.anna.run(&["receive", "--max", "1"], "").unwrap().contains("by a code"));
    let listed = invite(&world.relay, &programs, &["list"], "").out;
    assert!(listed.contains(" 0 left"), "{listed}");
    assert_eq!(vera.try_run(&["invite", "new", "--no-qr"], "").unwrap().code, 5, "used up");
}

#[test]
fn who_is_invited_by_somebody_with_a_code_needs_none_and_brings_nobody_else() {
    let programs = Programs::for_tests().unwrap();
    let mut world = World::new();
    close(&mut world.relay, &programs);
    let code = invite(&world.relay, &programs, &["create", "--makes", "20"], "").out;
    world.anna.run(&["relay", "credit", "-"], &code).unwrap();
    let link = world.anna.run(&["-q", "invite", "new", "--no-qr"], "").unwrap();
    let folder = world.relay.dir.with_file_name("vera");
    let vera = Person::new(&programs, &folder, VERA).unwrap();
    vera.run(&["init", "--name", VERA.name, "--kdf-memory-mib", "1"], "").unwrap();
    vera.run(&["invite", "accept", "-"], &link).unwrap();
    vera.run(&["send", ANNA.name], "by an invite alone").unwrap();
    let heard = world.anna.run(&["receive", "--max", "1"], "").unwrap();
    assert!(heard.contains("by an invite alone"), "{heard}");
    world.anna.run(&["send", VERA.name], "welcome").unwrap();
    assert!(vera.run(&["receive", "--max", "1"], "").unwrap().contains("welcome"));
    // What came along is no code: nobody else is invited with it, and the operator's list does not know it.
    let refused = vera.try_run(&["invite", "new", "--no-qr"], "").unwrap();
    assert!(refused.code == 5 && refused.err.contains("relay credit"), "{} {}", refused.out, refused.err);
    let listed = invite(&world.relay, &programs, &["list"], "").out;
    assert_eq!(listed.lines().count(), 1, "{listed}");
}

#[test]
fn codes_are_made_listed_and_taken_back_and_the_relay_never_has_one() {
    let programs = Programs::for_tests().unwrap();
    let mut world = World::new();
    let invite = |world: &World, args: &[&str], typed: &str| invite(&world.relay, &programs, args, typed);
    let none = invite(&world, &["list"], "");
    assert_eq!((none.code, none.out.len(), none.err.lines().count()), (0, 0, 1));
    let made = invite(&world, &["create", "--makes", "7", "--days", "30"], "");
    assert_eq!((made.code, made.out.lines().count()), (0, 1), "{}", made.err);
    assert!(made.err.contains("open = false"), "it says that nobody is asked for one yet");
    let code = CreditCode::from_code(&made.out).unwrap();
    let listed = invite(&world, &["list"], "").out;
    let (id, left) = listed.split_once(':').unwrap();
    assert!(left.contains("7 left") && made.err.contains(id), "{listed}");
    assert!(
        invite(&world, &["list", "--json"], "").out.contains(&format!("\"id\":\"{id}\"")),
        "as `revoke` takes it"
    );
    // What the relay has of it opens nothing.
    for file in std::fs::read_dir(&world.relay.dir).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(32).any(|window| window == code.credit.expose()));
    }
    assert_eq!(invite(&world, &["revoke", "-"], &made.out).code, 0);
    assert_eq!(invite(&world, &["revoke", id], "").code, 7, "it is gone");
    assert_eq!(invite(&world, &["revoke", "what"], "").code, 2);
    world.relay.stop().unwrap();
    assert_eq!(invite(&world, &["create"], "").code, 3, "no relay runs");
}

#[test]
fn a_relay_that_asks_for_codes_is_tried_with_one_that_nobody_sees() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::make(&programs, &folder.path().join("relay")).unwrap();
    let other = Relay::make(&programs, &folder.path().join("other")).unwrap();
    let mut world = World::at(&programs, relay, folder);
    close(&mut world.relay, &programs);
    let selftest = |world: &World, args: &[&str], typed: &str| {
        let mut ask = Command::new(&programs.relay);
        ask.args(["selftest", "--lang", "en", "--via", &world.relay.address]).args(args);
        output(ask, typed).unwrap()
    };
    let asked = selftest(&world, &[], "");
    assert!(asked.code == 5 && asked.out.contains("--code -"), "{}", asked.out);
    let code = invite(&world.relay, &programs, &["create", "--makes", "3"], "").out;
    let works = selftest(&world, &["--code", "-"], &code);
    assert_eq!((works.code, works.out.matches("ok  ").count()), (0, 6), "{}{}", works.out, works.err);
    assert!(
        invite(&world.relay, &programs, &["list"], "").out.contains(" 1 left"),
        "a queue and an invite were paid"
    );
    // The second time it pays for the queue, and for no invite; what was made is taken away all the same.
    let used_up = selftest(&world, &["--code", "-"], &code);
    assert_eq!(
        (used_up.code, used_up.out.matches("does not take the code").count()),
        (5, 1),
        "{}",
        used_up.out
    );
    assert!(used_up.out.contains("ok   Taking all away"), "{}", used_up.out);

    let seen = selftest(&world, &["--code", code.trim()], "");
    assert_eq!(seen.code, 2, "{}", seen.out);
    let word = code.trim();
    for said in [&works, &used_up, &seen] {
        assert!(![&*said.out, &*said.err].concat().contains(word), "it shows the code");
    }
    assert_eq!(selftest(&world, &["--code", "-"], "beresta-credit:AAAA").code, 2);
    // One of another relay is shown to nobody.
    let mut elsewhere = Command::new(&programs.relay);
    elsewhere.args(["invite", "create", "--dir"]).arg(&other.dir);
    let theirs = output(elsewhere, "").unwrap().out;
    let refused = selftest(&world, &["--code", "-"], &theirs);
    assert!(refused.code == 2 && refused.err.contains("another relay"), "{}", refused.err);
}
