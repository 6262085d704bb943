use beresta_proto::capsule::SendReply;
use beresta_proto::command::Command;
use beresta_proto::key::SendCapability;
use beresta_proto::reply::{Reply, Subscribed};
use beresta_proto::time::{HOUR_MS, MINUTE_MS, SECOND_MS};

use super::super::*;
use super::world::World;

#[test]
fn where_places_are_short_who_holds_one_for_nothing_gives_it_up() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut anna = world.sender(&queue);
    let (reader, sender, idle) = (world.connect(), world.connect(), world.connect());
    world.subscribe(reader, &queue);
    for minute in 0..3 {
        assert_eq!(world.closed.len(), 0, "{minute}: places are not short");
        world.ask(idle, &Command::Descriptor);
        assert_eq!(world.send(sender, &anna.capsule(minute)), SendReply::Stored);
        world.pass(MINUTE_MS);
    }
    world.pass_in_a_crowd(0);
    assert_eq!(world.closed.remove(&idle), Some(CloseReason::Unused), "whatever it asks for");
    assert_eq!(world.closed.len(), 0);

    world.pass_in_a_crowd(30 * SECOND_MS - 1);
    assert_eq!(world.closed.len(), 0, "it sent something not a minute and a half ago");
    // What is refused is of no use.
    let mut wrong = anna.order(9);
    wrong.capability = SendCapability::random(&mut world.rng);
    let capsule = anna.seal(&wrong);
    assert_eq!(world.send(sender, &capsule), SendReply::Gone);
    world.pass_in_a_crowd(1);
    assert_eq!(world.closed.remove(&sender), Some(CloseReason::Unused));
    world.pass_in_a_crowd(24 * HOUR_MS);
    assert_eq!(world.closed.len(), 0, "who is pushed to stays");
    world.close(reader);
    assert_eq!(world.relay.places.sizes(), (0, 0));
}

#[test]
fn a_queue_is_worth_three_places_however_many_links_read_it_and_send_to_it() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut anna = world.sender(&queue);
    let links: Vec<_> = (0..40).map(|_| world.connect()).collect();
    let (readers, senders) = links.split_at(20);
    for link in readers {
        assert_eq!(world.subscribe(*link, &queue), Reply::Subscribed(vec![Subscribed::Ok]));
    }
    // What comes again is not stored again.
    let repeated = anna.capsule(0);
    world.pass(60 * SECOND_MS);
    for link in senders {
        assert_eq!(world.send(*link, &anna.capsule(1)), SendReply::Stored);
    }
    for link in senders {
        assert_eq!(world.send(*link, &repeated), SendReply::Stored);
    }
    world.pass_in_a_crowd(60 * SECOND_MS);
    let stay: Vec<_> = links.iter().filter(|link| !world.closed.contains_key(link)).collect();
    assert_eq!(
        stay,
        [&readers[18], &readers[19], &senders[0]],
        "who reads, who did before, whose message was stored last"
    );
    world.pass_in_a_crowd(MINUTE_MS);
    assert!(world.closed.contains_key(&senders[0]));
}

#[test]
fn by_whom_something_was_sent_is_not_remembered_for_as_long_as_they_stay() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut anna = world.sender(&queue);
    let sender = world.connect();
    assert_eq!(world.send(sender, &anna.capsule(1)), SendReply::Stored);
    assert_eq!(world.relay.places.sizes(), (1, 1));
    world.pass(5 * MINUTE_MS);
    assert_eq!((world.relay.places.sizes(), world.relay.links()), ((0, 0), 1));
}

#[test]
fn two_programs_of_one_person_do_not_take_a_queue_from_each_other_for_ever() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (one, other) = (world.connect(), world.connect());
    world.subscribe(one, &queue);
    for link in [other, one, other] {
        world.subscribe(link, &queue);
        world.pass_in_a_crowd(HOUR_MS);
    }
    assert_eq!(world.closed.len(), 0, "who was closed would come again, and take it back");
}

#[test]
fn who_waits_for_an_answer_is_not_hung_up_on_at_once() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (capsule, _) = world.sender(&queue).capsule(1);
    let sender = world.connect();
    world.say(sender, &Command::Send { capsule });
    world.pass_in_a_crowd(180 * SECOND_MS - 1);
    assert_eq!(world.closed.len(), 0);
    world.pass_in_a_crowd(1);
    assert_eq!(world.closed.len(), 1, "or it would ask for something again and again");
}

#[test]
fn many_that_are_hung_up_on_hold_nobody_up() {
    let mut world = World::new();
    for _ in 0..300 {
        world.connect();
    }
    world.pass_in_a_crowd(HOUR_MS);
    assert_eq!(world.closed.len(), 256);
    world.pass_in_a_crowd(SECOND_MS);
    assert_eq!(world.closed.len(), 300);
}

#[test]
fn a_clock_that_is_set_back_keeps_no_place_for_who_does_nothing() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut anna = world.sender(&queue);
    let (idle, sender) = (world.connect(), world.connect());
    world.send(sender, &anna.capsule(1));
    world.now = world.now.minus(HOUR_MS);
    world.pass_in_a_crowd(0);
    world.pass_in_a_crowd(90 * SECOND_MS);
    assert_eq!(world.closed.len(), 2);
    assert_eq!(world.closed.get(&idle), Some(&CloseReason::Unused));
}
