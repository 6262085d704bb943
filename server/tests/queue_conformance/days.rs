//! What is stored lies under the key of the day on which it ends, and is noise once that day is over (rule Q15).

use std::fs;
use std::path::Path;

use beresta_proto::limits::{BLOB, BUCKET_L, BUCKET_M, BUCKET_S};
use beresta_proto::time::{DAY_MS, TtlClass};
use beresta_server::queue::rules::Cost;
use beresta_server::queue::sqlite::{Keeping, OpenError, SqliteEngine, Standing};
use beresta_server::queue::{Answer, Op};

use crate::carve::{files, holds, keys, yields};
use crate::rig::{NOW, PROOF, ROOMY, Rig, envelope, reopen, sequence};

/// Queue 1 with message 1, which ends on the midnight after a week, and message 2, after three.
fn two_weeks_apart() -> Rig {
    let rig = Rig::sqlite(ROOMY);
    rig.make(1);
    assert_eq!(sequence(rig.append_ttl(1, 1, TtlClass::Week)), 1);
    assert_eq!(sequence(rig.append(1, 2)), 2);
    rig
}

/// Lets so many days go by. What the last expiry does behind its answer is done when the next operation is answered.
fn pass(rig: &Rig, days: u64) {
    let now = NOW.plus(days * DAY_MS);
    assert!(matches!(rig.expire(now), Answer::Expired { .. }));
    assert_eq!(rig.ask(Op::Renew { queues: vec![], now }), Answer::Done);
}

fn open(rig: &Rig) -> Result<(), OpenError> {
    reopen(&rig.folder().join("queues"), ROOMY, Keeping::Durable).map(drop)
}

#[test]
fn no_body_is_in_any_file() {
    let mut rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    for (message, size) in [(1, BUCKET_S), (2, BUCKET_M), (3, BUCKET_L)] {
        let _ = sequence(rig.ask(rig.append_op(1, message, envelope(message, size), NOW)));
    }
    // A byte of a blob is like every other one of it.
    assert_eq!(rig.put_blob(1, 1, 0xb1, NOW), Answer::Done);
    assert!(matches!(rig.claim_blob(1, 1, NOW), Answer::Blob(_)));
    for _ in 0..2 {
        let all = files(rig.folder());
        for (message, size) in [(1, BUCKET_S), (2, BUCKET_M), (3, BUCKET_L)] {
            assert!(!holds(&all, &envelope(message, size).as_bytes()[..32]));
        }
        assert!(!holds(&all, &[0xb1; 32]));
        // Where it is kept it can be had.
        assert!(yields((&all, &keys(rig.folder())), &rig.namer, (1, 2, 2), BUCKET_M));
        rig.restart();
        let lengths: Vec<usize> = rig.fetch(queue, 0, NOW).iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lengths, [BUCKET_S, BUCKET_M, BUCKET_L]);
        assert_eq!(rig.claim_blob(1, 1, NOW), Answer::Blob(vec![0xb1; BLOB]));
        assert_eq!(rig.put_blob(1, 1, 0xb1, NOW), Answer::Done, "a repeat is known by its bytes");
    }
}

#[test]
fn a_copy_of_all_files_opens_nothing_once_the_key_of_its_day_is_destroyed() {
    let rig = two_weeks_apart();
    let before = rig.copy();
    let (then, kept) = (files(before.folder()), keys(before.folder()));
    let had = |keys: &[_], message| yields((&then, keys), &rig.namer, (1, message, message), BUCKET_S);
    assert!(had(&kept, 1) && had(&kept, 2), "the copy has both, for who has its keys");

    pass(&rig, 7);
    assert_eq!(keys(rig.folder()), kept, "a day that is not over keeps its key");
    pass(&rig, 8);
    let left = keys(rig.folder());
    assert!(!had(&left, 1), "what was copied before is noise to all keys that are left");
    assert!(had(&left, 2));
    let changed: Vec<_> = kept.iter().zip(&left).filter(|(old, new)| old != new).collect();
    let [(_, fresh)] = changed.as_slice() else { panic!("{} of the keys are others", changed.len()) };
    assert!(fresh.iter().any(|byte| *byte != fresh[0]), "as random as the others");

    // Nor does the engine take the old rows with the keys that are left: it says so.
    fs::copy(rig.folder().join("day.keys"), before.folder().join("day.keys")).unwrap();
    assert!(matches!(open(&before), Err(OpenError::Keys)));
}

#[test]
fn what_ends_later_is_there_when_a_day_is_over() {
    let mut rig = two_weeks_apart();
    let queue = beresta_server::queue::rules::queue_ref(&rig.namer.read(&crate::rig::read_id(1)));
    for days in [8, 9, 20] {
        pass(&rig, days);
        let now = NOW.plus(days * DAY_MS);
        let there: Vec<u64> = rig.fetch(queue, 0, now).iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(there, [2], "{days}");
        rig.restart();
    }
    pass(&rig, 22);
    assert!(rig.fetch(queue, 0, NOW.plus(22 * DAY_MS)).is_empty());
    assert_eq!(rig.stats().messages, 0);
}

#[test]
fn rows_that_were_swapped_do_not_open() {
    let mut rig = Rig::sqlite(ROOMY);
    let queues = [rig.make(1), rig.make(2)];
    for (queue, message) in [(1, 1), (1, 2), (2, 3)] {
        let _ = sequence(rig.append(queue, message));
    }
    for blob in 1..=2 {
        assert_eq!(rig.put_blob(blob, 1, blob, NOW), Answer::Done);
    }
    let there = |rig: &Rig| queues.map(|queue| rig.fetch(queue, 0, NOW).len());
    assert_eq!(there(&rig), [2, 1]);
    rig.change(
        "CREATE TEMP TABLE other AS SELECT id, row_number() OVER (ORDER BY id) AS at, envelope FROM message;
        UPDATE message SET envelope = (SELECT envelope FROM other WHERE at = 1 +
            (SELECT at FROM other WHERE other.id = message.id) % 3);
        CREATE TEMP TABLE blobs AS SELECT name, sealed FROM blob;
        UPDATE blob SET sealed = (SELECT sealed FROM blobs WHERE blobs.name <> blob.name);",
    );
    assert_eq!(there(&rig), [0, 0], "taken for what has ended");
    assert_eq!(rig.claim_blob(1, 1, NOW), Answer::Gone);
    // Room is made as ever, and what comes is there.
    assert_eq!(rig.put_blob(1, 1, 7, NOW), Answer::Done);
    assert_eq!(rig.claim_blob(1, 1, NOW), Answer::Blob(vec![7; BLOB]));
    let last = sequence(rig.append(1, 9));
    assert_eq!(rig.fetch(queues[0], 0, NOW).len(), 1);
    assert!(matches!(rig.acknowledge(queues[0], last), Answer::Acknowledged { deleted: 3, .. }));
}

#[test]
fn what_has_no_key_any_more_is_dropped_and_nothing_else() {
    let mut rig = two_weeks_apart();
    let queue = beresta_server::queue::rules::queue_ref(&rig.namer.read(&crate::rig::read_id(1)));
    // A blob of a day that has a key, and one of a day that has none.
    assert_eq!(rig.put_blob(1, 1, 1, NOW), Answer::Done);
    assert_eq!(rig.put_blob(2, 1, 2, NOW.plus(DAY_MS)), Answer::Done);
    let used = rig.stats().used;
    let of_the_second = NOW.day() + 2;
    rig.change(&format!(
        "DELETE FROM day_key WHERE day IN (SELECT day FROM message WHERE sequence = 1) OR day = {of_the_second}"
    ));
    let stats = rig.stats();
    assert_eq!((stats.messages, stats.blobs, stats.tombstones), (1, 1, 0));
    assert_eq!(stats.used, used - Cost::message(BUCKET_S) - Cost::BLOB);
    assert_eq!(rig.fetch(queue, 0, NOW), [(2, envelope(2, BUCKET_S).into_bytes())]);
    assert_eq!(rig.claim_blob(1, 1, NOW), Answer::Blob(vec![1; BLOB]));
    assert_eq!(rig.claim_blob(2, 1, NOW), Answer::Gone);
    assert_eq!(sequence(rig.append(1, 1)), 3, "who sends again delivers");
}

#[test]
fn a_message_behind_many_that_do_not_open_is_reached() {
    let mut rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    let ops = (1..=40).map(|one| rig.append_op(1, one, envelope(one, BUCKET_S), NOW)).collect();
    let _ = rig.ask_all(ops);
    rig.change("UPDATE message SET envelope = zeroblob(2088) WHERE sequence < 40");
    let fetch = Op::Fetch { queue, after: 0, max_messages: 32, max_bytes: usize::MAX, now: NOW };
    let Answer::Messages(messages) = rig.ask(fetch) else { panic!() };
    assert_eq!(messages.iter().map(|one| one.sequence).collect::<Vec<_>>(), [40]);
}

/// Puts these bytes where the keys lie.
fn damage(rig: &mut Rig, bytes: Option<&[u8]>) -> Result<(), OpenError> {
    rig.close();
    let path = rig.folder().join("day.keys");
    match bytes {
        Some(bytes) => fs::write(path, bytes).unwrap(),
        None => fs::remove_file(path).unwrap(),
    }
    open(rig)
}

#[test]
fn damaged_or_missing_keys_are_refused_and_nothing_is_changed() {
    let mut rig = two_weeks_apart();
    let whole = fs::read(rig.folder().join("day.keys")).unwrap();
    let other = fs::read(two_weeks_apart().folder().join("day.keys")).unwrap();
    rig.close();
    let before = files(rig.folder());
    for bytes in [None, Some(&[][..]), Some(&whole[..4_000]), Some(&[0; 4_096]), Some(&other)] {
        assert!(matches!(damage(&mut rig, bytes), Err(OpenError::Keys)));
        let found = SqliteEngine::check(&rig.folder().join("queues"), Keeping::Durable, PROOF);
        assert!(matches!(found, Err(OpenError::Keys)));
    }
    assert_eq!(damage(&mut rig, Some(&whole)).ok(), Some(()));
    rig.restart();
    assert_eq!(rig.stats().messages, 2);
    assert!(!before.is_empty());
}

#[test]
fn where_nothing_waits_the_keys_are_made_anew() {
    let mut rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    for bytes in [None, Some(&[][..]), Some(&[7; 100])] {
        assert_eq!(damage(&mut rig, bytes).ok(), Some(()));
        assert_eq!(keys(rig.folder()).len(), 128);
    }
    rig.restart();
    assert_eq!(sequence(rig.append(1, 1)), 1);
    rig.restart();
    assert_eq!(rig.fetch(queue, 0, NOW).len(), 1);
}

/// Every file of a folder.
fn all(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut all: Vec<_> = entries.map(|one| (one.file_name(), fs::read(one.path()).unwrap())).collect();
    all.sort();
    all
}

#[test]
fn a_check_says_what_opening_would_and_changes_nothing() {
    let mut rig = two_weeks_apart();
    let path = rig.folder().join("queues");
    let check = || SqliteEngine::check(&path, Keeping::Durable, PROOF);
    assert!(matches!(check(), Ok(Standing::Current)), "while it is open");
    rig.close();
    let before = all(rig.folder());
    assert!(matches!(check(), Ok(Standing::Current)));
    assert!(all(rig.folder()) == before);
}
