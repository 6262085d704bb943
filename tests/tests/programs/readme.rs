//! README as a newcomer follows it: every command of “Two people meet”, as it is written, in a terminal.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;

use beresta_tests::process::{Broken, Programs, Terminal, free_port};

const README: &str = include_str!("../../../README.md");
const PORT: &str = "127.0.0.1:4433";
const PASSPHRASE: &str = "correct horse battery staple teapot";
const HERS: &str = "Boris, did the parcel come";
const HIS: &str = "It came, thank you";

/// The lines of the sh blocks of a section.
fn commands(section: &str) -> Vec<&'static str> {
    let after = README.split_once(&format!("\n## {section}\n")).unwrap().1;
    let text = after.split("\n## ").next().unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).map(|line| line.split("  #").next().unwrap().trim());
    lines.filter(|line| !line.is_empty()).collect()
}

/// A newcomer, who answers what is asked.
struct Newcomer {
    folder: tempfile::TempDir,
    programs: Programs,
    port: String,
    /// Programs that go on, by what started them.
    open: BTreeMap<&'static str, Terminal>,
    /// What was shown to be handed on or compared.
    invite: String,
    number: String,
}

impl Newcomer {
    /// Types a command as written, in a terminal of its own.
    fn begin(&self, line: &str) -> Terminal {
        // Somebody else may have the port of the example.
        let line = line.replace(PORT, &self.port);
        let path = std::env::join_paths(
            std::iter::once(self.programs.folder().to_path_buf())
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        );
        Terminal::run(Path::new(env!("CARGO_BIN_EXE_on-a-terminal")), &line, |command| {
            command.current_dir(self.folder.path()).env("PATH", path.unwrap()).env("LANG", "C.UTF-8");
            command.env_remove("LC_ALL").env_remove("LC_MESSAGES");
        })
        .unwrap()
    }

    /// Answers the questions of a command until its end: what it showed.
    fn to_the_end(&self, line: &str, answers: &[(&str, &str)]) -> Result<String, Broken> {
        let mut terminal = self.begin(line);
        for (question, answer) in answers {
            terminal.expect(question)?;
            let keys = format!("{answer}\n");
            if *answer == PASSPHRASE { terminal.type_unseen(&keys)? } else { terminal.type_in(&keys)? }
        }
        match terminal.end()? {
            (Some(0), shown) => Ok(shown),
            (code, shown) => Err(Broken(format!("“{line}” ended with {code:?}: {shown}"))),
        }
    }

    fn follow(&mut self, line: &'static str) -> Result<(), Broken> {
        let passphrase = ("Passphrase: ", PASSPHRASE);
        let invite = self.invite.clone();
        let pasted = ("", invite.as_str());
        let number = self.number.clone();
        match line
            .split_once(" --dir ")
            .map_or(line, |(_, rest)| rest.split_once(' ').map_or("", |(_, rest)| rest))
        {
            // What is built stands in the PATH already.
            _ if line.starts_with("cargo build") || line.starts_with("export PATH") => {}
            _ if line.starts_with("beresta-relay run") => {
                let mut relay = self.begin(line);
                relay.expect("listening")?;
                self.open.insert("relay", relay);
            }
            _ if line.starts_with("beresta-relay ") => drop(self.to_the_end(line, &[])?),
            rest if rest.starts_with("init") => {
                let asked = [("New passphrase: ", PASSPHRASE), ("Once more: ", PASSPHRASE)];
                self.to_the_end(line, &asked)?;
            }
            "invite new" => {
                let shown = self.to_the_end(line, &[passphrase])?;
                let link = shown.lines().find(|line| line.starts_with("beresta:"));
                link.unwrap().trim().clone_into(&mut self.invite);
                assert!(shown.contains('█'), "a QR code is shown: {shown}");
            }
            "invite inspect -" => drop(self.to_the_end(line, &[pasted])?),
            "invite accept -" => drop(self.to_the_end(line, &[pasted, passphrase])?),
            "receive" => drop(self.to_the_end(line, &[passphrase])?),
            rest if rest.starts_with("chat open") => {
                let mut chat = self.begin(line);
                chat.expect("Passphrase: ")?;
                chat.type_unseen(&format!("{PASSPHRASE}\n"))?;
                chat.expect("Conversation with")?;
                self.open.insert(if rest.ends_with("Anna") { "his" } else { "hers" }, chat);
                self.talk()?;
            }
            rest if rest.starts_with("verify show") => {
                let shown = self.to_the_end(line, &[passphrase])?;
                let digits = shown.lines().filter(|line| line.starts_with(|one: char| one.is_ascii_digit()));
                self.number = digits.map(str::trim).collect::<Vec<_>>().join(" ");
            }
            rest if rest.starts_with("verify confirm") => {
                drop(self.to_the_end(line, &[passphrase, ("reads out:", &number)])?);
            }
            _ => drop(self.to_the_end(line, &[])?),
        }
        Ok(())
    }

    /// Once both have opened the conversation, they talk, and end it.
    fn talk(&mut self) -> Result<(), Broken> {
        if !(self.open.contains_key("his") && self.open.contains_key("hers")) {
            return Ok(());
        }
        let (mut his, mut hers) = (self.open.remove("his").unwrap(), self.open.remove("hers").unwrap());
        hers.type_in(&format!("{HERS}\n"))?;
        his.expect(&format!("Anna: {HERS}"))?;
        his.type_in(&format!("{HIS}\n"))?;
        hers.expect(&format!("Boris: {HIS}"))?;
        for mut chat in [his, hers] {
            // Ctrl-D.
            chat.type_in("\u{4}")?;
            let (code, shown) = chat.end()?;
            assert_eq!(code, Some(0), "{shown}");
            assert!(!shown.contains(PASSPHRASE), "what is typed there is not shown");
        }
        Ok(())
    }
}

#[test]
fn every_command_of_two_people_meet_works_as_it_is_written() {
    let programs = Programs::for_tests().unwrap();
    let free = UdpSocket::bind(PORT).is_ok();
    let port = if free { PORT.to_owned() } else { free_port().unwrap() };
    if !free {
        println!("{PORT} is taken here: tried with {port}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (open, invite, number) = (BTreeMap::new(), String::new(), String::new());
    let mut newcomer = Newcomer { folder, programs, port, open, invite, number };
    let commands = commands("Two people meet");
    for wanted in ["run", "init", "invite new", "invite accept", "chat open", "verify confirm", "what-i-hold"]
    {
        assert!(commands.iter().any(|line| line.contains(wanted)), "README shows {wanted}");
    }
    for line in commands {
        newcomer.follow(line).unwrap_or_else(|Broken(what)| panic!("README: {line}\n{what}"));
    }
}

#[test]
fn every_option_that_readme_names_exists() {
    let programs = Programs::for_tests().unwrap();
    let help = |program: &Path, command: &[&str]| {
        let mut ask = std::process::Command::new(program);
        ask.args(command).arg("--help");
        beresta_tests::process::output(ask, "").unwrap().out
    };
    let asked: [&[&str]; 4] = [&["init"], &["invite", "accept"], &["panic"], &["alert", "set"]];
    let client = asked.map(|command| help(&programs.client, command)).concat();
    let known = client + &help(&programs.relay, &["init"]);
    let words = README.split(|one: char| !(one.is_ascii_alphanumeric() || one == '-'));
    let cargos = ["--release", "--workspace", "--keep", "--"];
    for option in words.filter(|word| word.starts_with("--") && !cargos.contains(word)) {
        assert!(known.contains(option) || option == "--help", "{option}");
    }
}
