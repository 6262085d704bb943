//! When a message of ours counts as not delivered.

use beresta_proto::id::ContentId;
use beresta_proto::reply::{Reply, Subscribed};
use beresta_proto::time::HOUR_MS;

use super::*;
use crate::store::event::EventKind;
use crate::store::message::{Message, MessageRow, MessageState};

/// A contact who answers on a queue of ours at a relay, and whose receipt for what we said is late since yesterday.
fn late(bench: &mut Bench, home: &Station) {
    let contact = bench.writes_to(3, Station::new(9).address());
    let read_id = bench.reads_a_queue(home).read_id;
    let (relay, now) = (home.id(), bench.now);
    let message = Message {
        id: MessageRow(0),
        contact,
        content: ContentId([7; 16]),
        outgoing: true,
        body: String::from("text").into(),
        sent: now.minus(22 * DAY_MS),
        arrived: now.minus(22 * DAY_MS),
        state: MessageState::AtRelay,
        timer: None,
        expires: None,
        fails: Some(now.minus(DAY_MS)),
    };
    let write = |tx: &Tx<'_>| {
        let mut queue = tx.own_queue(&relay, &read_id)?.ok_or(StoreError::NotFound)?;
        queue.contact = Some(contact);
        tx.update_own_queue(&queue)?;
        tx.insert_message(&message)
    };
    bench.store.transaction(write).unwrap();
}

fn told(bench: &mut Bench) -> bool {
    let events = bench.store.transaction(|tx| tx.events_after(0, 100)).unwrap();
    events.iter().any(|event| event.kind == EventKind::NotDelivered)
}

/// Its relay subscribes to the queue.
fn subscribes(bench: &mut Bench, home: &Station) {
    bench.links(home);
    let subscribing = bench.effects();
    let token = *tokens(&subscribing).last().unwrap();
    let reply = Some(Reply::Subscribed(vec![Subscribed::Ok]));
    bench.engine.handle_reply(&mut bench.store, home.id(), token, reply, bench.now).unwrap();
}

#[test]
fn nothing_counts_as_not_delivered_before_the_relay_handed_out_all_that_may_say_that_it_was() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    late(&mut bench, &home);
    subscribes(&mut bench, &home);
    bench.pass(MINUTE_MS);
    assert!(!told(&mut bench));
    bench.catches_up(&home, 1);
    assert!(told(&mut bench));
}

#[test]
fn a_relay_that_never_says_that_it_handed_out_all_does_not_keep_it_from_being_told() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    late(&mut bench, &home);
    subscribes(&mut bench, &home);
    // The program runs all the while, and looks at its clock.
    let mut early = Vec::new();
    for _ in 0..6 * 24 {
        early.push(told(&mut bench));
        bench.pass(HOUR_MS);
        bench.engine.handle_timeout(&mut bench.store, bench.now).unwrap();
    }
    assert_eq!((early.contains(&true), told(&mut bench)), (false, true), "a week after it should have been");
}
