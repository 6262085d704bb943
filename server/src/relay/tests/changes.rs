//! What changes something goes to the engine in turn (rule L6): who asks without end fills its row for nobody else.

use beresta_proto::auth;
use beresta_proto::command::Command;
use beresta_proto::key::{SendCapability, SigningKey};
use beresta_proto::reply::Reply;

use super::super::{Limits, LinkId};
use super::delivery::texts;
use super::world::{Queue, World, exporter};
use crate::queue::{Answer, Op};

const MOST: usize = 4;

/// So many links, each of which wants eight queues made at once.
fn flood(world: &mut World, links: usize) -> Vec<LinkId> {
    let links: Vec<LinkId> = (0..links).map(|_| world.connect()).collect();
    for _ in 0..8 {
        for link in &links {
            let read_key = SigningKey::random(&mut world.rng).verifying_key().unwrap();
            let capability = SendCapability::random(&mut world.rng).hash();
            world.say(*link, &Command::MakeQueue { read_key, capability, credit: None });
        }
    }
    links
}

#[test]
fn no_more_is_changed_at_once_than_the_engine_has_room_for_and_links_take_turns() {
    let mut world = World::with(Limits { changes: MOST, ..Limits::default() });
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    world.subscribe(boris, &queue);
    let mut sender = world.sender(&queue);
    world.send(anna, &sender.capsule(0));
    let links = flood(&mut world, 9);
    assert_eq!(world.asked.len(), MOST);
    for text in 1..4 {
        let (capsule, _) = sender.capsule(text);
        world.say(anna, &Command::Send { capsule });
        while world.work() {}
    }
    let mut others = 0;
    while world.replies(anna).is_empty() {
        let (ticket, answer) = world.carry_out().unwrap();
        world.answer(ticket, answer);
        assert!(world.asked.iter().filter(|(_, op)| !matches!(op, Op::Fetch { .. })).count() <= MOST);
        others += 1;
    }
    assert!(others <= 2 * links.len(), "{others} were looked after first");
    world.settle();
    assert_eq!(texts(&world.delivered(boris)), [0, 1, 2, 3], "a link's own stay in their order");
    for link in links {
        let replies = world.replies(link);
        assert!(replies.len() == 8 && replies.iter().all(|one| matches!(one, Reply::QueueMade { .. })));
    }
    assert_eq!(world.relay.changes, 0);
    assert!(!world.relay.is_busy());
    assert!(world.relay.links.values().all(|one| one.changes.capacity() == 0), "who waited keeps no room");
}

#[test]
fn what_a_link_waited_for_is_not_carried_out_once_it_is_gone() {
    let mut world = World::with(Limits { changes: MOST, ..Limits::default() });
    let links = flood(&mut world, 9);
    let made = world.asked.len();
    for link in links {
        world.close(link);
    }
    let mut carried_out = 0;
    while let Some((ticket, answer)) = world.carry_out() {
        world.answer(ticket, answer);
        carried_out += 1;
    }
    assert_eq!((made, carried_out, world.relay.changes), (MOST, MOST, 0));
    let _ = world.make_queue();
}

/// Looks everything up and checks signatures. What changes something stays with the engine.
fn look_up(world: &mut World) {
    loop {
        while world.work() {}
        let Some(at) = world.asked.iter().position(|(_, op)| matches!(op, Op::Find { .. })) else { return };
        let (ticket, op) = world.asked.remove(at).unwrap();
        let answer = world.answer_to(op);
        world.answer(ticket, answer);
    }
}

/// Deletions that are with the engine.
fn deletions(world: &World) -> usize {
    world.asked.iter().filter(|(_, op)| matches!(op, Op::DeleteQueue { .. })).count()
}

/// Links, each of which wants so many queues deleted at once.
fn deletes(world: &mut World, queues: &[usize]) -> Vec<LinkId> {
    let of = |count: &usize| (world.connect(), (0..*count).map(|_| world.make_queue()).collect());
    let links: Vec<(LinkId, Vec<Queue>)> = queues.iter().map(of).collect();
    for (link, queues) in &links {
        for Queue { read_id, read_key, .. } in queues {
            let signature = read_key.sign(&auth::delete_queue(&exporter(*link), read_id)).unwrap();
            world.say(*link, &Command::DeleteQueue { queue: *read_id, signature });
            look_up(world);
        }
    }
    links.into_iter().map(|(link, _)| link).collect()
}

#[test]
fn who_deletes_many_queues_has_few_of_them_with_the_engine_and_others_go_on_meanwhile() {
    let mut world = World::with(Limits { deletions: MOST, ..Limits::default() });
    let queue = world.make_queue();
    let (anna, mut sender) = (world.connect(), world.sender(&queue));
    world.send(anna, &sender.capsule(0));
    let links = deletes(&mut world, &[9, 1]);
    assert_eq!(deletions(&world), MOST);
    let (capsule, _) = sender.capsule(1);
    world.say(anna, &Command::Send { capsule });
    assert!(
        matches!(world.asked.back(), Some((_, Op::Append { .. }))),
        "a message waits behind none in the row"
    );
    for others in 0.. {
        let (ticket, answer) = world.carry_out().unwrap();
        world.answer(ticket, answer);
        assert!(deletions(&world) <= MOST);
        if world.replies(links[1]) == [Reply::Done] {
            assert!(others <= MOST + 2, "{others} were looked after first");
            break;
        }
    }
    world.settle();
    assert_eq!(world.replies(links[0]), [const { Reply::Done }; 9]);
    assert_eq!(world.relay.deletions, 0);
    assert!(!world.relay.is_busy());
}

#[test]
fn queues_that_wait_for_their_turn_to_be_deleted_stay_where_their_link_ends() {
    let mut world = World::with(Limits { deletions: MOST, ..Limits::default() });
    let links = deletes(&mut world, &[9, 9]);
    for link in links {
        world.close(link);
    }
    world.settle();
    let Answer::Stats(stats) = world.answer_to(Op::Stats) else { panic!() };
    assert_eq!((stats.queues, world.relay.deletions), (18 - MOST as u64, 0));
    deletes(&mut world, &[1]);
    assert_eq!(deletions(&world), 1);
}

#[test]
fn who_acknowledges_much_at_once_has_as_many_messages_with_the_engine_as_others() {
    let mut world = World::with(Limits { changes: MOST, ..Limits::default() });
    let boris = world.connect();
    let mut filled = Vec::new();
    for _ in 0..3 {
        let queue = world.make_queue();
        let (anna, mut sender) = (world.connect(), world.sender(&queue));
        world.subscribe(boris, &queue);
        for text in 0..6 {
            world.send(anna, &sender.capsule(text));
        }
        filled.push(queue);
    }
    let last = world.delivered(boris).iter().map(|(sequence, _)| *sequence).max().unwrap();
    for queue in &filled {
        world.say(boris, &Command::Acknowledge { queue: queue.read_id, upto: last });
    }
    let acknowledged = world.asked.iter().filter(|(_, op)| matches!(op, Op::Acknowledge { .. }));
    assert_eq!(acknowledged.count(), 1, "six messages are more than {MOST}");
    world.settle();
    assert_eq!(world.replies(boris), [const { Reply::Done }; 3]);
    assert_eq!(world.relay.changes, 0);
}
