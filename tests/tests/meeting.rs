//! Two people who meet when it does not go as it should (rules I6 and I8 to I10).

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::engine::{
    AcceptRequest, AskError, ComposeError, DialFailure, InviteRequest, SendRefused,
};
use beresta_client::store::contact::{Contact, ContactId, ContactState};
use beresta_client::store::event::{DropReason, EventKind};
use beresta_client::store::message::MessageState;
use beresta_client::store::queue::OwnQueue;
use beresta_proto::address::RelayAddress;
use beresta_proto::id::RelayId;
use beresta_proto::invite::InviteLink;
use beresta_proto::reply::Push;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
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
fn who_cannot_be_met_by_their_invite_is_told_of_and_met_by_another() {
    // Whose account id is the smaller one is the seed's.
    for seed in 240..248 {
        let mut world = World::new(seed);
        let (anna, boris) = (world.person("Anna"), world.person("Boris"));
        let (hers, his) = (world.invite(anna).unwrap(), world.invite(boris).unwrap());
        begin(&mut world, anna, his);
        begin(&mut world, boris, hers);
        let (to_boris, to_anna) = (first_contact(&mut world, anna).id, first_contact(&mut world, boris).id);
        // She has met him, and takes her own invite back: it may be the one that held.
        let own = world.get(anna).store.transaction(|tx| tx.invites()).unwrap().remove(0);
        world.wish(anna, |engine, store, now| engine.invite_revoke(store, own.id, now)).unwrap();
        world.run(HOUR_MS);
        if world.contacts(anna)[0].state == ContactState::Meeting {
            if !world.events(boris).contains(&EventKind::NotToBeMet) {
                // His first message came, and went with her queue.
                world.say(boris, to_anna, "where are you?").unwrap();
                world.run(HOUR_MS);
            }
            assert!(world.events(boris).contains(&EventKind::NotToBeMet));
            assert!(matches!(
                world.say(boris, to_anna, "where are you?"),
                Err(SendRefused::Compose(ComposeError::NoAddress))
            ));
            let link = world.invite(boris).unwrap();
            let request = AcceptRequest { link, name: Words::default(), renews: Some(to_boris) };
            world.accept_with(anna, request).unwrap();
            world.run(MINUTE_MS);
        }
        talk(&mut world, (anna, to_boris), (boris, to_anna));
    }
}

#[test]
fn who_is_met_by_an_invite_that_is_gone_is_told_of() {
    let mut world = World::new(250);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let link = world.invite(anna).unwrap();
    begin(&mut world, boris, link);
    let to_anna = first_contact(&mut world, boris).id;
    let own = world.get(anna).store.transaction(|tx| tx.invites()).unwrap().remove(0);
    world.wish(anna, |engine, store, now| engine.invite_revoke(store, own.id, now)).unwrap();
    world.say(boris, to_anna, "to nobody").unwrap();
    world.run(HOUR_MS);
    let told = world.events(boris).into_iter().filter(|kind| *kind == EventKind::NotToBeMet);
    assert_eq!(told.count(), 1);
}

/// An invite that names whom it is for.
fn invite_for(world: &mut World, who: Who, renews: ContactId) -> InviteLink {
    let request = InviteRequest { hours: 24, name: Words::default(), renews: Some(renews) };
    world.invite_with(who, request).unwrap()
}

fn talk(world: &mut World, (one, to_other): (Who, ContactId), (other, to_one): (Who, ContactId)) {
    world.say(one, to_other, "do you hear me?").unwrap();
    world.say(other, to_one, "I hear you").unwrap();
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(other, to_one).last().unwrap(), "do you hear me?");
    assert_eq!(world.heard_texts(one, to_other).last().unwrap(), "I hear you");
}

#[test]
fn two_who_lost_each_other_meet_again_and_keep_what_they_know() {
    // Whose account id is the smaller one is the seed's.
    for seed in 230..234 {
        let mut world = World::new(seed);
        let (anna, boris) = (world.person("Anna"), world.person("Boris"));
        let (to_boris, to_anna) = world.meet(anna, boris);
        talk(&mut world, (anna, to_boris), (boris, to_anna));
        for (who, contact) in [(anna, to_boris), (boris, to_anna)] {
            let shown = world.account_of(who, contact);
            world
                .wish(who, |engine, store, now| engine.decide_identity(store, contact, shown, true, now))
                .unwrap();
        }
        // Nobody reads these any more: both stayed away for too long.
        for (who, other, to) in [(anna, boris, to_boris), (boris, anna, to_anna)] {
            world.go_offline(other);
            for queue in world.get(who).store.transaction(|tx| tx.own_queues()).unwrap() {
                world.lose_queue(who, queue.read_id);
            }
            world.say(who, to, "are you there?").unwrap();
            world.go_online(other);
        }
        world.run(HOUR_MS);

        let link = invite_for(&mut world, anna, to_boris);
        assert!(
            matches!(world.accept(boris, link.clone()), Err(AskError::AlreadyContact(id)) if id == to_anna)
        );
        let request = AcceptRequest { link, name: Words::default(), renews: Some(to_anna) };
        assert_eq!(world.accept_with(boris, request).unwrap(), to_anna);
        world.run(HOUR_MS);
        talk(&mut world, (anna, to_boris), (boris, to_anna));
        for (who, contact) in [(anna, to_boris), (boris, to_anna)] {
            let kept = world.contacts(who).remove(0);
            assert_eq!((kept.id, kept.state), (contact, ContactState::Active));
            assert!(kept.verified && !kept.identity_changed);
            assert!(!world.events(who).contains(&EventKind::IdentityChanged));
            assert_eq!(world.heard_texts(who, contact).len(), 2);
        }
    }
}

#[test]
fn what_waited_is_said_again_to_whom_is_met_again_once() {
    let mut world = World::new(235);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    let lose_queues = |world: &mut World, who: Who| {
        for queue in world.get(who).store.transaction(|tx| tx.own_queues()).unwrap() {
            world.lose_queue(who, queue.read_id);
        }
    };
    // The first arrives, and its receipt is lost with her queue.
    let arrived = world.say(anna, to_boris, "zero").unwrap();
    world.run(SECOND_MS);
    world.sleep(anna);
    world.run(MINUTE_MS);
    lose_queues(&mut world, anna);
    world.wake(anna);
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["zero"]);
    assert_eq!(world.state(anna, arrived), Some(MessageState::AtRelay));
    // Two lie at his queue, and are lost with it.
    world.go_offline(boris);
    world.set_timer(anna, to_boris, Some(18_000));
    let [one, two] = ["one", "two"].map(|text| world.say(anna, to_boris, text).unwrap());
    world.set_timer(anna, to_boris, None);
    world.run(MINUTE_MS);
    let his = world.say(boris, to_anna, "three").unwrap();
    lose_queues(&mut world, boris);

    let link = invite_for(&mut world, anna, to_boris);
    world.wake(boris);
    let request = AcceptRequest { link, name: Words::default(), renews: Some(to_anna) };
    world.accept_with(boris, request).unwrap();
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["zero", "one", "two"]);
    assert_eq!(world.heard_texts(anna, to_boris), ["three"]);
    // They stay nowhere longer than they were written for (rule E11), and what both agreed on since holds.
    let heard = world.get(boris).store.transaction(|tx| tx.unshown(Some(to_anna))).unwrap();
    let timers: Vec<_> = heard.iter().map(|one| one.timer).collect();
    assert_eq!(timers[1..], [Some(18_000), Some(18_000)]);
    assert_eq!(world.contacts(boris)[0].timer.seconds, None);
    for row in [arrived, one, two] {
        assert_eq!(world.state(anna, row), Some(MessageState::Delivered));
    }
    assert_eq!(world.state(boris, his), Some(MessageState::Delivered));
}

/// Takes what is pushed to somebody for a while off the line.
fn withhold(world: &mut World, who: Who) -> Vec<Push> {
    let mut pushes = Vec::new();
    for _ in 0..MINUTE_MS / 30 {
        // More often than a push is under way.
        world.run(30);
        pushes.extend(world.take_pushes(who));
    }
    pushes
}

/// What comes late of a session that is over: `pushes` reach `late` in the moment in which the two begin anew for them.
fn meet_anew_and_push(
    world: &mut World,
    (inviter, to_other): (Who, ContactId),
    (other, to_inviter): (Who, ContactId),
    (late, pushes): (Who, Vec<Push>),
) {
    let link = invite_for(world, inviter, to_other);
    let conversation = |world: &mut World| world.contacts(late).remove(0).conversation;
    let before = conversation(world);
    let request = AcceptRequest { link, name: Words::default(), renews: Some(to_inviter) };
    world.wish(other, |engine, store, now| engine.invite_accept(store, request, now)).unwrap();
    while conversation(world) == before {
        world.run(20);
    }
    pushes.into_iter().for_each(|push| world.push(late, push));
}

#[test]
fn who_began_anew_does_not_go_back_to_the_session_before() {
    let mut world = World::new(238);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    talk(&mut world, (anna, to_boris), (boris, to_anna));
    // His receipt, which nobody says again.
    world.say(anna, to_boris, "before").unwrap();
    let late = withhold(&mut world, anna);
    assert_eq!(late.len(), 1);
    meet_anew_and_push(&mut world, (anna, to_boris), (boris, to_anna), (anna, late));
    talk(&mut world, (anna, to_boris), (boris, to_anna));
}

#[test]
fn what_comes_late_of_the_session_before_costs_its_sender_nothing() {
    let mut world = World::new(239);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    // More than a sender may get wrong in an hour.
    let texts: Vec<String> = (0..30).map(|n| format!("{n}")).collect();
    for text in &texts {
        world.say(anna, to_boris, text).unwrap();
    }
    let late = withhold(&mut world, boris);
    assert_eq!(late.len(), texts.len());
    meet_anew_and_push(&mut world, (anna, to_boris), (boris, to_anna), (boris, late));
    talk(&mut world, (anna, to_boris), (boris, to_anna));
    assert_eq!(world.heard_texts(boris, to_anna)[..texts.len()], texts);
    assert_eq!(world.dropped(boris, DropReason::Budget), 0);
}

#[test]
fn who_removed_us_meets_us_again_by_an_invite_that_names_them() {
    let mut world = World::new(236);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.wish(boris, |engine, store, now| engine.remove(store, to_anna, now)).unwrap();
    world.run(MINUTE_MS);
    let link = invite_for(&mut world, anna, to_boris);
    let to_anna = world.accept(boris, link).unwrap();
    world.run(MINUTE_MS);
    talk(&mut world, (anna, to_boris), (boris, to_anna));
}

#[test]
fn an_invite_that_names_another_is_not_used_up_and_the_person_is_told() {
    let mut world = World::new(237);
    let (anna, boris, vera) = (world.person("Anna"), world.person("Boris"), world.person("Vera"));
    let (_, to_anna) = world.meet(anna, boris);
    world.wish(boris, |engine, store, now| engine.remove(store, to_anna, now)).unwrap();
    world.run(MINUTE_MS);
    let link = world.invite(anna).unwrap();
    world.accept(boris, link.clone()).unwrap();
    world.run(MINUTE_MS);
    assert!(world.events(anna).contains(&EventKind::InviteNamesAnother));
    assert_eq!(world.contacts(boris)[0].state, ContactState::Meeting);
    // Somebody new may have it, as far as we are concerned.
    let offer = world.offer_of(&link);
    let copy = world.plant(&offer);
    world.accept(vera, copy).unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.contacts(vera)[0].state, ContactState::Active);
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

fn own_queues(world: &mut World, who: Who) -> Vec<OwnQueue> {
    world.get(who).store.transaction(|tx| tx.own_queues()).unwrap()
}

#[test]
fn contacts_follow_to_another_home_relay() {
    let mut world = World::new(260);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.run(HOUR_MS);
    let home = world.relay_address();
    // There is nothing.
    let gone = RelayAddress { relay: RelayId([9; 32]), routes: home.routes.clone() };
    world.wish(anna, |engine, store, now| engine.set_home(store, &gone, now)).unwrap();
    assert!(matches!(world.invite(anna), Err(AskError::Dial(DialFailure::Unreachable))));
    // What contacts write before they hear of it arrives.
    talk(&mut world, (anna, to_boris), (boris, to_anna));

    let before = own_queues(&mut world, anna).last().unwrap().id;
    world.wish(anna, |engine, store, now| engine.set_home(store, &home, now)).unwrap();
    world.run(HOUR_MS);
    let fresh = own_queues(&mut world, anna).last().unwrap().clone();
    assert!(fresh.id > before && fresh.contact == Some(to_boris));
    talk(&mut world, (anna, to_boris), (boris, to_anna));
    world.run(25 * HOUR_MS);
    let left = own_queues(&mut world, anna);
    assert_eq!(left.iter().map(|queue| queue.id).collect::<Vec<_>>(), [fresh.id]);
    let vera = world.person("Vera");
    world.meet(anna, vera);
}

#[test]
fn a_relay_that_is_gone_is_not_asked_for_ever() {
    let mut world = World::new(261);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let (to_boris, _) = world.meet(anna, boris);
    world.run(HOUR_MS);
    let gone = RelayId([9; 32]);
    let mut old = own_queues(&mut world, anna).pop().unwrap();
    // As if it had been made there, and she had moved since.
    (old.relay, old.read_id.0[0]) = (gone, old.read_id.0[0] ^ 1);
    world.get(anna).store.transaction(|tx| tx.insert_own_queue(&old)).unwrap();
    let (home, away) =
        (world.relay_address(), RelayAddress { relay: gone, routes: world.relay_address().routes });
    for home in [away, home] {
        world.wish(anna, |engine, store, now| engine.set_home(store, &home, now)).unwrap();
    }
    let asked = |world: &mut World| own_queues(world, anna).iter().any(|queue| queue.relay == gone);
    world.run(20 * DAY_MS);
    assert!(asked(&mut world));
    world.run(9 * DAY_MS);
    assert!(!asked(&mut world));
    assert_eq!(world.contacts(anna)[0].id, to_boris);
}
