//! How long a queue lives: as long as somebody comes for it (rule Q13).

use std::collections::BTreeSet;

use beresta_proto::command::Command;
use beresta_proto::reply::{Reply, Subscribed};
use beresta_proto::time::{DAY_MS, MINUTE_MS};

use super::super::RENEWED_TOGETHER;
use super::world::{World, subscription};
use crate::queue::{Answer, Op};

impl World {
    fn days(&mut self, days: u64) {
        for _ in 0..days {
            self.pass(DAY_MS);
            self.settle();
        }
    }
}

#[test]
fn a_queue_lives_as_long_as_a_link_is_subscribed_to_it() {
    let mut world = World::new();
    let (queue, unread) = (world.make_queue(), world.make_queue());
    let boris = world.connect();
    world.subscribe(boris, &queue);
    world.days(400);
    world.close(boris);
    world.days(80);
    let again = world.connect();
    assert_eq!(world.subscribe(again, &queue), Reply::Subscribed(vec![Subscribed::Ok]));
    assert_eq!(world.subscribe(again, &unread), Reply::Subscribed(vec![Subscribed::Gone]));
    world.close(again);
    world.days(130);
    let late = world.connect();
    assert_eq!(world.subscribe(late, &queue), Reply::Subscribed(vec![Subscribed::Gone]));
}

#[test]
fn the_queues_of_many_readers_are_renewed_in_parts_and_all_of_them() {
    let mut world = World::new();
    let queues: Vec<_> = (0..RENEWED_TOGETHER + 30).map(|_| world.make_queue()).collect();
    for some in queues.chunks(1_000) {
        let link = world.connect();
        for queue in some {
            world.subscribe(link, queue);
        }
    }
    world.pass(DAY_MS);
    let mut parts = Vec::new();
    let renewals =
        |world: &World| world.asked.iter().filter(|(_, op)| matches!(op, Op::Renew { .. })).count();
    while let Some((ticket, op)) = world.asked.pop_front() {
        if let Op::Renew { queues, now: _ } = &op {
            parts.push(queues.clone());
            assert_eq!(renewals(&world), 0, "what comes meanwhile is not behind all of them");
        }
        let answer = world.answer_to(op);
        world.answer(ticket, answer);
    }
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [RENEWED_TOGETHER, 30]);
    assert_eq!(parts.concat().iter().collect::<BTreeSet<_>>().len(), queues.len());
}

/// All that is under way ends, but no renewal works. How many were asked for.
fn settle_without_renewals(world: &mut World) -> usize {
    let mut failed = 0;
    loop {
        match world.asked.pop_front() {
            Some((ticket, Op::Renew { .. })) => {
                failed += 1;
                world.answer(ticket, Answer::Failed);
            }
            Some((ticket, op)) => {
                let answer = world.answer_to(op);
                world.answer(ticket, answer);
            }
            None if world.work() => {}
            None => return failed,
        }
    }
}

#[test]
fn a_queue_whose_reader_came_lives_on_though_the_engine_failed_and_the_reader_has_left() {
    let mut world = World::new();
    let queue = world.make_queue();
    let boris = world.connect();
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    assert_eq!(settle_without_renewals(&mut world), 1);
    assert_eq!(world.replies(boris), [Reply::Subscribed(vec![Subscribed::Ok])]);
    world.close(boris);
    world.pass(MINUTE_MS);
    assert_eq!(settle_without_renewals(&mut world), 1);
    world.pass(MINUTE_MS);
    world.days(80);
    let again = world.connect();
    assert_eq!(world.subscribe(again, &queue), Reply::Subscribed(vec![Subscribed::Ok]));
}
