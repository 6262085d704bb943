//! Padding of content before the ratchet, so that a ciphertext's length says less even to one who has `K_q`
//! (rule E5): a length in front, zeros behind, to the next multiple of [`STEP`].

use alloc::vec::Vec;

use crate::codec::{DecodeError, Reader, Writer};

/// Padded content is a multiple of this many bytes.
pub const STEP: usize = 256;

/// Pads `content` to the next multiple of [`STEP`] with room for its length.
#[must_use]
pub fn pad(content: &[u8]) -> Vec<u8> {
    let len = content.len().saturating_add(4).next_multiple_of(STEP);
    let mut w = Writer::with_capacity(len);
    w.u32(u32::try_from(content.len()).unwrap_or(u32::MAX));
    w.put(content);
    w.zeros_to(len);
    w.into_vec()
}

/// The content of padded bytes.
///
/// # Errors
/// [`DecodeError`] if the length is not a multiple of [`STEP`], more is padded than needed, or the padding is not
/// zero.
pub fn unpad(padded: &[u8]) -> Result<&[u8], DecodeError> {
    let mut r = Reader::new(padded);
    let len = usize::try_from(r.u32()?).map_err(|_| DecodeError::Invalid { what: "padded length" })?;
    if len.checked_add(4).and_then(|n| n.checked_next_multiple_of(STEP)) != Some(padded.len()) {
        return Err(DecodeError::Invalid { what: "padded length" });
    }
    let content = r.take(len)?;
    r.zeros()?;
    Ok(content)
}
