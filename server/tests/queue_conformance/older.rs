//! A file that an earlier version wrote, without keys of days.

use std::fs;

use beresta_proto::limits::{BLOB, BUCKET_S};
use beresta_proto::time::DAY_MS;
use beresta_server::queue::rules::queue_ref;
use beresta_server::queue::sqlite::{Keeping, OpenError, SqliteEngine, Standing};
use beresta_server::queue::{Answer, KeyProof, QueueRef};
use rusqlite::{Connection, params};

use crate::carve::{files, holds};
use crate::rig::{NOW, PROOF, ROOMY, Rig, envelope, message_id, read_id, send_id, sequence};

const STEPS: [&str; 2] = [
    include_str!("../../src/queue/sqlite/schema/0001_queues.sql"),
    include_str!("../../src/queue/sqlite/schema/0002_fresh_tombstones.sql"),
];

/// Queue 1 with message 1, and blob 1, as that version stored them; not opened yet.
fn older(keeping: Keeping) -> (Rig, QueueRef) {
    let mut rig = Rig::keeping(ROOMY, Keeping::Durable);
    let queue = rig.make(1);
    assert_eq!(sequence(rig.append(1, 1)), 1);
    assert_eq!(rig.put_blob(1, 1, 0xb1, NOW), Answer::Done);
    rig.close();
    let path = rig.folder().join("queues");
    let old = Connection::open(rig.folder().join("older")).unwrap();
    old.execute_batch(&STEPS.concat()).unwrap();
    old.execute_batch("PRAGMA application_id = 0x42657265; PRAGMA user_version = 2").unwrap();
    old.execute("ATTACH ?1 AS new", [path.to_str().unwrap()]).unwrap();
    old.execute_batch(
        "INSERT INTO queue SELECT * FROM new.queue; INSERT INTO counter SELECT * FROM new.counter;
        INSERT INTO message SELECT id, queue, sequence, name, bucket, envelope FROM new.message;
        INSERT INTO blob SELECT name, owner, ends, claimant, sealed FROM new.blob;
        UPDATE held SET used = (SELECT used FROM new.held), swept = (SELECT swept FROM new.held);",
    )
    .unwrap();
    old.execute("UPDATE message SET envelope = ?1", [envelope(1, BUCKET_S).as_bytes()]).unwrap();
    old.execute("UPDATE blob SET sealed = ?1", params![vec![0xb1_u8; BLOB]]).unwrap();
    old.execute("DETACH new", []).unwrap();
    drop(old);
    for file in ["queues", "day.keys"] {
        fs::remove_file(rig.folder().join(file)).unwrap();
    }
    fs::rename(rig.folder().join("older"), &path).unwrap();
    rig.keeping = keeping;
    (rig, queue)
}

#[test]
fn what_an_earlier_version_stored_goes_on_and_what_comes_is_sealed() {
    let (mut rig, queue) = older(Keeping::Durable);
    let path = rig.folder().join("queues");
    assert!(matches!(SqliteEngine::check(&path, rig.keeping, PROOF), Ok(Standing::Older)));
    assert_eq!(SqliteEngine::peek(&path).unwrap().messages, 1, "to look at it changes nothing");
    for _ in 0..3 {
        rig.restart();
        assert_eq!(rig.fetch(queue, 0, NOW)[0], (1, envelope(1, BUCKET_S).into_bytes()));
        assert_eq!(rig.put_blob(1, 1, 0xb1, NOW), Answer::Done);
        assert_eq!(rig.claim_blob(1, 1, NOW), Answer::Blob(vec![0xb1; BLOB]));
    }
    assert!(matches!(SqliteEngine::check(&path, rig.keeping, PROOF), Ok(Standing::Current)));
    let other = SqliteEngine::check(&path, rig.keeping, KeyProof([8; 32]));
    assert!(matches!(other, Err(OpenError::QueueKey)), "from now on it says whose names it has");
    assert_eq!(sequence(rig.append(1, 2)), 2);
    let all = files(rig.folder());
    assert!(holds(&all, &envelope(1, BUCKET_S).as_bytes()[..32]), "it stays as it came until it ends");
    assert!(!holds(&all, &envelope(2, BUCKET_S).as_bytes()[..32]));
    let now = NOW.plus(23 * DAY_MS);
    assert!(matches!(rig.expire(now), Answer::Expired { deleted: 3, .. }));
    assert_eq!(queue, queue_ref(&rig.namer.read(&read_id(1))));
}

#[test]
fn a_volatile_relay_drops_what_an_earlier_version_stored() {
    let (mut rig, queue) = older(Keeping::Volatile);
    rig.restart();
    assert!(rig.fetch(queue, 0, NOW).is_empty());
    assert_eq!(rig.claim_blob(1, 1, NOW), Answer::Gone);
    rig.close();
    let all = files(rig.folder());
    assert!(!holds(&all, &envelope(1, BUCKET_S).as_bytes()[..32]) && !holds(&all, &[0xb1; 32]));
    assert!(!holds(&all, &send_id(1).0) && !holds(&all, &message_id(1).0));
}
