//! What a link has room for, and who gets it.

use beresta_proto::command::Command;
use beresta_proto::limits::WINDOW_BYTES;
use beresta_proto::reply::{Heard, Push};

use super::super::Limits;
use super::world::{Queue, World, subscription};

/// Messages of 16 KiB in a queue, more than a window.
const MANY: u32 = 40;

fn filled(world: &mut World) -> Queue {
    let queue = world.make_queue();
    let (anna, mut sender) = (world.connect(), world.sender(&queue));
    sender.size = 10_000;
    for text in 0..MANY {
        world.send(anna, &sender.capsule(text));
    }
    queue
}

#[test]
fn a_queue_that_waits_for_room_is_read_before_those_that_are_acknowledged_again_and_again() {
    let mut world = World::new();
    let [one, two, patient] = [(); 3].map(|()| filled(&mut world));
    let boris = world.connect();
    let wanted = [&one, &two, &patient].map(|queue| subscription(boris, queue)).to_vec();
    world.say(boris, &Command::Subscribe(wanted));
    world.settle();
    // Two windows are on their way to a reader who is slow, and more has no room.
    assert!(world.heard_unwritten(boris) > 2 * WINDOW_BYTES);
    // Each message is acknowledged as it comes: there is always some room, and seldom half of it.
    let mut others = 0;
    while let Some(heard) = world.hear_next(boris) {
        let Heard::Push(Push::Deliver { queue, sequence, .. }) = heard else { continue };
        if queue == patient.read_id {
            break;
        }
        others += 1;
        world.say(boris, &Command::Acknowledge { queue, upto: sequence });
        world.settle();
    }
    assert!(others < MANY + 10, "{others} of the others came before");
}

#[test]
fn who_writes_at_the_pace_of_a_slow_reader_passes_no_queue_that_waits_for_room() {
    let mut world = World::new();
    let [one, two, patient] = [(); 3].map(|()| filled(&mut world));
    let live = world.make_queue();
    let (anna, mut sender) = (world.connect(), world.sender(&live));
    sender.size = 10_000;
    let boris = world.connect();
    let wanted = [&live, &one, &two, &patient].map(|queue| subscription(boris, queue)).to_vec();
    world.say(boris, &Command::Subscribe(wanted));
    world.settle();
    // Some of it is written: there is room for one message, and not for a queue.
    world.hear_next(boris);
    world.hear_next(boris);
    world.send(anna, &sender.capsule(0));
    let mut queues = Vec::new();
    while let Some(heard) = world.hear_next(boris) {
        if let Heard::Push(Push::Deliver { queue, .. }) = heard {
            queues.push(queue);
        }
        world.settle();
    }
    let first = |queue: &Queue| queues.iter().position(|one| *one == queue.read_id).unwrap();
    assert!(first(&patient) < first(&live), "{} {}", first(&patient), first(&live));
}

#[test]
fn where_all_together_hold_too_much_a_queue_is_read_by_what_a_link_may_have() {
    let limits = Limits { held_of_all: 0, ..Limits::default() };
    let mut world = World::with(limits);
    let queue = filled(&mut world);
    let boris = world.connect();
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    world.settle();
    let pushed = world.heard_unwritten(boris);
    assert!(pushed <= 2 * limits.share + 4 * 1_024, "{pushed} bytes");
    let mut got = 0;
    while let Some(heard) = world.hear_next(boris) {
        if let Heard::Push(Push::Deliver { queue, sequence, .. }) = heard {
            got += 1;
            assert_eq!(sequence, got);
            world.say(boris, &Command::Acknowledge { queue, upto: sequence });
        }
        world.settle();
    }
    assert_eq!(got, u64::from(MANY));
}
