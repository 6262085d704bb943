//! The alert over a link that came up when the profile was gone.

use beresta_proto::command::Command;

use super::*;
use crate::store::contact::ContactId;

/// Anna, whose alert for Boris lies ready; Boris's relay, which she has reached at `known` and not since.
fn ready(station: &Station, known: Timestamp) -> AlertMessage {
    let mut bench = Bench::new(None);
    let boris = met(&mut bench, station);
    let link =
        LinkUp { clock: known, epoch_keys: vec![station.epoch_key(known.day())], ..station.link_up(known) };
    bench.now = known;
    bench.engine.handle_link_up(&mut bench.store, link, known).unwrap();
    bench.engine.set_alert(&mut bench.store, &"help".into(), &[boris], known).unwrap();
    bench.engine.handle_link_down(&mut bench.store, station.id(), known).unwrap();
    bench.engine.ready_alert(&mut bench.store, known).unwrap();
    let mut alert = bench.engine.take_alert(known);
    assert!(bench.engine.take_alert(known).is_empty(), "it leaves once");
    alert.pop().unwrap()
}

/// A contact at a relay, with a conversation.
fn met(bench: &mut Bench, station: &Station) -> ContactId {
    let mut rng = rng(7);
    let mut other = Store::open_in_memory(&mut rng).unwrap();
    let bundle = other
        .transaction(|tx| {
            crypto::create_account(tx, &mut rng).unwrap();
            Ok::<_, StoreError>(crypto::make_bundle(tx, BEGIN, &mut rng).unwrap())
        })
        .unwrap();
    let queue = queue_at(station.address(), 1);
    let met = bench.store.transaction(|tx| {
        let contact = Contact {
            handle: Handle(rng.array()),
            identity: bundle.identity,
            device: bundle.device,
            ..Contact::boris()
        };
        let id = tx.insert_contact(&contact, BEGIN)?;
        tx.replace_peer_queues(id, &[queue])?;
        crypto::meet(tx, &peer(&contact), &bundle, BEGIN, &mut rng).unwrap();
        Ok::<_, StoreError>(id)
    });
    met.unwrap()
}

#[test]
fn an_alert_is_made_ready_without_writing() {
    // What is written on a side of the profile's files and not on the other would tell which is in use.
    let station = Station::new(1);
    let mut bench = Bench::new(None);
    let boris = met(&mut bench, &station);
    bench.engine.set_alert(&mut bench.store, &"help".into(), &[boris], BEGIN).unwrap();
    let changes = |store: &mut Store| store.transaction(|tx| Ok::<_, StoreError>(tx.changes())).unwrap();
    let before = changes(&mut bench.store);
    for hours in 0..3 {
        bench.engine.ready_alert(&mut bench.store, BEGIN.plus(hours * 60 * MINUTE_MS)).unwrap();
        assert_eq!(bench.engine.alert_ready(), [boris]);
    }
    assert_eq!(changes(&mut bench.store), before);
}

#[test]
fn a_relay_that_was_not_linked_takes_the_alert_under_the_key_of_its_day() {
    let station = Station::new(1);
    let mut alert = ready(&station, BEGIN);
    assert!(alert.take_command().is_none(), "there was no link");
    assert_eq!(*alert.relay(), station.address());
    let later = BEGIN.plus(2 * DAY_MS);
    let link = LinkUp { epoch_keys: vec![station.epoch_key(later.day())], ..station.link_up(later) };
    let command = alert.command(&link, &mut rng(3)).unwrap();
    let Command::Send { capsule } = command else { panic!("{command:?}") };
    let capsule = beresta_proto::capsule::Capsule::decode(capsule).unwrap();
    let header = capsule.open_header(&station.epoch, &station.id()).unwrap();
    let (order, _) = capsule.open_order(&header.session, header.n).unwrap();
    assert_eq!(order.queue, queue_at(station.address(), 1).send_id);
}

#[test]
fn a_relay_that_hands_out_an_older_key_or_one_of_somebody_else_is_told_nothing() {
    // Rules D7 and D8: a relay that is seized today must not bring senders back to a day whose key was copied before.
    let station = Station::new(1);
    let later = BEGIN.plus(2 * DAY_MS);
    let alert = ready(&station, later);
    let with = |day, from: &Station, clock| {
        let link = LinkUp { clock, epoch_keys: vec![from.epoch_key(day)], ..station.link_up(later) };
        alert.command(&link, &mut rng(3)).is_some()
    };
    assert!(with(later.day(), &station, later));
    assert!(!with(BEGIN.day(), &station, BEGIN), "an older day, by an older clock");
    assert!(!with(later.day(), &Station::new(2), later), "another's signature");
}
