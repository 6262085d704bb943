//! The real programs as processes: built, started, typed at, waited for, killed. Nothing of them is linked here.
//!
//! Whoever has a process has it to its end: a test that fails leaves none behind.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

pub mod apart;
#[cfg(feature = "world")]
mod bad_line;
mod memory;
mod person;
mod programs;
mod relay;
pub mod scan;
#[cfg(feature = "world")]
mod terminal;

#[cfg(feature = "world")]
pub use bad_line::{BadLine, Badness, GOOD};
use memory::memory;
pub use person::{Person, Who, both};
pub use programs::Programs;
pub use relay::{OPERATOR, Relay, free_port};
#[cfg(feature = "world")]
pub use terminal::Terminal;

/// Longer than any line takes that comes at all, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Something that was promised did not happen.
#[derive(Debug)]
pub struct Broken(pub String);

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A running program. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<String>,
    left: bool,
}

fn read_lines(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
}

impl Process {
    /// Starts a program; both its outputs are waited for alike.
    ///
    /// # Errors
    /// [`Broken`] if it does not start.
    pub fn start(mut command: Command) -> Result<Self, Broken> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (give, lines) = channel();
        if let Some(out) = child.stdout.take() {
            read_lines(out, give.clone());
        }
        if let Some(err) = child.stderr.take() {
            read_lines(err, give);
        }
        let input = child.stdin.take();
        Ok(Self { child, input, lines, seen: Vec::new(), left: false })
    }

    /// Waits for a line that contains `what`, among those that were not waited for before.
    ///
    /// # Errors
    /// [`Broken`] with what came instead, if none comes in [`PATIENCE`].
    pub fn expect(&mut self, what: &str) -> Result<String, Broken> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(what) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let seen = self.seen.join("\n  ");
                    return Err(Broken(format!("no line with “{what}” came. What came:\n  {seen}")));
                }
            }
        }
    }

    /// Every line that came so far.
    pub fn seen(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    /// Everything in its memory that it may write to, but for pages of zeros: as it stands, and with what was given back.
    ///
    /// # Errors
    /// [`Broken`] if it is not ours to read: a program that hardens itself is read by root only.
    pub fn memory(&self) -> Result<Vec<u8>, Broken> {
        memory(self.id())
    }

    /// Types a line.
    ///
    /// # Errors
    /// [`Broken`] if the program has ended.
    pub fn type_line(&mut self, line: &str) -> Result<(), Broken> {
        match &mut self.input {
            Some(input) => Ok(writeln!(input, "{line}")?),
            None => Err(Broken(String::from("nothing can be typed any more"))),
        }
    }

    /// Ends the input and waits for the program's end: its exit code and every line that came.
    ///
    /// # Errors
    /// [`Broken`] if it can't be waited for.
    pub fn finish(mut self) -> Result<(Option<i32>, Vec<String>), Broken> {
        drop(self.input.take());
        self.ended()
    }

    /// SIGTERM, and waits until it has ended in order: its exit code and every line that came.
    ///
    /// # Errors
    /// [`Broken`] if it can't be told or waited for.
    pub fn stop(mut self) -> Result<(Option<i32>, Vec<String>), Broken> {
        Command::new("kill").args(["-TERM", &self.id().to_string()]).status()?;
        self.ended()
    }

    /// SIGKILL, and waits until it is gone: every line that came before.
    ///
    /// # Errors
    /// [`Broken`] if it can't be waited for.
    pub fn kill(mut self) -> Result<Vec<String>, Broken> {
        self.child.kill()?;
        Ok(self.ended()?.1)
    }

    fn ended(&mut self) -> Result<(Option<i32>, Vec<String>), Broken> {
        let code = self.child.wait()?.code();
        // Both readers end with the outputs.
        self.seen.extend(self.lines.iter());
        Ok((code, std::mem::take(&mut self.seen)))
    }

    /// The exit code, if it has ended; less than nothing if a signal ended it: that one.
    ///
    /// # Errors
    /// [`Broken`] if it can't be asked.
    pub fn has_ended(&mut self) -> Result<Option<i32>, Broken> {
        Ok(self.child.try_wait()?.map(code))
    }

    /// The process's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGSTOP, and waits until each of its threads stands still.
    ///
    /// # Errors
    /// [`Broken`] if it has ended.
    pub fn freeze(&self) -> Result<(), Broken> {
        Command::new("kill").args(["-STOP", &self.id().to_string()]).status()?;
        let stands = |thread: std::io::Result<std::fs::DirEntry>| {
            let state = std::fs::read_to_string(thread?.path().join("stat"))?;
            // The name before it may have any characters.
            Ok::<_, Broken>(state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
        };
        loop {
            let threads = std::fs::read_dir(format!("/proc/{}/task", self.id()))?;
            let states = threads.map(stands).collect::<Result<Vec<_>, _>>()?;
            if states.into_iter().all(|stands| stands) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets it run on.
    pub fn leave(mut self) {
        self.left = true;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.left {
            // It may have ended before.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| -signal)).unwrap_or(i32::MIN)
}

/// What a program that has ended leaves.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; less than nothing if a signal ended it: that one.
    pub code: i32,
    /// What it printed on standard output.
    pub out: String,
    /// What it printed on standard error.
    pub err: String,
}

/// Runs a program to its end. `input` is typed.
///
/// # Errors
/// [`Broken`] if it does not start.
pub fn output(mut command: Command, input: &str) -> Result<Output, Broken> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut to) = child.stdin.take() {
        match to.write_all(input.as_bytes()) {
            // It may end without reading.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
    }
    let done = child.wait_with_output()?;
    Ok(Output {
        code: code(done.status),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    })
}
