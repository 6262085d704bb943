//! Relays that have no room for all: for somebody with more queues than theirs has room for, and for long texts. The real cores in
//! a false world.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use std::collections::BTreeSet;

use beresta_client::store::message::MessageState;
use beresta_proto::command::Command;
use beresta_proto::reply::{Refusal, Reply};
use beresta_proto::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use beresta_tests::world::{Lie, Person, Who, World};

/// As many queues as a link gets in a crowd: one command's.
const SHARE: usize = 32;
/// Two of three are read at a time.
const PEOPLE: usize = 44;

/// A lawyer, and many who know where to write to her.
fn known(world: &mut World) -> (Who, Vec<Who>) {
    let lawyer = world.person("Anna");
    let mut clients = Vec::new();
    for _ in 0..PEOPLE {
        let client = world.person("Boris");
        world.meet(lawyer, client);
        clients.push(client);
    }
    (lawyer, clients)
}

fn write(world: &mut World, clients: &[Who], text: &str) {
    for client in clients {
        let lawyer = world.contacts(*client).first().unwrap().id;
        world.say(*client, lawyer, text).unwrap();
    }
}

fn passed_over(world: &mut World, who: Who) -> usize {
    let relay = world.relay_address().relay;
    let Person { engine, store, .. } = world.get(who);
    store.transaction(|tx| engine.passed_over_at(tx, &relay)).unwrap()
}

/// From how many contacts somebody has heard.
fn heard(world: &mut World, who: Who) -> usize {
    let contacts = world.contacts(who);
    contacts.iter().filter(|one| !world.heard_texts(who, one.id).is_empty()).count()
}

#[test]
fn in_a_crowd_all_queues_are_read_in_turn_and_new_ones_can_be_made() {
    let mut world = World::new(1);
    let (lawyer, clients) = known(&mut world);
    assert_eq!(passed_over(&mut world, lawyer), 0);
    world.crowd(SHARE);
    write(&mut world, &clients, "is anybody there?");
    world.run(30 * SECOND_MS);
    assert!(heard(&mut world, lawyer) < PEOPLE);
    assert!(passed_over(&mut world, lawyer) >= PEOPLE - SHARE, "she is told");
    let Person { engine, store, .. } = world.get(lawyer);
    assert!(engine.is_reached(store).unwrap(), "and not that no relay is reached");
    assert!(engine.has_caught_up(store).unwrap());
    world.run(4 * MINUTE_MS);
    assert_eq!(heard(&mut world, lawyer), PEOPLE);

    let last = world.person("Vera");
    world.meet(lawyer, last);
    assert_eq!(world.contacts(lawyer).len(), PEOPLE + 1);

    // The crowd goes.
    world.uncrowd();
    world.run(4 * MINUTE_MS);
    assert_eq!(passed_over(&mut world, lawyer), 0);
}

#[test]
fn a_program_that_is_started_again_and_again_for_a_moment_reads_all_in_the_end() {
    let mut world = World::new(2);
    let (lawyer, clients) = known(&mut world);
    world.crowd(SHARE);
    write(&mut world, &clients, "is anybody there?");
    world.run(20 * SECOND_MS);
    for _ in 0..30 {
        world.crash(lawyer);
        world.run(20 * SECOND_MS);
    }
    assert_eq!(heard(&mut world, lawyer), PEOPLE);
}

#[test]
fn who_has_just_as_many_queues_as_are_read_in_a_crowd_meets_others_all_the_same() {
    let mut world = World::new(3);
    let lawyer = world.person("Anna");
    for _ in 0..SHARE {
        world.invite(lawyer).unwrap();
    }
    world.crowd(SHARE);
    world.run(MINUTE_MS);
    let mut met = 0;
    for _ in 0..12 {
        let guest = world.person("Vera");
        // What fails does for a minute or two, and the person is told.
        let mut again = 0;
        while world.invite(lawyer).is_err() {
            world.run(MINUTE_MS);
            again += 1;
            assert!(again < 4);
        }
        world.meet(lawyer, guest);
        met += 1;
    }
    assert_eq!(world.contacts(lawyer).len(), met);
}

#[test]
fn a_long_text_that_a_full_relay_does_not_take_holds_up_nothing_shorter_and_opens_whenever_it_goes() {
    // Rule I9.
    let mut world = World::new(325);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.run(MINUTE_MS);
    world.takes_no_long = true;
    let texts = ["one", "two"].map(|text| text.repeat(2_000));
    let written = world.now;
    let long = texts.clone().map(|text| world.say(anna, to_boris, &text).unwrap());
    let short = world.say(anna, to_boris, "short").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["short"]);
    assert_eq!(world.state(anna, short), Some(MessageState::Delivered));
    assert_eq!(world.state(anna, long[0]), Some(MessageState::Queued));
    assert_eq!(world.get(anna).store.transaction(|tx| tx.too_long_now()), Ok(BTreeSet::from(long)));

    // They answer each other more often than a reader keeps what it skipped, and she closes her laptop in between.
    for round in 0..12 {
        let his = world.say(boris, to_anna, &format!("b{round}")).unwrap();
        world.run(HOUR_MS);
        world.say(anna, to_boris, &format!("a{round}")).unwrap();
        world.run(HOUR_MS);
        assert_eq!(world.state(boris, his), Some(MessageState::Delivered));
        world.crash(anna);
    }
    world.takes_no_long = false;
    world.run(HOUR_MS);
    let heard = world.heard_texts(boris, to_anna);
    assert_eq!(heard[heard.len() - 2..], texts);
    let came = world.get(boris).store.transaction(|tx| tx.history(to_anna, None, 100)).unwrap();
    assert!(came.iter().rev().take(2).all(|text| text.sent == written), "not when they were sealed last");
    assert_eq!(long.map(|row| world.state(anna, row)), [Some(MessageState::Delivered); 2]);
    assert_eq!(heard.len(), 15, "each came once");
}

#[test]
fn a_long_text_that_waits_uses_up_nothing_while_its_reader_writes_on_and_hears_nothing() {
    // Rules I9 and S9.
    let mut world = World::new(327);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.run(MINUTE_MS);
    world.lie(move |asked| {
        let deaf = asked.who == boris && matches!(asked.command, Command::Subscribe(_));
        deaf.then_some(Lie::Reply(Reply::Refused(Refusal::Failed)))
    });
    world.go_offline(boris);
    world.run(SECOND_MS);
    world.go_online(boris);
    world.takes_no_long = true;
    world.say(anna, to_boris, &"long".repeat(2_000)).unwrap();
    world.run(MINUTE_MS);
    let before = world.ahead(anna, to_boris);
    for round in 0..10 {
        world.say(boris, to_anna, &format!("b{round}")).unwrap();
        world.run(MINUTE_MS);
        world.crash(anna);
        world.run(MINUTE_MS);
    }
    assert_eq!(world.heard_texts(anna, to_boris).len(), 10);
    // A receipt for each, and no more.
    assert!(world.ahead(anna, to_boris) <= before + 10, "{before} {}", world.ahead(anna, to_boris));
}

#[test]
fn a_long_text_that_only_failed_keeps_its_place() {
    // Rule I9.
    for (refuses, fails) in [(2, 0), (0, 2)] {
        let mut world = World::new(326);
        let (anna, boris) = (world.person("Anna"), world.person("Boris"));
        let (to_boris, to_anna) = world.meet(anna, boris);
        world.run(HOUR_MS);
        (world.refuses, world.fails) = (refuses, fails);
        let texts = ["long".repeat(2_000), "short".to_owned()];
        for text in &texts {
            world.say(anna, to_boris, text).unwrap();
        }
        world.run(2 * MINUTE_MS);
        assert_eq!((world.refuses, world.fails), (0, 0));
        assert!(world.heard_texts(boris, to_anna) == texts, "the short one came first");
    }
}
