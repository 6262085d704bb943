//! The alert, the real cores in a false world: what leaves when a profile is destroyed, and what never does.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::store::contact::ContactId;
use beresta_proto::limits::SENDER_AHEAD;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use beresta_tests::world::{Who, World};

const ALERT: &str = "I was detained. Do as we agreed.";

/// Anna and Boris, who met; how she knows him, and he her.
fn met(seed: u64) -> (World, Who, Who, ContactId, ContactId) {
    let mut world = World::new(seed);
    let anna = world.person("Anna");
    let boris = world.person("Boris");
    let (to_boris, to_anna) = world.meet(anna, boris);
    (world, anna, boris, to_boris, to_anna)
}

fn set(world: &mut World, who: Who, to: &[ContactId]) {
    world.wish(who, |engine, store, now| engine.set_alert(store, &ALERT.into(), to, now)).unwrap();
}

#[test]
fn an_alert_is_heard_wherever_the_conversation_stood() {
    for said_after in 0..4 {
        let (mut world, anna, boris, to_boris, to_anna) = met(70 + said_after);
        world.say(anna, to_boris, "before").unwrap();
        world.run(MINUTE_MS);
        set(&mut world, anna, &[to_boris]);
        let mut expected = vec![String::from("before")];
        for number in 0..said_after {
            let text = format!("after {number}");
            world.say(anna, to_boris, &text).unwrap();
            expected.push(text);
            if number == 1 {
                world.run(SECOND_MS);
                world.say(boris, to_anna, "an answer").unwrap();
                world.run(MINUTE_MS);
            }
        }
        // The last text is on its way, and the alert is behind it.
        assert_eq!(world.destroy(anna), 1);
        world.run(MINUTE_MS);
        expected.push(ALERT.to_owned());
        assert_eq!(world.heard_texts(boris, to_anna), expected);
        assert_eq!(world.keys_used_twice(boris), (0, false));
    }
}

#[test]
fn an_alert_that_lies_ready_is_said_to_nobody_and_changes_no_conversation() {
    // Rule S13.
    let (mut world, anna, boris, to_boris, to_anna) = met(80);
    world.say(anna, to_boris, "one").unwrap();
    world.run(MINUTE_MS);
    let (before, capsules) = (world.stands_at(anna, to_boris), world.capsules());
    set(&mut world, anna, &[to_boris]);
    assert_eq!(world.get(anna).engine.alert_ready(), [to_boris]);
    world.run(3 * HOUR_MS);
    assert_eq!((world.stands_at(anna, to_boris), world.capsules()), (before, capsules));

    // It took the keys that these take, and did not leave.
    world.say(anna, to_boris, "two").unwrap();
    world.run(MINUTE_MS);
    world.say(boris, to_anna, "three").unwrap();
    world.run(MINUTE_MS);
    world.crash(anna);
    world.say(anna, to_boris, "four").unwrap();
    world.run(DAY_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["one", "two", "four"]);
    assert_eq!(world.keys_used_twice(boris), (0, false));
    // And lies ready again after a start.
    assert_eq!(world.get(anna).engine.alert_ready(), [to_boris]);
}

#[test]
fn an_alert_is_sealed_when_it_is_sent_or_a_minute_before() {
    let (mut world, anna, boris, to_boris, to_anna) = met(81);
    set(&mut world, anna, &[to_boris]);
    for _ in 0..7 {
        world.run(11 * MINUTE_MS);
        // As a driver does, twice a minute.
        world.wish(anna, |engine, store, now| engine.ready_alert(store, now)).unwrap();
    }
    world.run(20 * SECOND_MS);
    let destroyed = world.now;
    assert_eq!(world.destroy(anna), 1);
    world.run(MINUTE_MS);
    let heard = world.get(boris).store.transaction(|tx| tx.history(to_anna, None, 1)).unwrap();
    let sent = heard.first().unwrap().sent;
    assert!(sent <= destroyed && destroyed.since(sent) <= MINUTE_MS, "{sent:?} {destroyed:?}");
}

#[test]
fn an_alert_goes_to_nobody_to_whom_nothing_may_be_said() {
    let (mut world, anna, _, to_boris, _) = met(82);
    let vera = world.person("Vera");
    let (to_vera, _) = world.meet(anna, vera);
    set(&mut world, anna, &[to_boris, to_vera]);
    assert_eq!(world.get(anna).engine.alert_ready(), [to_boris, to_vera]);
    world.wish(anna, |engine, store, now| engine.seized(store, to_vera, now)).unwrap();
    assert_eq!(world.get(anna).engine.alert_ready(), [to_boris]);

    // A key that changed, and about which she has not decided (rule S12).
    let change = |world: &mut World, changed| {
        let store = &mut world.get(anna).store;
        let turned = store.transaction(|tx| {
            let mut contact = tx.contact(to_boris)?;
            contact.identity_changed = changed;
            tx.update_contact(&contact)
        });
        turned.unwrap();
        world.wish(anna, |engine, store, now| engine.ready_alert(store, now)).unwrap();
    };
    change(&mut world, true);
    assert!(world.get(anna).engine.alert_ready().is_empty());
    change(&mut world, false);
    assert_eq!(world.get(anna).engine.alert_ready(), [to_boris]);

    world.wish(anna, |engine, store, now| engine.remove(store, to_boris, now)).unwrap();
    assert!(world.get(anna).engine.alert_ready().is_empty());
    assert_eq!(world.destroy(anna), 0);
}

#[test]
fn an_alert_that_was_removed_or_set_anew_is_not_said() {
    let (mut world, anna, boris, to_boris, to_anna) = met(83);
    let said = |world: &mut World, text: &str| {
        world.wish(anna, |engine, store, now| engine.set_alert(store, &text.into(), &[to_boris], now))
    };
    said(&mut world, "the first").unwrap();
    said(&mut world, "the second").unwrap();
    for refused in ["", "  \n ", &"a".repeat(13_001)] {
        assert!(said(&mut world, refused).is_err());
    }
    // What is refused leaves the one before.
    let kept = world.get(anna).store.transaction(|tx| tx.alert_text()).unwrap();
    assert_eq!(kept.unwrap().as_str(), "the second");
    let removed = |world: &mut World| world.wish(anna, |engine, store, now| engine.remove_alert(store, now));
    assert_eq!((removed(&mut world), removed(&mut world)), (Ok(true), Ok(false)));
    assert_eq!(world.destroy(anna), 0);
    world.run(MINUTE_MS);
    assert!(world.heard_texts(boris, to_anna).is_empty());
}

#[test]
fn an_alert_goes_to_who_was_away_for_longer_than_texts_may_wait() {
    let (mut world, anna, boris, to_boris, to_anna) = met(84);
    world.go_offline(boris);
    set(&mut world, anna, &[to_boris]);
    world.go_offline(anna);
    let ahead = world.ahead(anna, to_boris);
    for number in ahead..SENDER_AHEAD {
        world.say(anna, to_boris, &number.to_string()).unwrap();
    }
    assert!(world.say(anna, to_boris, "one too many").is_err());
    assert_eq!(world.get(anna).engine.alert_ready(), [to_boris]);
    // Nothing of what waits leaves before it.
    world.refuses = u32::MAX;
    world.go_online(anna);
    world.run(10 * MINUTE_MS);
    world.refuses = 0;
    assert_eq!(world.destroy(anna), 1);
    world.go_online(boris);
    world.run(HOUR_MS);
    let heard = world.heard_texts(boris, to_anna);
    assert!(heard.contains(&ALERT.to_owned()), "{heard:?}");
}

#[test]
fn nothing_is_ready_where_the_store_failed() {
    let (mut world, anna, _, to_boris, _) = met(85);
    set(&mut world, anna, &[to_boris]);
    // What a step moved is not known then: an alert that was made before must not leave.
    let person = world.get(anna);
    person.store.fail_write(Some(0));
    assert!(person.engine.ready_alert(&mut person.store, beresta_tests::world::BEGIN).is_err());
    assert!(person.engine.alert_ready().is_empty());
    world.run(HOUR_MS);
    world.say(anna, to_boris, "it works again").unwrap();
    assert_eq!(world.get(anna).engine.alert_ready(), [to_boris]);
}
