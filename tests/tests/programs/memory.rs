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
    let mut hers = world.anna.chat(&world.boris).unwrap();
    let mut his = world.boris.chat(&world.anna).unwrap();
    let said = ["The ledger is under the seventh stair", "Burn the list before Thursday comes"];
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
        for line in said {
            assert!(!is_in(&memory, line), "“{line}” is in {whose}");
        }
    }
}
