//! A relay of which a file was lost, and what an operator does then.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;

use beresta_proto::key::{CapabilityHash, VerifyingKey};
use beresta_server::clock;
use beresta_server::home::Home;
use beresta_server::queue::rules::Cap;
use beresta_server::queue::sqlite::{Keeping, SqliteEngine};
use beresta_server::queue::{Answer, Op, QueueEngine as _, ReadName, SendName};
use beresta_server::setup;

use super::*;

/// A relay with one queue, whose identity key is on a stick.
struct Kept {
    folder: tempfile::TempDir,
    address: String,
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("relay");
        let address = out(&init(&dir));
        let proof = setup::namer(&Home::at(&dir)).unwrap().proof();
        let engine =
            SqliteEngine::open(&dir.join("queues.sqlite"), Cap { bytes: 1 << 20 }, Keeping::Durable, proof)
                .unwrap();
        let op = Op::MakeQueue {
            read: ReadName([1; 32]),
            send: SendName([2; 32]),
            read_key: VerifyingKey([3; 32]),
            capability: CapabilityHash([4; 32]),
            credit: None,
            now: clock::now(),
        };
        let (tell, told) = mpsc::channel();
        engine.submit(op, Box::new(move |answer| tell.send(answer).unwrap()));
        assert!(matches!(told.recv().unwrap(), Answer::Made(_)));
        drop(engine);
        fs::rename(dir.join("identity.key"), folder.path().join("stick.key")).unwrap();
        Self { folder, address }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("relay").join(file)
    }

    /// Moves a file out of the folder, if it is there.
    fn away(&self, file: &str) {
        let _ = fs::rename(self.path(file), self.folder.path().join(file));
    }

    /// Calls a command, and adds the identity key if it is to.
    fn call(&self, command: &[&str], stick: bool) -> Output {
        let dir = self.folder.path().join("relay");
        let key = self.folder.path().join("stick.key");
        let mut args = [command, &["--dir", dir.to_str().unwrap()]].concat();
        if stick {
            args.extend(["--identity", key.to_str().unwrap()]);
        }
        relay(&args)
    }

    /// What it says at a start before it listens, and the code with which it ends if it does not.
    fn starts(&self) -> (Option<i32>, String) {
        let mut run = program();
        let mut running =
            run.args(["run", "--dir"]).arg(self.path("")).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(running.stderr.take().unwrap()).lines().map(Result::unwrap);
        let before: Vec<String> = said.take_while(|line| line != "listening").collect();
        running.kill().unwrap();
        (running.wait().unwrap().code(), before.concat())
    }

    /// It runs, under the address that people have, and has so many queues.
    fn runs(&self, queues: u8) {
        once(self.folder.path().join("relay").to_str().unwrap());
        assert_eq!(out(&self.call(&["address"], false)), self.address);
        let held = out(&self.call(&["what-i-hold"], false));
        assert!(held.contains(&format!("Queues: {queues}\n")), "{held}");
        let looked = out(&self.call(&["doctor"], false));
        assert!(!looked.contains("FAIL"), "{looked}");
    }
}

#[test]
fn a_killed_init_is_taken_up_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let made = ["identity.key", "tls.key", "epoch-signer.key", "queue.key", "relay.id", "descriptor"];
    for (at, key) in made.into_iter().enumerate().take(4) {
        // As it is before the key is made. The kernel kills who writes more than no bytes into a file.
        for file in &made[at..] {
            fs::remove_file(dir.path().join(file)).unwrap();
        }
        let killed = Command::new("sh")
            .args(["-c", "ulimit -f 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_beresta-relay"), "init"])
            .arg("--dir")
            .arg(dir.path())
            .args(["--listen", "127.0.0.1:1", "--public", "192.0.2.1:443"])
            .output()
            .unwrap();
        assert_eq!(killed.status.code(), None, "{key}: {}", err(&killed));
        assert!(!dir.path().join(key).exists());
        let made = init(dir.path());
        assert_eq!(made.status.code(), Some(0), "{key}: {}", err(&made));
    }
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(files.into_iter().all(|name| !name.to_str().unwrap().ends_with(".beresta-unfinished")));
}

#[test]
fn a_key_of_queues_that_was_lost_is_never_made_anew_beside_them() {
    let kept = Kept::new();
    kept.away("queue.key");
    for (command, stick) in [(&["init"][..], true), (&["run"], false)] {
        let refused = kept.call(command, stick);
        assert_eq!(refused.status.code(), Some(5), "{}", err(&refused));
        assert!(
            err(&refused).contains("queue.key is missing, damaged or another relay's"),
            "{}",
            err(&refused)
        );
        assert!(!kept.path("queue.key").exists());
    }
    fs::rename(kept.folder.path().join("queue.key"), kept.path("queue.key")).unwrap();
    kept.runs(1);

    // As it says where there is no copy.
    fs::write(kept.path("queue.key"), b"no key").unwrap();
    let refused = kept.call(&["run"], false);
    assert!(err(&refused).contains("queues.sqlite with all files"), "{}", err(&refused));
    for file in fs::read_dir(kept.path("")).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        if matches!(&*name, "queue.key" | "day.keys") || name.starts_with("queues.sqlite") {
            kept.away(&name);
        }
    }
    let made = kept.call(&["init"], true);
    assert_eq!((made.status.code(), out(&made)), (Some(0), kept.address.clone()), "{}", err(&made));
    kept.runs(0);
}

#[test]
fn a_key_of_other_queues_is_noticed_before_people_make_new_ones() {
    let kept = Kept::new();
    let right = fs::read(kept.path("queue.key")).unwrap();
    fs::write(kept.path("queue.key"), [8; 32]).unwrap();
    let backup = kept.folder.path().join("backup");
    let backup = ["export", "--backup", "--file", backup.to_str().unwrap()];
    // Nobody starts it again and again: no start mends that.
    for command in [&["run"][..], &["config", "check"], &["repair"], &["doctor"], &backup] {
        let refused = kept.call(command, false);
        assert_eq!(refused.status.code(), Some(5), "{command:?}");
        let said = out(&refused) + &err(&refused);
        assert!(said.contains("queue.key is missing, damaged or another relay's"), "{said}");
        assert!(!said.contains("could be read"), "{said}");
    }
    fs::write(kept.path("queue.key"), right).unwrap();
    kept.runs(1);
}

#[test]
fn where_a_relay_was_no_other_is_made() {
    let kept = Kept::new();
    let id = fs::read(kept.path("relay.id")).unwrap();
    let again = ["init", "--listen", "127.0.0.1:1", "--public", "198.51.100.1:443"];
    let other = kept.folder.path().join("other.key");
    fs::write(&other, [7; 32]).unwrap();
    let with_other = [&again[..], &["--identity", other.to_str().unwrap()]].concat();
    let nowhere = kept.folder.path().join("none.key");
    let with_none = [&again[..], &["--identity", nowhere.to_str().unwrap()]].concat();
    kept.away("descriptor");
    for init in [&again[..], &with_other, &with_none] {
        let refused = kept.call(init, false);
        assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
        let said = err(&refused);
        let told = said.split_whitespace().find(|word| word.starts_with("beresta-relay:")).unwrap();
        assert!(kept.address.starts_with(told.trim_end_matches(',')) && told.len() > 50, "{said}");
        assert!(said.contains("--identity FILE"), "{said}");
        assert_eq!(fs::read(kept.path("relay.id")).unwrap(), id);
        assert!(!nowhere.exists() && !kept.path("identity.key").exists());
    }
    // Its keys and queues say so, too, though not which one it was.
    kept.away("relay.id");
    let refused = kept.call(&again, false);
    assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
    assert!(err(&refused).contains("does not tell which one"), "{}", err(&refused));

    fs::write(kept.path("relay.id"), id).unwrap();
    let made = kept.call(&["init", "--listen", &free(), "--public", "192.0.2.1:443"], true);
    assert_eq!((made.status.code(), out(&made)), (Some(0), kept.address.clone()), "{}", err(&made));
    kept.runs(1);
}

#[test]
fn who_made_a_new_relay_by_mistake_comes_back_to_the_one_that_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new, typo] = ["old", "new", "typo.key"].map(|name| folder.path().join(name));
    let address = out(&init(&old));
    let key = old.join("identity.key");
    let make = |key: &Path| {
        let base = ["init", "--listen", "127.0.0.1:1", "--public", "192.0.2.1:443", "--dir"];
        relay(&[&base[..], &[new.to_str().unwrap(), "--identity", key.to_str().unwrap()]].concat())
    };
    let mistaken = make(&typo);
    assert!(err(&mistaken).contains("descriptor and relay.id in this folder"), "{}", err(&mistaken));
    for file in [typo, new.join("descriptor"), new.join("relay.id")] {
        fs::remove_file(file).unwrap();
    }
    let made = make(&key);
    assert_eq!((made.status.code(), out(&made)), (Some(0), address), "{}", err(&made));
}

#[test]
fn a_relay_that_lost_a_file_goes_on_as_it_is_told_with_its_address_and_queues() {
    for file in ["descriptor", "relay.id", "tls.key", "epoch-signer.key", "rotation"] {
        for damaged in [false, true] {
            if file == "rotation" && !damaged {
                continue;
            }
            let kept = Kept::new();
            kept.away(file);
            if damaged {
                fs::write(kept.path(file), b"no such file").unwrap();
            }
            for language in ["en", "ru"] {
                let said = err(&kept.call(&["run", "--lang", language], false));
                assert!(said.contains("descriptor") && said.contains("--identity"), "{file}: {said}");
                assert!(!said.contains("make a new relay") && !said.contains("новый узел"), "{said}");
            }
            let looked = kept.call(&["doctor"], false);
            let looked = [out(&looked), err(&looked)].concat();
            assert!(looked.contains("address and queues stay"), "{file}: {looked}");

            kept.away(file);
            kept.away("descriptor");
            let listen = free();
            let made = ["init", "--listen", &listen, "--public", "192.0.2.1:443", "--operator", "Anna"];
            let made = kept.call(&made, true);
            assert_eq!(
                (made.status.code(), out(&made)),
                (Some(0), kept.address.clone()),
                "{file}: {}",
                err(&made)
            );
            kept.runs(1);
        }
    }
}

#[test]
fn a_damaged_relay_id_is_not_blamed_on_the_descriptor_and_is_made_anew_by_the_identity_key() {
    for damaged in [Some(&[7; 32][..]), Some(b"short"), None] {
        let kept = Kept::new();
        kept.away("relay.id");
        if let Some(damaged) = damaged {
            fs::write(kept.path("relay.id"), damaged).unwrap();
        }
        for language in ["en", "ru"] {
            for command in ["run", "address", "doctor"] {
                let told = kept.call(&[command, "--lang", language], false);
                let told = [out(&told), err(&told)].concat();
                let said = told.lines().find(|line| line.contains("relay.id")).unwrap();
                assert!(said.contains("--identity") && !said.contains("--public"), "{said}");
                assert!(
                    !told.contains("descriptor is damaged") && !told.contains("descriptor повр"),
                    "{told}"
                );
            }
        }
        let made = kept.call(&["init"], true);
        assert_eq!((made.status.code(), out(&made)), (Some(0), kept.address.clone()), "{}", err(&made));
        kept.runs(1);
    }
    // Nor the other way round.
    let kept = Kept::new();
    let mut descriptor = fs::read(kept.path("descriptor")).unwrap();
    *descriptor.last_mut().unwrap() ^= 1;
    fs::write(kept.path("descriptor"), descriptor).unwrap();
    let said = err(&kept.call(&["run"], false));
    assert!(said.contains("descriptor is damaged") && !said.contains("relay.id"), "{said}");
}

#[test]
fn a_relay_that_lost_its_descriptor_goes_on_though_its_id_is_damaged_too() {
    let kept = Kept::new();
    kept.away("descriptor");
    let again = ["init", "--listen", &free(), "--public", "192.0.2.1:443"];
    fs::write(kept.path("relay.id"), [7; 32]).unwrap();
    for (language, says) in [("en", "move relay.id out"), ("ru", "уберите relay.id")] {
        let refused = kept.call(&[&again[..], &["--lang", language]].concat(), true);
        assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
        let said = err(&refused);
        let known = |word: &str| kept.address.starts_with(word.trim_end_matches(['.', ',']));
        let told = said.split_whitespace().filter(|word| word.starts_with("beresta-relay:"));
        assert_eq!(told.map(known).collect::<Vec<_>>(), [false, true], "{said}");
        assert!(said.contains(says), "{said}");
    }
    fs::write(kept.path("relay.id"), "short").unwrap();
    let refused = kept.call(&again, false);
    assert_eq!(refused.status.code(), Some(2), "no other is made: {}", err(&refused));
    let made = kept.call(&again, true);
    assert_eq!((made.status.code(), out(&made)), (Some(0), kept.address.clone()), "{}", err(&made));
    kept.runs(1);
}

#[test]
fn who_lost_the_file_of_the_queues_is_told_so() {
    let kept = Kept::new();
    let queues = kept.path("queues.sqlite");
    // Of a line break alone SQLite says, too, that it is empty.
    for (turn, left) in [None, Some(""), Some("\n")].into_iter().enumerate() {
        let lose = || {
            fs::copy(&queues, kept.folder.path().join("queues.sqlite")).unwrap();
            left.map_or_else(|| fs::remove_file(&queues), |left| fs::write(&queues, left)).unwrap();
        };
        lose();
        // What an update asks before it installs anything, as the next start would.
        let checked = kept.call(&["config", "check"], false);
        assert_eq!(checked.status.code(), Some(7), "{}", err(&checked));
        assert!(!err(&checked).contains("earlier version"), "{}", err(&checked));
        for language in ["en", "ru"] {
            let looked = kept.call(&["doctor", "--lang", language], false);
            let failed = |line: &str| line.starts_with("FAIL") && line.contains("queues.sqlite");
            assert!(out(&looked).lines().any(failed), "{}", out(&looked));
            assert!(
                err(&kept.call(&["config", "check", "--lang", language], false)).contains("queues.sqlite")
            );
        }
        let repaired = kept.call(&["repair"], false);
        assert_eq!(repaired.status.code(), Some(7), "nothing was repaired");
        let held = kept.call(&["what-i-hold"], false);
        assert_eq!((held.status.code(), &*out(&held)), (Some(7), ""), "what is gone is not nothing");
        assert!(err(&repaired).contains("queues.sqlite is missing or empty"), "{}", err(&repaired));
        // No others are made as long as what waited could be opened if they came back, also out of a copy.
        let keys = fs::read(kept.path("day.keys")).unwrap();
        for lock in [true, false] {
            if !lock {
                fs::remove_file(kept.path("queues.sqlite.lock")).unwrap();
            }
            let (code, said) = kept.starts();
            assert_eq!(code, Some(7), "{said}");
            assert!(said.contains("put it back"), "{said}");
            assert_eq!(fs::read(kept.path("day.keys")).unwrap(), keys);
        }
        fs::rename(kept.folder.path().join("queues.sqlite"), &queues).unwrap();
        kept.runs(if turn == 0 { 1 } else { 0 });

        // As it says where they are lost.
        lose();
        fs::remove_file(kept.path("day.keys")).unwrap();
        let checked = kept.call(&["config", "check"], false);
        assert_eq!(checked.status.code(), Some(0), "{}", err(&checked));
        assert!(err(&checked).contains("queues.sqlite"), "{}", err(&checked));
        let (code, said) = kept.starts();
        assert!(code.is_none() && said.contains("queues.sqlite"), "{said}");
        // Said once: what is made now is its own.
        kept.runs(0);
        let looked = out(&kept.call(&["doctor"], false));
        assert!(!looked.contains("queues.sqlite"), "{looked}");
    }
}

#[test]
fn a_relay_does_not_run_with_a_key_whose_epoch_keys_nobody_takes() {
    let kept = Kept::new();
    // As out of a copy that was made before the keys were rotated.
    let signer = fs::read(kept.path("epoch-signer.key")).unwrap();
    assert_eq!(kept.call(&["keys", "rotate"], true).status.code(), Some(0));
    fs::write(kept.path("epoch-signer.key"), signer).unwrap();
    for (language, says) in [("en", "address and queues stay"), ("ru", "адрес и очереди останутся")]
    {
        let looked = out(&kept.call(&["doctor", "--lang", language], false));
        let failed = |line: &str| line.starts_with("FAIL") && line.contains("epoch-signer.key");
        assert!(looked.lines().any(failed), "{looked}");
        let refused = kept.call(&["run", "--lang", language], false);
        assert_eq!(refused.status.code(), Some(5), "{}", err(&refused));
        for says in ["epoch-signer.key", "init --dir", says] {
            assert!(err(&refused).contains(says), "{}", err(&refused));
        }
    }
    kept.away("epoch-signer.key");
    kept.away("descriptor");
    let made = kept.call(&["init", "--listen", &free(), "--public", "192.0.2.1:443"], true);
    assert_eq!((made.status.code(), out(&made)), (Some(0), kept.address.clone()), "{}", err(&made));
    kept.runs(1);
}
