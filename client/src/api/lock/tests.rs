use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use super::*;

mod memory;

#[expect(clippy::disallowed_methods, reason = "a clock that stands still unless the test waits")]
#[tokio::test(start_paused = true)]
async fn a_profile_that_nobody_touches_locks_and_a_touch_puts_it_off() {
    let idle = Idle::default();
    let minute = Duration::from_secs(60);
    let begun = tokio::time::Instant::now();
    let touching = async {
        for _ in 0..10 {
            tokio::time::sleep(minute / 2).await;
            idle.touch();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = idle.over(Some(minute)) => {}
        () = touching => {}
    }
    assert_eq!(begun.elapsed(), 6 * minute);

    tokio::select! {
        () = idle.over(None) => panic!("it was switched off"),
        () = tokio::time::sleep(1_000 * minute) => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "a clock that stands still unless the test waits")]
#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_locks_and_one_that_only_ran_does_not() {
    let asleep = Cell::new(Duration::from_secs(5_000));
    let woken = async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        asleep.set(asleep.get() + Duration::from_secs(30));
        tokio::time::sleep(ASLEEP_LOOK).await;
        tokio::time::sleep(ASLEEP_LOOK).await;
    };
    let begun = tokio::time::Instant::now();
    tokio::select! {
        () = slept(|| asleep.get(), || true) => {}
        () = woken => panic!("it did not notice"),
    }
    assert!(begun.elapsed() >= Duration::from_secs(3_600));
}

#[expect(clippy::disallowed_methods, reason = "a clock that stands still unless the test waits")]
#[tokio::test(start_paused = true)]
async fn a_sleep_locks_only_where_the_profile_says_so_at_that_time() {
    let (asleep, causes) = (Cell::new(Duration::ZERO), LockCauses::default());
    let sleep = async || {
        asleep.set(asleep.get() + Duration::from_secs(30));
        tokio::time::sleep(2 * ASLEEP_LOOK).await;
    };
    let sleeps = async {
        causes.obey(LockOn { sleep: false, session: false });
        sleep().await;
        causes.obey(LockOn { sleep: true, session: false });
        // What was slept before is over.
        tokio::time::sleep(10 * ASLEEP_LOOK).await;
        let before = tokio::time::Instant::now();
        sleep().await;
        before
    };
    let begun = tokio::time::Instant::now();
    tokio::select! {
        () = slept(|| asleep.get(), || causes.sleep_locks()) => {}
        _ = sleeps => panic!("it did not lock"),
    }
    assert!(begun.elapsed() >= 12 * ASLEEP_LOOK, "{:?}", begun.elapsed());
}

#[test]
#[ignore = "a child of the test below"]
fn child_stands_at_a_question() {
    let looks = std::sync::atomic::AtomicU64::new(0);
    std::thread::spawn(move || {
        // It sleeps before the third look.
        let asleep = || {
            let look = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Duration::from_secs(if look < 3 { 5_000 } else { 5_030 })
        };
        let pause = |time| {
            if time == SAYS_WITHIN {
                std::thread::park_timeout(time);
            }
        };
        causes::watch(asleep, || true, pause, || say("it slept"));
    });
    std::io::stdin().read_line(&mut String::new()).unwrap();
    say("it was answered");
}

fn say(what: &str) {
    writeln!(std::io::stdout(), "{what}").unwrap();
}

#[test]
#[cfg(unix)]
fn a_program_that_stands_at_a_question_ends_when_the_machine_slept() {
    use std::os::unix::process::ExitStatusExt as _;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "api::lock::tests::child_stands_at_a_question"])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Nobody answers; and nothing but its own end ends it.
    let question = child.stdin.take();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "{said}");
    assert!(said.contains("it slept") && !said.contains("it was answered"), "{said}");
    drop(question);
}

#[test]
fn under_duress_nobody_is_waited_for_who_can_not_be_told() {
    let dir = tempfile::tempdir().unwrap();
    // A lock of the kind of which nobody says who holds it.
    let held = std::fs::File::create(dir.path().join("lock")).unwrap();
    held.lock().unwrap();
    for (patience, waits) in [(Patience::DURESS, 0), (Patience::PANIC, 100), (Patience::LOCK, 600)] {
        let mut pauses = 0;
        let ended = end_holder_with(dir.path(), patience, || pauses += 1);
        assert_eq!((ended, pauses), (Err(Error::InUse), waits));
    }
}
