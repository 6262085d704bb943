//! The one reader and the one writer of every binary format here: big-endian integers, fixed arrays, byte strings
//! and lists with a length in front and a limit behind.
//!
//! A decoder that is done calls [`Reader::finish`], so that no byte goes unread; what re-encodes to other bytes than
//! it came from is a bug.

use alloc::vec::Vec;

use zeroize::Zeroize;

/// Why bytes were refused. It names places in a format, never the bytes themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ended early.
    #[error("truncated: {needed} more bytes expected")]
    Truncated {
        /// How many bytes were missing.
        needed: usize,
    },
    /// The input went on after its end.
    #[error("{extra} bytes after the end")]
    Trailing {
        /// How many bytes were left.
        extra: usize,
    },
    /// A kind, version or code that this version does not know.
    #[error("unknown {what}: {code}")]
    Unknown {
        /// The field.
        what: &'static str,
        /// What stood there.
        code: u32,
    },
    /// A field whose value its rule forbids.
    #[error("invalid {what}")]
    Invalid {
        /// The field.
        what: &'static str,
    },
    /// A byte string or list over its limit.
    #[error("{what} too long: {got}, at most {limit}")]
    TooLong {
        /// The field.
        what: &'static str,
        /// Its length, in bytes or items.
        got: usize,
        /// The limit, in the same unit.
        limit: usize,
    },
    /// Padding that is not zero: it could carry a covert message, and one meaning must have one form.
    #[error("padding is not zero")]
    Padding,
}

/// Whether a byte string or list keeps its limit: an encoder refuses what a decoder would.
pub(crate) const fn limited(what: &'static str, got: usize, limit: usize) -> Result<(), DecodeError> {
    if got > limit { Err(DecodeError::TooLong { what, got, limit }) } else { Ok(()) }
}

/// Reads a byte string from front to back.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl core::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { rest: _ } = self;
        f.write_str("Reader(..)")
    }
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(n) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(DecodeError::Truncated { needed: n.saturating_sub(self.rest.len()) }),
        }
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| DecodeError::Truncated { needed: N })
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] at the end.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] at the end.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] at the end.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A byte string with its length in two bytes in front.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] over `limit` bytes, [`DecodeError::Truncated`] if it is cut.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], DecodeError> {
        let got = usize::from(self.u16()?);
        if got > limit {
            return Err(DecodeError::TooLong { what, got, limit });
        }
        self.take(got)
    }

    /// A text in UTF-8 with its length in bytes in front.
    ///
    /// # Errors
    /// As [`Reader::bytes`]; [`DecodeError::Invalid`] if it is no UTF-8.
    pub fn text(&mut self, what: &'static str, limit: usize) -> Result<&'a str, DecodeError> {
        core::str::from_utf8(self.bytes(what, limit)?).map_err(|_| DecodeError::Invalid { what })
    }

    /// A list with the number of its items in one byte in front.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] over `limit` items, and whatever `item` refuses.
    pub fn list<T>(
        &mut self,
        what: &'static str,
        limit: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let got = usize::from(self.u8()?);
        if got > limit {
            return Err(DecodeError::TooLong { what, got, limit });
        }
        (0..got).map(|_| item(self)).collect()
    }

    /// Everything that is left must be zero.
    ///
    /// # Errors
    /// [`DecodeError::Padding`] if it is not.
    pub fn zeros(self) -> Result<(), DecodeError> {
        // All of them, not up to the first that is not: many are looked at at once.
        let any = self.rest.iter().fold(0, |any, byte| any | byte);
        if any == 0 { Ok(()) } else { Err(DecodeError::Padding) }
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] if something is.
    pub const fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(DecodeError::Trailing { extra }),
        }
    }
}

/// Writes a byte string from front to back. The buffer is zeroized when it is dropped or grows, because invites and
/// addresses hold secrets.
#[derive(Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl core::fmt::Debug for Writer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { out: _ } = self;
        f.write_str("Writer(..)")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.out.zeroize();
    }
}

impl Writer {
    /// An empty writer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity) }
    }

    /// Makes room for so many more bytes.
    fn reserve(&mut self, more: usize) {
        let needed = self.out.len().saturating_add(more);
        if needed > self.out.capacity() {
            let mut larger = Vec::with_capacity(needed.saturating_mul(2));
            larger.extend_from_slice(&self.out);
            self.out.zeroize();
            self.out = larger;
        }
    }

    /// Appends `bytes` as they are.
    pub fn put(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.put(&value.to_be_bytes());
    }

    /// Appends two bytes, big-endian.
    pub fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// Appends four bytes, big-endian.
    pub fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Appends eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a byte string with its length in two bytes in front. What is longer than 65,535 bytes is cut there;
    /// every caller's limit lies far below.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.u16(len);
        self.put(bytes.get(..usize::from(len)).unwrap_or(bytes));
    }

    /// Appends a list with the number of its items in one byte in front. What is longer than 255 items is cut there.
    pub fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        let len = u8::try_from(items.len()).unwrap_or(u8::MAX);
        self.u8(len);
        for one in items.iter().take(usize::from(len)) {
            item(self, one);
        }
    }

    /// Appends zeros until `len` bytes are written; nothing if more are there already.
    pub fn zeros_to(&mut self, len: usize) {
        let more = len.saturating_sub(self.out.len());
        self.reserve(more);
        self.out.resize(self.out.len().saturating_add(more), 0);
    }

    /// How many bytes are written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.out
    }

    /// Gives up the buffer. The caller zeroizes it if it holds secrets.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<u8> {
        core::mem::take(&mut self.out)
    }
}
