//! What only an engine with a file promises: nothing that was deleted stays, nothing that must not be written is, and the
//! file does not outgrow its cap.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use beresta_proto::limits::{BUCKET_L, BUCKET_M, BUCKET_S};
use beresta_proto::time::{DAY_MS, Timestamp};
use beresta_server::queue::rules::Cap;
use beresta_server::queue::sqlite::{Keeping, OpenError, SqliteEngine};
use beresta_server::queue::{Answer, KeyProof, Op, QueueEngine as _};
use rusqlite::Connection;

use crate::carve::{files, holds, keys, yields};
use crate::rig::{
    NOW, PROOF, ROOMY, Rig, ask_all, capability, envelope, message_id, read_id, send_id, sequence,
};

#[test]
fn with_a_sweep_the_times_of_files_tell_no_more_when_somebody_wrote_or_read() {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    let _ = sequence(rig.append(1, 1));
    // The answer comes before what follows a sweep; that of the next operation comes behind it.
    let sweep = || {
        assert!(matches!((rig.expire(NOW), rig.renew(queue, NOW)), (Answer::Expired { .. }, Answer::Done)))
    };
    let _ = (sweep(), sweep());
    let long_ago = Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
    let long_ago = Timestamps { last_access: long_ago, last_modification: long_ago };
    let files = ["queues", "queues-wal", "queues-shm", "day.keys"].map(|name| rig.folder().join(name));
    files.iter().for_each(|file| utimensat(CWD, file, &long_ago, AtFlags::empty()).unwrap());
    // Nothing changes by it.
    sweep();
    for file in &files {
        let told = fs::metadata(file).unwrap();
        for time in [told.modified().unwrap(), told.accessed().unwrap()] {
            assert!(time.elapsed().unwrap().as_secs() < 1_000, "{}", file.display());
        }
    }
}

#[test]
fn the_files_hold_no_id_and_no_capability() {
    let mut rig = Rig::sqlite(ROOMY);
    rig.make(1);
    let (answer, _) = (rig.append(1, 1), rig.put_blob(0x5c, 1, 2, NOW));
    let _ = (sequence(answer), rig.claim_blob(0x5c, 0x5d, NOW));
    let look = |bytes: &[u8]| {
        assert!(holds(bytes, &capability(1).0), "of a capability, its hash: the search finds what is there");
        for id in [&read_id(1).0[..], &send_id(1).0, &message_id(1).0, &[0x5c; 16], &[0x5d; 32]] {
            assert!(!holds(bytes, &id[..id.len().min(16)]));
        }
    };
    look(&files(rig.folder()));
    rig.close();
    look(&files(rig.folder()));
}

#[test]
fn acknowledged_ciphertext_is_gone_from_the_files() {
    let rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    let ops = (1..=200).map(|one| rig.append_op(1, one, envelope(one, BUCKET_M), NOW)).collect();
    assert!(rig.ask_all(ops).iter().all(|answer| matches!(answer, Answer::Appended { .. })));
    let _ = rig.acknowledge(queue, 190);
    let _ = rig.expire(NOW);
    // The log is emptied behind the expiry and before the next operation.
    let _ = rig.acknowledge(queue, 0);
    let (bytes, keys) = (files(rig.folder()), keys(rig.folder()));
    let found = |one| yields((&bytes, &keys), &rig.namer, (1, one, one), BUCKET_M);
    assert!(found(195));
    assert!(!(1..=190).any(found));
}

#[test]
fn a_second_process_is_refused() {
    let rig = Rig::sqlite(ROOMY);
    let path = rig.dir.as_ref().unwrap().path().join("queues");
    assert!(matches!(SqliteEngine::open(&path, ROOMY, Keeping::Durable, PROOF), Err(OpenError::InUse)));
}

#[test]
fn a_newer_file_and_a_damaged_one_are_refused() {
    let mut rig = Rig::sqlite(ROOMY);
    rig.close();
    let path = rig.dir.as_ref().unwrap().path().join("queues");
    // Where SQLite's file format has the version that its user gave.
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(60)).unwrap();
    file.write_all(&99_u32.to_be_bytes()).unwrap();
    assert!(matches!(SqliteEngine::open(&path, ROOMY, Keeping::Durable, PROOF), Err(OpenError::Newer)));
    fs::write(&path, [0x55; 70_000]).unwrap();
    assert!(matches!(SqliteEngine::open(&path, ROOMY, Keeping::Durable, PROOF), Err(OpenError::Damaged)));
}

#[test]
fn queues_under_the_names_of_another_secret_are_refused_and_nothing_is_changed() {
    for keeping in [Keeping::Durable, Keeping::Volatile] {
        let mut rig = Rig::sqlite(ROOMY);
        let queue = rig.make(1);
        rig.append(1, 1);
        rig.close();
        let (path, other) = (rig.folder().join("queues"), KeyProof([8; 32]));
        let before = (files(rig.folder()), keys(rig.folder()));
        let now = NOW.plus(DAY_MS);
        for refused in [
            SqliteEngine::open(&path, ROOMY, keeping, other).map(drop),
            SqliteEngine::check(&path, keeping, other).map(drop),
            SqliteEngine::salvage(&path, keeping, other, now).map(drop),
        ] {
            assert!(matches!(refused, Err(OpenError::QueueKey)), "{refused:?}");
        }
        assert!((files(rig.folder()), keys(rig.folder())) == before, "a volatile relay's day keys, too");
        SqliteEngine::check(&path, keeping, PROOF).unwrap();
        rig.restart();
        assert_eq!(rig.fetch(queue, 0, NOW).len(), 1);
        // What is made of it is under the same names.
        rig.close();
        SqliteEngine::salvage(&path, keeping, PROOF, now).unwrap();
        let refused = SqliteEngine::open(&path, ROOMY, keeping, other);
        assert!(matches!(refused, Err(OpenError::QueueKey)), "{refused:?}");
        // As the known issues say.
        Connection::open(&path).unwrap().execute_batch("UPDATE held SET key_proof = NULL").unwrap();
        drop(SqliteEngine::open(&path, ROOMY, keeping, other).unwrap());
        let refused = SqliteEngine::open(&path, ROOMY, keeping, PROOF);
        assert!(matches!(refused, Err(OpenError::QueueKey)), "{refused:?}");
    }
}

#[test]
#[cfg(unix)]
fn the_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = Rig::sqlite(ROOMY);
    rig.make(1);
    for entry in fs::read_dir(rig.dir.as_ref().unwrap().path()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o077, 0);
    }
}

#[test]
fn a_completion_that_panics_stops_nobody() {
    let rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    let dir = tempfile::tempdir().unwrap();
    let engine = SqliteEngine::open(&dir.path().join("queues"), ROOMY, Keeping::Durable, PROOF).unwrap();
    engine.submit(Op::DeleteQueue { queue }, Box::new(|_| panic!("on purpose")));
    engine.submit(Op::Stats, Box::new(|_| panic!("on purpose")));
    engine.submit(Op::Stats, Box::new(|_| panic!("on purpose")));
    let expired = ask_all(&engine, vec![Op::Expire { now: Timestamp(0), limit: 1 }]).remove(0);
    assert!(matches!(expired, Answer::Expired { deleted: 0, .. }));
    assert!(matches!(ask_all(&engine, vec![Op::Stats]).remove(0), Answer::Stats(_)));
}

#[test]
fn the_file_stays_within_twice_the_cap() {
    // Small enough to be full soon, large enough for the smallest file not to matter.
    let cap = Cap { bytes: 12 << 20 };
    let rig = Rig::sqlite(cap);
    let queues: Vec<_> = (0..200).map(|queue| rig.make(queue)).collect();
    let mut message = 0;
    let mut full = 0;
    for day in 0..8 {
        let now = NOW.plus(day * DAY_MS);
        let ops = (0..4_000_u64).map(|_| {
            message += 1;
            let (to, size) =
                ((message * 7_919 % 200) as u8, [BUCKET_S, BUCKET_M, BUCKET_L][(message % 3) as usize]);
            rig.append_op(to, message, envelope(message, size), now)
        });
        full += rig.ask_all(ops.collect()).iter().filter(|answer| **answer == Answer::Full).count();
        // Here and there one goes, so that what stays lies loosely.
        for (at, queue) in (0_u64..).zip(&queues) {
            let upto = rig.fetch(*queue, 0, now).get((at % 4) as usize).map_or(0, |(sequence, _)| *sequence);
            assert!(matches!(
                rig.ask(Op::Acknowledge { queue: *queue, upto, now }),
                Answer::Acknowledged { .. }
            ));
        }
    }
    assert!(full > 1_000, "the cap was reached");
    // The log is emptied into the file behind an expiry.
    let _ = (rig.expire(NOW), rig.acknowledge(queues[0], 0));
    let file = fs::metadata(rig.dir.as_ref().unwrap().path().join("queues")).unwrap().len();
    assert!(file <= 2 * cap.bytes, "{file}");
}
