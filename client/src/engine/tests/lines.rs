//! Which lines are wanted, and how often a relay is dialled.

use beresta_proto::reply::{Push, Refusal, Reply, Subscribed};
use beresta_proto::time::SECOND_MS;

use super::*;
use crate::engine::outbox::Unsent;

#[test]
fn a_relay_that_is_no_longer_wanted_is_not_waited_for() {
    let station = Station::new(1);
    let mut bench = Bench::new(None);
    bench.accepts(station.address());
    assert_eq!(dials(&bench.effects()), 1);
    bench
        .engine
        .handle_dial_failed(&mut bench.store, station.id(), DialFailure::Unreachable, bench.now)
        .unwrap();
    assert_eq!(bench.due(), None);
    assert_eq!(dials(&bench.pass(DAY_MS)), 0);
}

#[test]
fn a_link_that_there_is_nothing_to_say_on_is_hung_up_after_a_minute() {
    let station = Station::new(1);
    let mut bench = Bench::new(None);
    bench.accepts(station.address());
    bench.links(&station);
    let claim = tokens(&bench.effects());
    let gone = Some(Reply::Refused(Refusal::Gone));
    bench.engine.handle_reply(&mut bench.store, station.id(), claim[0], gone, bench.now).unwrap();
    assert_eq!(hang_ups(&bench.pass(MINUTE_MS - 1)), 0);
    assert!(bench.engine.is_linked(&station.id()));
    assert_eq!(hang_ups(&bench.pass(1)), 1);
    assert!(!bench.engine.is_linked(&station.id()));
    assert_eq!(bench.due(), None);
}

#[test]
fn who_made_room_on_the_disk_is_linked_again_within_seconds_however_long_it_was_full() {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    bench.reads_a_queue(&station);
    for _ in 0..20 {
        bench.links(&station);
        bench.fails();
        bench.effects();
        let wait = bench.due().unwrap().since(bench.now);
        assert!(wait <= 12 * SECOND_MS, "{wait}");
        assert!(dials(&bench.pass(wait)) <= 1);
    }
}

#[test]
fn a_relay_that_takes_links_only_to_close_them_is_dialled_ever_more_seldom() {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    bench.reads_a_queue(&station);
    let mut dialled = 0;
    let end = bench.now.plus(60 * MINUTE_MS);
    while bench.now < end {
        bench.links(&station);
        bench.breaks(&station);
        let due = bench.due().unwrap();
        let wait = due.since(bench.now);
        dialled += dials(&bench.pass(wait));
    }
    assert!(dialled <= 30, "{dialled} dials in an hour");
    // A link that lived makes up for it.
    bench.links(&station);
    bench.pass(MINUTE_MS);
    bench.breaks(&station);
    assert!(bench.due().unwrap() <= bench.now.plus(2 * MINUTE_MS / 60));
}

#[test]
fn what_a_person_says_waits_for_no_pause_of_a_line_and_not_more_often_than_every_ten_seconds() {
    // Rule L9.
    let stations = [Station::new(1), Station::new(2)];
    let mut bench = Bench::new(None);
    let [boris, _vera] = [0, 1].map(|at| bench.writes_to(at, stations[usize::from(at)].address()));
    let says = |bench: &mut Bench, number| {
        bench.says(boris, number);
        bench.engine.wish(&mut bench.store, bench.now, |_, _| Ok::<_, StoreError>(())).unwrap();
        dials(&bench.effects())
    };
    for number in 0..30 {
        // Both are dialled, and neither is reached.
        for station in &stations {
            while !matches!(bench.engine.lines.get(&station.id()), Some(Line::Dialling { .. })) {
                let wait = bench.due().map_or(0, |due| due.since(bench.now));
                bench.pass(wait);
            }
        }
        for station in &stations {
            let failure = DialFailure::Unreachable;
            bench.engine.handle_dial_failed(&mut bench.store, station.id(), failure, bench.now).unwrap();
        }
        bench.effects();
        // By then an outage of half an hour.
        if number >= 12 {
            assert!(bench.due().unwrap().since(bench.now) > MINUTE_MS);
            bench.pass(9 * SECOND_MS);
            assert_eq!(says(&mut bench, 3 + number), 0);
            // The relay of whom it is for, and no other.
            assert_eq!(dials(&bench.pass(SECOND_MS)), 1);
            assert_eq!(says(&mut bench, 103 + number), 0);
        }
    }
}

#[test]
fn a_relay_that_goes_away_is_left_alone_for_as_long_as_it_says() {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    bench.reads_a_queue(&station);
    bench.links(&station);
    let subscribe = tokens(&bench.effects());
    let push = Push::GoAway { reconnect_after: 60 };
    bench.engine.handle_pushes(&mut bench.store, station.id(), [push], bench.now).unwrap();
    // What is in flight is waited for.
    assert_eq!(hang_ups(&bench.effects()), 0);
    let done = Some(Reply::Subscribed(vec![Subscribed::Ok]));
    bench.engine.handle_reply(&mut bench.store, station.id(), subscribe[0], done, bench.now).unwrap();
    assert_eq!(hang_ups(&bench.effects()), 1);
    assert_eq!(dials(&bench.pass(MINUTE_MS - 1)), 0);
    assert_eq!(dials(&bench.pass(2 * MINUTE_MS)), 1);
}

#[test]
fn a_relay_that_sends_everybody_away_for_ever_is_asked_again_and_not_too_often() {
    for reconnect_after in [0, u16::MAX] {
        let station = Station::new(1);
        let mut bench = Bench::new(Some(station.address()));
        bench.reads_a_queue(&station);
        let mut dialled = 0;
        let end = bench.now.plus(60 * MINUTE_MS);
        while bench.now < end {
            bench.links(&station);
            let push = Push::GoAway { reconnect_after };
            bench.engine.handle_pushes(&mut bench.store, station.id(), [push], bench.now).unwrap();
            bench.breaks(&station);
            let wait = bench.due().unwrap().since(bench.now);
            dialled += dials(&bench.pass(wait));
        }
        assert!((6..=30).contains(&dialled), "{dialled} dials in an hour");
    }
}

#[test]
fn nothing_is_said_any_more_to_the_relay_of_a_blocked_contact() {
    let station = Station::new(2);
    let mut bench = Bench::new(None);
    let contact = bench.writes_to(1, station.address());
    assert_eq!(dials(&bench.pass(MINUTE_MS)), 1);
    bench.engine.block(&mut bench.store, contact, bench.now).unwrap();
    assert_eq!(hang_ups(&bench.effects()), 1);
    assert_eq!(dials(&bench.pass(DAY_MS)), 0);
}

#[test]
fn a_relay_tells_once_a_link_that_a_queue_was_taken_over() {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    let queue = bench.reads_a_queue(&station).read_id;
    bench.links(&station);
    if let Some(Line::Up(up)) = bench.engine.lines.get_mut(&station.id()) {
        up.subscribed.insert(queue);
    }
    for queue in [queue, queue, ReadId([9; 24])] {
        let push = Push::TakenOver { queues: vec![queue] };
        bench.engine.handle_pushes(&mut bench.store, station.id(), [push], bench.now).unwrap();
    }
    let told = bench.store.transaction(|tx| tx.events_after(0, u32::MAX)).unwrap();
    assert_eq!(told.len(), 1);
}

#[test]
fn what_broken_lines_drew_out_says_nothing_of_a_full_queue() {
    let station = Station::new(1);
    let mut bench = Bench::new(None);
    bench.writes_to(2, station.address());
    let now = bench.now;
    let (broken, full) = (Unsent::Broken, Unsent::Full);
    let whys = [broken, broken, broken, full, full, broken];
    for (why, secs) in whys.into_iter().zip([2, 4, 8, 300, 600, 2]) {
        let due = bench.is_unsent(why).since(now);
        let pause = secs * SECOND_MS;
        assert!((pause / 2..pause + pause / 2).contains(&due), "{due} of {pause}");
    }
}
