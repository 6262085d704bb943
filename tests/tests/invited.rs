//! Who is invited at a relay that asks for credits (rules I14 and Q2).

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::engine::{AcceptRequest, AskError};
use beresta_proto::address::RelayAddress;
use beresta_proto::command::Command;
use beresta_proto::credit::CreditCode;
use beresta_proto::id::RelayId;
use beresta_proto::invite::InviteLink;
use beresta_proto::key::Credit;
use beresta_proto::time::{MINUTE_MS, SECOND_MS};
use beresta_proto::words::Words;
use beresta_tests::world::{Who, World};

fn give(world: &mut World, who: Who, code: &CreditCode) {
    world.wish(who, |engine, store, now| engine.set_credit(store, code, now)).unwrap();
}

/// What an invite brought somebody for the relay.
fn handed(world: &mut World, who: Who) -> Option<Credit> {
    let relay = world.relay_address().relay;
    world.get(who).store.transaction(|tx| tx.handed_credit(&relay)).unwrap()
}

fn bring(world: &mut World, who: Who, credit: &Credit) {
    let relay = world.relay_address().relay;
    world.get(who).store.transaction(|tx| tx.set_handed_credit(&relay, credit)).unwrap();
}

/// Begins to accept a link, and waits for nothing.
fn begin(world: &mut World, who: Who, link: InviteLink) {
    let request = AcceptRequest { link, name: Words::default(), renews: None };
    world.wish(who, |engine, store, now| engine.invite_accept(store, request, now)).unwrap();
}

/// Somebody with a credit for `makes`, their invite, and somebody without.
fn scene(seed: u64, makes: u32) -> (World, Who, Who, InviteLink) {
    let mut world = World::new(seed);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    world.ask_for_credits();
    let code = world.grant(makes);
    give(&mut world, anna, &code);
    let link = world.invite(anna).unwrap();
    (world, anna, boris, link)
}

/// Both hear each other.
fn talk(world: &mut World, anna: Who, boris: Who) {
    world.run(MINUTE_MS);
    let mut first = |who| world.contacts(who).first().unwrap().id;
    let (to_boris, to_anna) = (first(anna), first(boris));
    world.say(anna, to_boris, "welcome").unwrap();
    world.say(boris, to_anna, "thank you").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["welcome"]);
    assert_eq!(world.heard_texts(anna, to_boris), ["thank you"]);
}

#[test]
fn who_is_invited_with_a_credit_comes_in_by_the_invite_alone() {
    // A queue for the invite, the invite with two queues for Boris, and a queue of Anna's own for him.
    let (mut world, anna, boris, link) = scene(700, 5);
    world.accept(boris, link).unwrap();
    talk(&mut world, anna, boris);
    assert!(matches!(world.invite(boris), Err(AskError::NoCredit)), "it brings nobody else");
}

#[test]
fn a_queue_whose_reply_was_lost_is_paid_for_once_more() {
    let (mut world, anna, boris, link) = scene(701, 9);
    let before = world.held().queues;
    begin(&mut world, boris, link.clone());
    while world.held().queues == before {
        world.run(1);
    }
    world.break_line(boris);
    world.run(MINUTE_MS);
    assert!(world.contacts(boris).is_empty());
    world.accept(boris, link).unwrap();
    talk(&mut world, anna, boris);
    assert_eq!(world.held().handed_credits, 0);
}

#[test]
fn who_crashed_between_claim_and_queue_comes_in() {
    let (mut world, anna, boris, link) = scene(702, 9);
    begin(&mut world, boris, link.clone());
    while handed(&mut world, boris).is_none() {
        world.run(1);
    }
    world.crash(boris);
    world.run(SECOND_MS);
    world.accept(boris, link).unwrap();
    talk(&mut world, anna, boris);
}

#[test]
fn what_an_invite_brought_and_is_used_up_gives_way_to_a_code() {
    let mut world = World::new(703);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let links = [world.invite(anna).unwrap(), world.invite(anna).unwrap()];
    world.ask_for_credits();
    let used_up = Credit::take(&mut [9; 32]);
    bring(&mut world, boris, &used_up);
    let [first, second] = links;
    assert!(matches!(world.accept(boris, first), Err(AskError::NoCredit)));
    assert!(handed(&mut world, boris).is_none());
    bring(&mut world, boris, &used_up);
    let code = world.grant(3);
    give(&mut world, boris, &code);
    world.accept(boris, second).unwrap();
    assert!(handed(&mut world, boris).is_none());
}

#[test]
fn what_an_invite_brings_is_for_its_own_relay_alone() {
    let (mut world, _, boris, link) = scene(704, 9);
    let elsewhere = RelayAddress { relay: RelayId([3; 32]), routes: world.relay_address().routes };
    world.get(boris).store.transaction(|tx| tx.set_home(&elsewhere)).unwrap();
    begin(&mut world, boris, link.clone());
    world.run(MINUTE_MS);
    let of_elsewhere = world.get(boris).store.transaction(|tx| tx.handed_credit(&elsewhere.relay)).unwrap();
    assert!(handed(&mut world, boris).is_none() && of_elsewhere.is_none());
    let credit = world.offer_of(&link).credit.unwrap();
    let shown = world.tap.iter().filter(|(to_relay, _)| *to_relay).any(|(_, frame)| {
        matches!(Command::decode(frame), Ok((_, Command::MakeQueue { credit: Some(shown), .. })) if shown == credit)
    });
    assert!(!shown);
}
