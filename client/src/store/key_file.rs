//! A key file: random bytes without which a passphrase opens nothing, for who chooses so.
//!
//! Argon2id takes them as its secret. Neither the header nor the file says that they belong to anything: a wrong
//! passphrase, a missing file and another file look alike.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::StoreError;
use super::lock::{private, sync_dir};

/// Bytes of the file, all of them random.
const LEN: usize = 64;

/// What a key file holds.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KeyFile(Vec<u8>);

impl KeyFile {
    /// Makes the file `path`, its owner's only, and durable before this returns. It makes no folder.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`]: it replaces nothing. [`StoreError::NotFound`] if the folder is not there,
    /// [`StoreError::Full`], [`StoreError::Denied`] from the machine.
    pub fn make<R: CryptoRng + ?Sized>(path: &Path, rng: &mut R) -> Result<Self, StoreError> {
        let mut bytes = vec![0; LEN];
        rng.fill_bytes(&mut bytes);
        let key = Self(bytes);
        let mut file = private(OpenOptions::new().write(true).create_new(true)).open(path)?;
        file.write_all(&key.0)?;
        file.sync_all()?;
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => sync_dir(folder)?,
            _ => sync_dir(Path::new("."))?,
        }
        Ok(key)
    }

    /// Reads the file `path`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::NoKeyFile`] if it has another length; [`StoreError::Denied`].
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        // One byte more than there should be, and never the whole of a large file.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LEN + 1));
        File::open(path)?.take(LEN as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() == LEN { Ok(Self(std::mem::take(&mut *bytes))) } else { Err(StoreError::NoKeyFile) }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("KeyFile(..)")
    }
}
