//! What is pushed before it is stored (rules Q4, Q5, Q10), by the engine with a file.

use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};

use beresta_proto::limits::{BUCKET_L, BUCKET_S, WINDOW_BYTES, WINDOW_MESSAGES};
use beresta_server::queue::rules::Cost;
use beresta_server::queue::sqlite::{Keeping, SqliteEngine};
use beresta_server::queue::{Answer, Op, QueueRef};
use tempfile::TempDir;

use crate::carve::{files, keys, yields};
use crate::rig::{NOW, PROOF, ROOMY, Rig, ask_all, envelope, last, sequence};

/// A queue whose reader is there, and whose first message made places for the next.
pub(crate) fn scene() -> (Rig, QueueRef) {
    let (rig, [queue]) = quick_queues();
    (rig, queue)
}

/// Such queues, called by numbers from 1 on.
fn quick_queues<const N: usize>() -> (Rig, [QueueRef; N]) {
    let rig = Rig::sqlite(ROOMY);
    let queues = std::array::from_fn(|at| {
        let name = u8::try_from(at + 1).unwrap();
        let queue = rig.make(name);
        assert_eq!(sequence(rig.append(name, 1)), 1);
        assert_eq!(rig.acknowledge(queue, 1), Answer::Acknowledged { deleted: 1, drained: false });
        queue
    });
    (rig, queues)
}

fn submit(rig: &Rig, op: Op) -> Receiver<Answer> {
    let (tell, told) = channel();
    rig.submit(op, Box::new(move |answer| tell.send(answer).unwrap()));
    told
}

pub(crate) fn append_op(rig: &Rig, queue: u8, message: u64) -> Op {
    rig.append_op(queue, message, envelope(message, BUCKET_S), NOW)
}

/// A [`scene`], and queue 2 with a message that can't be read.
fn damaged() -> (Rig, QueueRef) {
    let (mut rig, queue) = scene();
    rig.make(2);
    let _ = sequence(rig.append(2, 50));
    rig.change("UPDATE message SET bucket = 9");
    assert_eq!(rig.renew(queue, NOW), Answer::Done);
    let first = sequence(rig.append(1, 60));
    assert!(matches!(rig.acknowledge(queue, first), Answer::Acknowledged { deleted: 1, .. }));
    (rig, queue)
}

/// Appends a message and waits until it is admitted.
fn admit(rig: &Rig, message: u64) -> (u64, Receiver<Answer>) {
    admit_to(rig, 1, message)
}

fn admit_to(rig: &Rig, queue: u8, message: u64) -> (u64, Receiver<Answer>) {
    let told = submit(rig, append_op(rig, queue, message));
    match told.recv().unwrap() {
        Answer::Admitted { sequence, .. } => (sequence, told),
        other => panic!("{other:?}"),
    }
}

/// Holds the engine up until what is given is dropped, so that what is submitted meanwhile comes in one batch.
pub(crate) fn hold(rig: &Rig) -> Sender<()> {
    let (go, wait) = channel::<()>();
    let (here, is_here) = channel();
    let held = move |_| {
        here.send(()).unwrap();
        assert!(wait.recv().is_err());
    };
    rig.submit(Op::Renew { queues: vec![], now: NOW }, Box::new(held));
    is_here.recv().unwrap();
    go
}

/// What a power cut would leave at this moment.
fn cut(rig: &Rig) -> (TempDir, SqliteEngine) {
    let (from, to) = (rig.dir.as_ref().unwrap().path(), tempfile::tempdir().unwrap());
    for name in ["queues", "queues-wal", "day.keys"] {
        fs::copy(from.join(name), to.path().join(name)).unwrap();
    }
    let engine = SqliteEngine::open(&to.path().join("queues"), ROOMY, Keeping::Durable, PROOF).unwrap();
    (to, engine)
}

fn waiting(engine: &SqliteEngine, queue: QueueRef) -> Vec<u64> {
    let fetch = Op::Fetch { queue, after: 0, max_messages: 99, max_bytes: usize::MAX, now: NOW };
    let Answer::Messages(messages) = ask_all(engine, vec![fetch]).remove(0) else { panic!() };
    messages.into_iter().map(|one| one.sequence).collect()
}

fn is_in_files(rig: &Rig, message: u64) -> bool {
    let (bytes, keys) = (files(rig.folder()), keys(rig.folder()));
    (1..9).any(|place| yields((&bytes, &keys), &rig.namer, (1, message, place), BUCKET_S))
}

#[test]
fn what_its_reader_acknowledges_at_once_is_never_written() {
    let (mut rig, queue) = scene();
    let used = rig.stats().used;
    let (first, told) = admit(&rig, 2);
    let (second, told_second) = admit(&rig, 3);
    assert_eq!((first, second), (2, 3));
    assert_eq!(rig.acknowledge(queue, second), Answer::Acknowledged { deleted: 2, drained: false });
    assert_eq!((sequence(last(&told)), sequence(last(&told_second))), (2, 3));
    let stats = rig.stats();
    assert_eq!((stats.messages, stats.tombstones), (0, 3));
    assert!(stats.used > used, "their ids are remembered");
    for _ in 0..2 {
        assert!(!is_in_files(&rig, 2) && !is_in_files(&rig, 3));
        assert_eq!(rig.append(1, 2), Answer::Repeated);
        rig.restart();
    }
    // The search finds what is there.
    assert_eq!(sequence(rig.append(1, 4)), 4);
    assert!(is_in_files(&rig, 4));
}

#[test]
fn what_its_reader_does_not_acknowledge_is_stored_before_its_sender_hears() {
    let (mut rig, queue) = scene();
    let (sequence_of, told) = admit(&rig, 2);
    assert_eq!(sequence(last(&told)), sequence_of);
    assert!(is_in_files(&rig, 2));
    // Its reader is not waited for again.
    let told = submit(&rig, append_op(&rig, 1, 3));
    assert!(matches!(told.recv().unwrap(), Answer::Appended { .. }));
    rig.restart();
    assert_eq!(rig.fetch(queue, 0, NOW).len(), 2);
}

#[test]
fn a_place_that_was_told_before_a_power_cut_is_not_given_again() {
    let (rig, queue) = scene();
    let (told_place, told) = admit(&rig, 2);
    let (_dir, engine) = cut(&rig);
    assert_eq!(waiting(&engine, queue), [0_u64; 0], "it was not stored, and nobody was told that it was");
    let again = rig.append_op(1, 2, envelope(2, BUCKET_S), NOW);
    assert!(sequence(ask_all(&engine, vec![again]).remove(0)) > told_place);
    drop(last(&told));
}

#[test]
fn at_no_edge_of_what_is_set_aside_is_a_place_given_again_after_a_power_cut() {
    let (rig, queue) = scene();
    for message in 2..=140 {
        // Its reader counts as quick, however long the cut before took here.
        assert_eq!(rig.ask(Op::Renew { queues: vec![queue], now: NOW }), Answer::Done);
        let (place, told) = admit(&rig, message);
        // Places are set aside in strides of 64, and early from half of one on.
        if !(3..=29).contains(&(message % 32)) {
            let (_dir, engine) = cut(&rig);
            let next = rig.append_op(1, 1_000, envelope(1_000, BUCKET_S), NOW);
            assert!(sequence(ask_all(&engine, vec![next]).remove(0)) > place, "{place} was told");
        }
        assert!(matches!(rig.acknowledge(queue, place), Answer::Acknowledged { deleted: 1, .. }));
        assert_eq!(sequence(last(&told)), place);
    }
}

#[test]
fn a_repeat_is_answered_only_once_the_first_is_stored() {
    let (rig, queue) = scene();
    let (before, told_before) = admit(&rig, 2);
    let (first, told) = admit(&rig, 3);
    assert_eq!(rig.append(1, 3), Answer::Repeated);
    let (_dir, engine) = cut(&rig);
    assert_eq!(waiting(&engine, queue), [before, first], "in order, with what came before it");
    assert_eq!((sequence(last(&told_before)), sequence(last(&told))), (before, first));
}

#[test]
fn closing_stores_what_waits() {
    let (mut rig, queue) = scene();
    let (_, told) = admit(&rig, 2);
    rig.close();
    assert!(matches!(last(&told), Answer::Appended { sequence: 2, .. }));
    rig.restart();
    assert_eq!(rig.fetch(queue, 0, NOW).len(), 1);
}

#[test]
fn a_queue_that_is_deleted_meanwhile_takes_along_what_waits() {
    let (rig, queue) = scene();
    let (_, told) = admit(&rig, 2);
    assert_eq!(rig.ask(Op::DeleteQueue { queue }), Answer::Done);
    assert!(matches!(last(&told), Answer::Appended { .. }), "it was there until then");
    let stats = rig.stats();
    assert_eq!((stats.queues, stats.messages, stats.used), (0, 0, 0));
}

#[test]
fn the_count_of_what_is_held_is_right_after_a_power_cut() {
    let (rig, _) = scene();
    let (_, told) = admit(&rig, 2);
    rig.make(2);
    let (_dir, engine) = cut(&rig);
    let Answer::Stats(stats) = ask_all(&engine, vec![Op::Stats]).remove(0) else { panic!() };
    assert_eq!((stats.queues, stats.messages), (2, 0));
    assert_eq!(stats.used, 2 * Cost::QUEUE + stats.tombstones * Cost::TOMBSTONE);
    drop(last(&told));
}

#[test]
fn a_place_that_an_older_relay_gave_is_not_given_again() {
    let mut rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    for one in 1..=3 {
        assert_eq!(sequence(rig.append(1, one)), one);
    }
    // As the first version left it: what waits shows its places.
    rig.change(
        "DELETE FROM counter; DROP TABLE fresh_tombstones; DROP TABLE day_key; DROP TABLE credit; DROP TABLE handed_credit; ALTER TABLE message DROP COLUMN day;
        ALTER TABLE blob DROP COLUMN day; ALTER TABLE held DROP COLUMN skipped; ALTER TABLE held DROP COLUMN key_proof; PRAGMA user_version = 1",
    );
    assert_eq!(rig.acknowledge(queue, 3), Answer::Acknowledged { deleted: 3, drained: false });
    rig.restart();
    assert!(sequence(rig.append(1, 10)) > 3);
}

#[test]
fn an_operation_that_fails_takes_along_none_of_those_who_wait() {
    let (rig, queue) = damaged();
    let (place, told) = admit(&rig, 2);
    assert_eq!(rig.append(2, 51), Answer::Failed);
    // One batch: what its reader says of the waiting one counts, although the other fails with it.
    let (go, wait) = channel::<()>();
    rig.submit(Op::Renew { queues: vec![], now: NOW }, Box::new(move |_| assert!(wait.recv().is_err())));
    let acknowledged = submit(&rig, Op::Acknowledge { queue, upto: place, now: NOW });
    let failed = submit(&rig, append_op(&rig, 2, 52));
    drop(go);
    assert_eq!(last(&acknowledged), Answer::Acknowledged { deleted: 1, drained: false });
    assert_eq!(last(&failed), Answer::Failed);
    assert_eq!(sequence(last(&told)), place);
    assert_eq!(rig.append(1, 2), Answer::Repeated);
}

#[test]
fn a_waiting_message_that_cannot_be_written_fails_alone() {
    let mut rig = Rig::sqlite(ROOMY);
    let (one, two) = (rig.make(1), rig.make(2));
    rig.change(
        "CREATE TRIGGER bad BEFORE INSERT ON message WHEN new.sequence = 2 BEGIN SELECT RAISE(ABORT, 'bad'); END",
    );
    for (number, queue) in [(1, one), (2, two)] {
        assert_eq!(sequence(rig.append(number, 1)), 1);
        assert!(matches!(rig.acknowledge(queue, 1), Answer::Acknowledged { deleted: 1, .. }));
        assert_eq!(rig.renew(queue, NOW), Answer::Done);
    }
    let bad = submit(&rig, append_op(&rig, 1, 2));
    let good = submit(&rig, append_op(&rig, 2, 2));
    assert!(matches!(rig.acknowledge(two, 2), Answer::Acknowledged { .. }));
    let next = submit(&rig, append_op(&rig, 2, 3));
    assert_eq!(last(&bad), Answer::Failed);
    assert_eq!((sequence(last(&good)), sequence(last(&next))), (2, 3));
    assert_eq!(rig.fetch(two, 0, NOW).len(), 1);
    let stats = rig.stats();
    let held = 2 * Cost::QUEUE + stats.tombstones * Cost::TOMBSTONE + Cost::message(BUCKET_S);
    assert_eq!((stats.messages, stats.used), (1, held));
}

#[test]
fn who_acknowledges_late_is_not_taken_for_quick() {
    let (rig, queue) = scene();
    let (first, told) = admit(&rig, 2);
    let _ = last(&told);
    // Late, but a newer one came a moment before.
    assert!(matches!(rig.append(1, 3), Answer::Appended { .. }));
    assert!(matches!(rig.acknowledge(queue, first), Answer::Acknowledged { deleted: 1, .. }));
    let told = submit(&rig, append_op(&rig, 1, 4));
    assert!(matches!(told.recv().unwrap(), Answer::Appended { .. }));
}

#[test]
fn a_message_does_not_overtake_the_one_before_it_that_came_behind_a_change() {
    let (rig, _) = scene();
    let idle = rig.make(2);
    // One batch: a change, behind which the first message waits, and an acknowledgement, behind which the second could be
    // admitted by itself.
    let go = hold(&rig);
    let change = submit(&rig, rig.make_op(3));
    let first = submit(&rig, append_op(&rig, 1, 2));
    let other = submit(&rig, Op::Acknowledge { queue: idle, upto: 1, now: NOW });
    let second = submit(&rig, append_op(&rig, 1, 3));
    drop(go);
    assert!(matches!(last(&change), Answer::Made(_)));
    assert!(matches!(last(&other), Answer::Acknowledged { deleted: 0, .. }));
    assert_eq!((sequence(last(&first)), sequence(last(&second))), (2, 3));
}

#[test]
fn an_acknowledgement_among_many_that_do_not_come_is_answered() {
    let (rig, queues) = quick_queues::<2>();
    let messages = (2..=30).flat_map(|message| [(1, message), (2, message)]);
    let waiting: Vec<_> =
        messages.map(|(queue, message)| (message, admit_to(&rig, queue, message).1)).collect();
    assert_eq!(rig.acknowledge(queues[0], 2), Answer::Acknowledged { deleted: 1, drained: false });
    assert!(waiting.iter().all(|(message, told)| sequence(last(told)) == *message));
    let stored = queues.map(|queue| rig.fetch(queue, 0, NOW).len());
    assert_eq!(stored, [28, 29], "the others are stored");
}

#[test]
fn no_more_of_a_queue_waits_than_its_reader_would_be_pushed() {
    for (bucket, window) in [(BUCKET_S, WINDOW_MESSAGES as u64), (BUCKET_L, (WINDOW_BYTES / BUCKET_L) as u64)]
    {
        let (rig, [full, other]) = quick_queues::<2>();
        let append = |message| submit(&rig, rig.append_op(1, message, envelope(message, bucket), NOW));
        let waiting: Vec<_> = (0..window).map(|message| (2 + message, append(2 + message))).collect();
        for (_, told) in &waiting {
            assert!(matches!(told.recv().unwrap(), Answer::Admitted { .. }));
        }
        // What is behind has them all stored, and is, at once and not only after the time for which a reader is waited for.
        for message in 2 + window..5 + window {
            let told = append(message).recv().unwrap();
            assert!(matches!(told, Answer::Appended { sequence, .. } if sequence == message), "{told:?}");
        }
        assert!(waiting.iter().all(|(message, told)| sequence(told.recv().unwrap()) == *message));
        let (_, told) = admit_to(&rig, 2, 2);
        assert!(matches!(rig.acknowledge(other, 2), Answer::Acknowledged { deleted: 1, .. }));
        assert_eq!(sequence(last(&told)), 2);
        // Nor does what is behind something that is stored, and may have to be fetched first.
        assert!(matches!(rig.acknowledge(full, 3 + window), Answer::Acknowledged { drained: false, .. }));
        assert!(matches!(append(5 + window).recv().unwrap(), Answer::Appended { .. }));
        // Its reader is still taken for one who is there.
        assert!(matches!(rig.acknowledge(full, 5 + window), Answer::Acknowledged { drained: false, .. }));
        admit(&rig, 6 + window);
    }
}

#[test]
fn what_had_to_be_written_for_want_of_a_place_does_not_keep_the_next_from_passing() {
    let (mut rig, queue) = scene();
    rig.restart();
    assert_eq!(rig.renew(queue, NOW), Answer::Done);
    let first = rig.append(1, 2);
    assert!(matches!(first, Answer::Appended { sequence: 2, .. }), "places were given back: {first:?}");
    // Not acknowledged yet, and pushed: the next need not be fetched.
    let (second, told) = admit(&rig, 3);
    assert_eq!(rig.acknowledge(queue, second), Answer::Acknowledged { deleted: 2, drained: false });
    assert_eq!(sequence(last(&told)), 3);
}

#[test]
fn more_than_is_gathered_at_once_and_more_than_may_wait_is_stored_in_order() {
    let (rig, queues) = quick_queues::<40>();
    let go = hold(&rig);
    let messages = (2..=60).flat_map(|message| (1..=40).map(move |queue| (queue, message)));
    let told: Vec<_> =
        messages.map(|(queue, message)| (message, submit(&rig, append_op(&rig, queue, message)))).collect();
    drop(go);
    assert!(told.iter().all(|(message, told)| sequence(last(told)) == *message));
    for queue in queues {
        assert!(rig.fetch(queue, 0, NOW).iter().map(|(sequence, _)| *sequence).eq(2..=60));
    }
}

#[test]
fn a_queue_whose_reader_keeps_up_does_not_run_out_of_places() {
    let (mut rig, queue) = scene();
    for message in 2..=140 {
        let (place, told) = admit(&rig, message);
        assert_eq!(place, message);
        assert!(matches!(rig.acknowledge(queue, place), Answer::Acknowledged { deleted: 1, .. }));
        assert_eq!(sequence(last(&told)), place);
    }
    rig.restart();
    assert_eq!(sequence(rig.append(1, 141)), 141, "what was set aside and not given is given back");
}
