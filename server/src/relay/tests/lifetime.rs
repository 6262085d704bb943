//! How long a queue lives: as long as somebody comes for it (rule Q13).

use std::collections::BTreeSet;

use beresta_proto::command::Command;
use beresta_proto::reply::{Reply, Subscribed};
use beresta_proto::time::{DAY_MS, MINUTE_MS};

use super::super::renewals::TOGETHER;
use super::world::{World, subscription};
use crate::queue::{Answer, Op, QueueRef};

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
    let queues: Vec<_> = (0..TOGETHER + 30).map(|_| world.make_queue()).collect();
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
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [TOGETHER, 30]);
    assert_eq!(parts.concat().iter().collect::<BTreeSet<_>>().len(), queues.len());
}

/// All that is under way ends, and `renews` says what becomes of a renewal.
fn settle_but(world: &mut World, mut renews: impl FnMut(&[QueueRef]) -> Answer) {
    loop {
        match world.asked.pop_front() {
            Some((ticket, Op::Renew { queues, now: _ })) => {
                let answer = renews(&queues);
                world.answer(ticket, answer);
            }
            Some((ticket, op)) => {
                let answer = world.answer_to(op);
                world.answer(ticket, answer);
            }
            None if world.work() => {}
            None => return,
        }
    }
}

#[test]
fn a_queue_whose_reader_came_lives_on_though_the_engine_failed_and_the_reader_has_left() {
    let mut world = World::new();
    let queue = world.make_queue();
    let boris = world.connect();
    let mut failed = 0;
    let mut fails = |_: &[QueueRef]| {
        failed += 1;
        Answer::Failed
    };
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    settle_but(&mut world, &mut fails);
    assert_eq!(world.replies(boris), [Reply::Subscribed(vec![Subscribed::Ok])]);
    world.close(boris);
    world.pass(MINUTE_MS);
    settle_but(&mut world, &mut fails);
    assert_eq!(failed, 2);
    world.pass(MINUTE_MS);
    world.days(80);
    let again = world.connect();
    assert_eq!(world.subscribe(again, &queue), Reply::Subscribed(vec![Subscribed::Ok]));
}

#[test]
fn one_queue_that_cannot_be_renewed_keeps_no_other_from_living_on() {
    let mut world = World::new();
    let boris = world.connect();
    let queues = [(); 4].map(|()| world.make_queue());
    let all = queues.iter().map(|queue| subscription(boris, queue)).collect();
    world.say(boris, &Command::Subscribe(all));
    let (mut bad, mut renewed) = (None, BTreeSet::new());
    let mut renews = |queues: &[QueueRef]| {
        if queues.contains(bad.get_or_insert(queues[0])) {
            return Answer::Failed;
        }
        renewed.extend(queues.iter().copied());
        Answer::Done
    };
    settle_but(&mut world, &mut renews);
    world.pass(MINUTE_MS);
    settle_but(&mut world, &mut renews);
    assert_eq!(renewed.len(), 3);
}

#[test]
fn who_subscribes_without_end_keeps_no_queue_from_living_on_that_could_not_be_renewed_before() {
    let mut world = World::new();
    let (queues, other) = ([(); 2].map(|()| world.make_queue()), world.make_queue());
    let (anna, boris) = (world.connect(), world.connect());
    let mut failed = BTreeSet::new();
    world.say(anna, &Command::Subscribe(queues.iter().map(|queue| subscription(anna, queue)).collect()));
    settle_but(&mut world, |queues| {
        failed.extend(queues.iter().copied());
        Answer::Failed
    });
    world.close(anna);
    let mut tried = Vec::new();
    for _ in 0..6 {
        // One is renewed for the first of them, and by the time that this is done the second is there.
        for _ in 0..2 {
            world.say(boris, &Command::Subscribe(vec![subscription(boris, &other)]));
        }
        let mut renewals = Vec::new();
        while let Some((ticket, op)) = world.asked.pop_front() {
            if let Op::Renew { queues, now: _ } = op {
                renewals.push((ticket, queues));
            } else {
                let answer = world.answer_to(op);
                world.answer(ticket, answer);
            }
            while world.work() {}
        }
        world.pass(MINUTE_MS);
        for (ticket, queues) in renewals {
            tried.push(queues);
            world.answer(ticket, Answer::Done);
        }
    }
    let single: Vec<bool> =
        tried.iter().map(|queues| queues.len() == 1 && failed.contains(&queues[0])).collect();
    assert_eq!(single.iter().filter(|single| **single).count(), 2, "each had its turn, by itself: {tried:?}");
    assert!(single.windows(2).all(|two| two != [true, true]), "and those who come had theirs: {tried:?}");
}

#[test]
fn who_subscribes_without_end_fills_no_row_of_the_engine() {
    let mut world = World::new();
    let (queue, other) = (world.make_queue(), world.make_queue());
    let boris = world.connect();
    let mut held = Vec::new();
    for queue in [&queue; 50].into_iter().chain([&other; 50]) {
        world.say(boris, &Command::Subscribe(vec![subscription(boris, queue)]));
        while let Some((ticket, op)) = world.asked.pop_front() {
            if matches!(op, Op::Renew { .. }) {
                held.push((ticket, op));
            } else {
                let answer = world.answer_to(op);
                world.answer(ticket, answer);
            }
            while world.work() {}
        }
    }
    assert_eq!((world.replies(boris).len(), held.len()), (100, 1), "all are answered, one is out");
    let (ticket, _) = held.remove(0);
    world.answer(ticket, Answer::Done);
    let Some((_, Op::Renew { queues, now: _ })) = world.asked.front() else { panic!("not renewed") };
    assert_eq!(queues.len(), 2, "each once");
    world.settle();
    assert!(!world.relay.is_busy());
}
