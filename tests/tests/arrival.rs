//! What arrives, how often, and what is answered (rules E8, E9 and S5).

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use beresta_client::store::contact::{Contact, ContactId};
use beresta_client::store::event::{DropReason, EventKind};
use beresta_client::store::message::MessageState;
use beresta_client::store::outbox::Outgoing;
use beresta_client::store::{StoreError, Tx};
use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::command::Command;
use beresta_proto::content::Body;
use beresta_proto::id::{ContentId, RelayId};
use beresta_proto::reply::{Refusal, Reply};
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp, TtlClass};
use beresta_tests::world::{BEGIN, Lie, Who, World};

fn two(seed: u64) -> (World, Who, Who) {
    let mut world = World::new(seed);
    let anna = world.person("Anna");
    let boris = world.person("Boris");
    (world, anna, boris)
}

/// What waits to leave, whatever it waits for.
fn outbox(world: &mut World, who: Who) -> Vec<Outgoing> {
    let end = Timestamp(BEGIN.0 + 100 * DAY_MS);
    world.get(who).store.transaction(|tx| tx.overdue_outgoing(end)).unwrap()
}

/// As after a move: a fresh queue for a contact, and the one before is read for three weeks more.
fn moves(world: &mut World, who: Who, contact: ContactId) {
    let end = world.now.plus(TtlClass::ThreeWeeks.millis());
    let moves = |tx: &Tx<'_>| {
        for mut own in tx.own_queues()? {
            own.retire = Some(end);
            tx.update_own_queue(&own)?;
        }
        tx.update_contact(&Contact { needs_queue: true, ..tx.contact(contact)? })
    };
    world.get(who).store.transaction(moves).unwrap();
}

#[test]
fn a_message_that_comes_twice_is_shown_once() {
    let (mut world, anna, boris) = two(300);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "once").unwrap();
    world.run(SECOND_MS);
    // A relay that pushes again what was acknowledged.
    let again = world.last_delivery();
    world.push(anna, again);
    assert_eq!(world.dropped(anna, DropReason::Repeat), 1);
    // A sender who says again, in a message of its own, what arrived.
    let id = ContentId([7; 16]);
    let twice = |world: &mut World| {
        world.say_edited(boris, to_anna, Body::Text("twice".into()), |content| content.id = id);
        let before = world.capsules();
        world.run(MINUTE_MS);
        world.capsules() - before
    };
    assert_eq!(twice(&mut world), 2, "the text and its receipt");
    assert_eq!(twice(&mut world), 2, "whoever says it again has no receipt of it");
    assert_eq!(world.dropped(anna, DropReason::Repeat), 2);
    assert_eq!(world.heard_texts(anna, to_boris), ["once", "twice"]);
    let told = world.events(anna).into_iter().filter(|kind| *kind == EventKind::MessageArrived);
    assert_eq!(told.count(), 2);
}

/// As a contact would say it again who has no receipt of it; or one who wants it to be read twice.
#[test]
fn a_text_that_is_gone_is_not_shown_again_though_its_sender_says_it_again() {
    let (mut world, anna, boris) = two(308);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.set_timer(anna, to_boris, Some(60));
    world.run(MINUTE_MS);
    let say = |world: &mut World, id: u8| {
        let text = Body::Text(format!("text {id}").as_str().into());
        world.say_edited(boris, to_anna, text, |content| content.id = ContentId([id; 16]));
        world.run(MINUTE_MS);
        world.heard_texts(anna, to_boris)
    };
    // Read, and over by its timer.
    assert_eq!(say(&mut world, 1), ["text 1"]);
    world.read_all(anna);
    world.run(2 * MINUTE_MS);
    assert!(world.heard_texts(anna, to_boris).is_empty());
    // Taken away by who had it.
    assert_eq!(say(&mut world, 2), ["text 2"]);
    world.wish(anna, |engine, store, now| engine.delete_history(store, to_boris, now)).unwrap();

    let shown = |world: &mut World| (say(world, 1), say(world, 2));
    assert_eq!(shown(&mut world), (vec![], vec![]));
    assert_eq!(world.dropped(anna, DropReason::Repeat), 2);
    // As long as a relay may bring it, and who says it may wait for a receipt; by then it is nothing that was delayed.
    world.run(42 * DAY_MS);
    assert_eq!(shown(&mut world), (vec![], vec![]));
    world.run(14 * DAY_MS);
    assert_eq!(say(&mut world, 3), ["text 3"]);
}

#[test]
fn texts_keep_their_order_though_a_relay_refuses_one() {
    let (mut world, anna, boris) = two(305);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.refuses = 2;
    let texts = ["one", "two", "three", "four"];
    for text in texts {
        world.say(boris, to_anna, text).unwrap();
    }
    world.run(MINUTE_MS);
    assert_eq!(world.refuses, 0);
    assert_eq!(world.heard_texts(anna, to_boris), texts);
}

#[test]
fn what_waits_when_a_contact_moves_is_not_overtaken_by_what_is_written_later() {
    // Rule I11.
    let (mut world, anna, boris) = two(309);
    let (to_boris, to_anna) = world.meet(anna, boris);
    // The relay takes nothing for the queue that Anna has had so far.
    world.lie(move |asked| {
        let sends = asked.who == boris && matches!(asked.command, Command::Send { .. });
        sends.then_some(Lie::Reply(Reply::Refused(Refusal::Failed)))
    });
    world.say(boris, to_anna, "one").unwrap();
    world.run(SECOND_MS);
    let before = outbox(&mut world, boris);
    // She makes a fresh one, as after a move, and tells him.
    world.wish(anna, |_, store, _| {
        store
            .transaction(|tx| tx.update_contact(&Contact { needs_queue: true, ..tx.contact(to_boris)? }))
            .unwrap();
    });
    world.run(2 * HOUR_MS);
    let fresh = world.get(boris).store.transaction(|tx| tx.peer_queue(to_anna)).unwrap().unwrap();
    let waits = outbox(&mut world, boris);
    let one = waits.iter().find(|waiting| waiting.id == before[0].id).unwrap();
    assert!(before[0].queue != fresh.id && one.queue == fresh.id, "it waits for the fresh queue");
    assert_ne!(before[0].transport, one.transport, "nothing that a relay saw names it again");
    world.say(boris, to_anna, "two").unwrap();
    world.be_honest();
    world.run(20 * MINUTE_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["one", "two"]);
}

#[test]
fn what_a_contacts_old_relay_has_is_said_again_when_they_move_before_what_waits_and_not_without_end() {
    // Rule I16.
    let (mut world, anna, boris) = two(315);
    let (to_boris, to_anna) = world.meet(anna, boris);
    // He hears nothing, and at last it takes nothing more for him.
    let takes = Rc::new(Cell::new(true));
    let full = Rc::clone(&takes);
    world.lie(move |asked| {
        let deaf = asked.who == boris && matches!(asked.command, Command::Subscribe(_));
        let refuses = asked.who == anna && !full.get() && matches!(asked.command, Command::Send { .. });
        (deaf || refuses).then_some(Lie::Reply(Reply::Refused(Refusal::Failed)))
    });
    world.go_offline(boris);
    world.run(SECOND_MS);
    world.go_online(boris);
    let said: Vec<_> = ["one", "two"].map(|text| world.say(anna, to_boris, text).unwrap()).into();
    world.run(MINUTE_MS);
    assert!(said.iter().all(|row| world.state(anna, *row) == Some(MessageState::AtRelay)));
    takes.set(false);
    let waits = world.say(anna, to_boris, "three").unwrap();
    let here = world.get(anna).store.transaction(|tx| tx.peer_queue(to_boris)).unwrap().unwrap().address;
    let moves = |world: &mut World, relay: u8| {
        let relay = RelayAddress { relay: RelayId([relay; 32]), routes: here.relay.routes.clone() };
        let address = QueueAddress { relay, ..here.clone() };
        let meeting = Body::Meeting { name: "Boris".into(), addresses: vec![address] };
        world.say_edited(boris, to_anna, meeting, |_| ());
        world.run(MINUTE_MS);
        let left = outbox(world, anna);
        let fresh = world.get(anna).store.transaction(|tx| tx.peer_queue(to_boris)).unwrap().unwrap().id;
        assert!(left.iter().all(|outgoing| outgoing.queue == fresh), "nobody is reached there");
        left
    };
    let texts = |left: &[Outgoing]| left.iter().filter_map(|outgoing| outgoing.message).collect::<Vec<_>>();
    let left = moves(&mut world, 7);
    assert_eq!(texts(&left), [said[0], said[1], waits]);
    assert!(said.iter().all(|row| world.state(anna, *row) == Some(MessageState::AtRelay)));

    // That relay took them, and he moves once more.
    let taken = |world: &mut World, left: &[Outgoing]| {
        let take = |tx: &Tx<'_>| left.iter().try_for_each(|outgoing| tx.delete_outgoing(outgoing.id));
        world.get(anna).store.transaction(take).unwrap();
    };
    taken(&mut world, &left);
    assert_eq!(texts(&moves(&mut world, 8)), []);
    world.run(HOUR_MS);
    let fails = |world: &mut World| {
        let fails = |tx: &Tx<'_>| said.iter().map(|row| Ok(tx.message(*row)?.unwrap().fails)).collect();
        world.get(anna).store.transaction::<Vec<_>, StoreError>(fails).unwrap()
    };
    let left = moves(&mut world, 9);
    assert_eq!(texts(&left), said);
    // It waits for that relay as long as any text does, and then there for as long again.
    let weeks = world.now.plus(TtlClass::ThreeWeeks.millis());
    assert!(fails(&mut world).iter().all(|fails| weeks.since(fails.unwrap()) < HOUR_MS));
    let news = |world: &mut World| {
        world.events(anna).into_iter().filter(|kind| *kind == EventKind::NotDelivered).count()
    };
    let before = news(&mut world);
    world.run(20 * DAY_MS);
    assert_eq!(
        (news(&mut world), said.iter().all(|row| world.state(anna, *row) == Some(MessageState::AtRelay))),
        (before, true)
    );
    world.run(2 * DAY_MS);
    assert!(said.iter().all(|row| world.state(anna, *row).is_none()), "the texts have disappeared");
    assert!(news(&mut world) > before);
}

#[test]
fn who_lost_their_queue_while_a_contact_moved_is_told_where_to_write() {
    // Rule I15.
    let (mut world, anna, boris) = two(314);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "before").unwrap();
    world.run(2 * DAY_MS);
    let his = world.get(boris).store.transaction(|tx| tx.own_queues()).unwrap().remove(0);
    world.sleep(boris);
    world.lose_queue(boris, his.read_id);
    moves(&mut world, anna, to_boris);
    world.run(DAY_MS);
    assert_eq!(outbox(&mut world, anna).len(), 0, "there is nowhere to tell him");
    world.wake(boris);
    world.run(30 * DAY_MS);
    let queues = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
    assert!(queues.iter().all(|own| own.retire.is_none()), "the old one is left");

    let hers = world.say(anna, to_boris, "both").unwrap();
    let his = world.say(boris, to_anna, "ways").unwrap();
    world.run(DAY_MS);
    assert_eq!(world.state(anna, hers), Some(MessageState::Delivered));
    assert_eq!(world.state(boris, his), Some(MessageState::Delivered));
    assert_eq!(queues.len(), 1, "he is told again of the same queue");
}

#[test]
fn who_was_away_for_longer_than_their_relay_kept_the_word_of_a_fresh_queue_is_told_again() {
    // Rule I15.
    let (mut world, anna, boris) = two(316);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "before").unwrap();
    world.run(2 * DAY_MS);
    world.sleep(boris);
    moves(&mut world, anna, to_boris);
    world.run(24 * DAY_MS);
    let queues = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
    assert_eq!(queues.len(), 1, "the one before is left, and he has not read of the other");
    // Each content takes a capsule, and he is not there to answer.
    let leave = |world: &mut World, text: &str| {
        let before = world.capsules();
        world.say(anna, to_boris, text).unwrap();
        world.run(MINUTE_MS);
        world.capsules() - before
    };
    assert_eq!(leave(&mut world, "while he is away"), 2, "he is told again, and this");
    assert_eq!(leave(&mut world, "once in three weeks"), 1);
    world.run(6 * DAY_MS);
    world.wake(boris);
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(boris, to_anna), ["while he is away", "once in three weeks"]);
    let hers = world.say(anna, to_boris, "both").unwrap();
    let his = world.say(boris, to_anna, "ways").unwrap();
    world.run(DAY_MS);
    assert_eq!(world.state(anna, hers), Some(MessageState::Delivered));
    assert_eq!(world.state(boris, his), Some(MessageState::Delivered));
    let queues = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
    assert_eq!(queues.len(), 1, "of the same queue");

    // Who was heard by it knows it.
    world.run(30 * DAY_MS);
    assert_eq!(leave(&mut world, "and his receipt"), 2);
}

#[test]
fn nobody_writes_in_vain_while_a_relay_makes_no_queue_for_them_after_a_move() {
    // Rule I13.
    let (mut world, anna, boris) = two(317);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "before").unwrap();
    world.run(2 * DAY_MS);
    world.lie(move |asked| {
        let makes = asked.who == anna && matches!(asked.command, Command::MakeQueue { .. });
        makes.then_some(Lie::Reply(Reply::Refused(Refusal::NoCredit)))
    });
    moves(&mut world, anna, to_boris);
    world.run(40 * DAY_MS);
    let says = |world: &mut World, text: &str| {
        let row = world.say(boris, to_anna, text).unwrap();
        world.run(MINUTE_MS);
        world.state(boris, row)
    };
    assert_eq!(says(&mut world, "where he always wrote"), Some(MessageState::Delivered));

    // He is told at last, and what he wrote until he hears of it has three weeks.
    world.sleep(boris);
    world.be_honest();
    world.run(HOUR_MS);
    let kept = |world: &mut World| -> Vec<Option<u64>> {
        let queues = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
        queues.into_iter().map(|own| own.retire.map(|at| at.since(world.now).div_ceil(DAY_MS))).collect()
    };
    assert_eq!(kept(&mut world), [Some(21), None]);
    world.wake(boris);
    world.run(MINUTE_MS);
    assert_eq!(says(&mut world, "where she reads now"), Some(MessageState::Delivered));
    world.run(2 * DAY_MS);
    assert_eq!(kept(&mut world), [None]);
}

#[test]
fn an_acknowledgement_that_a_relay_refuses_is_said_again() {
    let (mut world, anna, boris) = two(307);
    let (_, to_anna) = world.meet(anna, boris);
    let said: Rc<RefCell<Vec<_>>> = Rc::default();
    let seen = Rc::clone(&said);
    world.lie(move |asked| {
        let Command::Acknowledge { queue, upto } = asked.command else { return None };
        if asked.who != anna {
            return None;
        }
        let mut seen = seen.borrow_mut();
        seen.push((*queue, *upto));
        (seen.len() <= 2).then_some(Lie::Reply(Reply::Refused(Refusal::Failed)))
    });
    world.say(boris, to_anna, "only this").unwrap();
    world.run(20 * SECOND_MS);
    let said = said.borrow();
    assert_eq!(said.len(), 3, "twice refused, then done");
    assert!(said.iter().all(|one| *one == said[0]));
}

#[test]
fn receipts_come_late_in_one_and_never_to_strangers() {
    let (mut world, anna, boris) = two(310);
    let (to_boris, to_anna) = world.meet(anna, boris);
    let before = world.capsules();
    let rows: Vec<_> = (0..5).map(|_| world.say(anna, to_boris, "when?").unwrap()).collect();
    world.run(2 * SECOND_MS);
    assert!(rows.iter().all(|row| world.state(anna, *row) == Some(MessageState::AtRelay)));
    world.run(30 * SECOND_MS);
    assert!(rows.iter().all(|row| world.state(anna, *row) == Some(MessageState::Delivered)));
    assert_eq!(world.capsules() - before, 5 + 1, "one content says that all five arrived");

    // A stranger's first message is answered by fresh queues and by no receipt.
    let vera = world.person("Vera");
    let link = world.invite(anna).unwrap();
    world.accept(vera, link).unwrap();
    let due = world.get(anna).store.transaction(|tx| tx.next_receipt()).unwrap();
    assert_eq!(due, None);

    // Nor is one who was blocked before it was due.
    let last = world.say(boris, to_anna, "too late").unwrap();
    world.run(SECOND_MS);
    world.wish(anna, |engine, store, now| engine.block(store, to_boris, now)).unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.state(boris, last), Some(MessageState::AtRelay));
}

#[test]
fn a_crash_after_commit_repeats_the_same_envelope() {
    let (mut world, anna, boris) = two(320);
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.run(MINUTE_MS);
    for reached_relay in [false, true] {
        let row = world.say(anna, to_boris, "kept").unwrap();
        let kept = outbox(&mut world, anna);
        assert_eq!(kept.len(), 1);
        if reached_relay {
            // Its answer is under way, and is lost.
            world.run(60);
        }
        let ahead = world.ahead(anna, to_boris);
        world.crash(anna);
        let again = outbox(&mut world, anna);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].transport, kept[0].transport);
        assert_eq!(again[0].envelope.as_bytes(), kept[0].envelope.as_bytes());
        assert_eq!(world.ahead(anna, to_boris), ahead, "no step of the ratchet for a repeat");
        world.run(MINUTE_MS);
        assert_eq!(world.state(anna, row), Some(MessageState::Delivered));
        assert_eq!(outbox(&mut world, anna).len(), 0);
    }
    assert_eq!(world.heard_texts(boris, to_anna), ["kept", "kept"]);
    assert_eq!(world.dropped(boris, DropReason::Repeat), 0);
}
