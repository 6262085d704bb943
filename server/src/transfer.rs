//! A relay as one file under a passphrase: to move it to another machine, or to keep its keys. The address stays, for it is
//! the identity's.
//!
//! A relay that was moved must not run in its old place too: two would answer under one address, each with half of the
//! queues, and with other epoch keys for the same day, which looks like an attack to everybody (rule D9). So moving leaves
//! a mark, and [`crate::home::Name::Moved`] keeps the old one from running.
//!
//! ```text
//! the mark says begun │ the file is made │ written │ flushed, its name too │ the mark says done
//! ```
//! Each is on the disk before the next. Where one fails, the mark goes only once no file is left that could be imported.

mod check;
mod import;
mod mark;
mod seal;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use beresta_proto::rng::Random;

use crate::home::{Home, HomeError, Name, sync_folder};
use crate::queue::rules::Cap;
use crate::queue::sqlite::{Keeping, OpenError, SqliteEngine};
use crate::setup::{self, Config, SetupError};

pub use check::{check_export, check_import};
pub use import::import;
pub use mark::Mark;
pub use seal::Cost;
use seal::Sealer;

/// Bytes of the queues that are in memory at a time.
const PIECE: usize = 64 * 1024;

/// What is taken along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// All of it, the queues and what waits in them included, with its keys; of a volatile relay the queues only. The relay
    /// must not run, here or again.
    Move,
    /// What can't be made anew. Neither queues nor keys of a day: they are to be gone when their time is over, and a copy in
    /// a drawer would keep them. The relay may run.
    Backup,
}

/// Why a relay was not exported or imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// There is no relay, or it is damaged.
    #[error(transparent)]
    Setup(SetupError),
    /// The relay runs; it has to be stopped first.
    #[error("the relay runs")]
    Running,
    /// The queues can't be opened.
    #[error("the queues can't be opened")]
    Queues,
    /// The keys of what waits are missing or damaged.
    #[error("the keys of what waits are missing or damaged")]
    Keys,
    /// The key of the queues' names is another relay's: a copy with it would find none of them.
    #[error("the key of the queues is another")]
    QueueKey,
    /// The file is there already. Of a move with what the mark in the folder says: it may be the one that an export left.
    #[error("the file exists")]
    Exists(Option<Mark>),
    /// What was named as the file is a folder.
    #[error("a folder")]
    Folder,
    /// The folder in which the file would be is not there.
    #[error("no such folder")]
    NoFolder,
    /// There is a relay in the folder, or a part of one.
    #[error("the folder is not empty")]
    Occupied,
    /// The file can't be written, or its disk is full.
    #[error("the file can't be written")]
    Unwritten(ErrorKind),
    /// The file could not be written to its end, or that could not be made to last, and what was written could not be removed:
    /// half of it, or of a backup perhaps all, lies there.
    #[error("half of the file is left")]
    Left,
    /// The file was written to its end, that could not be made to last, and it could not be removed for good: it may be whole.
    #[error("the file may be whole")]
    Unsure,
    /// The file that is to be imported is not there.
    #[error("no such file")]
    NoFile,
    /// It can't be read.
    #[error("the file can't be read")]
    Unread(ErrorKind),
    /// The relay's folder can't be made or written, or its disk is full.
    #[error("the folder can't be written")]
    Target(ErrorKind),
    /// The file is no export, or one of a later version.
    #[error("not an export")]
    NotAnExport,
    /// The passphrase is wrong, or the file was changed.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The file ends early, was changed, or holds what no relay writes.
    #[error("the file is damaged")]
    Damaged,
    /// The queues are larger than a file can hold: 256 TiB.
    #[error("too long")]
    TooLong,
    /// There is not enough memory for the passphrase's derivation.
    #[error("out of memory")]
    OutOfMemory,
}

impl From<SetupError> for TransferError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl From<HomeError> for TransferError {
    fn from(error: HomeError) -> Self {
        Self::Setup(SetupError::Home(error))
    }
}

/// Why the file of an export was not made.
fn unmade(kind: ErrorKind, file: &Path, what: What, mark: Option<Mark>) -> TransferError {
    if file.is_dir() {
        TransferError::Folder
    } else if kind == ErrorKind::AlreadyExists {
        TransferError::Exists(if what == What::Move { mark } else { None })
    } else if matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory) {
        TransferError::NoFolder
    } else {
        TransferError::Unwritten(kind)
    }
}

/// Why it was not written.
fn unwritten(error: io::Error) -> TransferError {
    TransferError::Unwritten(error.kind())
}

/// Why the file of an import was not read.
fn unread(error: io::Error) -> TransferError {
    let kind = error.kind();
    if matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof) {
        TransferError::Damaged
    } else if matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory) {
        TransferError::NoFile
    } else if kind == ErrorKind::IsADirectory {
        TransferError::Folder
    } else {
        TransferError::Unread(kind)
    }
}

/// Writes a relay into `file`, which must not be there.
///
/// # Errors
/// [`TransferError`]; the file is not there then, but for [`TransferError::Left`] and [`TransferError::Unsure`], and a relay that
/// could run still can, but for the latter.
pub fn export(
    dir: &Path,
    file: &Path,
    what: What,
    passphrase: &str,
    cost: Cost,
    rng: &mut impl Random,
) -> Result<(), TransferError> {
    let home = Home::at(dir);
    setup::describe(dir)?;
    let _alone = home.alone()?;
    // What lacks a key is no copy of the relay: the last good one would give way to it, or the keys here be destroyed.
    setup::complete(&home)?;
    fits(&home, what)?;
    let before = Mark::of(&home);
    if what == What::Move {
        // First the mark, then the lock: a relay that starts in between finds one of the two.
        Mark::Begun.leave(&home)?;
    }
    // First the file: to settle a relay that became volatile destroys what waits there.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let done = match made {
        Ok(out) => {
            let written = settled(&home, what).and_then(|()| write(&home, out, what, passphrase, cost, rng));
            kept(&home, file, what, written)
        }
        Err(error) => Err(unmade(error.kind(), file, what, before)),
    };
    let stays = |error| error == TransferError::Unsure;
    if what == What::Move && done.is_err_and(|error| !stays(error)) {
        Mark::put_back(before, &home)?;
    }
    done
}

/// Whether the keys that are here are those of the queues that are. A backup has neither queues nor keys of days, but the key of
/// the names: whoever makes one destroys the one before, perhaps the last that had the right one. Changes nothing.
fn fits(home: &Home, what: What) -> Result<(), TransferError> {
    let queues = home.path(Name::Queues);
    if !queues.exists() {
        return Ok(());
    }
    let (keeping, proof) = (Config::read(home)?.keeping(), setup::namer(home)?.proof());
    match SqliteEngine::check(&queues, keeping, proof) {
        Err(OpenError::QueueKey) => Err(TransferError::QueueKey),
        Err(OpenError::Keys) if what == What::Move => Err(TransferError::Keys),
        // A backup is made of a relay whose queues are damaged, and a move opens them.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes a file last that was written to its end, and the mark say so; else removes it.
fn kept(
    home: &Home,
    file: &Path,
    what: What,
    written: Result<File, TransferError>,
) -> Result<(), TransferError> {
    // From its last byte on it can be imported, whatever else fails.
    let may_be_whole = written.is_ok() && what == What::Move;
    let kept = written.and_then(|out| {
        out.sync_all().and_then(|()| flush_name(file)).map_err(unwritten)?;
        if what == What::Move { Ok(Mark::Done.leave(home)?) } else { Ok(()) }
    });
    if kept.is_ok() {
        return Ok(());
    }
    let removed = fs::remove_file(file);
    if may_be_whole {
        // One that somebody took away meanwhile is elsewhere, and one whose end is not on the disk comes back with the power.
        return if removed.and_then(|()| flush_name(file)).is_ok() {
            kept
        } else {
            Err(TransferError::Unsure)
        };
    }
    match removed {
        // Where the disk only reads since a write failed. It lies there under the name of an export.
        Err(error) if error.kind() != ErrorKind::NotFound => Err(TransferError::Left),
        Ok(()) | Err(_) => kept,
    }
}

/// Has the folder of a file last with the names in it. Where a user may not open it, or its file system has no such wish, there
/// is no more to be had.
fn flush_name(file: &Path) -> io::Result<()> {
    match sync_folder(file) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::InvalidInput
            ) =>
        {
            Ok(())
        }
        flushed => flushed,
    }
}

/// Takes the mark of an export away, after which the relay runs nowhere else. Gives what it said.
///
/// # Errors
/// [`TransferError`]; while an export is under way it is left.
pub fn take_back(dir: &Path) -> Result<Option<Mark>, TransferError> {
    let home = Home::at(dir);
    // Also of a relay that lacks something: what makes it anew refuses to as long as the mark is there. But nobody else's file is
    // taken away that has its name.
    if Mark::of(&home).is_none() || !Name::LASTING.into_iter().any(|name| home.has(name)) {
        return setup::describe(dir).map(|_| None).map_err(Into::into);
    }
    let _alone = home.alone()?;
    let mark = Mark::of(&home);
    home.remove(Name::Moved)?;
    Ok(mark)
}

/// Brings all that was committed into the one file of the queues, and finds out that nobody has it open, and that the keys of
/// what waits are there. What waited at a volatile relay is dropped from it: it has no keys any more.
fn settled(home: &Home, what: What) -> Result<(), TransferError> {
    if what == What::Backup {
        return Ok(());
    }
    let keeping = Config::read(home)?.keeping();
    let proof = setup::namer(home)?.proof();
    match SqliteEngine::open(&home.path(Name::Queues), Cap { bytes: u64::MAX }, keeping, proof) {
        Ok(engine) => {
            drop(engine);
            // On a full disk the log can't be moved into the file: a copy of the file alone would lack what is in it.
            let rest = fs::metadata(log_of(home)).map_or(0, |log| log.len());
            if rest > 0 {
                return Err(TransferError::Queues);
            }
            let whole = keeping == Keeping::Volatile || home.has(Name::DayKeys);
            if whole { Ok(()) } else { Err(TransferError::Keys) }
        }
        Err(OpenError::InUse) => Err(TransferError::Running),
        Err(OpenError::Keys) => Err(TransferError::Keys),
        Err(OpenError::QueueKey) => Err(TransferError::QueueKey),
        Err(_) => Err(TransferError::Queues),
    }
}

/// The write-ahead log of the queues.
fn log_of(home: &Home) -> PathBuf {
    let mut log = home.path(Name::Queues).into_os_string();
    log.push("-wal");
    log.into()
}

fn write(
    home: &Home,
    out: File,
    what: What,
    passphrase: &str,
    cost: Cost,
    rng: &mut impl Random,
) -> Result<File, TransferError> {
    let mut sealer = Sealer::new(out, passphrase, cost, rng)?;
    let moved = what == What::Move;
    for name in Name::LASTING {
        if home.has(name) && (moved || !matches!(name, Name::EpochKeys | Name::DayKeys)) {
            let bytes = home.read(name)?;
            entry(&mut sealer, name, bytes.len() as u64)?;
            sealer.write_all(&bytes).map_err(unwritten)?;
        }
    }
    if moved {
        let unopened = |_| TransferError::Queues;
        let queues = File::open(home.path(Name::Queues)).map_err(unopened)?;
        let length = queues.metadata().map_err(unopened)?.len();
        entry(&mut sealer, Name::Queues, length)?;
        if pour(&mut queues.take(length), unopened, &mut sealer, unwritten)? != length {
            return Err(TransferError::Queues);
        }
    }
    sealer.write_all(&[0]).map_err(unwritten)?;
    sealer.finish()
}

/// Copies to the end, and says which side failed. Gives how many bytes there were.
fn pour(
    from: &mut impl Read,
    unread: impl Fn(io::Error) -> TransferError,
    out: &mut impl Write,
    unwritten: impl Fn(io::Error) -> TransferError,
) -> Result<u64, TransferError> {
    let (mut piece, mut poured) = (vec![0; PIECE], 0_u64);
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(poured),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(unread(error)),
        };
        out.write_all(piece.get(..read).unwrap_or_default()).map_err(&unwritten)?;
        poured = poured.saturating_add(read as u64);
    }
}

/// `length of the name 1 │ name │ length 8`, and then its bytes. A name of no length is the end.
fn entry(out: &mut impl Write, name: Name, length: u64) -> Result<(), TransferError> {
    let name = name.as_str();
    let short = u8::try_from(name.len()).map_err(|_| TransferError::TooLong)?;
    let entry = [&[short], name.as_bytes(), &length.to_be_bytes()].concat();
    out.write_all(&entry).map_err(unwritten)
}

#[cfg(test)]
mod tests;
