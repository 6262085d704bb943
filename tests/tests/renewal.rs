//! A contact who comes back with another key, and one who does not come back.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::engine::{AcceptRequest, AskError, InviteRequest, SendRefused};
use beresta_client::store::StoreError;
use beresta_client::store::contact::ContactState;
use beresta_client::store::event::{DropReason, EventKind};
use beresta_client::store::message::MessageState;
use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::content::Body;
use beresta_proto::id::RelayId;
use beresta_proto::limits::SENDER_AHEAD;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
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

#[test]
fn whoever_writes_from_a_seized_device_is_told_of_and_not_heard() {
    let (mut world, anna, boris) = two(141);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "before").unwrap();
    // Before a receipt is the last that was delivered.
    world.run(SECOND_MS);
    let push = world.last_delivery();
    let link = world.invite(anna).unwrap();
    world.wish(anna, |engine, store, now| engine.seized(store, to_boris, now)).unwrap();

    // What was on its way already, and an invite that the device finds open.
    world.push(anna, push);
    assert_eq!(world.dropped(anna, DropReason::Seized), 1);
    assert!(world.events(anna).contains(&EventKind::SeizedWrote));
    let request = AcceptRequest { link, name: "".into(), renews: Some(to_anna) };
    world.accept_with(boris, request).unwrap();
    world.run(MINUTE_MS);
    // What makes them a contact again, and what Anna had not said that she has, once more.
    assert_eq!(world.dropped(anna, DropReason::Seized), 3);
    assert_eq!(world.contacts(anna).len(), 1);
    assert_eq!(world.heard_texts(anna, to_boris), ["before"]);
    assert!(matches!(world.say(anna, to_boris, "no"), Err(SendRefused::Blocked)));
}

#[test]
fn the_way_to_a_seized_device_is_forgotten_at_both_ends() {
    let (mut world, anna, boris) = two(142);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "read").unwrap();
    world.run(MINUTE_MS);
    world.read_all(anna);
    world.say(boris, to_anna, "not read").unwrap();
    world.run(MINUTE_MS);
    world.go_offline(anna);
    let waits = world.say(anna, to_boris, "too late").unwrap();
    world.wish(anna, |engine, store, now| engine.seized(store, to_boris, now)).unwrap();
    world.go_online(anna);
    world.run(HOUR_MS);

    // Held aside: nobody is shown it as new, and it is there for who looks.
    let (new, aside) = world
        .get(anna)
        .store
        .transaction(|tx| Ok::<_, StoreError>((tx.unshown(None)?.len(), tx.unshown(Some(to_boris))?.len())))
        .unwrap();
    assert_eq!((new, aside), (0, 1));
    let counted = world
        .get(anna)
        .store
        .transaction(|tx| Ok::<_, StoreError>((tx.count_unshown(None)?, tx.count_unshown(Some(to_boris))?)));
    assert_eq!(counted, Ok((0, 1)));
    // Nothing left that leads to either.
    assert_eq!(world.state(anna, waits), Some(MessageState::Failed));
    let contact = world.contacts(anna).remove(0);
    let left = world.get(anna).store.transaction(|tx| {
        let session = tx.session(&contact.handle.0, contact.device.get())?;
        Ok::<_, StoreError>((tx.own_queues()?.len(), tx.peer_queue(to_boris)?.is_some(), session.is_some()))
    });
    assert_eq!(left.unwrap(), (0, false, false));
    let row = world.say(boris, to_anna, "hello?").unwrap();
    world.run(HOUR_MS);
    assert_eq!(world.state(boris, row), Some(MessageState::Failed));
    assert_eq!(world.heard_texts(anna, to_boris), ["read", "not read"]);
}

#[test]
fn what_lay_in_a_queue_that_its_relay_lost_is_said_again_into_the_one_after_it() {
    // Rule I16.
    let (mut world, anna, boris) = two(143);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "read").unwrap();
    world.run(MINUTE_MS);
    world.sleep(boris);
    let rows = ["one", "two"].map(|text| world.say(anna, to_boris, text).unwrap());
    world.run(MINUTE_MS);
    let lost = world.get(boris).store.transaction(|tx| tx.own_queues()).unwrap();
    lost.iter().for_each(|queue| world.lose_queue(boris, queue.read_id));
    world.wake(boris);
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["one", "two"]);
    for row in rows {
        assert_eq!(world.state(anna, row), Some(MessageState::Delivered));
    }
}

#[test]
fn who_both_read_at_a_relay_that_lost_their_queues_hear_that_they_lost_each_other() {
    for both in [false, true] {
        let (mut world, anna, boris) = two(146);
        let (to_boris, to_anna) = world.meet(anna, boris);
        world.say(boris, to_anna, "before").unwrap();
        world.run(DAY_MS);
        let people = [anna, boris];
        people.iter().for_each(|who| world.sleep(*who));
        for who in people.into_iter().take(if both { 2 } else { 1 }) {
            let lost = world.get(who).store.transaction(|tx| tx.own_queues()).unwrap();
            lost.iter().for_each(|queue| world.lose_queue(who, queue.read_id));
        }
        people.iter().for_each(|who| world.wake(*who));
        world.run(DAY_MS);
        for (who, contact) in [(anna, to_boris), (boris, to_anna)] {
            let told = world.get(who).store.transaction(|tx| tx.events_after(0, 100)).unwrap();
            let lost = told.iter().filter(|event| event.kind == EventKind::LostEachOther);
            let about: Vec<_> = lost.map(|event| event.contact).collect();
            assert_eq!(about, if both { vec![Some(contact)] } else { vec![] });
        }
        // Who was told is not told again, though the fresh one is lost, too.
        if both {
            world.get(anna).store.transaction(|tx| tx.acknowledge_events(u64::MAX >> 1)).unwrap();
            world.sleep(anna);
            let lost = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
            lost.iter().for_each(|queue| world.lose_queue(anna, queue.read_id));
            world.wake(anna);
            world.run(DAY_MS);
            assert!(!world.events(anna).contains(&EventKind::LostEachOther));
        }
        // One who lost theirs alone is heard of by the other's.
        world.say(boris, to_anna, "after").unwrap();
        world.run(MINUTE_MS);
        let heard: &[&str] = if both { &["before"] } else { &["before", "after"] };
        assert_eq!(world.heard_texts(anna, to_boris), heard);
        let lost = |world: &mut World, who, contact| {
            world
                .get(who)
                .store
                .transaction(|tx| Ok::<_, StoreError>((tx.is_lost(contact)?, tx.count_lost()?)))
        };
        let now = (both, u64::from(both));
        assert_eq!([lost(&mut world, anna, to_boris), lost(&mut world, boris, to_anna)], [Ok(now), Ok(now)]);
        // They meet again.
        let request = InviteRequest { hours: 24, name: Words::default(), renews: Some(to_boris) };
        let link = world.invite_with(anna, request).unwrap();
        let request = AcceptRequest { link, name: Words::default(), renews: Some(to_anna) };
        world.accept_with(boris, request).unwrap();
        world.run(DAY_MS);
        let now = (false, 0);
        assert_eq!([lost(&mut world, anna, to_boris), lost(&mut world, boris, to_anna)], [Ok(now), Ok(now)]);
    }
}

/// A relay loses all of somebody's queues. They learn of it, tell `other`, and are gone before anything is said again.
fn loses(world: &mut World, who: Who, other: Who) {
    let lost = world.get(who).store.transaction(|tx| tx.own_queues()).unwrap();
    lost.iter().for_each(|queue| world.lose_queue(who, queue.read_id));
    world.sleep(other);
    world.wake(who);
    world.run(MINUTE_MS);
    world.sleep(who);
    world.wake(other);
    world.run(HOUR_MS);
}

#[test]
fn a_relay_that_loses_a_queue_again_and_again_keeps_nobody_from_hearing_that_no_word_came() {
    // Rule I16.
    let (mut world, anna, boris) = two(145);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, None);
    world.say(boris, to_anna, "read").unwrap();
    world.run(MINUTE_MS);
    world.sleep(boris);
    let row = world.say(anna, to_boris, "swallowed").unwrap();
    world.run(MINUTE_MS);
    for _ in 0..3 {
        world.run(14 * DAY_MS);
        assert_eq!(world.state(anna, row), Some(MessageState::AtRelay));
        loses(&mut world, boris, anna);
    }
    world.run(14 * DAY_MS);
    loses(&mut world, boris, anna);
    assert_eq!(world.state(anna, row), Some(MessageState::Failed));
}

#[test]
fn a_relay_that_loses_a_queue_again_and_again_leaves_room_for_when_its_reader_moves_away() {
    // Rule I16.
    let (mut world, anna, boris) = two(144);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "read").unwrap();
    world.run(MINUTE_MS);
    world.sleep(boris);
    for number in 0..130 {
        world.say(anna, to_boris, &format!("{number}")).unwrap();
    }
    world.run(MINUTE_MS);
    loses(&mut world, boris, anna);
    assert_eq!(world.ahead(anna, to_boris), 128, "he answered what came before");
    (0..6).for_each(|_| loses(&mut world, boris, anna));
    assert_eq!(world.ahead(anna, to_boris), SENDER_AHEAD / 2);

    let address = world.get(anna).store.transaction(|tx| tx.peer_queue(to_boris)).unwrap().unwrap().address;
    let relay = RelayAddress { relay: RelayId([7; 32]), routes: address.relay.routes.clone() };
    let addresses = vec![QueueAddress { relay, ..address }];
    let meeting = Body::Meeting { name: "Boris".into(), addresses };
    world.wake(boris);
    world.say_edited(boris, to_anna, meeting, |_| ());
    world.run(MINUTE_MS);
    let waits = world.get(anna).store.transaction(|tx| tx.outgoing_to(to_boris)).unwrap();
    assert_eq!(waits.iter().filter(|outgoing| outgoing.message.is_some()).count(), 128);
}
