//! The word that all was pushed that waited (rule Q17).

use beresta_proto::auth;
use beresta_proto::command::Command;
use beresta_proto::limits::WINDOW_MESSAGES;
use beresta_proto::reply::{Heard, Push, Reply, Subscribed};
use beresta_proto::time::{DAY_MS, MINUTE_MS};

use super::super::{Limits, LinkId};
use super::delivery::texts;
use super::takeover::{begin_to_fetch, takes_over};
use super::world::{Queue, World, exporter, subscription, text};
use crate::queue::{Answer, Op};

/// What a link heard: the text of each message, and none for the word.
fn heard(world: &mut World, link: LinkId) -> Vec<Option<u32>> {
    let mut said = Vec::new();
    for heard in world.hear(link) {
        match heard {
            Heard::Push(Push::CaughtUp { .. }) => said.push(None),
            Heard::Push(Push::Deliver { envelope, .. }) => said.push(Some(text(&envelope))),
            Heard::Push(Push::TakenOver { .. } | Push::Drained { .. } | Push::GoAway { .. })
            | Heard::Reply(..) => {}
        }
    }
    said
}

/// A queue with so many messages, and the next one to come.
fn filled(world: &mut World, messages: u32) -> (Queue, impl FnMut(&mut World) + use<>) {
    let queue = world.make_queue();
    let (anna, mut sender) = (world.connect(), world.sender(&queue));
    let mut next = 0;
    let mut send = move |world: &mut World| {
        world.send(anna, &sender.capsule(next));
        next += 1;
    };
    (0..messages).for_each(|_| send(world));
    (queue, send)
}

/// Says that a link subscribes; nothing is carried out yet.
fn ask(world: &mut World, link: LinkId, queues: &[&Queue]) {
    world.say(link, &Command::Subscribe(queues.iter().map(|queue| subscription(link, queue)).collect()));
}

#[test]
fn a_link_hears_once_that_all_was_pushed_that_waited() {
    let mut world = World::new();
    let window = u32::try_from(WINDOW_MESSAGES).unwrap();
    let (queue, mut send) = filled(&mut world, window + 3);
    let boris = world.connect();
    world.subscribe(boris, &queue);
    let first = world.delivered(boris);
    assert_eq!(first.len(), WINDOW_MESSAGES);
    assert_eq!(heard(&mut world, boris), [], "three wait for an acknowledgement still");
    world.acknowledge(boris, &queue, first[0].0);
    assert_eq!(heard(&mut world, boris), [Some(window)], "two do");
    world.acknowledge(boris, &queue, first[10].0);
    assert_eq!(heard(&mut world, boris), [Some(window + 1), Some(window + 2), None]);
    send(&mut world);
    assert_eq!(heard(&mut world, boris), [Some(window + 3)], "it was told");
    // A repeat asks again.
    world.subscribe(boris, &queue);
    assert_eq!(world.hear(boris), [Heard::Push(Push::CaughtUp { subscribed: 2 })]);
}

#[test]
fn who_writes_on_without_end_keeps_the_word_from_nobody() {
    let mut world = World::new();
    let window = u32::try_from(WINDOW_MESSAGES).unwrap();
    let (busy, mut send) = filled(&mut world, window + 8);
    let (calm, _) = filled(&mut world, 1);
    let boris = world.connect();
    ask(&mut world, boris, &[&busy, &calm]);
    world.settle();
    let mut said = heard(&mut world, boris);
    let mut upto = 0;
    // More than a window waits at any time.
    for _ in 0..12 {
        assert!(!said.contains(&None) || upto >= 8, "told when {upto} were acknowledged");
        send(&mut world);
        upto += 1;
        world.acknowledge(boris, &busy, upto);
        said.extend(heard(&mut world, boris));
    }
    assert_eq!(said.iter().filter(|one| one.is_none()).count(), 1);
    assert_eq!(
        said.iter().position(Option::is_none),
        Some(1 + 40),
        "behind what waited when it was subscribed to"
    );
}

#[test]
fn who_subscribes_again_is_told_once_it_has_what_waits_by_then() {
    let mut world = World::new();
    let window = u32::try_from(WINDOW_MESSAGES).unwrap();
    let (queue, mut send) = filled(&mut world, window);
    let boris = world.connect();
    world.subscribe(boris, &queue);
    let first = world.delivered(boris);
    (0..3).for_each(|_| send(&mut world));
    world.subscribe(boris, &queue);
    assert_eq!(heard(&mut world, boris), [], "three wait for an acknowledgement");
    world.acknowledge(boris, &queue, first[9].0);
    let rest: Vec<Option<u32>> = (window..window + 3).map(Some).chain([None]).collect();
    assert_eq!(heard(&mut world, boris), rest);
}

#[test]
fn what_is_stored_while_somebody_subscribes_again_is_pushed_before_the_word_though_nobody_said_so_yet() {
    let mut world = World::new();
    let (queue, mut send) = filled(&mut world, 1);
    let (anna, boris, other) = (world.connect(), world.connect(), world.connect());
    world.subscribe(boris, &queue);
    assert_eq!(heard(&mut world, boris), [Some(0), None]);
    let mut sender = world.sender(&queue);
    let mut stored = |world: &mut World, text| {
        world.say(anna, &Command::Send { capsule: sender.capsule(text).0 });
        while world.work() {}
        world.carry_out().unwrap()
    };
    let (ticket, answer) = stored(&mut world, 1);
    world.subscribe(boris, &queue);
    world.answer(ticket, answer);
    world.settle();
    assert_eq!(heard(&mut world, boris), [Some(1), None]);

    // And so where another takes over what is being read for somebody.
    world.acknowledge(boris, &queue, 2);
    let late = begin_to_fetch(&mut world, other, &queue);
    let (ticket, answer) = stored(&mut world, 2);
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    world.settle();
    world.answer(late.0, late.1);
    world.settle();
    world.answer(ticket, answer);
    world.settle();
    assert_eq!(heard(&mut world, boris), [Some(2), None]);
    send(&mut world);
    assert_eq!(heard(&mut world, boris), [Some(1)]);
}

#[test]
fn nobody_is_told_too_early_where_it_could_not_be_read_how_far_a_queue_reaches() {
    let mut world = World::new();
    let window = u32::try_from(WINDOW_MESSAGES).unwrap();
    let (queue, _) = filled(&mut world, window + 3);
    let boris = world.connect();
    ask(&mut world, boris, &[&queue]);
    let (ticket, answer) = world.carry_out().unwrap();
    let Answer::Found(mut found) = answer else { panic!("{answer:?}") };
    found.iter_mut().flatten().for_each(|record| record.last = None);
    world.answer(ticket, Answer::Found(found));
    world.settle();
    let first = world.delivered(boris);
    assert_eq!(first.len(), WINDOW_MESSAGES);
    world.acknowledge(boris, &queue, first[9].0);
    assert_eq!(heard(&mut world, boris), [Some(window), Some(window + 1), Some(window + 2), None]);
    // Nor is it awaited once more what never comes.
    for _ in 0..2 {
        ask(&mut world, boris, &[&queue]);
        world.settle();
        assert_eq!(heard(&mut world, boris), [None]);
    }
}

#[test]
fn who_takes_over_an_empty_fetch_hears_first_what_came_meanwhile() {
    let mut world = World::new();
    let (queue, mut send) = filled(&mut world, 0);
    let (first, second) = (world.connect(), world.connect());
    let (ticket, answer) = begin_to_fetch(&mut world, first, &queue);
    send(&mut world);
    takes_over(&mut world, second, &queue);
    world.answer(ticket, answer);
    world.settle();
    assert_eq!(heard(&mut world, second), [Some(0), None]);
}

#[test]
fn a_link_hears_of_all_its_queues_together_and_of_those_that_are_gone_at_once() {
    let mut world = World::new();
    let (full, _) = filled(&mut world, 2);
    let (empty, _) = filled(&mut world, 0);
    let boris = world.connect();
    ask(&mut world, boris, &[&empty, &full]);
    world.settle();
    assert_eq!(heard(&mut world, boris), [Some(0), Some(1), None]);

    let carla = world.connect();
    let mut stranger = subscription(carla, &full);
    stranger.signature = subscription(carla, &empty).signature;
    world.ask(carla, &Command::Subscribe(vec![stranger]));
    assert_eq!(heard(&mut world, carla), [None]);
}

#[test]
fn the_word_counts_what_answered_for_queues_and_nothing_else() {
    let mut world = World::with(Limits { subscriptions: 2, ..Limits::default() });
    let queues = [(); 3].map(|()| filled(&mut world, 0).0);
    let boris = world.connect();
    let counted = |world: &mut World| -> Vec<u32> {
        world.settle();
        let word =
            |one| if let Heard::Push(Push::CaughtUp { subscribed }) = one { Some(subscribed) } else { None };
        world.hear(boris).into_iter().filter_map(word).collect()
    };
    ask(&mut world, boris, &[]);
    assert_eq!(counted(&mut world), [0; 0]);
    ask(&mut world, boris, &[&queues[0]]);
    assert_eq!(counted(&mut world), [1]);
    // Refused as a whole.
    ask(&mut world, boris, &[&queues[1], &queues[2]]);
    assert_eq!(counted(&mut world), [0; 0]);
    // Gone, all of them.
    let mut wrong = subscription(boris, &queues[1]);
    wrong.signature = subscription(boris, &queues[2]).signature;
    world.say(boris, &Command::Subscribe(vec![wrong]));
    assert_eq!(counted(&mut world), [2]);
    // Two that are answered before either was read.
    ask(&mut world, boris, &[&queues[1]]);
    ask(&mut world, boris, &[&queues[0]]);
    assert_eq!(counted(&mut world).last(), Some(&4));
}

#[test]
fn nobody_is_told_before_the_engine_could_say() {
    let mut world = World::new();
    let (queue, _) = filled(&mut world, 1);
    let boris = world.connect();
    ask(&mut world, boris, &[&queue]);
    loop {
        match world.carry_out() {
            Some((ticket, Answer::Messages(_))) => {
                world.answer(ticket, Answer::Failed);
                break;
            }
            Some((ticket, answer)) => world.answer(ticket, answer),
            None => assert!(world.work()),
        }
    }
    world.settle();
    assert_eq!(heard(&mut world, boris), []);
    world.pass(MINUTE_MS);
    world.settle();
    assert_eq!(heard(&mut world, boris), [Some(0), None]);
}

#[test]
fn a_clock_that_is_ahead_hides_nothing_for_good_and_nobody_is_told_meanwhile_that_all_came() {
    let mut world = World::new();
    let (queue, _) = filled(&mut world, 2);
    world.now = world.now.plus(400 * DAY_MS);
    world.pass(0);
    let boris = world.connect();
    world.subscribe(boris, &queue);
    world.pass(MINUTE_MS);
    world.settle();
    assert_eq!(heard(&mut world, boris), []);
    // Somebody sets it right before anything is swept.
    world.now = world.now.minus(400 * DAY_MS);
    world.pass(0);
    world.settle();
    world.pass(MINUTE_MS);
    world.settle();
    assert_eq!(heard(&mut world, boris), [Some(0), Some(1), None]);
}

#[test]
fn what_ended_for_good_keeps_nobody_from_being_told_for_longer_than_until_it_is_swept() {
    let mut world = World::new();
    let (queue, _) = filled(&mut world, 2);
    world.now = world.now.plus(400 * DAY_MS);
    world.pass(0);
    let boris = world.connect();
    world.subscribe(boris, &queue);
    assert_eq!(heard(&mut world, boris), []);
    for _ in 0..6 {
        world.pass(MINUTE_MS);
        world.settle();
    }
    assert_eq!(heard(&mut world, boris), [None]);
}

#[test]
fn who_subscribed_to_a_queue_just_as_it_was_deleted_is_sent_to_learn_it() {
    let mut world = World::new();
    let (queue, _) = filled(&mut world, 1);
    let boris = world.connect();
    ask(&mut world, boris, &[&queue]);
    let (ticket, found) = world.carry_out().unwrap();
    world.answer(ticket, found.clone());
    // Its signature waits for a worker while its operator deletes it.
    let Answer::Found(records) = found else { panic!("it was asked for") };
    let record = records[0].unwrap();
    world.answer_to(Op::DeleteQueue { queue: record.queue });
    world.relay.handle_deleted(record.queue);
    world.settle();
    let heard = world.hear(boris).pop();
    assert!(matches!(heard, Some(Heard::Push(Push::GoAway { .. }))), "{heard:?}");
    let again = world.connect();
    assert_eq!(world.subscribe(again, &queue), Reply::Subscribed(vec![Subscribed::Gone]));
}

#[test]
fn a_queue_that_is_lost_keeps_no_link_from_being_told() {
    let mut world = World::new();
    let (taken, _) = filled(&mut world, 40);
    let (deleted, _) = filled(&mut world, 40);
    let (boris, other) = (world.connect(), world.connect());
    for queue in [&taken, &deleted] {
        world.subscribe(boris, queue);
    }
    assert_eq!(world.delivered(boris).len(), 2 * WINDOW_MESSAGES);
    assert_eq!(heard(&mut world, boris), []);
    world.subscribe(other, &taken);
    assert_eq!(heard(&mut world, boris), [], "the other one waits still");
    let text = auth::delete_queue(&exporter(boris), &deleted.read_id);
    let signature = deleted.read_key.sign(&text).unwrap();
    let delete = Command::DeleteQueue { queue: deleted.read_id, signature };
    assert_eq!(world.ask(boris, &delete), Reply::Done);
    assert_eq!(heard(&mut world, boris), [None]);
    // Who took over is told when it has read it all itself.
    let first = world.delivered(other);
    assert_eq!(texts(&first).len(), WINDOW_MESSAGES);
    world.acknowledge(other, &taken, first[31].0);
    let rest: Vec<Option<u32>> = (32..40).map(Some).chain([None]).collect();
    assert_eq!(heard(&mut world, other), rest);
}
