//! What a contact, a stranger or a relay with a program of their own can do to two people who talk.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::engine::{AcceptRequest, Answer, AskError, DecideRefused, InviteRequest, SendRefused};
use beresta_client::store::contact::{ContactId, ContactState};
use beresta_client::store::event::{DropReason, EventKind};
use beresta_client::store::message::MessageState;
use beresta_proto::content::{Body, Route, SeenEpoch, Timer};
use beresta_proto::id::{AccountId, ConversationId, Device, KeyId, ReadId};
use beresta_proto::invite::Offer;
use beresta_proto::reply::Push;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use beresta_proto::words::Words;
use beresta_tests::world::{Who, World};

fn two(seed: u64) -> (World, Who, Who) {
    let mut world = World::new(seed);
    let anna = world.person("Anna");
    let boris = world.person("Boris");
    (world, anna, boris)
}

/// An offer of a person's whose keys do not hold.
fn bad_offer(world: &mut World, who: Who) -> Offer {
    let link = world.invite(who).unwrap();
    let mut offer = world.offer_of(&link);
    offer.bundle.kyber.signature[7] ^= 1;
    offer
}

fn own_queues(world: &mut World, who: Who) -> usize {
    world.get(who).store.transaction(|tx| tx.own_queues()).unwrap().len()
}

#[test]
fn an_invite_with_bad_keys_costs_whom_it_renews_nothing() {
    let (mut world, anna, boris) = two(100);
    let vera = world.person("Vera");
    let (to_boris, to_anna) = world.meet(anna, boris);
    let queues = own_queues(&mut world, anna);
    let offer = bad_offer(&mut world, vera);
    let link = world.plant(&offer);
    let request = AcceptRequest { link, name: Words::default(), renews: Some(to_boris) };
    assert!(matches!(world.accept_with(anna, request), Err(AskError::BadKeys)));
    assert!(!world.contacts(anna)[0].identity_changed);
    world.say(anna, to_boris, "still you").unwrap();
    world.say(boris, to_anna, "still me").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["still you"]);
    assert_eq!(world.heard_texts(anna, to_boris), ["still me"]);
    assert_eq!(own_queues(&mut world, anna), queues, "the queue that was made for nothing is left");
}

#[test]
fn an_invite_with_bad_keys_leaves_nobody_behind() {
    let (mut world, anna, vera) = two(101);
    let offer = bad_offer(&mut world, vera);
    let link = world.plant(&offer);
    assert!(matches!(world.accept(anna, link), Err(AskError::BadKeys)));
    assert!(world.contacts(anna).is_empty());
    let good = world.invite(vera).unwrap();
    world.accept(anna, good).unwrap();
}

#[test]
fn one_link_that_is_accepted_twice_at_once_makes_one_contact() {
    let (mut world, anna, boris) = two(102);
    let link = world.invite(anna).unwrap();
    let asks = [(); 2].map(|()| {
        let request = AcceptRequest { link: link.clone(), name: Words::default(), renews: None };
        world.wish(boris, |engine, store, now| engine.invite_accept(store, request, now)).unwrap()
    });
    world.run(5 * SECOND_MS);
    let [first, second] = asks.map(|ask| world.answer(boris, ask).unwrap());
    let Ok(Answer::Accepted { contact: ContactId(contact) }) = first else { panic!("{first:?}") };
    assert!(matches!(second, Err(AskError::AlreadyContact(ContactId(known))) if known == contact));
    assert_eq!(own_queues(&mut world, boris), 1);
}

#[test]
fn a_stranger_who_says_anything_but_meeting_is_dropped_untried_after_a_while() {
    let (mut world, anna, vera) = two(110);
    let link = world.invite(anna).unwrap();
    let (mut offer, own) = (world.offer_of(&link), world.invite(vera).unwrap());
    let invite_queue = std::mem::replace(&mut offer.addresses, world.offer_of(&own).addresses);
    // Her program keeps the Meeting to itself.
    let link = world.plant(&offer);
    let to_anna = world.accept(vera, link).unwrap();
    world.run(MINUTE_MS);
    world.get(vera).store.transaction(|tx| tx.replace_peer_queues(to_anna, &invite_queue)).unwrap();
    for _ in 0..25 {
        world.say_edited(vera, to_anna, Body::Text("hello".into()), |_| {});
        world.run(SECOND_MS);
    }
    assert_eq!(world.dropped(anna, DropReason::Content), 20);
    assert_eq!(world.dropped(anna, DropReason::Budget), 5);
    assert!(world.contacts(anna).is_empty());
}

/// Where a contact writes to a person now.
fn queue_for(world: &mut World, who: Who, from: ContactId) -> Option<ReadId> {
    let queues = world.get(who).store.transaction(|tx| tx.own_queues()).unwrap();
    queues.iter().rfind(|queue| queue.contact == Some(from)).map(|queue| queue.read_id)
}

#[test]
fn a_relay_that_says_drained_without_end_burns_no_ratchet() {
    let (mut world, anna, boris) = two(120);
    let (to_boris, to_anna) = world.meet(anna, boris);
    let hear_boris = |world: &mut World| {
        world.say(boris, to_anna, "here").unwrap();
        world.run(MINUTE_MS);
    };
    hear_boris(&mut world);
    let queue = queue_for(&mut world, anna, to_boris).unwrap();
    let before = world.ahead(anna, to_boris);
    let drain = |world: &mut World| (0..100).for_each(|_| world.push(anna, Push::Drained { queue }));
    drain(&mut world);
    assert_eq!(world.ahead(anna, to_boris), before + 1);
    world.run(HOUR_MS);
    drain(&mut world);
    assert_eq!(world.ahead(anna, to_boris), before + 2);
    // Whoever is heard may be told that there is room again.
    hear_boris(&mut world);
    let before = world.ahead(anna, to_boris);
    drain(&mut world);
    assert_eq!(world.ahead(anna, to_boris), before + 1);
}

#[test]
fn a_relay_that_loses_a_queue_without_end_burns_no_ratchet() {
    let (mut world, anna, boris) = two(121);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "here").unwrap();
    world.run(MINUTE_MS);
    let before = world.ahead(anna, to_boris);
    world.go_offline(boris);
    for _ in 0..20 {
        if let Some(queue) = queue_for(&mut world, anna, to_boris) {
            world.lose_queue(anna, queue);
        }
        world.run(2 * MINUTE_MS);
    }
    assert_eq!(world.ahead(anna, to_boris), before + 1);
    world.run(HOUR_MS);
    world.go_online(boris);
    world.run(10 * MINUTE_MS);
    world.say(boris, to_anna, "found you").unwrap();
    world.run(10 * MINUTE_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["here", "found you"]);
}

#[test]
fn a_relay_s_word_about_a_blocked_contact_s_queue_says_nothing_to_them() {
    let (mut world, anna, boris) = two(122);
    let (to_boris, _) = world.meet(anna, boris);
    let queue = queue_for(&mut world, anna, to_boris).unwrap();
    world.go_offline(anna);
    world.wish(anna, |engine, store, now| engine.block(store, to_boris, now)).unwrap();
    let before = world.ahead(anna, to_boris);
    world.push(anna, Push::Drained { queue });
    assert_eq!(world.ahead(anna, to_boris), before);
}

#[test]
fn a_relay_s_word_about_queues_that_are_not_ours_means_nothing() {
    let (mut world, anna, boris) = two(123);
    let (to_boris, _) = world.meet(anna, boris);
    let before = world.events(anna);
    for n in 0..50 {
        world.push(anna, Push::TakenOver { queues: vec![ReadId([n; 24]); 3] });
        world.push(anna, Push::Drained { queue: ReadId([n; 24]) });
    }
    assert_eq!(world.events(anna), before);
    let queue = queue_for(&mut world, anna, to_boris).unwrap();
    for _ in 0..50 {
        world.push(anna, Push::TakenOver { queues: vec![queue, queue] });
    }
    let told = world.events(anna).into_iter().filter(|kind| *kind == EventKind::TakenOver);
    assert_eq!(told.count(), 1);
}

#[test]
fn what_is_told_again_and_again_is_kept_once() {
    let (mut world, anna, boris) = two(124);
    let (_, to_anna) = world.meet(anna, boris);
    let day = world.now.0 / DAY_MS;
    for version in 1..=30 {
        let seen = SeenEpoch { day, key: KeyId([9; 8]) };
        world.say_edited(boris, to_anna, Body::TimerChanged, |content| {
            content.seen_epoch = Some(seen);
            content.timer = Timer { seconds: Some(version), version };
        });
        world.run(SECOND_MS);
    }
    let events = world.events(anna);
    let count = |kind| events.iter().filter(|one| **one == kind).count();
    assert_eq!((count(EventKind::RelayForked), count(EventKind::TimerChanged)), (1, 1));
}

#[test]
fn a_timer_that_a_contact_changes_without_a_word_is_told() {
    // Rule E11.
    let (mut world, anna, boris) = two(125);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say_edited(boris, to_anna, Body::Text("hi".into()), |content| content.timer.version += 1);
    world.run(MINUTE_MS);
    assert!(!world.events(anna).contains(&EventKind::TimerChanged));
    world.say_edited(boris, to_anna, Body::Text("hi".into()), |content| {
        content.timer = Timer { seconds: None, version: content.timer.version + 2 };
    });
    world.run(MINUTE_MS);
    let contact = world.contacts(anna).into_iter().find(|one| one.id == to_boris).unwrap();
    assert_eq!(contact.timer.seconds, None);
    assert!(world.events(anna).contains(&EventKind::TimerChanged));
}

#[test]
fn who_is_blocked_while_a_queue_is_made_for_them_never_learns_of_it() {
    let (mut world, anna, boris) = two(130);
    let link = world.invite(anna).unwrap();
    let request = AcceptRequest { link, name: Words::default(), renews: None };
    world.wish(boris, |engine, store, now| engine.invite_accept(store, request, now)).unwrap();
    // Step by step, until the first message of his is here and a queue is asked for.
    let to_boris = loop {
        if let Some(contact) = world.contacts(anna).first() {
            break contact.id;
        }
        world.run(1);
    };
    world.wish(anna, |engine, store, now| engine.block(store, to_boris, now)).unwrap();
    world.run(MINUTE_MS);
    let waiting = world.get(anna).store.transaction(|tx| tx.count_outgoing()).unwrap();
    assert_eq!((waiting, own_queues(&mut world, anna)), (0, 0));
    assert_eq!(world.contacts(boris)[0].state, ContactState::Meeting);
}

#[test]
fn what_waits_for_a_contact_stays_here_when_they_are_blocked() {
    let (mut world, anna, boris) = two(131);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.go_offline(anna);
    let row = world.say(anna, to_boris, "on second thoughts").unwrap();
    world.wish(anna, |engine, store, now| engine.block(store, to_boris, now)).unwrap();
    world.go_online(anna);
    world.run(HOUR_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::Failed));
    assert_eq!(world.heard_texts(boris, to_anna), Vec::<String>::new());
}

#[test]
fn nothing_goes_to_a_changed_key_before_the_person_decides() {
    let (mut world, anna, boris) = two(132);
    let (to_boris, _) = world.meet(anna, boris);
    world.go_offline(boris);
    // One more than a queue holds.
    let rows: Vec<_> = (0..257).map(|_| world.say(anna, to_boris, "for the old device").unwrap()).collect();
    world.run(MINUTE_MS);
    assert_eq!(world.state(anna, rows[256]), Some(MessageState::Queued));

    let again = world.person("Boris");
    let request = InviteRequest { hours: 24, name: Words::default(), renews: Some(to_boris) };
    let link = world.invite_with(anna, request).unwrap();
    let theirs = world.accept(again, link).unwrap();
    world.run(MINUTE_MS);
    let ahead = world.ahead(anna, to_boris);
    world.say(again, theirs, "I am Boris").unwrap();
    world.run(HOUR_MS);
    let refused = world.wish(anna, |engine, store, now| engine.set_timer(store, to_boris, None, now));
    assert!(matches!(refused, Err(SendRefused::IdentityChanged)));
    // No receipt, no fresh queue, no timer, and nothing of before.
    assert_eq!(world.ahead(anna, to_boris), ahead);
    assert_eq!(world.contacts(again)[0].state, ContactState::Meeting);
    assert_eq!(world.heard_texts(anna, to_boris), ["I am Boris"]);
    assert_eq!(world.state(anna, rows[256]), Some(MessageState::Failed));

    world.decide(anna, to_boris);
    world.run(MINUTE_MS);
    assert_eq!(world.contacts(again)[0].state, ContactState::Active);
    let delivered = world.chat(again, theirs).into_iter().filter(|one| one.state == MessageState::Delivered);
    assert_eq!(delivered.count(), 1);
}

#[test]
fn a_decision_is_about_the_key_that_was_shown() {
    let (mut world, anna, boris) = two(133);
    let (to_boris, _) = world.meet(anna, boris);
    let come_back = |world: &mut World| {
        let again = world.person("Boris");
        let request = InviteRequest { hours: 24, name: Words::default(), renews: Some(to_boris) };
        let link = world.invite_with(anna, request).unwrap();
        world.accept(again, link).unwrap();
    };
    come_back(&mut world);
    let shown = world.account_of(anna, to_boris);
    // While the person compares and thinks, another one comes.
    come_back(&mut world);
    for verified in [true, false] {
        let decided = world
            .wish(anna, |engine, store, now| engine.decide_identity(store, to_boris, shown, verified, now));
        assert!(matches!(decided, Err(DecideRefused::ChangedAgain)));
    }
    let contact = world.contacts(anna).remove(0);
    assert!(contact.identity_changed && !contact.verified);
    assert!(matches!(world.say(anna, to_boris, "is it you?"), Err(SendRefused::IdentityChanged)));
}

/// Rule E7. The MAC of this libsignal binds keys and no addresses; what it does not say, the content must.
#[test]
fn a_content_for_another_is_dropped() {
    let (mut world, anna, boris) = two(140);
    let mallory = world.person("Mallory");
    // Mallory hands the keys of an invite of Boris's on as his own: what Anna writes to Mallory, Boris can decrypt.
    let link = world.invite(boris).unwrap();
    let mut offer = world.offer_of(&link);
    offer.name = "Mallory".into();
    offer.conversation = ConversationId([9; 16]);
    let his = world.plant(&offer);
    let to_mallory = world.accept(anna, his).unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.dropped(boris, DropReason::Misdirected), 1);
    assert!(world.contacts(boris).is_empty());
    assert_eq!(world.contacts(anna)[0].state, ContactState::Meeting);
    world.wish(anna, |engine, store, now| engine.remove(store, to_mallory, now)).unwrap();

    // A contact whose content names other people or another conversation.
    let (to_boris, to_anna) = world.meet(anna, boris);
    let account = world.get(mallory).store.transaction(|tx| tx.profile()).unwrap().account;
    let second = Device::new(2).unwrap();
    let edits: [fn(&mut Route, AccountId, Device); 5] = [
        |route, account, _| route.from = account,
        |route, account, _| route.to = account,
        |route, _, device| route.from_device = device,
        |route, _, device| route.to_device = device,
        |route, _, _| route.conversation = ConversationId([1; 16]),
    ];
    for edit in edits {
        let body = Body::Text("for another".into());
        world.say_edited(anna, to_boris, body, |content| edit(&mut content.route, account, second));
    }
    world.say(anna, to_boris, "for you").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.dropped(boris, DropReason::Misdirected), 6);
    assert_eq!(world.heard_texts(boris, to_anna), ["for you"]);
}
