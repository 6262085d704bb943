//! What only an engine with a file promises: nothing that was answered is lost, nothing that was deleted stays, nothing
//! that must not be written is.

use std::fs;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};

use beresta_proto::key::VerifyingKey;
use beresta_proto::limits::{BUCKET_M, BUCKET_S};
use beresta_proto::time::Timestamp;
use beresta_server::queue::rules::{Cap, queue_ref};
use beresta_server::queue::sqlite::{OpenError, SqliteEngine};
use beresta_server::queue::{Answer, Op, QueueEngine};

use crate::rig::{NOW, ROOMY, Rig, ask_all, capability, envelope, message_id, read_id, send_id, sequence};

/// All bytes that the engine keeps in its folder.
fn files(dir: &Path) -> Vec<u8> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| fs::read(path).unwrap()).collect()
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn the_files_hold_no_id_and_no_capability() {
    let mut rig = Rig::sqlite(ROOMY);
    rig.make(1);
    let (answer, _) = (rig.append(1, 1), rig.put_blob(0x5c, 1, 2, NOW));
    let _ = (sequence(answer), rig.claim_blob(0x5c, 0x5d, NOW));
    let look = |bytes: &[u8]| {
        assert!(holds(bytes, &envelope(1, BUCKET_S).as_bytes()[..32]), "the search finds what is there");
        assert!(holds(bytes, &capability(1).0), "of a capability, its hash");
        for id in [&read_id(1).0[..], &send_id(1).0, &message_id(1).0, &[0x5c; 16], &[0x5d; 32]] {
            assert!(!holds(bytes, &id[..id.len().min(16)]));
        }
    };
    look(&files(rig.dir.as_ref().unwrap().path()));
    rig.close();
    look(&files(rig.dir.as_ref().unwrap().path()));
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
    let bytes = files(rig.dir.as_ref().unwrap().path());
    let found = |one| holds(&bytes, &envelope(one, BUCKET_M).as_bytes()[..32]);
    assert!(found(195));
    assert!(!(1..=190).any(found));
}

#[test]
fn a_second_process_is_refused() {
    let rig = Rig::sqlite(ROOMY);
    let path = rig.dir.as_ref().unwrap().path().join("queues");
    assert!(matches!(SqliteEngine::open(&path, ROOMY), Err(OpenError::InUse)));
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
    assert!(matches!(SqliteEngine::open(&path, ROOMY), Err(OpenError::Newer)));
    fs::write(&path, [0x55; 70_000]).unwrap();
    assert!(matches!(SqliteEngine::open(&path, ROOMY), Err(OpenError::Damaged)));
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

/// A tmpfs of 24 MiB, of which the reserve takes 16; only root may make one.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(dir.path());
        let done = mount.stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_and_the_engine_goes_on() {
    let Some(mount) = Mount::new() else {
        println!("not tested: only root can make a small disk");
        return;
    };
    let rig = Rig::memory(ROOMY);
    let engine = SqliteEngine::open(&mount.0.path().join("queues"), ROOMY).unwrap();
    let ask = |op| ask_all(&engine, vec![op]).remove(0);
    assert!(matches!(ask(rig.make_op(1)), Answer::Made(_)));
    let queue = queue_ref(&rig.namer.read(&read_id(1)));
    let append = |one| ask(rig.append_op(1, one, envelope(one, BUCKET_M), NOW));
    let mut stored = 0;
    while matches!(append(stored + 1), Answer::Appended { .. }) {
        stored += 1;
    }
    assert!(stored > 10);
    assert_eq!(append(stored + 1), Answer::Full);
    let fetch =
        || match ask(Op::Fetch { queue, after: 0, max_messages: 999, max_bytes: usize::MAX, now: NOW }) {
            Answer::Messages(messages) => messages.len() as u64,
            other => panic!("{other:?}"),
        };
    assert_eq!(fetch(), stored);
    assert_eq!(
        ask(Op::Acknowledge { queue, upto: stored, now: NOW }),
        Answer::Acknowledged { deleted: usize::try_from(stored).unwrap(), drained: false }
    );
    // Room for new messages is looked for when the log is emptied, behind an expiry.
    assert_eq!(append(stored + 1), Answer::Full);
    assert!(matches!(ask(Op::Expire { now: NOW, limit: 9 }), Answer::Expired { deleted: 0, .. }));
    assert_eq!(sequence(append(stored + 1)), stored + 1);
    assert_eq!(fetch(), 1);
}

/// Queues of one life of the child.
const QUEUES: u8 = 16;
const LIVES: u8 = 6;
const CHILD: &str = "BERESTA_TEST_QUEUE_CHILD";

/// The queue of a message; each life has its own.
fn queue_in(life: u8, message: u64) -> u8 {
    life * QUEUES + u8::try_from(message % u64::from(QUEUES)).unwrap()
}

/// Not a test: what [`what_was_acknowledged_survives_kill_9`] starts and kills.
#[test]
#[ignore = "the child of another test"]
fn child_that_appends_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let rig = Rig::memory(ROOMY);
    let engine = Arc::new(SqliteEngine::open(Path::new(&path), Cap { bytes: 1 << 32 }).unwrap());
    let life = (0..LIVES).find(|life| {
        let read = rig.namer.read(&read_id(life * QUEUES));
        ask_all(&*engine, vec![Op::Find { read }]) == [Answer::Gone]
    });
    let life = life.unwrap();
    for queue in life * QUEUES..(life + 1) * QUEUES {
        assert!(matches!(ask_all(&*engine, vec![rig.make_op(queue)]).remove(0), Answer::Made(_)));
        println!("\nmade {queue}");
    }
    let (tell, told) = mpsc::channel();
    let submit = |message: u64| {
        let tell = tell.clone();
        let op = rig.append_op(queue_in(life, message), message, envelope(message, BUCKET_M), NOW);
        engine.submit(op, Box::new(move |answer| tell.send((message, answer)).unwrap()));
    };
    (0..64).for_each(submit);
    for next in 64.. {
        let (message, answer) = told.recv().unwrap();
        if let Answer::Appended { sequence, .. } = answer {
            println!("\nack {message} {sequence}");
        }
        submit(next);
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queues");
    for life in 0..LIVES {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "durable::child_that_appends_until_it_is_killed"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut acknowledged = Vec::new();
        let mut note = |line: String| {
            let words: Vec<u64> = line.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
            if let ("ack", [message, sequence]) = (line.split(' ').next().unwrap(), words.as_slice()) {
                acknowledged.push((*message, *sequence));
            }
            acknowledged.len()
        };
        // At another point in each life, in the middle of whatever the engine does then.
        let enough = 1 + 211 * usize::from(life);
        while note(lines.next().expect("the child died by itself")) < enough {}
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had said and nobody had read yet counts too. A line may be cut.
        let rest: Vec<String> = lines.collect();
        rest[..rest.len().saturating_sub(1)].iter().for_each(|line| {
            note(line.clone());
        });

        let rig = Rig::memory(ROOMY);
        let engine = SqliteEngine::open(&path, ROOMY).unwrap();
        for (message, sequence) in acknowledged {
            let read = rig.namer.read(&read_id(queue_in(life, message)));
            let answer = ask_all(&engine, vec![Op::Find { read }]).remove(0);
            let Answer::Found(record) = answer else { panic!("{answer:?}") };
            let after = sequence - 1;
            let fetch = Op::Fetch { queue: record.queue, after, max_messages: 1, max_bytes: 0, now: NOW };
            let Answer::Messages(messages) = ask_all(&engine, vec![fetch]).remove(0) else { panic!() };
            let found = messages.first().expect("an acknowledged message is lost");
            assert_eq!(found.sequence, sequence);
            assert!(found.envelope == envelope(message, BUCKET_M), "an acknowledged message was changed");
        }
    }
}

#[test]
fn a_queue_that_was_made_is_there_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queues");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "durable::child_that_appends_until_it_is_killed"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let last: u8 = lines
        .filter_map(|line| line.strip_prefix("made ").and_then(|queue| queue.parse().ok()))
        .nth(5)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let rig = Rig::memory(ROOMY);
    let engine = SqliteEngine::open(&path, ROOMY).unwrap();
    for queue in 0..=last {
        let answer = ask_all(&engine, vec![Op::Find { read: rig.namer.read(&read_id(queue)) }]).remove(0);
        let Answer::Found(record) = answer else { panic!("{answer:?}") };
        assert_eq!(record.read_key, VerifyingKey([queue; 32]));
    }
}

#[test]
fn a_completion_that_panics_stops_nobody() {
    let rig = Rig::sqlite(ROOMY);
    let queue = rig.make(1);
    let dir = tempfile::tempdir().unwrap();
    let engine = SqliteEngine::open(&dir.path().join("queues"), ROOMY).unwrap();
    engine.submit(Op::DeleteQueue { queue }, Box::new(|_| panic!("on purpose")));
    engine.submit(Op::Stats, Box::new(|_| panic!("on purpose")));
    engine.submit(Op::Stats, Box::new(|_| panic!("on purpose")));
    let expired = ask_all(&engine, vec![Op::Expire { now: Timestamp(0), limit: 1 }]).remove(0);
    assert!(matches!(expired, Answer::Expired { deleted: 0, .. }));
    assert!(matches!(ask_all(&engine, vec![Op::Stats]).remove(0), Answer::Stats(_)));
}
