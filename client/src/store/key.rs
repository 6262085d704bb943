//! The store's secrets as types: wiped when dropped, never shown.

use std::fmt;

use rand::CryptoRng;
use ring::hkdf;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::page::Page;
use super::side::Side;
use super::{KeyFile, StoreError};
use crate::phrase;

/// A passphrase, ready to be derived from, and the key file that goes with it where there is one.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase {
    typed: Vec<u8>,
    key_file: Option<KeyFile>,
}

impl Passphrase {
    /// Takes a passphrase as typed and wipes what was handed in.
    ///
    /// It is brought into Unicode's NFC: some systems type `й` and `ё` as one code point, others as two, and who
    /// changes keyboards must not be locked out. Words that all are of one list are spelled as they are there
    /// ([`phrase`]).
    #[must_use]
    pub fn new(typed: String) -> Self {
        let typed = Zeroizing::new(typed);
        let typed = phrase::spelled(&typed).map_or_else(
            || phrase::composed(&typed),
            |words| words.as_bytes().to_vec(), // of exactly this length: it does not grow
        );
        Self { typed, key_file: None }
    }

    /// The same passphrase, and a file without which it opens nothing; or without one.
    #[must_use]
    pub fn with_key_file(mut self, key_file: Option<KeyFile>) -> Self {
        self.key_file = key_file;
        self
    }

    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.typed.is_empty()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.typed
    }

    /// What Argon2id takes beside the passphrase: nothing where there is no key file.
    pub(super) fn secret(&self) -> &[u8] {
        self.key_file.as_ref().map_or(&[], KeyFile::as_bytes)
    }

    /// Whether two open the same.
    #[cfg(test)]
    pub(crate) fn same(&self, other: &Self) -> bool {
        (self.as_bytes(), self.secret()) == (other.as_bytes(), other.secret())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { typed: _, key_file: _ } = self;
        f.write_str("Passphrase(..)")
    }
}

/// The random key, 32 bytes, from which all others of a profile are derived and which slots wrap.
pub struct MasterKey(Page<32>);

// The labels under which keys come out of the master key. Reserved for what comes next: "beresta/1 epoch-wrap",
// "beresta/1 attach", "beresta/1 index". A label, once used, never changes its meaning.
const DATABASE: &[u8] = b"beresta/1 db";
const BODIES: &[u8] = b"beresta/1 bodies";
const SIDE: &[u8] = b"beresta/1 side";

impl MasterKey {
    pub(super) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut key = Self(Page::new());
        rng.fill_bytes(key.0.bytes_mut());
        key
    }

    /// A key whose database is on this side.
    pub(super) fn generate_on<R: CryptoRng + ?Sized>(side: Side, rng: &mut R) -> Result<Self, StoreError> {
        loop {
            let key = Self::generate(rng);
            if key.side()? == side {
                return Ok(key);
            }
        }
    }

    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut key = Self(Page::new());
        key.0.bytes_mut().copy_from_slice(bytes);
        key
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The side on which this key's database is: drawn with the key, so that nothing else has to say it.
    ///
    /// # Errors
    /// As [`MasterKey::database_key`].
    pub(super) fn side(&self) -> Result<Side, StoreError> {
        let mut drawn = [0];
        expand(self.0.bytes(), SIDE, &mut drawn)?;
        Ok(if drawn[0] & 1 == 0 { Side::First } else { Side::Second })
    }

    /// The key of its side's database.
    ///
    /// # Errors
    /// [`StoreError::OutOfMemory`], which HKDF of this length has no way to cause.
    pub(super) fn database_key(&self) -> Result<DatabaseKey, StoreError> {
        let mut key = DatabaseKey(Page::new());
        expand(self.0.bytes(), DATABASE, key.0.bytes_mut())?;
        Ok(key)
    }

    /// What the keys of texts are made with, beside their seeds.
    ///
    /// # Errors
    /// As [`MasterKey::database_key`].
    pub(super) fn body_secret(&self) -> Result<Page<32>, StoreError> {
        let mut secret = Page::new();
        expand(self.0.bytes(), BODIES, secret.bytes_mut())?;
        Ok(secret)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("MasterKey(..)")
    }
}

/// 32 bytes of key and 16 of salt, as SQLCipher takes them raw.
const DATABASE_KEY_LEN: usize = 48;

/// SQLCipher's raw key and salt: 48 bytes.
pub struct DatabaseKey(Page<DATABASE_KEY_LEN>);

impl DatabaseKey {
    /// SQLCipher's form `x'…'` of a raw key and salt, in a buffer that never grows and is wiped.
    pub(super) fn keyspec(&self) -> Zeroizing<Vec<u8>> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
        let mut spec = Zeroizing::new(Vec::with_capacity(3 + 2 * DATABASE_KEY_LEN));
        spec.extend_from_slice(b"x'");
        for byte in self.0.bytes() {
            spec.push(digit(byte >> 4));
            spec.push(digit(byte & 15));
        }
        spec.push(b'\'');
        spec
    }
}

impl fmt::Debug for DatabaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("DatabaseKey(..)")
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA256 of `secret` without salt under `label`. Every secret handed in is uniformly random already.
pub(super) fn expand(secret: &[u8], label: &[u8], out: &mut [u8]) -> Result<(), StoreError> {
    hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
        .extract(secret)
        .expand(&[label], Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .map_err(|ring::error::Unspecified| StoreError::OutOfMemory)
}
