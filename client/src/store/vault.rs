//! `vault.hdr`: the master key, wrapped under passphrases. Its layout is fixed for good.
//!
//! ```text
//! 0       4 KiB head: salt 32 | memory KiB u32 | passes u32 | lanes u32 (little-endian) | random
//! 4 KiB   slot 0 ... slot 7, 4 KiB each: nonce 24 | XChaCha20-Poly1305 of (version 1 | kind 1 | master key 32 | zeros)
//!                                         kind 0 opens the side that its key has; 1 and 2 are duress passphrases, with zeros for a key
//! 36 KiB  random up to 64 KiB
//! ```
//!
//! No magic number, and a slot in use looks like random bytes: the file does not say how many passphrases there are.
//! Because of that nobody can look for a free slot either. So slots come in pairs (0 and 1, 2 and 3, ...): each way
//! in owns one pair, lives in one half of it, and moves to the other half when its passphrase changes. Its duress passphrase
//! has the pair beside it. It never touches the other four slots, where a decoy has its own two pairs, or a profile whose decoy
//! it is.
//!
//! One Argon2id run and eight AEAD trials for any passphrase, right or wrong.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::body::in_place;
use super::key::expand;
use super::lock::{private, sync_dir};
use super::page::Page;
use super::{Duress, KdfCost, MasterKey, Passphrase, StoreError, kdf};

pub(super) const NAME: &str = "vault.hdr";
pub(super) const NEW_NAME: &str = "vault.hdr.new";

/// The whole file, in bytes.
const FILE_LEN: usize = 64 * 1024;
pub(super) const HEAD_LEN: usize = 4096;
pub(super) const SLOT_LEN: usize = 4096;
const SLOTS: usize = 8;
const SALT_LEN: usize = 32;
/// Salt and three costs: what the head means, and what every slot is bound to.
const MEANT_LEN: usize = SALT_LEN + 12;
/// Where the costs stand. A panic leaves them, so that one which is cut short looks like a wrong passphrase.
pub(super) const COSTS: std::ops::Range<usize> = SALT_LEN..MEANT_LEN;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
const PAYLOAD_LEN: usize = SLOT_LEN - NONCE_LEN - TAG_LEN;
const VERSION: u8 = 1;
/// The kinds of slots: one opens the database of its key's side; the others have no key, and say what is to be done instead.
const KIND_OPEN: u8 = 0;
const KIND_COLD: u8 = 1;
const KIND_WIPE: u8 = 2;

/// What a slot holds.
pub(super) enum Content<'k> {
    Opens(&'k MasterKey),
    Duress(Duress),
}

/// What a slot that opened says.
pub(super) enum Way {
    Opens(MasterKey),
    Duress(Duress),
}

#[cfg(test)]
thread_local! {
    /// Slots that were tried on this thread.
    pub(super) static TRIALS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

const SLOT_KEY: &[u8] = b"beresta/1 slot";
const SLOT_NOISE: &[u8] = b"beresta/1 slot noise";

/// The header of an open profile: where it is and through which slot it was opened.
pub(super) struct Vault {
    path: PathBuf,
    slot: usize,
}

/// One slot's next bytes. Each write is made durable before the one after it begins.
pub(super) struct SlotWrite {
    pub(super) slot: usize,
    pub(super) bytes: Vec<u8>,
}

/// A change of passphrase, worked out and not yet written.
pub(super) struct Change {
    slot: usize,
    pub(super) writes: [SlotWrite; 2],
}

impl Vault {
    /// Writes a new header with `master` in one slot: whole and durable under its name, or not there at all.
    pub(super) fn create<R: CryptoRng + ?Sized>(
        dir: &Path,
        passphrase: &Passphrase,
        cost: KdfCost,
        master: &MasterKey,
        rng: &mut R,
    ) -> Result<Self, StoreError> {
        let mut head = Head { salt: [0; SALT_LEN], cost };
        rng.fill_bytes(&mut head.salt);
        let slot = usize::try_from(rng.next_u32()).unwrap_or(0) % SLOTS;
        let derived = kdf::derive(passphrase, &head.salt, cost)?;
        let sealed = seal(&head, slot, &derived, &Content::Opens(master), rng)?;

        let mut file = vec![0; FILE_LEN];
        rng.fill_bytes(&mut file);
        for (at, bytes) in [(0, head.meant().as_slice()), (offset(slot), sealed.as_slice())] {
            file.get_mut(at..at + bytes.len()).ok_or(StoreError::DamagedHeader)?.copy_from_slice(bytes);
        }

        let (path, new) = (dir.join(NAME), dir.join(NEW_NAME));
        let mut out = private(OpenOptions::new().write(true).create_new(true)).open(&new)?;
        in_place(&out);
        out.write_all(&file)?;
        out.sync_all()?;
        std::fs::rename(&new, &path)?;
        sync_dir(dir)?;
        Ok(Self { path, slot })
    }

    /// Finds the slot that `passphrase` opens. Changes nothing, and does the same whatever the passphrase is.
    pub(super) fn open(dir: &Path, passphrase: &Passphrase) -> Result<(Self, MasterKey), StoreError> {
        let path = dir.join(NAME);
        let file = read(&path)?;
        let head = Head::parse(&file)?;
        let key = kdf::derive(passphrase, &head.salt, head.cost)?;
        match unseal(&file, &head, &key)? {
            (slot, Way::Opens(master)) => Ok((Self { path, slot }, master)),
            (_, Way::Duress(duress)) => Err(StoreError::Duress(duress)),
        }
    }

    /// Works out the change from `old` to `new`. `seed` makes the bytes that the old slot is overwritten with.
    pub(super) fn prepare<R: CryptoRng + ?Sized>(
        &self,
        old: &Passphrase,
        new: &Passphrase,
        seed: &[u8; 32],
        rng: &mut R,
    ) -> Result<Change, StoreError> {
        let file = read(&self.path)?;
        let head = Head::parse(&file)?;
        let (from, Way::Opens(master)) = unseal(&file, &head, &kdf::derive(old, &head.salt, head.cost)?)?
        else {
            return Err(StoreError::WrongPassphrase);
        };
        if from != self.slot {
            return Err(StoreError::WrongPassphrase); // it opens the other side
        }
        let to = other_half(from);
        let derived = kdf::derive(new, &head.salt, head.cost)?;
        // The same passphrase anew is no harm; one that does something else is.
        match unseal(&file, &head, &derived) {
            Ok((taken, _)) if taken != from => return Err(StoreError::PassphraseTaken),
            Ok(_) | Err(StoreError::WrongPassphrase) => {}
            Err(error) => return Err(error),
        }
        let sealed = seal(&head, to, &derived, &Content::Opens(&master), rng)?;
        Ok(Change {
            slot: to,
            writes: [SlotWrite { slot: to, bytes: sealed }, SlotWrite { slot: from, bytes: noise(seed)? }],
        })
    }

    /// Carries out a change, in place: a rename would leave the old slot readable on the disk.
    pub(super) fn commit(&mut self, change: &Change) -> Result<(), StoreError> {
        for write in &change.writes {
            self.write(write)?;
        }
        self.slot = change.slot;
        Ok(())
    }

    /// After an interrupted change: overwrites the half of the pair through which the profile was not opened.
    pub(super) fn settle(&self, seed: &[u8; 32]) -> Result<(), StoreError> {
        self.write(&SlotWrite { slot: other_half(self.slot), bytes: noise(seed)? })
    }

    /// Which of the eight slots opened.
    #[cfg(test)]
    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    /// Works out a slot for a duress passphrase: the other half of the pair of the one `before`, if that is beside ours.
    pub(super) fn prepare_duress<R: CryptoRng + ?Sized>(
        &self,
        passphrase: &Passphrase,
        duress: Duress,
        before: Option<usize>,
        rng: &mut R,
    ) -> Result<SlotWrite, StoreError> {
        let drawn = beside(self.slot) ^ usize::from(rng.next_u32() & 1 == 1);
        let near = before.filter(|slot| self.is_near(*slot));
        let slot = near.map_or(drawn, other_half);
        self.prepare_other(slot, passphrase, &Content::Duress(duress), before, rng)
    }

    /// Works out a slot for another master key, in the half of the header that is not ours.
    pub(super) fn prepare_decoy<R: CryptoRng + ?Sized>(
        &self,
        passphrase: &Passphrase,
        master: &MasterKey,
        rng: &mut R,
    ) -> Result<SlotWrite, StoreError> {
        let drawn = usize::try_from(rng.next_u32()).unwrap_or(0) % (SLOTS / 2);
        let slot = (self.slot ^ (SLOTS / 2)) / (SLOTS / 2) * (SLOTS / 2) + drawn;
        self.prepare_other(slot, passphrase, &Content::Opens(master), None, rng)
    }

    fn prepare_other<R: CryptoRng + ?Sized>(
        &self,
        slot: usize,
        passphrase: &Passphrase,
        content: &Content<'_>,
        before: Option<usize>,
        rng: &mut R,
    ) -> Result<SlotWrite, StoreError> {
        let file = read(&self.path)?;
        let head = Head::parse(&file)?;
        let derived = kdf::derive(passphrase, &head.salt, head.cost)?;
        match unseal(&file, &head, &derived) {
            Err(StoreError::WrongPassphrase) => {}
            // The same passphrase may be set to do something else.
            Ok((taken, _)) if Some(taken) == before => {}
            Ok(_) => return Err(StoreError::PassphraseTaken),
            Err(error) => return Err(error),
        }
        Ok(SlotWrite { slot, bytes: seal(&head, slot, &derived, content, rng)? })
    }

    /// Whether a slot is in our half of the header.
    pub(super) const fn is_near(&self, slot: usize) -> bool {
        slot / (SLOTS / 2) == self.slot / (SLOTS / 2)
    }

    /// Overwrites both halves of a slot's pair.
    pub(super) fn clear<R: CryptoRng + ?Sized>(&self, slot: usize, rng: &mut R) -> Result<(), StoreError> {
        let mut bytes = vec![0; SLOT_LEN];
        rng.fill_bytes(&mut bytes);
        self.replace(&SlotWrite { slot, bytes }, rng)
    }

    /// Writes a slot of a pair that is not ours, and overwrites the other half once that is durable.
    pub(super) fn replace<R: CryptoRng + ?Sized>(
        &self,
        write: &SlotWrite,
        rng: &mut R,
    ) -> Result<(), StoreError> {
        let slot = write.slot;
        if slot >= SLOTS || slot == self.slot || slot == other_half(self.slot) {
            return Err(StoreError::Damaged); // never our own way in
        }
        self.write(write)?;
        let mut bytes = vec![0; SLOT_LEN];
        rng.fill_bytes(&mut bytes);
        self.write(&SlotWrite { slot: other_half(slot), bytes })
    }

    pub(super) fn write(&self, write: &SlotWrite) -> Result<(), StoreError> {
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        let at = u64::try_from(offset(write.slot)).map_err(|_| StoreError::DamagedHeader)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&write.bytes)?;
        file.sync_data()?;
        Ok(())
    }
}

/// What the head means.
struct Head {
    salt: [u8; SALT_LEN],
    cost: KdfCost,
}

impl Head {
    fn parse(file: &[u8]) -> Result<Self, StoreError> {
        let (salt, rest) = file.split_first_chunk().ok_or(StoreError::DamagedHeader)?;
        let (memory, rest) = rest.split_first_chunk().ok_or(StoreError::DamagedHeader)?;
        let (passes, rest) = rest.split_first_chunk().ok_or(StoreError::DamagedHeader)?;
        let (lanes, _) = rest.split_first_chunk().ok_or(StoreError::DamagedHeader)?;
        let [memory, passes, lanes] = [memory, passes, lanes].map(|bytes| u32::from_le_bytes(*bytes));
        let cost = KdfCost::new(memory, passes, lanes).map_err(|_| StoreError::DamagedHeader)?;
        Ok(Self { salt: *salt, cost })
    }

    fn meant(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MEANT_LEN);
        out.extend_from_slice(&self.salt);
        for part in self.cost.parts() {
            out.extend_from_slice(&part.to_le_bytes());
        }
        out
    }

    /// A slot opens only at its own place and under this head: neither can be swapped against another file's.
    fn associated_data(&self, slot: usize) -> Vec<u8> {
        let mut out = SLOT_KEY.to_vec();
        out.push(u8::try_from(slot).unwrap_or(u8::MAX));
        out.extend_from_slice(&self.meant());
        out
    }
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    let file = File::open(path)?;
    // One byte more than there should be, and never the whole of a hostile file.
    let mut bytes = Vec::with_capacity(FILE_LEN + 1);
    file.take(FILE_LEN as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() == FILE_LEN { Ok(bytes) } else { Err(StoreError::DamagedHeader) }
}

const fn offset(slot: usize) -> usize {
    HEAD_LEN + slot * SLOT_LEN
}

/// The pair beside a slot's own, in the same half of the header: the same half of it.
const fn beside(slot: usize) -> usize {
    slot ^ 2
}

/// The half of a slot's pair in which it is not.
const fn other_half(slot: usize) -> usize {
    slot ^ 1
}

fn cipher(derived: &Page<32>) -> Result<XChaCha20Poly1305, StoreError> {
    let mut key = Zeroizing::new([0; 32]);
    expand(derived.bytes(), SLOT_KEY, key.as_mut_slice())?;
    Ok(XChaCha20Poly1305::new((&*key).into()))
}

fn seal<R: CryptoRng + ?Sized>(
    head: &Head,
    slot: usize,
    derived: &Page<32>,
    content: &Content<'_>,
    rng: &mut R,
) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let mut payload = Zeroizing::new(Vec::with_capacity(SLOT_LEN)); // never grows: no copies of the key behind
    match content {
        Content::Opens(master) => {
            payload.extend_from_slice(&[VERSION, KIND_OPEN]);
            payload.extend_from_slice(master.as_bytes());
        }
        Content::Duress(Duress::Cold) => payload.extend_from_slice(&[VERSION, KIND_COLD]),
        Content::Duress(Duress::Wipe) => payload.extend_from_slice(&[VERSION, KIND_WIPE]),
    }
    payload.resize(PAYLOAD_LEN, 0);
    cipher(derived)?
        .encrypt_in_place(&XNonce::from(nonce), &head.associated_data(slot), &mut *payload)
        .map_err(|_| StoreError::OutOfMemory)?;
    let mut out = Vec::with_capacity(SLOT_LEN);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&payload);
    Ok(out)
}

/// Tries every slot, also after one has opened, so that the time does not tell which.
fn unseal(file: &[u8], head: &Head, derived: &Page<32>) -> Result<(usize, Way), StoreError> {
    let cipher = cipher(derived)?;
    let mut found = None;
    for slot in 0..SLOTS {
        let at = offset(slot);
        let bytes = file.get(at..at + SLOT_LEN).ok_or(StoreError::DamagedHeader)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(StoreError::DamagedHeader)?;
        let mut payload = Zeroizing::new(sealed.to_vec());
        #[cfg(test)]
        TRIALS.with(|trials| trials.set(trials.get() + 1));
        if cipher.decrypt_in_place(&XNonce::from(*nonce), &head.associated_data(slot), &mut *payload).is_ok()
        {
            found = Some((slot, payload));
        }
    }
    let (slot, payload) = found.ok_or(StoreError::WrongPassphrase)?;
    let way = match payload.as_slice() {
        [VERSION, KIND_OPEN, rest @ ..] => {
            Way::Opens(MasterKey::from_bytes(rest.first_chunk().ok_or(StoreError::DamagedHeader)?))
        }
        [VERSION, KIND_COLD, ..] => Way::Duress(Duress::Cold),
        [VERSION, KIND_WIPE, ..] => Way::Duress(Duress::Wipe),
        other => {
            let found = other.first().copied().map_or(0, u32::from);
            return Err(StoreError::Newer { found, known: u32::from(VERSION) });
        }
    };
    Ok((slot, way))
}

fn noise(seed: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
    let mut out = vec![0; SLOT_LEN];
    expand(seed, SLOT_NOISE, &mut out)?;
    Ok(out)
}
