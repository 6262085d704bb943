//! What a relay pushed at once.

use beresta_proto::command::Command;
use beresta_proto::envelope::Bucket;

use super::receive::way;
use super::*;

fn deliver(queue: ReadId, sequence: u64) -> Push {
    let envelope = Envelope::from_bytes(vec![0; Bucket::S.size()]).unwrap();
    Push::Deliver { queue, sequence, envelope }
}

/// What was acknowledged, in order.
fn acknowledged(effects: &[Effect]) -> Vec<(ReadId, u64)> {
    let mut acknowledged = Vec::new();
    for effect in effects {
        if let Effect::Transmit { command: Command::Acknowledge { queue, upto }, .. } = effect {
            acknowledged.push((*queue, *upto));
        }
    }
    acknowledged
}

#[test]
fn messages_that_came_together_are_acknowledged_once_for_each_queue() {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    let queue = bench.reads_a_queue(&station);
    let (ours, other) = (queue.read_id, ReadId([255; 24]));
    let second = OwnQueue { read_id: other, send_id: SendId([255; 24]), ..queue };
    bench.store.transaction(|tx| tx.insert_own_queue(&second)).unwrap();
    bench.links(&station);
    bench.effects();
    let pushes = [deliver(ours, 7), deliver(other, 3), deliver(ours, 8), deliver(ours, 9)];
    bench.engine.handle_pushes(&mut bench.store, station.id(), pushes, bench.now).unwrap();
    let mut told = acknowledged(&bench.effects());
    told.sort_unstable();
    assert_eq!(told, [(ours, 9), (other, 3)]);
    // Each was looked at: they are no envelopes of ours, and counted.
    let dropped = bench.store.transaction(|tx| tx.dropped()).unwrap();
    assert_eq!(dropped.iter().map(|(_, count)| count).sum::<u64>(), 4);
}

#[test]
fn who_was_told_something_by_a_step_that_failed_may_be_told_it_again() {
    let mut bench = Bench::new(None);
    let contact = ContactId(1);
    let says = |engine: &mut Engine, _: &Tx<'_>| {
        engine.prompted.insert(contact, BEGIN);
        Err::<(), _>(StoreError::Full)
    };
    assert_eq!(bench.engine.step(&mut bench.store, bench.now, says), Err(StoreError::Full));
    assert!(bench.engine.may_be_prompted(contact, bench.now));
}

#[test]
fn a_relay_that_goes_away_behind_messages_hears_that_they_are_safe() {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    let queue = bench.reads_a_queue(&station).read_id;
    bench.links(&station);
    bench.effects();
    let pushes = [deliver(queue, 1), Push::GoAway { reconnect_after: 60 }];
    bench.engine.handle_pushes(&mut bench.store, station.id(), pushes, bench.now).unwrap();
    let effects = bench.effects();
    assert_eq!(acknowledged(&effects), [(queue, 1)]);
    assert_eq!(hang_ups(&effects), 0);
}

#[test]
fn what_comes_by_queues_that_are_not_ours_is_not_acknowledged() {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    bench.reads_a_queue(&station);
    bench.links(&station);
    bench.effects();
    let mut rng = rng(7);
    let pushes: Vec<Push> = (0..1_000).map(|sequence| deliver(ReadId(rng.array()), sequence)).collect();
    bench.engine.handle_pushes(&mut bench.store, station.id(), pushes, bench.now).unwrap();
    let effects = bench.effects();
    assert_eq!(acknowledged(&effects), []);
    let Some(Line::Up(up)) = bench.engine.lines.get(&station.id()) else { panic!("a line") };
    assert!(up.unacknowledged.is_empty());
    assert!(!up.any(|flight| matches!(flight, line::Flight::Acknowledge { .. })));
    let dropped = bench.store.transaction(|tx| tx.dropped()).unwrap();
    assert_eq!(dropped.iter().map(|(_, count)| count).sum::<u64>(), 1_000);
}

#[test]
fn each_queue_has_an_allowance_of_its_own_and_all_that_are_being_deleted_have_one() {
    // Rule S7.
    let mut bench = Bench::new(None);
    let queue = bench.reads_a_queue(&Station::new(1));
    let ways = |state| {
        let of = |id| way(&OwnQueue { read_id: ReadId([id; 24]), state, ..queue.clone() });
        (of(1), of(2))
    };
    let (one, other) = ways(OwnQueueState::Read);
    let (leaving, another) = ways(OwnQueueState::Leaving);
    assert!(one != other && leaving == another && leaving != one);
}
