//! Wrong clocks: ours, a relay's, and one that is set. What they must not end, hide, delay or let through.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::engine::AcceptRequest;
use beresta_client::store::event::{DropReason, EventKind};
use beresta_client::store::message::MessageState;
use beresta_proto::content::Body;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use beresta_proto::words::Words;
use beresta_tests::world::{Who, World};

/// Two people whose clocks are right, and so many days in the unit of [`World::set_clock`].
fn two(seed: u64) -> (World, Who, Who) {
    let mut world = World::new(seed);
    let anna = world.person("Анна");
    let boris = world.person("Boris");
    (world, anna, boris)
}

const fn days(n: i64) -> i64 {
    n * DAY_MS.cast_signed()
}

/// A program that is started with a clock that is off.
fn start_with_clock(world: &mut World, who: Who, off_ms: i64) {
    world.set_clock(who, off_ms);
    world.crash(who);
}

#[test]
fn what_is_written_under_a_clock_months_behind_is_taken() {
    let (mut world, anna, boris) = two(301);
    let (to_boris, to_anna) = world.meet(anna, boris);
    start_with_clock(&mut world, anna, days(-60));
    world.run(10 * MINUTE_MS);
    assert!(world.get(anna).engine.told_skew().is_some());
    let row = world.say(anna, to_boris, "hello").unwrap();
    world.run(10 * MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["hello"]);
    assert_eq!(world.state(anna, row), Some(MessageState::Delivered));
    assert_eq!(world.dropped(boris, DropReason::Certificate), 0);
}

#[test]
fn what_is_written_without_a_line_under_a_clock_behind_is_sent() {
    for (seed, set_right) in [(302, true), (303, false)] {
        let (mut world, anna, boris) = two(seed);
        let (to_boris, to_anna) = world.meet(anna, boris);
        world.go_offline(anna);
        start_with_clock(&mut world, anna, days(-60));
        world.say(anna, to_boris, "under a wrong clock").unwrap();
        world.run(MINUTE_MS);
        if set_right {
            world.set_clock(anna, 0);
        }
        world.go_online(anna);
        world.run(10 * MINUTE_MS);
        assert_eq!(world.heard_texts(boris, to_anna), ["under a wrong clock"]);
    }
}

#[test]
fn what_is_too_old_for_its_certificate_is_not_said_to_be_at_the_relay() {
    let (mut world, anna, boris) = two(304);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.sleep(anna);
    world.run(40 * DAY_MS);
    // Nothing tells how long the machine was off.
    world.set_clock(anna, days(-60));
    world.wake(anna);
    world.go_offline(anna);
    let old = world.say(anna, to_boris, "by the last time that is known").unwrap();
    world.run(MINUTE_MS);
    world.go_online(anna);
    world.run(10 * MINUTE_MS);
    assert_eq!(world.state(anna, old), Some(MessageState::Queued));
    world.say(anna, to_boris, "with a line").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["with a line"]);
    world.set_clock(anna, 0);
    world.run(10 * MINUTE_MS);
    assert_eq!(world.state(anna, old), Some(MessageState::Failed));
    assert!(world.events(anna).contains(&EventKind::NotDelivered));
    assert_eq!(world.dropped(boris, DropReason::Certificate), 0);
}

#[test]
fn an_invite_made_under_a_clock_behind_lives_on_when_it_is_right() {
    let (mut world, anna, boris) = two(305);
    world.set_clock(anna, days(-3));
    let link = world.invite(anna).unwrap();
    world.set_clock(anna, 0);
    world.break_line(anna);
    world.run(10 * MINUTE_MS);
    world.accept(boris, link).unwrap();
}

#[test]
fn what_lies_at_the_relay_is_not_called_lost_when_a_clock_is_set_right() {
    let (mut world, anna, boris) = two(306);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, None);
    world.run(MINUTE_MS);
    world.sleep(boris);
    start_with_clock(&mut world, anna, days(-22));
    world.run(MINUTE_MS);
    let row = world.say(anna, to_boris, "at the relay").unwrap();
    world.run(MINUTE_MS);
    world.set_clock(anna, 0);
    world.break_line(anna);
    world.run(HOUR_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::AtRelay));
    world.wake(boris);
    world.run(2 * MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["at the relay"]);
    assert!(!world.events(anna).contains(&EventKind::NotDelivered));
}

#[test]
fn a_relay_that_tells_another_time_does_not_keep_a_loss_from_being_told() {
    let (mut world, anna, boris) = two(307);
    let (to_boris, _) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, None);
    world.run(MINUTE_MS);
    world.sleep(boris);
    // As well as if the relay's clock stood two days ahead.
    world.set_clock(anna, days(-2));
    let row = world.say(anna, to_boris, "swallowed").unwrap();
    world.run(22 * DAY_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::AtRelay));
    assert!(world.get(anna).engine.told_skew().is_some());
    world.run(2 * DAY_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::Failed));
    assert!(world.events(anna).contains(&EventKind::NotDelivered));
}

#[test]
fn the_clock_is_heard_anew_on_the_line_that_is_up() {
    let (mut world, anna, boris) = two(308);
    let (to_boris, _) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, None);
    world.sleep(boris);
    let row = world.say(anna, to_boris, "never read").unwrap();
    world.run(2 * HOUR_MS);
    world.set_clock(anna, days(3));
    world.run(2 * HOUR_MS);
    assert_eq!(world.get(anna).engine.told_skew().map(|skew| skew / days(1)), Some(-3));
    world.set_clock(anna, 0);
    world.run(2 * HOUR_MS);
    assert_eq!(world.get(anna).engine.told_skew(), None);
    world.run(22 * DAY_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::Failed));
}

/// What a stranger's sixty texts that are no meeting cost them, by our clock: dropped after a try, and untried.
fn tried_and_not(off_ms: i64) -> (u64, u64) {
    let (mut world, anna, vera) = two(309);
    world.set_clock(anna, off_ms);
    world.break_line(anna);
    world.run(MINUTE_MS);
    let link = world.invite(anna).unwrap();
    let (mut offer, own) = (world.offer_of(&link), world.invite(vera).unwrap());
    let invite_queue = std::mem::replace(&mut offer.addresses, world.offer_of(&own).addresses);
    let link = world.plant(&offer);
    let to_anna = world.accept(vera, link).unwrap();
    world.run(MINUTE_MS);
    world.get(vera).store.transaction(|tx| tx.replace_peer_queues(to_anna, &invite_queue)).unwrap();
    for _ in 0..60 {
        world.say_edited(vera, to_anna, Body::Text("hello".into()), |_| {});
        world.run(SECOND_MS);
    }
    (world.dropped(anna, DropReason::Content), world.dropped(anna, DropReason::Budget))
}

#[test]
fn a_stranger_s_budget_holds_under_a_clock_that_is_wrong() {
    // Rule S7.
    let right = tried_and_not(0);
    assert!(right.1 > 0, "{right:?}");
    for off in [2 * HOUR_MS.cast_signed(), days(50), days(-50)] {
        assert_eq!(tried_and_not(off), right);
    }
}

#[test]
fn a_claim_is_made_again_under_a_clock_that_is_wrong() {
    // Rule I2.
    let (mut world, anna, boris) = two(310);
    let link = world.invite(anna).unwrap();
    world.set_clock(boris, days(10));
    let request = AcceptRequest { link: link.clone(), name: Words::default(), renews: None };
    world.wish(boris, |engine, store, now| engine.invite_accept(store, request, now)).unwrap();
    // The claim has reached the relay, and its answer does not come.
    world.run(220);
    world.break_line(boris);
    world.run(MINUTE_MS);
    assert_eq!(world.contacts(boris).len(), 0);
    world.set_clock(boris, days(10));
    world.accept(boris, link).unwrap();
}

#[test]
fn a_text_ends_in_its_time_however_the_clock_is_set_back() {
    // Rule E10.
    for (seed, restarts) in [(311, false), (312, true)] {
        let (mut world, anna, boris) = two(seed);
        let (to_boris, to_anna) = world.meet(anna, boris);
        world.set_timer(boris, to_anna, Some(7 * 86_400));
        world.say(boris, to_anna, "a week").unwrap();
        world.run(MINUTE_MS);
        world.read_all(anna);
        world.run(6 * DAY_MS);
        if restarts {
            world.sleep(anna);
        }
        world.set_clock(anna, days(-6));
        if restarts {
            world.wake(anna);
        }
        world.run(23 * HOUR_MS);
        assert_eq!(world.heard_texts(anna, to_boris), ["a week"]);
        world.run(2 * HOUR_MS);
        assert_eq!(world.heard_texts(anna, to_boris), Vec::<String>::new());
    }
}
