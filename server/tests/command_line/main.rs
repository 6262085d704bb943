//! `beresta-relay` as its operator meets it.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

mod advice;
mod drain;
mod failing;
mod mistakes;
mod moving;
mod remains;
mod repair;
mod running;
mod selftest;
mod terminal;
mod usage;

use running::{free, start, stop};

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_beresta-relay"));
    program.env_clear();
    program
}

fn relay(args: &[&str]) -> Output {
    program().args(args).stdin(Stdio::null()).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn init(dir: &Path) -> Output {
    let dir = dir.to_str().unwrap();
    relay(&["init", "--dir", dir, "--listen", &free(), "--public", "192.0.2.1:443"])
}

#[test]
fn a_relay_is_made_and_its_address_is_the_only_thing_on_standard_output() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("relay");
    let made = init(&at);
    assert_eq!(made.status.code(), Some(0));
    let link = out(&made);
    assert!(link.starts_with("beresta-relay:") && link.lines().count() == 1);
    assert!(err(&made).contains("identity.key"), "says what to do with the identity key");

    let shown = relay(&["address", "--dir", at.to_str().unwrap()]);
    assert_eq!(out(&shown), link);
    let drawn = relay(&["address", "--qr", "--dir", at.to_str().unwrap()]);
    assert!(out(&drawn).ends_with(&link) && out(&drawn).contains('▀'));
}

#[test]
fn a_relay_says_listening_answers_what_it_holds_and_stops_when_told() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let mut running = start(at);
    let second = relay(&["run", "--dir", at]);
    assert_eq!((second.status.code(), second.stdout.len()), (Some(1), 0));
    let held = relay(&["what-i-hold", "--json", "--dir", at]);
    assert!(out(&held).starts_with("{\"queues\":0,"));
    let keys = r#""keys":["identity.key","tls.key","epoch-signer.key","epoch.keys","queue.key","day.keys"]"#;
    assert!(out(&held).contains(keys), "{}", out(&held));

    let id = running.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(running.wait().unwrap().code(), Some(0));
    std::fs::remove_file(dir.path().join("identity.key")).unwrap();
    let held = relay(&["what-i-hold", "--dir", at, "--lang", "ru"]);
    assert!(out(&held).contains("Очередей: 0"));
    assert!(out(&held).contains("в этой папке: tls.key, epoch-signer.key, epoch.keys,"), "{}", out(&held));
}

#[test]
fn a_mistake_gets_a_sentence_in_the_readers_language_and_the_documented_code() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    for (args, code, says) in [
        (&["run"][..], 2, "--dir"),
        (&["run", "--dir", nowhere, "--verbose"], 2, "--verbose"),
        (&["init", "--dir", nowhere, "--listen", "somewhere"], 2, "somewhere"),
        (&["init", "--dir", nowhere], 2, "--listen"),
        (&["dance"], 2, "dance"),
        (&["run", "--dir", nowhere], 7, "init"),
        (&["what-i-hold", "--dir", nowhere], 7, "init"),
    ] {
        for language in ["en", "ru"] {
            let args = [args, &["--lang", language]].concat();
            let output = relay(&args);
            assert_eq!(output.status.code(), Some(code), "{args:?}");
            let said = err(&output);
            assert!(said.contains(says), "{args:?}: {said}");
            assert_eq!(said.chars().any(|one| ('а'..='я').contains(&one)), language == "ru");
            assert!(output.stdout.is_empty());
        }
    }
}

#[test]
fn an_operator_asks_pauses_and_drains_a_relay_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let id = "00".repeat(24);
    let nobody = relay(&["status", "--dir", at]);
    assert_eq!((nobody.status.code(), nobody.stdout.len()), (Some(3), 0), "{}", err(&nobody));

    let mut running = start(at);
    let status = |args: &[&str]| out(&relay(&[&["status", "--dir", at], args].concat()));
    assert!(status(&["--lang", "ru"]).contains("Соединений: 0-9"));
    assert!(!status(&[]).contains("resume"));
    assert_eq!(relay(&["pause-new", "--dir", at]).status.code(), Some(0));
    assert!(status(&[]).contains("resume"));
    assert!(
        status(&["--json"]).contains(r#""paused":true,"#)
            && status(&["--json"]).contains(r#""descriptor_days":89,"#)
    );
    let delete = ["delete-queue", "--dir", at, "-"];
    let unknown = told(&delete, &id);
    assert_eq!(unknown.status.code(), Some(7), "{}", err(&unknown));
    assert_eq!(told(&delete, "0").status.code(), Some(2));

    let drained = relay(&["drain", "--dir", at]);
    assert_eq!(drained.status.code(), Some(0), "{}", err(&drained));
    assert_eq!(running.wait().unwrap().code(), Some(0));
    let running = start(at);
    assert!(status(&[]).contains("resume"), "it stays paused beyond a restart");
    assert_eq!(relay(&["resume", "--dir", at]).status.code(), Some(0));
    assert!(!status(&[]).contains("resume"));
    stop(running);
}

#[test]
fn doctor_says_what_is_wrong_what_to_do_and_how_bad_it_is() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let doctor = |language: &str| relay(&["doctor", "--dir", at, "--lang", language]);
    let looked = doctor("en");
    assert_eq!(looked.status.code(), Some(4), "the identity key lies there: {}", out(&looked));
    assert!(out(&looked).lines().any(|line| line.starts_with("warn") && line.contains("identity.key")));
    assert!(out(&looked).lines().any(|line| line.starts_with("ok   Settings")));
    std::fs::remove_file(dir.path().join("relay.id")).unwrap();
    let looked = doctor("ru");
    assert_eq!(looked.status.code(), Some(5), "{}", out(&looked));
    assert!(out(&looked).lines().any(|line| line.starts_with("FAIL") && line.contains("relay.id")));
    assert!(out(&looked).lines().all(|line| line.chars().any(|one| ('а'..='я').contains(&one))));
    let nowhere = relay(&["doctor", "--dir", "/nowhere"]);
    assert_eq!((nowhere.status.code(), nowhere.stdout.len()), (Some(7), 0));
}

/// With a line on standard input.
fn told(args: &[&str], line: &str) -> Output {
    let piped = || Stdio::piped();
    let mut child = program().args(args).stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
    // Who needs no line may have ended before it is written.
    let _ = child.stdin.take().unwrap().write_all(format!("{line}\n").as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn a_relay_moves_with_its_address_and_does_not_run_in_two_places() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new, file] =
        ["old", "new", "file"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let address = out(&init(Path::new(&old)));
    let export = ["export", "--dir", &old, "--file", &file];
    let running = start(&old);
    let refused = told(&export, "five words that nobody guesses");
    assert!(err(&refused).contains("drain"), "{}", err(&refused));
    stop(running);
    // Too short, and keys that were held down.
    for guessed in ["too short", "1111111111111111", "abcdefgabcdefgabcdefg"] {
        let refused = told(&export, guessed);
        assert_eq!(refused.status.code(), Some(2), "{guessed}");
        assert!(err(&refused).contains("8 different ones"), "{}", err(&refused));
        assert!(!Path::new(&file).exists());
    }
    // Of which only a part would count.
    let long = told(&export, &"five words that nobody guesses ".repeat(200));
    assert_eq!((long.status.code(), Path::new(&file).exists()), (Some(2), false), "{}", err(&long));
    let exported = told(&export, "five words that nobody guesses");
    assert_eq!(exported.status.code(), Some(0), "{}", err(&exported));
    let refused = relay(&["run", "--dir", &old]);
    assert_eq!(refused.status.code(), Some(6), "{}", err(&refused));
    let looked = out(&relay(&["doctor", "--dir", &old]));
    assert!(looked.contains("FAIL This relay was exported") && !looked.contains("systemctl"), "{looked}");

    let import = ["import", "--dir", &new, "--file", &file];
    let wrong = told(&import, "five words that somebody guesses");
    assert_eq!(wrong.status.code(), Some(6), "{}", err(&wrong));
    let imported = told(&import, "five words that nobody guesses");
    assert_eq!((imported.status.code(), out(&imported)), (Some(0), address.clone()), "{}", err(&imported));
    assert_eq!(out(&relay(&["address", "--dir", &new])), address);
    let running = start(&new);
    stop(running);

    assert_eq!(relay(&["take-back", "--dir", &old]).status.code(), Some(0));
    let running = start(&old);
    stop(running);
}

#[test]
fn a_relay_whose_words_cannot_be_written_runs() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut running = program().args(["run", "--dir", at]).stderr(full).spawn().unwrap();
    while !relay(&["status", "--dir", at]).status.success() {
        assert!(running.try_wait().unwrap().is_none(), "it has ended");
    }
    stop(running);
}

#[test]
fn keys_are_rotated_and_the_relay_starts_with_them_under_its_address() {
    let dir = tempfile::tempdir().unwrap();
    let address = out(&init(dir.path()));
    let at = dir.path().to_str().unwrap();
    let before = std::fs::read(dir.path().join("tls.key")).unwrap();
    let running = start(at);
    let rotated = relay(&["keys", "rotate", "--dir", at]);
    assert_eq!(rotated.status.code(), Some(0), "{}", err(&rotated));
    assert_ne!(std::fs::read(dir.path().join("tls.key")).unwrap(), before);
    assert_eq!(out(&relay(&["address", "--dir", at])), address);
    let asks_for_a_restart = |what| out(&relay(&[what, "--dir", at])).contains("A newer descriptor");
    assert!(["status", "doctor"].into_iter().all(asks_for_a_restart));
    stop(running);
    let running = start(at);
    assert!(!["status", "doctor"].into_iter().any(asks_for_a_restart));
    stop(running);
    let without = relay(&["keys", "rotate", "--dir", at, "--identity", "/nowhere"]);
    assert_eq!(without.status.code(), Some(7));
}

#[test]
fn a_wrong_setting_is_told_by_its_line_and_stops_the_relay() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let good = relay(&["config", "check", "--dir", at]);
    assert_eq!(good.status.code(), Some(0), "{}", err(&good));
    assert!(out(&good).contains("\"\ndisk_mib = 32768\n"));

    let file = dir.path().join("relay.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    let line = settings.lines().count() + 1;
    std::fs::write(&file, format!("{settings}disc_mib = 64\n")).unwrap();
    for args in [&["config", "check", "--dir", at][..], &["run", "--dir", at, "--lang", "ru"]] {
        let output = relay(args);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&line.to_string()) && said.contains("disk_mib"), "{said}");
    }
}

/// Starts a relay and kills it.
fn once(at: &str) {
    let running = start(at);
    stop(running);
}

#[test]
fn a_check_says_whether_this_version_can_open_the_queues() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    once(at);
    let check = || relay(&["config", "check", "--dir", at]);
    let good = check();
    assert_eq!(good.status.code(), Some(0), "{}", err(&good));
    assert!(err(&good).contains("can open the queues"));

    let queues = || rusqlite::Connection::open(dir.path().join("queues.sqlite")).unwrap();
    queues().execute_batch("INSERT INTO day_key (day, slot, proof) VALUES (1, 0, zeroblob(40))").unwrap();
    for args in [&["config", "check", "--dir", at][..], &["run", "--dir", at]] {
        let lost = relay(args);
        assert_eq!(lost.status.code(), Some(5));
        assert!(err(&lost).contains("day.keys") && err(&lost).contains("volatile = true"), "{}", err(&lost));
    }
    let settings = std::fs::read_to_string(dir.path().join("relay.toml")).unwrap();
    std::fs::write(dir.path().join("relay.toml"), format!("{settings}volatile = true\n")).unwrap();
    assert!(out(&check()).contains("\nvolatile = true"));
    once(at);
    assert!(!dir.path().join("day.keys").exists());
    std::fs::write(dir.path().join("relay.toml"), settings).unwrap();
    once(at);
    assert_eq!(check().status.code(), Some(0), "{}", err(&check()));

    queues().execute_batch("PRAGMA user_version = 99").unwrap();
    for args in [&["config", "check", "--dir", at][..], &["run", "--dir", at]] {
        let newer = relay(args);
        assert_eq!(newer.status.code(), Some(5));
        assert!(err(&newer).contains("newer version"), "{}", err(&newer));
    }
}

#[test]
fn help_is_in_the_readers_language() {
    let english = out(&relay(&["--help"]));
    let russian = out(&relay(&["init", "--help", "--lang=ru"]));
    assert!(english.contains("Usage: beresta-relay") && english.contains("Commands:"));
    assert!(russian.contains("Вызов: beresta-relay init") && !russian.contains("Options"));
}

#[test]
fn a_damaged_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    std::fs::write(dir.path().join("tls.key"), b"no key").unwrap();
    let output = relay(&["run", "--dir", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(5));
    assert!(err(&output).contains("tls.key"));
    // No start mends it, and a service that starts again each five seconds says so each time.
    for unit in [
        include_str!("../../../packaging/beresta-relay.service"),
        include_str!("../../../packaging/container/beresta-relay.service"),
    ] {
        let codes = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap();
        assert!(codes.split(' ').any(|code| code == "5"), "{codes}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_crash_of_the_relay_leaves_no_keys_in_a_core_file() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let running = start(dir.path().to_str().unwrap());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.id()));
    stop(running);
    let limits = limits.unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let values: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(values, ["0", "0"]);
}

#[test]
fn a_relay_whose_settings_say_so_lets_its_numbers_be_read_here_and_only_here() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let listen = free();
    let settings = |metrics: &str| {
        let text = format!("listen = \"{listen}\"\nmetrics = \"{metrics}\"\n");
        std::fs::write(dir.path().join("relay.toml"), text).unwrap();
    };
    settings("0.0.0.0:9464");
    for language in ["en", "ru"] {
        let refused = relay(&["run", "--dir", at, "--lang", language]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(err(&refused).contains("metrics = \"127.0.0.1:9464\""), "{}", err(&refused));
    }

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    settings(&free.to_string());
    assert!(out(&relay(&["config", "check", "--dir", at])).contains(&format!("metrics = \"{free}\"")));
    let mut running = start(at);
    let scrape = || {
        let mut socket = std::net::TcpStream::connect(free).unwrap();
        write!(socket, "GET /metrics HTTP/1.1\r\nHost: {free}\r\n\r\n").unwrap();
        std::io::read_to_string(socket).unwrap()
    };
    let first =
        std::iter::repeat_with(scrape).find(|page| page.contains("beresta_relay_build_info")).unwrap();
    assert!(first.contains("beresta_relay_descriptor_left_seconds 7689600\n"), "89 days: {first}");
    let id = running.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(running.wait().unwrap().code(), Some(0));

    // Somebody else has the port: people are served all the same.
    let _taken = std::net::TcpListener::bind(free).unwrap();
    let running = start(at);
    assert!(out(&relay(&["status", "--dir", at])).contains("0-9"));
    stop(running);
}
