use beresta_proto::command::Command;
use beresta_proto::time::{DAY_MS, HOUR_MS};

use super::super::*;
use super::world::{World, subscription};
use crate::queue::Answer;

/// Lets time pass and says whether a sweep came of it.
fn sweeps(world: &mut World, ms: u64) -> bool {
    world.pass(ms);
    let swept = world.asked.iter().any(|(_, op)| matches!(op, Op::Expire { .. }));
    world.settle();
    swept
}

#[test]
fn a_clock_that_is_set_back_stops_no_sweep() {
    let mut world = World::new();
    assert!(sweeps(&mut world, SWEEP_MS));
    world.now = world.now.minus(300 * DAY_MS);
    world.pass(0);
    assert!(world.relay.poll_timeout() <= world.now.plus(SWEEP_MS));
    assert!(sweeps(&mut world, SWEEP_MS));
}

#[test]
fn no_sweep_begins_before_the_one_before_is_over() {
    let mut world = World::new();
    let expiries =
        |world: &World| world.asked.iter().filter(|(_, op)| matches!(op, Op::Expire { .. })).count();
    let again = Answer::Expired { deleted: 0, drained: vec![], more: true };
    world.pass(SWEEP_MS);
    for last in [Answer::Expired { deleted: 0, drained: vec![], more: false }, Answer::Failed] {
        assert_eq!(expiries(&world), 1);
        // Over midnight, too.
        world.pass(DAY_MS);
        world.pass(SWEEP_MS);
        assert_eq!(expiries(&world), 1);
        for answer in [again.clone(), again.clone(), last] {
            let at = world.asked.iter().position(|(_, op)| matches!(op, Op::Expire { .. })).unwrap();
            let (ticket, _) = world.asked.remove(at).unwrap();
            world.answer(ticket, answer);
        }
        assert_eq!(expiries(&world), 0);
        world.pass(SWEEP_MS);
    }
    assert_eq!(expiries(&world), 1);
}

#[test]
fn a_fetch_that_failed_is_tried_again_soon_also_by_a_clock_that_was_set_back() {
    let mut world = World::new();
    let queue = world.make_queue();
    let boris = world.connect();
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    let (ticket, found) = world.carry_out().unwrap();
    world.answer(ticket, found);
    assert!(world.work());
    let before = world.relay.poll_timeout();
    let (ticket, _) = world.asked.pop_front().unwrap();
    world.answer(ticket, Answer::Failed);
    let due = world.relay.poll_timeout();
    assert!(due < before, "the driver's timer is due earlier now");
    assert_eq!(due, world.now.plus(RETRY_MS));
    world.now = world.now.minus(DAY_MS);
    world.pass(0);
    world.pass(RETRY_MS);
    assert!(world.asked.iter().any(|(_, op)| matches!(op, Op::Fetch { .. })));
}

#[test]
fn a_fetch_that_fails_later_does_not_put_off_the_retry_of_the_one_before() {
    let mut world = World::new();
    let boris = world.connect();
    let mut due = Vec::new();
    for _ in 0..2 {
        let queue = world.make_queue();
        world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
        let (ticket, found) = world.carry_out().unwrap();
        world.answer(ticket, found);
        assert!(world.work());
        let at = world.asked.iter().position(|(_, op)| matches!(op, Op::Fetch { .. })).unwrap();
        let (ticket, _) = world.asked.remove(at).unwrap();
        world.answer(ticket, Answer::Failed);
        due.push(world.relay.poll_timeout());
        world.now = world.now.plus(RETRY_MS / 2);
    }
    assert_eq!(due[0], due[1]);
}

#[test]
fn after_a_leap_of_the_clock_nothing_is_deleted_at_once() {
    let mut world = World::new();
    assert!(!sweeps(&mut world, 0), "nor at the start, when nobody knows how right it is");
    assert!(sweeps(&mut world, SWEEP_MS));
    // An evening when no sweep was due for hours: the machine was busy, the clock is right.
    assert!(sweeps(&mut world, 8 * HOUR_MS));
    assert!(!sweeps(&mut world, 400 * DAY_MS));
    world.now = world.now.minus(400 * DAY_MS);
    assert!(!sweeps(&mut world, 0), "somebody set it right in time");
    assert!(sweeps(&mut world, SWEEP_MS));
    // Nobody did, so it was right.
    assert!(!sweeps(&mut world, 30 * DAY_MS));
    assert!(sweeps(&mut world, SWEEP_MS));
}

#[test]
fn a_session_ends_with_the_key_of_a_clock_that_was_ahead() {
    let mut world = World::new();
    let queue = world.make_queue();
    world.pass(400 * DAY_MS);
    let (anna, mut sender) = (world.connect(), world.sender(&queue));
    world.send(anna, &sender.capsule(0));
    assert!(world.relay.links[&anna].fresh.is_some());
    world.now = world.now.minus(400 * DAY_MS);
    world.pass(0);
    world.pass(SWEEP_MS);
    assert!(world.relay.links[&anna].fresh.is_none());
}
