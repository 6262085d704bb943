//! Two people on a line that loses, repeats, delays and reorders datagrams.

use std::thread::sleep;
use std::time::Duration;

use beresta_tests::process::{BadLine, Badness, Process, Programs, Relay, free_port};

use super::{ANNA, BORIS, World};

/// Each of them writes so many.
const MESSAGES: u32 = 40;
const BADNESS: Badness = Badness { lost: 15, twice: 10, late_ms: 60 };

fn texts(of: &str) -> Vec<String> {
    (0..MESSAGES).map(|number| format!("{of} {number:02} of {MESSAGES}")).collect()
}

/// What a conversation showed of somebody else, in the order in which it did.
fn shown(lines: &[String], from: &str) -> Vec<String> {
    let mark = format!("  {from}: ");
    lines.iter().filter_map(|line| Some(line.split_once(&mark)?.1.to_owned())).collect()
}

fn end(chat: Process) -> Vec<String> {
    let (code, lines) = chat.finish().unwrap();
    assert_eq!(code, Some(0), "{lines:?}");
    lines
}

#[test]
fn loss_delay_repetition_and_reordering_on_the_line_lose_nothing() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let listen = free_port().unwrap();
    let line = BadLine::start(listen.parse().unwrap(), BADNESS, 20_261_125).unwrap();
    let mut relay = Relay::make_at(&programs, &folder.path().join("relay"), &listen, &line.address).unwrap();
    relay.start().unwrap();
    let world = World::at(&programs, relay, folder);
    world.anna.meet(&world.boris).unwrap();

    let mut hers = world.anna.chat(&world.boris).unwrap();
    let mut his = world.boris.chat(&world.anna).unwrap();
    let (she_says, he_says) = (texts("snow"), texts("moss"));
    for (her_text, his_text) in she_says.iter().zip(&he_says) {
        hers.type_line(her_text).unwrap();
        his.type_line(his_text).unwrap();
        // So that many datagrams carry them, and not a few full ones.
        sleep(Duration::from_millis(20));
    }
    his.expect(&format!("  {}: {}", ANNA.name, she_says.last().unwrap())).unwrap();
    hers.expect(&format!("  {}: {}", BORIS.name, he_says.last().unwrap())).unwrap();
    assert_eq!(shown(&end(his), ANNA.name), she_says, "each once, in order");
    assert_eq!(shown(&end(hers), BORIS.name), he_says, "each once, in order");

    let (carried, lost, twice) = line.counts();
    assert!(carried > 300 && lost > carried / 10 && twice > carried / 20, "{:?}", line.counts());
}
