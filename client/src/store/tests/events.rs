//! What front ends are told goes with the message that it is about.

use super::seeds::{contact, write};
use super::*;
use crate::store::event::{EventKind, EventRow};
use crate::store::message::MessageRow;

fn tell(store: &mut Store, kind: EventKind, message: Option<MessageRow>) {
    let event = EventRow { seq: 0, time: Timestamp(1), kind, contact: None, message, invite: None };
    store.transaction(|tx| tx.insert_event(&event)).unwrap();
}

fn told(store: &mut Store) -> Vec<(EventKind, Option<MessageRow>)> {
    let events = store.transaction(|tx| tx.events_after(0, 100)).unwrap();
    assert!(events.is_sorted_by(|one, next| one.seq < next.seq));
    events.into_iter().map(|event| (event.kind, event.message)).collect()
}

fn rows(store: &mut Store) -> u32 {
    store.transaction(|tx| tx.one("SELECT count(*) FROM event", [], |row| row.get(0))).unwrap().unwrap()
}

#[test]
fn what_is_told_of_a_message_that_is_gone_is_told_no_more_and_scrubbed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    let [first, second] = [1, 2].map(|n| write(&mut store, boris, n));
    tell(&mut store, EventKind::MessageArrived, first);
    tell(&mut store, EventKind::MessageArrived, second);
    tell(&mut store, EventKind::TakenOver, None);
    store.transaction(|tx| tx.delete_message(first.unwrap())).unwrap();
    let left = [(EventKind::MessageArrived, second), (EventKind::TakenOver, None)];
    assert_eq!(told(&mut store), left);
    assert!(rows(&mut store) == 3 && store.owes_scrub());
    store.scrub().unwrap();
    assert!(rows(&mut store) == 2 && told(&mut store) == left);
}

#[test]
fn what_was_told_already_and_is_not_acknowledged_is_told_once_and_last() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    let [first, second] = [1, 2].map(|n| write(&mut store, boris, n));
    for message in [first, second, None, first, None] {
        tell(&mut store, EventKind::MessageChanged, message);
    }
    let changed = |message| (EventKind::MessageChanged, message);
    assert_eq!(told(&mut store), [changed(second), changed(first), changed(None)]);
}
