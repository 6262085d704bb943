//! Messages that no key opens, and that a start could not drop.

use beresta_proto::limits::{BUCKET_S, QUEUE_MESSAGES};
use beresta_proto::time::{DAY_MS, Timestamp};
use rusqlite::Connection;

use crate::queue::rules::{self, Cap, Cost};
use crate::queue::sqlite::tests::{NOW, Rig, append, is_stored, make, meanwhile};
use crate::queue::{Answer, MessageName, Op, QueueRef, ReadName, Stats};

fn queue() -> QueueRef {
    rules::queue_ref(&ReadName([1; 32]))
}

/// A message that comes to the queue at a time.
fn message(number: u64, at: Timestamp) -> Op {
    let mut op = append(1, 1, 1);
    if let Op::Append { message, now, .. } = &mut op {
        (*message, *now) = (MessageName(number.to_be_bytes()), at);
    }
    op
}

/// A queue with so many messages, whose keys went, and of which the second can't be dropped until [`heal`].
fn with_lost(count: u64) -> Rig {
    let mut rig = Rig::with(Cap { bytes: 1 << 28 });
    assert!(matches!(rig.ask(make(1)), Answer::Made(_)));
    for number in 1..=count {
        assert!(is_stored(&rig.ask(message(number, NOW))));
    }
    rig.meddle(|queues| {
        let file = Connection::open(queues).unwrap();
        file.execute_batch(
            "DELETE FROM day_key; CREATE TRIGGER bad BEFORE DELETE ON message WHEN OLD.sequence = 2
            BEGIN SELECT RAISE(ABORT, 'bad'); END",
        )
        .unwrap();
    });
    assert_eq!(stats(&rig).messages, count, "they could not be dropped");
    rig
}

fn heal(rig: &Rig) {
    meanwhile(rig, "DROP TRIGGER bad");
}

fn stats(rig: &Rig) -> Stats {
    let Answer::Stats(stats) = rig.ask(Op::Stats) else { panic!() };
    stats
}

fn fetched(rig: &Rig) -> Vec<u64> {
    let fetch = Op::Fetch { queue: queue(), after: 0, max_messages: 999, max_bytes: usize::MAX, now: NOW };
    let Answer::Messages(messages) = rig.ask(fetch) else { panic!() };
    messages.iter().map(|message| message.sequence).collect()
}

fn sweep(rig: &Rig, limit: usize) -> (usize, Vec<QueueRef>, bool) {
    let answer = rig.ask(Op::Expire { now: NOW, limit });
    let Answer::Expired { deleted, drained, more } = answer else { panic!("{answer:?}") };
    (deleted, drained, more)
}

/// Only so many messages count against the cap.
fn counted(rig: &Rig, messages: u64) {
    let stats = stats(rig);
    assert_eq!(stats.messages, messages);
    assert_eq!(stats.used, Cost::QUEUE + messages * Cost::message(BUCKET_S));
}

#[test]
fn who_repeats_what_no_key_opens_is_not_told_that_it_is_stored_but_delivers_it() {
    let rig = with_lost(3);
    assert_eq!(rig.ask(message(2, NOW)), Answer::Failed, "not as long as nobody would get it");
    assert!(fetched(&rig).is_empty());
    assert!(is_stored(&rig.ask(message(1, NOW))));
    // The day has a key again, which opens nothing of before.
    assert!(is_stored(&rig.ask(message(3, NOW))));
    assert_eq!(fetched(&rig), [4, 5]);
    assert_eq!(rig.ask(message(3, NOW)), Answer::Repeated);
    counted(&rig, 3);
    heal(&rig);
    assert!(is_stored(&rig.ask(message(2, NOW))));
    assert_eq!(fetched(&rig), [4, 5, 6]);
    counted(&rig, 3);
}

#[test]
fn what_a_start_could_not_drop_goes_with_a_sweep_though_its_day_has_a_key_again() {
    let mut rig = with_lost(5);
    assert!(is_stored(&rig.ask(message(9, NOW))));
    assert_eq!(rig.ask(Op::Expire { now: NOW, limit: 99 }), Answer::Failed);
    heal(&rig);
    assert_eq!(sweep(&rig, 3), (3, vec![], true), "no more at once than of others");
    assert_eq!(sweep(&rig, 3), (2, vec![], false));
    assert_eq!(sweep(&rig, 3), (0, vec![], false));
    counted(&rig, 1);
    assert!(is_stored(&rig.ask(message(1, NOW))));
    rig.change("");
    assert_eq!(fetched(&rig).len(), 2);
}

#[test]
fn a_sweep_looks_at_so_many_messages_at_once_for_those_that_no_key_opens() {
    let rig = with_lost(3);
    for queue in 2..=6 {
        assert!(matches!(rig.ask(make(queue)), Answer::Made(_)));
        let ops = (0..=u8::MAX).map(|one| append(queue, queue, one)).collect();
        assert!(rig.ask_at_once(ops).iter().all(is_stored));
    }
    heal(&rig);
    assert_eq!(sweep(&rig, 9_999), (3, vec![], true));
    // Nor does anything that fails meanwhile send it back: where it fails again and again, it would never end.
    meanwhile(&rig, "CREATE TRIGGER bad BEFORE INSERT ON queue BEGIN SELECT RAISE(ABORT, 'bad'); END");
    assert_eq!(rig.ask(make(9)), Answer::Failed);
    meanwhile(&rig, "DROP TRIGGER bad");
    assert_eq!(sweep(&rig, 9_999), (0, vec![], false));
    assert_eq!(stats(&rig).messages, 5 * 256);
}

#[test]
fn what_is_found_to_be_lost_is_looked_for_again_after_a_step_that_came_to_nothing() {
    let rig = with_lost(5);
    // The first goes in a step of its own, and the next step fails at the second.
    assert_eq!(sweep(&rig, 1), (1, vec![], true));
    assert_eq!(rig.ask(Op::Expire { now: NOW, limit: 1 }), Answer::Failed);
    assert_eq!(rig.ask(Op::Expire { now: NOW, limit: 99 }), Answer::Failed);
    // Nor does what others change meanwhile make it hold.
    assert!(matches!(rig.ask(make(2)), Answer::Made(_)));
    assert_eq!(rig.ask(Op::DeleteQueue { queue: rules::queue_ref(&ReadName([2; 32])) }), Answer::Done);
    heal(&rig);
    assert_eq!(sweep(&rig, 99), (4, vec![], false));
    counted(&rig, 0);
}

#[test]
fn what_no_key_opens_keeps_no_queue_full() {
    let most = QUEUE_MESSAGES as u64;
    let rig = with_lost(most);
    assert_eq!(rig.ask(message(most + 1, NOW)), Answer::QueueFull);
    heal(&rig);
    assert_eq!(sweep(&rig, 999), (QUEUE_MESSAGES, vec![queue()], false));
    assert!(is_stored(&rig.ask(message(most + 1, NOW))));
    assert_eq!(fetched(&rig), [most + 1]);
    counted(&rig, 1);
}

#[test]
fn what_ends_on_days_that_lost_their_keys_to_a_crowd_goes_with_them() {
    let rig = Rig::with(Cap { bytes: 1 << 28 });
    assert!(matches!(rig.ask(make(1)), Answer::Made(_)));
    for number in 1..=100 {
        assert!(is_stored(&rig.ask(message(number, NOW.plus(number * DAY_MS)))));
    }
    assert_eq!(sweep(&rig, 999), (4, vec![], false), "of 96 days keys are kept");
    counted(&rig, 96);
    assert_eq!(rig.ask(message(96, NOW)), Answer::Repeated);
    assert!(is_stored(&rig.ask(message(97, NOW))));
    assert_eq!(fetched(&rig).len(), 97);
}

#[test]
fn what_ended_by_itself_and_is_not_swept_yet_is_not_delivered_again() {
    let rig = Rig::with(Cap { bytes: 1 << 28 });
    assert!(matches!(rig.ask(make(1)), Answer::Made(_)));
    assert_eq!(rig.ask(Op::Renew { queues: vec![queue()], now: NOW }), Answer::Done);
    for number in 1..=3 {
        assert!(is_stored(&rig.ask(message(number, NOW))));
    }
    // Its day's key goes with the first step.
    let now = NOW.plus(22 * DAY_MS);
    let answer = rig.ask(Op::Expire { now, limit: 1 });
    assert!(matches!(answer, Answer::Expired { deleted: 1, more: true, .. }), "{answer:?}");
    for number in 1..=3 {
        assert_eq!(rig.ask(message(number, now)), Answer::Repeated, "{number}");
    }
}
