//! What a person types, or a program pipes in: lines of standard input. What stands on the command line all users of the
//! machine see, and the shell keeps it.

use std::io::{self, BufRead as _, Read as _, stdin};

use zeroize::Zeroizing;

/// Bytes of a line at the most: a longer one is cut there.
pub(super) const LINE: u64 = 4_096;

/// A line of standard input, as it came.
pub(super) fn line() -> io::Result<Zeroizing<String>> {
    // It does not grow, which would leave copies of it behind.
    let mut line = Zeroizing::new(String::with_capacity(4_096));
    stdin().lock().take(LINE).read_line(&mut line)?;
    Ok(line)
}
