//! What disappears, ends and is forgotten, and when; and what must not be: mail that only waits, and what a person has to
//! learn.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::store::contact::ContactId;
use beresta_client::store::event::EventKind;
use beresta_client::store::message::MessageState;
use beresta_proto::content::Timer;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use beresta_tests::world::{Who, World};

fn two(seed: u64) -> (World, Who, Who) {
    let mut world = World::new(seed);
    let anna = world.person("Анна");
    let boris = world.person("Boris");
    (world, anna, boris)
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
        move |tx: &beresta_client::store::Tx<'_>| {
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
