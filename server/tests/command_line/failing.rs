//! A disk that fails, and goes on as one that only reads.

use std::fs;

use super::*;

/// Set by `.ci/run`: a test that this machine can't carry out must not look as if it had passed.
const ALL: &str = "BERESTA_TEST_ALL";

/// What the program does while the disk of this folder only reads: in a mount namespace of its own, which root may make, others
/// where the system lets them be root of a user namespace. None where it can't be had.
fn while_it_only_reads(dir: &Path, args: &[&str], line: &str) -> Option<Output> {
    let within = |kinds: &[&str], args: &[&str]| {
        let mut command = Command::new("unshare");
        let mount = "mount --bind \"$0\" \"$0\"; mount -o remount,bind,ro \"$0\"; exec \"$@\"";
        command.args(kinds).args(["sh", "-e", "-c", mount]).arg(dir).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(format!("{line}\n").as_bytes());
        child.wait_with_output().unwrap()
    };
    let works = |kinds: &&[&str]| within(kinds, &["true"]).status.success();
    let kinds = [&["--mount"][..], &["--user", "--map-root-user", "--mount"]].into_iter().find(works)?;
    Some(within(kinds, &[&[env!("CARGO_BIN_EXE_beresta-relay"), "--lang", "en"], args].concat()))
}

#[test]
fn what_a_write_that_failed_left_does_not_keep_a_backup_from_being_made() {
    let folder = tempfile::tempdir().unwrap();
    let [dir, new, file] = ["relay", "new", "file"].map(|name| folder.path().join(name));
    let [at, new, file] = [&dir, &new, &file].map(|path| path.to_str().unwrap());
    let address = out(&init(&dir));
    fs::write(dir.join("tls.key.beresta-unfinished"), b"half").unwrap();
    let passphrase = "five words that nobody guesses";
    let Some(backup) =
        while_it_only_reads(&dir, &["export", "--dir", at, "--file", file, "--backup"], passphrase)
    else {
        assert!(std::env::var_os(ALL).is_none(), "a disk that only reads can't be made here");
        println!("NOT TESTED: a disk that only reads, because none can be made here");
        return;
    };
    assert_eq!(backup.status.code(), Some(0), "{}", err(&backup));
    let imported = told(&["import", "--dir", new, "--file", file], passphrase);
    assert_eq!((imported.status.code(), out(&imported)), (Some(0), address), "{}", err(&imported));
    // Who would change something there is told what the disk is like.
    let refused = while_it_only_reads(&dir, &["keys", "rotate", "--dir", at], "").unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("Nothing can be written to the disk"), "{}", err(&refused));
    // And who would make a relay there.
    let elsewhere = format!("{at}/another");
    let refused =
        while_it_only_reads(&dir, &["import", "--dir", &elsewhere, "--file", file], passphrase).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("could not be written into this folder"), "{}", err(&refused));
}
