//! The header that the post-quantum ratchet (SPQR) puts into each message, read again and strictly.
//!
//! libsignal's own reader (v1.2.0 of SPQR) runs before any MAC is checked. It indexes past the end of a header cut
//! after its numbers, shifts by more than 63 bits and takes 1 from epoch 0: three ways for a stranger to panic it.
//! A header of a version it does not know it silently ignores, which would switch the ratchet off. Here every header
//! has exactly one form, and no other reaches it:
//!
//! ```text
//! version 1 │ epoch varint, not 0 │ index varint, 32 bits │ type 0–6 │ chunk: index varint, 16 bits; 32 bytes
//!                                                                       (types 1, 2, 3, 5, 6 only)
//! ```

/// The numbers of a header that hold against a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The epoch being agreed on; the message's key is of the epoch before it. Never 0.
    pub(super) epoch: u64,
    /// Which key of that epoch's chain the message used.
    pub(super) index: u32,
}

const VERSION: u8 = 1;
const CHUNK_LEN: usize = 32;

/// Reads a header, to the last byte.
pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
    let (version, rest) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let (epoch, rest) = varint(rest)?;
    let (index, rest) = varint(rest)?;
    let index = u32::try_from(index).ok()?;
    let (kind, rest) = rest.split_first()?;
    let rest = match kind {
        0 | 4 => rest,
        1 | 2 | 3 | 5 | 6 => {
            let (chunk, rest) = varint(rest)?;
            u16::try_from(chunk).ok()?;
            rest.split_at_checked(CHUNK_LEN)?.1
        }
        _ => return None,
    };
    (rest.is_empty() && epoch != 0).then_some(Header { epoch, index })
}

/// A base-128 number of at most 64 bits in its shortest form, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits.checked_shl(7 * u32::try_from(at).ok()?)?;
        if at == 9 && bits > 1 {
            return None; // would lose bits past the 64th
        }
        value |= shifted;
        if byte & 0x80 == 0 {
            if at > 0 && *byte == 0 {
                return None; // a longer form of a shorter number
            }
            return bytes.get(at + 1..).map(|rest| (value, rest));
        }
    }
    None
}
