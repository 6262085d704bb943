//! What changes something goes to the engine in turn (rule L6): who asks without end fills its row for nobody else.

use beresta_proto::command::Command;
use beresta_proto::key::{SendCapability, SigningKey};
use beresta_proto::reply::Reply;

use super::super::{Limits, LinkId};
use super::delivery::texts;
use super::world::World;
use crate::queue::Op;

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
