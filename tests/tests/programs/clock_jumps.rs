//! Clocks that jump by a day and by ten years under programs that run, and under such as are started then.

use beresta_tests::process::{Broken, Person, Who};

use super::clock::{Clock, library, no_library};
use super::command_line::in_english;
use super::killed::{assert_in_order, texts};
use super::{ANNA, BORIS, World};

const JUMPS: [&str; 4] = ["+1d", "-1d", "+10y", "-10y"];

/// Whether clients and relays may still believe each other under it.
fn is_small(jump: &str) -> bool {
    jump.ends_with('d')
}

/// Texts that are there, in any order, each once.
fn assert_all(person: &Person, with: Who, said: &[String]) {
    let expected = said.iter().map(|text| (text.clone(), 1)).collect();
    assert_eq!(texts(person, with, false), expected);
}

#[test]
fn a_client_s_clock_that_jumps_loses_nothing_and_is_told() {
    let Some(library) = library() else { return no_library("clock_jumps") };
    let mut world = World::new();
    // A timer ends texts by this very clock: docs/known-issues.md.
    world.anna.run(&["chat", "timer", BORIS.name, "off"], "").unwrap();
    world.boris.run(&["receive", "--brief"], "").unwrap();
    let clock = Clock::new(world.anna.dir.with_file_name("clock"));
    clock.environment(&library).into_iter().for_each(|(name, value)| world.anna.set(name, value));
    let (anna, boris) = (&world.anna, &world.boris);
    let (mut hers, mut his) = (Vec::new(), Vec::new());
    for jump in JUMPS {
        // Under a program that runs.
        let mut chat = anna.chat(boris).unwrap();
        for (off, when) in [("+0", "before"), (jump, "after")] {
            clock.jump(off);
            hers.push(format!("{when} {jump}"));
            chat.type_line(hers.last().unwrap()).unwrap();
            chat.expect(&format!("at the relay: {when} {jump}")).unwrap();
        }
        let (code, lines) = chat.finish().unwrap();
        assert_eq!(code, Some(0), "{lines:?}");
        assert_in_order(&lines);

        // Under one that is started then.
        his.push(format!("back {jump}"));
        boris.run(&["send", ANNA.name], his.last().unwrap()).unwrap();
        hers.push(format!("started {jump}"));
        let sent = anna.try_run(&["send", BORIS.name, "--wait", "2s"], hers.last().unwrap()).unwrap();
        let came = anna.try_run(&["receive", "--brief", "--timeout", "2"], "").unwrap();
        let (code, told) = if is_small(jump) {
            let key = if jump.starts_with('+') { "clock-ahead" } else { "clock-behind" };
            ((0, 0), in_english(key))
        } else {
            ((8, 3), in_english("error-stale"))
        };
        assert_eq!((sent.code, came.code), code, "{sent:?} {came:?}");
        assert!([&sent, &came].iter().all(|one| one.err.contains(&told)), "{told}: {sent:?} {came:?}");
        clock.jump("+0");
        // What was kept goes out, and what waited comes.
        anna.run(&["receive"], "").unwrap();
    }
    boris.run(&["receive", "--brief"], "").unwrap();
    assert_all(boris, ANNA, &hers);
    assert_all(anna, BORIS, &his);
}

#[test]
fn a_relay_s_clock_that_jumps_and_is_set_right_within_minutes_loses_nothing() {
    let Some(library) = library() else { return no_library("clock_jumps") };
    let mut world = World::new();
    let clock = Clock::new(world.relay.dir.with_file_name("clock"));
    world.relay.stop().unwrap();
    clock.environment(&library).into_iter().for_each(|(name, value)| world.relay.set(name, value));
    world.relay.start().unwrap();
    let mut said = Vec::new();
    let mut say = |world: &World, text: String| {
        let done = world.anna.try_run(&["send", BORIS.name, "--wait", "1s"], &text).unwrap();
        // Sent, or kept until there are keys that may be used.
        assert!(matches!(done.code, 0 | 8), "{done:?}");
        said.push(text);
        done.code
    };
    for jump in JUMPS {
        assert_eq!(say(&world, format!("before {jump}")), 0);
        clock.jump(jump);
        say(&world, format!("after {jump}"));
        assert_in_order(&world.relay.kill().unwrap());
        // One that is started with it serves, or says that its papers don't fit its clock.
        match world.relay.start() {
            Ok(()) => {
                assert!(is_small(jump));
                say(&world, format!("started {jump}"));
                assert_in_order(&world.relay.kill().unwrap());
            }
            Err(Broken(why)) => assert!(!is_small(jump) && why.contains("Look at the clock"), "{why}"),
        }
        clock.jump("+0");
        world.relay.start().unwrap();
    }
    world.anna.run(&["receive", "--brief"], "").unwrap();
    world.boris.run(&["receive", "--brief"], "").unwrap();
    assert_all(&world.boris, ANNA, &said);
    assert_in_order(&world.relay.stop().unwrap());
}
