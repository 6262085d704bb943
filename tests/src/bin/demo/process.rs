//! Child processes whose lines are waited for.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::Broken;

/// Longer than any line takes that comes at all, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Builds the two programs as people get them: each by itself, so that the relay links no SQLCipher and no OpenSSL.
pub(crate) fn build() -> Result<(), Broken> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for package in ["beresta-server", "beresta-client"] {
        let built = Command::new(&cargo).args(["build", "--release", "--quiet", "-p", package]).status()?;
        if !built.success() {
            return Err(Broken(format!("{package} does not build")));
        }
    }
    Ok(())
}

/// A program that was built beside this one.
pub(crate) fn program(name: &str) -> Result<PathBuf, Broken> {
    let here = std::env::current_exe()?;
    let beside = here.parent().map(|folder| folder.join(name)).filter(|path| path.exists());
    beside.ok_or_else(|| Broken(format!("{name} was not built")))
}

/// A running program.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<String>,
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
    pub(crate) fn start(mut command: Command) -> Result<Self, Broken> {
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
        Ok(Self { child, input, lines, seen: Vec::new() })
    }

    /// Waits for a line that contains `what`.
    pub(crate) fn expect(&mut self, what: &str) -> Result<String, Broken> {
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

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) -> Result<(), Broken> {
        match &mut self.input {
            Some(input) => Ok(writeln!(input, "{line}")?),
            None => Err(Broken(String::from("nothing can be typed any more"))),
        }
    }

    /// Ends the input and waits for the program's end: its exit code.
    pub(crate) fn finish(mut self) -> Result<Option<i32>, Broken> {
        drop(self.input.take());
        Ok(self.child.wait()?.code())
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Result<(), Broken> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Runs a program to its end: what it printed on standard output. `input` is typed.
pub(crate) fn output(mut command: Command, input: &str) -> Result<(i32, String), Broken> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut to) = child.stdin.take() {
        to.write_all(input.as_bytes())?;
    }
    let done = child.wait_with_output()?;
    let code = done.status.code().unwrap_or(-1);
    Ok((code, String::from_utf8_lossy(&done.stdout).into_owned()))
}

/// A command that runs with a file's first line as its passphrase, on descriptor 3. The file is for show: a person is
/// asked at the terminal.
pub(crate) fn with_passphrase(program: &Path, passphrase: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "file=$1; shift; exec \"$@\" 3<\"$file\"", "sh"]).arg(passphrase).arg(program);
    command.args(["--passphrase-fd", "3"]);
    command
}
