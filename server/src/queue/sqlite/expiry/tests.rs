//! Files with more queues than one look takes, and with pages that can't be read.

use std::collections::BTreeSet;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use beresta_proto::time::{DAY_MS, Timestamp};
use rusqlite::Connection;

use super::LOOK;
use crate::queue::rules::{Cap, Cost, queue_ref};
use crate::queue::sqlite::schema::{PAGE, int};
use crate::queue::sqlite::tests::{NOW, Rig, append, is_stored, make, meanwhile};
use crate::queue::{Answer, Op, ReadName, Stats};

/// As many queues as three looks take, but for one.
const QUEUES: usize = 3 * LOOK - 1;

/// Queues that all end at the midnight with which day `day` after [`NOW`] begins.
fn with_queues(day: u64) -> Rig {
    let mut rig = Rig::with(Cap { bytes: 1 << 30 });
    let ends = (NOW.0 / DAY_MS + day) * 24;
    rig.change(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {QUEUES})
        INSERT INTO queue SELECT 2 * n - 1001, randomblob(32), randomblob(32), randomblob(32), randomblob(32), {ends} FROM n;
        UPDATE held SET used = {}",
        int(QUEUES as u64 * Cost::QUEUE)
    ));
    rig
}

/// Sweeps to the end. How many rows went in each step.
fn sweep(rig: &Rig, now: Timestamp) -> Vec<usize> {
    let mut steps = Vec::new();
    loop {
        let Answer::Expired { deleted, more, .. } = rig.ask(Op::Expire { now, limit: usize::MAX }) else {
            panic!()
        };
        steps.push(deleted);
        if !more {
            return steps;
        }
    }
}

fn stats(rig: &Rig) -> Stats {
    let Answer::Stats(stats) = rig.ask(Op::Stats) else { panic!() };
    stats
}

#[test]
fn one_step_looks_at_a_part_of_many_queues_and_the_sweep_at_all() {
    let rig = with_queues(1);
    assert_eq!(sweep(&rig, NOW), [0; 3], "they have not ended");
    assert_eq!(sweep(&rig, NOW), [0], "and are not looked at twice in a day");
    assert_eq!(sweep(&rig, NOW.plus(DAY_MS)), [LOOK, LOOK, LOOK - 1]);
    let stats = stats(&rig);
    assert_eq!((stats.queues, stats.used), (0, 0));
}

#[test]
fn what_fails_in_between_does_not_begin_the_look_again() {
    let rig = with_queues(1);
    let now = NOW.plus(DAY_MS);
    for more in [true, true, false] {
        let Answer::Expired { deleted, more: told, .. } = rig.ask(Op::Expire { now: NOW, limit: usize::MAX })
        else {
            panic!()
        };
        assert_eq!((deleted, told), (0, more));
        meanwhile(&rig, "CREATE TRIGGER bad BEFORE INSERT ON queue BEGIN SELECT RAISE(ABORT, 'bad'); END");
        assert_eq!(rig.ask(make(1)), Answer::Failed);
        meanwhile(&rig, "DROP TRIGGER bad");
    }
    // A step that fails itself is done again, and no more than that.
    meanwhile(&rig, "CREATE TRIGGER bad BEFORE DELETE ON queue BEGIN SELECT RAISE(ABORT, 'bad'); END");
    assert_eq!(rig.ask(Op::Expire { now, limit: usize::MAX }), Answer::Failed);
    meanwhile(&rig, "DROP TRIGGER bad");
    assert_eq!(sweep(&rig, now), [LOOK, LOOK, LOOK - 1]);
}

#[test]
fn days_that_do_not_count_are_written_once_and_not_for_each_queue() {
    let rig = with_queues(90);
    let ends = || {
        let file = Connection::open(rig.dir.path().join("queues")).unwrap();
        let ends = "SELECT min(ends), max(ends), (SELECT skipped FROM held) FROM queue";
        file.query_row(ends, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .unwrap()
    };
    sweep(&rig, NOW);
    let (first, last, skipped) = ends();
    assert_eq!((first, skipped), (last, 0));
    assert_eq!(sweep(&rig, NOW.plus(25 * DAY_MS)), [0; 3]);
    assert_eq!(ends(), (first, last, 24 * 24));
    // Who comes meanwhile is given no more than others.
    assert!(matches!(rig.ask(make(1)), Answer::Made(_)));
    sweep(&rig, NOW.plus(26 * DAY_MS));
    assert_eq!(stats(&rig).queues, QUEUES as u64 + 1);
    sweep(&rig, NOW.plus(27 * DAY_MS));
    assert_eq!(stats(&rig).queues, QUEUES as u64, "a new queue has two days, and they are over");
}

#[test]
fn all_who_read_in_a_stretch_end_alike_also_where_a_day_was_missed_in_it() {
    let rig = Rig::with(Cap { bytes: 1 << 30 });
    let mut ends = BTreeSet::new();
    for (queue, day) in [(1, 0), (2, 2), (3, 3)] {
        let now = NOW.plus(day * DAY_MS);
        sweep(&rig, now);
        assert!(matches!(rig.ask(make(queue)), Answer::Made(_)));
        let queues = vec![queue_ref(&ReadName([queue; 32]))];
        assert_eq!(rig.ask(Op::Renew { queues, now }), Answer::Done);
    }
    let file = Connection::open(rig.dir.path().join("queues")).unwrap();
    let mut rows = file.prepare("SELECT ends FROM queue").unwrap();
    ends.extend(rows.query_map([], |row| row.get::<_, i64>(0)).unwrap().map(Result::unwrap));
    assert_eq!(ends.len(), 1, "{ends:?}");
}

/// Writes over the page with which a table or an index begins.
fn damage(queues: &Path, name: &str) {
    let file = Connection::open(queues).unwrap();
    let page: i64 = file
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0))
        .unwrap();
    drop(file);
    let mut file = std::fs::OpenOptions::new().write(true).open(queues).unwrap();
    file.seek(SeekFrom::Start((page.unsigned_abs() - 1) * PAGE)).unwrap();
    file.write_all(&[0xa5; 4_096]).unwrap();
}

#[test]
fn a_damaged_page_keeps_nothing_of_another_kind_from_ending_nor_the_keys_of_days() {
    // Which kinds it fails at, and the messages that stay, with no key: what they took can't be looked up.
    for (damaged, fails, stay) in [("blob_by_end", 1, 0), ("credit", 1, 0), ("queue", 2, 1)] {
        let mut rig = Rig::with(Cap { bytes: 1 << 20 });
        assert!(matches!(rig.ask(make(1)), Answer::Made(_)));
        assert!(is_stored(&rig.ask(append(1, 1, 1))));
        rig.meddle(|queues| damage(queues, damaged));
        let now = NOW.plus(9 * DAY_MS);
        let expire = || rig.ask(Op::Expire { now, limit: 99 });
        for _ in 0..fails {
            assert_eq!(expire(), Answer::Failed, "{damaged}");
        }
        assert!(matches!(expire(), Answer::Expired { more: false, .. }), "{damaged}");
        // Behind what follows an expiry.
        assert_eq!(rig.ask(Op::Renew { queues: vec![], now }), Answer::Done);
        let file = Connection::open(rig.dir.path().join("queues")).unwrap();
        let left = |table| {
            file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!((left("message"), left("day_key")), (stay, 0), "{damaged}");
        // It is tried again the next day.
        assert_eq!(rig.ask(Op::Expire { now: now.plus(DAY_MS), limit: 99 }), Answer::Failed, "{damaged}");
    }
}
