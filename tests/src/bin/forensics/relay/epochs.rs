//! Epoch keys that are destroyed: whoever finds one opens with it what was recorded on the line in its two days (rule D8).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Of a key in `epoch.keys`: its day, and its seed.
const DAY: usize = 8;
const SLOT: usize = DAY + 32;
/// How many there may be; zeros follow.
const SLOTS: usize = 4;
/// By how much they are made older, in days: their time is over then.
const OLDER: u64 = 10;

fn file(folder: &Path) -> PathBuf {
    folder.join("epoch.keys")
}

/// The days and seeds that lie there, each with its place.
fn keys(folder: &Path) -> Vec<(u64, u64, Vec<u8>)> {
    let bytes = std::fs::read(file(folder)).unwrap();
    let slots = bytes.chunks_exact(SLOT).take(SLOTS).enumerate();
    let keys = slots.map(|(n, slot)| {
        let (day, seed) = slot.split_at(DAY);
        ((n * SLOT) as u64, u64::from_be_bytes(day.try_into().unwrap()), seed.to_vec())
    });
    keys.filter(|(_, day, _)| *day != 0).collect()
}

/// The seeds that lie there.
pub(super) fn seeds(folder: &Path) -> Vec<Vec<u8>> {
    keys(folder).into_iter().map(|(_, _, seed)| seed).collect()
}

/// Lets the keys that the relay made be those of days long ago, which it destroys with its next start: their seeds. It wrote them
/// itself, to a file of its own making; only the days are written anew, where they lie.
pub(super) fn age(folder: &Path) -> Vec<Vec<u8>> {
    let file: File = OpenOptions::new().write(true).open(file(folder)).unwrap();
    for (at, day, _) in keys(folder) {
        file.write_all_at(&(day - OLDER).to_be_bytes(), at).unwrap();
    }
    file.sync_all().unwrap();
    let seeds = seeds(folder);
    assert!(!seeds.is_empty(), "the relay made no epoch key");
    seeds
}
