//! Passphrases as people meet them: words that are made, weak ones, a key file.

use std::path::Path;
use std::process::Command;

use beresta_tests::process::{Output, Programs, Terminal, output};

const OWN: &str = "harbour violet engine moss kettle";

/// A command on a new terminal.
pub(super) fn on_a_terminal(programs: &Programs, dir: &Path, line: &str) -> Terminal {
    let line = format!("exec \"$BERESTA\" --dir \"$PROFILE\" {line}");
    Terminal::run(Path::new(env!("CARGO_BIN_EXE_on-a-terminal")), &line, |command| {
        command.env("BERESTA", &programs.client).env("PROFILE", dir).env("LANG", "C.UTF-8");
        command.env_remove("LC_ALL").env_remove("LC_MESSAGES");
    })
    .unwrap()
}

/// A command with the lines that it reads passphrases from.
fn with_lines(programs: &Programs, dir: &Path, args: &[&str], lines: &[&str]) -> Output {
    let mut command = Command::new(&programs.client);
    command.args(["--passphrase-fd", "0", "--dir"]).arg(dir).args(args);
    output(command, &lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap()
}

#[test]
fn words_are_made_shown_once_typed_again_and_open_the_profile_in_any_case() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (language, count, asked, seen, again) in [
        ("en", 6, "New passphrase: ", "Press Enter when", "Type the words: "),
        ("ru", 7, "Новая парольная фраза: ", "Нажмите Enter, когда", "Введите эти слова: "),
    ] {
        let dir = folder.path().join(language);
        let init = format!("--lang {language} init --name Anna --kdf-memory-mib 1");
        let mut terminal = on_a_terminal(&programs, &dir, &init);
        terminal.expect(asked).unwrap();
        terminal.type_unseen("\n").unwrap();
        terminal.expect(seen).unwrap();
        // They stand alone, on the second screen, which is left before they are asked for.
        let alone = |line: &&str| line.starts_with("    ") && line.split_whitespace().count() == count;
        let words = terminal.shown().lines().find(alone).unwrap().trim().to_owned();
        assert!(terminal.shown().contains("\u{1b}[?1049h"), "{}", terminal.shown());
        terminal.type_unseen("\n").unwrap();
        terminal.expect(again).unwrap();
        assert!(terminal.shown().contains("\u{1b}[?1049l"), "{}", terminal.shown());
        // Mistyped, they are shown once more; then loudly, with spaces.
        terminal.type_unseen("something else\n").unwrap();
        terminal.expect(seen).unwrap();
        terminal.type_unseen("\n").unwrap();
        terminal.expect(again).unwrap();
        terminal.type_unseen(&format!("{}  \n", words.to_uppercase().replace(' ', "  "))).unwrap();
        let (code, shown) = terminal.end().unwrap();
        assert_eq!(code, Some(0), "{shown}");
        assert_eq!(shown.matches(&words).count(), 2, "shown once for each time they had to be: {shown}");

        let dotted = words.replace('е', "ё");
        for typed in [words.as_str(), &words.to_uppercase(), &dotted] {
            let opened = with_lines(&programs, &dir, &["--lang", "en", "contact", "list"], &[typed]);
            assert_eq!(opened.code, 0, "{}", opened.err);
        }
        let wrong = words.rsplit_once(' ').unwrap().0;
        assert_eq!(with_lines(&programs, &dir, &["contact", "list"], &[wrong]).code, 6);
    }
}

#[test]
fn made_words_go_to_a_terminal_or_nowhere() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("profile");
    let init = "--lang en init --name Anna --kdf-memory-mib 1 2>errors";
    let mut terminal = on_a_terminal(
        &programs,
        &dir,
        init.replace("errors", folder.path().join("errors").to_str().unwrap()).as_str(),
    );
    terminal.expect("New passphrase: ").unwrap();
    terminal.type_unseen("\n").unwrap();
    let (code, shown) = terminal.end().unwrap();
    assert_eq!(code, Some(6), "{shown}");
    let errors = std::fs::read_to_string(folder.path().join("errors")).unwrap();
    assert!(!errors.contains("1049h") && errors.contains("no terminal"), "{errors}");
    assert!(!dir.exists());
}

#[test]
fn a_weak_passphrase_is_refused_wherever_it_comes_from() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("profile");
    let init = ["--lang", "en", "init", "--name", "Ковальчук", "--kdf-memory-mib", "1"];
    for weak in ["", "ghbdtn123", "Москва2024", "kovalchuk kovalchuk", "снег лампа весна рука"]
    {
        let told = with_lines(&programs, &dir, &init, &[weak]);
        assert_eq!(told.code, 2, "{weak}: {}", told.err);
        assert!(told.err.contains("would be guessed"), "{weak}: {}", told.err);
        assert!(!dir.exists());
    }
    // At the terminal the person is asked again.
    let mut terminal = on_a_terminal(&programs, &dir, "--lang en init --name Anna --kdf-memory-mib 1");
    for (asked, typed) in [("New passphrase: ", "ghbdtn123"), ("New passphrase: ", OWN), ("Once more: ", OWN)]
    {
        terminal.expect(asked).unwrap();
        terminal.type_unseen(&format!("{typed}\n")).unwrap();
    }
    let (code, shown) = terminal.end().unwrap();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("would be guessed") && !shown.contains(OWN), "{shown}");
    assert_eq!(with_lines(&programs, &dir, &["passwd"], &[OWN, "Moskva2024"]).code, 2);
    assert_eq!(with_lines(&programs, &dir, &["contact", "list"], &[OWN]).code, 0);
}

#[test]
fn a_key_file_is_as_needed_as_the_passphrase_until_it_is_dropped() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (dir, stick) = (folder.path().join("profile"), folder.path().join("stick"));
    std::fs::create_dir(&stick).unwrap();
    let key = stick.join("holiday");
    let key = key.to_str().unwrap();
    let run = |args: &[&str], lines: &[&str]| {
        let done = with_lines(&programs, &dir, &[&["--lang", "en"], args].concat(), lines);
        (done.code, done.err)
    };
    assert_eq!(run(&["init", "--name", "Anna", "--kdf-memory-mib", "1"], &[OWN]).0, 0);
    // Beside the profile it would be taken along; and who is not sure gets none.
    let inside = dir.join("key");
    let inside = ["passwd", "--make-key-file", inside.to_str().unwrap(), "--yes"];
    assert_eq!(run(&inside, &[OWN, OWN]).0, 2);
    // More than once: the profile was open by then, and a command that did not close it died at its end now and then.
    for _ in 0..10 {
        let (code, told) = run(&["passwd", "--make-key-file", key], &[OWN, OWN]);
        assert!(code == 4 && !told.contains("internal error"), "{code}: {told}");
    }
    assert!(!Path::new(key).exists());
    let (code, told) = run(&["passwd", "--make-key-file", key, "--yes"], &[OWN, OWN]);
    assert!(code == 0 && told.contains("lost or changed"), "{told}");

    let list = ["contact", "list"];
    let with = |file: &'static str| ["--key-file", file, "contact", "list"];
    assert_eq!(run(&list, &[OWN]).0, 6);
    assert_eq!(run(&["--key-file", key, "contact", "list"], &[OWN]).0, 0);
    assert_eq!(run(&["--key-file", key, "contact", "list"], &["wrong"]).0, 6);
    assert_eq!(run(&with("/missing"), &[OWN]).0, 6);
    assert_eq!(run(&with("/etc/passwd"), &[OWN]).0, 6);
    // It is kept where the passphrase changes, and nothing of another takes its place.
    assert_eq!(run(&["--key-file", key, "passwd", "--make-key-file", key, "--yes"], &[OWN, OWN]).0, 2);
    assert_eq!(run(&["--key-file", key, "passwd"], &[OWN, OWN]).0, 0);
    assert_eq!(run(&list, &[OWN]).0, 6);
    assert_eq!(run(&["--key-file", key, "passwd", "--drop-key-file"], &[OWN, OWN]).0, 0);
    assert_eq!(run(&list, &[OWN]).0, 0);
}

#[test]
fn whatever_the_memory_a_guess_costs_three_passes_and_a_cheap_one_is_warned_of() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (mib, cheap) in [("1", true), ("256", false)] {
        let dir = folder.path().join(mib);
        let init = ["-q", "--lang", "en", "init", "--name", "Anna", "--kdf-memory-mib", mib];
        let told = with_lines(&programs, &dir, &init, &[OWN]);
        assert_eq!((told.code, told.err.contains("LESS THAN IS USUAL")), (0, cheap), "{}", told.err);
        // Memory, passes and lanes stand behind the salt.
        let header = std::fs::read(dir.join("vault.hdr")).unwrap();
        let costs = [32, 36, 40].map(|at| u32::from_le_bytes(header[at..at + 4].try_into().unwrap()));
        assert_eq!(costs, [mib.parse::<u32>().unwrap() * 1_024, 3, 4]);
    }
}

#[test]
fn who_breaks_off_at_a_passphrase_has_a_terminal_that_shows_what_they_type() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let line = "trap : INT; \"$BERESTA\" --lang en --dir \"$PROFILE\" init --name Anna; echo ended; read shown; echo \"<$shown>\"";
    for typed in ["\u{3}", "half of it\u{3}", ""] {
        let mut terminal = Terminal::run(Path::new(env!("CARGO_BIN_EXE_on-a-terminal")), line, |command| {
            command.env("BERESTA", &programs.client).env("PROFILE", folder.path().join("anna"));
        })
        .unwrap();
        terminal.expect("New passphrase: ").unwrap();
        if typed.is_empty() {
            // While words are shown on the second screen.
            terminal.type_unseen("\n").unwrap();
            terminal.expect("\u{1b}[?1049h").unwrap();
            terminal.expect("Press Enter when").unwrap();
            terminal.type_unseen("\u{3}").unwrap();
            terminal.expect("\u{1b}[?1049l").unwrap();
        } else {
            terminal.type_unseen(typed).unwrap();
        }
        terminal.expect("ended").unwrap();
        terminal.type_in("seen\n").unwrap();
        // As it is typed, and only then what came of it.
        terminal.expect("seen").unwrap();
        terminal.expect("<seen>").unwrap();
    }
    assert!(!folder.path().join("anna").exists());
}
