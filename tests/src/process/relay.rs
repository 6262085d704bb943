//! A relay: the real program with its SQLite queues in a folder.

use std::ffi::OsString;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Broken, Process, Programs, output};

/// The operator's name: public, so it must be found in the relay's files, or a search does not work.
pub const OPERATOR: &str = "Demo-Relay-Operator";

/// A relay that runs, or did.
#[derive(Debug)]
pub struct Relay {
    /// Its folder.
    pub dir: PathBuf,
    /// What it hands out.
    pub address: String,
    program: PathBuf,
    running: Option<Process>,
    environment: Vec<(&'static str, OsString)>,
}

/// An address of loopback that nobody listens at, just now.
///
/// # Errors
/// [`Broken`] if the system has none.
pub fn free_port() -> Result<String, Broken> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

impl Relay {
    /// Makes a relay in a folder on a free port of loopback, and starts it.
    ///
    /// # Errors
    /// [`Broken`] if that fails.
    pub fn make(programs: &Programs, dir: &Path) -> Result<Self, Broken> {
        let free = free_port()?;
        let mut relay = Self::make_at(programs, dir, &free, &free)?;
        relay.start()?;
        Ok(relay)
    }

    /// Makes a relay that listens at one address and is found at another.
    ///
    /// # Errors
    /// [`Broken`] if that fails.
    pub fn make_at(programs: &Programs, dir: &Path, listen: &str, public: &str) -> Result<Self, Broken> {
        let mut init = Command::new(&programs.relay);
        init.arg("init").arg("--dir").arg(dir);
        init.args(["--listen", listen, "--public", public, "--operator", OPERATOR]);
        let made = output(init, "")?;
        let address = made.out.lines().last().unwrap_or_default().to_owned();
        if made.code != 0 || !address.starts_with("beresta-relay:") {
            return Err(Broken(format!("the relay was not made: {}", made.err)));
        }
        let program = programs.relay.clone();
        Ok(Self { dir: dir.to_path_buf(), address, program, running: None, environment: Vec::new() })
    }

    /// Sets a variable for the next start.
    pub fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.environment.push((name, value.into()));
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`Broken`] if it does not listen soon.
    pub fn start(&mut self) -> Result<(), Broken> {
        let mut run = Command::new(&self.program);
        run.arg("run").arg("--dir").arg(&self.dir);
        run.envs(self.environment.iter().cloned());
        let mut process = Process::start(run)?;
        process.expect("listening")?;
        self.running = Some(process);
        Ok(())
    }

    /// What runs, for who ends it in another way.
    pub fn take(&mut self) -> Option<Process> {
        self.running.take()
    }

    /// Kills it with SIGKILL: every line that it printed.
    ///
    /// # Errors
    /// [`Broken`] if it can't be waited for.
    pub fn kill(&mut self) -> Result<Vec<String>, Broken> {
        self.running.take().map_or(Ok(Vec::new()), Process::kill)
    }

    /// Stops it in order: every line that it printed.
    ///
    /// # Errors
    /// [`Broken`] if it does not end well.
    pub fn stop(&mut self) -> Result<Vec<String>, Broken> {
        match self.running.take().map(Process::stop).transpose()? {
            None => Ok(Vec::new()),
            Some((Some(0), lines)) => Ok(lines),
            Some((code, lines)) => {
                Err(Broken(format!("the relay ended with {code:?}: {}", lines.join("\n"))))
            }
        }
    }

    /// The program that it is.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The running process's number.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.running.as_ref().map(Process::id)
    }

    /// Everything in its memory.
    ///
    /// # Errors
    /// [`Broken`] if it does not run, or is not ours to look into.
    pub fn memory(&self) -> Result<Vec<u8>, Broken> {
        self.running.as_ref().ok_or_else(|| Broken(String::from("the relay does not run")))?.memory()
    }

    /// Lets it run on: a relay that is dropped is killed.
    pub fn leave_running(&mut self) {
        if let Some(running) = self.running.take() {
            running.leave();
        }
    }

    /// What it holds, in its own words.
    ///
    /// # Errors
    /// [`Broken`] if it does not start.
    pub fn what_it_holds(&self, how: &[&str]) -> Result<String, Broken> {
        let mut ask = Command::new(&self.program);
        ask.arg("what-i-hold").args(how).arg("--dir").arg(&self.dir);
        Ok(output(ask, "")?.out)
    }

    /// How many messages wait in its queues.
    ///
    /// # Errors
    /// [`Broken`] if it does not say.
    pub fn waiting(&self) -> Result<u64, Broken> {
        let held: serde_json::Value = serde_json::from_str(&self.what_it_holds(&["--json"])?)
            .map_err(|error| Broken(error.to_string()))?;
        held.get("messages").and_then(serde_json::Value::as_u64).ok_or_else(|| Broken(held.to_string()))
    }
}
