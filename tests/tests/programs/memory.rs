//! What a look into the memory of a running program finds: `/proc/PID/mem` shows what a machine gives away that was seized
//! while it was on. Programs harden themselves, so only root can look.

use beresta_tests::process::Process;
use beresta_tests::process::apart::not_tested;
use beresta_tests::process::scan::{found, text};

use super::World;

/// So many lines that may be found, and a part of the last one.
const LINES: u32 = 4;
const LAST: &str = "found, number 3";

pub(crate) fn can_look() -> bool {
    rustix::process::geteuid().is_root()
}

/// How often a text is in a memory, in whatever form.
pub(super) fn is_in(memory: &[u8], what: &str) -> bool {
    !found(memory, &text(what)).is_empty()
}

#[test]
fn texts_that_were_said_and_shown_are_in_the_memory_of_neither_program() {
    if !can_look() {
        return not_tested("the look at the clients' memory", "it takes root");
    }
    let world = World::new();
    // One that was shown before the conversation is opened, and stands at its beginning, and one that comes with it.
    let before = ["Nobody is to know of the boat house", "The key hangs behind the third icon"];
    world.anna.run(&["send", world.boris.who.name, "-"], before[0]).unwrap();
    world.boris.run(&["receive"], "").unwrap();
    world.anna.run(&["send", world.boris.who.name, "-"], before[1]).unwrap();
    let mut his = world.boris.chat(&world.anna).unwrap();
    for line in before {
        his.expect(line).unwrap();
    }
    let mut hers = world.anna.chat(&world.boris).unwrap();
    let long = format!("{}and ends at the old mill", "This goes on for some time ".repeat(30));
    let said = ["The ledger is under the seventh stair", "Burn the list before Thursday comes", &long];
    for line in said {
        hers.type_line(line).unwrap();
        his.expect(line).unwrap();
    }
    // What a program printed last lies in the buffer of its output until the next line.
    let fill = |from: &mut Process, to: &mut Process| {
        for number in 0..LINES {
            let line = format!("{}and may be found, number {number}", "a line that is long ".repeat(20));
            from.type_line(&line).unwrap();
        }
        to.expect(LAST).unwrap();
    };
    fill(&mut hers, &mut his);
    fill(&mut his, &mut hers);
    for (whose, program) in [("hers", &hers), ("his", &his)] {
        let memory = program.memory().unwrap();
        assert!(is_in(&memory, LAST), "the look finds nothing in {whose}");
        for line in said.into_iter().chain(before) {
            // What was given back begins with an allocator's own 16 bytes.
            let rest = line.get(16..).unwrap();
            assert!(!is_in(&memory, rest), "“{line}” is in {whose}");
        }
    }
}
