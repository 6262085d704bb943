//! A person of the demo: a profile in a folder, and the real command line.

use std::path::PathBuf;
use std::process::Command;

use super::Broken;
use super::process::{Process, output, program, with_passphrase};

/// One person.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) passphrase: &'static str,
    pub(crate) dir: PathBuf,
    file: PathBuf,
    language: &'static str,
}

impl Person {
    /// Makes a profile.
    pub(crate) fn make(
        folder: PathBuf,
        name: &'static str,
        language: &'static str,
        passphrase: &'static str,
        relay: &str,
    ) -> Result<Self, Broken> {
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("passphrase-for-the-demo");
        std::fs::write(&file, format!("{passphrase}\n"))?;
        let person = Self { name, passphrase, dir: folder.join("profile"), file, language };
        person.run(&["init", "--name", name, "--relay", relay], "")?;
        Ok(person)
    }

    fn command(&self, args: &[&str]) -> Result<Command, Broken> {
        let mut command = with_passphrase(&program("beresta")?, &self.file);
        command.args(["--lang", self.language, "--dir"]).arg(&self.dir).args(args);
        Ok(command)
    }

    /// Runs a command to its end: what it printed.
    pub(crate) fn run(&self, args: &[&str], input: &str) -> Result<String, Broken> {
        match output(self.command(args)?, input)? {
            (0, printed) => Ok(printed),
            (code, printed) => Err(Broken(format!(
                "{}: “beresta {}” ended with {code}: {printed}",
                self.name,
                args.join(" ")
            ))),
        }
    }

    /// Opens a conversation.
    pub(crate) fn chat(&self, with: &str) -> Result<Process, Broken> {
        Process::start(self.command(&["chat", "open", with])?)
    }
}
