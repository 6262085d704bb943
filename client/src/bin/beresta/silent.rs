//! A terminal that shows nothing of what is typed, and that is as it was before when it is left: also by Ctrl-C, at which the
//! library that asks for passphrases would end the process with the terminal as it stands. The relay's program does alike in
//! `cli::ask`: the two have no room in common that may know a terminal.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write as _};

use rpassword::{ConfigBuilder, prompt_password_with_config};
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// What a terminal sends for Ctrl-C where it makes no signal of it.
const CTRL_C: u8 = 3;

/// Asks at the terminal, which does not show what is typed. `leave` puts right what else was done to it, before Ctrl-C ends us.
///
/// # Errors
/// Where there is no terminal. At Ctrl-C the process ends by the signal, as any other program, unless it is ignored.
pub(crate) fn ask(question: &str, leave: impl FnOnce()) -> io::Result<Zeroizing<String>> {
    let typed = typed(question);
    if typed.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
        leave();
        let _ = kill_process(getpid(), Signal::INT);
    }
    typed
}

fn typed(question: &str) -> io::Result<Zeroizing<String>> {
    let silent = Silent::new()?;
    let config = ConfigBuilder::new().input_reader(Keys(silent.terminal.try_clone()?)).build();
    prompt_password_with_config(question, config).map(Zeroizing::new)
}

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
        let shown = LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        silent.local_modes.remove(shown);
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
