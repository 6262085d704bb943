//! A terminal with a program on it, for what people are asked for there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Broken, PATIENCE};

/// A terminal on which a program runs. Dropped, the program is killed.
#[derive(Debug)]
pub struct Terminal {
    keyboard: File,
    screen: Receiver<String>,
    shown: String,
    looked: usize,
    child: Child,
}

impl Terminal {
    /// Runs a shell command line on a new terminal. `on_a_terminal` is the program of that name of this package, which
    /// makes the terminal that of the command's session.
    ///
    /// # Errors
    /// [`Broken`] if the system gives no terminal.
    pub fn run(on_a_terminal: &Path, line: &str, prepare: impl FnOnce(&mut Command)) -> Result<Self, Broken> {
        let broken = |error: rustix::io::Errno| Broken(error.to_string());
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).map_err(broken)?;
        grantpt(&master).map_err(broken)?;
        unlockpt(&master).map_err(broken)?;
        let name = ptsname(&master, Vec::new()).map_err(broken)?;
        let mut command = Command::new(on_a_terminal);
        command.arg(name.to_string_lossy().as_ref()).args(["sh", "-c", line]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        prepare(&mut command);
        let child = command.spawn()?;
        let keyboard = File::from(master);
        let mut from = keyboard.try_clone()?;
        let (give, screen) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            // Linux says EIO when the last program has left the terminal, and before the first one came.
            loop {
                match from.read(&mut buffer) {
                    Ok(length) => {
                        let part = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
                        if give.send(part.into_owned()).is_err() {
                            return;
                        }
                    }
                    Err(_) if give.send(String::new()).is_err() => return,
                    Err(_) => thread::sleep(std::time::Duration::from_millis(10)),
                }
            }
        });
        Ok(Self { keyboard, screen, shown: String::new(), looked: 0, child })
    }

    /// Waits until one of these texts is shown after what was waited for before: which.
    ///
    /// # Errors
    /// [`Broken`] with what was shown instead, if none is shown in [`PATIENCE`].
    pub fn expect_one(&mut self, texts: &[&str]) -> Result<usize, Broken> {
        loop {
            let rest = self.shown.get(self.looked..).unwrap_or_default();
            let first = texts.iter().enumerate().filter_map(|(which, text)| Some((rest.find(text)?, which)));
            if let Some((at, which)) = first.min() {
                self.looked += at + texts.get(which).map_or(0, |text| text.len());
                return Ok(which);
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(part) if part.is_empty() => {
                    if self.child.try_wait()?.is_some() {
                        return Err(Broken(format!("it ended without {texts:?}: {}", self.shown)));
                    }
                }
                Ok(part) => self.shown.push_str(&part),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(Broken(format!("{texts:?} was not shown, but: {}", self.shown)));
                }
            }
        }
    }

    /// Waits until a text is shown.
    ///
    /// # Errors
    /// As [`Terminal::expect_one`].
    pub fn expect(&mut self, text: &str) -> Result<(), Broken> {
        self.expect_one(&[text]).map(drop)
    }

    /// All that was shown until what was waited for last.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.shown.get(..self.looked).unwrap_or_default()
    }

    /// Types.
    ///
    /// # Errors
    /// [`Broken`] if the terminal is gone.
    pub fn type_in(&mut self, keys: &str) -> Result<(), Broken> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// Types what must not be shown, once the terminal shows nothing any more: the program asks first and then sees to that.
    ///
    /// # Errors
    /// [`Broken`] if the terminal is gone or goes on showing what is typed.
    pub fn type_unseen(&mut self, keys: &str) -> Result<(), Broken> {
        const LOOKS: u32 = 1_000;
        for _ in 0..LOOKS {
            let modes = rustix::termios::tcgetattr(&self.keyboard).map_err(std::io::Error::from)?.local_modes;
            if !modes.contains(rustix::termios::LocalModes::ECHO) {
                return self.type_in(keys);
            }
            thread::sleep(PATIENCE / LOOKS);
        }
        Err(Broken(String::from("the terminal shows what is typed")))
    }

    /// Waits for the program's end: its exit code, and all that was shown.
    ///
    /// # Errors
    /// [`Broken`] if it can't be waited for.
    pub fn end(mut self) -> Result<(Option<i32>, String), Broken> {
        let code = self.child.wait()?.code();
        while let Ok(part) = self.screen.recv_timeout(PATIENCE) {
            if part.is_empty() {
                break;
            }
            self.shown.push_str(&part);
        }
        Ok((code, std::mem::take(&mut self.shown)))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
