//! A disk that is full: what is new is refused, and what makes room still works.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use beresta_proto::limits::BUCKET_L;
use beresta_proto::time::DAY_MS;
use beresta_server::clock;
use beresta_server::queue::rules::queue_ref;
use beresta_server::queue::sqlite::Keeping;
use beresta_server::queue::{Answer, CreditId, CreditName, Op};
use rusqlite::Connection;

use crate::rig::{NOW, ROOMY, Rig, ask_all, envelope, read_id, reopen, sequence};

/// Where the child finds its small disk.
const CHILD: &str = "BERESTA_TEST_SMALL_DISK";
/// What a child says at its end: one that found no disk would pass, and have shown nothing.
const DONE: &str = "all of it was carried out";
/// Set by `.ci/run`: a test that this machine can't carry out must not look as if it had passed.
const ALL: &str = "BERESTA_TEST_ALL";

/// In a child: the folder that is its disk.
pub(crate) fn disk_of_this_child() -> PathBuf {
    std::env::var_os(CHILD).expect("another test runs this one, and gives it a disk").into()
}

/// The last that a child does.
pub(crate) fn done() {
    println!("{DONE}");
}

/// Carries a test of this file out on a tmpfs of so many MiB, of which the reserve takes 16. The disk is in a mount namespace
/// of the child's own: root may make one, others where the system lets them be root of a user namespace.
pub(crate) fn on_a_small_disk(test: &str, mib: u8) {
    let dir = tempfile::tempdir().unwrap();
    let namespaces = |kinds: &[&str]| {
        let mut command = Command::new("unshare");
        let mount = format!("mount -t tmpfs -o size={mib}m tmpfs \"$0\"; exec \"$@\"");
        command.args(kinds).args(["sh", "-e", "-c", &mount]);
        command.arg(dir.path()).env(CHILD, dir.path());
        command
    };
    let works =
        |kinds: &&[&str]| namespaces(kinds).arg("true").output().is_ok_and(|run| run.status.success());
    let Some(kinds) = [&["--mount"][..], &["--user", "--map-root-user", "--mount"]].into_iter().find(works)
    else {
        assert!(
            std::env::var_os(ALL).is_none(),
            "{test} was not carried out: a small disk can't be made here"
        );
        println!("NOT TESTED: {test}, because a small disk can't be made here");
        return;
    };
    let mut child = namespaces(kinds);
    child.arg(std::env::current_exe().unwrap()).args(["--ignored", "--exact", "--nocapture", test]);
    let run = child.output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed") && said.contains(DONE),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
fn a_full_disk_refuses_and_the_engine_goes_on() {
    on_a_small_disk("disk::child_on_a_full_disk", 24);
}

/// Not a test: what [`a_full_disk_refuses_and_the_engine_goes_on`] runs.
#[test]
#[ignore = "the child of another test"]
fn child_on_a_full_disk() {
    let disk = disk_of_this_child();
    let rig = Rig::memory(ROOMY);
    let engine = reopen(&disk.join("queues"), ROOMY, Keeping::Durable).unwrap();
    let ask = |op| ask_all(&engine, vec![op]).remove(0);
    assert!(matches!(ask(rig.make_op(1)), Answer::Made(_)));
    let credit = CreditName([1; 32]);
    assert_eq!(ask(Op::Grant { credit, makes: 5, days: 5, now: NOW }), Answer::Done);
    let queue = queue_ref(&rig.namer.read(&read_id(1)));
    let append = |one| ask(rig.append_op(1, one, envelope(one, BUCKET_L), NOW));
    let acknowledge = |upto| ask(Op::Acknowledge { queue, upto, now: NOW });
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
        acknowledge(stored - 5),
        Answer::Acknowledged { deleted: usize::try_from(stored - 5).unwrap(), drained: false }
    );

    // It refused in time; then somebody else takes the rest, and what makes room gets the reserve.
    let mut taken = 0;
    let mut take = || {
        while fs::write(disk.join(format!("taken.{taken}")), vec![1; 1 << 16]).is_ok() {
            taken += 1;
        }
        taken
    };
    take();
    assert!(matches!(acknowledge(stored - 4), Answer::Acknowledged { .. }));
    assert_eq!(append(stored + 1), Answer::Full);
    // What stores nothing is answered as ever (rule Q16), and a code that leaked can be taken back.
    assert_eq!([append(stored), append(stored - 4)], [Answer::Repeated, Answer::Repeated]);
    assert_eq!(ask(rig.append_op(2, 1, envelope(1, BUCKET_L), NOW)), Answer::Gone);
    assert_eq!(ask(rig.make_op(1)), Answer::Exists);
    assert_eq!(ask(rig.make_op(2)), Answer::Full);
    assert_eq!(ask(Op::Grant { credit: CreditName([2; 32]), makes: 5, days: 5, now: NOW }), Answer::Full);
    assert_eq!(ask(Op::Revoke { credit: CreditId::of(&credit) }), Answer::Done);

    // And takes what the reserve gave up. What makes room may fail then, but is not refused as if it took some.
    let taken = take();
    assert!(matches!(acknowledge(stored - 3), Answer::Acknowledged { .. } | Answer::Failed));
    assert_eq!(append(stored + 1), Answer::Full);
    (0..=taken).for_each(|one| fs::remove_file(disk.join(format!("taken.{one}"))).unwrap());

    assert!(matches!(acknowledge(stored), Answer::Acknowledged { .. }));
    assert_eq!(fetch(), 0);
    // Room for new messages is looked for when the log is emptied, behind an expiry.
    assert_eq!(append(stored + 1), Answer::Full);
    assert!(matches!(ask(Op::Expire { now: NOW, limit: 9 }), Answer::Expired { deleted: 0, .. }));
    assert!(sequence(append(stored + 1)) > stored, "no place is given again");
    assert_eq!(fetch(), 1);
    done();
}

#[test]
fn a_disk_that_was_full_for_a_moment_serves_again_soon_however_much_is_asked() {
    on_a_small_disk("disk::child_whose_disk_is_full_for_a_moment", 40);
}

/// Not a test: what [`a_disk_that_was_full_for_a_moment_serves_again_soon_however_much_is_asked`] runs.
#[test]
#[ignore = "the child of another test"]
fn child_whose_disk_is_full_for_a_moment() {
    let disk = disk_of_this_child();
    let rig = Rig::memory(ROOMY);
    let engine = reopen(&disk.join("queues"), ROOMY, Keeping::Durable).unwrap();
    let ask = |op| ask_all(&engine, vec![op]).remove(0);
    assert!(matches!(ask(rig.make_op(1)), Answer::Made(_)));
    let append = |one| ask(rig.append_op(1, one, envelope(one, BUCKET_L), NOW));
    assert!(matches!(append(1), Answer::Appended { .. }));
    // What makes room needs some itself, and gets the reserve.
    let (queue, other) = (queue_ref(&rig.namer.read(&read_id(1))), disk.join("other"));
    assert!(fs::write(&other, vec![1; 40 << 20]).is_err(), "it takes all there is");
    let acknowledged = ask(Op::Acknowledge { queue, upto: 1, now: NOW });
    assert!(matches!(acknowledged, Answer::Acknowledged { .. } | Answer::Failed));
    fs::remove_file(other).unwrap();
    let begin = clock::monotonic();
    assert_eq!(append(2), Answer::Full, "it has no reserve");
    while append(2) == Answer::Full {
        assert!(begin.elapsed() < Duration::from_mins(2), "it refuses everything as long as it is asked");
    }
    done();
}

#[test]
fn a_full_disk_lets_go_of_what_ended_and_of_its_keys() {
    on_a_small_disk("disk::child_whose_disk_is_full_when_much_ends", 96);
}

/// Not a test: what [`a_full_disk_lets_go_of_what_ended_and_of_its_keys`] runs.
#[test]
#[ignore = "the child of another test"]
fn child_whose_disk_is_full_when_much_ends() {
    let disk = disk_of_this_child();
    let rig = Rig::memory(ROOMY);
    let engine = reopen(&disk.join("queues"), ROOMY, Keeping::Durable).unwrap();
    let ask = |op| ask_all(&engine, vec![op]).remove(0);
    // Each of these has a page of its own: what goes at once is more than the reserve.
    let mut stored = 0_u64;
    (0..20).for_each(|queue| drop(ask(rig.make_op(queue))));
    loop {
        let queue = u8::try_from(stored / 200).unwrap();
        match ask(rig.append_op(queue, stored, envelope(stored, BUCKET_L), NOW)) {
            Answer::Appended { .. } => stored += 1,
            Answer::Full => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(stored > 1_000, "{stored}");
    let mut taken = 0;
    while fs::write(disk.join(format!("taken.{taken}")), vec![1; 1 << 16]).is_ok() {
        taken += 1;
    }
    let keys = fs::read(disk.join("day.keys")).unwrap();
    let now = NOW.plus(25 * DAY_MS);
    let mut steps = 0;
    while let Answer::Expired { more: true, .. } = ask(Op::Expire { now, limit: 2_000 }) {
        steps += 1;
    }
    assert!(steps > 3, "{steps} steps: the disk was not full");
    let Answer::Stats(stats) = ask(Op::Stats) else { panic!() };
    assert_eq!((stats.messages, stats.queues), (0, 0));
    assert_ne!(fs::read(disk.join("day.keys")).unwrap(), keys, "the key of the day that is over is there");
    done();
}

#[test]
fn a_relay_starts_on_a_full_disk_so_that_people_can_fetch() {
    on_a_small_disk("disk::child_that_starts_on_a_full_disk", 24);
}

/// Not a test: what [`a_relay_starts_on_a_full_disk_so_that_people_can_fetch`] runs.
#[test]
#[ignore = "the child of another test"]
fn child_that_starts_on_a_full_disk() {
    let disk = disk_of_this_child();
    let path = disk.join("queues");
    let rig = Rig::memory(ROOMY);
    let engine = reopen(&path, ROOMY, Keeping::Durable).unwrap();
    ask_all(&engine, vec![rig.make_op(1)]);
    for one in 1..=3 {
        sequence(ask_all(&engine, vec![rig.append_op(1, one, envelope(one, BUCKET_L), NOW)]).remove(0));
    }
    drop(engine);
    let queue = queue_ref(&rig.namer.read(&read_id(1)));
    // A restart, and an update that has a step to take.
    for (upto, behind) in [
        (1, ""),
        (
            2,
            "ALTER TABLE held DROP COLUMN key_proof; ALTER TABLE held DROP COLUMN skipped; PRAGMA user_version = 5",
        ),
    ] {
        Connection::open(&path).unwrap().execute_batch(behind).unwrap();
        let mut taken = 0;
        while fs::write(disk.join(format!("taken.{taken}")), vec![1; 1 << 16]).is_ok() {
            taken += 1;
        }
        let engine = reopen(&path, ROOMY, Keeping::Durable).unwrap();
        let ask = |op| ask_all(&engine, vec![op]).remove(0);
        let Answer::Messages(messages) =
            ask(Op::Fetch { queue, after: 0, max_messages: 9, max_bytes: usize::MAX, now: NOW })
        else {
            panic!()
        };
        assert_eq!(messages.len() as u64, 4 - upto);
        let acknowledged = ask(Op::Acknowledge { queue, upto, now: NOW });
        assert_eq!(acknowledged, Answer::Acknowledged { deleted: 1, drained: false });
        assert_eq!(ask(rig.append_op(1, 9, envelope(9, BUCKET_L), NOW)), Answer::Full);
        drop(engine);
        (0..=taken).for_each(|one| fs::remove_file(disk.join(format!("taken.{one}"))).unwrap());
        // With the reserve again.
        drop(reopen(&path, ROOMY, Keeping::Durable).unwrap());
        assert!(disk.join("queues.reserve").exists());
    }
    done();
}
