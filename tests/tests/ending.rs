//! What disappears, ends and is forgotten, and when; and what must not be: mail that only waits, and what a person has to
//! learn.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::engine::{AskError, InviteRequest};
use beresta_client::store::Tx;
use beresta_client::store::contact::{Contact, ContactId};
use beresta_client::store::event::EventKind;
use beresta_client::store::invite::{BlobState, Invite, InviteState};
use beresta_client::store::message::MessageState;
use beresta_client::store::queue::{OwnQueue, OwnQueueState};
use beresta_client::store::signal::PreKeyKind;
use beresta_proto::content::Timer;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use beresta_proto::words::Words;
use beresta_tests::world::{BEGIN, Who, World};

fn two(seed: u64) -> (World, Who, Who) {
    let mut world = World::new(seed);
    let anna = world.person("Анна");
    let boris = world.person("Boris");
    (world, anna, boris)
}

fn invites(world: &mut World, who: Who) -> Vec<Invite> {
    world.get(who).store.transaction(|tx| tx.invites()).unwrap()
}

/// Whether private halves of an invite's pre-keys are there.
fn has_keys(world: &mut World, who: Who, bundle: u32) -> bool {
    let kept = |tx: &Tx<'_>| tx.pre_key(PreKeyKind::Signed, bundle);
    world.get(who).store.transaction(kept).unwrap().is_some()
}

/// The events of not delivered messages: whether each still names its message.
fn not_delivered(world: &mut World, who: Who) -> Vec<bool> {
    let rows = world.get(who).store.transaction(|tx| tx.events_after(0, u32::MAX)).unwrap();
    let failed = rows.into_iter().filter(|row| row.kind == EventKind::NotDelivered);
    failed.map(|row| row.message.is_some()).collect()
}

#[test]
fn a_short_timer_reaches_a_friend_who_is_away_for_days() {
    let (mut world, anna, boris) = two(101);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, Some(30));
    world.run(MINUTE_MS);
    world.sleep(boris);
    let row = world.say(anna, to_boris, "gone soon here").unwrap();
    world.run(2 * DAY_MS);
    assert_eq!(world.chat(anna, to_boris), []);
    assert_eq!(world.state(anna, row), Some(MessageState::AtRelay));
    world.wake(boris);
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["gone soon here"]);
    // Its fate is known: nothing of it is left here, and nothing failed.
    assert_eq!(world.state(anna, row), None);
    assert!(not_delivered(&mut world, anna).is_empty());
}

#[test]
fn a_message_that_waits_for_a_line_does_not_disappear_unsent() {
    let (mut world, anna, boris) = two(102);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, Some(60));
    world.run(MINUTE_MS);
    world.go_offline(anna);
    let row = world.say(anna, to_boris, "waits").unwrap();
    world.run(DAY_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::Queued));
    assert_eq!(world.chat(anna, to_boris).len(), 1);
    world.go_online(anna);
    world.run(6 * MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["waits"]);
    world.run(2 * MINUTE_MS);
    assert_eq!(world.chat(anna, to_boris), []);
}

#[test]
fn what_disappeared_undelivered_is_told() {
    let (mut world, anna, boris) = two(103);
    let (to_boris, _) = world.meet(anna, boris);
    world.sleep(boris);
    let row = world.say(anna, to_boris, "never read").unwrap();
    world.run(8 * DAY_MS);
    assert_eq!(world.chat(anna, to_boris), []);
    assert!(not_delivered(&mut world, anna).is_empty());
    world.run(14 * DAY_MS);
    assert_eq!(world.state(anna, row), None);
    assert_eq!(not_delivered(&mut world, anna), [false]);
}

#[test]
fn a_text_that_was_read_is_not_called_lost_where_its_writer_was_away_for_most_of_its_time() {
    let (mut world, anna, boris) = two(115);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, None);
    world.run(MINUTE_MS);
    world.go_offline(boris);
    let row = world.say(anna, to_boris, "read, and she is away").unwrap();
    world.run(MINUTE_MS);
    world.sleep(anna);
    world.run(DAY_MS);
    world.go_online(boris);
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["read, and she is away"]);
    world.run(19 * DAY_MS);
    world.wake(anna);
    world.run(HOUR_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::Delivered));
    world.run(3 * DAY_MS);
    assert!(not_delivered(&mut world, anna).is_empty());
}

#[test]
fn what_could_not_leave_is_told_and_then_disappears() {
    let (mut world, anna, boris) = two(104);
    let (to_boris, _) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, Some(3600));
    world.run(MINUTE_MS);
    world.go_offline(anna);
    let row = world.say(anna, to_boris, "stays here").unwrap();
    world.sleep(anna);
    world.run(22 * DAY_MS);
    // The next start does not know the time before a relay has told it.
    world.wake(anna);
    assert_eq!(world.state(anna, row), Some(MessageState::Queued));
    world.run(MINUTE_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::Failed));
    assert_eq!(not_delivered(&mut world, anna), [true]);
    world.run(HOUR_MS);
    assert_eq!(world.chat(anna, to_boris), []);
    // Who looks only now learns it all the same.
    assert_eq!(not_delivered(&mut world, anna), [false]);
}

#[test]
fn a_contact_s_text_disappears_by_the_timer_that_holds_here() {
    let (mut world, anna, boris) = two(105);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, Some(60));
    world.run(MINUTE_MS);
    // A program that honours no timer, or one that has not heard of it yet.
    let forget = |contact: ContactId| {
        move |tx: &Tx<'_>| {
            let mut contact = tx.contact(contact)?;
            contact.timer = Timer { seconds: None, version: 0 };
            tx.update_contact(&contact)
        }
    };
    world.get(boris).store.transaction(forget(to_anna)).unwrap();
    world.say(boris, to_anna, "for ever").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["for ever"]);
    world.read_all(anna);
    world.run(61 * SECOND_MS);
    assert_eq!(world.chat(anna, to_boris), []);
}

#[test]
fn a_clock_that_was_set_back_delays_no_end() {
    let (mut world, anna, boris) = two(106);
    world.set_clock(anna, 300 * DAY_MS.cast_signed());
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, Some(60));
    world.say(boris, to_anna, "read under a wrong clock").unwrap();
    world.run(MINUTE_MS);
    world.read_all(anna);
    world.set_clock(anna, 0);
    world.run(61 * SECOND_MS);
    assert_eq!(world.heard_texts(anna, to_boris), Vec::<String>::new());
}

#[test]
fn a_clock_that_is_weeks_ahead_ends_nothing_and_loses_no_letter() {
    let (mut world, anna, boris) = two(107);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, None);
    let link = world.invite(anna).unwrap();
    world.go_offline(boris);
    let mine = world.say(anna, to_boris, "at the relay").unwrap();
    world.run(MINUTE_MS);
    world.go_online(boris);
    world.go_offline(anna);
    world.say(boris, to_anna, "genuine").unwrap();
    world.run(10 * MINUTE_MS);
    world.set_clock(anna, 50 * DAY_MS.cast_signed());
    world.crash(anna);
    world.go_online(anna);
    world.run(10 * MINUTE_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["genuine"]);
    assert_eq!(world.state(anna, mine), Some(MessageState::Delivered));
    assert!(world.get(anna).engine.told_skew().is_some());
    let vera = world.person("Vera");
    world.accept(vera, link).unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.contacts(anna).len(), 2);
}

#[test]
fn a_clock_that_begins_years_behind_gives_nothing_up_once_it_is_right() {
    let (mut world, anna, boris) = two(114);
    let (to_boris, _) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, None);
    let link = world.invite(anna).unwrap();
    world.sleep(boris);
    let row = world.say(anna, to_boris, "on its way").unwrap();
    world.run(MINUTE_MS);
    world.go_offline(anna);
    let unsent = world.say(anna, to_boris, "and one more").unwrap();
    // Its battery is empty; the network sets its clock.
    world.set_clock(anna, -2_000 * DAY_MS.cast_signed());
    world.crash(anna);
    world.run(MINUTE_MS);
    world.set_clock(anna, 0);
    world.go_online(anna);
    world.run(10 * MINUTE_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::AtRelay));
    assert_eq!(world.state(anna, unsent), Some(MessageState::AtRelay));
    let vera = world.person("Vera");
    world.accept(vera, link).unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.contacts(anna).len(), 2);
}

#[test]
fn an_expired_invite_is_refused_and_its_keys_are_gone() {
    // Rule I4.
    let (mut world, anna, boris) = two(108);
    let link = world.invite(anna).unwrap();
    let bundle = invites(&mut world, anna)[0].bundle;
    assert!(has_keys(&mut world, anna, bundle));
    world.run(25 * HOUR_MS);
    assert!(matches!(world.accept(boris, link), Err(AskError::InviteGone)));
    assert_eq!(invites(&mut world, anna)[0].state, InviteState::Ended);
    // Until a day later somebody who claimed it in time may write; then everything of it is gone.
    world.run(25 * HOUR_MS);
    assert!(!has_keys(&mut world, anna, bundle));
    assert!(world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap().is_empty());
    assert!(world.events(anna).contains(&EventKind::InviteEnded));
    world.set_clock(anna, 0);
    assert_eq!(invites(&mut world, anna).len(), 0);
}

#[test]
fn an_invite_that_was_taken_back_leaves_no_keys_and_meets_nobody() {
    let (mut world, anna, boris) = two(109);
    let link = world.invite(anna).unwrap();
    let invite = invites(&mut world, anna).remove(0);
    world.go_offline(anna);
    world.accept(boris, link).unwrap();
    world.wish(anna, |engine, store, now| engine.invite_revoke(store, invite.id, now)).unwrap();
    assert!(!has_keys(&mut world, anna, invite.bundle));
    world.go_online(anna);
    world.run(10 * MINUTE_MS);
    assert_eq!(world.contacts(anna).len(), 0);
    world.set_clock(anna, 0);
    assert_eq!(invites(&mut world, anna).len(), 0);
}

#[test]
fn an_invite_accepted_in_time_is_honoured_after_its_end() {
    let (mut world, anna, boris) = two(110);
    let link = world.invite(anna).unwrap();
    world.sleep(anna);
    world.run(23 * HOUR_MS);
    let to_anna = world.accept(boris, link).unwrap();
    world.run(20 * DAY_MS);
    world.wake(anna);
    world.run(10 * MINUTE_MS);
    let to_boris = world.contacts(anna)[0].id;
    assert_eq!(invites(&mut world, anna)[0].state, InviteState::Used);
    world.say(boris, to_anna, "in time").unwrap();
    world.say(anna, to_boris, "welcome").unwrap();
    world.run(3 * DAY_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["in time"]);
    assert_eq!(world.heard_texts(boris, to_anna), ["welcome"]);
    assert!(!world.events(anna).contains(&EventKind::InviteEnded));
}

#[test]
fn an_invite_whose_blob_never_arrived_is_dropped() {
    let (mut world, anna, _) = two(111);
    let request = InviteRequest { hours: 24, name: "Vera".into(), renews: None };
    let ask = world.wish(anna, |engine, store, now| engine.invite_new(store, request, now)).unwrap();
    while invites(&mut world, anna).is_empty() {
        world.run(10);
    }
    let bundle = invites(&mut world, anna)[0].bundle;
    world.go_offline(anna);
    world.run(SECOND_MS);
    assert!(matches!(world.answer(anna, ask), Some(Err(AskError::LineBroke))));
    // Its program looks at the clock.
    world.set_clock(anna, 0);
    let invite = invites(&mut world, anna).remove(0);
    assert_eq!((invite.state, invite.blob_state), (InviteState::Ended, BlobState::Leaving));
    assert_eq!((invite.name.as_str(), invite.link.as_str()), ("", ""));
    assert!(!has_keys(&mut world, anna, bundle));
    let queues = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
    assert!(queues.iter().all(|queue| queue.state == OwnQueueState::Leaving));
}

#[test]
fn a_used_invite_keeps_no_name_and_is_forgotten() {
    let (mut world, anna, boris) = two(112);
    let request = InviteRequest { hours: 24, name: "my lawyer".into(), renews: None };
    let link = world.invite_with(anna, request).unwrap();
    let to_anna = world.accept(boris, link).unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.contacts(anna)[0].name.as_str(), "my lawyer");
    let invite = invites(&mut world, anna).remove(0);
    assert_eq!((invite.name.as_str(), invite.link.as_str(), invite.conversation.0), ("", "", [0; 16]));
    assert!(!has_keys(&mut world, anna, invite.bundle));
    world.say(boris, to_anna, "on the fresh queue").unwrap();
    world.run(26 * HOUR_MS);
    world.set_clock(anna, 0);
    assert_eq!(invites(&mut world, anna).len(), 0);
}

#[test]
fn removing_who_is_to_come_back_ends_the_invite_and_keeps_the_line() {
    let (mut world, anna, boris) = two(113);
    let (to_boris, _) = world.meet(anna, boris);
    let vera = world.person("Vera");
    let (to_vera, from_vera) = world.meet(anna, vera);
    let request = InviteRequest { hours: 24, name: Words::default(), renews: Some(to_boris) };
    let link = world.invite_with(anna, request).unwrap();
    let again = world.person("Boris");
    // Their first message is on its way when the contact is removed, and comes on a queue that is about to go.
    let accept = beresta_client::engine::AcceptRequest { link, name: Words::default(), renews: None };
    world.wish(again, |engine, store, now| engine.invite_accept(store, accept, now)).unwrap();
    while world.contacts(again).is_empty() {
        world.run(10);
    }
    world.run(70);
    world.wish(anna, |engine, store, now| engine.remove(store, to_boris, now)).unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.contacts(anna).len(), 1);
    world.say(vera, from_vera, "still there?").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(anna, to_vera), ["still there?"]);
}

#[test]
fn who_never_answered_keeps_no_queue_at_a_relay_that_was_left() {
    let (mut world, anna, boris) = two(321);
    let link = world.invite(boris).unwrap();
    world.sleep(boris);
    let to_boris = world.accept(anna, link).unwrap();
    // libsignal ends such a session; then she moves.
    world.run(35 * DAY_MS);
    let moves = |tx: &Tx<'_>| {
        let end = BEGIN.plus(56 * DAY_MS);
        for own in tx.own_queues()? {
            tx.update_own_queue(&OwnQueue { retire: Some(end), ..own })?;
        }
        tx.update_contact(&Contact { needs_queue: true, ..tx.contact(to_boris)? })
    };
    world.get(anna).store.transaction(moves).unwrap();
    world.run(DAY_MS);
    assert!(world.events(anna).contains(&EventKind::NotToBeMet));
    world.run(40 * DAY_MS);
    assert_eq!(world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap().len(), 0);
    assert_eq!(world.get(anna).store.transaction(|tx| tx.contacts_needing_queue()).unwrap(), []);
}
