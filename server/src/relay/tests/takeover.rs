//! A queue that goes to another link (rule Q7), whatever is under way for the one before.

use beresta_proto::capsule::SendReply;
use beresta_proto::command::Command;
use beresta_proto::limits::SUBSCRIPTIONS;
use beresta_proto::reply::{Heard, Push, Refusal, Reply};
use beresta_proto::time::MINUTE_MS;

use super::super::{LinkId, Ticket};
use super::delivery::{subscribed, texts};
use super::world::{Queue, Sender, World, subscription};
use crate::queue::Answer;

/// A queue, its sender, and three links.
fn scene() -> (World, Queue, Sender, [LinkId; 3]) {
    let mut world = World::new();
    let queue = world.make_queue();
    let links = [(); 3].map(|()| world.connect());
    let sender = world.sender(&queue);
    (world, queue, sender, links)
}

/// A link's subscription up to what the engine read for it, which is not said yet.
pub(super) fn begin_to_fetch(world: &mut World, link: LinkId, queue: &Queue) -> (Ticket, Answer) {
    world.say(link, &Command::Subscribe(vec![subscription(link, queue)]));
    loop {
        match world.carry_out() {
            Some(late) if matches!(late.1, Answer::Messages(_)) => return late,
            Some((ticket, answer)) => world.answer(ticket, answer),
            None => assert!(world.work()),
        }
    }
}

#[test]
fn who_loses_many_queues_at_once_hears_one_word_of_the_size_of_a_subscription() {
    let mut world = World::new();
    let (first, second) = (world.connect(), world.connect());
    let queues: Vec<Queue> = (0..SUBSCRIPTIONS).map(|_| world.make_queue()).collect();
    let ask = |link| Command::Subscribe(queues.iter().map(|queue| subscription(link, queue)).collect());
    world.ask(first, &ask(first));
    world.hear(first);
    world.ask(second, &ask(second));
    let queues: Vec<_> = queues.iter().map(|queue| queue.read_id).collect();
    assert_eq!(world.hear(first), [Heard::Push(Push::TakenOver { queues })]);
}

#[test]
fn a_second_subscriber_takes_over_and_the_first_is_told() {
    let (mut world, queue, mut sender, [anna, first, second]) = scene();
    world.subscribe(first, &queue);
    world.send(anna, &sender.capsule(0));
    assert_eq!(world.subscribe(second, &queue), subscribed());
    let last = world.hear(first).pop();
    assert_eq!(last, Some(Heard::Push(Push::TakenOver { queues: vec![queue.read_id] })));
    world.send(anna, &sender.capsule(1));
    assert_eq!(texts(&world.delivered(second)), [0, 1]);
    assert_eq!(world.hear(first), []);
    assert_eq!(world.acknowledge(first, &queue, 1), Reply::Refused(Refusal::Gone));
    // The first link's end does not end what the second one has.
    world.close(first);
    world.send(anna, &sender.capsule(2));
    assert_eq!(texts(&world.delivered(second)), [2]);
}

#[test]
fn a_fetch_for_who_was_taken_over_goes_to_who_took_over_and_nothing_is_read_twice() {
    let (mut world, queue, mut sender, [anna, first, second]) = scene();
    world.send(anna, &sender.capsule(0));
    // The first one's fetch is under way while the second one subscribes, and while a message comes that it misses.
    let late = begin_to_fetch(&mut world, first, &queue);
    world.send(anna, &sender.capsule(1));
    takes_over(&mut world, second, &queue);
    assert_eq!(world.delivered(second), []);
    world.answer(late.0, late.1);
    world.settle();
    assert_eq!(texts(&world.delivered(second)), [0, 1]);
    assert_eq!(world.delivered(first), []);
}

#[test]
fn who_takes_queues_over_gets_what_is_being_read_for_others_only_as_they_have_room() {
    let mut world = World::new();
    let reader = world.connect();
    let queues: Vec<Queue> = (0..8).map(|_| world.make_queue()).collect();
    for queue in &queues {
        let mut sender = world.sender(queue);
        sender.size = 10_000;
        let anna = world.connect();
        for text in 0..16 {
            assert_eq!(world.send(anna, &sender.capsule(text)), SendReply::Stored);
        }
    }
    // Each is read for a link of its own, and taken over before that is said: 256 KiB each, and nothing is written out.
    let others: Vec<_> = queues.iter().map(|_| world.connect()).collect();
    let late: Vec<_> =
        others.iter().zip(&queues).map(|(other, queue)| begin_to_fetch(&mut world, *other, queue)).collect();
    for queue in &queues {
        world.say(reader, &Command::Subscribe(vec![subscription(reader, queue)]));
    }
    let mut answered = late;
    while !world.asked.is_empty() || world.work() {
        answered.extend(world.carry_out());
        let (ticket, answer) = answered.pop().unwrap();
        world.answer(ticket, answer);
    }
    for (ticket, answer) in answered {
        world.answer(ticket, answer);
        world.settle();
    }
    let pushed = world.heard_unwritten(reader);
    assert!(pushed <= world.relay.limits.held + 256 * 1_024 + 64 * 1_024, "{pushed} bytes");
    // The rest comes as it is taken.
    let mut got = 0;
    loop {
        let some = world.delivered(reader);
        world.settle();
        got += some.len();
        if some.is_empty() {
            break;
        }
    }
    assert_eq!(got, 8 * 16);
    for link in others.into_iter().chain([reader]) {
        world.write_out(link);
        assert_eq!(world.relay.links[&link].held, 0, "nothing is counted for it any more");
    }
}

#[test]
fn a_fetch_that_was_not_from_the_start_on_goes_to_nobody() {
    let (mut world, queue, mut sender, [anna, first, second]) = scene();
    world.subscribe(first, &queue);
    world.send(anna, &sender.capsule(0));
    // Two whose answers are turned round: the second is only announced, and fetched behind the first.
    for text in 1..3 {
        let (capsule, _) = sender.capsule(text);
        world.say(anna, &Command::Send { capsule });
    }
    let (one, two) = (world.carry_out().unwrap(), world.carry_out().unwrap());
    world.answer(two.0, two.1);
    let late = world.carry_out().unwrap();
    assert!(matches!(late.1, Answer::Messages(_)));
    world.answer(one.0, one.1);
    world.subscribe(second, &queue);
    world.answer(late.0, late.1);
    world.settle();
    assert_eq!(texts(&world.delivered(second)), [0, 1, 2]);
}

/// Has a link take the queue over, whatever is under way; what is being fetched stays so.
pub(super) fn takes_over(world: &mut World, link: LinkId, queue: &Queue) {
    world.say(link, &Command::Subscribe(vec![subscription(link, queue)]));
    while !world.asked.is_empty() || world.work() {
        let (ticket, answer) = world.carry_out().unwrap();
        assert!(!matches!(answer, Answer::Messages(_)), "it is being fetched already");
        world.answer(ticket, answer);
    }
}

#[test]
fn a_fetch_that_fails_behind_a_take_over_is_tried_again_for_who_has_the_queue() {
    let (mut world, queue, mut sender, [anna, first, second]) = scene();
    world.send(anna, &sender.capsule(0));
    let (ticket, _) = begin_to_fetch(&mut world, first, &queue);
    takes_over(&mut world, second, &queue);
    world.answer(ticket, Answer::Failed);
    world.settle();
    assert_eq!(world.delivered(second), []);
    world.pass(MINUTE_MS);
    world.settle();
    assert_eq!((texts(&world.delivered(second)), world.delivered(first)), (vec![0], vec![]));
}

#[test]
fn who_took_over_and_left_before_the_answer_leaves_nothing_behind() {
    let (mut world, queue, mut sender, [anna, first, second]) = scene();
    world.send(anna, &sender.capsule(0));
    let (ticket, answer) = begin_to_fetch(&mut world, first, &queue);
    takes_over(&mut world, second, &queue);
    world.close(second);
    world.answer(ticket, answer);
    world.settle();
    let _ = world.hear(first);
    assert_eq!(world.relay.links[&first].held, 0, "it was counted for who took over");
    assert_eq!(world.subscribe(first, &queue), subscribed());
    assert_eq!(texts(&world.delivered(first)), [0]);
}

#[test]
fn a_queue_that_comes_back_while_it_is_fetched_is_fetched_once_and_for_who_has_it() {
    let (mut world, queue, mut sender, [anna, first, second]) = scene();
    world.send(anna, &sender.capsule(0));
    let (ticket, answer) = begin_to_fetch(&mut world, first, &queue);
    takes_over(&mut world, second, &queue);
    takes_over(&mut world, first, &queue);
    world.answer(ticket, answer);
    world.settle();
    assert_eq!((texts(&world.delivered(first)), world.delivered(second)), (vec![0], vec![]));
    assert_eq!(world.relay.links[&second].held, 0);
}
