//! Who is invited at a relay that asks for credits (rules I14 and Q2).

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::engine::{AcceptRequest, AskError};
use beresta_proto::command::Command;
use beresta_proto::credit::CreditCode;
use beresta_proto::invite::{InviteLink, Offer};
use beresta_proto::key::Credit;
use beresta_proto::reply::{Heard, Reply};
use beresta_proto::time::{MINUTE_MS, SECOND_MS};
use beresta_proto::words::Words;
use beresta_tests::world::{Who, World};

fn give(world: &mut World, who: Who, code: &CreditCode) {
    world.wish(who, |engine, store, now| engine.set_credit(store, code, now)).unwrap();
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
    let claimed = |world: &World| {
        world.tap.iter().any(|(to_relay, frame)| {
            !to_relay && matches!(Heard::decode(frame), Ok(Heard::Reply(_, Reply::Blob(_))))
        })
    };
    while !claimed(&world) {
        world.run(1);
    }
    world.crash(boris);
    world.run(SECOND_MS);
    assert!(world.contacts(boris).is_empty());
    world.accept(boris, link).unwrap();
    talk(&mut world, anna, boris);
}

/// An invite of Anna's that brings something else than it was made with.
fn altered(world: &mut World, link: &InviteLink, credit: Credit) -> InviteLink {
    let offer = Offer { credit: Some(credit), ..world.offer_of(link) };
    world.plant(&offer)
}

/// What somebody showed to make queues.
fn shown(world: &World) -> Vec<Option<Credit>> {
    let commands = world.tap.iter().filter(|(to_relay, _)| *to_relay);
    let made = commands.filter_map(|(_, frame)| match Command::decode(frame) {
        Ok((_, Command::MakeQueue { credit, .. })) => Some(credit),
        _ => None,
    });
    made.collect()
}

#[test]
fn what_an_invite_brought_and_the_relay_refuses_gives_way_to_a_code() {
    let mut world = World::new(703);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let link = world.invite(anna).unwrap();
    let none = Credit::take(&mut [9; 32]);
    let link = altered(&mut world, &link, none.clone());
    world.ask_for_credits();
    world.tap.clear();
    assert!(matches!(world.accept(boris, link.clone()), Err(AskError::NoCredit)));
    assert!(shown(&world) == [Some(none.clone()), None], "once each");
    let code = world.grant(3);
    give(&mut world, boris, &code);
    world.tap.clear();
    world.accept(boris, link).unwrap();
    assert!(shown(&world).starts_with(&[Some(none), Some(code.credit)]));
}

#[test]
fn what_an_invite_brings_is_shown_once_and_for_the_queue_of_that_contact_alone() {
    let (mut world, anna, boris, link) = scene(704, 20);
    let credit = world.offer_of(&link).credit.unwrap();
    world.accept(boris, link).unwrap();
    talk(&mut world, anna, boris);
    // Another contact, by an invite that brings nothing: a code is asked for.
    let vera = world.person("Vera");
    let code = world.grant(20);
    give(&mut world, vera, &code);
    let theirs = world.invite(vera).unwrap();
    let without = Offer { credit: None, ..world.offer_of(&theirs) };
    world.serve_everybody();
    let theirs = world.plant(&without);
    world.ask_for_credits();
    world.run(MINUTE_MS);
    let without = world.accept(boris, theirs);
    assert!(matches!(without, Err(AskError::NoCredit)), "{without:?}");
    assert_eq!(shown(&world).iter().filter(|shown| **shown == Some(credit.clone())).count(), 1);
}
