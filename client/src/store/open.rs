//! A profile's files made and opened: a header, and two sides of which one is the person's.

use std::path::{Path, PathBuf};

use rand::CryptoRng;
use rusqlite::Connection;

use super::body::BodyKeys;
use super::lock::sync_dir;
use super::number::Numbers;
use super::side::{self, Side, Sides};
use super::sqlcipher::connect;
use super::tx::Tx;
use super::vault::Vault;
use super::{KdfCost, MasterKey, Passphrase, StoreError, decoy, duress, migrate, older, vault};

/// While a change of passphrase is under way: the seed of the bytes that wipe the old slot.
pub(super) const CHANGE: &str = "vault.change";

/// What an open profile is made of.
pub(super) struct Opened {
    pub(super) conn: Connection,
    pub(super) keys: BodyKeys,
    pub(super) vault: Vault,
    pub(super) sides: Sides,
}

pub(super) fn create<R: CryptoRng + ?Sized, E: From<StoreError>>(
    dir: &Path,
    passphrase: &Passphrase,
    cost: KdfCost,
    rng: &mut R,
    fill: impl FnOnce(&Tx<'_>, &mut R) -> Result<(), E>,
) -> Result<Opened, E> {
    let master = MasterKey::generate(rng);
    clear(dir)?;
    side::begin(dir, if cost.is_cheap() { side::LEAST } else { side::FIRST })?;
    fill_side(dir, &master, rng, fill)?;
    let own = master.side()?;
    side::transplant(dir, own, own.unfinished())?;
    // Both databases are complete before the header says that there is a profile; that they get their names is a step of
    // both this and an opening after a crash in between.
    let vault = Vault::create(dir, passphrase, cost, &master, rng)?;
    Ok(start(dir, vault, &master)?)
}

/// Clears away what a creation or a panic that was cut short left: no header holds its keys.
fn clear(dir: &Path) -> Result<(), StoreError> {
    let is_there = |name: &str| dir.join(name).exists();
    if is_there(vault::NAME)
        || Side::BOTH.iter().any(|side| is_there(side.database()))
        || older::is_there(dir)
    {
        return Err(StoreError::AlreadyExists);
    }
    for leftover in files(dir).into_iter().chain([dir.join(vault::NEW_NAME)]) {
        match std::fs::remove_file(leftover) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Builds the database of the key's side, beside its files, with what `fill` writes in it.
pub(super) fn fill_side<R: CryptoRng + ?Sized, E: From<StoreError>>(
    dir: &Path,
    master: &MasterKey,
    rng: &mut R,
    fill: impl FnOnce(&Tx<'_>, &mut R) -> Result<(), E>,
) -> Result<(), E> {
    let path = dir.join(master.side()?.workshop());
    side::make(&path, false)?;
    let mut conn = connect(&path, &master.database_key()?)?;
    migrate::migrate(&mut conn)?;
    // Seeds are listed by the database once one of them is in use, and none is yet.
    let (keys, numbers) = (BodyKeys::open(dir, master)?, Numbers::default());
    let tx = Tx::begin(&mut conn, &keys, &numbers)?;
    fill(&tx, rng)?;
    tx.commit()?;
    conn.close().map_err(|(_, error)| StoreError::from(error))?;
    Ok(())
}

pub(super) fn open(dir: &Path, passphrase: &Passphrase) -> Result<Opened, StoreError> {
    let (vault, master) = Vault::open(dir, passphrase)?;
    older::convert(dir, &master)?;
    let opened = start(dir, vault, &master)?;
    older::forget(dir)?;
    Ok(opened)
}

/// Opens what the header has the key of.
fn start(dir: &Path, vault: Vault, master: &MasterKey) -> Result<Opened, StoreError> {
    let side = master.side()?;
    finish(dir)?;
    let path = dir.join(side.database());
    // Making an empty database in place of a missing or an emptied one would hide that everything is gone.
    match std::fs::metadata(&path) {
        Ok(file) if file.len() > 0 => {}
        Ok(_) => return Err(StoreError::Damaged),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(StoreError::Damaged),
        Err(error) => return Err(error.into()),
    }
    let mut conn = connect(&path, &master.database_key()?)?;
    if migrate::version(&conn)? == 0 {
        return Err(StoreError::Damaged);
    }
    migrate::migrate(&mut conn)?;
    let keys = BodyKeys::open(dir, master)?;
    let sides = Sides::open(dir, side)?;
    settle(&mut conn, &keys, &vault, &sides)?;
    sides.keep_up(&conn);
    Ok(Opened { conn, keys, vault, sides })
}

#[cfg(any(test, feature = "false-world"))]
pub(super) fn in_memory<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<(Connection, BodyKeys), StoreError> {
    let master = MasterKey::generate(rng);
    let mut conn = super::sqlcipher::blank(&master)?;
    migrate::migrate(&mut conn)?;
    Ok((conn, BodyKeys::in_memory(&master)?))
}

/// Gives the databases their names, if a crash came between the header's appearance and this.
pub(super) fn finish(dir: &Path) -> Result<(), StoreError> {
    let mut named = false;
    for side in Side::BOTH {
        let (path, new) = (dir.join(side.database()), dir.join(side.unfinished()));
        if !path.exists() && new.exists() {
            std::fs::rename(&new, &path)?;
            named = true;
        }
    }
    if named { sync_dir(dir) } else { Ok(()) }
}

/// Puts right what a crash may have left of the keys of texts, and ends a change of passphrase that was cut short: the passphrase that opened the profile stays, the other goes.
fn settle(conn: &mut Connection, keys: &BodyKeys, vault: &Vault, sides: &Sides) -> Result<(), StoreError> {
    let numbers = Numbers::default();
    let tx = Tx::begin(conn, keys, &numbers)?;
    tx.refresh_seeds()?;
    if let Some(seed) = tx.meta(CHANGE)? {
        vault.settle(seed.as_slice().try_into().map_err(|_| StoreError::BadRow)?)?;
        tx.remove_meta(CHANGE)?;
    }
    duress::settle(&tx, vault)?;
    decoy::settle(&tx, vault, sides)?;
    tx.commit()
}

/// Every file that the sides of a profile may consist of, whole or not.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let names = Side::BOTH.into_iter().flat_map(Side::all);
    names.map(|name| dir.join(name)).chain(older::files(dir)).collect()
}
