//! Telling many contacts of a fresh queue, as after a move or where a relay lost what it had: the real cores in a false world.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::crypto::{self, EncryptError, Peer};
use beresta_client::store::contact::{Contact, ContactId};
use beresta_client::store::event::EventKind;
use beresta_client::store::{StoreError, Tx};
use beresta_proto::command::Command;
use beresta_proto::limits::SENDER_AHEAD;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, TtlClass};
use beresta_tests::world::{Seeded, Who, World};

/// How many contacts are still to be told.
fn untold(world: &mut World, who: Who) -> usize {
    world.get(who).store.transaction(|tx| tx.contacts_needing_queue()).unwrap().len()
}

/// How many queues the relay was asked for.
fn asked_for(world: &World) -> usize {
    let made = |frame: &Vec<u8>| matches!(Command::decode(frame), Ok((_, Command::MakeQueue { .. })));
    world.tap.iter().filter(|(to_relay, frame)| *to_relay && made(frame)).count()
}

#[test]
fn who_knows_hundreds_of_people_tells_them_all_by_one_queue_for_each() {
    let mut world = World::new(1);
    let lawyer = world.person("Anna");
    world.knows(lawyer, 400);
    world.wake(lawyer);
    world.run(10 * SECOND_MS);
    assert!(untold(&mut world, lawyer) < 200);
    world.run(10 * SECOND_MS);
    assert_eq!((untold(&mut world, lawyer), asked_for(&world)), (0, 400));
    let held = world.held();
    assert_eq!((held.queues, held.messages), (800, 400));
}

#[test]
fn at_a_relay_that_grants_little_no_queue_is_made_for_nothing_either() {
    let mut world = World::new(2);
    world.ration(300, 200);
    let lawyer = world.person("Anna");
    world.knows(lawyer, 150);
    world.wake(lawyer);
    world.run(5 * MINUTE_MS);
    assert_eq!(untold(&mut world, lawyer), 0);
    let held = world.held();
    assert_eq!((held.queues, held.messages), (300, 150));
}

/// So much was said to a contact that nothing more may be.
fn fills(world: &mut World, who: Who, contact: ContactId) {
    let (now, mut rng) = (world.now, Seeded::new(7));
    let fill = |tx: &Tx<'_>| {
        let Contact { handle, identity, device, .. } = tx.contact(contact)?;
        let peer = Peer { handle: crypto::Handle(handle.0), identity, device };
        let refused = loop {
            if let Err(refused) = crypto::encrypt(tx, &peer, b"lost", SENDER_AHEAD, now, &mut rng) {
                break refused;
            }
        };
        assert!(matches!(refused, EncryptError::TooFarAhead));
        Ok::<_, StoreError>(())
    };
    world.get(who).store.transaction(fill).unwrap();
}

/// As after a move, the queues before are read for three weeks more.
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
fn for_who_can_be_told_nothing_no_queue_is_made_and_the_one_that_they_know_is_read_until_they_can() {
    let mut world = World::new(3);
    let (anna, boris) = (world.person("Anna"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "before").unwrap();
    world.run(DAY_MS);
    world.sleep(boris);
    fills(&mut world, anna, to_boris);
    moves(&mut world, anna, to_boris);
    let before = asked_for(&world);
    world.run(30 * DAY_MS);
    assert_eq!((untold(&mut world, anna), asked_for(&world) - before), (1, 0));

    // He comes back, and his answer to what asks for it comes by the queue that he knows.
    world.wake(boris);
    world.run(HOUR_MS);
    assert_eq!((untold(&mut world, anna), asked_for(&world) - before), (0, 1));
    world.say(boris, to_anna, "after").unwrap();
    world.run(2 * DAY_MS);
    assert_eq!(world.heard_texts(anna, to_boris).last().map(String::as_str), Some("after"));
    let kept = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
    assert_eq!(kept.len(), 1);
}

#[test]
fn who_had_moved_before_a_relay_lost_the_queues_of_both_hears_that_they_lost_each_other() {
    // Rule I15. The last time, his is lost alone.
    for hers_too in [true, false] {
        let mut world = World::new(4);
        let (anna, boris) = (world.person("Anna"), world.person("Boris"));
        let (to_boris, to_anna) = world.meet(anna, boris);
        world.say(boris, to_anna, "before").unwrap();
        world.run(2 * DAY_MS);
        let queues = |world: &mut World, who| {
            world.get(who).store.transaction(|tx| tx.own_queues()).unwrap().remove(0)
        };
        let (hers, his) = (queues(&mut world, anna).read_id, queues(&mut world, boris).read_id);
        world.sleep(boris);
        moves(&mut world, anna, to_boris);
        world.run(HOUR_MS);
        assert_eq!(untold(&mut world, anna), 0);
        world.lose_queue(boris, his);
        if hers_too {
            world.lose_queue(anna, hers);
        }
        world.run(DAY_MS);
        world.wake(boris);
        world.run(DAY_MS);
        for (who, contact) in [(anna, to_boris), (boris, to_anna)] {
            let told = world.events(who).into_iter().filter(|kind| *kind == EventKind::LostEachOther).count();
            let is = world.get(who).store.transaction(|tx| tx.is_lost(contact)).unwrap();
            assert_eq!((told, is), (usize::from(hers_too), hers_too));
        }
    }
}
