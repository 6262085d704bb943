//! Reading passphrases: from the terminal without echo, or from an open file descriptor. Never from the command line or
//! the environment, which other programs can read.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal as _, Read, Write as _, stderr, stdin};

use beresta_client::api::{MadePhrase, Passphrase, WordList, is_weak, make_phrase};
use zeroize::Zeroizing;

use super::fault::Fault;
use super::print::{Printer, tell};
#[cfg(unix)]
use super::silent::ask;

/// Bytes of a line from a descriptor: a longer one is no passphrase.
const LONGEST: usize = 4_096;
/// How often a person may choose a weak passphrase, or mistype, before the command ends.
const TRIES: usize = 5;
/// The terminal's second screen, cleared; and back from it. What stood there is in no list of lines scrolled by.
const SECOND_SCREEN: &str = "\u{1b}[?1049h\u{1b}[2J\u{1b}[H";
const FIRST_SCREEN: &str = "\u{1b}[2J\u{1b}[?1049l";

/// Where passphrases come from.
pub(crate) enum Source {
    /// The terminal.
    Prompt,
    /// Lines of an open descriptor, in the order they are asked for.
    Lines(File),
}

impl Source {
    /// The terminal, or the descriptor with this number.
    pub(crate) fn new(descriptor: Option<u32>) -> Result<Self, Fault> {
        let Some(number) = descriptor else { return Ok(Self::Prompt) };
        let file = File::open(format!("/dev/fd/{number}")).map_err(|_| Fault::NoDescriptor)?;
        Ok(Self::Lines(file))
    }

    fn line(&mut self, print: &Printer, question: &str) -> Result<Zeroizing<String>, Fault> {
        self.line_or(print, question, || {})
    }

    /// The same, where the terminal is not as it was: `leave` puts it right if the person breaks off.
    fn line_or(
        &mut self,
        print: &Printer,
        question: &str,
        leave: impl FnOnce(),
    ) -> Result<Zeroizing<String>, Fault> {
        match self {
            Self::Lines(file) => line_of(file),
            Self::Prompt if stdin().is_terminal() => {
                ask(&print.text.say(question), leave).map_err(|_| Fault::NoTerminal)
            }
            Self::Prompt => Err(Fault::NoTerminal),
        }
    }

    /// The passphrase of the profile.
    pub(crate) fn ask(&mut self, print: &Printer) -> Result<Passphrase, Fault> {
        let mut line = self.line(print, "ask-passphrase")?;
        Ok(Passphrase::new(std::mem::take(&mut line)))
    }

    /// A new passphrase: one that the person thought of, asked twice at the terminal, because what is typed is not seen;
    /// or words that are made for them, if they just press Enter. `known` is what somebody who guesses tries first.
    ///
    /// There is no way to have a weak one all the same: with the files in hand it is as good as none, and a person who
    /// is in a hurry would take it.
    pub(crate) fn ask_new(
        &mut self,
        print: &Printer,
        list: WordList,
        known: &[&str],
    ) -> Result<Passphrase, Fault> {
        for left in (0..TRIES).rev() {
            let mut first = self.line(print, "ask-new-passphrase")?;
            let at_the_terminal = matches!(self, Self::Prompt);
            if first.is_empty() && at_the_terminal {
                return self.made(print, list);
            }
            let fault = if is_weak(&first, known) {
                Fault::WeakPassphrase
            } else if at_the_terminal && *self.line(print, "ask-again")? != *first {
                Fault::PassphrasesDiffer
            } else {
                return Ok(Passphrase::new(std::mem::take(&mut first)));
            };
            if left == 0 || !at_the_terminal {
                return Err(fault);
            }
            tell(&fault.words(&print.text));
        }
        Err(Fault::WeakPassphrase)
    }

    /// Makes words, shows them, and has them typed.
    fn made(&mut self, print: &Printer, list: WordList) -> Result<Passphrase, Fault> {
        let made = make_phrase(list);
        for _ in 0..TRIES {
            self.show(print, &made)?;
            if made.is_typed(&self.line(print, "ask-made-again")?) {
                return Ok(made.passphrase());
            }
            print.warn("made-differs", []);
        }
        Err(Fault::PassphrasesDiffer)
    }

    /// Shows words until the person presses Enter, and takes them off the screen.
    fn show(&mut self, print: &Printer, made: &MadePhrase) -> Result<(), Fault> {
        // Into a file or a pipe they must not go.
        if !stderr().is_terminal() {
            return Err(Fault::NoTerminal);
        }
        let put = |parts: &[&str]| {
            let mut out = stderr().lock();
            parts.iter().try_for_each(|part| out.write_all(part.as_bytes())).and_then(|()| out.flush())
        };
        // Piece by piece, and the words as they lie: put together they would be copied.
        let (front, end) = (print.text.say("made-front"), print.text.say("made-end"));
        put(&[SECOND_SCREEN, &front, "\r\n\r\n    ", made.words(), "\r\n\r\n", &end, "\r\n"])
            .map_err(|_| Fault::NoTerminal)?;
        let mut left = false;
        let seen = self.line_or(print, "ask-made-seen", || left = put(&[FIRST_SCREEN]).is_ok());
        // Not twice, where Ctrl-C is ignored: that would clear the first one.
        if !left {
            put(&[FIRST_SCREEN]).map_err(|_| Fault::NoTerminal)?;
        }
        seen.map(drop)
    }
}

#[cfg(not(unix))]
fn ask(question: &str, _leave: impl FnOnce()) -> std::io::Result<Zeroizing<String>> {
    rpassword::prompt_password(question).map(Zeroizing::new)
}

/// The next line, byte by byte: a reader's own buffer would keep what it read, and is not wiped. Nor does the line grow,
/// which would leave copies behind.
fn line_of(from: &mut impl Read) -> Result<Zeroizing<String>, Fault> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0]);
    let mut any = false;
    loop {
        match from.read(byte.as_mut_slice()) {
            Ok(0) if any => break,
            Ok(0) => return Err(Fault::NoDescriptor),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(Fault::NoDescriptor),
        }
        any = true;
        let [one] = *byte;
        if one == b'\n' {
            break;
        }
        if line.len() == LONGEST {
            return Err(Fault::NoDescriptor);
        }
        line.push(one);
    }
    while line.ends_with(b"\r") {
        line.pop();
    }
    let text = String::from_utf8(std::mem::take(&mut *line));
    text.map(Zeroizing::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        Fault::NoDescriptor
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_from_a_descriptor_and_not_a_byte_more() {
        let mut from: &[u8] = b"one\r\n\ntwo";
        for (line, left) in [("one", 4), ("", 3), ("two", 0)] {
            let read = line_of(&mut from).unwrap();
            assert_eq!((read.as_str(), from.len()), (line, left));
            // It did not grow.
            assert!(read.capacity() == LONGEST);
        }
        assert!(matches!(line_of(&mut from), Err(Fault::NoDescriptor)));
        for wrong in [vec![b'a'; LONGEST + 1], vec![0xff, b'\n']] {
            assert!(matches!(line_of(&mut wrong.as_slice()), Err(Fault::NoDescriptor)));
        }
        assert_eq!(line_of(&mut [b'a'; LONGEST].as_slice()).unwrap().len(), LONGEST);
    }
}
