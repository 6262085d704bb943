//! The operators' guide as somebody follows it who has never run a server: every command of “Try it first”, as it is
//! written; and those for which one would have to be root, as far as their options.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use beresta_tests::process::{Broken, Output, Process, Programs, free_port, output};

const GUIDES: [&str; 2] =
    [include_str!("../../../docs/operators.md"), include_str!("../../../docs/operators.ru.md")];
const PORT: &str = "127.0.0.1:4433";
const PASSPHRASE: &str = "five words that nobody guesses";

/// The lines of the blocks in a language.
fn commands<'g>(guide: &'g str, language: &str) -> Vec<&'g str> {
    let fence = format!("```{language}\n");
    let blocks = guide.split(fence.as_str()).skip(1).map(|block| block.split("```").next().unwrap());
    blocks.flat_map(str::lines).collect()
}

struct Novice {
    folder: tempfile::TempDir,
    programs: Programs,
    port: String,
    running: Option<Process>,
}

impl Novice {
    fn shell(&self, line: &str) -> Command {
        // Somebody else may have the port of the example.
        let line = line.replace(PORT, &self.port);
        let mut shell = Command::new("sh");
        let programs = self.programs.folder().display();
        shell
            .args(["-c", &format!("PATH=\"{programs}:$PATH\"; exec {line}")])
            .current_dir(self.folder.path());
        shell.env("LANG", "C.UTF-8").env_remove("LC_ALL").env_remove("LC_MESSAGES");
        shell
    }

    fn follow(&mut self, line: &str) -> Result<(), Broken> {
        if line.starts_with("beresta-relay run") {
            let mut process = Process::start(self.shell(line))?;
            process.expect("listening")?;
            self.running = Some(process);
            return Ok(());
        }
        let asks = ["export", "import"].iter().any(|one| line.starts_with(&format!("beresta-relay {one}")));
        let typed = if asks { format!("{PASSPHRASE}\n") } else { String::new() };
        let Output { code, out, err } = output(self.shell(line), &typed)?;
        // What the machine and a key that still lies there give cause for.
        let good = code == 0 || (line.contains(" doctor ") && code == 4);
        if !good || out.contains("FAIL") {
            return Err(Broken(format!("ended with {code}: {out}{err}")));
        }
        if line.contains(" drain ") {
            // It stops by itself.
            let ended = self.running.take().map(Process::finish).transpose()?;
            assert_eq!(ended.map(|(code, _)| code), Some(Some(0)));
        }
        Ok(())
    }
}

#[test]
fn every_command_that_an_operator_is_told_to_try_works_as_it_is_written() {
    let programs = Programs::for_tests().unwrap();
    let free = UdpSocket::bind(PORT).is_ok();
    let port = if free { PORT.to_owned() } else { free_port().unwrap() };
    let folder = tempfile::tempdir().unwrap();
    let mut novice = Novice { folder, programs, port, running: None };
    let commands = commands(GUIDES[0], "sh");
    let tried: BTreeSet<&str> = commands.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    for wanted in [
        "init",
        "config",
        "doctor",
        "selftest",
        "run",
        "status",
        "pause-new",
        "resume",
        "drain",
        "export",
        "import",
    ] {
        assert!(tried.contains(wanted), "the guide shows {wanted}");
    }
    for line in commands {
        novice.follow(line).unwrap_or_else(|Broken(what)| panic!("{line}\n{what}"));
    }
}

#[test]
fn both_guides_give_the_same_commands() {
    for language in ["sh", "console"] {
        assert_eq!(commands(GUIDES[0], language), commands(GUIDES[1], language));
        assert!(commands(GUIDES[0], language).len() > 5);
    }
}

#[test]
fn every_command_and_option_that_the_guides_name_exists() {
    let programs = Programs::for_tests().unwrap();
    let help = |program: &Path, args: &[&str]| {
        let mut ask = Command::new(program);
        ask.args(args).arg("--help");
        output(ask, "").unwrap()
    };
    let as_root = commands(GUIDES[0], "console");
    let told = as_root.iter().filter_map(|line| line.split_once("-- beresta-relay "));
    for (_, line) in told {
        let words: Vec<&str> = line.split(' ').collect();
        let known = help(&programs.relay, &words[..1]);
        assert_eq!(known.code, 0, "{line}");
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(known.out.contains(option), "{option} in {line}");
        }
    }
    let known = help(&programs.relay, &[]).out;
    for guide in GUIDES {
        let named = guide.split("`beresta-relay ").skip(1).filter_map(|rest| rest.split([' ', '`']).next());
        for name in named {
            assert!(known.contains(name), "{name}");
        }
    }
}
