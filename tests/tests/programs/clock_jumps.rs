//! Clocks that jump by a day and by ten years under programs that run, and under such as are started then.

use std::path::{Path, PathBuf};

use beresta_tests::process::apart::not_tested;
use beresta_tests::process::{Broken, Person, Who};

use super::command_line::in_english;
use super::killed::{assert_in_order, texts};
use super::{ANNA, BORIS, World};

const JUMPS: [&str; 4] = ["+1d", "-1d", "+10y", "-10y"];

/// The library that stands between a program and its clock, as Debian's package `faketime` brings it.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let paths = folders.filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")));
    paths.into_iter().find(|path| path.exists())
}

fn no_library() {
    not_tested("clock_jumps", "there is no libfaketime: install the package faketime");
}

/// A clock of real programs, that stands as far off as a file says.
struct Clock {
    file: PathBuf,
}

impl Clock {
    /// Right, so far.
    fn new(file: PathBuf) -> Self {
        let clock = Self { file };
        clock.jump("+0");
        clock
    }

    fn jump(&self, off: &str) {
        // In one piece: the programs look at every reading of the clock.
        let next = self.file.with_extension("next");
        std::fs::write(&next, off).unwrap();
        std::fs::rename(&next, &self.file).unwrap();
    }

    /// What makes a program follow it: the clock of the day, and neither the one that pauses are measured by nor files' times.
    fn environment(&self, library: &Path) -> [(&'static str, std::ffi::OsString); 5] {
        [
            ("LD_PRELOAD", library.into()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.clone().into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ]
    }
}

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
    let Some(library) = library() else { return no_library() };
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
    let Some(library) = library() else { return no_library() };
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
