//! A person: a profile in a folder, and the real command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Broken, Output, Process, Programs, output};

/// Who somebody is.
#[derive(Debug, Clone, Copy)]
pub struct Who {
    /// The name that contacts see.
    pub name: &'static str,
    /// The language that they read.
    pub language: &'static str,
    /// What opens their profile.
    pub passphrase: &'static str,
}

/// One person.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who they are.
    pub who: Who,
    /// Their profile's folder.
    pub dir: PathBuf,
    /// Their account's id, once they have a profile.
    pub account: String,
    program: PathBuf,
    file: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Person {
    /// Somebody without a profile yet, in a folder of their own.
    ///
    /// # Errors
    /// [`Broken`] if the folder can't be made.
    pub fn new(programs: &Programs, folder: &Path, who: Who) -> Result<Self, Broken> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join("passphrase");
        std::fs::write(&file, format!("{}\n", who.passphrase))?;
        // They know it after a power cut, too.
        std::fs::File::open(&file)?.sync_all()?;
        Ok(Self {
            who,
            dir: folder.join("profile"),
            account: String::new(),
            program: programs.client.clone(),
            file,
            environment: Vec::new(),
        })
    }

    /// Makes a profile at a relay.
    ///
    /// # Errors
    /// [`Broken`] if that fails.
    pub fn make(programs: &Programs, folder: &Path, who: Who, relay: &str) -> Result<Self, Broken> {
        Self::new(programs, folder, who)?.init(&["--relay", relay])
    }

    /// Makes a profile at a relay, whose passphrase costs next to nothing to try: tests open profiles often.
    ///
    /// # Errors
    /// [`Broken`] if that fails.
    pub fn make_cheap(programs: &Programs, folder: &Path, who: Who, relay: &str) -> Result<Self, Broken> {
        Self::new(programs, folder, who)?.init(&["--relay", relay, "--kdf-memory-mib", "1"])
    }

    fn init(mut self, options: &[&str]) -> Result<Self, Broken> {
        let made = self.json(&[&["init", "--name", self.who.name], options].concat())?;
        let account = made.first().and_then(|one| one.get("account")?.as_str());
        account
            .ok_or_else(|| Broken(String::from("a new profile names its account")))?
            .clone_into(&mut self.account);
        Ok(self)
    }

    /// The same person, who reads another language.
    #[must_use]
    pub fn reading(&self, language: &'static str) -> Self {
        Self { who: Who { language, ..self.who }, ..self.clone() }
    }

    /// Sets a variable for their programs from now on.
    pub fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.environment.push((name, value.into()));
    }

    /// A command of theirs. The passphrase comes on descriptor 3, from a file that stands for the person: people are
    /// asked at the terminal.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "file=$1; shift; exec \"$@\" 3<\"$file\"", "sh"]).arg(&self.file);
        command.arg(&self.program).args(["--passphrase-fd", "3", "--lang", self.who.language, "--dir"]);
        command.arg(&self.dir).args(args);
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Runs a command to its end, well or not.
    ///
    /// # Errors
    /// [`Broken`] if it does not start.
    pub fn try_run(&self, args: &[&str], input: &str) -> Result<Output, Broken> {
        output(self.command(args), input)
    }

    /// Runs a command to its end: what it printed on standard output.
    ///
    /// # Errors
    /// [`Broken`] if it fails.
    pub fn run(&self, args: &[&str], input: &str) -> Result<String, Broken> {
        match self.try_run(args, input)? {
            Output { code: 0, out, err: _ } => Ok(out),
            Output { code, out, err } => Err(Broken(format!(
                "{}: “beresta {}” ended with {code}: {out}{err}",
                self.who.name,
                args.join(" ")
            ))),
        }
    }

    /// Starts a command.
    ///
    /// # Errors
    /// [`Broken`] if it does not start.
    pub fn start(&self, args: &[&str]) -> Result<Process, Broken> {
        Process::start(self.command(args))
    }

    /// Opens a conversation.
    ///
    /// # Errors
    /// [`Broken`] if it does not start.
    pub fn chat(&self, with: &Self) -> Result<Process, Broken> {
        self.start(&["chat", "open", with.who.name])
    }

    /// What a command prints with `--json`, one object a line.
    ///
    /// # Errors
    /// [`Broken`] if it fails or prints something else.
    pub fn json(&self, args: &[&str]) -> Result<Vec<serde_json::Value>, Broken> {
        let printed = self.run(&[&["--json"], args].concat(), "")?;
        let objects = printed.lines().map(serde_json::from_str);
        objects.collect::<Result<_, _>>().map_err(|error| Broken(format!("{error}: {printed}")))
    }

    /// Meets somebody by an invite: the link.
    ///
    /// # Errors
    /// [`Broken`] if they don't meet.
    pub fn meet(&self, other: &Self) -> Result<String, Broken> {
        let link = self.run(&["-q", "invite", "new", "--no-qr"], "")?.trim().to_owned();
        other.run(&["invite", "accept", "-"], &format!("{link}\n"))?;
        self.run(&["receive"], "")?;
        other.run(&["receive"], "")?;
        Ok(link)
    }
}

/// Two people do something at the same time.
///
/// # Errors
/// [`Broken`] of either.
pub fn both<T: Send>(
    one: impl FnOnce() -> Result<T, Broken> + Send,
    other: impl FnOnce() -> Result<T, Broken>,
) -> Result<(T, T), Broken> {
    std::thread::scope(|threads| {
        let one = threads.spawn(one);
        let other = other();
        let one = one.join().map_err(|_| Broken(String::from("a thread ended in order")))?;
        Ok((one?, other?))
    })
}
