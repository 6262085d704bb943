//! The store among other processes: killed in the middle of commits, opened twice, on a disk that is full, and the
//! process that holds it.
//!
//! Each test starts this same binary again as a child, with one of the `child_…` tests and its folder on standard
//! input: no environment, no arguments.
#![expect(clippy::unwrap_used, reason = "all of this file is a test")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use beresta_client::store::{Destruction, KdfCost, Passphrase, Store, StoreError, harden_process};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

const KEY: &str = "test.counter";
const SAY: &str = "said: ";

fn pass() -> Passphrase {
    Passphrase::new("right".to_owned())
}

fn create(dir: &Path) -> Result<Store, StoreError> {
    Store::create(dir, &pass(), KdfCost::FOR_TESTS, &mut ChaCha20Rng::seed_from_u64(7))
}

/// A value that shows when it is torn: the number again and again, 24 KB.
fn value(n: u64) -> Vec<u8> {
    n.to_le_bytes().repeat(3_000)
}

fn put(store: &mut Store, n: u64) -> Result<(), StoreError> {
    store.transaction(|tx| tx.set_meta(KEY, &value(n)))
}

/// The number that the store holds whole; 0 if none was ever put.
fn get(store: &mut Store) -> u64 {
    let Some(bytes) = store.transaction(|tx| tx.meta(KEY)).unwrap() else { return 0 };
    let n = u64::from_le_bytes(*bytes.first_chunk().unwrap());
    assert_eq!(bytes, value(n), "a torn value");
    n
}

/// A child that another test starts has a copy of this process's files, locks of profiles included, until it has begun: so
/// tests that start children take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn child(test: &str, dir: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", dir.display()).unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// What the child says next; `None` when it has ended.
fn heard(out: &mut BufReader<ChildStdout>) -> Option<String> {
    loop {
        let mut line = String::new();
        if out.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        // The test harness writes in front of the first line.
        if let Some((_, said)) = line.split_once(SAY) {
            return Some(said.trim_end().to_owned());
        }
    }
}

/// In a child: the folder to work on. None if a person ran the ignored tests by hand.
fn told() -> Option<PathBuf> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let dir = line.trim_end();
    (!dir.is_empty()).then(|| dir.into())
}

#[test]
#[ignore = "a child of the tests below"]
fn child_commits_until_killed() {
    let Some(dir) = told() else { return };
    let mut store = Store::open(&dir, &pass()).unwrap();
    let mut n = get(&mut store);
    loop {
        n += 1;
        put(&mut store, n).unwrap();
        println!("{SAY}{n}");
    }
}

#[test]
fn killed_in_the_middle_of_commits_it_opens_with_every_committed_row() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()).unwrap());
    let mut last = 0;
    for round in 0..20 {
        let (mut child, mut out) = child("child_commits_until_killed", dir.path());
        for _ in 0..=round * 3 {
            last = heard(&mut out).unwrap().parse().unwrap();
        }
        child.kill().unwrap(); // SIGKILL: wherever it is now
        child.wait().unwrap();
        while let Some(said) = heard(&mut out) {
            last = said.parse().unwrap();
        }
        let held = get(&mut Store::open(dir.path(), &pass()).unwrap());
        assert!(held == last || held == last + 1, "said {last}, holds {held}");
    }
    assert!(last > 20);
}

#[test]
#[ignore = "a child of the tests below"]
fn child_opens_once() {
    let Some(dir) = told() else { return };
    println!("{SAY}{:?}", Store::open(&dir, &pass()).map(drop));
}

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let store = create(dir.path()).unwrap();
    let from_a_child = || {
        let (mut child, mut out) = child("child_opens_once", dir.path());
        let said = heard(&mut out);
        child.wait().unwrap();
        said.unwrap()
    };
    assert_eq!(from_a_child(), "Err(InUse)");
    drop(store);
    assert_eq!(from_a_child(), "Ok(())");

    // And the kernel takes the lock back from a killed process.
    let (mut child, mut out) = child("child_commits_until_killed", dir.path());
    heard(&mut out).unwrap();
    assert_eq!(Store::open(dir.path(), &pass()).unwrap_err(), StoreError::InUse);
    child.kill().unwrap();
    child.wait().unwrap();
    Store::open(dir.path(), &pass()).unwrap();
}

#[test]
#[ignore = "a child of the tests below"]
fn child_panics_until_killed() {
    let Some(dir) = told() else { return };
    let mut panic = Destruction::of(&dir).unwrap();
    while panic.step() {
        println!("{SAY}{}", panic.overwritten());
    }
    println!("{SAY}done");
    std::thread::park();
}

#[test]
fn a_panic_that_is_killed_leaves_nothing_that_the_right_passphrase_opens() {
    let _alone = alone();
    let mut steps = 0;
    for heard_of in 1.. {
        let dir = tempfile::tempdir().unwrap();
        let mut store = create(dir.path()).unwrap();
        put(&mut store, 1).unwrap();
        // Another process has it open meanwhile, as long as it likes.
        let (mut child, mut out) = child("child_panics_until_killed", dir.path());
        let ended = (0..heard_of).any(|_| heard(&mut out).unwrap() == "done");
        child.kill().unwrap();
        child.wait().unwrap();
        drop(store);
        let error = Store::open(dir.path(), &pass()).unwrap_err();
        assert!(matches!(error, StoreError::WrongPassphrase | StoreError::NotFound), "{error:?}");
        if ended {
            break;
        }
        steps = heard_of;
    }
    assert!(steps > 6, "{steps}");
}

#[test]
#[ignore = "a child of the tests below"]
fn child_hardens_itself_and_panics() {
    let Some(_) = told() else { return };
    harden_process();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, dumpable_behavior, getrlimit};
        let core = getrlimit(Resource::Core);
        println!("{SAY}{:?} {:?}", (core.current, core.maximum), dumpable_behavior().unwrap());
    }
    panic!("planted secret");
}

#[test]
fn a_hardened_process_leaves_no_core_and_its_panics_quote_nothing() {
    let _alone = alone();
    let (child, mut out) = child("child_hardens_itself_and_panics", Path::new("none"));
    if cfg!(target_os = "linux") {
        assert_eq!(heard(&mut out).unwrap(), "(Some(0), Some(0)) NotDumpable");
    }
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(stderr.contains("beresta: internal error at client/tests/store.rs:"), "{stderr}");
    assert!(!stderr.contains("planted"), "{stderr}");
}

/// A file system of its own in memory, taken away when dropped.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount(kib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_and_loses_nothing() {
    let _alone = alone();
    let Some(disk) = SmallDisk::mount(20 * 1024) else {
        assert!(std::env::var_os("BERESTA_TEST_ALL").is_none(), "only root may mount a full disk");
        println!("not run: only root may mount; a full database is tested with SQLite's own quota instead");
        return;
    };
    let dir = disk.0.path().join("profile");
    let mut store = create(&dir).unwrap();
    put(&mut store, 1).unwrap();
    let ballast = disk.0.path().join("ballast");
    let filled = std::fs::write(&ballast, vec![0; 20 << 20]).unwrap_err();
    assert_eq!(StoreError::from(filled), StoreError::Full);

    // A little room may be left; then nothing goes in any more.
    let mut last = 1;
    let full = (2..500).find_map(|n| match put(&mut store, n) {
        Ok(()) => {
            last = n;
            None
        }
        Err(error) => Some(error),
    });
    assert_eq!(full, Some(StoreError::Full));
    assert_eq!(get(&mut store), last);
    drop(store);
    let mut store = Store::open(&dir, &pass()).unwrap();
    assert_eq!(get(&mut store), last);
    let second = disk.0.path().join("second");
    assert_eq!(create(&second).unwrap_err(), StoreError::Full);

    // With room again, everything goes on where it was.
    std::fs::remove_file(&ballast).unwrap();
    put(&mut store, last + 1).unwrap();
    assert_eq!(get(&mut store), last + 1);
    drop(create(&second).unwrap());
}
