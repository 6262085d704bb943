//! What people are told when something is wrong, and that secrets come in by no way that others can see.

use std::fs;
use std::path::Path;
use std::process::Command;

use beresta_tests::process::apart::not_tested;
use beresta_tests::process::{Output, Person, Process, Programs, Relay, output};

use super::{ANNA, BORIS, World};

const CATALOGUES: [(&str, &str); 2] = [
    ("en", include_str!("../../../client/locales/en/beresta.ftl")),
    ("ru", include_str!("../../../client/locales/ru/beresta.ftl")),
];

/// The sentence of a catalogue, up to what is put into it.
fn sentence(catalogue: &str, key: &str) -> String {
    let prefix = format!("{key} = ");
    let line = catalogue.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or("no such sentence");
    line.split('{').next().unwrap().to_owned()
}

/// The sentence that people who read English are shown.
pub(super) fn in_english(key: &str) -> String {
    sentence(CATALOGUES[0].1, key)
}

/// Runs a command in both languages: it ends with this code, says this sentence last, and nothing of what is secret.
fn told(person: &Person, args: &[&str], input: &str, code: i32, key: &str) {
    for (language, catalogue) in CATALOGUES {
        let reader = person.reading(language);
        let done = reader.try_run(args, input).unwrap();
        assert_told(&done, code, &sentence(catalogue, key), args);
        for secret in [person.who.passphrase, "not the passphrase", input.trim()] {
            assert!(
                secret.is_empty() || ![&*done.out, &*done.err].concat().contains(secret),
                "{args:?} tells a secret"
            );
        }
    }
}

pub(super) fn assert_told(done: &Output, code: i32, sentence: &str, args: &[&str]) {
    let last = done.err.lines().last().unwrap_or_default();
    assert_eq!(done.code, code, "{args:?} {done:?}");
    assert!(last.starts_with(sentence), "{args:?} should say “{sentence}”: {done:?}");
}

#[test]
fn every_mistake_gets_a_sentence_that_says_what_to_do_and_the_documented_code() {
    let mut world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    let folder = world.relay.dir.parent().unwrap().to_path_buf();
    let programs = Programs::for_tests().unwrap();
    let stranger = Person::new(&programs, &folder.join("stranger"), ANNA).unwrap();
    let mut thief = Person::new(&programs, &folder.join("thief"), BORIS).unwrap();
    thief.dir.clone_from(&anna.dir);

    told(&thief, &["contact", "list"], "", 6, "error-wrong-passphrase");
    told(&stranger, &["contact", "list"], "", 7, "error-no-profile");
    told(anna, &["init", "--name", "Anna"], "", 2, "error-profile-exists");
    told(anna, &["contact", "list", "--verbos"], "", 2, "error-unknown");
    told(anna, &["dance"], "", 2, "error-unknown");
    told(anna, &["send"], "", 2, "error-missing");
    told(anna, &["invite", "new", "--expires", "8d"], "", 2, "error-bad-span");
    told(anna, &["chat", "history", "Nobody"], "", 7, "error-not-found");
    told(anna, &["chat", "timer", BORIS.name, "5w"], "", 2, "error-bad-timer");
    told(anna, &["chat", "delete", BORIS.name], "", 4, "error-unconfirmed");
    told(anna, &["verify", "confirm", BORIS.name, "--code", "1234"], "", 4, "error-code-differs");
    told(anna, &["send", BORIS.name], &"long ".repeat(2_601), 2, "error-text-too-long");
    told(anna, &["send", BORIS.name], "\n", 2, "error-empty-text");
    for name in [
        "",
        "two\nlines",
        "\u{1b}[31mred",
        "a name of more than sixty-four bytes, which no name may ever have, ever",
    ] {
        told(&stranger, &["init", "--name", name], "", 2, "error-bad-name");
        told(anna, &["contact", "rename", BORIS.name, name], "", 2, "error-bad-name");
    }

    // Invites: damaged, something else, used, one's own, taken back.
    let invite = |options: &[&str]| {
        anna.run(&[&["-q", "invite", "new", "--no-qr"], options].concat(), "").unwrap().trim().to_owned()
    };
    let link = invite(&[]);
    let (front, back) = link.split_at(link.len() / 2);
    let (first, rest) = back.split_at(1);
    let damaged = [front, if first == "A" { "B" } else { "A" }, rest].concat();
    told(boris, &["invite", "accept", "-"], &damaged, 2, "error-damaged-link");
    told(boris, &["invite", "inspect", "-"], front, 2, "error-damaged-link");
    told(boris, &["invite", "accept", "-"], "https://example.org", 2, "error-bad-link");
    told(boris, &["invite", "accept", "-"], &world.relay.address, 2, "error-bad-link");
    told(anna, &["invite", "accept", "-"], &link, 2, "error-own-invite");
    told(boris, &["invite", "accept", "-"], &link, 2, "error-already-contact");
    let made = anna.json(&["invite", "list"]).unwrap();
    let open = made.iter().find(|one| one["status"] == "open").unwrap();
    anna.run(&["invite", "revoke", open["id"].as_str().unwrap()], "").unwrap();
    let late = Person::make_cheap(&programs, &folder.join("late"), ANNA, &world.relay.address).unwrap();
    told(&late, &["invite", "accept", "-"], &link, 7, "error-invite-gone");

    // A profile in use.
    let mut open = anna.start(&["receive", "--follow"]).unwrap();
    open.expect("Waiting for messages").unwrap();
    told(anna, &["contact", "list"], "", 6, "error-in-use");
    open.kill().unwrap();

    // A relay that is down.
    let unused = invite(&[]);
    world.relay.kill().unwrap();
    let (anna, boris) = (&world.anna, &world.boris);
    told(boris, &["invite", "accept", "-"], &unused, 3, "error-unreachable");
    told(boris, &["receive", "--timeout", "1"], "", 3, "error-unreachable");
    told(anna, &["send", BORIS.name, "--wait", "1s"], "while it is down", 8, "kept-not-sent");
}

#[test]
fn a_passphrase_that_cannot_be_read_is_told_as_such() {
    let programs = Programs::for_tests().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("profile");
    let run = |line: &str| {
        let mut sh = Command::new("sh");
        sh.args(["-c", line, "sh"]).arg(&programs.client).arg(&dir);
        output(sh, "").unwrap()
    };
    for (language, catalogue) in CATALOGUES {
        let say = |key| sentence(catalogue, key);
        let init = format!("\"$1\" init --dir \"$2\" --name Anna --lang {language}");
        for (line, code, key) in [
            (init.clone(), 6, "error-no-terminal"),
            (format!("{init} --passphrase-fd 9"), 6, "error-no-descriptor"),
            (format!("{init} --passphrase-fd 3 3</dev/null"), 6, "error-no-descriptor"),
            (format!("echo Moskva2024 | {init} --passphrase-fd 0"), 2, "error-weak-passphrase"),
        ] {
            assert_told(&run(&line), code, &say(key), &[&line]);
        }
    }
    assert!(!dir.exists(), "nothing was made");
}

/// A file system of 12 MiB, which only root can mount.
struct SmallDisk<'a>(&'a Path);

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // What a failed test leaves mounted is in a folder of its own.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::make(&programs, &folder.path().join("relay")).unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"]).arg(&disk);
    if output(mount, "").map_or(true, |done| done.code != 0) {
        return not_tested("a full disk", "a small one can be mounted by root only");
    }
    let _mounted = SmallDisk(&disk);
    let anna = Person::make_cheap(&programs, &disk.join("anna"), ANNA, &relay.address).unwrap();
    let boris = Person::make_cheap(&programs, &folder.path().join("boris"), BORIS, &relay.address).unwrap();
    anna.meet(&boris).unwrap();
    anna.run(&["send", BORIS.name], "before").unwrap();

    // Everything but less than a text needs.
    let ballast = disk.join("ballast");
    assert!(fs::write(&ballast, vec![7; 12 << 20]).is_err(), "it is larger than the disk");
    told(&anna, &["send", BORIS.name], &"this does not fit ".repeat(600), 1, "error-store-full");
    // Who waits for letters learns why none comes, and need not start anew once there is room.
    let mut follows = anna.start(&["-q", "receive", "--follow"]).unwrap();
    follows.expect(&sentence(CATALOGUES[0].1, "store-unwritable")).unwrap();
    let large = "this has to wait ".repeat(100);
    boris.run(&["send", ANNA.name], &large).unwrap();
    fs::remove_file(&ballast).unwrap();
    // Its own pauses take up to 27 seconds by then: that of the store 15, and that of a line after four failures 12.
    follows.expect(&large).or_else(|_| follows.expect(&large)).unwrap();
    follows.kill().unwrap();
    anna.run(&["send", BORIS.name], "after").unwrap();
    let got = boris.run(&["receive", "--brief", "--max", "2"], "").unwrap();
    assert!(got.contains("before") && got.contains("after") && !got.contains("fit"), "{got}");
}

#[test]
fn a_text_of_several_lines_passes_for_no_line_of_anybody_else() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    anna.run(&["send", BORIS.name], "so\n2027-01-15 08:03  Vera: said by Vera\nPassphrase: \n").unwrap();
    for args in [&["receive"], &["chat", "history", ANNA.name][..]] {
        let shown = boris.run(args, "").unwrap();
        let lines: Vec<&str> = shown.lines().skip_while(|line| !line.ends_with(": so")).collect();
        assert_eq!(
            lines[1..3],
            ["    │ 2027-01-15 08:03  Vera: said by Vera", "    │ Passphrase: "],
            "{shown}"
        );
    }
}

#[test]
fn what_could_not_be_shown_stays_new() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    anna.run(&["send", BORIS.name], "shown only once it is shown").unwrap();
    let run = |args: &[&str], full: bool| {
        let mut command = boris.command(args);
        if full {
            command.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
        }
        command.output().unwrap()
    };
    for args in [&["receive", "--brief"], &["chat", "history", ANNA.name][..]] {
        let failed = run(args, true);
        assert_eq!(failed.status.code(), Some(1));
        let said = String::from_utf8(failed.stderr).unwrap();
        assert!(said.contains(&sentence(CATALOGUES[0].1, "error-output")), "{said}");
    }
    let shown = String::from_utf8(run(&["receive", "--brief"], false).stdout).unwrap();
    assert!(shown.contains("shown only once it is shown"), "{shown}");
    assert_eq!(run(&["receive", "--brief"], false).stdout, b"");
}

#[test]
fn who_receives_once_stays_until_others_know_of_it() {
    // Rule E9.
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    anna.run(&["send", BORIS.name], "arrived?").unwrap();
    let got = boris.run(&["receive", "--max", "1"], "").unwrap();
    assert!(got.contains("arrived?"), "{got}");
    anna.run(&["receive", "--brief"], "").unwrap();
    let history = anna.run(&["chat", "history", BORIS.name], "").unwrap();
    assert!(history.contains("arrived?  · delivered"), "{history}");
}

/// Every command of a program and its subcommands, as `--help` tells them.
fn helps(program: &Path, path: &[String]) -> Vec<String> {
    let mut ask = Command::new(program);
    ask.args(path).args(["--help", "--lang", "en"]);
    let help = output(ask, "").unwrap().out;
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands")).skip(1);
    let commands: Vec<String> = commands
        .take_while(|line| line.starts_with("  "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    let below = commands.iter().flat_map(|sub| helps(program, &[path, std::slice::from_ref(sub)].concat()));
    std::iter::once(help.clone()).chain(below.collect::<Vec<_>>()).collect()
}

#[test]
fn no_option_takes_a_passphrase() {
    let programs = Programs::for_tests().unwrap();
    let helps = [helps(&programs.client, &[]), helps(&programs.relay, &[])].concat();
    assert!(helps.len() > 25, "{}", helps.len());
    let mut options: Vec<&str> = helps.iter().flat_map(|help| help.split_whitespace()).collect();
    options.retain(|word| word.starts_with("--"));
    options.sort_unstable();
    options.dedup();
    assert!(options.contains(&"--passphrase-fd"));
    for option in options {
        let hint = ["pass", "secret", "key", "pin"].iter().any(|hint| option.contains(hint));
        // A descriptor's number, and where a file lies: neither opens anything.
        let harmless =
            ["--passphrase-fd", "--key-file", "--make-key-file", "--drop-key-file"].contains(&option);
        assert!(!hint || harmless, "{option}");
    }
}

#[test]
fn a_running_program_shows_no_secret_in_its_arguments_or_environment() {
    let world = World::new();
    let link = world.anna.run(&["-q", "invite", "new", "--no-qr"], "").unwrap();
    let late = world.relay.dir.parent().unwrap().join("late");
    let late =
        Person::make_cheap(&Programs::for_tests().unwrap(), &late, BORIS, &world.relay.address).unwrap();
    late.run(&["invite", "accept", "-"], &link).unwrap();
    let mut chat: Process = world.anna.chat(&world.boris).unwrap();
    chat.type_line("a text that is typed").unwrap();
    chat.expect("at the relay").unwrap();
    for process in [chat.id(), world.relay.id().unwrap()] {
        let read = |what| fs::read(format!("/proc/{process}/{what}"));
        let arguments = read("cmdline").unwrap();
        // A program that is closed to other users' eyes is closed to ours, too, unless we are root.
        let environment = read("environ").unwrap_or_default();
        let seen = String::from_utf8_lossy(&[arguments, environment].concat()).into_owned();
        assert!(seen.contains("--dir"));
        for secret in [ANNA.passphrase, "a text that is typed", link.trim()] {
            assert!(!seen.contains(secret));
        }
    }
}
