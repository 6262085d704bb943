//! The two sides of a profile: alike in size and time whatever is done, and random to the last bit.

use super::seeds::{contact, write, write_all};
use super::*;
use crate::store::{older, side, sqlcipher};

/// Sizes and times of the files of either side.
fn look(dir: &Path, side: Side) -> [String; 3] {
    [side.database(), side.journal(), side.seeds()].map(|name| {
        let meta = fs::metadata(dir.join(name)).unwrap();
        format!("{} {:?} {:?}", meta.len(), meta.modified().unwrap(), meta.accessed().unwrap())
    })
}

fn assert_alike(dir: &Path) {
    assert_eq!(look(dir, Side::First), look(dir, Side::Second));
}

#[test]
fn both_sides_have_the_same_sizes_and_times_after_whatever_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    assert_alike(dir.path());
    let boris = contact(&mut store);
    for n in (0..2_100).step_by(100) {
        write_all(&mut store, boris, n..n + 99);
        write(&mut store, boris, n + 99).unwrap();
        assert_alike(dir.path());
    }
    let mut sizes = std::collections::BTreeSet::new();
    for n in 0..60 {
        put(&mut store, &vec![n; 100_000 * usize::from(n)]);
        assert_alike(dir.path());
        sizes.insert(fs::metadata(database(dir.path())).unwrap().len());
    }
    // It grew, in steps, and not a byte of one write shows.
    assert!(sizes.len() > 1 && sizes.iter().all(|size| size % side::STEP == 0), "{sizes:?}");
    put(&mut store, b"little again");
    assert_eq!(fs::metadata(database(dir.path())).unwrap().len(), *sizes.last().unwrap());
    store.close().unwrap();
    assert_alike(dir.path());
    let mut store = Store::open(dir.path(), &pass("right")).unwrap();
    assert_alike(dir.path());
    assert_eq!(get(&mut store), Some(b"little again".to_vec()));
}

#[test]
fn which_side_is_the_persons_is_drawn() {
    let sides: Vec<Side> = (0..32)
        .map(|seed| {
            let dir = tempfile::tempdir().unwrap();
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            drop(Store::create(dir.path(), &pass("right"), KdfCost::FOR_TESTS, &mut rng).unwrap());
            own(dir.path())
        })
        .collect();
    let first = sides.iter().filter(|side| **side == Side::First).count();
    assert!((4..=28).contains(&first), "{first} of 32");
}

/// How far the bytes are from random ones: for those, near 255.
fn chi_squared(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let expected = f64::from(u32::try_from(bytes.len()).unwrap()) / 256.0;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

#[test]
fn the_bytes_of_a_side_do_not_tell_whether_anybody_uses_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write_all(&mut store, boris, 0..500);
    store.close().unwrap();
    for side in Side::BOTH {
        for name in [side.database(), side.seeds()] {
            let bytes = fs::read(dir.path().join(name)).unwrap();
            // The used part and the rest too: 12 standard deviations.
            for part in [&bytes[..], &bytes[..4096], &bytes[..64 * 1024], &bytes[bytes.len() - 4096..]] {
                let far = chi_squared(part);
                assert!((0.0..255.0 + 12.0 * 22.6).contains(&far), "{name}: {far}");
            }
            assert!(bytes.chunks(16).all(|chunk| chunk != [0; 16]), "{name} has zeros");
        }
    }
    // The look finds what is not random.
    assert!(chi_squared(&[b"text".as_slice(); 1024].concat()) > 10_000.0);
}

#[test]
fn what_an_interruption_left_of_the_other_side_is_made_whole_by_the_next_opening() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path()).close().unwrap();
    let other = own(dir.path()).other();
    let path = |name: &str| dir.path().join(name);
    let shorten = |name, len| fs::File::options().write(true).open(path(name)).unwrap().set_len(len).unwrap();
    shorten(other.database(), 5_000);
    shorten(other.seeds(), 100);
    // Empty files are what a copy may leave out.
    for side in Side::BOTH {
        fs::remove_file(path(side.journal())).unwrap();
    }
    fs::write(path(other.workshop()), "half a database").unwrap();
    drop(Store::open(dir.path(), &pass("right")).unwrap());
    assert_alike(dir.path());
    for name in [other.database(), other.seeds()] {
        fs::remove_file(path(name)).unwrap();
    }
    // Ours had just grown.
    let ours = path(other.other().database());
    let grown = [fs::read(&ours).unwrap(), vec![7; usize::try_from(2 * side::STEP).unwrap()]].concat();
    fs::write(ours, grown).unwrap();
    drop(Store::open(dir.path(), &pass("right")).unwrap());
    assert_alike(dir.path());
    assert!(!path(other.workshop()).exists());
}

#[test]
fn a_side_that_somebody_made_huge_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path()).close().unwrap();
    let other = dir.path().join(own(dir.path()).other().database());
    fs::File::options().write(true).open(&other).unwrap().set_len(1 << 40).unwrap();
    let mut store = Store::open(dir.path(), &pass("right")).unwrap();
    put(&mut store, b"goes on");
    assert!(fs::metadata(database(dir.path())).unwrap().len() < 1 << 30);
}

#[test]
fn what_is_only_read_moves_no_time_of_the_side_that_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write(&mut store, boris, 1).unwrap();
    for _ in 0..3 {
        assert_eq!(store.transaction(|tx| tx.history(boris, None, 9)).unwrap().len(), 1);
        assert_alike(dir.path());
    }
    // Nor does a raw reading, on a system that notes it where the file is younger.
    for side in [own(dir.path()), own(dir.path()).other()] {
        fs::read(dir.path().join(side.database())).unwrap();
        assert_alike(dir.path());
    }
    drop(store);
    assert_alike(dir.path());
}

#[test]
#[cfg(unix)]
fn a_journal_that_a_kill_left_is_played_back_and_emptied_where_it_lies() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    put(&mut store, b"before");
    put_large(&mut store, 1);
    let mut killed = None;
    let cut: Result<(), StoreError> = store.transaction(|tx| {
        // Little is kept in memory, so that pages go to the disk before the commit.
        tx.conn().execute_batch("PRAGMA cache_size = 5").map_err(StoreError::from)?;
        tx.set_meta("large", &vec![2; 1 << 20])?;
        tx.set_meta("test", b"half")?;
        killed = Some(Store::killed(dir.path()));
        Err(StoreError::BadRow)
    });
    assert!(cut.is_err());
    let copy = killed.unwrap();
    let journal = copy.path().join(own(dir.path()).journal());
    let before = fs::metadata(&journal).unwrap();
    assert!(before.len() > 512, "nothing is to be played back");
    let mut store = Store::open(copy.path(), &pass("right")).unwrap();
    assert_eq!(get(&mut store), Some(b"before".to_vec()));
    let after = fs::metadata(&journal).unwrap();
    assert_eq!((after.len(), after.ino()), (0, before.ino()));
    assert_alike(copy.path());
}

fn put_large(store: &mut Store, byte: u8) {
    store.transaction(|tx| tx.set_meta("large", &vec![byte; 1 << 20])).unwrap();
}

#[test]
#[cfg(unix)]
fn the_files_of_both_sides_are_made_in_an_order_that_is_drawn_and_before_the_header() {
    use std::os::unix::fs::MetadataExt as _;
    let mut own_first = 0;
    for seed in 0..24 {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        drop(Store::create(dir.path(), &pass("right"), KdfCost::FOR_TESTS, &mut rng).unwrap());
        let own = own(dir.path());
        let born = |name: &str| {
            let meta = fs::metadata(dir.path().join(name)).unwrap();
            (meta.created().ok(), meta.ino())
        };
        let header = born(vault::NAME).0;
        for side in Side::BOTH {
            for name in [side.database(), side.journal(), side.seeds()] {
                assert!(born(name).0 <= header, "{name}");
            }
        }
        own_first += usize::from(born(own.database()).1 < born(own.other().database()).1);
    }
    assert!((2..=22).contains(&own_first), "{own_first} of 24");
}

#[test]
fn a_profile_at_the_usual_price_begins_with_room_for_years_of_texts() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::create(dir.path(), &pass("right"), KdfCost::DEFAULT, &mut rng()).unwrap());
    let len = |name| fs::metadata(dir.path().join(name)).unwrap().len();
    for side in Side::BOTH {
        assert_eq!((len(side.database()), len(side.seeds())), (16 << 20, 512 << 10));
    }
}

#[test]
#[cfg(unix)]
fn a_link_in_the_place_of_a_file_has_no_other_file_written() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path()).close().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let letter = elsewhere.path().join("letter");
    fs::write(&letter, "not ours").unwrap();
    let side = own(dir.path()).other();
    for name in [side.workshop(), "store.db", "body.keys", side.database(), side.journal()] {
        let path = dir.path().join(name);
        let before = fs::read(&path);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(&letter, &path).unwrap();
        let _ = Store::open(dir.path(), &pass("right"));
        assert_eq!(fs::read(&letter).unwrap(), b"not ours", "{name}");
        let _ = fs::remove_file(&path);
        before.into_iter().for_each(|bytes| fs::write(&path, bytes).unwrap());
    }
    Store::open(dir.path(), &pass("right")).unwrap();
}

/// Makes of a profile what an earlier version had: one database with a write-ahead log, and one file of seeds.
fn make_older(dir: &Path) {
    let side = own(dir);
    let master = Vault::open(dir, &pass("right")).unwrap().1;
    let conn = sqlcipher::connect(&dir.join(side.database()), &master.database_key().unwrap()).unwrap();
    conn.execute_batch("PRAGMA locking_mode = EXCLUSIVE; SELECT count(*) FROM meta;").unwrap();
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    conn.execute("INSERT INTO meta (key, value) VALUES ('late', x'01')", []).unwrap();
    // Copied as a killed process leaves it: the row is in the log only.
    let killed = tempfile::tempdir().unwrap();
    let log = format!("{}-wal", side.database());
    for (from, to) in
        [(side.database(), older::DATABASE), (&*log, "store.db-wal"), (side.seeds(), older::SEEDS)]
    {
        fs::copy(dir.join(from), killed.path().join(to)).unwrap();
    }
    drop(conn);
    for (name, _) in files(dir).iter().filter(|(name, _)| !["vault.hdr", "lock"].contains(&name.as_str())) {
        fs::remove_file(dir.join(name)).unwrap();
    }
    for (name, bytes) in files(killed.path()) {
        fs::write(dir.join(name), bytes).unwrap();
    }
}

#[test]
fn a_profile_of_an_earlier_version_gets_its_second_side_when_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = make(dir.path());
    let boris = contact(&mut store);
    write(&mut store, boris, 1).unwrap();
    store.close().unwrap();
    make_older(dir.path());
    let check = |dir: &Path| {
        let mut store = Store::open(dir, &pass("right")).unwrap();
        assert_eq!(store.transaction(|tx| tx.meta("late")).unwrap(), Some(vec![1]));
        assert_eq!(store.transaction(|tx| tx.history(boris, None, 9)).unwrap().len(), 1);
        store.close().unwrap();
        assert_alike(dir);
        let names: Vec<_> = files(dir).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 8, "{names:?}");
    };
    // Cut short while the new files were made.
    let cut = Store::killed(dir.path());
    for name in ["store.1.new", "store.2.new", "keys.1"] {
        fs::write(cut.path().join(name), "half").unwrap();
    }
    check(cut.path());
    // Cut short when they had their names, and what was there before was not removed.
    let cut = Store::killed(dir.path());
    check(cut.path());
    let mut store = Store::open(cut.path(), &pass("right")).unwrap();
    put(&mut store, b"since then");
    drop(store);
    for name in [older::DATABASE, older::SEEDS] {
        fs::copy(dir.path().join(name), cut.path().join(name)).unwrap();
    }
    check(cut.path());
    assert_eq!(get(&mut Store::open(cut.path(), &pass("right")).unwrap()), Some(b"since then".to_vec()));
    // A side that is none costs the profile nothing.
    let cut = Store::killed(dir.path());
    for side in Side::BOTH {
        fs::write(cut.path().join(side.database()), vec![7; 8192]).unwrap();
    }
    assert_eq!(Store::open(cut.path(), &pass("right")).unwrap_err(), StoreError::Damaged);
    for side in Side::BOTH {
        fs::remove_file(cut.path().join(side.database())).unwrap();
    }
    check(cut.path());
    // Half of a step of a large one, and it is gone on with.
    let cut = Store::killed(dir.path());
    check(cut.path());
    let other = cut.path().join(own(dir.path()).other().database());
    let longer = fs::read(&other).unwrap().repeat(20);
    fs::write(cut.path().join(own(dir.path()).database()), {
        let mut bytes = fs::read(database(cut.path())).unwrap();
        bytes.extend_from_slice(&longer);
        bytes
    })
    .unwrap();
    check(cut.path());
    // And a panic knows the older files.
    let doomed = Store::killed(dir.path());
    Destruction::of(doomed.path()).unwrap().run().unwrap();
    assert!(files(doomed.path()).iter().all(|(name, _)| name == "lock"));
    check(dir.path());
}
