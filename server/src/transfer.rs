//! A relay as one file under a passphrase: to move it to another machine, or to keep its keys. The address stays, for it is
//! the identity's.
//!
//! A relay that was moved must not run in its old place too: two would answer under one address, each with half of the
//! queues, and with other epoch keys for the same day, which looks like an attack to everybody (rule D9). So moving leaves
//! a mark, and [`crate::home::Name::Moved`] keeps the old one from running.

mod seal;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use beresta_proto::rng::Random;
use zeroize::Zeroizing;

use crate::home::{Home, HomeError, Name};
use crate::queue::rules::Cap;
use crate::queue::sqlite::{Keeping, OpenError, SqliteEngine};
use crate::setup::{self, Config, SetupError};

pub use seal::Cost;
use seal::{Opener, Sealer};

/// Bytes of any file but the queues'.
const LONGEST: u64 = 64 * 1024;

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
    /// The file is there already.
    #[error("the file exists")]
    Exists,
    /// There is a relay in the folder, or a part of one.
    #[error("the folder is not empty")]
    Occupied,
    /// The file can't be read or written, or the disk is full.
    #[error("input or output failed")]
    Io(ErrorKind),
    /// The file could not be written to its end, and what was written could not be removed.
    #[error("half of the file is left")]
    Left,
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

impl From<io::Error> for TransferError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        if matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof) {
            Self::Damaged
        } else if kind == ErrorKind::AlreadyExists {
            Self::Exists
        } else {
            Self::Io(kind)
        }
    }
}

/// Writes a relay into `file`, which must not be there.
///
/// # Errors
/// [`TransferError`]; the file is not there then, but for [`TransferError::Left`], and a relay that could run still can.
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
    let marked = home.has(Name::Moved);
    if what == What::Move {
        // First the mark, then the lock: a relay that starts in between finds one of the two.
        home.replace(Name::Moved, b"")?;
    }
    // First the file: to settle a relay that became volatile destroys what waits there.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let done = made.map_err(TransferError::from).and_then(|out| {
        let written = settled(&home, what).and_then(|()| write(&home, out, what, passphrase, cost, rng));
        if written.is_ok() {
            return Ok(());
        }
        match fs::remove_file(file) {
            // Where the disk only reads since a write failed. It lies there under the name of an export.
            Err(error) if error.kind() != ErrorKind::NotFound => Err(TransferError::Left),
            Ok(()) | Err(_) => written,
        }
    });
    if done.is_err() && what == What::Move && !marked {
        home.remove(Name::Moved)?;
    }
    done
}

/// Takes the mark of an export away, after which the relay runs nowhere else.
///
/// # Errors
/// [`TransferError`]; while an export is under way it is left.
pub fn take_back(dir: &Path) -> Result<(), TransferError> {
    let home = Home::at(dir);
    setup::describe(dir)?;
    let _alone = home.alone()?;
    Ok(home.remove(Name::Moved)?)
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
) -> Result<(), TransferError> {
    let mut sealer = Sealer::new(out, passphrase, cost, rng)?;
    let moved = what == What::Move;
    for name in Name::LASTING {
        if home.has(name) && (moved || !matches!(name, Name::EpochKeys | Name::DayKeys)) {
            let bytes = home.read(name)?;
            entry(&mut sealer, name, bytes.len() as u64)?;
            sealer.write_all(&bytes)?;
        }
    }
    if moved {
        let mut queues = File::open(home.path(Name::Queues))?;
        let length = queues.metadata()?.len();
        entry(&mut sealer, Name::Queues, length)?;
        if io::copy(&mut (&mut queues).take(length), &mut sealer)? != length {
            return Err(TransferError::Queues);
        }
    }
    sealer.write_all(&[0])?;
    sealer.finish()?.sync_all()?;
    Ok(())
}

/// `length of the name 1 │ name │ length 8`, and then its bytes. A name of no length is the end.
fn entry(out: &mut impl Write, name: Name, length: u64) -> Result<(), TransferError> {
    let name = name.as_str();
    out.write_all(&[u8::try_from(name.len()).map_err(|_| TransferError::TooLong)?])?;
    out.write_all(name.as_bytes())?;
    Ok(out.write_all(&length.to_be_bytes())?)
}

/// Makes the relay of an export in a folder that has none. What an import that was cut short left there is removed.
///
/// # Errors
/// [`TransferError`]; nothing of the relay is in the folder then.
pub fn import(dir: &Path, file: &Path, passphrase: &str) -> Result<(), TransferError> {
    let home = Home::at(dir);
    if is_occupied(&home) {
        return Err(TransferError::Occupied);
    }
    let mut opener = Opener::new(File::open(file)?, passphrase)?;
    home.create()?;
    let _alone = home.alone()?;
    if is_occupied(&home) {
        return Err(TransferError::Occupied);
    }
    clear(&home)?;
    // Of queues that are gone; or what comes would be taken for a relay that ran.
    SqliteEngine::forget_traces(&home.path(Name::Queues))?;
    home.create_file(Name::Importing, b"")?;
    let done = read(&home, &mut opener).and_then(|()| Ok(setup::describe(dir).map(drop)?));
    // What can't be removed now is by the next import, and the mark of one that is whole by whoever is next alone here.
    let _ = if done.is_ok() { home.settle_import().map_err(Into::into) } else { clear(&home) };
    done
}

/// All that an import may bring, and what must not be there before.
fn brought() -> impl Iterator<Item = Name> {
    Name::LASTING.into_iter().chain([Name::Queues, Name::Moved, Name::Rotation])
}

/// Whether there is a relay, or a part of one that no import left. A log that lies there would be played into the queues that
/// come, and queues that a repair left would take their place.
fn is_occupied(home: &Home) -> bool {
    let left = || log_of(home).exists() || SqliteEngine::has_salvaged(&home.path(Name::Queues));
    setup::whole(home) != Err(SetupError::HalfImported) && (brought().any(|name| home.has(name)) || left())
}

/// Removes what an import that did not end has brought: first what makes it a relay, and last the mark that says so.
fn clear(home: &Home) -> Result<(), TransferError> {
    home.remove(Name::Descriptor)?;
    for name in brought() {
        if Name::SECRETS.contains(&name) { home.destroy(name)? } else { home.remove(name)? }
    }
    Ok(home.remove(Name::Importing)?)
}

fn read(home: &Home, from: &mut impl Read) -> Result<(), TransferError> {
    let mut descriptor = None;
    loop {
        let mut length = [0];
        from.read_exact(&mut length)?;
        let [length] = length;
        if length == 0 {
            break;
        }
        let mut written = vec![0; usize::from(length)];
        from.read_exact(&mut written)?;
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let length = u64::from_be_bytes(length);
        let mut known = Name::LASTING.into_iter().chain([Name::Queues]);
        let name = known.find(|name| name.as_str().as_bytes() == written).ok_or(TransferError::Damaged)?;
        if name == Name::Queues {
            let path = home.path(name);
            let mut queues = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            if io::copy(&mut from.take(length), &mut queues)? != length {
                return Err(TransferError::Damaged);
            }
            queues.sync_all()?;
            continue;
        }
        if length > LONGEST {
            return Err(TransferError::Damaged);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(4_096));
        from.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(TransferError::Damaged);
        }
        if name == Name::Descriptor {
            descriptor = Some(bytes);
        } else {
            home.create_file(name, &bytes)?;
        }
    }
    // The end of the stream: until it is reached, nobody knows that nothing is missing.
    if from.read(&mut [0])? != 0 {
        return Err(TransferError::Damaged);
    }
    // Last, because a folder with a descriptor is taken for a relay.
    let descriptor = descriptor.ok_or(TransferError::Damaged)?;
    Ok(home.create_file(Name::Descriptor, &descriptor)?)
}

#[cfg(test)]
mod tests;
