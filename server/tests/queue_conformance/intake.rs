//! A disk that fills: what is refused at which step, and that what makes room never is.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use beresta_proto::limits::{BUCKET_L, BUCKET_M, BUCKET_S};
use beresta_server::queue::intake::{Disk, Intake, Room};
use beresta_server::queue::rules::queue_ref;
use beresta_server::queue::sqlite::{Keeping, SqliteEngine};
use beresta_server::queue::{Answer, Op};

use crate::disk::{disk_of_this_child, done, on_a_small_disk};
use crate::rig::{NOW, PROOF, ROOMY, Rig, ask_all, envelope, read_id};

/// A disk of which a test says how many of 1,000 parts are in use.
#[derive(Clone)]
struct Said(Arc<AtomicU64>);

impl Disk for Said {
    fn room(&self) -> Option<Room> {
        const PART: u64 = 1 << 20;
        let used = self.0.load(Ordering::Relaxed);
        Some(Room { free: (1_000 - used) * PART, all: 1_000 * PART, file: 0, log: 0 })
    }
}

/// What is answered to something new, and to messages of each size: whether it was taken in.
struct Asker<'e> {
    engine: &'e SqliteEngine,
    rig: Rig,
    next: u8,
}

impl Asker<'_> {
    fn ask(&self, op: Op) -> Answer {
        ask_all(self.engine, vec![op]).remove(0)
    }

    fn taken(answer: &Answer) -> bool {
        match answer {
            Answer::Made(_) | Answer::Done | Answer::Appended { .. } => true,
            Answer::Full => false,
            other => panic!("{other:?}"),
        }
    }

    /// A queue, a blob, and a message of 16, 4 and 2 KiB.
    fn taken_in(&mut self) -> [bool; 5] {
        self.next += 1;
        let number = u64::from(self.next) * 10;
        let append = |at, size| self.rig.append_op(1, number + at, envelope(number + at, size), NOW);
        let ops = [
            self.rig.make_op(self.next),
            self.rig.put_blob_op(self.next, 1, 1, NOW),
            append(1, BUCKET_L),
            append(2, BUCKET_M),
            append(3, BUCKET_S),
        ];
        ops.map(|op| Self::taken(&self.ask(op)))
    }
}

const ALL: [bool; 5] = [true; 5];
const NO_NEW: [bool; 5] = [false, false, true, true, true];
const NO_LARGE: [bool; 5] = [false, false, false, true, true];
const NOTHING: [bool; 5] = [false; 5];

#[test]
fn a_disk_that_fills_refuses_step_by_step_and_never_what_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let used = Arc::new(AtomicU64::new(0));
    let engine = SqliteEngine::open_on(
        &dir.path().join("queues"),
        ROOMY,
        Keeping::Durable,
        PROOF,
        Box::new(Said(Arc::clone(&used))),
    )
    .unwrap();
    let mut asker = Asker { engine: &engine, rig: Rig::memory(ROOMY), next: 1 };
    assert!(Asker::taken(&asker.ask(asker.rig.make_op(1))));
    let queue = queue_ref(&asker.rig.namer.read(&read_id(1)));
    for (parts, taken, intake) in [
        (100, ALL, Intake::All),
        (799, ALL, Intake::All),
        (800, NO_NEW, Intake::NoNew),
        (850, NO_LARGE, Intake::NoLarge),
        (950, NOTHING, Intake::Nothing),
        (999, NOTHING, Intake::Nothing),
        (930, NO_LARGE, Intake::NoLarge),
        (800, NO_NEW, Intake::NoNew),
        (795, NO_NEW, Intake::NoNew),
        (780, ALL, Intake::All),
    ] {
        used.store(parts, Ordering::Relaxed);
        assert_eq!(asker.taken_in(), taken, "{parts}");
        assert_eq!(engine.health().intake(), intake);
    }

    // To the brim: all goes on that makes room or takes none.
    used.store(1_000, Ordering::Relaxed);
    assert_eq!(asker.taken_in(), NOTHING);
    let known = asker.rig.append_op(1, 23, envelope(23, BUCKET_S), NOW);
    assert!(matches!(asker.ask(known), Answer::Repeated), "it is there: its sender may stop asking");
    let fetch = Op::Fetch { queue, after: 0, max_messages: 9, max_bytes: usize::MAX, now: NOW };
    assert!(matches!(asker.ask(fetch), Answer::Messages(messages) if messages.len() == 9));
    assert_eq!(asker.ask(Op::Renew { queues: vec![queue], now: NOW }), Answer::Done);
    assert!(matches!(asker.ask(asker.rig.claim_blob_op(2, 1, NOW)), Answer::Blob(_)));
    let acknowledge = Op::Acknowledge { queue, upto: 5, now: NOW };
    assert_eq!(asker.ask(acknowledge), Answer::Acknowledged { deleted: 5, drained: false });
    assert!(matches!(asker.ask(Op::Expire { now: NOW, limit: 9 }), Answer::Expired { .. }));
    assert_eq!(asker.ask(Op::DeleteQueue { queue }), Answer::Done);
}

#[test]
fn a_disk_that_does_not_tell_refuses_nothing() {
    struct Silent;
    impl Disk for Silent {
        fn room(&self) -> Option<Room> {
            None
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let engine =
        SqliteEngine::open_on(&dir.path().join("queues"), ROOMY, Keeping::Durable, PROOF, Box::new(Silent))
            .unwrap();
    let mut asker = Asker { engine: &engine, rig: Rig::memory(ROOMY), next: 1 };
    assert!(Asker::taken(&asker.ask(asker.rig.make_op(1))));
    assert_eq!(asker.taken_in(), ALL);
}

#[test]
fn a_real_disk_that_others_fill_is_noticed_before_it_is_full() {
    on_a_small_disk("intake::child_on_a_disk_that_fills", 24);
}

/// Not a test: what [`a_real_disk_that_others_fill_is_noticed_before_it_is_full`] runs.
#[test]
#[ignore = "the child of another test"]
fn child_on_a_disk_that_fills() {
    let disk = disk_of_this_child();
    let engine = SqliteEngine::open(&disk.join("queues"), ROOMY, Keeping::Durable, PROOF).unwrap();
    let mut asker = Asker { engine: &engine, rig: Rig::memory(ROOMY), next: 1 };
    assert!(Asker::taken(&asker.ask(asker.rig.make_op(1))));
    assert_eq!(asker.taken_in(), ALL, "the reserve takes two thirds of it");
    let mut seen = vec![ALL];
    let mut ballast = 0;
    while *seen.last().unwrap() != NOTHING {
        fs::write(disk.join(format!("ballast.{ballast}")), vec![1; 1 << 17]).unwrap();
        ballast += 1;
        let taken = asker.taken_in();
        if seen.last() != Some(&taken) {
            seen.push(taken);
        }
    }
    assert_eq!(seen, [ALL, NO_NEW, NO_LARGE, NOTHING]);
    fs::write(disk.join("more"), vec![1; 1 << 18]).expect("there was room left for who needs it");

    (0..ballast).for_each(|one| fs::remove_file(disk.join(format!("ballast.{one}"))).unwrap());
    assert_eq!(asker.taken_in(), ALL);
    done();
}
