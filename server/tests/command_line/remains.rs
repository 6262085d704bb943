//! A relay of which a file was lost, and what an operator does then.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;

use beresta_proto::key::{CapabilityHash, VerifyingKey};
use beresta_server::clock;
use beresta_server::queue::rules::Cap;
use beresta_server::queue::sqlite::{Keeping, SqliteEngine};
use beresta_server::queue::{Answer, Op, QueueEngine as _, ReadName, SendName};

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
        let engine =
            SqliteEngine::open(&dir.join("queues.sqlite"), Cap { bytes: 1 << 20 }, Keeping::Durable).unwrap();
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
fn a_key_of_queues_that_was_lost_is_never_made_anew_beside_them() {
    let kept = Kept::new();
    kept.away("queue.key");
    for (command, stick) in [(&["init"][..], true), (&["run"], false)] {
        let refused = kept.call(command, stick);
        assert_eq!(refused.status.code(), Some(1), "{}", err(&refused));
        assert!(err(&refused).contains("queue.key is missing"), "{}", err(&refused));
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
        if name == "queue.key" || name.starts_with("queues.sqlite") {
            kept.away(&name);
        }
    }
    let made = kept.call(&["init"], true);
    assert_eq!((made.status.code(), out(&made)), (Some(0), kept.address.clone()), "{}", err(&made));
    kept.runs(0);
}
