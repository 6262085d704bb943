//! A disk that is full: what is new is refused, and what makes room still works.

use std::fs;
use std::path::Path;
use std::process::Command;

use beresta_proto::limits::BUCKET_L;
use beresta_server::queue::rules::queue_ref;
use beresta_server::queue::sqlite::Keeping;
use beresta_server::queue::{Answer, Op};

use crate::rig::{NOW, ROOMY, Rig, ask_all, envelope, read_id, reopen, sequence};

/// Where the child finds its small disk.
pub(crate) const CHILD: &str = "BERESTA_TEST_SMALL_DISK";
/// Set by `.ci/run`: a test that this machine can't carry out must not look as if it had passed.
const ALL: &str = "BERESTA_TEST_ALL";

/// Carries a test of this file out on a tmpfs of 24 MiB, of which the reserve takes 16. The disk is in a mount namespace
/// of the child's own: root may make one, others where the system lets them be root of a user namespace.
pub(crate) fn on_a_small_disk(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    let namespaces = |kinds: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(kinds).args(["sh", "-e", "-c", "mount -t tmpfs -o size=24m tmpfs \"$0\"; exec \"$@\""]);
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
        run.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
fn a_full_disk_refuses_and_the_engine_goes_on() {
    on_a_small_disk("disk::child_on_a_full_disk");
}

/// Not a test: what [`a_full_disk_refuses_and_the_engine_goes_on`] runs.
#[test]
#[ignore = "the child of another test"]
fn child_on_a_full_disk() {
    let Some(disk) = std::env::var_os(CHILD) else { return };
    let disk = Path::new(&disk);
    let rig = Rig::memory(ROOMY);
    let engine = reopen(&disk.join("queues"), ROOMY, Keeping::Durable).unwrap();
    let ask = |op| ask_all(&engine, vec![op]).remove(0);
    assert!(matches!(ask(rig.make_op(1)), Answer::Made(_)));
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
}
