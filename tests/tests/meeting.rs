//! Two people who meet when it does not go as it should (rules I6, I8 and I9).

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::engine::AcceptRequest;
use beresta_client::store::contact::{Contact, ContactState};
use beresta_client::store::event::{DropReason, EventKind};
use beresta_proto::invite::InviteLink;
use beresta_proto::time::{HOUR_MS, MINUTE_MS};
use beresta_proto::words::Words;
use beresta_tests::world::{Who, World};

/// Begins to accept a link, and waits for nothing.
fn begin(world: &mut World, who: Who, link: InviteLink) {
    let request = AcceptRequest { link, name: Words::default(), renews: None };
    world.wish(who, |engine, store, now| engine.invite_accept(store, request, now)).unwrap();
}

/// Lets time pass until a person has a contact.
fn first_contact(world: &mut World, who: Who) -> Contact {
    loop {
        if let Some(contact) = world.contacts(who).first() {
            return contact.clone();
        }
        world.run(1);
    }
}

#[test]
fn two_who_use_each_other_s_invites_at_once_meet() {
    // Whose account id is the smaller one is the seed's.
    for seed in 200..206 {
        let mut world = World::new(seed);
        let (anna, boris) = (world.person("Anna"), world.person("Boris"));
        let (hers, his) = (world.invite(anna).unwrap(), world.invite(boris).unwrap());
        begin(&mut world, anna, his);
        begin(&mut world, boris, hers);
        let (to_boris, to_anna) = (first_contact(&mut world, anna).id, first_contact(&mut world, boris).id);
        world.say(anna, to_boris, "at once, Anna").unwrap();
        world.say(boris, to_anna, "at once, Boris").unwrap();
        world.run(MINUTE_MS);
        world.say(anna, to_boris, "later, Anna").unwrap();
        world.say(boris, to_anna, "later, Boris").unwrap();
        world.run(MINUTE_MS);
        assert_eq!(world.heard_texts(boris, to_anna), ["at once, Anna", "later, Anna"]);
        assert_eq!(world.heard_texts(anna, to_boris), ["at once, Boris", "later, Boris"]);
        let (one, other) = (world.contacts(anna).remove(0), world.contacts(boris).remove(0));
        assert_eq!((one.state, other.state), (ContactState::Active, ContactState::Active));
        assert_eq!(one.conversation, other.conversation);
        assert!(
            world.events(anna).contains(&EventKind::Met) && world.events(boris).contains(&EventKind::Met)
        );
    }
}

#[test]
fn nothing_overtakes_the_first_message() {
    let mut world = World::new(210);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let link = world.invite(anna).unwrap();
    world.refuses = 1;
    begin(&mut world, boris, link);
    let to_anna = first_contact(&mut world, boris).id;
    for text in ["one", "two", "three"] {
        world.say(boris, to_anna, text).unwrap();
    }
    world.run(HOUR_MS);
    let to_boris = first_contact(&mut world, anna).id;
    assert_eq!(world.heard_texts(anna, to_boris), ["one", "two", "three"]);
    assert_eq!(world.dropped(anna, DropReason::Content), 0);
}

#[test]
fn a_second_key_on_an_invite_queue_is_refused_and_shown() {
    let mut world = World::new(220);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let vera = world.person("Vera");
    let link = world.invite(anna).unwrap();
    world.accept(boris, link.clone()).unwrap();
    assert!(!world.events(anna).contains(&EventKind::InviteUsedAgain));
    // The relay hands the blob to somebody else who has the link.
    let offer = world.offer_of(&link);
    let copy = world.plant(&offer);
    world.accept(vera, copy).unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.contacts(anna).len(), 1);
    assert_eq!(world.contacts(anna)[0].name.as_str(), "Boris");
    assert_eq!(world.dropped(anna, DropReason::NotOwner), 1);
    assert!(world.events(anna).contains(&EventKind::InviteUsedAgain));
    assert_eq!(world.contacts(vera)[0].state, ContactState::Meeting);
}
