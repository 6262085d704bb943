//! A relay that keeps what waits in memory only, and the people who are told so (rules D2, Q15).

use std::process::Command;

use beresta_tests::process::{Programs, Relay, output};

use super::command_line::in_english;
use super::{BORIS, World};

/// Sets what the relay keeps, has it sign so, and starts it again.
fn keep(relay: &mut Relay, programs: &Programs, volatile: bool) {
    relay.stop().unwrap();
    let settings = relay.dir.join("relay.toml");
    let written = std::fs::read_to_string(&settings).unwrap();
    let others: String =
        written.lines().filter(|line| !line.starts_with("volatile")).fold(String::new(), |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        });
    std::fs::write(&settings, format!("{others}volatile = {volatile}\n")).unwrap();
    let ask = |args: &[&str]| {
        let mut ask = Command::new(&programs.relay);
        ask.args(args).args(["--lang", "en"]).arg("--dir").arg(&relay.dir);
        output(ask, "").unwrap()
    };
    let differs = "does not fit “volatile” in relay.toml";
    assert!(ask(&["doctor"]).out.contains(differs));
    assert_eq!(ask(&["init"]).code, 0);
    assert!(!ask(&["doctor"]).out.contains(differs));
    relay.start().unwrap();
}

#[test]
fn a_relay_that_forgets_with_a_restart_says_so_and_people_are_told_before_they_rely_on_it() {
    let programs = Programs::for_tests().unwrap();
    let mut world = World::new();
    let (home, theirs) = (in_english("relay-volatile"), in_english("contact-volatile"));
    let in_memory = "in memory only: if it restarts";
    // Where it keeps what waits nobody is told anything.
    let sent = world.anna.try_run(&["send", BORIS.name], "text-1").unwrap();
    assert!(sent.err.contains(&in_english("sent")) && !sent.err.contains(in_memory), "{}", sent.err);
    for args in [&["status"][..], &["contact", "show", BORIS.name], &["receive", "--brief"]] {
        let told = world.anna.try_run(args, "").unwrap();
        assert!(!told.err.contains(&home) && !told.err.contains(&theirs), "{args:?} {}", told.err);
    }
    assert!(world.boris.run(&["receive", "--max", "1"], "").unwrap().contains("text-1"));

    keep(&mut world.relay, &programs, true);
    // The one who sends is told by the first word, and whose relay it is once, by whatever shows events.
    let sent = world.anna.try_run(&["send", BORIS.name], "text-2").unwrap();
    assert!(sent.code == 0 && sent.err.contains(in_memory), "{}", sent.err);
    let once = world.anna.try_run(&["receive", "--brief"], "").unwrap();
    assert!(once.err.contains(&home), "{}", once.err);
    let again = world.anna.try_run(&["receive", "--brief"], "").unwrap();
    assert!(!again.err.contains(&home), "{}", again.err);
    for (args, sentence) in [
        (&["status"][..], &home),
        (&["relay", "set", &world.relay.address], &home),
        (&["invite", "new", "--no-qr"], &home),
        (&["contact", "show", BORIS.name], &theirs),
    ] {
        let told = world.anna.try_run(args, "").unwrap();
        assert!(told.code == 0 && told.err.contains(sentence), "{args:?} {}", told.err);
    }
    let status = world.anna.run(&["--json", "status"], "").unwrap();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["relay"]["volatile"], true);

    // It is as it was told: what nobody fetched is gone, and the conversation goes on.
    world.relay.kill().unwrap();
    world.relay.start().unwrap();
    world.anna.run(&["send", BORIS.name], "text-3").unwrap();
    let shown = world.boris.run(&["receive", "--max", "1"], "").unwrap();
    assert!(shown.contains("text-3") && !shown.contains("text-2"), "{shown}");

    keep(&mut world.relay, &programs, false);
    let status = world.anna.try_run(&["status"], "").unwrap();
    assert!(status.code == 0 && !status.err.contains(&home), "{}", status.err);
    let sent = world.anna.try_run(&["send", BORIS.name], "text-4").unwrap();
    assert!(!sent.err.contains(in_memory), "{}", sent.err);
}
