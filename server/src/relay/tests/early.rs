//! Messages that are pushed before they are stored (rules Q4, Q10).

use beresta_proto::capsule::SendReply;
use beresta_proto::command::Command;
use beresta_proto::reply::{Heard, Reply};

use super::world::{Queue, Sender, World};
use crate::queue::rules::queue_ref;
use crate::queue::{Answer, MessageName, Op};
use crate::relay::{LinkId, Ticket};

/// A queue with a reader who has got its first message, and a sender on a link.
fn scene() -> (World, Queue, Sender, LinkId, LinkId) {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let mut sender = world.sender(&queue);
    world.subscribe(boris, &queue);
    world.send(anna, &sender.capsule(0));
    let got = world.delivered(boris);
    world.acknowledge(boris, &queue, got[0].0);
    (world, queue, sender, anna, boris)
}

/// The engine admits the message that it was given last, as the one with this number, and has not stored it.
fn admit(world: &mut World, queue: &Queue, sequence: u64) -> (Ticket, Op) {
    while world.work() {}
    let (ticket, op) = world.asked.pop_front().unwrap();
    let Op::Append { envelope, .. } = op.clone() else { panic!("{op:?}") };
    let queue = queue_ref(&world.relay.namer().read(&queue.read_id));
    world.answer(ticket, Answer::Admitted { queue, sequence, after: 0, envelope });
    (ticket, op)
}

/// It is stored.
fn store(world: &mut World, (ticket, op): (Ticket, Op)) {
    let answer = world.answer_to(op);
    world.answer(ticket, answer);
    world.settle();
}

fn heard_nothing(world: &mut World, link: LinkId) -> bool {
    world.hear(link).is_empty()
}

#[test]
fn a_message_is_pushed_before_it_is_stored_and_its_sender_hears_only_then() {
    let (mut world, queue, mut sender, anna, boris) = scene();
    let (capsule, key) = sender.capsule(1);
    world.say(anna, &Command::Send { capsule });
    let waits = admit(&mut world, &queue, 2);
    let got = world.delivered(boris);
    assert_eq!((got.as_slice(), world.relay.changes), ([(2, 1)].as_slice(), 1));
    assert!(heard_nothing(&mut world, anna), "nothing is durable yet");
    assert_eq!(world.acknowledge(boris, &queue, got[0].0), Reply::Done);
    assert!(heard_nothing(&mut world, anna), "nor is it said by the reader's word alone");
    store(&mut world, waits);
    assert_eq!(world.relay.changes, 0);
    let heard = world.hear(anna);
    let [Heard::Reply(_, Reply::Sent(sealed))] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(key.open(sealed), Ok(SendReply::Stored));
    assert!(world.delivered(boris).is_empty(), "it comes once");
}

#[test]
fn what_was_pushed_and_not_stored_comes_again_by_its_sender() {
    let (mut world, queue, mut sender, anna, boris) = scene();
    let order = sender.order(1);
    let (capsule, key) = sender.seal(&order);
    world.say(anna, &Command::Send { capsule });
    let (ticket, mut op) = admit(&mut world, &queue, 2);
    assert_eq!(world.delivered(boris), [(2, 1)]);
    world.answer(ticket, Answer::Failed);
    let heard = world.hear(anna);
    let [Heard::Reply(_, Reply::Sent(sealed))] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(matches!(key.open(sealed), Ok(SendReply::Later { .. })), "its sender keeps it");
    // The engine never gives its place again: here another takes it, and goes.
    if let Op::Append { message, .. } = &mut op {
        *message = MessageName([7; 8]);
    }
    let Answer::Appended { queue: held, sequence: 2, .. } = world.answer_to(op) else { panic!() };
    world.answer_to(Op::Acknowledge { queue: held, upto: 2, now: world.now });
    assert_eq!(world.send(anna, &sender.seal(&order)), SendReply::Stored);
    assert_eq!(world.delivered(boris), [(3, 1)]);
    assert_eq!(world.acknowledge(boris, &queue, 3), Reply::Done);
}

#[test]
fn who_takes_the_queue_over_gets_what_was_pushed_to_another_and_then_stored() {
    let (mut world, queue, mut sender, anna, boris) = scene();
    let (capsule, _) = sender.capsule(1);
    world.say(anna, &Command::Send { capsule });
    let waits = admit(&mut world, &queue, 2);
    assert_eq!(world.delivered(boris), [(2, 1)]);
    let clara = world.connect();
    world.subscribe(clara, &queue);
    assert!(world.delivered(clara).is_empty(), "a fetch does not find it yet");
    store(&mut world, waits);
    assert_eq!(world.delivered(clara), [(2, 1)]);
}

#[test]
fn what_there_is_no_room_for_is_not_pushed_early_but_fetched_in_its_turn() {
    let (mut world, queue, mut sender, anna, boris) = scene();
    sender.size = 10_000;
    let mut waiting = Vec::new();
    for text in 1..=20 {
        let (capsule, _) = sender.capsule(text);
        world.say(anna, &Command::Send { capsule });
        waiting.push(admit(&mut world, &queue, u64::from(text) + 1));
    }
    let mut got = world.delivered(boris);
    assert_eq!(got.len(), 16, "a window");
    for one in waiting {
        store(&mut world, one);
    }
    while got.len() < 20 {
        world.acknowledge(boris, &queue, got.last().unwrap().0);
        let more = world.delivered(boris);
        assert!(!more.is_empty());
        got.extend(more);
    }
    assert_eq!(got.iter().map(|(_, text)| *text).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_new_subscription_to_an_empty_queue_gets_its_first_message_early() {
    let (mut world, queue, mut sender, anna, _) = scene();
    let clara = world.connect();
    world.subscribe(clara, &queue);
    let (capsule, _) = sender.capsule(1);
    world.say(anna, &Command::Send { capsule });
    let waits = admit(&mut world, &queue, 2);
    assert_eq!(world.delivered(clara), [(2, 1)]);
    store(&mut world, waits);
    assert!(world.delivered(clara).is_empty());
}
