//! The demo's relay: the real binary with its SQLite queues in a folder.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Broken;
use super::process::{Process, output, program};

/// The operator's name: public, so it must be found in the relay's files, or the search does not work.
pub(crate) const OPERATOR: &str = "Demo-Relay-Operator";

/// A relay that runs, or did.
pub(crate) struct Relay {
    pub(crate) dir: PathBuf,
    pub(crate) address: String,
    running: Option<Process>,
}

impl Relay {
    /// Makes a relay in a folder on a free port of loopback, and starts it.
    pub(crate) fn make(dir: PathBuf) -> Result<Self, Broken> {
        let free = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut init = Command::new(program("beresta-relay")?);
        init.arg("init").arg("--dir").arg(&dir);
        init.args(["--listen", &free, "--public", &free, "--operator", OPERATOR]);
        let (code, printed) = output(init, "")?;
        let address = printed.lines().last().unwrap_or_default().to_owned();
        if code != 0 || !address.starts_with("beresta-relay:") {
            return Err(Broken(String::from("the relay was made")));
        }
        let mut relay = Self { dir, address, running: None };
        relay.start()?;
        Ok(relay)
    }

    /// Starts it.
    pub(crate) fn start(&mut self) -> Result<(), Broken> {
        let mut run = Command::new(program("beresta-relay")?);
        run.arg("run").arg("--dir").arg(&self.dir);
        let mut process = Process::start(run)?;
        process.expect("listening")?;
        self.running = Some(process);
        Ok(())
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<(), Broken> {
        self.running.take().map_or(Ok(()), Process::kill)
    }

    /// The running process's number.
    pub(crate) fn id(&self) -> Option<u32> {
        self.running.as_ref().map(Process::id)
    }

    /// Lets it run on after the demo: a child that is dropped is not killed.
    pub(crate) fn leave_running(&mut self) {
        drop(self.running.take());
    }

    /// What it holds, in its own words.
    pub(crate) fn what_it_holds(&self) -> Result<String, Broken> {
        Ok(holds(&self.dir)?.1)
    }
}

fn holds(dir: &Path) -> Result<(i32, String), Broken> {
    let mut ask = Command::new(program("beresta-relay")?);
    ask.args(["what-i-hold", "--lang", "en", "--dir"]).arg(dir);
    output(ask, "")
}

impl Drop for Relay {
    fn drop(&mut self) {
        // A demo that failed leaves no relay behind.
        let _ = self.kill();
    }
}
