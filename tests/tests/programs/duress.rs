//! A duress passphrase, at the real program.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use beresta_tests::process::{Output, Person, Programs, Who, output};

use super::{ANNA, BORIS, World};

pub(super) const FORCED: &str = "marble onion quiet ladder saddle";

/// Whoever has Anna at her keyboard types this at her profile.
pub(super) fn at_the_keyboard_of(person: &Person, passphrase: &'static str) -> Person {
    let folder = person.dir.parent().unwrap().join(format!("typing {}", passphrase.len()));
    let programs = Programs::for_tests().unwrap();
    let mut typing = Person::new(&programs, &folder, Who { passphrase, ..person.who }).unwrap();
    typing.dir.clone_from(&person.dir);
    typing
}

/// Sets a duress passphrase: her own is asked for first, then that one.
pub(super) fn set(person: &Person, what: &str) {
    let typing = at_the_keyboard_of(person, person.who.passphrase);
    let file = typing.dir.parent().unwrap().join(format!("typing {}", person.who.passphrase.len()));
    fs::write(file.join("passphrase"), format!("{}\n{FORCED}\n", person.who.passphrase)).unwrap();
    let refused = typing.try_run(&["-q", "duress", "set", what], "").unwrap();
    assert_eq!(refused.code, 4, "{refused:?}");
    for told in ["A copy of the disk", "such passphrases exist"] {
        assert!(refused.err.contains(told), "{told}: {refused:?}");
    }
    assert_eq!(what == "wipe", refused.err.contains("can itself be punished"));
    let said = typing.json(&["duress", "set", what, "--yes"]).unwrap();
    assert_eq!(said[0]["duress"], what);
    assert_eq!(person.json(&["duress", "status"]).unwrap()[0]["duress"], what);
}

fn heard(person: &Person) -> Output {
    person.try_run(&["contact", "list"], "").unwrap()
}

#[test]
fn cold_says_what_a_wrong_passphrase_says_and_closes_what_is_open() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    set(anna, "cold");
    let wrong = heard(&at_the_keyboard_of(anna, "not it"));
    let forced = heard(&at_the_keyboard_of(anna, FORCED));
    assert_eq!((wrong.code, &wrong.out, &wrong.err), (forced.code, &forced.out, &forced.err));
    assert_eq!(wrong.code, 6);

    let mut chat = anna.chat(boris).unwrap();
    chat.expect("Conversation with").unwrap();
    let again = heard(&at_the_keyboard_of(anna, "not it"));
    assert_eq!((again.code, again.err), (wrong.code, wrong.err.clone()));
    assert_eq!(chat.has_ended().unwrap(), None);
    let forced = heard(&at_the_keyboard_of(anna, FORCED));
    assert_eq!((forced.code, forced.err), (wrong.code, wrong.err));
    assert_eq!(chat.finish().unwrap().0, Some(6));

    // Nothing was destroyed, and it can be taken back.
    anna.run(&["send", BORIS.name], "still here").unwrap();
    assert_eq!(anna.json(&["duress", "remove"]).unwrap()[0]["duress"], "none");
}

#[test]
fn wipe_ends_as_before_the_first_run() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    set(anna, "wipe");
    let mut chat = anna.chat(boris).unwrap();
    chat.expect("Conversation with").unwrap();
    let forced = heard(&at_the_keyboard_of(anna, FORCED));
    assert_eq!(forced.code, 7, "{forced:?}");
    assert!(forced.err.lines().last().unwrap().starts_with("There is no profile here."), "{forced:?}");
    assert_eq!(chat.finish().unwrap().0, Some(6));
    assert!(!anna.dir.exists());
    anna.run(&["init", "--name", ANNA.name, "--kdf-memory-mib", "1"], "").unwrap();
}

/// Makes a decoy: her own passphrase is asked for first, then that one.
fn set_decoy(person: &Person) {
    let typing = at_the_keyboard_of(person, person.who.passphrase);
    let file = typing.dir.parent().unwrap().join(format!("typing {}", person.who.passphrase.len()));
    fs::write(file.join("passphrase"), format!("{}\n{FORCED}\n", person.who.passphrase)).unwrap();
    let refused = typing.try_run(&["-q", "duress", "set", "decoy", "--name", "Harmless"], "").unwrap();
    assert_eq!(refused.code, 4, "{refused:?}");
    for told in ["two copies of the disk", "itself a decoy", "such passphrases exist"] {
        assert!(refused.err.contains(told), "{told}: {refused:?}");
    }
    let said = typing.json(&["duress", "set", "decoy", "--name", "Harmless", "--yes"]).unwrap();
    assert_eq!((&said[0]["duress"], &said[0]["decoy"]), (&"none".into(), &true.into()));
}

#[test]
fn a_decoy_is_a_profile_like_any_other_with_contacts_of_its_own() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    anna.run(&["send", BORIS.name], "meet me at the river").unwrap();
    set_decoy(anna);
    let decoy = at_the_keyboard_of(anna, FORCED);
    assert_eq!(decoy.json(&["status"]).unwrap()[0]["name"], "Harmless");
    assert!(decoy.json(&["contact", "list"]).unwrap().is_empty());
    let status = decoy.json(&["duress", "status"]).unwrap();
    assert_eq!((&status[0]["duress"], &status[0]["decoy"]), (&"none".into(), &false.into()));
    // It is lived in, with a relay and contacts of its own.
    decoy.run(&["relay", "set", &world.relay.address], "").unwrap();
    boris.meet(&decoy).unwrap();
    decoy.run(&["send", BORIS.name], "how is your mother?").unwrap();
    let heard = boris.run(&["receive"], "").unwrap();
    assert!(heard.contains("Harmless") && heard.contains("how is your mother?"), "{heard}");
    // Hers is as it was.
    assert_eq!(anna.json(&["duress", "status"]).unwrap()[0]["decoy"], true);
    let history = format!("{:?}", anna.json(&["chat", "history", BORIS.name]).unwrap());
    assert!(history.contains("meet me at the river") && !history.contains("mother"), "{history}");
    let removed = anna.json(&["duress", "remove", "decoy", "--yes"]).unwrap();
    assert_eq!(removed[0]["decoy"], false);
    assert_eq!(self::heard(&decoy).code, 6);
}

/// Every call to the system that names a file of the profile, in order: the call and the file.
fn calls(person: &Person, trace: &Path) -> Option<Vec<String>> {
    let command = person.command(&["contact", "list"]);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-y", "-qq", "-s", "0", "-e", "trace=file,desc", "-o"]).arg(trace);
    traced.arg(command.get_program()).args(command.get_args());
    output(traced, "").ok()?;
    let profile = person.dir.to_str().unwrap();
    let lines = fs::read_to_string(trace).unwrap();
    let call = |line: &str| {
        let (_, line) = line.split_once(' ')?;
        let (name, rest) = line.trim_start().split_once('(')?;
        let (_, path) = rest.split_once(profile)?;
        let path: String = path.chars().take_while(|one| !matches!(one, '"' | '>')).collect();
        Some(format!("{name} {path}"))
    };
    Some(
        lines
            .lines()
            .filter(|line| !line.contains("execve(") && !line.contains("resumed>"))
            .filter_map(call)
            .collect(),
    )
}

/// Sizes and times of all that is in a profile, and of its folder.
fn stat(dir: &Path) -> Vec<(String, u64, i64, i64)> {
    let mut all = vec![dir.to_path_buf()];
    all.extend(fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()));
    all.sort();
    let stat = |path: std::path::PathBuf| {
        let meta = fs::metadata(&path).unwrap();
        (
            path.display().to_string(),
            meta.len(),
            meta.mtime_nsec() + meta.mtime(),
            meta.ctime_nsec() + meta.ctime(),
        )
    };
    all.into_iter().map(stat).collect()
}

#[test]
fn what_is_read_and_written_does_not_tell_which_passphrase_was_given() {
    let world = World::new();
    let anna = &world.anna;
    let trace = anna.dir.parent().unwrap().join("trace");
    let look = |passphrase| calls(&at_the_keyboard_of(anna, passphrase), &trace);
    let Some(wrong) = look("not it") else {
        #[expect(clippy::disallowed_methods, reason = "whoever runs every test says so")]
        let all = std::env::var("BERESTA_TEST_ALL").is_ok();
        assert!(!all, "strace is needed, and the right to trace");
        println!("NOT TRIED: there is no strace, or no right to trace");
        return;
    };
    assert!(wrong.iter().any(|call| call.ends_with("/vault.hdr")), "the trace shows nothing: {wrong:?}");
    assert!(!wrong.iter().any(|call| call.contains("store.") || call.starts_with("write")), "{wrong:?}");
    for what in ["cold", "wipe"] {
        set(anna, what);
        let before = stat(&anna.dir);
        assert_eq!(look("not it").unwrap(), wrong);
        assert_eq!(look("").unwrap(), wrong);
        if what == "cold" {
            let cold = look(FORCED).unwrap();
            assert_eq!(cold[..wrong.len()], wrong);
            // Then it looks for others to close, and writes nothing.
            assert!(
                cold[wrong.len()..].iter().all(|call| call.ends_with("/lock") || call.ends_with(' ')),
                "{cold:?}"
            );
        }
        assert_eq!(stat(&anna.dir), before);
        // The right one keeps the lock, and goes on from there.
        let until_it_opens = wrong.iter().rposition(|call| call.ends_with("/vault.hdr")).unwrap();
        let right = look(anna.who.passphrase).unwrap();
        assert_eq!(right[..=until_it_opens], wrong[..=until_it_opens]);
    }
    let wipe = look(FORCED).unwrap();
    assert_eq!(wipe[..wrong.len()], wrong);
    assert!(!anna.dir.exists());
}

#[test]
fn what_is_read_and_written_does_not_tell_a_decoy_from_a_profile() {
    let world = World::new();
    let anna = &world.anna;
    let folder = anna.dir.parent().unwrap();
    let bare = Person::new(&Programs::for_tests().unwrap(), &folder.join("bare"), ANNA).unwrap();
    bare.run(&["init", "--name", ANNA.name, "--kdf-memory-mib", "1"], "").unwrap();
    set_decoy(&bare);
    let trace = folder.join("trace");
    // As seen from the side that is opened: its own files are A, the others B. Up to the header, call by call; from there on
    // which calls are made of which file, since how many pages are read is a matter of what is in them.
    let look = |passphrase| {
        let calls = calls(&at_the_keyboard_of(&bare, passphrase), &trace)?;
        let own = if calls.iter().any(|call| call == "pread64 /store.1") { '1' } else { '2' };
        let touched = calls.iter().filter(|call| call.starts_with("utimensat")).count();
        let mask = |call: &String| call.replace(own, "A").replace(['1', '2'], "B");
        let calls: Vec<String> = calls.iter().map(mask).collect();
        let opened = calls.iter().rposition(|call| call.ends_with("/vault.hdr")).unwrap();
        let (front, rest) = calls.split_at(opened);
        let rest: std::collections::BTreeSet<String> = rest.iter().cloned().collect();
        Some((own, front.to_vec(), rest, touched))
    };
    let Some((own, front, rest, touched)) = look(bare.who.passphrase) else {
        #[expect(clippy::disallowed_methods, reason = "whoever runs every test says so")]
        let all = std::env::var("BERESTA_TEST_ALL").is_ok();
        assert!(!all, "strace is needed, and the right to trace");
        println!("NOT TRIED: there is no strace, or no right to trace");
        return;
    };
    assert!(touched >= 6 && rest.iter().any(|call| call.ends_with("/store.A")), "{rest:?}");
    let (other, front_there, rest_there, touched_there) = look(FORCED).unwrap();
    assert_ne!(own, other);
    assert_eq!((front_there, rest_there, touched_there), (front, rest, touched));
    // And afterwards the files of both have the same sizes and times.
    let stat: Vec<_> =
        stat(&bare.dir).into_iter().map(|(name, len, changed, _)| (name, len, changed)).collect();
    for file in ["store.", "keys."] {
        let of = |side| {
            stat.iter()
                .find(|one| one.0.ends_with(&format!("{file}{side}")))
                .map(|one| (one.1, one.2))
                .unwrap()
        };
        assert_eq!(of('1'), of('2'), "{file}");
    }
}
