use beresta_proto::command::Command;
use beresta_proto::reply::{Refusal, Reply};
use beresta_proto::time::HOUR_MS;

use super::super::*;
use super::world::{NOON, World};

#[test]
fn every_command_that_is_answered_is_counted_once_by_what_came_of_it() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    world.subscribe(boris, &queue);
    let mut sender = world.sender(&queue);
    for text in 0..3 {
        let capsule = sender.capsule(text);
        world.send(anna, &capsule);
    }
    assert_eq!(world.acknowledge(boris, &queue, 3), Reply::Done);
    assert_eq!(world.acknowledge(boris, &queue, 9), Reply::Refused(Refusal::Gone));
    world.relay.handle_paused(true);
    let make = Command::MakeQueue {
        read_key: queue.read_key.verifying_key().unwrap(),
        capability: queue.capability.hash(),
        credit: None,
    };
    assert_eq!(world.ask(anna, &make), Reply::Refused(Refusal::Closed));
    let mut queue = queue;
    queue.send_id.0[0] ^= 1;
    let nowhere = world.sender(&queue).capsule(4);
    world.send(anna, &nowhere);

    let tally = world.relay.tally();
    for (kind, outcome, count) in [
        (Kind::MakeQueue, Outcome::Ok, 1),
        (Kind::MakeQueue, Outcome::Closed, 1),
        (Kind::Subscribe, Outcome::Ok, 1),
        (Kind::Send, Outcome::Ok, 3),
        (Kind::Send, Outcome::Gone, 1),
        (Kind::Acknowledge, Outcome::Ok, 1),
        (Kind::Acknowledge, Outcome::Gone, 1),
        (Kind::DeleteQueue, Outcome::Ok, 0),
    ] {
        assert_eq!(tally.of(kind, outcome), count, "{kind:?} {outcome:?}");
    }
}

#[test]
fn what_is_refused_unread_is_counted_as_that() {
    let mut world = World::with(Limits { burst: 20, per_second: 1, ..Limits::default() });
    let link = world.connect();
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(world.ask(link, &Command::Subscribe(Vec::new())));
    }
    let refused = answers.iter().filter(|one| **one == Reply::Refused(Refusal::RateLimited)).count() as u64;
    let tally = world.relay.tally();
    assert!(refused >= 10);
    assert_eq!(tally.of(Kind::Unread, Outcome::RateLimited), refused);
    assert_eq!(tally.of(Kind::Subscribe, Outcome::Ok), 30 - refused);
}

#[test]
fn the_epoch_key_is_as_old_as_its_day_and_older_only_where_no_other_can_be_written() {
    let mut world = World::new();
    assert_eq!(world.relay.epoch_age(NOON), Some(12 * HOUR_MS));
    world.disk_is_full = true;
    world.pass(DAY_MS);
    assert_eq!(world.relay.epoch_age(world.now), Some(36 * HOUR_MS));
    world.disk_is_full = false;
    world.pass(MINUTE_MS);
    assert!(world.relay.epoch_age(world.now).unwrap() < DAY_MS);
    world.disk_is_full = true;
    world.pass(3 * DAY_MS);
    assert_eq!(world.relay.epoch_age(world.now), None);
}
