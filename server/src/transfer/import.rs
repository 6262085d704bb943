//! An export becomes a relay again. What is in it may be anybody's who has the passphrase: nothing is taken but a relay's files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::seal::Opener;
use super::{TransferError, log_of, pour, unread};
use crate::home::{Home, HomeError, Name};
use crate::queue::sqlite::SqliteEngine;
use crate::setup::{self, SetupError};

/// Bytes of any file but the queues'.
const LONGEST: u64 = 64 * 1024;

/// Makes the relay of an export in a folder that has none. What an import that was cut short left there is removed.
///
/// # Errors
/// [`TransferError`]; nothing of the relay is in the folder then.
pub fn import(dir: &Path, file: &Path, passphrase: &str) -> Result<(), TransferError> {
    let home = Home::at(dir);
    if is_occupied(&home) {
        return Err(TransferError::Occupied);
    }
    let opener = Opener::new(File::open(file).map_err(unread)?, passphrase)?;
    unpack(&home, dir, opener).map_err(|error| {
        let TransferError::Setup(SetupError::Home(failed)) = error else { return error };
        match failed {
            HomeError::Io(kind) => TransferError::Target(kind),
            // The folder itself, which is made if it can be.
            HomeError::Missing(None) => TransferError::Target(io::ErrorKind::NotFound),
            HomeError::Missing(Some(_))
            | HomeError::Exists(_)
            | HomeError::Damaged(_)
            | HomeError::Foreign
            | HomeError::Busy => error,
        }
    })
}

fn unpack(home: &Home, dir: &Path, mut opener: Opener<File>) -> Result<(), TransferError> {
    home.create()?;
    let _alone = home.alone()?;
    if is_occupied(home) {
        return Err(TransferError::Occupied);
    }
    clear(home)?;
    // Of queues that are gone; or what comes would be taken for a relay that ran.
    let forgotten = SqliteEngine::forget_traces(&home.path(Name::Queues));
    forgotten.map_err(|error| TransferError::Target(error.kind()))?;
    home.create_file(Name::Importing, b"")?;
    let done = read(home, &mut opener).and_then(|()| Ok(setup::describe(dir).map(drop)?));
    // What can't be removed now is by the next import, and the mark of one that is whole by whoever is next alone here.
    let _ = if done.is_ok() { home.settle_import().map_err(Into::into) } else { clear(home) };
    done
}

/// All that an import may bring, and what must not be there before.
fn brought() -> impl Iterator<Item = Name> {
    Name::LASTING.into_iter().chain([Name::Queues, Name::Moved, Name::Rotation])
}

/// Whether there is a relay, or a part of one that no import left. A log that lies there would be played into the queues that
/// come, and queues that a repair left would take their place.
pub(super) fn is_occupied(home: &Home) -> bool {
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

pub(super) fn read(home: &Home, from: &mut impl Read) -> Result<(), TransferError> {
    let mut descriptor = None;
    loop {
        let mut length = [0];
        from.read_exact(&mut length).map_err(unread)?;
        let [length] = length;
        if length == 0 {
            break;
        }
        let mut written = vec![0; usize::from(length)];
        from.read_exact(&mut written).map_err(unread)?;
        let mut length = [0; 8];
        from.read_exact(&mut length).map_err(unread)?;
        let length = u64::from_be_bytes(length);
        let mut known = Name::LASTING.into_iter().chain([Name::Queues]);
        let name = known.find(|name| name.as_str().as_bytes() == written).ok_or(TransferError::Damaged)?;
        if name == Name::Queues {
            let path = home.path(name);
            let target = |error: io::Error| TransferError::Target(error.kind());
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let mut queues = made.map_err(target)?;
            if pour(&mut from.take(length), unread, &mut queues, target)? != length {
                return Err(TransferError::Damaged);
            }
            queues.sync_all().map_err(target)?;
            continue;
        }
        if length > LONGEST {
            return Err(TransferError::Damaged);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(4_096));
        from.take(length).read_to_end(&mut bytes).map_err(unread)?;
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
    if from.read(&mut [0]).map_err(unread)? != 0 {
        return Err(TransferError::Damaged);
    }
    // Last, because a folder with a descriptor is taken for a relay.
    let descriptor = descriptor.ok_or(TransferError::Damaged)?;
    Ok(home.create_file(Name::Descriptor, &descriptor)?)
}
