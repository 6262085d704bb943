//! Lines of standard input, and whether each was typed: what is pasted must not act as a command.
//!
//! Two signs, since neither is enough. A terminal that was asked for it puts marks around what is pasted (bracketed
//! paste); not every one does. And who types a line pauses before the next one; a paste over a slow line may, too.

use std::io::{IsTerminal as _, Write as _, stderr, stdin};
use std::time::Duration;

use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Bytes of a line: more is told to be too long, and does not fill the memory.
const LINE: usize = 64 * 1024;
/// Bytes of a line that a terminal passes on (termios(3)). It shows the rest of a longer one, and drops it.
const PASSED_ON: usize = if cfg!(target_os = "linux") { 4_095 } else { 1_023 };
/// A line that is nearly as long may have been cut, too: what is deleted then goes of what was kept.
const SURE: usize = PASSED_ON / 4 * 3;
/// Bytes that are read at once.
const PIECE: usize = 4 * 1024;
/// Shorter than anybody types a line in, longer than the parts of a paste are apart.
const PAUSE: Duration = Duration::from_millis(150);
/// Enter may be pressed twice in a hurry: so many empty lines do not count as others.
const BLANKS: usize = 16;

/// Asks a terminal to mark what is pasted; and no longer to.
const MARK: &str = "\u{1b}[?2004h";
const MARK_NO_MORE: &str = "\u{1b}[?2004l";
/// The marks.
const BEGIN: &str = "\u{1b}[200~";
const END: &str = "\u{1b}[201~";

/// A line, without its end and without marks.
pub(super) struct Line {
    pub(super) text: Zeroizing<String>,
    /// Nothing of it was pasted, and no other line came with it. Only looked at for lines that begin with a stroke.
    pub(super) alone: bool,
    /// It is not what was written.
    pub(super) broken: Option<Broken>,
}

/// What happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The terminal may have dropped its end.
    Cut,
    /// It is no UTF-8: of a terminal with other letters, or after half a letter was deleted.
    NotText,
}

/// Whether a terminal may have dropped the end of a line that was typed or pasted there.
pub(super) fn is_cut(line: &[u8]) -> bool {
    stdin().is_terminal() && line.len() > SURE
}

/// Has the terminal mark what is pasted, for as long as this is there.
pub(super) struct Marks(bool);

impl Marks {
    pub(super) fn ask() -> Self {
        let marks = Self(stdin().is_terminal() && stderr().is_terminal());
        marks.again();
        marks
    }

    /// Asks anew: a shell in which the program was stopped and continued has it taken back.
    pub(super) fn again(&self) {
        self.put(MARK);
    }

    fn put(&self, what: &str) {
        // One that was stopped takes nothing, and a lock must not wait for that.
        if self.0 && within_pause(&stderr(), true) {
            let _ = stderr().write_all(what.as_bytes());
        }
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        self.put(MARK_NO_MORE);
    }
}

/// Lines of standard input, read on a thread of their own: a terminal cannot be waited for otherwise. What is made of each
/// is made there, also while nobody takes them.
pub(super) fn lines<T: Send + 'static>(
    mut make: impl FnMut(Line) -> T + Send + 'static,
) -> mpsc::Receiver<T> {
    let (give, take) = mpsc::channel(64);
    std::thread::spawn(move || {
        let mut lines = Lines::new(StandardInput);
        while let Some(line) = lines.next() {
            if give.blocking_send(make(line)).is_err() {
                return;
            }
        }
    });
    take
}

/// Where bytes come from.
trait Source {
    /// Waits for some: how many. None are the end.
    fn read(&mut self, into: &mut [u8]) -> usize;

    /// Whether some come, or the end, before a pause is over.
    fn comes(&mut self) -> bool;

    /// Whether the end of a line was dropped on its way here.
    fn cuts(&self, line: &[u8]) -> bool {
        is_cut(line)
    }
}

struct StandardInput;

#[cfg(unix)]
impl Source for StandardInput {
    fn read(&mut self, into: &mut [u8]) -> usize {
        // Not by the library's standard input, whose buffer nobody can look into.
        rustix::io::retry_on_intr(|| rustix::io::read(stdin(), &mut *into)).unwrap_or(0)
    }

    fn comes(&mut self) -> bool {
        within_pause(&stdin(), false)
    }
}

/// Whether something can be read from `file`, or written to it, before a pause is over.
#[cfg(unix)]
fn within_pause(file: &impl std::os::fd::AsFd, write: bool) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let pause = Timespec { tv_sec: 0, tv_nsec: PAUSE.subsec_nanos().into() };
    let mut look = [PollFd::new(file, if write { PollFlags::OUT } else { PollFlags::IN })];
    poll(&mut look, Some(&pause)).is_ok_and(|ready| ready > 0)
}

/// No sign that anything comes: the marks have to do.
#[cfg(not(unix))]
fn within_pause<T>(_file: &T, write: bool) -> bool {
    write
}

#[cfg(not(unix))]
impl Source for StandardInput {
    fn read(&mut self, into: &mut [u8]) -> usize {
        std::io::Read::read(&mut stdin(), into).unwrap_or(0)
    }

    fn comes(&mut self) -> bool {
        within_pause(&stdin(), false)
    }
}

/// Puts bytes together to lines.
struct Lines<S> {
    source: S,
    /// Read and not given yet. Made as large as it gets, so that no copies stay behind.
    read: Zeroizing<Vec<u8>>,
    ended: bool,
    /// A line that says something came, and no pause since.
    goes_on: bool,
    /// Whether there was a pause after the last line is not known yet.
    owes_look: bool,
    /// A paste began and did not end.
    in_paste: bool,
    /// The line that comes is the rest of one that was too long.
    too_long: bool,
}

impl<S: Source> Lines<S> {
    fn new(source: S) -> Self {
        let read = Zeroizing::new(Vec::with_capacity(LINE + PIECE));
        Self {
            source,
            read,
            ended: false,
            goes_on: false,
            owes_look: false,
            in_paste: false,
            too_long: false,
        }
    }

    /// The next line. Waits for what follows it only if it may be a command.
    fn next(&mut self) -> Option<Line> {
        if std::mem::take(&mut self.owes_look) && !self.comes() {
            self.goes_on = false;
        }
        let (bytes, whole) = self.line()?;
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
        // Where the rest is passed over, the cut may be within a letter.
        let not_text = std::str::from_utf8(bytes).is_err_and(|error| whole || error.error_len().is_some());
        let cut = self.source.cuts(bytes).then_some(Broken::Cut);
        let broken = cut.or(not_text.then_some(Broken::NotText));
        let (text, marked) = self.without_marks(line.trim_end_matches('\r'));
        if cut.is_some() {
            // The mark of the paste's end may have been dropped, too: then nothing follows.
            self.in_paste &= self.comes();
        }
        let came_with = self.goes_on;
        self.goes_on |= !text.trim().is_empty();
        if broken.is_some() || !text.trim_start().starts_with('/') {
            self.owes_look = true;
            return Some(Line { text, alone: false, broken });
        }
        self.goes_on = !whole || self.comes_more_than_blanks();
        let typed_alone = !came_with && !self.goes_on && !marked;
        let alone = typed_alone && !self.in_paste;
        if typed_alone {
            // The mark of a paste's end may have been deleted on the line. Refused once, a command is taken.
            self.in_paste = false;
        }
        Some(Line { text, alone, broken })
    }

    /// The next bytes up to the end of a line, and whether it ended there: or it was too long, and its rest is passed over.
    fn line(&mut self) -> Option<(Zeroizing<Vec<u8>>, bool)> {
        loop {
            let length = loop {
                if let Some(at) = self.read.iter().position(|byte| *byte == b'\n') {
                    break at + 1;
                }
                if self.read.len() >= LINE || !self.fill() {
                    break self.read.len();
                }
            };
            let taken = self.take(length);
            let last = *taken.last()?;
            let whole = last == b'\n' || self.ended;
            if !std::mem::replace(&mut self.too_long, !whole) {
                return Some((taken, whole));
            }
        }
    }

    fn take(&mut self, length: usize) -> Zeroizing<Vec<u8>> {
        let length = length.min(self.read.len());
        let (line, rest) = self.read.split_at(length);
        let line = Zeroizing::new(line.to_vec());
        let mut left = Zeroizing::new(Vec::with_capacity(LINE + PIECE));
        left.extend_from_slice(rest);
        self.read = left;
        line
    }

    /// Waits for more: false at the end.
    fn fill(&mut self) -> bool {
        let mut piece = Zeroizing::new([0; PIECE]);
        let count = if self.ended { 0 } else { self.source.read(piece.as_mut_slice()) };
        self.ended = count == 0;
        self.read.extend_from_slice(piece.get(..count).unwrap_or_default());
        !self.ended
    }

    /// Whether more came, or comes before a pause is over.
    fn comes(&mut self) -> bool {
        !self.read.is_empty() || (!self.ended && self.source.comes() && self.fill())
    }

    fn comes_more_than_blanks(&mut self) -> bool {
        for _ in 0..BLANKS {
            if !self.comes() {
                return false;
            }
            let Some(end) = self.read.iter().position(|byte| *byte == b'\n') else { return true };
            if !self.read.iter().take(end).all(u8::is_ascii_whitespace) {
                return true;
            }
            drop(self.take(end + 1));
        }
        true
    }

    /// A line without marks, and whether there were any.
    fn without_marks(&mut self, line: &str) -> (Zeroizing<String>, bool) {
        let mut text = Zeroizing::new(String::with_capacity(line.len()));
        let (mut rest, mut marked) = (line, false);
        loop {
            let first = [(BEGIN, true), (END, false)].into_iter().filter_map(|(mark, begins)| {
                let (before, after) = rest.split_once(mark)?;
                Some((before, after, begins))
            });
            let Some((before, after, begins)) = first.min_by_key(|(before, ..)| before.len()) else { break };
            text.push_str(before);
            (rest, marked, self.in_paste) = (after, true, begins);
        }
        text.push_str(rest);
        (text, marked)
    }
}

#[cfg(test)]
mod tests;
