//! `keys.1` and `keys.2`, one for each [side]: one key for each text, in a file of its own, so that a text ends when 32 bytes do.
//!
//! What SQLite deletes or overwrites stays readable below it: file systems and flash keep old blocks of database and
//! journal, thousands of copies in an image of the disk. So a text enters the database only sealed under a key that it shares
//! with nothing, and the key is in this file alone, which is never copied, renamed or shortened. When the text ends, its
//! key is overwritten where it lies.
//!
//! ```text
//! keys.1:     seed 32 │ seed 32 │ …        in steps of 64 KiB; a seed that is not in use is random bytes like any other
//! key    = HKDF-SHA256(secret of the master key, "beresta/1 body" ‖ seed)
//! column = nonce 24 │ XChaCha20-Poly1305(key, nonce, text)
//! ```
//! The file alone opens nothing, and neither do passphrase and database without it. It holds for file systems that write
//! in place; where each write goes elsewhere (btrfs, ZFS) that is asked off, which not every one of them obeys.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use beresta_proto::words::Words;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::RngCore as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::key::expand;
use super::page::Page;
use super::side::{self, Side};
use super::{MasterKey, StoreError};
use crate::rng::Rng;

const SEED: usize = 32;
const SEED_LEN: u64 = SEED as u64;
/// Seeds come into use so many at a time, a step of the file. No more are written at once.
const STEP: u32 = 2_048;
const NONCE: usize = 24;
const LABEL: &[u8] = b"beresta/1 body";

/// Names one seed by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(pub(super) u32);

/// The seeds of a store, and what makes keys of them.
pub(super) struct BodyKeys {
    seeds: Seeds,
    secret: Page<32>,
    rng: RefCell<Rng>,
    /// Seeds that are nobody's and may be given to a text. Nowhere else is it said: an opening finds out anew.
    free: RefCell<BTreeSet<Slot>>,
    /// Seeds under which a text was sealed in a transaction that came to nothing: its pages may have been written.
    pub(super) spent: RefCell<Vec<Slot>>,
    /// How many the database says that there are.
    pub(super) listed: Cell<u32>,
}

enum Seeds {
    File {
        file: File,
        /// Where it and the other side's file are, which is as long.
        dir: PathBuf,
        count: Cell<u32>,
    },
    #[cfg_attr(not(any(test, feature = "false-world")), expect(dead_code, reason = "of a false world"))]
    Memory(RefCell<Zeroizing<Vec<u8>>>),
}

impl BodyKeys {
    /// Opens the file of this key's side.
    pub(super) fn open(dir: &Path, master: &MasterKey) -> Result<Self, StoreError> {
        let path = dir.join(master.side()?.seeds());
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound { StoreError::Damaged } else { error.into() }
        })?;
        // Until the database has said how many of them are listed, none is there.
        Self::over(Seeds::File { file, dir: dir.to_owned(), count: Cell::new(0) }, master)
    }

    /// The seeds that the database lists are there, and no others: what the file has beyond them, a crash or somebody else
    /// left, and it is written anew before it is used. Where the file is shorter, it gets the rest.
    pub(super) fn trust(&self, listed: u32) -> Result<(), StoreError> {
        if let Seeds::File { file, dir: _, count } = &self.seeds {
            let whole = file.metadata()?.len() / SEED_LEN;
            count.set(u32::try_from(whole).map_or(listed, |whole| whole.min(listed)));
        }
        self.reach(listed)
    }

    /// For a store in memory.
    #[cfg(any(test, feature = "false-world"))]
    pub(super) fn in_memory(master: &MasterKey) -> Result<Self, StoreError> {
        Self::over(Seeds::Memory(RefCell::default()), master)
    }

    /// The same seeds once more, of a store in memory.
    #[cfg(any(test, feature = "false-world"))]
    pub(super) fn copy(&self) -> Result<Self, StoreError> {
        let Seeds::Memory(all) = &self.seeds else { return Err(StoreError::NotFound) };
        Ok(Self {
            seeds: Seeds::Memory(all.clone()),
            secret: self.secret.copy(),
            rng: RefCell::new(Rng::system()),
            free: self.free.clone(),
            spent: self.spent.clone(),
            listed: self.listed.clone(),
        })
    }

    fn over(seeds: Seeds, master: &MasterKey) -> Result<Self, StoreError> {
        Ok(Self {
            seeds,
            secret: master.body_secret()?,
            rng: RefCell::new(Rng::system()),
            free: RefCell::default(),
            spent: RefCell::default(),
            listed: Cell::new(0),
        })
    }

    /// How many seeds there are.
    pub(super) fn count(&self) -> u32 {
        match &self.seeds {
            Seeds::File { file: _, dir: _, count } => count.get(),
            Seeds::Memory(all) => u32::try_from(all.borrow().len() / SEED).unwrap_or(u32::MAX),
        }
    }

    /// By how many the seeds grow.
    const fn step(&self) -> u32 {
        match self.seeds {
            Seeds::File { .. } => STEP,
            Seeds::Memory(_) => 64,
        }
    }

    /// Takes a seed that is free. Where none is there are more, durably, before one of them is used.
    pub(super) fn take(&self) -> Result<Slot, StoreError> {
        if self.free.borrow().is_empty() {
            self.grow()?;
        }
        self.free.borrow_mut().pop_first().ok_or(StoreError::Full)
    }

    /// These were overwritten, and no row says that they are in use, nor that they are to be overwritten.
    pub(super) fn free(&self, slots: &[Slot]) {
        self.free.borrow_mut().extend(slots.iter().filter(|slot| slot.0 < self.count()));
    }

    fn grow(&self) -> Result<(), StoreError> {
        let count = self.count();
        self.reach(count.saturating_add(self.step()))?;
        self.free.borrow_mut().extend((count..self.count()).map(Slot));
        Ok(())
    }

    /// Adds seeds up to `count`, durably.
    fn reach(&self, count: u32) -> Result<(), StoreError> {
        let (from, more) = (self.count(), count.saturating_sub(self.count()));
        if more == 0 {
            return Ok(());
        }
        let mut fresh = Zeroizing::new(vec![0; SEED * usize::try_from(more).unwrap_or(0)]);
        self.rng.borrow_mut().fill_bytes(&mut fresh);
        match &self.seeds {
            Seeds::File { file, dir, count: now } => {
                side::lengthen_both(dir, Side::seeds, u64::from(count) * SEED_LEN, side::SEEDS_STEP)?;
                write_at(file, &fresh, u64::from(from) * SEED_LEN)?;
                file.sync_all()?;
                now.set(count.max(from));
            }
            Seeds::Memory(all) => all.borrow_mut().extend_from_slice(&fresh),
        }
        Ok(())
    }

    /// Overwrites seeds where they lie, with random bytes that the next texts may use, durably. `slots` rise.
    pub(super) fn destroy(&self, slots: &[Slot]) -> Result<(), StoreError> {
        let there = slots.partition_point(|slot| slot.0 < self.count());
        let slots = slots.get(..there).unwrap_or_default();
        let mut random = Zeroizing::new(Vec::new());
        for run in slots.chunk_by(|one, next| one.0.checked_add(1) == Some(next.0)) {
            for part in run.chunks(STEP as usize) {
                random.resize(SEED.saturating_mul(part.len()), 0);
                self.rng.borrow_mut().fill_bytes(&mut random);
                let Some(Slot(first)) = part.first() else { continue };
                match &self.seeds {
                    Seeds::File { file, dir: _, count: _ } => {
                        write_at(file, &random, u64::from(*first) * SEED_LEN)?;
                    }
                    Seeds::Memory(all) => {
                        let from = SEED.saturating_mul(usize::try_from(*first).unwrap_or(usize::MAX));
                        let mut all = all.borrow_mut();
                        let place = all.get_mut(from..from.saturating_add(random.len()));
                        place.ok_or(StoreError::Damaged)?.copy_from_slice(&random);
                    }
                }
            }
        }
        if let (Seeds::File { file, dir: _, count: _ }, false) = (&self.seeds, slots.is_empty()) {
            file.sync_data()?;
        }
        Ok(())
    }

    /// All seeds.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<u8> {
        (0..self.count())
            .flat_map(|slot| {
                let mut seed = [0; SEED];
                self.seed(Slot(slot), &mut seed).map(|()| seed).unwrap_or_default()
            })
            .collect()
    }

    /// Seals a text under the key of a slot that is nobody's yet.
    pub(super) fn seal(&self, slot: Slot, text: &str) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE];
        self.rng.borrow_mut().fill_bytes(&mut nonce);
        let cipher = self.cipher(slot)?;
        let sealed = cipher.encrypt(&XNonce::from(nonce), text.as_bytes());
        Ok([&nonce, sealed.map_err(|_| StoreError::OutOfMemory)?.as_slice()].concat())
    }

    /// Opens what was sealed.
    pub(super) fn open_body(&self, slot: Slot, sealed: &[u8]) -> Result<Words, StoreError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(StoreError::Damaged)?;
        let opened = self.cipher(slot)?.decrypt(&XNonce::from(*nonce), sealed);
        let text = String::from_utf8(opened.map_err(|_| StoreError::Damaged)?);
        Ok(text
            .map_err(|error| {
                error.into_bytes().zeroize();
                StoreError::Damaged
            })?
            .into())
    }

    fn cipher(&self, slot: Slot) -> Result<XChaCha20Poly1305, StoreError> {
        let mut label = Zeroizing::new([0; LABEL.len() + SEED]);
        let (front, seed) = label.split_at_mut(LABEL.len());
        front.copy_from_slice(LABEL);
        self.seed(slot, seed)?;
        let mut key = Zeroizing::new([0; 32]);
        expand(self.secret.bytes(), &*label, key.as_mut_slice())?;
        Ok(XChaCha20Poly1305::new((&*key).into()))
    }

    fn seed(&self, slot: Slot, out: &mut [u8]) -> Result<(), StoreError> {
        if slot.0 >= self.count() {
            return Err(StoreError::Damaged);
        }
        match &self.seeds {
            Seeds::File { file, dir: _, count: _ } => Ok(read_at(file, out, u64::from(slot.0) * SEED_LEN)?),
            Seeds::Memory(all) => {
                let from = SEED.saturating_mul(usize::try_from(slot.0).unwrap_or(usize::MAX));
                let all = all.borrow();
                out.copy_from_slice(all.get(from..from.saturating_add(SEED)).ok_or(StoreError::Damaged)?);
                Ok(())
            }
        }
    }
}

/// Asks a file system that would write each change elsewhere not to. Those that write in place know no such wish, and
/// refuse it.
pub(super) fn in_place(file: &File) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
        if let Ok(flags) = ioctl_getflags(file) {
            let _ = ioctl_setflags(file, flags | IFlags::NOCOW);
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = file;
}

#[cfg(unix)]
use std::os::unix::fs::FileExt;

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    file.write_all_at(bytes, at)
}

#[cfg(unix)]
fn read_at(file: &File, out: &mut [u8], at: u64) -> std::io::Result<()> {
    file.read_exact_at(out, at)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    use std::io::{Seek as _, SeekFrom, Write as _};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, out: &mut [u8], at: u64) -> std::io::Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(out)
}
