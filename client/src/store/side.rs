//! The two sides of a profile: two databases, each with its journal and its seeds, of which only a key tells whether
//! anybody uses them.
//!
//! Every profile has both from its first moment on. One is its person's: which, was drawn with its master key. The other is
//! random bytes, or a decoy that a passphrase of its own opens. So that a look at the files does not tell:
//! - both sides are as large at any time: a side that needs room gets it in steps, of random bytes, once the other has got
//!   the same, and neither ever shrinks;
//! - both have the same times: whenever one was written, all files of both are touched, in an order that is drawn;
//! - a journal is empty but in the middle of a commit, and there are two.
//!
//! What was used is not told from what was not by its bytes: SQLCipher's pages begin with a salt and are random to the last
//! bit, and so are seeds. Two images of the disk from different days tell, by the blocks that changed.

use std::fs::{File, FileTimes, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::CryptoRng;
use rand::seq::SliceRandom as _;
use rusqlite::Connection;

use super::StoreError;
use super::body::in_place;
use super::lock::{private, sync_dir};
use crate::rng::Rng;

/// What a database has room for at first, and a file of seeds has bytes of: more than most people ever need. A side that outgrew
/// this shows by its size, beside a decoy that holds less, that it is used.
pub(super) const FIRST: [u64; 2] = [15 * 1024 * 1024, 512 * 1024];
/// The least, for who chose that a guess at the passphrase costs little: tests.
pub(super) const LEAST: [u64; 2] = [0, 1];
/// A database grows by so many bytes.
pub(super) const STEP: u64 = 4 * 1024 * 1024;
/// One that has less room than this left for its next pages grows. More than a commit writes: one that needed more would
/// lengthen its own file alone, until it is over.
const RESERVE: u64 = 1024 * 1024;
/// A file of seeds grows by so many bytes.
pub(super) const SEEDS_STEP: u64 = 64 * 1024;
/// Random bytes are made in pieces of so many.
const PIECE: usize = 64 * 1024;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    First,
    Second,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::First, Self::Second];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    pub(super) const fn database(self) -> &'static str {
        match self {
            Self::First => "store.1",
            Self::Second => "store.2",
        }
    }

    /// A database that is not complete yet.
    pub(super) const fn unfinished(self) -> &'static str {
        match self {
            Self::First => "store.1.new",
            Self::Second => "store.2.new",
        }
    }

    /// Where a database is built, before it is copied to its place.
    pub(super) const fn workshop(self) -> &'static str {
        match self {
            Self::First => "store.1.part",
            Self::Second => "store.2.part",
        }
    }

    const fn workshop_journal(self) -> &'static str {
        match self {
            Self::First => "store.1.part-journal",
            Self::Second => "store.2.part-journal",
        }
    }

    pub(super) const fn journal(self) -> &'static str {
        match self {
            Self::First => "store.1-journal",
            Self::Second => "store.2-journal",
        }
    }

    pub(super) const fn seeds(self) -> &'static str {
        match self {
            Self::First => "keys.1",
            Self::Second => "keys.2",
        }
    }

    /// Every file that it may have, whole or not.
    pub(super) const fn all(self) -> [&'static str; 6] {
        let [database, journal, seeds] = self.files();
        [database, self.unfinished(), journal, seeds, self.workshop(), self.workshop_journal()]
    }

    /// What lies there at rest.
    const fn files(self) -> [&'static str; 3] {
        [self.database(), self.journal(), self.seeds()]
    }
}

/// The files of both sides, of a profile that is open.
pub(super) struct Sides {
    dir: PathBuf,
    own: Side,
    all: Vec<File>,
}

impl Sides {
    /// Of the profile in `dir`, whose database `own` is complete: both sides are made alike, whatever an interruption left.
    pub(super) fn open(dir: &Path, own: Side) -> Result<Self, StoreError> {
        // A journal that was played back is emptied in its place: one that was made anew would be younger than the other.
        match shorten(&dir.join(own.journal()), 0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {} // one that somebody removed is made below
        }
        match level(dir) {
            // Who can't make both alike is let in all the same, and may delete something.
            Ok(()) | Err(StoreError::Full) => {}
            Err(error) => return Err(error),
        }
        let names = Side::BOTH.into_iter().flat_map(Side::files);
        let all = names.map(|name| Ok(write_to(&dir.join(name))?));
        let sides = Self { dir: dir.to_owned(), own, all: all.collect::<Result<_, StoreError>>()? };
        sides.touch();
        Ok(sides)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The side of the database that is open.
    pub(super) const fn own(&self) -> Side {
        self.own
    }

    /// Something was committed: sees to it that the next commit has room, and that no time tells where it was written.
    /// Where the disk has no room, what there is must do, and the next commit asks again.
    pub(super) fn keep_up(&self, conn: &Connection) {
        let _ = self.make_room(conn);
        self.touch();
    }

    fn make_room(&self, conn: &Connection) -> Result<(), StoreError> {
        let pages: u64 = conn.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))?;
        let used = pages.saturating_mul(PAGE);
        let has = std::fs::metadata(self.dir.join(self.own.database()))?.len();
        let wanted = if used.saturating_add(RESERVE) > has { has.saturating_add(1) } else { has };
        if wanted > has || has % STEP != 0 {
            lengthen_both(&self.dir, Side::database, wanted, STEP)
        } else {
            Ok(())
        }
    }

    /// Gives all files of both sides the times of the one that was written last. That the kernel notes when it was done can't
    /// be helped: the order is drawn. The time of the last reading lies ahead, because most systems note a reading only
    /// where the time that they have is older than the file, or than a day.
    pub(super) fn touch(&self) {
        let written = self.all.iter().filter_map(|file| file.metadata().ok()?.modified().ok()).max();
        let Some(last) = written else { return };
        let times = FileTimes::new().set_accessed(last + READ_AHEAD).set_modified(last);
        let mut all: Vec<&File> = self.all.iter().collect();
        all.shuffle(&mut Rng::system());
        for file in all {
            let _ = file.set_times(times); // on a file system that keeps no times there is nothing to tell
        }
    }
}

impl Drop for Sides {
    /// What was read since the last commit is not told either, where a system notes each reading.
    fn drop(&mut self) {
        self.touch();
    }
}

/// Bytes of a page of SQLCipher's.
const PAGE: u64 = 4096;
/// How far ahead the time of the last reading lies.
const READ_AHEAD: Duration = Duration::from_secs(30 * 24 * 3600);

/// Makes both sides alike: what is missing is made, and what is shorter gets as long as the other, of random bytes.
fn level(dir: &Path) -> Result<(), StoreError> {
    let mut made = false;
    for side in Side::BOTH {
        // Every opening makes and removes what a decoy would be built in: so the times of the folder, and what is left of
        // names in it, do not tell that there was one.
        make(&dir.join(side.workshop()), false)?;
        make(&dir.join(side.workshop_journal()), false)?;
        discard(dir, side)?;
        made |= make(&dir.join(side.journal()), false)?;
        made |= make(&dir.join(side.seeds()), true)?;
        made |= make(&dir.join(side.database()), false)?;
    }
    lengthen_both(dir, Side::seeds, 1, SEEDS_STEP)?;
    lengthen_both(dir, Side::database, 1, STEP)?;
    if made { sync_dir(dir) } else { Ok(()) }
}

/// Makes all files of both sides under the names of what is not complete, as long as each other and of random bytes, in an order
/// that is drawn: which of them the person gets is not to be told from which was made first. Files that are there stay.
pub(super) fn begin(dir: &Path, [database, seeds]: [u64; 2]) -> Result<(), StoreError> {
    let names = |side: Side| [(side.unfinished(), false), (side.journal(), false), (side.seeds(), true)];
    let mut all: Vec<(&str, bool)> = Side::BOTH.into_iter().flat_map(names).collect();
    all.shuffle(&mut Rng::system());
    for (name, overwritten) in all {
        make(&dir.join(name), overwritten)?;
    }
    lengthen_both(dir, Side::seeds, seeds, SEEDS_STEP)?;
    lengthen_both(dir, Side::unfinished, database.saturating_add(RESERVE), STEP)
}

/// Makes an empty file, for its owner only, where there is none; one that is `overwritten` in its place asks its file system
/// to let it be so. Whether it was made.
pub(super) fn make(path: &Path, overwritten: bool) -> Result<bool, StoreError> {
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Ok(file) => {
            if overwritten {
                in_place(&file);
            }
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens a file of ours to be written. Nobody who laid a link in its place has another file written.
fn write_to(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NOFOLLOW.bits().cast_signed(),
    );
    options.write(true).open(path)
}

/// Lengthens one file of each side to the same number of steps: as many as `at_least` bytes and the longer one take. If
/// one of them can't be, neither is.
pub(super) fn lengthen_both(
    dir: &Path,
    name: impl Fn(Side) -> &'static str,
    at_least: u64,
    step: u64,
) -> Result<(), StoreError> {
    let path = |side| dir.join(name(side));
    let lengths = [std::fs::metadata(path(Side::First))?.len(), std::fs::metadata(path(Side::Second))?.len()];
    let [first, second] = lengths;
    // One with a hole was lengthened by somebody else: nothing of ours has any, and to follow could fill the disk.
    if has_hole(&path(Side::First))? || has_hole(&path(Side::Second))? {
        return Ok(());
    }
    let longest = at_least.max(first).max(second);
    let target = longest.checked_next_multiple_of(step).ok_or(StoreError::Full)?;
    lengthen(&path(Side::First), target)?;
    lengthen(&path(Side::Second), target).inspect_err(|_| {
        let _ = shorten(&path(Side::First), first);
    })
}

/// Whether a file takes less room on the disk than it is long.
fn has_hole(path: &Path) -> Result<bool, StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let meta = std::fs::metadata(path)?;
        // Some file systems keep a small file in its inode, and count it late.
        Ok(meta.len() >= STEP && meta.blocks().saturating_mul(512).saturating_add(STEP) <= meta.len())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(false)
    }
}

/// Lengthens a file by random bytes, durably, or leaves it as it was.
fn lengthen(path: &Path, target: u64) -> Result<(), StoreError> {
    let mut file = write_to(path)?;
    let before = file.metadata()?.len();
    if before >= target {
        return Ok(());
    }
    file.seek(SeekFrom::Start(before))?;
    fill(&mut file, target.saturating_sub(before), &mut Rng::system()).inspect_err(|_| {
        let _ = file.set_len(before);
    })
}

fn shorten(path: &Path, length: u64) -> std::io::Result<()> {
    write_to(path)?.set_len(length)
}

/// Writes so many random bytes where the file stands, durably.
fn fill<R: CryptoRng + ?Sized>(file: &mut File, mut left: u64, rng: &mut R) -> Result<(), StoreError> {
    let mut noise = vec![0; PIECE];
    while left > 0 {
        rng.fill_bytes(&mut noise);
        let piece = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        file.write_all(noise.get(..piece).unwrap_or(&noise))?;
        left = left.saturating_sub(u64::try_from(piece).unwrap_or(u64::MAX));
    }
    Ok(file.sync_all()?)
}

/// Copies a database that was built to the beginning of a file that is there, in its place, so that the file stays where it
/// lies and as large as it is.
pub(super) fn transplant(dir: &Path, side: Side, to: &str) -> Result<(), StoreError> {
    empty(&dir.join(side.journal()))?; // or what was there would be played back over it
    graft(&dir.join(side.workshop()), &dir.join(to))?;
    discard(dir, side)
}

/// Copies a file over the first bytes of another one, durably.
pub(super) fn graft(from: &Path, to: &Path) -> Result<(), StoreError> {
    let (mut from, mut to) = (File::open(from)?, write_to(to)?);
    std::io::copy(&mut from, &mut to)?;
    Ok(to.sync_all()?)
}

/// Overwrites and removes what a database was built in, if it is there.
pub(super) fn discard(dir: &Path, side: Side) -> Result<(), StoreError> {
    shred(&dir.join(side.workshop()))?;
    shred(&dir.join(side.workshop_journal()))
}

/// Overwrites and removes a file, if it is there.
pub(super) fn shred(path: &Path) -> Result<(), StoreError> {
    if path.is_symlink() {
        return Ok(std::fs::remove_file(path)?); // what it leads to is not ours
    }
    match empty(path) {
        Ok(()) => Ok(std::fs::remove_file(path)?),
        Err(StoreError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Overwrites what is in a file, durably, and empties it.
fn empty(path: &Path) -> Result<(), StoreError> {
    let mut file = write_to(path)?;
    let length = file.metadata()?.len();
    if length > 0 {
        fill(&mut file, length, &mut Rng::system())?;
        file.set_len(0)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Overwrites the files of a side that nobody is to use any more, where they lie.
pub(super) fn overwrite(dir: &Path, side: Side) -> Result<(), StoreError> {
    empty(&dir.join(side.journal()))?;
    for name in [side.database(), side.seeds()] {
        let mut file = write_to(&dir.join(name))?;
        let length = file.metadata()?.len();
        fill(&mut file, length, &mut Rng::system())?;
    }
    Ok(())
}
