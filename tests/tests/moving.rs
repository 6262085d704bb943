//! Telling many contacts of a fresh queue, as after a move or where a relay lost what it had: the real cores in a false world.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_proto::command::Command;
use beresta_proto::time::{MINUTE_MS, SECOND_MS};
use beresta_tests::world::{Who, World};

/// How many contacts are still to be told.
fn untold(world: &mut World, who: Who) -> usize {
    world.get(who).store.transaction(|tx| tx.contacts_needing_queue()).unwrap().len()
}

/// How many queues the relay was asked for.
fn asked_for(world: &World) -> usize {
    let made = |frame: &Vec<u8>| matches!(Command::decode(frame), Ok((_, Command::MakeQueue { .. })));
    world.tap.iter().filter(|(to_relay, frame)| *to_relay && made(frame)).count()
}

#[test]
fn who_knows_hundreds_of_people_tells_them_all_by_one_queue_for_each() {
    let mut world = World::new(1);
    let lawyer = world.person("Anna");
    world.knows(lawyer, 400);
    world.wake(lawyer);
    world.run(10 * SECOND_MS);
    assert!(untold(&mut world, lawyer) < 200);
    world.run(10 * SECOND_MS);
    assert_eq!((untold(&mut world, lawyer), asked_for(&world)), (0, 400));
    let held = world.held();
    assert_eq!((held.queues, held.messages), (800, 400));
}

#[test]
fn at_a_relay_that_grants_little_no_queue_is_made_for_nothing_either() {
    let mut world = World::new(2);
    world.ration(300, 200);
    let lawyer = world.person("Anna");
    world.knows(lawyer, 150);
    world.wake(lawyer);
    world.run(5 * MINUTE_MS);
    assert_eq!(untold(&mut world, lawyer), 0);
    let held = world.held();
    assert_eq!((held.queues, held.messages), (300, 150));
}
