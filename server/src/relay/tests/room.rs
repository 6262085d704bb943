//! What a link has room for, and who gets it.

use beresta_proto::command::Command;
use beresta_proto::envelope::Bucket;
use beresta_proto::frame::Class;
use beresta_proto::limits::{BLOB, WINDOW_BYTES};
use beresta_proto::reply::{Heard, Push, Refusal, Reply};

use super::super::{Limits, LinkId};
use super::blobs::{claim, key, put};
use super::delivery::subscribed;
use super::takeover::{begin_to_fetch, takes_over};
use super::told::{REPORT, crowded};
use super::world::{Queue, World, subscription};
use crate::queue::Answer;

/// Messages of 16 KiB in a queue, more than a window.
const MANY: u32 = 40;

fn filled(world: &mut World) -> Queue {
    filled_with(world, MANY, 10_000)
}

/// A queue with so many messages of so many bytes.
fn filled_with(world: &mut World, messages: u32, size: usize) -> Queue {
    let queue = world.make_queue();
    let (anna, mut sender) = (world.connect(), world.sender(&queue));
    sender.size = size;
    for text in 0..messages {
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
    assert!(pushed < limits.share + LONGEST, "{pushed} bytes");
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

const LONGEST: usize = Class::Bucket(Bucket::L).size();

/// Says the same as long as the link is read from: how often.
fn say_on(world: &mut World, link: LinkId, command: &Command) -> usize {
    let mut said = 0;
    while world.relay.may_read(link) {
        world.say(link, command);
        said += 1;
    }
    said
}

#[test]
fn answers_that_are_still_to_come_have_their_room_from_when_they_are_asked_for() {
    let (mut world, share) = crowded();
    let (owner, link) = (world.connect(), world.connect());
    world.ask(owner, &put(&key(1), 7));
    let claim = claim(link, &key(2));
    for _ in 0..3 {
        let said = say_on(&mut world, link, &claim);
        world.settle();
        let unwritten = world.heard_unwritten(link);
        assert!(unwritten < share + Class::Bucket(Bucket::M).size(), "said {said} unwritten {unwritten}");
        assert!(!world.relay.may_read(link));
        let resumed = world.resumed;
        assert_eq!(world.replies(link), vec![Reply::Blob(vec![7; BLOB]); said]);
        assert_eq!((world.resumed, world.relay.links[&link].held), (resumed + 1, 0));
    }
}

#[test]
fn an_answer_that_did_not_come_gives_its_room_back_however_it_ended() {
    let (mut world, _) = crowded();
    let (owner, link, gone) = (world.connect(), world.connect(), world.connect());
    world.ask(owner, &put(&key(1), 7));
    world.hear(owner);
    // For another link, so that no signature is right.
    let said = say_on(&mut world, link, &claim(owner, &key(2)));
    world.settle();
    assert_eq!(world.replies(link), vec![Reply::Refused(Refusal::Gone); said]);
    assert_eq!(world.relay.held, 0);
    // The engine fails.
    let said = say_on(&mut world, link, &claim(link, &key(2)));
    while world.work() {}
    while let Some((ticket, _)) = world.asked.pop_front() {
        world.answer(ticket, Answer::Failed);
        while world.work() {}
    }
    assert_eq!(world.replies(link), vec![Reply::Refused(Refusal::Failed); said]);
    assert_eq!(world.relay.held, 0);
    // More than it may ask for.
    world.relay.limits.burst = 1;
    let poor = world.connect();
    world.say(poor, &claim(poor, &key(2)));
    assert_eq!(world.replies(poor), [Reply::Refused(Refusal::RateLimited)]);
    // Its link is gone.
    say_on(&mut world, gone, &claim(gone, &key(2)));
    world.close(gone);
    world.settle();
    assert_eq!(world.relay.held, 0);
    assert!(!world.relay.is_busy());
}

#[test]
fn the_word_that_a_link_has_caught_up_has_its_room_with_what_it_asked() {
    let limits = Limits { held_of_all: 0, outstanding: 256, ..Limits::default() };
    let mut world = World::with(limits);
    let queue = world.make_queue();
    let link = world.connect();
    let said = say_on(&mut world, link, &Command::Subscribe(vec![subscription(link, &queue)]));
    world.settle();
    let unwritten = world.heard_unwritten(link);
    assert!(unwritten <= limits.share, "said {said} unwritten {unwritten}");
    assert_eq!(world.replies(link), vec![subscribed(); said]);
}

#[test]
fn who_has_hardly_any_room_left_is_read_for_by_what_is_left_of_it() {
    let (mut world, share) = crowded();
    let (one, many) = (filled_with(&mut world, 1, 10_000), filled(&mut world));
    let short = filled_with(&mut world, MANY, 10);
    for (first, second) in [(&one, &many), (&one, &short), (&short, &many), (&many, &short)] {
        let boris = world.connect();
        for queue in [first, second] {
            world.say(boris, &Command::Subscribe(vec![subscription(boris, queue)]));
            world.settle();
        }
        let unwritten = world.heard_unwritten(boris);
        assert!(unwritten < share + LONGEST, "{unwritten} bytes");
        world.close(boris);
    }
}

#[test]
fn who_has_hardly_any_room_left_takes_over_no_more_of_what_is_being_read_than_fits() {
    let (mut world, share) = crowded();
    let (one, many) = (filled_with(&mut world, 1, 10_000), filled_with(&mut world, MANY, 3_000));
    let (anna, boris) = (world.connect(), world.connect());
    world.subscribe(boris, &one);
    let (ticket, answer) = begin_to_fetch(&mut world, anna, &many);
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &many)]));
    world.settle();
    world.answer(ticket, answer);
    world.settle();
    let unwritten = world.heard_unwritten(boris);
    assert!(unwritten < share + LONGEST, "{unwritten} bytes");
    world.close(boris);
    // Who has as much room as who lost it takes it over whole.
    let clara = world.connect();
    world.hear(anna);
    let (ticket, answer) = begin_to_fetch(&mut world, anna, &many);
    takes_over(&mut world, clara, &many);
    world.answer(ticket, answer);
    world.settle();
    assert!(!world.delivered(clara).is_empty());
}

#[test]
fn nobody_waits_for_room_until_less_is_reported_than_the_driver_reports_together() {
    let (mut world, _) = crowded();
    let queues =
        [filled(&mut world), filled_with(&mut world, MANY, 10), filled_with(&mut world, MANY, 3_000)];
    let (owner, boris) = (world.connect(), world.connect());
    world.ask(owner, &put(&key(1), 7));
    let wanted = queues.iter().map(|queue| subscription(boris, queue)).collect();
    world.say(boris, &Command::Subscribe(wanted));
    let (mut got, mut blobs) = (0, say_on(&mut world, boris, &claim(boris, &key(2))));
    loop {
        world.settle();
        let is_reported = world.heard_unwritten(boris) >= REPORT;
        for heard in world.hear(boris) {
            match heard {
                Heard::Push(Push::Deliver { .. }) => got += 1,
                Heard::Reply(_, Reply::Blob(_)) => blobs -= 1,
                Heard::Push(_) | Heard::Reply(..) => {}
            }
        }
        if !is_reported {
            break;
        }
    }
    assert_eq!((got, blobs), (16 + 32 + 32, 0), "a window of each");
}
