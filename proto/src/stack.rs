//! Leaving nothing on the stack. A secret that is dropped is wiped where it is then: of where it was moved from, and of
//! what the libraries had of it in their frames, nobody knows. It lies there until the thread calls as deep again, and
//! the threads of an idle relay sleep for days.

use zeroize::zeroize_stack;

/// Does something with a secret, and overwrites so many bytes of the stack that it had.
pub(crate) fn leave_nothing<const BYTES: usize, T>(work: impl FnOnce() -> T) -> T {
    let done = apart(work);
    zeroize_stack::<BYTES>();
    done
}

/// In a frame of its own, below the caller's, where the wiping begins.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}
