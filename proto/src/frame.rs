//! A frame: one command, reply or push on a link, in one of four sizes (rules L1 to L5).
//!
//! ```text
//! class 1 │ kind 1 │ request 4 │ length 2 │ body │ zeros     all together 256, 3,584, 5,632 or 17,920 bytes
//! ```
//! The first byte tells a reader how many follow, so any ordered stream carries frames, and nothing but these four
//! sizes is ever seen. What kinds there are, [`crate::command`] and [`crate::reply`] say.

use alloc::vec::Vec;

use crate::codec::{DecodeError, Reader, Writer};
use crate::envelope::Bucket;
use crate::limits::{FRAME_CONTROL, FRAME_MARGIN};

/// Bytes in front of a frame's body.
pub const HEADER_LEN: usize = 8;

/// The size of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 256 bytes.
    Control,
    /// Room for an envelope of this bucket, alone or in a capsule.
    Bucket(Bucket),
}

impl Class {
    /// Every class, smallest first.
    pub const ALL: [Self; 4] =
        [Self::Control, Self::Bucket(Bucket::S), Self::Bucket(Bucket::M), Self::Bucket(Bucket::L)];

    /// Bytes of a frame of this class.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Control => FRAME_CONTROL,
            Self::Bucket(bucket) => bucket.size() + FRAME_MARGIN,
        }
    }

    /// The class of a frame that begins with this byte.
    ///
    /// # Errors
    /// [`DecodeError::Unknown`] if none does.
    pub fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::Control),
            code => Bucket::from_code(code)
                .map(Self::Bucket)
                .map_err(|_| DecodeError::Unknown { what: "frame class", code: u32::from(code) }),
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::Bucket(bucket) => bucket.code(),
        }
    }

    fn for_body(len: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|class| len <= class.size() - HEADER_LEN)
    }
}

/// Matches a reply to its command on one link; 0 on a push. Chosen by the client, which repeats none that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

/// The parts of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it says.
    pub kind: u8,
    /// Which command it belongs to.
    pub request: RequestId,
    /// The rest of what it says.
    pub body: &'a [u8],
}

impl core::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { kind, request: _, body: _ } = self;
        f.debug_struct("Frame").field("kind", kind).finish_non_exhaustive()
    }
}

impl<'a> Frame<'a> {
    /// Writes the frame in the smallest class that holds it.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] if the body fits none.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        Self::encode_parts(self.kind, self.request, &[self.body])
    }

    /// Writes a frame whose body is `parts` in a row, which are copied once: a message is the most of what a relay moves.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] if the body fits no class.
    pub(crate) fn encode_parts(
        kind: u8,
        request: RequestId,
        parts: &[&[u8]],
    ) -> Result<Vec<u8>, DecodeError> {
        let len = parts.iter().fold(0_usize, |len, part| len.saturating_add(part.len()));
        let limit = Class::Bucket(Bucket::L).size() - HEADER_LEN;
        let too_long = DecodeError::TooLong { what: "frame body", got: len, limit };
        let class = Class::for_body(len).ok_or(too_long)?;
        let mut w = Writer::with_capacity(class.size());
        w.u8(class.code());
        w.u8(kind);
        w.u32(request.0);
        w.u16(u16::try_from(len).map_err(|_| too_long)?);
        parts.iter().for_each(|part| w.put(part));
        w.zeros_to(class.size());
        Ok(w.into_vec())
    }

    /// Reads a whole frame.
    ///
    /// # Errors
    /// [`DecodeError`] if the size is not that of the class, a smaller class would have held it, or the padding is
    /// not zero.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let class = Class::from_code(r.u8()?)?;
        if bytes.len() != class.size() {
            return Err(DecodeError::Invalid { what: "frame size" });
        }
        let kind = r.u8()?;
        let request = RequestId(r.u32()?);
        let len = usize::from(r.u16()?);
        if Class::for_body(len) != Some(class) {
            return Err(DecodeError::Invalid { what: "frame class" });
        }
        let body = r.take(len)?;
        r.zeros()?;
        Ok(Self { kind, request, body })
    }
}
