//! What a person types, or a program pipes in: lines of standard input, and passphrases. What stands on the command line all
//! users of the machine see, and the shell keeps it.

use std::fs::File;
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Read, Write as _, stdin};

use rpassword::{ConfigBuilder, prompt_password_with_config};
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::fault::Fault;

/// Bytes of a line at the most: a longer one is cut there.
pub(super) const LINE: u64 = 4_096;
/// What a terminal sends for Ctrl-C where it makes no signal of it.
const CTRL_C: u8 = 3;

/// A line of standard input, as it came.
pub(super) fn line() -> io::Result<Zeroizing<String>> {
    // It does not grow, which would leave copies of it behind.
    let mut line = Zeroizing::new(String::with_capacity(4_096));
    stdin().lock().take(LINE).read_line(&mut line)?;
    Ok(line)
}

/// A passphrase: typed at the terminal, which does not show it, or a line of standard input.
pub(super) fn passphrase(question: &str) -> Result<Zeroizing<String>, Fault> {
    if stdin().is_terminal() {
        let typed = typed(question);
        if typed.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
            // Who called this is told how it ended, as by any other program. Where the signal is ignored, it goes on.
            let _ = kill_process(getpid(), Signal::INT);
        }
        return typed.map_err(|_| Fault::NoPassphrase);
    }
    let mut line = line().map_err(|_| Fault::NoPassphrase)?;
    while line.ends_with(['\n', '\r']) {
        line.pop();
    }
    if line.is_empty() { Err(Fault::NoPassphrase) } else { Ok(line) }
}

fn typed(question: &str) -> io::Result<Zeroizing<String>> {
    let silent = Silent::new()?;
    let config = ConfigBuilder::new().input_reader(Keys(silent.terminal.try_clone()?)).build();
    prompt_password_with_config(question, config).map(Zeroizing::new)
}

/// The terminal, which shows nothing of what is typed until this is dropped. The library would see to that itself, but ends the
/// process at Ctrl-C before it has put the terminal right again.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn new() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        // Each key as it is pressed, Ctrl-C among them.
        silent
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, OptionalActions::Now, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        // Enter, or Ctrl-C, was not shown either.
        let _ = self.terminal.write_all(b"\n");
    }
}

/// The keys as they are pressed. Ctrl-C ends them: the library must not see it.
struct Keys(File);

impl Read for Keys {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(out) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(read) if out.iter().take(read).any(|key| *key == CTRL_C) => {
                    return Err(ErrorKind::Interrupted.into());
                }
                done => return done,
            }
        }
    }
}
