//! Files of which every page can be read, and that say nonsense.

use std::fs;
use std::path::Path;

use beresta_proto::time::{DAY_MS, TtlClass};
use rusqlite::Connection;

use crate::queue::rules::{self, Cap};
use crate::queue::sqlite::salvage::tests::damage_root;
use crate::queue::sqlite::tests::{NOW, PROOF, Rig, append, is_stored, make};
use crate::queue::sqlite::{Keeping, OpenError, Salvaged, SqliteEngine};
use crate::queue::{Answer, Op, QueueRef, ReadName};

const CAP: Cap = Cap { bytes: 1 << 28 };

/// Ends on another day than the messages of [`append`].
fn late(queue: u8, message: u8) -> Op {
    let mut op = append(queue, queue, message);
    if let Op::Append { ttl, .. } = &mut op {
        *ttl = TtlClass::ThreeWeeks;
    }
    op
}

fn queue(number: u8) -> QueueRef {
    rules::queue_ref(&ReadName([number; 32]))
}

/// Queues 1 and 2, each with messages that end on two days, behind one that was read.
fn filled() -> Rig {
    let rig = Rig::with(CAP);
    for number in 1..=2 {
        assert!(matches!(rig.ask(make(number)), Answer::Made(_)));
        assert!(is_stored(&rig.ask(append(number, number, 1))));
        let read = rig.ask(Op::Acknowledge { queue: queue(number), upto: 1, now: NOW });
        assert!(matches!(read, Answer::Acknowledged { deleted: 1, .. }));
        assert!(is_stored(&rig.ask(append(number, number, 2))));
        assert!(is_stored(&rig.ask(late(number, 3))));
    }
    rig
}

fn fetched(rig: &Rig, number: u8) -> Vec<u64> {
    let fetch =
        Op::Fetch { queue: queue(number), after: 0, max_messages: 9, max_bytes: usize::MAX, now: NOW };
    let Answer::Messages(messages) = rig.ask(fetch) else { panic!() };
    messages.iter().map(|message| message.sequence).collect()
}

fn opens(queues: &Path) -> Result<(), OpenError> {
    SqliteEngine::open(queues, CAP, Keeping::Durable, PROOF).map(drop)
}

/// Has the file say this, and repairs it.
fn repaired(rig: &mut Rig, sql: &str) -> Salvaged {
    let mut done = None;
    rig.meddle(|queues| {
        Connection::open(queues).unwrap().execute_batch(sql).unwrap();
        done = Some(SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW).unwrap());
    });
    done.unwrap()
}

#[test]
fn what_waits_is_read_where_the_list_of_keys_says_nonsense() {
    for sql in [
        "UPDATE day_key SET proof = zeroblob(40)",
        "UPDATE day_key SET proof = zeroblob(40) WHERE slot = 1",
        "UPDATE day_key SET proof = x''",
        "UPDATE day_key SET slot = 128 WHERE slot = 0",
        "UPDATE day_key SET slot = -1 WHERE slot = 0",
        "UPDATE day_key SET slot = 77 WHERE slot = 0",
        "UPDATE day_key SET slot = 2 WHERE slot = 0; UPDATE day_key SET slot = 0 WHERE slot = 1",
        "UPDATE day_key SET day = day + 64 WHERE slot = 0",
        "UPDATE day_key SET over = 2 WHERE slot = 0",
    ] {
        let mut rig = filled();
        let done = repaired(&mut rig, sql);
        assert_eq!(done, Salvaged { queues: 2, messages: 4, whole: false }, "{sql}");
        assert_eq!((fetched(&rig, 1), fetched(&rig, 2)), (vec![2, 3], vec![2, 3]), "{sql}");
        assert!(is_stored(&rig.ask(append(1, 1, 9))) && is_stored(&rig.ask(late(1, 10))), "{sql}");
        assert!(repaired(&mut rig, "").whole, "{sql}");
    }
}

#[test]
fn a_key_that_is_damaged_takes_its_day_and_no_other() {
    let mut rig = filled();
    let mut done = None;
    rig.meddle(|queues| {
        let keys = queues.with_file_name("day.keys");
        let mut bytes = fs::read(&keys).unwrap();
        bytes[..32].fill(0);
        fs::write(keys, bytes).unwrap();
        assert!(matches!(opens(queues), Err(OpenError::Keys)));
        done = Some(SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW).unwrap());
    });
    assert!(!done.unwrap().whole);
    assert_eq!((fetched(&rig, 1), fetched(&rig, 2)), (vec![3], vec![3]));
    assert!(is_stored(&rig.ask(append(1, 1, 2))), "who sends again delivers");
}

#[test]
fn a_repair_without_the_keys_of_what_waits_changes_nothing_but_where_they_are_to_be_forgotten() {
    for (sql, messages) in [("", 4), ("DELETE FROM message", 0)] {
        let mut rig = filled();
        rig.change(sql);
        rig.meddle(|queues| {
            let (keys, aside) = (queues.with_file_name("day.keys"), queues.with_file_name("aside"));
            fs::rename(&keys, &aside).unwrap();
            let before = fs::read(queues).unwrap();
            let salvage = |keeping| SqliteEngine::salvage(queues, keeping, PROOF, NOW);
            assert!(matches!(salvage(Keeping::Durable), Err(OpenError::Keys)), "the start would refuse it");
            assert!(fs::read(queues).unwrap() == before && !keys.exists());
            assert!(matches!(opens(queues), Err(OpenError::Keys)));
            fs::rename(&aside, &keys).unwrap();
            assert_eq!(salvage(Keeping::Durable).unwrap(), Salvaged { queues: 2, messages, whole: true });
            fs::rename(&keys, &aside).unwrap();
            assert!(salvage(Keeping::Volatile).unwrap().whole);
            let volatile = SqliteEngine::open(queues, CAP, Keeping::Volatile, PROOF);
            drop(volatile.unwrap());
            assert!(opens(queues).is_ok());
        });
    }
}

#[test]
fn a_repair_of_queues_in_which_nothing_waits_needs_no_keys() {
    // Nothing ever did; or a crash came before the key of a day that is over was destroyed.
    for sql in ["", "INSERT INTO day_key (day, slot, proof, over) VALUES (1, 3, zeroblob(40), 1)"] {
        let mut rig = Rig::with(CAP);
        assert!(matches!(rig.ask(make(1)), Answer::Made(_)));
        rig.meddle(|queues| {
            Connection::open(queues).unwrap().execute_batch(sql).unwrap();
            fs::remove_file(queues.with_file_name("day.keys")).unwrap();
            let done = SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW).unwrap();
            assert_eq!(done, Salvaged { queues: 1, messages: 0, whole: true });
            assert!(opens(queues).is_ok());
        });
    }
}

#[test]
fn a_repair_beside_the_keys_of_others_changes_nothing() {
    let mut rig = filled();
    let other = fs::read(filled().dir.path().join("day.keys")).unwrap();
    rig.meddle(|queues| {
        let keys = queues.with_file_name("day.keys");
        let (right, before) = (fs::read(&keys).unwrap(), fs::read(queues).unwrap());
        for wrong in [&other[..], &right[..4_000]] {
            fs::write(&keys, wrong).unwrap();
            assert!(matches!(
                SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW),
                Err(OpenError::Keys)
            ));
            assert!(fs::read(queues).unwrap() == before && fs::read(&keys).unwrap() == wrong);
        }
        fs::write(&keys, right).unwrap();
    });
    assert_eq!((fetched(&rig, 1), fetched(&rig, 2)), (vec![2, 3], vec![2, 3]), "they can be put back");
}

#[test]
fn a_relay_starts_whose_remembered_ids_are_cut_off() {
    let mut rig = filled();
    let done = repaired(&mut rig, "UPDATE fresh_tombstones SET keys = substr(keys, 1, 40)");
    assert_eq!(done, Salvaged { queues: 2, messages: 4, whole: false });
    let told = [1, 2].map(|number| rig.ask(append(number, number, 1)));
    assert_eq!(told.iter().filter(|told| **told == Answer::Repeated).count(), 1, "what is whole is kept");
    assert!(is_stored(&rig.ask(append(1, 1, 9))));
}

#[test]
fn a_queue_works_again_in_which_a_message_says_nonsense() {
    for sql in
        ["bucket = 9", "bucket = -1", "bucket = 257", "sequence = -2", "sequence = 0", "sequence = 1 << 62"]
    {
        let mut rig = filled();
        let of = format!("WHERE queue = {} AND sequence = 2", queue(1).0);
        let done = repaired(&mut rig, &format!("UPDATE message SET {sql} {of}"));
        assert_eq!(done, Salvaged { queues: 2, messages: 3, whole: false }, "{sql}");
        assert!(is_stored(&rig.ask(append(1, 1, 2))), "{sql}: who sends again delivers");
        assert_eq!((fetched(&rig, 1), fetched(&rig, 2)), (vec![3, 4], vec![2, 3]), "{sql}");
        let read = rig.ask(Op::Acknowledge { queue: queue(1), upto: 4, now: NOW });
        assert!(matches!(read, Answer::Acknowledged { deleted: 2, .. }), "{sql}");
    }
}

#[test]
fn what_comes_is_read_where_it_is_nonsense_up_to_where_places_were_given() {
    for last in [i64::MIN, -5, 1_i64 << 62, i64::MAX] {
        let mut rig = filled();
        let of = queue(1).0;
        assert!(!repaired(&mut rig, &format!("UPDATE counter SET last = {last} WHERE queue = {of}")).whole);
        for message in 10..12 {
            assert!(is_stored(&rig.ask(append(1, 1, message))));
        }
        assert_eq!(fetched(&rig, 1), [2, 3, NOW.0 + 1, NOW.0 + 2], "{last}");
        assert!(is_stored(&rig.ask(append(2, 2, 10))));
        assert_eq!(fetched(&rig, 2), [2, 3, 4], "{last}");
    }
}

#[test]
fn no_queue_ends_because_days_are_nonsense() {
    for sql in ["skipped = -100000", "skipped = 1 << 40", "swept = -1", "swept = 1 << 40"] {
        let mut rig = filled();
        assert!(matches!(rig.ask(Op::Expire { now: NOW, limit: 99 }), Answer::Expired { .. }));
        assert!(!repaired(&mut rig, &format!("UPDATE held SET {sql}")).whole, "{sql}");
        let now = NOW.plus(DAY_MS);
        assert!(matches!(rig.ask(Op::Expire { now, limit: 99 }), Answer::Expired { .. }));
        let Answer::Stats(stats) = rig.ask(Op::Stats) else { panic!() };
        assert_eq!((stats.queues, stats.messages), (2, 4), "{sql}");
    }
}

#[test]
fn codes_can_be_listed_of_which_one_counts_nonsense() {
    for left in [-1, 1_i64 << 40] {
        let mut rig = filled();
        let done = repaired(
            &mut rig,
            &format!(
                "INSERT INTO credit VALUES (1, zeroblob(32), {left}, 999999), (2, zeroblob(32), 3, 999999);
                INSERT INTO handed_credit SELECT * FROM credit"
            ),
        );
        assert!(!done.whole);
        let Answer::Credits(list) = rig.ask(Op::Credits { now: NOW }) else { panic!("{left}") };
        assert_eq!(list.iter().map(|one| one.left).collect::<Vec<_>>(), [3]);
        let Answer::Stats(stats) = rig.ask(Op::Stats) else { panic!() };
        assert_eq!((stats.credits, stats.handed_credits), (1, 1));
    }
}

#[test]
fn a_repair_beside_the_keys_of_others_changes_nothing_either_where_nothing_waits_or_the_list_is_lost() {
    let other = fs::read(filled().dir.path().join("day.keys")).unwrap();
    for sql in [
        "DELETE FROM message",
        "DELETE FROM day_key; INSERT INTO day_key VALUES (1, 3, x'00', 0)",
        "DELETE FROM day_key",
    ] {
        let mut rig = filled();
        rig.meddle(|queues| {
            Connection::open(queues).unwrap().execute_batch(sql).unwrap();
            if sql.ends_with("day_key") {
                damage_root(queues, "day_key");
            }
            let keys = queues.with_file_name("day.keys");
            let right = fs::read(&keys).unwrap();
            fs::write(&keys, &other).unwrap();
            assert!(
                matches!(SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW), Err(OpenError::Keys)),
                "{sql}"
            );
            assert!(fs::read(&keys).unwrap() == other, "{sql}");
            fs::write(&keys, right).unwrap();
            SqliteEngine::salvage(queues, Keeping::Durable, PROOF, NOW).unwrap();
        });
        assert_eq!(fetched(&rig, 1).len(), if sql.contains("message") { 0 } else { 2 }, "{sql}");
    }
}

#[test]
fn a_key_of_a_day_is_found_though_the_first_of_its_messages_opens_with_none() {
    let mut rig = Rig::with(CAP);
    assert!(matches!(rig.ask(make(1)), Answer::Made(_)));
    for message in 1..=9 {
        assert!(is_stored(&rig.ask(append(1, 1, message))));
    }
    let first = "UPDATE message SET envelope = zeroblob(length(envelope)) WHERE id IN (SELECT id FROM message ORDER BY id LIMIT 5)";
    repaired(&mut rig, &format!("{first}; UPDATE day_key SET proof = x''"));
    assert_eq!(fetched(&rig, 1).len(), 4);
}
