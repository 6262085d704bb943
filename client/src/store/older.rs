//! Profiles of versions that had one side only: `store.db` with a write-ahead log, and `body.keys`.

use std::path::{Path, PathBuf};

use super::lock::sync_dir;
use super::{MasterKey, StoreError, sqlcipher};

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

/// Makes the database that is there, if one is, that of the key's side. The other side comes with the next step of an
/// opening, whoever the profile is of. Interrupted, it is gone on with.
pub(super) fn convert(dir: &Path, master: &MasterKey) -> Result<(), StoreError> {
    let Some(from) = [DATABASE, UNFINISHED].map(|name| dir.join(name)).into_iter().find(|path| path.exists())
    else {
        return Ok(());
    };
    if std::fs::metadata(&from)?.len() == 0 {
        return Err(StoreError::Damaged);
    }
    let side = master.side()?;
    sqlcipher::leave_log(&from, &master.database_key()?)?;
    let seeds = dir.join(SEEDS);
    if seeds.exists() {
        std::fs::rename(seeds, dir.join(side.seeds()))?;
    }
    std::fs::rename(from, dir.join(side.database()))?;
    sync_dir(dir)
}
