//! Files with pages that can't be read, and what is left of them.

use std::fs;
use std::path::Path;

use beresta_proto::time::DAY_MS;
use rusqlite::Connection;

use super::*;
use crate::queue::rules::{self, Cap};
use crate::queue::sqlite::schema::PAGE;
use crate::queue::sqlite::tests::{NOW, PROOF, Rig, append, is_stored, make};
use crate::queue::sqlite::{Keeping, SqliteEngine};
use crate::queue::{Answer, Op, ReadName, Stats};

const QUEUES: u8 = 200;

fn stats(rig: &Rig) -> Stats {
    let Answer::Stats(stats) = rig.ask(Op::Stats) else { panic!() };
    stats
}

/// Queues with a message in each, of which one was read.
fn filled() -> Rig {
    let rig = Rig::with(Cap { bytes: 1 << 28 });
    for number in 1..=QUEUES {
        let Answer::Made(queue) = rig.ask(make(number)) else { panic!() };
        for message in 0..3 {
            let answer = rig.ask(append(number, number, message));
            assert!(is_stored(&answer), "{number} {message} {answer:?}");
        }
        let read = rig.ask(Op::Acknowledge { queue, upto: 1, now: NOW });
        assert!(matches!(read, Answer::Acknowledged { deleted: 1, .. }));
    }
    rig
}

fn salvaged(rig: &mut Rig) -> Salvaged {
    let mut done = None;
    rig.meddle(|queues| done = Some(SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW).unwrap()));
    done.unwrap()
}

/// Writes over pages of a table or an index: so many, evenly between its first and its last.
fn damage(queues: &Path, name: &str, count: usize) {
    let file = Connection::open(queues).unwrap();
    // Whoever reads pages in order of the keys meets them in this order.
    let mut walk = file
        .prepare("SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path")
        .unwrap();
    let leaves: Vec<i64> = walk.query_map([name], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    drop(walk);
    drop(file);
    assert!(leaves.len() > count, "{name} has {} pages", leaves.len());
    let mut bytes = fs::read(queues).unwrap();
    for number in 1..=count {
        let page = leaves[number * leaves.len() / (count + 1)].unsigned_abs() - 1;
        let at = usize::try_from(page * PAGE).unwrap();
        bytes[at..at + 4_096].fill(0xa5);
    }
    fs::write(queues, bytes).unwrap();
}

#[test]
fn a_file_that_is_whole_goes_on_as_it_was() {
    let mut rig = filled();
    let before = stats(&rig);
    let done = salvaged(&mut rig);
    assert_eq!(done, Salvaged { queues: u64::from(QUEUES), messages: 2 * u64::from(QUEUES), whole: true });
    assert_eq!(stats(&rig), before);
    assert_eq!(rig.ask(append(7, 7, 0)), Answer::Repeated, "what was read is remembered");
    assert_eq!(rig.ask(append(7, 7, 1)), Answer::Repeated, "and what waits");
    assert!(is_stored(&rig.ask(append(7, 7, 9))));
    assert_eq!(rig.ask(make(7)), Answer::Exists);
    let swept = rig.ask(Op::Expire { now: NOW.plus(99 * DAY_MS), limit: usize::MAX });
    assert!(matches!(swept, Answer::Expired { .. }));
}

/// Rows of each table: more than one page can have.
const MANY: i64 = 4_000;

/// A file with so many queues, with a message and a remembered id each.
fn crowded() -> Rig {
    let mut rig = Rig::with(Cap { bytes: 1 << 30 });
    rig.change(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY})
        INSERT INTO queue SELECT random(), randomblob(32), randomblob(32), randomblob(32), randomblob(32), 999999 FROM n;
        INSERT INTO counter SELECT id, 64, 0 FROM queue;
        INSERT INTO message (id, queue, sequence, name, bucket, envelope)
            SELECT random(), id, 7, random(), 1, randomblob(1000) FROM queue;
        INSERT INTO tombstone SELECT 999999, id, random() FROM queue;"
    ));
    rig
}

#[test]
fn what_lies_around_pages_that_cannot_be_read_is_taken_over() {
    let mut rig = crowded();
    let whole = rig.dir.path().join("whole");
    let dir = tempfile::tempdir().unwrap();
    rig.meddle(|queues| {
        assert!(fs::copy(queues, &whole).unwrap() > 0);
        fs::copy(queues.with_file_name("day.keys"), dir.path().join("day.keys")).unwrap();
    });
    let path = dir.path().join("queues");
    // How many rows of a kind go with so many pages, at the most: 32 KiB are some 200 queues, 32 messages or 1,500 of the others.
    for (damaged, pages, [queues, messages, ids]) in [
        ("queue_by_send", 2, [0, 0, 0]),
        ("message_by_place", 2, [0, 0, 0]),
        ("queue", 1, [220, 220, 0]),
        ("queue", 5, [1_100, 1_100, 0]),
        ("counter", 2, [0, 0, 0]),
        ("message", 5, [0, 200, 0]),
        ("tombstone", 1, [0, 0, 2_500]),
    ] {
        fs::copy(&whole, &path).unwrap();
        damage(&path, damaged, pages);
        let done = SqliteEngine::salvage(&path, Keeping::Durable, PROOF, NOW).unwrap();
        let file = Connection::open(&path).unwrap();
        let left = |table: &str| {
            file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(done.whole, queues + messages + ids == 0 && damaged != "counter", "{damaged}");
        for (table, most) in [("queue", queues), ("message", messages), ("tombstone", ids)] {
            let lost = MANY - left(table);
            let (least, most) = (most / 5, most);
            assert!((least..=most).contains(&lost), "{damaged}: {lost} of {table}");
        }
        let sound: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "{damaged}");
        assert_eq!(
            (left("queue"), left("message")),
            (done.queues.cast_signed(), done.messages.cast_signed())
        );
        let used: i64 = file.query_row("SELECT used FROM held", [], |row| row.get(0)).unwrap();
        let counted = left("queue") * int(Cost::QUEUE)
            + left("message") * int(Cost::message(2_048))
            + left("tombstone") * int(Cost::TOMBSTONE);
        assert_eq!(used, counted, "{damaged}");
    }
}

#[test]
fn no_place_is_given_again_where_it_is_not_known_up_to_where_they_were_given() {
    let mut rig = crowded();
    let places = |rig: &Rig| {
        let file = Connection::open(rig.dir.path().join("queues")).unwrap();
        file.query_row("SELECT count(*), min(last), max(last) FROM counter", [], |row| {
            Ok([0, 1, 2].map(|column| row.get::<_, i64>(column).unwrap()))
        })
        .unwrap()
    };
    rig.meddle(|queues| damage(queues, "counter", 2));
    salvaged(&mut rig);
    assert_eq!(places(&rig), [MANY, 64, int(NOW.0)]);
    // Nor by a clock that is behind then.
    rig.meddle(|queues| {
        damage(queues, "counter", 1);
        SqliteEngine::salvage(queues, Keeping::Durable, PROOF, Timestamp(5_000)).unwrap();
    });
    assert_eq!(places(&rig), [MANY, 64, int(NOW.0)]);
}

/// Writes over the page with which a table begins.
pub(super) fn damage_root(queues: &Path, table: &str) {
    let file = Connection::open(queues).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: i64 = file.query_row(root, [table], |row| row.get(0)).unwrap();
    drop(file);
    let mut bytes = fs::read(queues).unwrap();
    let at = usize::try_from((page.unsigned_abs() - 1) * PAGE).unwrap();
    bytes[at..at + 4_096].fill(0xa5);
    fs::write(queues, bytes).unwrap();
}

#[test]
fn what_waits_is_read_where_the_list_of_keys_was_lost_and_the_keys_were_not() {
    let mut rig = filled();
    let mut done = None;
    rig.meddle(|queues| {
        damage_root(queues, "day_key");
        done = Some(SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW).unwrap());
    });
    assert_eq!(done.map(|done| (done.messages, done.whole)), Some((2 * u64::from(QUEUES), false)));
    let queue = rules::queue_ref(&ReadName([7; 32]));
    let fetch = Op::Fetch { queue, after: 0, max_messages: 9, max_bytes: usize::MAX, now: NOW };
    let Answer::Messages(messages) = rig.ask(fetch) else { panic!() };
    assert_eq!(messages.len(), 2);
    assert!(is_stored(&rig.ask(append(7, 7, 9))));
}

#[test]
fn no_queue_ends_where_it_is_not_known_by_how_much_they_end_later() {
    let mut rig = filled();
    rig.change("UPDATE queue SET ends = ends - 3600; UPDATE held SET skipped = 3600");
    rig.meddle(|queues| {
        damage_root(queues, "held");
        SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW).unwrap();
    });
    let now = NOW.plus(60 * DAY_MS);
    while let Answer::Expired { more: true, .. } = rig.ask(Op::Expire { now, limit: usize::MAX }) {}
    assert_eq!(stats(&rig).queues, u64::from(QUEUES));
}

#[test]
fn a_relay_starts_again_that_could_not_read_its_remembered_ids() {
    let mut rig = filled();
    rig.change("DELETE FROM tombstone; INSERT INTO tombstone SELECT 999999, id, random() FROM queue");
    let mut done = None;
    rig.meddle(|queues| {
        damage_root(queues, "tombstone");
        let engine = SqliteEngine::open(queues, Cap { bytes: 1 << 28 }, Keeping::Durable, PROOF).unwrap();
        while engine.is_alive() {
            std::thread::yield_now();
        }
        drop(engine);
        done = Some(SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW).unwrap());
    });
    let queues = u64::from(QUEUES);
    assert_eq!(done, Some(Salvaged { queues, messages: 2 * queues, whole: false }));
    assert!(is_stored(&rig.ask(append(7, 7, 9))));
}

#[test]
fn a_crash_before_the_new_file_is_whole_changes_nothing_and_one_behind_it_is_finished() {
    let mut rig = filled();
    rig.meddle(|queues| fs::write(with_suffix(queues, ".beresta-unfinished"), b"a part").unwrap());
    assert_eq!(stats(&rig).queues, u64::from(QUEUES));
    assert!(!unfinished_at(&rig.dir.path().join("queues")).exists(), "nothing of it stays");
    assert!(salvaged(&mut rig).whole, "a part of before is in nobody's way");
    rig.meddle(|queues| {
        let new = salvaged_at(queues);
        fs::copy(queues, &new).unwrap();
        Connection::open(&new).unwrap().execute_batch("DELETE FROM message").unwrap();
        // What is left of the damaged one: a log that changes whatever it is read with.
        let old = Connection::open(queues).unwrap();
        old.execute_batch("PRAGMA wal_autocheckpoint = 0; DELETE FROM queue").unwrap();
        let log = fs::read(with_suffix(queues, "-wal")).unwrap();
        drop(old);
        fs::write(with_suffix(queues, "-wal"), log).unwrap();
    });
    assert_eq!((stats(&rig).queues, stats(&rig).messages), (u64::from(QUEUES), 0));
    assert!(!salvaged_at(&rig.dir.path().join("queues")).exists());
}

#[test]
fn a_new_file_whose_log_could_not_be_moved_into_it_takes_nobodys_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queues");
    let new = schema::open_writer(&path).unwrap();
    new.execute_batch("CREATE TABLE some (row)").unwrap();
    assert_eq!(is_all(&path).unwrap_err().kind(), ErrorKind::StorageFull);
    new.close().unwrap();
    is_all(&path).unwrap();
}

#[test]
fn nothing_is_taken_from_a_relay_that_runs_or_out_of_what_is_no_file_of_ours() {
    let rig = filled();
    let path = rig.dir.path().join("queues");
    assert!(matches!(SqliteEngine::salvage(&path, Keeping::Durable, PROOF, NOW), Err(OpenError::InUse)));
    let dir = rig.dir.path().join("others");
    fs::create_dir(&dir).unwrap();
    let path = dir.join("queues");
    fs::write(&path, [0xa5; 100_000]).unwrap();
    assert!(matches!(SqliteEngine::salvage(&path, Keeping::Durable, PROOF, NOW), Err(OpenError::Damaged)));
    assert_eq!(fs::read(&path).unwrap(), [0xa5; 100_000]);
    assert!(matches!(
        SqliteEngine::salvage(&dir.join("none"), Keeping::Durable, PROOF, NOW),
        Err(OpenError::Sqlite)
    ));
}
