//! Seals one body under the key of a day, for the row in which it will lie.
//!
//! ```text
//! nonce 24 │ XChaCha20-Poly1305( body )        associated data: a label and the row's identity
//! message: label │ queue 8 │ sequence 8 │ name 8       blob: label │ name 32       proof: label │ day 8
//! ```
//! Nonces are drawn by the operating system for each body: 192 bits, so that however many a day has, two don't meet, and
//! none is told from a place or a count that a rolled-back transaction or an older copy of the files would give again.
//! The associated data binds a body to its row: moved to another, it does not open.

use std::sync::Arc;

use beresta_proto::label;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::queue::{BlobName, QueueRef};
use crate::random;

/// Bytes of a key's seed, which is the key.
pub(super) const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;

/// Which row a body belongs to.
#[derive(Clone, Copy)]
pub(super) enum Row<'r> {
    /// A message, by its place, which is never given again, and its name.
    Message { queue: QueueRef, sequence: u64, name: i64 },
    /// A blob.
    Blob(&'r BlobName),
    /// No body: what shows that a key is the one of a day.
    Proof { day: i64 },
}

impl Row<'_> {
    fn identity(self) -> Vec<u8> {
        match self {
            Self::Message { queue, sequence, name } => {
                let place = [queue.0.to_be_bytes(), sequence.to_be_bytes(), name.to_be_bytes()];
                [label::STORED_MESSAGE, place.as_flattened()].concat()
            }
            Self::Blob(name) => [label::STORED_BLOB, &name.0].concat(),
            Self::Proof { day } => [label::DAY_KEY, &day.to_be_bytes()].concat(),
        }
    }
}

/// There is no key for a day, or nothing to make a nonce of: the operating system gave no randomness, or the file of the
/// keys can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key for a day")]
pub(super) struct NoKey;

impl From<NoKey> for rusqlite::Error {
    fn from(error: NoKey) -> Self {
        Self::ToSqlConversionFailure(Box::new(error))
    }
}

/// The key of a day. Lies in one place, however often it is handed out, and is wiped there when nobody has it any more.
#[derive(Clone)]
pub(super) struct DayKey(Arc<Zeroizing<[u8; KEY]>>);

impl core::fmt::Debug for DayKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("DayKey(..)")
    }
}

impl DayKey {
    /// The key that these bytes are.
    pub(super) fn new(seed: &[u8; KEY]) -> Self {
        Self(Arc::new(Zeroizing::new(*seed)))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&**self.0).into())
    }

    /// Seals a body for its row.
    pub(super) fn seal(&self, row: Row<'_>, body: &[u8]) -> Result<Vec<u8>, NoKey> {
        let mut nonce = [0; NONCE];
        random::fill(&mut nonce).map_err(|_| NoKey)?;
        let mut sealed = Vec::with_capacity(NONCE.saturating_add(body.len()).saturating_add(TAG));
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(body);
        let inside = sealed.get_mut(NONCE..).ok_or(NoKey)?;
        let tag = self
            .cipher()
            .encrypt_inout_detached(&XNonce::from(nonce), &row.identity(), inside.into())
            .map_err(|_| NoKey)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens a body. None if it was not sealed under this key for this row.
    pub(super) fn open(&self, row: Row<'_>, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let tag: [u8; TAG] = *sealed.last_chunk()?;
        sealed.truncate(sealed.len().saturating_sub(TAG));
        let (nonce, inside) = sealed.split_first_chunk_mut::<NONCE>()?;
        self.cipher()
            .decrypt_inout_detached(&XNonce::from(*nonce), &row.identity(), inside.into(), &tag.into())
            .ok()?;
        sealed.drain(..NONCE);
        Some(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_own_row_and_under_its_own_key_only() {
        let (key, other) = (DayKey::new(&[1; KEY]), DayKey::new(&[2; KEY]));
        let (blob, another) = (BlobName([3; 32]), BlobName([4; 32]));
        let message = |queue, sequence, name| Row::Message { queue: QueueRef(queue), sequence, name };
        let rows = [
            message(1, 2, 3),
            message(2, 2, 3),
            message(1, 3, 3),
            message(1, 2, 4),
            Row::Blob(&blob),
            Row::Blob(&another),
            Row::Proof { day: 1 },
            Row::Proof { day: 2 },
        ];
        for (at, row) in rows.into_iter().enumerate() {
            let sealed = key.seal(row, b"body").unwrap();
            assert_eq!(sealed.len(), NONCE + 4 + TAG);
            assert_ne!(sealed, key.seal(row, b"body").unwrap(), "a nonce of its own");
            for (place, row) in rows.into_iter().enumerate() {
                assert_eq!(key.open(row, sealed.clone()).is_some(), at == place, "{at} in {place}");
            }
            assert_eq!(key.open(row, sealed.clone()).unwrap(), b"body");
            assert_eq!(other.open(row, sealed.clone()), None);
            let mut cut = sealed;
            while cut.pop().is_some() {
                assert_eq!(key.open(row, cut.clone()), None);
            }
        }
        assert_eq!(format!("{key:?}"), "DayKey(..)");
    }
}
