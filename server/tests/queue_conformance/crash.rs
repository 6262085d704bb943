//! Whatever an engine with a file answered survives kill -9 (rules Q10, B2).

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;

use beresta_proto::key::VerifyingKey;
use beresta_proto::limits::{BLOB, BUCKET_M, BUCKET_S};
use beresta_proto::time::{DAY_MS, TtlClass};
use beresta_server::queue::rules::{Cap, queue_ref};
use beresta_server::queue::sqlite::{Keeping, SqliteEngine};
use beresta_server::queue::{Answer, Op, QueueEngine as _, QueueRecord};

use rusqlite::Connection;

use crate::rig::{NOW, PROOF, ROOMY, Rig, ask_all, envelope, read_id, reopen};

/// Where a child finds the file.
const CHILD: &str = "BERESTA_TEST_QUEUE_CHILD";
/// Queues of one life of the child that appends.
const QUEUES: u8 = 16;
const LIVES: u8 = 6;
/// Queues of one thread of the child that does the rest.
const OWN: u8 = 60;
const THREADS: u8 = 4;

/// Runs a child until it has said so many lines of a kind, kills it in the middle of whatever it does then, and gives
/// all that it said: a word and its numbers for each line.
fn said_until_killed(child: &str, path: &Path, kind: &str, enough: usize) -> Vec<(String, Vec<u64>)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", child])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut said = Vec::new();
    let mut of_kind = 0;
    while of_kind < enough {
        let line = lines.next().expect("the child died by itself");
        of_kind += usize::from(line.starts_with(kind));
        said.push(line);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said and nobody had read yet counts too. A line may be cut.
    let rest: Vec<String> = lines.collect();
    said.extend_from_slice(&rest[..rest.len().saturating_sub(1)]);
    let words = |line: String| {
        let (word, numbers) = line.split_once(' ')?;
        let numbers: Option<Vec<u64>> = numbers.split(' ').map(|number| number.parse().ok()).collect();
        Some((word.to_owned(), numbers?))
    };
    said.into_iter().filter_map(words).collect()
}

fn ask(engine: &SqliteEngine, op: Op) -> Answer {
    ask_all(engine, vec![op]).remove(0)
}

fn find(engine: &SqliteEngine, rig: &Rig, queue: u8) -> Option<QueueRecord> {
    match ask(engine, rig.find_op(&[queue])) {
        Answer::Found(found) => found[0],
        other => panic!("{other:?}"),
    }
}

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
    let engine = Arc::new(
        SqliteEngine::open(Path::new(&path), Cap { bytes: 1 << 32 }, Keeping::Durable, PROOF).unwrap(),
    );
    let life = (0..LIVES).find(|life| find(&engine, &rig, life * QUEUES).is_none()).unwrap();
    for queue in life * QUEUES..(life + 1) * QUEUES {
        assert!(matches!(ask(&engine, rig.make_op(queue)), Answer::Made(_)));
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
            println!("\nstored {message} {sequence}");
        }
        if !matches!(answer, Answer::Admitted { .. }) {
            submit(next);
        }
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queues");
    for life in 0..LIVES {
        let enough = 1 + 211 * usize::from(life);
        let said = said_until_killed("crash::child_that_appends_until_it_is_killed", &path, "stored", enough);
        let rig = Rig::memory(ROOMY);
        let engine = reopen(&path, ROOMY, Keeping::Durable).unwrap();
        for (_, numbers) in said.into_iter().filter(|(word, _)| word == "stored") {
            let (message, sequence) = (numbers[0], numbers[1]);
            let queue = find(&engine, &rig, queue_in(life, message)).unwrap().queue;
            let fetch = Op::Fetch { queue, after: sequence - 1, max_messages: 1, max_bytes: 0, now: NOW };
            let Answer::Messages(messages) = ask(&engine, fetch) else { panic!() };
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
    let said = said_until_killed("crash::child_that_appends_until_it_is_killed", &path, "made", 6);
    let rig = Rig::memory(ROOMY);
    let engine = reopen(&path, ROOMY, Keeping::Durable).unwrap();
    for (_, numbers) in said.into_iter().filter(|(word, _)| word == "made") {
        let queue = u8::try_from(numbers[0]).unwrap();
        assert_eq!(find(&engine, &rig, queue).unwrap().read_key, VerifyingKey([queue; 32]));
    }
}

/// Not a test: what [`what_was_deleted_put_or_claimed_stays_so_after_kill_9`] starts and kills.
#[test]
#[ignore = "the child of another test"]
fn child_that_tidies_up_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let engine = reopen(Path::new(&path), ROOMY, Keeping::Durable).unwrap();
    let tidy = |one: u8| {
        let rig = Rig::memory(ROOMY);
        let queue = queue_ref(&rig.namer.read(&read_id(one)));
        assert!(matches!(ask(&engine, rig.make_op(one)), Answer::Made(_)));
        for message in 1..=2 {
            let op = rig.append_op(one, message, envelope(message, BUCKET_S), NOW);
            assert!(matches!(ask(&engine, op), Answer::Appended { .. }));
        }
        let acknowledge = Op::Acknowledge { queue, upto: 1, now: NOW };
        assert!(matches!(ask(&engine, acknowledge), Answer::Acknowledged { deleted: 1, .. }));
        println!("\nacknowledged {one}");
        assert_eq!(ask(&engine, rig.put_blob_op(one, 1, one, NOW)), Answer::Done);
        println!("\nput {one}");
        assert!(matches!(ask(&engine, rig.claim_blob_op(one, 1, NOW)), Answer::Blob(_)));
        println!("\nclaimed {one}");
        if is_deleted(one) {
            assert_eq!(ask(&engine, Op::DeleteQueue { queue }), Answer::Done);
            println!("\ndeleted {one}");
        }
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || (thread * OWN..(thread + 1) * OWN).for_each(tidy));
        }
    });
    loop {
        thread::park();
    }
}

/// Not a test: what [`days_that_go_by_while_a_relay_is_killed_lose_nothing_and_keep_nothing`] starts and kills.
#[test]
#[ignore = "the child of another test"]
fn child_whose_days_go_by_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let rig = Rig::memory(ROOMY);
    let engine = reopen(Path::new(&path), ROOMY, Keeping::Durable).unwrap();
    let life: u64 = fs::read_to_string(Path::new(&path).with_file_name("life")).unwrap().parse().unwrap();
    assert!(matches!(ask(&engine, rig.make_op(1)), Answer::Made(_) | Answer::Exists));
    let queue = queue_ref(&rig.namer.read(&read_id(1)));
    for day in 1_000 * life.. {
        let now = NOW.plus(day * DAY_MS);
        assert_eq!(ask(&engine, Op::Renew { queues: vec![queue], now }), Answer::Done);
        assert!(matches!(ask(&engine, Op::Expire { now, limit: 999 }), Answer::Expired { .. }));
        println!("\nswept {day}");
        for (one, class) in (0..).zip([TtlClass::Hour, TtlClass::TwoDays, TtlClass::Week]) {
            let message = 3 * day + one;
            let mut op = rig.append_op(1, message, envelope(message, BUCKET_S), now);
            if let Op::Append { ttl, .. } = &mut op {
                *ttl = class;
            }
            assert!(matches!(ask(&engine, op), Answer::Appended { .. }));
            println!("\nstored {day} {message} {}", [0, 3, 8][usize::try_from(one).unwrap()]);
        }
    }
}

#[test]
fn days_that_go_by_while_a_relay_is_killed_lose_nothing_and_keep_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queues");
    for (life, enough) in (0..).zip([1, 9, 40, 77]) {
        fs::write(dir.path().join("life"), u64::to_string(&life)).unwrap();
        let said =
            said_until_killed("crash::child_whose_days_go_by_until_it_is_killed", &path, "swept", enough);
        let today =
            said.iter().filter(|(word, _)| word == "swept").map(|(_, numbers)| numbers[0]).max().unwrap();
        let rig = Rig::memory(ROOMY);
        let engine = reopen(&path, ROOMY, Keeping::Durable).unwrap();
        let queue = queue_ref(&rig.namer.read(&read_id(1)));
        // The last day that it may have begun.
        let now = NOW.plus((today + 1) * DAY_MS);
        let all = Op::Fetch { queue, after: 0, max_messages: 999, max_bytes: usize::MAX, now };
        let Answer::Messages(messages) = ask(&engine, all) else { panic!() };
        let there: Vec<_> = messages.into_iter().map(|one| one.envelope.into_bytes()).collect();
        for (_, numbers) in said.into_iter().filter(|(word, _)| word == "stored") {
            let (day, message, days) = (numbers[0], numbers[1], numbers[2]);
            let lasts = day + days > today + 1;
            let found = there.iter().any(|one| one == envelope(message, BUCKET_S).as_bytes());
            assert_eq!(found, lasts, "a message of day {day} for {days} days, on day {today} and one");
        }
        drop(engine);
        let queues = Connection::open(&path).unwrap();
        let swept = i64::try_from(NOW.day() + today).unwrap();
        let keys = "SELECT count(*) FROM day_key WHERE over = 1 OR day < ?1";
        assert_eq!(queues.query_row(keys, [swept], |row| row.get::<_, i64>(0)).unwrap(), 0);
    }
}

/// Whether that child deletes a queue in the end.
fn is_deleted(queue: u8) -> bool {
    queue % 2 == 1
}

#[test]
fn what_was_deleted_put_or_claimed_stays_so_after_kill_9() {
    for enough in [1, 17, 60] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("queues");
        let said =
            said_until_killed("crash::child_that_tidies_up_until_it_is_killed", &path, "deleted", enough);
        let rig = Rig::memory(ROOMY);
        let engine = reopen(&path, ROOMY, Keeping::Durable).unwrap();
        for (word, numbers) in said {
            let one = u8::try_from(numbers[0]).unwrap();
            match word.as_str() {
                "acknowledged" => match find(&engine, &rig, one) {
                    None => assert!(is_deleted(one)),
                    Some(QueueRecord { queue, .. }) => {
                        let fetch =
                            Op::Fetch { queue, after: 0, max_messages: 9, max_bytes: usize::MAX, now: NOW };
                        let Answer::Messages(messages) = ask(&engine, fetch) else { panic!() };
                        assert_eq!(messages.iter().map(|one| one.sequence).collect::<Vec<_>>(), [2]);
                        let again = rig.append_op(one, 1, envelope(1, BUCKET_S), NOW);
                        assert_eq!(ask(&engine, again), Answer::Repeated, "its id is remembered");
                    }
                },
                "deleted" => assert_eq!(find(&engine, &rig, one), None),
                "put" => {
                    let claim = rig.claim_blob_op(one, 1, NOW);
                    assert_eq!(ask(&engine, claim), Answer::Blob(vec![one; BLOB]));
                }
                "claimed" => {
                    assert_eq!(ask(&engine, rig.claim_blob_op(one, 2, NOW)), Answer::Claimed);
                }
                _ => {}
            }
        }
    }
}
