//! A person at a terminal, who is asked for a passphrase.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::*;

/// A terminal, and what is at the other end of it: a person.
struct Terminal {
    person: File,
    line: File,
}

impl Terminal {
    fn new() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        fcntl_setfl(&person, OFlags::NONBLOCK).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let mut options = File::options();
        options.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
        let line = options.open(name.to_str().unwrap()).unwrap();
        Self { person: person.into(), line }
    }

    /// Whether it shows what is typed, takes lines, and makes a signal of Ctrl-C.
    fn is_usual(&self) -> bool {
        let usual = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcgetattr(&self.line).unwrap().local_modes.contains(usual)
    }

    /// Calls the program in a session of its own, whose terminal this is.
    fn call(&self, args: &[&str]) -> Child {
        let mut program = Command::new("setsid");
        // Ctrl-C is ignored where the tests run behind a shell that does not wait for them.
        program.args(["--ctty", "env", "--default-signal=INT"]);
        program.args([env!("CARGO_BIN_EXE_beresta-relay"), "--lang", "en"]).args(args);
        program.stdin(self.line.try_clone().unwrap()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Types once `called` asks.
    fn answer(&mut self, called: &mut Child, question: &str, keys: &str) {
        let mut shown = Vec::new();
        while !String::from_utf8_lossy(&shown).contains(question) || self.is_usual() {
            let mut some = [0; 64];
            match self.person.read(&mut some) {
                Ok(read) => shown.extend(some.iter().take(read)),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            let ended = called.try_wait().unwrap();
            assert_eq!(ended, None, "before it asked: {}", String::from_utf8_lossy(&shown));
            std::thread::yield_now();
        }
        self.person.write_all(keys.as_bytes()).unwrap();
    }
}

#[test]
fn who_breaks_off_at_a_passphrase_has_a_terminal_that_shows_what_they_type() {
    let folder = tempfile::tempdir().unwrap();
    let [dir, file, new, other] =
        ["relay", "file", "new", "other"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    init(Path::new(&dir));
    let backup = ["export", "--dir", &dir, "--file", &file, "--backup"];
    let (passphrase, first) = ("five words that nobody guesses", "New passphrase");
    let kept = told(&["export", "--dir", &dir, "--file", &other, "--backup"], passphrase);
    assert_eq!(kept.status.code(), Some(0), "{}", err(&kept));
    let mut terminal = Terminal::new();
    assert!(terminal.is_usual());
    for (command, typed) in [
        (&backup[..], "\u{3}"),
        (&backup, "five words\u{3}"),
        (&["import", "--dir", &new, "--file", &other], "\u{3}"),
    ] {
        let mut called = terminal.call(command);
        terminal.answer(&mut called, "assphrase", typed);
        assert_eq!(called.wait().unwrap().signal(), Some(2), "{command:?}");
        assert!(terminal.is_usual(), "{command:?}");
    }
    assert!(!Path::new(&file).exists());

    // Who does not, is understood.
    let mut called = terminal.call(&backup);
    terminal.answer(&mut called, first, "five worse\u{7f}\u{7f}ds that nobody guesses\n");
    terminal.answer(&mut called, "Once more", &format!("{passphrase}\n"));
    let ended = called.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", err(&ended));
    assert!(terminal.is_usual());
    assert_eq!(told(&["import", "--dir", &new, "--file", &file], passphrase).status.code(), Some(0));
}
