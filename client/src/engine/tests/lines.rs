//! Which lines are wanted, and how often a relay is dialled.

use beresta_proto::reply::{Refusal, Reply};

use super::*;

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
