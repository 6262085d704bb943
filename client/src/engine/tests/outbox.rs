//! What leaves the outbox, and in which order.

use beresta_proto::reply::{Refusal, Reply};

use super::*;
use crate::engine::line::Flight;
use crate::engine::outbox::Unsent;

impl Bench {
    /// The first envelope did not arrive: when it is tried again.
    pub(super) fn is_unsent(&mut self, why: Unsent) -> Timestamp {
        let Self { engine, store, now } = self;
        let tried = |tx: &Tx<'_>| {
            let Some(outgoing) = tx.outgoing(OutboxId(1))? else { return Err(StoreError::NotFound) };
            engine.again(tx, outgoing, why, *now)?;
            Ok(tx.outgoing(OutboxId(1))?.map(|outgoing| outgoing.due))
        };
        store.transaction(tried).unwrap().unwrap()
    }
}

/// Envelopes that are under way to a relay.
fn under_way(bench: &Bench, station: &Station) -> Vec<OutboxId> {
    let Some(Line::Up(up)) = bench.engine.lines.get(&station.id()) else { return Vec::new() };
    let one_of = |flight: &Flight| {
        if let Flight::Send { outbox, queue: _, reply: _ } = flight { Some(*outbox) } else { None }
    };
    up.flights.values().filter_map(one_of).collect()
}

#[test]
fn an_envelope_goes_once_the_relay_has_the_one_before() {
    let station = Station::new(1);
    let mut bench = Bench::new(None);
    let boris = bench.writes_to(1, station.address());
    let second = bench.says(boris, 2);
    bench.writes_to(3, station.address());
    bench.links(&station);
    let first = tokens(&bench.effects());
    let both = under_way(&bench, &station);
    assert_eq!(both.len(), 2, "the first of each contact");
    assert!(!both.contains(&second));

    // It is refused for the moment: what is behind it waits as long as it does.
    let refused = Some(Reply::Refused(Refusal::RateLimited));
    bench.engine.handle_reply(&mut bench.store, station.id(), first[0], refused, bench.now).unwrap();
    bench.effects();
    assert_eq!(under_way(&bench, &station), [both[1]]);
    bench.pass(MINUTE_MS);
    assert_eq!(under_way(&bench, &station), [both[1], both[0]]);

    // The relay has it.
    bench.store.transaction(|tx| tx.delete_outgoing(both[0])).unwrap();
    bench.engine.handle_timeout(&mut bench.store, bench.now).unwrap();
    assert!(under_way(&bench, &station).contains(&second));
}

#[test]
fn what_was_refused_together_is_not_tried_again_together_nor_before_the_relay_wants_it() {
    let minutes = [(Unsent::Full, 5 * MINUTE_MS), (Unsent::Later(MINUTE_MS), MINUTE_MS)];
    for (why, pause) in minutes.into_iter().chain([(Unsent::Broken, 2 * SECOND_MS)]) {
        let mut bench = Bench::new(None);
        bench.writes_to(1, Station::new(1).address());
        let first = |bench: &mut Bench| {
            let due = bench.is_unsent(why).since(bench.now);
            let anew = |tx: &Tx<'_>| {
                let outgoing = tx.outgoing(OutboxId(1))?.ok_or(StoreError::NotFound)?;
                tx.update_outgoing(&Outgoing { attempts: 0, ..outgoing })
            };
            bench.store.transaction(anew).unwrap();
            due
        };
        let dues: Vec<u64> = (0..64).map(|_| first(&mut bench)).collect();
        let soonest = if matches!(why, Unsent::Later(_)) { pause } else { pause / 2 };
        let (early, late) = (soonest..soonest + pause / 4, soonest + pause - pause / 4..soonest + pause);
        assert!(dues.iter().all(|due| (early.start..late.end).contains(due)), "{dues:?}");
        assert!([early, late].iter().all(|part| dues.iter().any(|due| part.contains(due))), "{dues:?}");
    }
}

#[test]
fn what_waits_for_a_dead_relay_holds_up_nothing_for_another() {
    let (dead, station) = (Station::new(1), Station::new(2));
    let mut bench = Bench::new(None);
    let boris = bench.writes_to(1, dead.address());
    let moved = queue_at(station.address(), 2);
    bench.store.transaction(|tx| tx.replace_peer_queues(boris, &[moved])).unwrap();
    let next = bench.says(boris, 3);
    bench.links(&station);
    assert_eq!(under_way(&bench, &station), [next]);
}

#[test]
fn what_waits_follows_a_contact_who_moves_and_no_answer_from_before_takes_it_out() {
    let (old, new) = (Station::new(1), Station::new(2));
    let mut bench = Bench::new(None);
    let boris = bench.writes_to(1, old.address());
    bench.links(&old);
    let sent = tokens(&bench.effects());
    let (row, now) = (under_way(&bench, &old)[0], bench.now);
    let before = bench.store.transaction(|tx| tx.outgoing(row)).unwrap().unwrap();

    let address = queue_at(new.address(), 2);
    let engine = &mut bench.engine;
    let moves = |tx: &Tx<'_>| {
        let mut contact = tx.contact(boris)?;
        engine.moved(tx, &mut contact, std::slice::from_ref(&address), now)
    };
    bench.store.transaction(moves).unwrap();
    let after = bench.store.transaction(|tx| tx.outgoing(row)).unwrap().unwrap();
    assert_eq!(*after.envelope.open(&address.key).unwrap(), *b"inside");
    assert_ne!(after.transport, before.transport);

    // Whatever the relay of the queue before says of it, or if its line breaks.
    let refused = Some(Reply::Refused(Refusal::Failed));
    bench.engine.handle_reply(&mut bench.store, old.id(), sent[0], refused, now).unwrap();
    bench.breaks(&old);
    let still = bench.store.transaction(|tx| tx.outgoing(row)).unwrap().unwrap();
    assert_eq!((still.attempts, still.due), (0, now));
    bench.links(&new);
    assert_eq!(under_way(&bench, &new), [row]);

    // Told of the same queue again, it goes on as it was.
    let engine = &mut bench.engine;
    let again = |tx: &Tx<'_>| {
        let mut contact = tx.contact(boris)?;
        engine.moved(tx, &mut contact, std::slice::from_ref(&address), now)
    };
    bench.store.transaction(again).unwrap();
    let same = bench.store.transaction(|tx| tx.outgoing(row)).unwrap().unwrap();
    assert_eq!((same.transport, same.queue), (after.transport, after.queue));
}

#[test]
fn a_contact_who_moves_without_end_fills_no_memory() {
    let station = Station::new(1);
    let mut bench = Bench::new(None);
    let boris = bench.writes_to(0, station.address());
    bench.links(&station);
    for round in 0..100 {
        let [token] = tokens(&bench.effects())[..] else { panic!("one capsule") };
        let refused = Some(Reply::Refused(Refusal::RateLimited));
        bench.engine.handle_reply(&mut bench.store, station.id(), token, refused, bench.now).unwrap();
        let fresh =
            QueueAddress { send_id: SendId(rng(100 + round).array()), ..queue_at(station.address(), 1) };
        let moves = |engine: &mut Engine, tx: &Tx<'_>| {
            let mut contact = tx.contact(boris)?;
            engine.moved(tx, &mut contact, std::slice::from_ref(&fresh), BEGIN)
        };
        bench.engine.step(&mut bench.store, bench.now, moves).unwrap();
        assert_eq!(bench.engine.sessions.len(), 1);
    }
}

#[test]
fn a_contact_who_moves_a_thousand_times_leaves_one_queue_in_the_store() {
    let station = Station::new(1);
    let mut bench = Bench::new(None);
    let boris = bench.writes_to(0, station.address());
    let mut wrote = Vec::new();
    for round in 0..1_000 {
        // Each at another port, so that the store shows how many there are.
        let route = Route::Quic(([192, 0, 2, 1], 1_000 + round).into());
        let relay = RelayAddress { routes: vec![route], ..station.address() };
        let fresh =
            QueueAddress { send_id: SendId(rng(u64::from(100 + round)).array()), ..queue_at(relay, 1) };
        let moves = |engine: &mut Engine, tx: &Tx<'_>| {
            let before = tx.changes();
            engine.moved(tx, &mut tx.contact(boris)?, std::slice::from_ref(&fresh), BEGIN)?;
            Ok(tx.changes() - before)
        };
        wrote.push(bench.engine.step(&mut bench.store, bench.now, moves).unwrap());
    }
    let kept = bench.store.transaction(|tx| tx.peer_addresses(&station.id())).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(wrote[0], wrote[999], "the last costs as much as the first");
    let waiting = bench.store.transaction(|tx| tx.outgoing_to(boris)).unwrap().remove(0);
    let written = bench.store.transaction(|tx| tx.peer_queue(boris)).unwrap().unwrap();
    assert_eq!(waiting.queue, written.id);
}
