//! What a relay keeps of where people were connected from: nothing in any file, and nothing in its memory soon after.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use beresta_tests::process::apart::not_tested;
use beresta_tests::process::scan::{Needle, address, found, search};
use beresta_tests::process::{BadLine, GOOD, Programs, Relay, free_port};

use super::World;
use super::memory::can_look;

/// By then the promise is kept: some ten seconds after a link's end, and 45 after the last word of who vanished.
const FORGOTTEN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(1);

/// Every client has an address of its own, which nothing else has.
fn whence(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 91, 173, number)
}

fn needles(at: &[SocketAddr]) -> Vec<Needle> {
    at.iter()
        .filter_map(|at| match at {
            SocketAddr::V4(v4) => Some(address(*v4)),
            SocketAddr::V6(_) => None,
        })
        .flatten()
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a real program forgets in real time")]
fn clock() -> Instant {
    Instant::now()
}

#[test]
fn a_relay_keeps_no_address_of_who_has_gone() {
    if !can_look() {
        return not_tested("the look at the relay's memory", "it takes root");
    }
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let listen = free_port().unwrap();
    let line = BadLine::start_from(whence, listen.parse().unwrap(), GOOD, 1).unwrap();
    let mut relay = Relay::make_at(&programs, &folder.path().join("relay"), &listen, &line.address).unwrap();
    relay.start().unwrap();
    let world = World::at(&programs, relay, folder);
    world.anna.meet(&world.boris).unwrap();
    let before = line.seen_at().len();
    let mut hers = world.anna.chat(&world.boris).unwrap();
    let mut his = world.boris.chat(&world.anna).unwrap();
    for number in 0..20 {
        let said = format!("number {number:02}");
        hers.type_line(&said).unwrap();
        his.expect(&said).unwrap();
    }

    let here = line.seen_at().split_off(before);
    assert!(here.len() >= 2, "{here:?}");
    let mut names: Vec<String> = here.iter().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(found(&world.relay.memory().unwrap(), &needles(&here)), names, "who is here is known");

    // One hangs up, and one vanishes.
    assert_eq!(hers.finish().unwrap().0, Some(0));
    his.kill().unwrap();
    let everybody = needles(&line.seen_at());
    let ended = clock();
    loop {
        let left = found(&world.relay.memory().unwrap(), &everybody);
        if left.is_empty() {
            break;
        }
        assert!(ended.elapsed() < FORGOTTEN, "still there: {left:?}");
        sleep(LOOK);
    }
    let files = search(&world.relay.dir, &everybody).unwrap();
    assert!(files.found.is_empty(), "{:?}", files.found);
}
