//! What needs a hand inside the file: rows that are damaged, pages that are not ours.

use std::sync::mpsc;

use beresta_proto::envelope::Envelope;
use beresta_proto::key::{CapabilityHash, VerifyingKey};
use beresta_proto::limits::BUCKET_S;
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp, TtlClass};
use rusqlite::Connection;

use super::schema::{int, most_pages};
use super::*;
use crate::queue::{MessageName, QueueRef, ReadName, SendName, rules};

pub(super) const NOW: Timestamp = Timestamp(20_000 * DAY_MS);
/// Whoever makes the names.
pub(super) const PROOF: KeyProof = KeyProof([7; 32]);
const CAP: Cap = Cap { bytes: 1 << 20 };

pub(super) struct Rig {
    pub(super) dir: tempfile::TempDir,
    cap: Cap,
    engine: Option<SqliteEngine>,
}

impl Rig {
    fn new() -> Self {
        Self::with(CAP)
    }

    pub(super) fn with(cap: Cap) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = SqliteEngine::open(&dir.path().join("queues"), cap, Keeping::Durable, PROOF).unwrap();
        Self { dir, cap, engine: Some(engine) }
    }

    /// Changes the file behind the engine's back.
    pub(super) fn change(&mut self, sql: &str) {
        self.meddle(|queues| Connection::open(queues).unwrap().execute_batch(sql).unwrap());
    }

    /// The same, with the file closed and opened again.
    pub(super) fn meddle(&mut self, with: impl FnOnce(&Path)) {
        self.engine = None;
        let path = self.dir.path().join("queues");
        with(&path);
        self.engine = Some(SqliteEngine::open(&path, self.cap, Keeping::Durable, PROOF).unwrap());
    }

    pub(super) fn ask(&self, op: Op) -> Answer {
        self.ask_at_once(vec![op]).remove(0)
    }

    /// Has all carried out in one batch: an answer is told in the writer's thread, and there the first one waits.
    pub(super) fn ask_at_once(&self, ops: Vec<Op>) -> Vec<Answer> {
        let engine = self.engine.as_ref().unwrap();
        let (go, wait) = mpsc::channel::<()>();
        engine
            .submit(Op::DeleteQueue { queue: QueueRef(0) }, Box::new(move |_| assert!(wait.recv().is_err())));
        let told = ops.into_iter().map(|op| {
            let (tell, told) = mpsc::channel();
            engine.submit(op, Box::new(move |answer| tell.send(answer).unwrap()));
            told
        });
        let told: Vec<_> = told.collect();
        drop(go);
        let last = |told: Receiver<Answer>| {
            told.iter().find(|answer| !matches!(answer, Answer::Admitted { .. })).unwrap()
        };
        told.into_iter().map(last).collect()
    }
}

fn queue(queue: u8) -> QueueRef {
    rules::queue_ref(&ReadName([queue; 32]))
}

pub(super) fn make(queue: u8) -> Op {
    let (read, send, read_key) = (ReadName([queue; 32]), SendName([queue; 32]), VerifyingKey([queue; 32]));
    Op::MakeQueue { read, send, read_key, capability: CapabilityHash([queue; 32]), credit: None, now: NOW }
}

pub(super) fn append(queue: u8, shown: u8, message: u8) -> Op {
    Op::Append {
        send: SendName([queue; 32]),
        capability: CapabilityHash([shown; 32]),
        message: MessageName([message; 8]),
        ttl: TtlClass::Week,
        envelope: Envelope::from_bytes(vec![message; BUCKET_S]).unwrap(),
        now: NOW,
    }
}

pub(super) fn is_stored(answer: &Answer) -> bool {
    matches!(answer, Answer::Appended { .. })
}

/// Queues 1 to 3 with a message each, and that of queue 2 can't be read.
fn damaged() -> Rig {
    let mut rig = Rig::new();
    for one in 1..=3 {
        assert!(matches!(rig.ask(make(one)), Answer::Made(_)));
        assert!(is_stored(&rig.ask(append(one, one, 1))));
    }
    rig.change(&format!("UPDATE message SET bucket = 9 WHERE queue = {}", queue(2).0));
    rig
}

#[test]
fn one_operation_that_fails_does_not_fail_those_that_came_with_it() {
    let rig = damaged();
    let mut ops: Vec<Op> =
        (10..60).map(|message| append(1 + 2 * (message % 2), 1 + 2 * (message % 2), message)).collect();
    for at in [0, 7, 8, 49, 53] {
        ops.insert(at, append(2, 2, 100));
    }
    let answers = rig.ask_at_once(ops.clone());
    for (op, answer) in ops.iter().zip(&answers) {
        let Op::Append { send, .. } = op else { panic!() };
        assert_eq!(*answer == Answer::Failed, send.0 == [2; 32], "{answer:?}");
        assert_eq!(is_stored(answer), send.0 != [2; 32], "{answer:?}");
    }
    let Answer::Stats(stats) = rig.ask(Op::Stats) else { panic!() };
    assert_eq!(stats.messages, 3 + 50);
    assert_eq!(stats.used, 3 * rules::Cost::QUEUE + 53 * rules::Cost::message(BUCKET_S));
}

#[test]
fn a_row_that_cannot_be_read_ends_like_others_and_keeps_none_from_ending() {
    let rig = damaged();
    rig.ask(Op::Renew { queues: (1..=3).map(queue).collect(), now: NOW });
    let now = NOW.plus(9 * DAY_MS);
    // What is remembered of the two that could be read goes with them a moment later.
    assert!(matches!(rig.ask(Op::Expire { now, limit: 99 }), Answer::Expired { .. }));
    let Answer::Stats(stats) = rig.ask(Op::Stats) else { panic!() };
    assert_eq!((stats.messages, stats.queues), (0, 3));
    // Without the row the queue works again.
    assert!(is_stored(&rig.ask(append(2, 2, 2))));

    let rig = damaged();
    assert_eq!(rig.ask(Op::DeleteQueue { queue: queue(2) }), Answer::Done);
    let Answer::Stats(stats) = rig.ask(Op::Stats) else { panic!() };
    assert_eq!((stats.messages, stats.queues), (2, 2));
}

#[test]
fn nothing_of_a_queue_is_read_for_a_wrong_capability() {
    let rig = damaged();
    assert_eq!(rig.ask(append(2, 7, 2)), Answer::Gone);
    assert_eq!(rig.ask(append(9, 7, 2)), Answer::Gone);
    assert_eq!(rig.ask(append(2, 2, 2)), Answer::Failed);
}

#[test]
fn a_queue_whose_places_cannot_be_read_keeps_no_other_from_being_found() {
    let mut rig = damaged();
    let last = |rig: &Rig| {
        let found = rig.ask(Op::Find { reads: vec![ReadName([1; 32]), ReadName([3; 32])] });
        let Answer::Found(found) = found else { panic!("{found:?}") };
        found.into_iter().map(|record| record.unwrap().last).collect::<Vec<_>>()
    };
    assert_eq!(last(&rig), [Some(1); 2]);
    let root = "SELECT rootpage FROM sqlite_schema WHERE name =";
    rig.change(&format!(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = ({root} 'queue') WHERE name = 'message_by_place'"
    ));
    assert_eq!(last(&rig), [None; 2]);
}

#[test]
fn a_checkpoint_waits_for_nobody_who_counts_in_the_file() {
    let rig = Rig::new();
    assert!(matches!(rig.ask(make(1)), Answer::Made(_)));
    let path = rig.dir.path().join("queues");
    let counts = Connection::open(&path).unwrap();
    counts.execute_batch("BEGIN; SELECT count(*) FROM queue").unwrap();
    assert!(is_stored(&rig.ask(append(1, 1, 1))));
    let (ended, ends) = mpsc::channel();
    let checkpoints = std::thread::spawn(move || {
        let conn = schema::open_writer(&path).unwrap();
        let moved = statements::Statements::prepare(&conn).unwrap().empty_log();
        ended.send(moved).unwrap();
    });
    // Half of what SQLite would wait for.
    assert_eq!(ends.recv_timeout(schema::PATIENCE / 2), Ok(false));
    checkpoints.join().unwrap();
}

#[test]
fn a_file_that_got_too_large_takes_nothing_new_and_lets_go_of_what_is_old() {
    let mut rig = Rig::new();
    rig.ask(make(1));
    assert!(is_stored(&rig.ask(append(1, 1, 1))));
    let loose = most_pages(CAP) * 32 * 1_024;
    rig.change(&format!("CREATE TABLE loose (bytes); INSERT INTO loose VALUES (zeroblob({}))", int(loose)));
    assert_eq!(rig.ask(append(1, 1, 2)), Answer::Full);
    assert_eq!(rig.ask(make(2)), Answer::Full);
    assert_eq!(rig.ask(append(1, 1, 1)), Answer::Repeated);
    let acknowledge = Op::Acknowledge { queue: queue(1), upto: 1, now: NOW };
    assert_eq!(rig.ask(acknowledge), Answer::Acknowledged { deleted: 1, drained: false });
    assert!(rig.dir.path().join("queues.reserve").exists(), "the disk is not full");
    rig.change("DROP TABLE loose");
    assert!(is_stored(&rig.ask(append(1, 1, 2))));
}

/// Where in the file the row of each queue lies.
fn places(rig: &Rig, queues: &[u8]) -> Vec<usize> {
    let file = std::fs::read(rig.dir.path().join("queues")).unwrap();
    // Two names, a key and a hash, all made of the same byte.
    let place = |queue: &u8| file.windows(128).position(|bytes| bytes == [*queue; 128]);
    queues.iter().map(|queue| place(queue).unwrap()).collect()
}

#[test]
fn after_a_day_a_small_file_does_not_tell_in_which_order_queues_were_made() {
    let rig = Rig::new();
    let sweep = |day: u64| {
        let now = NOW.plus(day * DAY_MS);
        assert!(matches!(rig.ask(Op::Expire { now, limit: 99 }), Answer::Expired { deleted: 0, .. }));
        // The log is emptied behind an expiry, and before the next operation.
        rig.ask(Op::Acknowledge { queue: QueueRef(0), upto: 0, now });
    };
    sweep(0);
    let made: Vec<u8> = (1..=40).map(|one| u8::try_from(one * 37 % 41).unwrap()).collect();
    made.iter().for_each(|one| drop(rig.ask(make(*one))));
    let renewed = made.iter().rev().map(|one| queue(*one)).collect();
    rig.ask(Op::Renew { queues: renewed, now: NOW });
    sweep(0);
    let as_laid = |queues: &[u8]| places(&rig, queues).is_sorted_by(|one, next| one > next);
    assert!(as_laid(&made), "as SQLite does it by itself, and a renewal moves nothing");
    sweep(1);
    let by_key: Vec<u8> = (1..=40).collect();
    assert!(as_laid(&by_key));
}

/// Changes the file while the engine has it open.
pub(super) fn meanwhile(rig: &Rig, sql: &str) {
    Connection::open(rig.dir.path().join("queues")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn what_could_not_be_forgotten_of_a_failed_commit_is_forgotten_before_the_next_one() {
    let mut rig = Rig::new();
    for one in 1..=2 {
        assert!(matches!(rig.ask(make(one)), Answer::Made(_)));
        assert!(is_stored(&rig.ask(append(one, one, 1))));
    }
    let acknowledge = || Op::Acknowledge { queue: queue(1), upto: 1, now: NOW };
    // A disk that can't be read for a moment: a commit fails, and what the file says can't be read either.
    meanwhile(
        &rig,
        "CREATE TABLE kept AS SELECT keys FROM fresh_tombstones; UPDATE fresh_tombstones SET keys = x'00'",
    );
    meanwhile(&rig, "CREATE TRIGGER bad BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'bad'); END");
    rig.ask_at_once(vec![acknowledge(), append(2, 2, 2)]);
    assert_eq!(rig.ask(append(1, 1, 3)), Answer::Failed, "nothing is stored by what is not known");
    meanwhile(
        &rig,
        "UPDATE fresh_tombstones SET keys = (SELECT keys FROM kept); DROP TABLE kept; DROP TRIGGER bad",
    );
    assert_eq!(rig.ask(acknowledge()), Answer::Acknowledged { deleted: 1, drained: false });
    assert!(is_stored(&rig.ask(append(1, 1, 3))));
    rig.change("");
    let Answer::Stats(stats) = rig.ask(Op::Stats) else { panic!() };
    assert_eq!((stats.messages, stats.tombstones), (2, 1));
}

#[test]
fn an_engine_that_cannot_read_its_file_does_not_look_alive() {
    for damage in ["UPDATE fresh_tombstones SET keys = x'00'", "DROP TABLE blob"] {
        let mut rig = Rig::new();
        assert!(matches!(rig.ask(make(1)), Answer::Made(_)));
        rig.change(damage);
        let engine = rig.engine.as_ref().unwrap();
        let (tell, told) = mpsc::channel();
        while engine.is_alive() {
            let tell = tell.clone();
            engine.submit(append(1, 1, 1), Box::new(move |answer| tell.send(answer).unwrap()));
            std::thread::yield_now();
        }
        drop(tell);
        assert!(told.iter().all(|answer| answer == Answer::Failed || damage.contains("blob")));
    }
}

#[test]
fn who_deletes_many_full_queues_at_once_has_few_of_them_go_in_one_commit() {
    const FULL: u8 = 16;
    let mut rig = Rig::with(Cap { bytes: 1 << 30 });
    let made = (1..=FULL).map(|one| rig.ask(make(one)));
    assert!(made.into_iter().all(|answer| matches!(answer, Answer::Made(_))));
    let ends = int(NOW.0 / HOUR_MS + 24 * 7);
    for one in 1..=FULL {
        rig.change(&format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 256)
            INSERT INTO message (id, queue, sequence, name, bucket, envelope)
            SELECT ({ends} << 40) + ({one} << 20) + (n << 4), {}, n, n, 3, zeroblob(16384) FROM n",
            queue(one).0
        ));
    }
    let log = rig.dir.path().join("queues-wal");
    let (tell, told) = mpsc::channel();
    let engine = rig.engine.as_ref().unwrap();
    for one in 1..=FULL {
        let (tell, log) = (tell.clone(), log.clone());
        // Before the writer rests, and empties it.
        let done = move |answer| tell.send((answer, std::fs::metadata(&log).unwrap().len())).unwrap();
        engine.submit(Op::DeleteQueue { queue: queue(one) }, Box::new(done));
    }
    let gone: Vec<(Answer, u64)> = told.iter().take(FULL.into()).collect();
    assert!(gone.iter().all(|(answer, _)| *answer == Answer::Done), "{gone:?}");
    // Each has 256 pages written over, 8 MiB. After a commit the log begins anew where it can.
    let mib = gone.iter().map(|(_, log)| log >> 20).max().unwrap();
    assert!((8..64).contains(&mib), "{mib} MiB of log for {FULL} queues");
}
