//! Ids of messages that are gone take room for days, so they have a quota, too (rule Q8).

use beresta_proto::limits::{BUCKET_S, QUEUE_MESSAGES, QUEUE_REMEMBERED};
use beresta_proto::time::DAY_MS;
use beresta_server::queue::{Answer, Op};

use crate::rig::{NOW, ROOMY, Rig, envelope, sequence};

/// Lets everything end that ends in time.
fn let_end(rig: &Rig) {
    while matches!(rig.expire(NOW.plus(4 * DAY_MS)), Answer::Expired { more: true, .. }) {}
}

/// Has so many ids be remembered of the one queue, until a midnight after all that is done now.
fn remember(rig: &mut Rig, count: usize) {
    rig.change(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO tombstone SELECT {}, (SELECT id FROM queue), i FROM n",
        NOW.plus(3 * DAY_MS).day() * 24,
    ));
}

#[test]
fn one_queue_cannot_fill_a_relay_by_what_is_remembered_of_it() {
    let mut rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    assert_eq!(sequence(rig.append(1, 1)), 1);
    assert!(matches!(rig.acknowledge(queue, 1), Answer::Acknowledged { deleted: 1, .. }));
    remember(&mut rig, QUEUE_REMEMBERED - 2);
    rig.make(2);
    let last = sequence(rig.append(1, 2));
    assert!(matches!(rig.acknowledge(queue, last), Answer::Acknowledged { deleted: 1, .. }));
    assert_eq!(rig.append(1, 3), Answer::Full);
    rig.restart();
    assert_eq!(rig.append(1, 3), Answer::Full);
    assert_eq!(rig.append(1, 2), Answer::Repeated, "what is remembered is answered as before");
    assert_eq!(sequence(rig.append(2, 1)), 1, "others are not held up");
    let_end(&rig);
    assert_eq!(sequence(rig.append(1, 3)), last + 1);
}

#[test]
fn the_engine_in_memory_has_the_same_quota() {
    let rig = Rig::memory(ROOMY);
    let queue = rig.make(1);
    let step = QUEUE_MESSAGES as u64;
    for first in (1..=QUEUE_REMEMBERED as u64).step_by(QUEUE_MESSAGES) {
        assert!((first..first + step).all(|message| sequence(rig.append(1, message)) == message));
        assert!(matches!(rig.acknowledge(queue, first + step - 1), Answer::Acknowledged { .. }));
    }
    assert_eq!(rig.append(1, 1_000_000), Answer::Full);
    let_end(&rig);
    let _ = sequence(rig.append(1, 1_000_000));
}

#[test]
fn what_is_remembered_of_a_queue_that_is_deleted_goes_in_parts() {
    let mut rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    remember(&mut rig, 5_000);
    rig.make(2);
    let _ = sequence(rig.append(2, 1));
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    assert_eq!(rig.stats().tombstones, 3_000, "others wait no longer than for so many");
    let mut rounds = 0;
    while matches!(rig.ask(Op::Expire { now: NOW, limit: 1_000 }), Answer::Expired { more: true, .. }) {
        rounds += 1;
    }
    assert!(rounds > 1 && rig.stats().tombstones == 0);
    assert_eq!(rig.append(2, 1), Answer::Repeated);
}

#[test]
fn what_counts_against_the_cap_is_right_after_all_of_it_went() {
    let rig = Rig::sqlite(ROOMY);
    rig.make(2);
    let before = rig.stats().used;
    let queue = rig.make(1);
    let step = QUEUE_MESSAGES as u64;
    for first in (0..10).map(|round| 1 + round * step) {
        let ops =
            (first..first + step).map(|one| rig.append_op(1, one, envelope(one, BUCKET_S), NOW)).collect();
        let last = rig.ask_all(ops).into_iter().map(sequence).max().unwrap();
        assert!(matches!(rig.acknowledge(queue, last), Answer::Acknowledged { .. }));
    }
    assert_eq!(rig.stats().tombstones, 10 * step);
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    assert!(rig.stats().tombstones > 0 && rig.stats().used > before);
    while matches!(rig.ask(Op::Expire { now: NOW, limit: 100 }), Answer::Expired { more: true, .. }) {}
    assert_eq!((rig.stats().tombstones, rig.stats().used), (0, before));
}

#[test]
fn what_is_remembered_of_a_deleted_queue_ends_in_time_where_the_relay_was_restarted() {
    let mut rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    remember(&mut rig, 5_000);
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    rig.restart();
    let_end(&rig);
    assert_eq!((rig.stats().tombstones, rig.stats().queues), (0, 0));
}
