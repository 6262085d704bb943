//! How long queues live (rule Q13), by every engine.

use beresta_proto::limits::QUEUE_DAYS;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};
use beresta_server::queue::rules::Cost;
use beresta_server::queue::{Answer, Op, Stats};

use crate::rig::{NOW, Rig, sequence};

/// Sweeps once a day, as a relay does, from one day after [`NOW`] to another.
fn sweep_daily(rig: &Rig, days: core::ops::Range<u64>) {
    for day in days {
        assert!(matches!(rig.expire(NOW.plus(day * DAY_MS)), Answer::Expired { more: false, .. }));
    }
}

fn is_there(rig: &Rig, queue: u8) -> bool {
    rig.find(&[queue]) != [None]
}

pub(crate) fn a_queue_that_nobody_subscribes_to_ends(mut rig: Rig) {
    assert!(matches!(rig.ask(rig.make_op(1)), Answer::Made(_)));
    let _ = (rig.append(1, 1), rig.append(1, 2));
    let read = rig.make(2);
    sweep_daily(&rig, 0..2);
    assert!(is_there(&rig, 1), "48 hours are not over");
    rig.restart();
    sweep_daily(&rig, 2..4);
    assert!(!is_there(&rig, 1) && is_there(&rig, 2));
    assert_eq!(rig.append(1, 3), Answer::Gone);
    let stats = rig.stats();
    assert_eq!((stats.queues, stats.messages, stats.used), (1, 0, Cost::QUEUE), "with all that was in it");

    sweep_daily(&rig, 4..QUEUE_DAYS);
    rig.restart();
    assert!(is_there(&rig, 2));
    assert_eq!(rig.renew(read, NOW.plus(QUEUE_DAYS * DAY_MS)), Answer::Done);
    sweep_daily(&rig, QUEUE_DAYS..2 * QUEUE_DAYS);
    rig.restart();
    assert!(is_there(&rig, 2), "it was subscribed to in between");
    sweep_daily(&rig, 2 * QUEUE_DAYS..2 * QUEUE_DAYS + 31);
    assert!(!is_there(&rig, 2));
    assert_eq!(rig.renew(read, NOW), Answer::Done);
    assert!(!is_there(&rig, 2));
}

pub(crate) fn a_relay_that_was_off_for_a_year_still_has_its_queues(mut rig: Rig) {
    rig.make(1);
    sweep_daily(&rig, 0..10);
    rig.restart();
    sweep_daily(&rig, 375..376);
    rig.restart();
    sweep_daily(&rig, 376..376 + 50);
    assert!(is_there(&rig, 1));
    sweep_daily(&rig, 426..376 + QUEUE_DAYS + 60);
    assert!(!is_there(&rig, 1));
}

pub(crate) fn a_relay_that_misses_a_day_in_each_month_lets_what_nobody_uses_end(rig: Rig) {
    assert!(matches!(rig.ask(rig.make_op(1)), Answer::Made(_)));
    let read = rig.make(2);
    assert_eq!(rig.renew(read, NOW), Answer::Done);
    for month in 0..6 {
        sweep_daily(&rig, month * 28..month * 28 + 27);
        assert!(!is_there(&rig, 1));
        // Between 90 and 120 days, by when in its stretch it was read.
        assert!(month == 3 || is_there(&rig, 2) == (month < 3), "{month}");
    }
}

pub(crate) fn a_relay_that_runs_every_second_day_lets_what_nobody_uses_end(rig: Rig) {
    assert!(matches!(rig.ask(rig.make_op(1)), Answer::Made(_)));
    let read = rig.make(2);
    assert_eq!(rig.renew(read, NOW), Answer::Done);
    for time in 0..2 * QUEUE_DAYS + 31 {
        let day = 2 * time;
        sweep_daily(&rig, day..day + 1);
        assert!(is_there(&rig, 2) || day > QUEUE_DAYS, "{day}");
    }
    assert!(!is_there(&rig, 1) && !is_there(&rig, 2));
}

pub(crate) fn a_queue_that_nobody_subscribed_to_yet_outlives_each_time_that_the_relay_is_off(rig: Rig) {
    sweep_daily(&rig, 0..1);
    let mut day = 0;
    for queue in 1..4 {
        day += 20;
        sweep_daily(&rig, day..day + 1);
        assert!(matches!(rig.ask(rig.make_op(queue)), Answer::Made(_)));
        sweep_daily(&rig, day + 20..day + 21);
        day += 20;
        assert!(is_there(&rig, queue), "{queue}");
        sweep_daily(&rig, day + 1..day + 4);
        day += 3;
        assert!(!is_there(&rig, queue), "{queue}");
    }
}

pub(crate) fn a_clock_that_was_ahead_gives_no_queue_years(mut rig: Rig) {
    let read = rig.make(1);
    assert_eq!(rig.renew(read, NOW), Answer::Done);
    sweep_daily(&rig, 0..2);
    sweep_daily(&rig, 3_650..3_652);
    assert!(is_there(&rig, 1), "days that the clock jumped over don't count");
    rig.restart();
    sweep_daily(&rig, 2..QUEUE_DAYS);
    assert!(is_there(&rig, 1), "nor is it shortened by more than it was given");
    sweep_daily(&rig, QUEUE_DAYS..2 + QUEUE_DAYS + 31);
    assert!(!is_there(&rig, 1));
    assert_eq!(rig.stats().used, 0);
}

pub(crate) fn a_clock_that_was_ahead_between_two_sweeps_gives_no_queue_years(rig: Rig) {
    let read = rig.make(1);
    sweep_daily(&rig, 0..2);
    assert_eq!(rig.renew(read, NOW.plus(3_650 * DAY_MS)), Answer::Done);
    sweep_daily(&rig, 2..QUEUE_DAYS);
    assert!(is_there(&rig, 1));
    sweep_daily(&rig, QUEUE_DAYS..3 + QUEUE_DAYS + 31);
    assert!(!is_there(&rig, 1));
}

pub(crate) fn a_clock_that_is_back_for_a_moment_ends_no_queue(mut rig: Rig) {
    let read = rig.make(1);
    sweep_daily(&rig, 0..1);
    // Set right again before anything is swept.
    let behind = Timestamp(NOW.0 - 200 * DAY_MS);
    assert_eq!(rig.renew(read, behind), Answer::Done);
    let mut make = rig.make_op(2);
    if let Op::MakeQueue { now, .. } = &mut make {
        *now = behind;
    }
    assert!(matches!(rig.ask(make), Answer::Made(_)));
    rig.restart();
    sweep_daily(&rig, 0..2);
    assert!(is_there(&rig, 1) && is_there(&rig, 2));
    sweep_daily(&rig, 2..QUEUE_DAYS);
    assert!(is_there(&rig, 1) && !is_there(&rig, 2));
}

pub(crate) fn many_queues_end_in_small_steps(rig: Rig) {
    for queue in 1..=5 {
        assert!(matches!(rig.ask(rig.make_op(queue)), Answer::Made(_)));
        let _ = rig.append(queue, 1);
    }
    let now = NOW.plus(3 * DAY_MS);
    let expire = || rig.ask(Op::Expire { now, limit: 3 });
    assert_eq!(expire(), Answer::Expired { deleted: 4, drained: vec![], more: true });
    assert_eq!(expire(), Answer::Expired { deleted: 4, drained: vec![], more: true });
    assert_eq!(expire(), Answer::Expired { deleted: 2, drained: vec![], more: false });
    assert_eq!(rig.stats().used, 0);
}

pub(crate) fn all_that_ends_together_ends_in_steps_of_so_many_rows(rig: Rig) {
    let queue = rig.make(1);
    let last = (1..=3).map(|one| sequence(rig.append(1, one))).max().unwrap();
    assert!(matches!(rig.acknowledge(queue, last), Answer::Acknowledged { deleted: 3, .. }));
    for one in 4..=6 {
        let _ = rig.append_ttl(1, one, TtlClass::Hour);
    }
    for unused in 2..=4 {
        assert!(matches!(rig.ask(rig.make_op(unused)), Answer::Made(_)));
        assert_eq!(rig.put_blob(unused, 1, 1, NOW), Answer::Done);
    }
    let now = NOW.plus(4 * DAY_MS);
    let (mut steps, mut more) = (Vec::new(), true);
    while more {
        let Answer::Expired { deleted, more: rest, .. } = rig.ask(Op::Expire { now, limit: 2 }) else {
            panic!("a sweep failed")
        };
        steps.push(deleted);
        more = rest;
    }
    assert_eq!(steps, [2, 2, 2, 2, 2, 2, 0], "queues, ids, blobs and messages: three of each");
    let Stats { queues, messages, tombstones, blobs, .. } = rig.stats();
    assert_eq!((queues, messages, tombstones, blobs), (1, 0, 3, 0));
}
