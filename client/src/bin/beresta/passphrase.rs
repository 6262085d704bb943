//! Reading passphrases: from the terminal without echo, or from an open file descriptor. Never from the command line or
//! the environment, which other programs can read.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _, stdin};

use beresta_client::api::Passphrase;
use zeroize::Zeroizing;

use super::fault::Fault;
use super::text::Text;

/// Characters that a new passphrase has at the least. What makes it strong is said in words, not counted.
const SHORTEST: usize = 8;
/// Bytes of a line from a descriptor: a longer one is no passphrase.
const LONGEST: u64 = 4_096;

/// Where passphrases come from.
pub(crate) enum Source {
    /// The terminal.
    Prompt,
    /// Lines of an open descriptor, in the order they are asked for.
    Lines(BufReader<std::io::Take<File>>),
}

impl Source {
    /// The terminal, or the descriptor with this number.
    pub(crate) fn new(descriptor: Option<u32>) -> Result<Self, Fault> {
        let Some(number) = descriptor else { return Ok(Self::Prompt) };
        let file = File::open(format!("/dev/fd/{number}")).map_err(|_| Fault::NoDescriptor)?;
        Ok(Self::Lines(BufReader::new(file.take(LONGEST))))
    }

    fn line(&mut self, text: &Text, question: &str) -> Result<Zeroizing<String>, Fault> {
        match self {
            Self::Lines(lines) => {
                let mut line = Zeroizing::new(String::with_capacity(256));
                let read = lines.read_line(&mut line).map_err(|_| Fault::NoDescriptor)?;
                if read == 0 {
                    return Err(Fault::NoDescriptor);
                }
                while line.ends_with(['\n', '\r']) {
                    line.pop();
                }
                Ok(line)
            }
            Self::Prompt if stdin().is_terminal() => rpassword::prompt_password(text.say(question))
                .map(Zeroizing::new)
                .map_err(|_| Fault::NoTerminal),
            Self::Prompt => Err(Fault::NoTerminal),
        }
    }

    /// The passphrase of the profile.
    pub(crate) fn ask(&mut self, text: &Text) -> Result<Passphrase, Fault> {
        let mut line = self.line(text, "ask-passphrase")?;
        Ok(Passphrase::new(std::mem::take(&mut line)))
    }

    /// A new passphrase: asked twice at the terminal, because what is typed is not seen.
    pub(crate) fn ask_new(&mut self, text: &Text) -> Result<Passphrase, Fault> {
        let mut first = self.line(text, "ask-new-passphrase")?;
        if first.chars().count() < SHORTEST {
            return Err(Fault::ShortPassphrase);
        }
        if let Self::Prompt = self {
            let second = self.line(text, "ask-again")?;
            if *first != *second {
                return Err(Fault::PassphrasesDiffer);
            }
        }
        Ok(Passphrase::new(std::mem::take(&mut first)))
    }
}
