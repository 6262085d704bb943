use beresta_proto::capsule::SendReply;
use beresta_proto::command::Command;
use beresta_proto::key::{SendCapability, SigningKey};
use beresta_proto::limits::QUEUE_MESSAGES;
use beresta_proto::reply::{Heard, Push, Refusal, Reply, Subscribed};
use beresta_proto::time::{DAY_MS, SECOND_MS};

use super::super::{Limits, LinkId};
use super::world::{Queue, World, subscription};
use crate::queue::Answer;

pub(super) fn subscribed() -> Reply {
    Reply::Subscribed(vec![Subscribed::Ok])
}

pub(super) fn texts(delivered: &[(u64, u32)]) -> Vec<u32> {
    delivered.iter().map(|(_, text)| *text).collect()
}

#[test]
fn messages_come_in_order_and_again_until_acknowledged() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    for text in 0..3 {
        assert_eq!(world.send(anna, &sender.capsule(text)), SendReply::Stored);
    }
    assert_eq!(world.subscribe(boris, &queue), subscribed());
    for text in 3..5 {
        world.send(anna, &sender.capsule(text));
    }
    let first = world.delivered(boris);
    assert_eq!(texts(&first), [0, 1, 2, 3, 4]);
    assert!(first.windows(2).all(|two| two[0].0 < two[1].0));

    assert_eq!(world.acknowledge(boris, &queue, first[1].0), Reply::Done);
    world.close(boris);
    let again = world.connect();
    world.subscribe(again, &queue);
    assert_eq!(world.delivered(again), first[2..]);
}

#[test]
fn a_message_for_a_reader_who_is_there_is_pushed_without_reading_it_again() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    world.subscribe(boris, &queue);
    for text in 0..5 {
        let (capsule, _) = sender.capsule(text);
        world.say(anna, &Command::Send { capsule });
        while world.work() {}
        while let Some((ticket, answer)) = world.carry_out() {
            assert!(!matches!(answer, Answer::Messages(_)) || text == 0);
            world.answer(ticket, answer);
        }
    }
    assert_eq!(texts(&world.delivered(boris)), [0, 1, 2, 3, 4]);
}

#[test]
fn a_reader_that_does_not_acknowledge_gets_one_window() {
    for (size, window) in [(10, 32), (10_000, 16)] {
        let mut world = World::new();
        let queue = world.make_queue();
        let (anna, boris) = (world.connect(), world.connect());
        let mut sender = world.sender(&queue);
        sender.size = size;
        world.subscribe(boris, &queue);
        for text in 0..80 {
            assert_eq!(world.send(anna, &sender.capsule(text)), SendReply::Stored);
        }
        let mut got = world.delivered(boris);
        assert_eq!(got.len(), window);
        world.acknowledge(boris, &queue, got[2].0);
        let more = world.delivered(boris);
        assert_eq!(more.len(), 3, "as many as were acknowledged");
        got.extend(more);
        while got.len() < 80 {
            world.acknowledge(boris, &queue, got.last().unwrap().0);
            got.extend(world.delivered(boris));
        }
        assert_eq!(texts(&got), (0..80).collect::<Vec<_>>());
    }
}

#[test]
fn a_repeated_subscription_pushes_nothing_again() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    world.subscribe(boris, &queue);
    world.send(anna, &sender.capsule(0));
    assert_eq!(world.delivered(boris).len(), 1);
    assert_eq!(world.subscribe(boris, &queue), subscribed());
    assert_eq!(world.delivered(boris), []);
}

#[test]
fn answers_of_the_engine_in_any_order_keep_the_queues_order() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    world.subscribe(boris, &queue);
    world.send(anna, &sender.capsule(0));
    for text in 1..9 {
        let (capsule, _) = sender.capsule(text);
        world.say(anna, &Command::Send { capsule });
    }
    let mut answers = Vec::new();
    while let Some(one) = world.carry_out() {
        answers.push(one);
    }
    assert_eq!(answers.len(), 8);
    for (ticket, answer) in answers.into_iter().rev() {
        world.answer(ticket, answer);
        // What the answer led to may come at any time between two others.
        world.settle();
    }
    assert_eq!(texts(&world.delivered(boris)), (0..9).collect::<Vec<_>>());
}

#[test]
fn nothing_is_said_to_be_stored_or_pushed_before_it_is_durable() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    world.subscribe(boris, &queue);
    let (capsule, key) = sender.capsule(0);
    world.say(anna, &Command::Send { capsule });
    assert!(world.work());
    let (ticket, answer) = world.carry_out().unwrap();
    assert_eq!((world.hear(anna), world.delivered(boris)), (vec![], vec![]));
    world.answer(ticket, answer);
    let Some(Heard::Reply(_, Reply::Sent(sealed))) = world.hear(anna).pop() else { panic!("not sent") };
    assert_eq!(key.open(&sealed), Ok(SendReply::Stored));
}

#[test]
fn an_engine_that_failed_is_never_taken_for_an_answer() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    let (capsule, key) = sender.capsule(0);
    world.say(anna, &Command::Send { capsule });
    assert!(world.work());
    let (ticket, _) = world.asked.pop_front().unwrap();
    world.answer(ticket, Answer::Failed);
    let Some(Heard::Reply(_, Reply::Sent(sealed))) = world.hear(anna).pop() else { panic!("not sent") };
    assert!(matches!(key.open(&sealed), Ok(SendReply::Later { .. })));

    // A reader who heard "gone" would give its queue up.
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    let (ticket, _) = world.asked.pop_front().unwrap();
    world.answer(ticket, Answer::Failed);
    assert!(matches!(world.hear(boris)[..], [Heard::Reply(_, Reply::Refused(Refusal::Failed))]));

    // A fetch that failed is tried again.
    world.send(anna, &sender.capsule(1));
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    let (ticket, found) = world.carry_out().unwrap();
    world.answer(ticket, found);
    assert!(world.work());
    let (ticket, _) = world.asked.pop_front().unwrap();
    world.answer(ticket, Answer::Failed);
    assert_eq!(world.delivered(boris), []);
    world.pass(2 * SECOND_MS);
    world.settle();
    assert_eq!(texts(&world.delivered(boris)), [1]);
}

#[test]
fn a_full_queue_refuses_the_newest_and_its_reader_hears_when_it_drained() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    let many = u32::try_from(QUEUE_MESSAGES).unwrap();
    for text in 0..many {
        assert_eq!(world.send(anna, &sender.capsule(text)), SendReply::Stored);
    }
    let refused = sender.order(many);
    assert_eq!(world.send(anna, &sender.seal(&refused)), SendReply::QueueFull);
    world.subscribe(boris, &queue);
    let (mut got, mut drained) = (Vec::new(), 0);
    while got.len() < QUEUE_MESSAGES {
        for heard in world.hear(boris) {
            match heard {
                Heard::Push(Push::Deliver { sequence, .. }) => got.push(sequence),
                Heard::Push(Push::Drained { queue: one }) => {
                    assert_eq!(one, queue.read_id);
                    drained += 1;
                }
                Heard::Push(Push::CaughtUp { .. }) => {}
                Heard::Push(Push::TakenOver { .. } | Push::GoAway { .. }) | Heard::Reply(..) => panic!(),
            }
        }
        world.acknowledge(boris, &queue, *got.last().unwrap());
    }
    assert_eq!(drained, 1);
    assert_eq!(world.send(anna, &sender.seal(&refused)), SendReply::Stored);
    assert_eq!(texts(&world.delivered(boris)), [many]);
}

#[test]
fn nobody_acknowledges_what_it_has_not_seen() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    world.send(anna, &sender.capsule(0));
    assert_eq!(world.acknowledge(boris, &queue, 1), Reply::Refused(Refusal::Gone), "not subscribed");
    world.subscribe(boris, &queue);
    let (sequence, _) = world.delivered(boris)[0];
    assert_eq!(world.acknowledge(boris, &queue, sequence + 1), Reply::Refused(Refusal::Gone));
    assert_eq!(world.acknowledge(boris, &queue, u64::MAX), Reply::Refused(Refusal::Gone));
    assert_eq!(world.acknowledge(boris, &queue, sequence), Reply::Done);
    assert_eq!(world.acknowledge(boris, &queue, sequence), Reply::Done, "a repeat");
}

#[test]
fn a_link_is_subscribed_to_so_many_queues_and_may_repeat_itself_for_ever() {
    let mut world = World::with(Limits { subscriptions: 3, ..Limits::default() });
    let queues: Vec<_> = (0..4).map(|_| world.make_queue()).collect();
    let (boris, second) = (world.connect(), world.connect());
    // Two that are under way at once count together.
    world.say(boris, &all(boris, &queues[..2]));
    world.say(boris, &all(boris, &queues[2..]));
    world.settle();
    let two = Reply::Subscribed(vec![Subscribed::Ok; 2]);
    assert_eq!(world.replies(boris), [two, Reply::Refused(Refusal::RateLimited)]);
    for _ in 0..3 {
        let reply = world.ask(boris, &all(boris, &queues[..3]));
        assert_eq!(reply, Reply::Subscribed(vec![Subscribed::Ok; 3]), "what is known is not counted twice");
    }
    assert_eq!(world.ask(boris, &all(boris, &queues[3..])), Reply::Refused(Refusal::RateLimited));
    assert_eq!(world.subscribe(second, &queues[3]), subscribed());
}

fn all(link: LinkId, queues: &[Queue]) -> Command {
    Command::Subscribe(queues.iter().map(|queue| subscription(link, queue)).collect())
}

fn make() -> Command {
    let read_key = SigningKey::take(&mut [9; 32]).verifying_key().unwrap();
    Command::MakeQueue { read_key, capability: SendCapability::take(&mut [9; 32]).hash(), credit: None }
}

#[test]
fn where_all_are_subscribed_to_much_each_has_its_share() {
    let limits = Limits {
        subscriptions_of_all: 4,
        subscriptions_share: 2,
        subscriptions_single: 1,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let queues: Vec<_> = (0..9).map(|_| world.make_queue()).collect();
    let (first, second) = (world.connect(), world.connect());
    for queue in &queues[..4] {
        assert_eq!(world.subscribe(first, queue), subscribed());
    }
    assert_eq!(world.subscribe(first, &queues[4]), Reply::Refused(Refusal::RateLimited));
    let share = Reply::Subscribed(vec![Subscribed::Ok; 2]);
    assert_eq!(world.ask(second, &all(second, &queues[4..6])), share, "whatever others have");
    assert_eq!(world.ask(second, &all(second, &queues[6..8])), Reply::Refused(Refusal::RateLimited));
    assert!(matches!(world.ask(second, &make()), Reply::QueueMade { .. }));
    assert_eq!(world.subscribe(second, &queues[6]), subscribed(), "as one that was made");
    assert_eq!(world.subscribe(second, &queues[7]), Reply::Refused(Refusal::RateLimited));
    assert_eq!(
        world.ask(second, &make()),
        Reply::Refused(Refusal::RateLimited),
        "nor is one made for nothing"
    );
    assert_eq!(world.subscribe(first, &queues[0]), subscribed(), "a repeat");
    let third = world.connect();
    assert!(matches!(world.ask(third, &make()), Reply::QueueMade { .. }));
    assert_eq!(world.subscribe(third, &queues[0]), subscribed());
    assert_eq!(world.subscribe(third, &queues[1]), subscribed(), "what is taken over is no growth");
    [first, third].into_iter().for_each(|link| world.close(link));
    assert_eq!(world.subscribe(second, &queues[7]), subscribed(), "there is room again");
}

#[test]
fn who_was_away_when_its_queue_drained_hears_of_it_on_return() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    world.subscribe(boris, &queue);
    world.close(boris);
    for text in 0..=u32::try_from(QUEUE_MESSAGES).unwrap() {
        world.send(anna, &sender.capsule(text));
    }
    // All of it ends while nobody reads; swept in small steps, after which the queue is at half at some time.
    for _ in 0..25 {
        world.pass(DAY_MS);
        world.settle();
    }
    let boris = world.connect();
    world.subscribe(boris, &queue);
    let drained = Heard::Push(Push::Drained { queue: queue.read_id });
    assert_eq!(world.hear(boris).iter().filter(|heard| **heard == drained).count(), 1);
    world.close(boris);
    let again = world.connect();
    world.subscribe(again, &queue);
    assert!(!world.hear(again).contains(&drained));
}
