//! Two people over a relay, the real cores in a false world: what each promise looks like from outside.

use beresta_client::engine::{AcceptRequest, AskError, ComposeError, InviteRequest, SendRefused};
use beresta_client::store::event::{DropReason, EventKind};
use beresta_client::store::message::MessageState;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use beresta_proto::words::Words;
use beresta_tests::world::{Who, World};

fn two(seed: u64) -> (World, Who, Who) {
    let mut world = World::new(seed);
    let anna = world.person("Анна");
    let boris = world.person("Boris");
    (world, anna, boris)
}

#[test]
fn two_people_meet_by_an_invite_and_talk_both_ways() {
    let (mut world, anna, boris) = two(1);
    let (to_boris, to_anna) = world.meet(anna, boris);
    let hello = world.say(anna, to_boris, "Здравствуйте, Борис").unwrap();
    world.run(SECOND_MS);
    assert_eq!(world.state(anna, hello), Some(MessageState::AtRelay));
    world.say(boris, to_anna, "Hello, Anna").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["Здравствуйте, Борис"]);
    assert_eq!(world.heard_texts(anna, to_boris), ["Hello, Anna"]);
    assert_eq!(world.state(anna, hello), Some(MessageState::Delivered));
    assert_eq!(world.contacts(anna)[0].name.as_str(), "Boris");
    assert_eq!(world.contacts(boris)[0].name.as_str(), "Анна");
}

#[test]
fn a_second_claimant_is_told_that_the_invite_was_used() {
    let (mut world, anna, boris) = two(2);
    let vera = world.person("Vera");
    let link = world.invite(anna).unwrap();
    world.accept(boris, link.clone()).unwrap();
    assert!(matches!(world.accept(vera, link), Err(AskError::InviteUsed | AskError::InviteGone)));
    assert_eq!(world.contacts(anna).len(), 1);
}

#[test]
fn a_second_claimant_is_told_while_the_first_has_not_written_yet() {
    let (mut world, anna, boris) = two(3);
    let vera = world.person("Vera");
    let link = world.invite(anna).unwrap();
    world.go_offline(anna);
    world.accept(boris, link.clone()).unwrap();
    assert!(matches!(world.accept(vera, link), Err(AskError::InviteUsed)));
}

#[test]
fn an_invite_that_ended_or_was_taken_back_is_gone() {
    let (mut world, anna, boris) = two(4);
    let late = world.invite(anna).unwrap();
    world.run(25 * HOUR_MS);
    assert!(matches!(world.accept(boris, late), Err(AskError::InviteGone)));

    let revoked = world.invite(anna).unwrap();
    let id = world.get(anna).store.transaction(|tx| tx.invites()).unwrap().last().unwrap().id;
    world.wish(anna, |engine, store, now| engine.invite_revoke(store, id, now)).unwrap();
    world.run(SECOND_MS);
    assert!(matches!(world.accept(boris, revoked), Err(AskError::InviteGone)));
}

#[test]
fn our_own_invite_and_a_contact_s_second_one_are_told_apart() {
    // Rule I7.
    let (mut world, anna, boris) = two(5);
    let own = world.invite(anna).unwrap();
    assert!(matches!(world.accept(anna, own), Err(AskError::OwnInvite)));
    let (_, to_anna) = world.meet(anna, boris);
    let again = world.invite(anna).unwrap();
    assert!(matches!(world.accept(boris, again), Err(AskError::AlreadyContact(id)) if id == to_anna));
}

#[test]
fn after_meeting_nothing_goes_to_the_invite_queue() {
    // Rule I5.
    let (mut world, anna, boris) = two(6);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "on the fresh queue").unwrap();
    world.run(MINUTE_MS);
    let queues = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
    assert_eq!(queues.len(), 2);
    world.run(25 * HOUR_MS);
    let left = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].invite.is_none());
    world.say(boris, to_anna, "and still").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["on the fresh queue", "and still"]);
}

#[test]
fn what_is_sent_while_the_other_is_away_waits_and_arrives_in_order() {
    let (mut world, anna, boris) = two(7);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.go_offline(boris);
    let texts: Vec<String> = (0..50).map(|n| format!("text {n}")).collect();
    let rows: Vec<_> = texts.iter().map(|text| world.say(anna, to_boris, text).unwrap()).collect();
    world.run(DAY_MS);
    assert!(rows.iter().all(|row| world.state(anna, *row) == Some(MessageState::AtRelay)));
    world.go_online(boris);
    world.run(10 * MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), texts);
    assert!(rows.iter().all(|row| world.state(anna, *row) == Some(MessageState::Delivered)));
}

#[test]
fn what_is_sent_without_a_line_is_kept_and_goes_out_later() {
    let (mut world, anna, boris) = two(8);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.go_offline(anna);
    let row = world.say(anna, to_boris, "kept").unwrap();
    world.run(HOUR_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::Queued));
    world.crash(anna);
    world.go_online(anna);
    world.run(10 * MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["kept"]);
    assert_eq!(world.state(anna, row), Some(MessageState::Delivered));
}

#[test]
fn lines_that_break_and_programs_that_crash_lose_and_double_nothing() {
    let (mut world, anna, boris) = two(9);
    let (to_boris, to_anna) = world.meet(anna, boris);
    let mut texts = Vec::new();
    for n in 0..120 {
        let text = format!("text {n}");
        world.say(anna, to_boris, &text).unwrap();
        texts.push(text);
        world.run(15 + (n * 37) % 190);
        match n % 12 {
            1 => world.break_line(anna),
            4 => world.break_line(boris),
            6 => world.crash(anna),
            9 => world.crash(boris),
            11 => world.restart_relay(),
            _ => {}
        }
    }
    world.run(HOUR_MS);
    let mut heard = world.heard_texts(boris, to_anna);
    heard.sort();
    texts.sort();
    assert_eq!(heard, texts);
}

#[test]
fn a_message_opened_21_days_later_with_a_clock_a_day_wrong_is_shown() {
    for (seed, off) in [(10, DAY_MS.cast_signed()), (11, -DAY_MS.cast_signed())] {
        let (mut world, anna, boris) = two(seed);
        let (to_boris, to_anna) = world.meet(anna, boris);
        world.set_timer(anna, to_boris, None);
        world.run(MINUTE_MS);
        world.go_offline(boris);
        world.say(anna, to_boris, "late").unwrap();
        world.run(21 * DAY_MS - HOUR_MS);
        world.go_online(boris);
        world.set_clock(boris, off);
        world.run(10 * MINUTE_MS);
        assert_eq!(world.heard_texts(boris, to_anna), ["late"]);
    }
}

/// Rule S9: a sender at its cap probes.
#[test]
fn a_conversation_whose_messages_all_expired_heals() {
    let (mut world, anna, boris) = two(12);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, None);
    world.run(MINUTE_MS);
    world.go_offline(boris);
    // The relay keeps 256; what comes after waits here. Days pass, everything ends, and more is written.
    let mut sent = 0;
    let refused = loop {
        match world.say(anna, to_boris, "lost") {
            Ok(_) => sent += 1,
            Err(refused) => break refused,
        }
        if sent % 200 == 0 {
            world.run(22 * DAY_MS);
            // Its operator renews the descriptor.
            world.restart_relay();
        }
    };
    assert!(matches!(refused, SendRefused::Compose(ComposeError::TooFarAhead)));
    assert!(sent >= 990, "the cap is near 1,000: {sent}");
    world.run(40 * DAY_MS);
    let failed = world.chat(anna, to_boris).into_iter().filter(|one| one.state == MessageState::Failed);
    assert_eq!(failed.count(), sent);

    world.go_online(boris);
    world.run(2 * DAY_MS);
    world.say(anna, to_boris, "healed").unwrap();
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(boris, to_anna).last().map(String::as_str), Some("healed"));
    world.say(boris, to_anna, "here again").unwrap();
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["here again"]);
}

#[test]
fn a_full_queue_stops_its_sender_and_its_reader_lets_them_go_on() {
    let (mut world, anna, boris) = two(13);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.go_offline(boris);
    let texts: Vec<String> = (0..400).map(|n| format!("text {n}")).collect();
    for text in &texts {
        world.say(anna, to_boris, text).unwrap();
    }
    world.run(HOUR_MS);
    let waiting = world.chat(anna, to_boris).into_iter().filter(|one| one.state == MessageState::Queued);
    assert!(waiting.count() >= 140);
    world.go_online(boris);
    world.run(HOUR_MS);
    let mut heard = world.heard_texts(boris, to_anna);
    heard.sort();
    let mut texts = texts;
    texts.sort();
    assert_eq!(heard, texts);
}

#[test]
fn disappearing_runs_from_sending_for_the_sender_and_from_reading_for_the_recipient() {
    let (mut world, anna, boris) = two(14);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, Some(60));
    world.run(MINUTE_MS);
    world.say(anna, to_boris, "gone soon").unwrap();
    world.run(59 * SECOND_MS);
    assert_eq!(world.chat(anna, to_boris).len(), 1);
    world.run(2 * SECOND_MS);
    assert_eq!(world.chat(anna, to_boris), []);
    // Boris has not read it.
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["gone soon"]);
    world.read_all(boris);
    world.run(61 * SECOND_MS);
    assert_eq!(world.chat(boris, to_anna), []);
    assert!(world.events(boris).contains(&EventKind::TimerChanged));
}

#[test]
fn new_conversations_disappear_after_a_week() {
    let (mut world, anna, boris) = two(15);
    let (to_boris, _) = world.meet(anna, boris);
    world.say(anna, to_boris, "a week").unwrap();
    world.run(7 * DAY_MS - MINUTE_MS);
    assert_eq!(world.chat(anna, to_boris).len(), 1);
    world.run(2 * MINUTE_MS);
    assert_eq!(world.chat(anna, to_boris), []);
}

#[test]
fn what_is_not_delivered_in_its_time_is_said_to_have_failed() {
    let (mut world, anna, boris) = two(16);
    let (to_boris, _) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, None);
    world.run(MINUTE_MS);
    world.go_offline(boris);
    let row = world.say(anna, to_boris, "too late").unwrap();
    world.run(20 * DAY_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::AtRelay));
    world.run(2 * DAY_MS);
    assert_eq!(world.state(anna, row), Some(MessageState::Failed));
}

/// Rule S12.
#[test]
fn a_changed_identity_blocks_sending_once_and_loudly() {
    let (mut world, anna, boris) = two(17);
    let (to_boris, _) = world.meet(anna, boris);
    // Boris lost his laptop and comes back on another one.
    let again = world.person("Boris");
    let request = InviteRequest { hours: 24, name: Words::default(), renews: Some(to_boris) };
    let link = world.invite_with(anna, request).unwrap();
    let to_anna = world.accept(again, link).unwrap();
    world.run(MINUTE_MS);
    assert!(world.events(anna).contains(&EventKind::IdentityChanged));
    assert!(matches!(world.say(anna, to_boris, "is it you?"), Err(SendRefused::IdentityChanged)));
    world.decide(anna, to_boris);
    world.say(anna, to_boris, "is it you?").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(again, to_anna), ["is it you?"]);
    assert_eq!(world.contacts(anna).len(), 1);
}

#[test]
fn who_comes_back_renews_both_ways() {
    let (mut world, anna, boris) = two(18);
    let (_, to_anna) = world.meet(anna, boris);
    let again = world.person("Анна");
    let link = world.invite(again).unwrap();
    let request = AcceptRequest { link, name: Words::default(), renews: Some(to_anna) };
    let renewed = world.accept_with(boris, request).unwrap();
    assert_eq!(renewed, to_anna);
    assert!(matches!(world.say(boris, to_anna, "?"), Err(SendRefused::IdentityChanged)));
}

#[test]
fn a_blocked_contact_reaches_nobody_and_learns_it_by_failing() {
    let (mut world, anna, boris) = two(19);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.wish(anna, |engine, store, now| engine.block(store, to_boris, now)).unwrap();
    world.run(SECOND_MS);
    let row = world.say(boris, to_anna, "hello?").unwrap();
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(anna, to_boris), Vec::<String>::new());
    assert_eq!(world.state(boris, row), Some(MessageState::Failed));
    assert!(matches!(world.say(anna, to_boris, "no"), Err(SendRefused::Blocked)));
}

#[test]
fn a_removed_contact_leaves_nothing_behind() {
    let (mut world, anna, boris) = two(20);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "remember me").unwrap();
    world.run(MINUTE_MS);
    world.wish(anna, |engine, store, now| engine.remove(store, to_boris, now)).unwrap();
    world.run(MINUTE_MS);
    assert!(world.contacts(anna).is_empty());
    assert!(world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap().is_empty());
    let row = world.say(boris, to_anna, "hello?").unwrap();
    world.run(HOUR_MS);
    assert_eq!(world.state(boris, row), Some(MessageState::Failed));
}

#[test]
fn every_frame_on_the_line_has_one_of_four_sizes() {
    let (mut world, anna, boris) = two(22);
    let (to_boris, to_anna) = world.meet(anna, boris);
    for len in [1, 300, 1_500, 5_000, 12_990] {
        world.say(anna, to_boris, &"я".repeat(len / 2 + 1)).unwrap();
        world.say(boris, to_anna, &"z".repeat(len)).unwrap();
        world.run(MINUTE_MS);
    }
    assert_eq!(world.chat(anna, to_boris).len(), 10);
    let sizes: std::collections::BTreeSet<usize> = world.tap.iter().map(|(_, frame)| frame.len()).collect();
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [256, 3_584, 5_632, 17_920]);
}

#[test]
fn a_clock_that_is_wrong_by_more_than_an_hour_is_told() {
    let (mut world, anna, boris) = two(23);
    world.set_clock(boris, -3 * HOUR_MS.cast_signed());
    world.meet(anna, boris);
    assert_eq!(world.get(anna).engine.told_skew(), None);
    let told = world.get(boris).engine.told_skew().unwrap();
    assert!((told - 3 * HOUR_MS.cast_signed()).abs() < MINUTE_MS.cast_signed() * 2);
}

#[test]
fn capsules_arrive_once_across_an_epoch_s_turn_and_a_relay_that_forgot() {
    let (mut world, anna, boris) = two(24);
    let (to_boris, to_anna) = world.meet(anna, boris);
    let mut texts = Vec::new();
    // Three days at one text an hour: three turns, and a relay that loses its memory between.
    for hour in 0..72 {
        let text = format!("hour {hour}");
        world.say(anna, to_boris, &text).unwrap();
        texts.push(text);
        world.run(HOUR_MS);
        if hour % 20 == 7 {
            world.restart_relay();
        }
    }
    world.run(HOUR_MS);
    assert_eq!(world.heard_texts(boris, to_anna), texts);
    assert_eq!(world.dropped(boris, DropReason::Decryption), 0);
}
