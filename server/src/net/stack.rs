//! Wiping what calls left on the stack of a thread. A thread that sleeps keeps it for as long as it sleeps, and an idle
//! relay's threads sleep for hours.

use std::hint::black_box;

/// Overwrites so many bytes below the caller's frame: what the functions that it called before had there, as deep as
/// that. To be called right after them, and they must not have become a part of the caller.
#[inline(never)]
pub(super) fn wipe_stack<const BYTES: usize>() {
    let mut left = [0_u8; BYTES];
    // Written, as far as the compiler can tell.
    black_box(&mut left);
}
