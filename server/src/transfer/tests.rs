mod cut;
mod left;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use beresta_proto::envelope::Envelope;
use beresta_proto::key::{CapabilityHash, VerifyingKey};
use beresta_proto::limits::BUCKET_S;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};

use super::import::read;
use super::seal::Opener;
use super::*;
use crate::queue::rules::queue_ref;
use crate::queue::{Answer, MessageName, Op, QueueEngine as _, ReadName, SendName};
use crate::random::SystemRandom;
use crate::setup::{Wish, init, load};

const NOW: Timestamp = Timestamp(1_795_512_000_000);
const PASSPHRASE: &str = "correct horse battery staple";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A relay in the folder `old`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wish = Wish {
            dir: folder.path().join("old"),
            listen: Some("127.0.0.1:1".parse().unwrap()),
            public: vec!["192.0.2.1:443".parse().unwrap()],
            operator: Some("Anna".to_owned()),
            identity: None,
            clock_is_right: false,
        };
        init(&wish, NOW, &mut SystemRandom::new().unwrap()).unwrap();
        let home = Home::at(&wish.dir);
        home.overwrite(Name::EpochKeys, &[3; 120]).unwrap();
        Self { folder }
    }

    /// What the queues of a relay that was started here answer.
    fn ask<const N: usize>(&self, name: &str, ops: [Op; N]) -> [Answer; N] {
        let home = self.home(name);
        let (keeping, proof) = (Config::read(&home).unwrap().keeping(), setup::namer(&home).unwrap().proof());
        let engine =
            SqliteEngine::open(&home.path(Name::Queues), Cap { bytes: 1 << 20 }, keeping, proof).unwrap();
        ops.map(|op| {
            let (tell, told) = mpsc::channel();
            engine.submit(op, Box::new(move |answer| tell.send(answer).unwrap()));
            told.recv().unwrap()
        })
    }

    /// Puts a message into a queue.
    fn store(&self, name: &str) {
        let (read, send) = (ReadName([1; 32]), SendName([2; 32]));
        let (read_key, capability) = (VerifyingKey([3; 32]), CapabilityHash([4; 32]));
        let make = Op::MakeQueue { read, send, read_key, capability, credit: None, now: NOW };
        let (message, envelope) = (MessageName([5; 8]), Envelope::from_bytes(vec![6; BUCKET_S]).unwrap());
        let append = Op::Append { send, capability, message, ttl: TtlClass::Week, envelope, now: NOW };
        let [made, stored] = self.ask(name, [make, append]);
        assert!(matches!((made, stored), (Answer::Made(_), Answer::Appended { .. })));
    }

    /// How many messages come out of that queue.
    fn waiting(&self, name: &str) -> usize {
        let queue = queue_ref(&ReadName([1; 32]));
        let fetch = Op::Fetch { queue, after: 0, max_messages: 9, max_bytes: usize::MAX, now: NOW };
        let [Answer::Messages(messages)] = self.ask(name, [fetch]) else { panic!() };
        assert!(messages.iter().all(|one| one.envelope.as_bytes() == [6; BUCKET_S]));
        messages.len()
    }

    fn home(&self, name: &str) -> Home {
        Home::at(&self.folder.path().join(name))
    }

    fn export(&self, what: What) -> Result<(), TransferError> {
        let (old, file) = (self.folder.path().join("old"), self.folder.path().join("file"));
        export(&old, &file, what, PASSPHRASE, Cost::FOR_TESTS, &mut SystemRandom::new().unwrap())
    }

    fn import(&self) -> Result<(), TransferError> {
        import(&self.folder.path().join("new"), &self.folder.path().join("file"), PASSPHRASE)
    }
}

#[test]
fn a_moved_relay_is_the_same_relay_and_the_old_one_is_marked() {
    let place = Place::new();
    place.export(What::Move).unwrap();
    place.import().unwrap();
    for name in Name::LASTING.into_iter().filter(|name| *name != Name::Paused) {
        assert_eq!(place.home("new").read(name).unwrap(), place.home("old").read(name).unwrap(), "{name:?}");
    }
    let queues = |home: &str| fs::read(place.home(home).path(Name::Queues)).unwrap();
    assert_eq!(queues("new"), queues("old"));
    assert!(place.home("old").has(Name::Moved) && !place.home("new").has(Name::Moved));
    let there = load(&place.folder.path().join("new"), NOW).unwrap();
    assert_eq!(there.descriptor, load(&place.folder.path().join("old"), NOW).unwrap().descriptor);
}

#[test]
fn what_waited_is_read_where_the_relay_moved_to() {
    let place = Place::new();
    place.store("old");
    place.export(What::Move).unwrap();
    let sealed = fs::read(place.folder.path().join("file")).unwrap();
    let keys = place.home("old").read(Name::DayKeys).unwrap();
    assert!(!keys.chunks(32).any(|key| sealed.windows(32).any(|window| window == key)), "sealed as the rest");
    place.import().unwrap();
    assert_eq!(place.waiting("new"), 1);
}

#[test]
fn a_relay_without_the_keys_of_what_waits_is_not_moved() {
    let place = Place::new();
    place.store("old");
    let (keys, aside) = (place.home("old").path(Name::DayKeys), place.folder.path().join("aside"));
    fs::rename(&keys, &aside).unwrap();
    assert_eq!(place.export(What::Move), Err(TransferError::Keys));
    assert!(!place.home("old").has(Name::Moved) && !place.folder.path().join("file").exists());
    fs::write(&keys, [0; 4_096]).unwrap();
    assert_eq!(place.export(What::Move), Err(TransferError::Keys));
    fs::rename(&aside, &keys).unwrap();
    assert_eq!(place.waiting("old"), 1, "nothing was changed");
}

#[test]
fn of_a_volatile_relay_the_queues_move_and_nothing_that_waited() {
    let place = Place::new();
    let listen = "listen = \"127.0.0.1:1\"\nvolatile = true\n";
    place.home("old").replace(Name::Config, listen.as_bytes()).unwrap();
    place.store("old");
    place.export(What::Move).unwrap();
    place.import().unwrap();
    for home in ["old", "new"] {
        assert!(!place.home(home).has(Name::DayKeys));
        let stats = SqliteEngine::peek(&place.home(home).path(Name::Queues)).unwrap();
        assert_eq!((stats.queues, stats.messages), (1, 0), "{home}");
    }
    assert_eq!(place.waiting("new"), 0);
}

#[test]
fn an_export_that_finds_no_place_for_its_file_destroys_nothing() {
    let place = Place::new();
    place.store("old");
    // Volatile from its next start on: to open it so drops what waits.
    let home = place.home("old");
    home.replace(Name::Config, b"listen = \"127.0.0.1:1\"\nvolatile = true\n").unwrap();
    fs::write(place.folder.path().join("file"), b"there").unwrap();
    assert!(place.export(What::Move).is_err());
    assert!(home.has(Name::DayKeys) && !home.has(Name::Moved));
    let stats = SqliteEngine::peek(&home.path(Name::Queues)).unwrap();
    assert_eq!((stats.queues, stats.messages), (1, 1));
}

#[test]
fn a_backup_keeps_no_queue_and_no_key_that_is_to_be_destroyed() {
    let place = Place::new();
    place.store("old");
    place.export(What::Backup).unwrap();
    place.import().unwrap();
    let new = place.home("new");
    assert!(new.has(Name::Identity) && new.has(Name::QueueKey));
    assert!(!new.has(Name::EpochKeys) && !new.has(Name::DayKeys) && !new.has(Name::Queues));
    assert!(!place.home("old").has(Name::Moved), "the relay runs on");
    load(&place.folder.path().join("new"), NOW.plus(DAY_MS)).unwrap();
}

#[test]
fn a_relay_that_lacks_what_it_needs_is_neither_moved_nor_called_saved() {
    for name in [Name::Config, Name::RelayId, Name::TlsKey, Name::EpochSigner, Name::QueueKey] {
        for damaged in [false, true] {
            let place = Place::new();
            let (old, file) = (place.home("old"), place.folder.path().join("file"));
            fs::remove_file(old.path(name)).unwrap();
            if damaged {
                // No UTF-8 either.
                fs::write(old.path(name), [0xff; 9]).unwrap();
            }
            for what in [What::Backup, What::Move] {
                let wrong = if damaged { HomeError::Damaged(name) } else { HomeError::Missing(Some(name)) };
                assert_eq!(place.export(what), Err(wrong.into()), "{what:?}");
                assert!(!old.has(Name::Moved) && !file.exists(), "nothing was written");
            }
        }
    }
    // Another relay's, say.
    let place = Place::new();
    place.home("old").overwrite(Name::EpochSigner, &[7; 32]).unwrap();
    assert_eq!(place.export(What::Backup), Err(HomeError::Damaged(Name::EpochSigner).into()));
}

#[test]
fn a_relay_with_the_queue_key_of_another_is_not_moved() {
    let place = Place::new();
    place.store("old");
    place.home("old").overwrite(Name::QueueKey, &[7; 32]).unwrap();
    assert_eq!(place.export(What::Move), Err(TransferError::QueueKey), "no queue would be found there");
    let backup = place.export(What::Backup);
    assert_eq!(backup, Err(TransferError::QueueKey), "the last good one would be destroyed");
    assert!(!place.home("old").has(Name::Moved) && !place.folder.path().join("file").exists());
}

#[test]
fn a_relay_that_runs_is_not_moved_and_may_run_on() {
    let place = Place::new();
    let (queues, proof) =
        (place.home("old").path(Name::Queues), setup::namer(&place.home("old")).unwrap().proof());
    let runs = SqliteEngine::open(&queues, Cap { bytes: 1 << 20 }, Keeping::Durable, proof).unwrap();
    assert_eq!(place.export(What::Move), Err(TransferError::Running));
    assert!(!place.home("old").has(Name::Moved) && !place.folder.path().join("file").exists());
    drop(runs);
    fs::write(place.folder.path().join("file"), b"mine").unwrap();
    assert_eq!(place.export(What::Move), Err(TransferError::Exists(None)));
    assert!(!place.home("old").has(Name::Moved));
    assert_eq!(fs::read(place.folder.path().join("file")).unwrap(), b"mine");
}

#[test]
fn an_import_that_fails_leaves_nothing_and_one_into_a_relay_changes_nothing() {
    let place = Place::new();
    place.export(What::Move).unwrap();
    let file = place.folder.path().join("file");
    let whole = fs::read(&file).unwrap();
    let wrong = import(&place.folder.path().join("new"), &file, "another");
    assert_eq!(wrong, Err(TransferError::WrongPassphrase));
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    assert!(place.import().is_err());
    fs::write(&file, b"no export").unwrap();
    assert_eq!(place.import(), Err(TransferError::NotAnExport));
    let left = fs::read_dir(place.folder.path().join("new")).map_or(0, Iterator::count);
    assert_eq!(left, 0);

    // What an earlier relay's queues left would be played into those that come.
    fs::write(&file, &whole).unwrap();
    let log = log_of(&place.home("new"));
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    fs::write(&log, b"of another").unwrap();
    assert_eq!(place.import(), Err(TransferError::Occupied));
    fs::remove_file(log).unwrap();

    place.import().unwrap();
    assert_eq!(place.import(), Err(TransferError::Occupied));
    place.home("new").read(Name::TlsKey).unwrap();
}

/// Hands out so many bytes of an export, and then nothing any more, as where the power fails.
struct Cut<'a>(&'a [u8]);

impl Read for Cut<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 => panic!("the power fails"),
            read => Ok(read),
        }
    }
}

#[test]
fn an_import_that_was_cut_short_is_no_relay_and_is_begun_again() {
    let place = Place::new();
    place.store("old");
    place.export(What::Move).unwrap();
    let (new, file) = (place.home("new"), place.folder.path().join("file"));
    let mut whole = Vec::new();
    Opener::new(File::open(&file).unwrap(), PASSPHRASE).unwrap().read_to_end(&mut whole).unwrap();
    for cut in [1, 300, 2_000, 6_000, whole.len() - 1] {
        // Up to there as an import does it, which then can't clear away.
        new.create().unwrap();
        new.create_file(Name::Importing, b"").unwrap();
        let mut cut = Cut(&whole[..cut]);
        assert!(catch_unwind(AssertUnwindSafe(|| read(&new, &mut cut))).is_err());

        let dir = place.folder.path().join("new");
        assert_eq!(setup::describe(&dir).unwrap_err(), SetupError::HalfImported);
        let wish = Wish {
            dir,
            listen: Some("127.0.0.1:1".parse().unwrap()),
            public: vec!["192.0.2.1:443".parse().unwrap()],
            operator: None,
            identity: None,
            clock_is_right: false,
        };
        let made = init(&wish, NOW, &mut SystemRandom::new().unwrap());
        assert_eq!(made.unwrap_err(), SetupError::HalfImported);
        place.import().unwrap();
        assert_eq!(place.waiting("new"), 1);
        assert!(!new.has(Name::Importing));
        fs::remove_dir_all(place.folder.path().join("new")).unwrap();
    }
}

#[test]
fn a_relay_whose_import_left_only_its_mark_is_whole_and_is_never_cleared() {
    let place = Place::new();
    place.store("old");
    place.export(What::Move).unwrap();
    place.import().unwrap();
    let new = place.home("new");
    new.create_file(Name::Importing, b"").unwrap();
    assert_eq!(place.import(), Err(TransferError::Occupied));
    load(&place.folder.path().join("new"), NOW).unwrap();
    // It ran, and lost its descriptor later: the mark says nothing of it.
    assert_eq!(place.waiting("new"), 1);
    fs::remove_file(new.path(Name::Descriptor)).unwrap();
    assert_eq!(setup::describe(&place.folder.path().join("new")).unwrap_err(), SetupError::NoRelay);
    assert_eq!(place.import(), Err(TransferError::Occupied));
    new.read(Name::Identity).unwrap();
    // Whoever changes the folder takes the mark of a whole one away.
    new.create_file(Name::Descriptor, &place.home("old").read(Name::Descriptor).unwrap()).unwrap();
    drop(new.alone().unwrap());
    assert!(!new.has(Name::Importing));
}

#[test]
fn what_earlier_queues_left_does_not_make_an_import_look_like_a_relay_that_ran() {
    let place = Place::new();
    place.export(What::Move).unwrap();
    let queues = place.home("new").path(Name::Queues);
    fs::create_dir_all(queues.parent().unwrap()).unwrap();
    fs::write(queues.with_extension("sqlite.lock"), b"").unwrap();
    assert!(SqliteEngine::was_opened(&queues));
    place.import().unwrap();
    assert!(!SqliteEngine::was_opened(&queues));
}

#[test]
fn what_a_repair_left_does_not_take_the_place_of_queues_that_were_imported() {
    let place = Place::new();
    place.store("old");
    place.export(What::Move).unwrap();
    let new = place.home("new");
    new.create().unwrap();
    let left = |suffix: &str| new.path(Name::Queues).with_extension(format!("sqlite{suffix}"));
    // Whole, these may be all that is left of a relay.
    fs::write(left(".beresta-salvaged"), b"of another").unwrap();
    assert_eq!(place.import(), Err(TransferError::Occupied));
    assert!(left(".beresta-salvaged").exists());
    // Of a folder in which only an import was at work, they are of nobody.
    new.create_file(Name::Importing, b"").unwrap();
    let halves = [".beresta-unfinished", ".beresta-unfinished-wal", ".beresta-unfinished-journal"];
    for half in halves {
        fs::write(left(half), b"of another").unwrap();
    }
    place.import().unwrap();
    assert!(![".beresta-salvaged"].into_iter().chain(halves).any(|suffix| left(suffix).exists()));
    assert_eq!(place.waiting("new"), 1);
}

#[test]
fn an_import_that_failed_and_was_cut_short_while_it_cleared_is_begun_again() {
    let place = Place::new();
    place.export(What::Move).unwrap();
    place.import().unwrap();
    let new = place.home("new");
    new.create_file(Name::Importing, b"").unwrap();
    // As far as the first file that goes.
    new.remove(Name::Descriptor).unwrap();
    place.import().unwrap();
    load(&place.folder.path().join("new"), NOW).unwrap();
}

#[test]
fn a_name_that_is_no_file_of_a_relay_is_refused() {
    let place = Place::new();
    let home = place.home("new");
    home.create().unwrap();
    for name in ["../evil", "admin.sock", "moved", "queues.sqlite-wal"] {
        let mut entry = vec![u8::try_from(name.len()).unwrap()];
        entry.extend_from_slice(name.as_bytes());
        entry.extend_from_slice(&[0; 9]);
        assert_eq!(read(&home, &mut entry.as_slice()), Err(TransferError::Damaged), "{name}");
    }
    let mut huge = [&[10][..], b"descriptor", &u64::MAX.to_be_bytes()].concat();
    huge.extend_from_slice(&[0; 100]);
    assert_eq!(read(&home, &mut huge.as_slice()), Err(TransferError::Damaged));
}
