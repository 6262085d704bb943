//! Which relay's clock is heard.

use beresta_proto::id::ContentId;
use beresta_proto::reply::{Refusal, Reply};
use beresta_proto::time::HOUR_MS;

use super::*;
use crate::store::message::{Message, MessageRow, MessageState};
use crate::store::outbox::DueReceipt;

impl Bench {
    fn links_at(&mut self, station: &Station, clock: Timestamp) {
        let up = LinkUp { clock, ..station.link_up(self.now) };
        self.engine.handle_link_up(&mut self.store, up, self.now).unwrap();
    }
}

#[test]
fn only_the_home_relay_s_clock_is_heard() {
    let (home, other) = (Station::new(1), Station::new(2));
    let mut bench = Bench::new(Some(home.address()));
    let now = bench.now;
    // Whoever makes an invite or is a contact may name a relay that says what they like.
    bench.links_at(&other, now.plus(30 * DAY_MS));
    assert_eq!((bench.engine.told_skew(), bench.engine.clock.may_end()), (None, false));
    bench.links_at(&home, now.plus(MINUTE_MS));
    assert_eq!((bench.engine.told_skew(), bench.engine.clock.may_end()), (None, true));
    bench.links_at(&other, now.minus(30 * DAY_MS));
    assert_eq!((bench.engine.told_skew(), bench.engine.clock.may_end()), (None, true));
    bench.links_at(&home, now.plus(30 * DAY_MS));
    assert!(bench.engine.told_skew().is_some() && !bench.engine.clock.may_end());
    // What was told is remembered as long as nothing else is.
    let told = |bench: &mut Bench| bench.store.transaction(|tx| tx.clock_told()).unwrap();
    assert_eq!(told(&mut bench), Some(now.plus(30 * DAY_MS)));
    bench.links_at(&home, now);
    assert_eq!(told(&mut bench), Some(now));
}

#[test]
fn after_a_week_of_running_our_clock_ends_things_by_itself() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    let begin = bench.now;
    bench.links_at(&home, begin.plus(30 * DAY_MS));
    // What it slept does not count, and a clock that is set neither.
    for days in [100, 200, 300, 2] {
        bench.engine.handle_timeout(&mut bench.store, begin.plus(days * DAY_MS)).unwrap();
    }
    let mut now = begin.plus(2 * DAY_MS);
    let mut ran = 0;
    while !bench.engine.clock.may_end() {
        now = now.plus(10 * MINUTE_MS);
        ran += 10 * MINUTE_MS;
        bench.engine.handle_timeout(&mut bench.store, now).unwrap();
    }
    assert!((6 * DAY_MS..=7 * DAY_MS).contains(&ran), "{ran}");
}

#[test]
fn a_clock_that_was_a_day_ahead_and_is_set_right_is_compared_anew_at_once() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    bench.reads_a_queue(&home);
    let right = bench.now;
    bench.now = right.plus(DAY_MS).plus(MINUTE_MS);
    bench.links_at(&home, right);
    assert!(!bench.engine.clock.may_end());
    bench.effects();
    bench.now = right;
    bench.engine.handle_timeout(&mut bench.store, right).unwrap();
    let asked = tokens(&bench.effects());
    assert!(!asked.is_empty(), "the home relay is asked for its clock");
    let reply = Reply::Descriptor {
        descriptor: home.signed(),
        epoch_keys: vec![home.epoch_key(right.day())],
        clock: right,
    };
    for token in asked {
        let _ = bench.engine.handle_reply(&mut bench.store, home.id(), token, Some(reply.clone()), right);
    }
    assert!(bench.engine.clock.may_end());
}

#[test]
fn steps_that_fail_at_the_start_make_no_clock_trusted() {
    let mut bench = Bench::new(None);
    for _ in 0..200 {
        bench.fails();
        bench.engine.handle_start(&mut bench.store, bench.now).unwrap();
    }
    assert!(!bench.engine.clock.may_end());
}

#[test]
fn a_clock_that_was_set_back_between_two_runs_delays_no_end_though_the_first_step_fails() {
    // Rule E10.
    let mut bench = Bench::new(None);
    let contact = bench.writes_to(3, Station::new(9).address());
    bench.engine.handle_start(&mut bench.store, bench.now).unwrap();
    let text = Message {
        id: MessageRow(0),
        contact,
        content: ContentId([7; 16]),
        outgoing: false,
        body: String::from("text").into(),
        sent: bench.now,
        arrived: bench.now,
        state: MessageState::Shown,
        timer: Some(u32::MAX),
        expires: Some(bench.now.plus(HOUR_MS)),
        fails: None,
    };
    let row = bench.store.transaction(|tx| tx.insert_message(&text)).unwrap().unwrap();

    bench.engine = Engine::new(rng(4));
    bench.now = bench.now.minus(100 * DAY_MS);
    bench.fails();
    bench.engine.handle_start(&mut bench.store, bench.now).unwrap();
    let there = |bench: &mut Bench| bench.store.transaction(|tx| tx.message(row)).unwrap().is_some();
    assert!(there(&mut bench));
    bench.now = bench.now.plus(HOUR_MS);
    bench.engine.handle_timeout(&mut bench.store, bench.now).unwrap();
    assert!(!there(&mut bench));
}

#[test]
fn a_clock_that_was_set_back_by_hours_delays_no_receipt_and_no_next_try() {
    for starts in [false, true] {
        let station = Station::new(1);
        let mut bench = Bench::new(None);
        let right = bench.now;
        bench.now = right.plus(3 * HOUR_MS);
        bench.engine.handle_start(&mut bench.store, bench.now).unwrap();
        let boris = bench.writes_to(1, station.address());
        bench.links(&station);
        let token = *tokens(&bench.effects()).last().unwrap();
        let refused = Some(Reply::Refused(Refusal::RateLimited));
        bench.engine.handle_reply(&mut bench.store, station.id(), token, refused, bench.now).unwrap();
        let plan = |bench: &mut Bench, number: u8| {
            let (due, content) = (bench.now.plus(20 * SECOND_MS), ContentId([number; 16]));
            let receipt = DueReceipt { contact: boris, content, due };
            bench.store.transaction(|tx| tx.insert_receipt(receipt)).unwrap();
        };
        plan(&mut bench, 1);

        bench.now = right;
        if starts {
            bench.engine = Engine::new(rng(4));
            bench.engine.handle_start(&mut bench.store, right).unwrap();
        } else {
            bench.engine.handle_timeout(&mut bench.store, right).unwrap();
        }
        plan(&mut bench, 2);
        let soon = right.plus(MINUTE_MS);
        let look = |tx: &Tx<'_>| {
            let tried = tx.outgoing_to(boris)?.iter().map(|one| one.due).max();
            Ok::<_, StoreError>((tx.next_receipt()?, tried))
        };
        let (receipt, tried) = bench.store.transaction(look).unwrap();
        assert!(receipt.is_some_and(|due| due > right && due <= soon), "{starts}: {receipt:?}");
        assert!(tried.is_some_and(|due| due <= soon), "{starts}: {tried:?}");
    }
}
