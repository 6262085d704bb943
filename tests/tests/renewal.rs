//! A contact who comes back with another key, and one who does not come back.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::engine::{AcceptRequest, AskError, InviteRequest};
use beresta_client::store::contact::ContactState;
use beresta_client::store::event::EventKind;
use beresta_client::store::message::MessageState;
use beresta_proto::time::{HOUR_MS, MINUTE_MS};
use beresta_proto::words::Words;
use beresta_tests::world::{Who, World};

fn two(seed: u64) -> (World, Who, Who) {
    let mut world = World::new(seed);
    let anna = world.person("Anna");
    let boris = world.person("Boris");
    (world, anna, boris)
}

fn own_queues(world: &mut World, who: Who) -> usize {
    world.get(who).store.transaction(|tx| tx.own_queues()).unwrap().len()
}

#[test]
fn who_is_blocked_does_not_come_back_by_an_invite_that_was_open_for_them() {
    let (mut world, anna, boris) = two(134);
    let (to_boris, _) = world.meet(anna, boris);
    let request = || InviteRequest { hours: 24, name: Words::default(), renews: Some(to_boris) };
    let link = world.invite_with(anna, request()).unwrap();
    // One whose queue is being made, too.
    let asked = world.wish(anna, |engine, store, now| engine.invite_new(store, request(), now)).unwrap();
    world.wish(anna, |engine, store, now| engine.block(store, to_boris, now)).unwrap();
    let again = world.person("Boris");
    assert!(matches!(world.accept(again, link), Err(AskError::InviteGone)));
    world.run(HOUR_MS);
    assert_eq!(world.contacts(anna)[0].state, ContactState::Blocked);
    assert!(matches!(world.answer(anna, asked), Some(Err(AskError::Blocked))));
    assert_eq!(own_queues(&mut world, anna), 0);

    assert!(matches!(world.invite_with(anna, request()), Err(AskError::Blocked)));
    let link = world.invite(again).unwrap();
    let request = AcceptRequest { link, name: Words::default(), renews: Some(to_boris) };
    assert!(matches!(world.accept_with(anna, request), Err(AskError::Blocked)));
}

#[test]
fn what_waited_for_the_old_key_never_goes_to_a_new_one() {
    // Whose account id is the smaller one is the seed's.
    for seed in 300..306 {
        let (mut world, anna, boris) = two(seed);
        let mallory = world.person("Boris's new phone");
        let (to_boris, _) = world.meet(anna, boris);
        world.sleep(boris);
        let row = world.say(anna, to_boris, "for the old key").unwrap();
        world.run(MINUTE_MS);
        assert_eq!(world.state(anna, row), Some(MessageState::AtRelay));

        // Both use each other's invites at once, and Anna's names Boris.
        let (hers, his) = (world.invite(anna).unwrap(), world.invite(mallory).unwrap());
        let renews = AcceptRequest { link: his, name: Words::default(), renews: Some(to_boris) };
        world.wish(anna, |engine, store, now| engine.invite_accept(store, renews, now)).unwrap();
        let request = AcceptRequest { link: hers, name: Words::default(), renews: None };
        world.wish(mallory, |engine, store, now| engine.invite_accept(store, request, now)).unwrap();
        world.run(HOUR_MS);
        assert!(world.contacts(anna)[0].identity_changed);
        assert_eq!(world.state(anna, row), Some(MessageState::Failed));
        let to_anna = world.contacts(mallory)[0].id;
        assert_eq!(world.heard_texts(mallory, to_anna), Vec::<String>::new());

        world.decide(anna, to_boris);
        world.say(anna, to_boris, "for the new key").unwrap();
        world.run(HOUR_MS);
        assert_eq!(world.heard_texts(mallory, to_anna), ["for the new key"]);
    }
}

#[test]
fn a_late_message_of_the_old_device_accuses_nobody() {
    let (mut world, anna, boris) = two(135);
    let link = world.invite(anna).unwrap();
    let invite_queue = world.offer_of(&link).addresses;
    let to_anna = world.accept(boris, link).unwrap();
    world.run(MINUTE_MS);
    let to_boris = world.contacts(anna)[0].id;
    // He has not heard of the fresh queue, and writes to the invite's still.
    world.get(boris).store.transaction(|tx| tx.replace_peer_queues(to_anna, &invite_queue)).unwrap();
    world.go_offline(boris);
    world.say(boris, to_anna, "late").unwrap();

    let again = world.person("Boris");
    let request = InviteRequest { hours: 24, name: Words::default(), renews: Some(to_boris) };
    let link = world.invite_with(anna, request).unwrap();
    world.accept(again, link).unwrap();
    world.run(MINUTE_MS);
    assert_eq!(own_queues(&mut world, anna), 1);
    world.go_online(boris);
    world.run(HOUR_MS);
    assert!(!world.events(anna).contains(&EventKind::InviteUsedAgain));
}
