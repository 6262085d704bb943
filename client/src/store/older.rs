//! Profiles of versions that had one side only: `store.db` with a write-ahead log, and `body.keys`.

use std::path::{Path, PathBuf};

use super::side::{self, Side};
use super::{MasterKey, StoreError, open, sqlcipher};

pub(super) const DATABASE: &str = "store.db";
pub(super) const UNFINISHED: &str = "store.db.new";
pub(super) const SEEDS: &str = "body.keys";

/// Whether a database is there: its header may be lost.
pub(super) fn is_there(dir: &Path) -> bool {
    dir.join(DATABASE).exists()
}

/// Every file that such a profile may consist of, whole or not.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let companions =
        |name: &str| ["", "-wal", "-shm", "-journal"].map(|suffix| dir.join(format!("{name}{suffix}")));
    let databases = [DATABASE, UNFINISHED].into_iter().flat_map(companions);
    databases.chain([dir.join(SEEDS)]).collect()
}

/// Makes of the database that is there, if one is, a profile with two sides: files of both are made anew, and what was there is
/// copied to its side. Interrupted before they have their names, it is begun again.
pub(super) fn convert(dir: &Path, master: &MasterKey) -> Result<(), StoreError> {
    let there = |name: &str| Some(dir.join(name)).filter(|path| path.exists());
    let converted = Side::BOTH.iter().any(|side| there(side.database()).is_some());
    let from = there(DATABASE).or_else(|| there(UNFINISHED));
    if let (Some(from), false) = (from, converted) {
        let length = std::fs::metadata(&from)?.len();
        if length == 0 {
            return Err(StoreError::Damaged);
        }
        let side = master.side()?;
        sqlcipher::leave_log(&from, &master.database_key()?)?;
        let seeds = there(SEEDS).ok_or(StoreError::Damaged)?;
        let [first, first_seeds] = side::FIRST;
        side::begin(dir, [length.max(first), std::fs::metadata(&seeds)?.len().max(first_seeds)])?;
        side::graft(&seeds, &dir.join(side.seeds()))?;
        side::graft(&from, &dir.join(side.unfinished()))?;
        open::finish(dir)?;
    }
    Ok(())
}

/// Overwrites and removes what was there before, once the side that it was copied to has opened.
pub(super) fn forget(dir: &Path) -> Result<(), StoreError> {
    files(dir).iter().try_for_each(|path| side::shred(path))
}
