//! What the program advises, as far as following it leads where it says.

use super::*;

#[test]
fn a_relay_that_lost_its_settings_becomes_what_its_descriptor_says() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("relay");
    init(&dir);
    let (at, settings) = (dir.to_str().unwrap(), dir.join("relay.toml"));
    std::fs::write(&settings, "listen = \"127.0.0.1:1\"\nvolatile = true\nopen = false\n").unwrap();
    let again = ["init", "--dir", at, "--listen", "127.0.0.1:1"];
    assert_eq!(relay(&again).status.code(), Some(0));
    std::fs::remove_file(&settings).unwrap();
    let lost = relay(&["run", "--dir", at]);
    assert!(err(&lost).contains("other settings are lost"), "{}", err(&lost));
    assert_eq!(relay(&again).status.code(), Some(0));
    let shown = out(&relay(&["config", "check", "--dir", at]));
    assert!(shown.contains("volatile = true") && shown.contains("open = false"), "{shown}");
    let looked = out(&relay(&["doctor", "--dir", at]));
    assert!(!looked.contains("does not fit"), "what is signed holds: {looked}");
}

#[test]
fn a_file_that_is_no_identity_key_is_not_called_a_damaged_relay() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("relay");
    init(&dir);
    let at = dir.to_str().unwrap();
    let [other, nowhere] = ["photo.jpg", "stick/identity.key"].map(|name| folder.path().join(name));
    std::fs::write(&other, "no key").unwrap();
    for command in [&["init"][..], &["keys", "rotate"]] {
        let with =
            |key: &Path| relay(&[command, &["--dir", at, "--identity", key.to_str().unwrap()]].concat());
        let refused = with(&other);
        assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
        assert!(err(&refused).contains("no identity key"), "{}", err(&refused));
        assert!(!err(&refused).contains("new relay"), "{}", err(&refused));
        assert_eq!(with(&nowhere).status.code(), Some(7));
    }
    // A stick that is not in, where a relay is to be made anew by its key.
    let fresh = folder.path().join("fresh");
    let made = ["init", "--listen", "127.0.0.1:1", "--public", "192.0.2.1:443", "--dir"];
    let made =
        relay(&[&made[..], &[fresh.to_str().unwrap(), "--identity", nowhere.to_str().unwrap()]].concat());
    assert_eq!(made.status.code(), Some(7), "{}", err(&made));
    assert!(err(&made).contains("--identity"), "{}", err(&made));
}

#[test]
fn another_of_a_relays_files_is_not_taken_for_its_identity_key() {
    let folder = tempfile::tempdir().unwrap();
    let [dir, fresh, half] = ["relay", "fresh", "half"].map(|name| folder.path().join(name));
    let address = out(&init(&dir));
    let public = ["--listen", "127.0.0.1:1", "--public", "192.0.2.1:443"];
    let refused = |command: &[&str], dir: &Path, key: &Path, says: &str| {
        for language in ["en", "ru"] {
            let at = ["--dir", dir.to_str().unwrap(), "--identity", key.to_str().unwrap()];
            let refused = relay(&[command, &at, &["--lang", language]].concat());
            assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
            let told = err(&refused);
            assert!(told.contains(says) && told.contains("--identity"), "{told}");
            assert!(says != "beresta-relay:" || told.contains(address.get(..54).unwrap()), "{told}");
        }
    };
    for file in ["queue.key", "epoch-signer.key", "relay.id"] {
        let (key, copy) = (dir.join(file), folder.path().join("copy.key"));
        std::fs::copy(&key, &copy).unwrap();
        for key in [&key, &copy] {
            refused(&["init"], &dir, key, file);
            refused(&["keys", "rotate"], &dir, key, file);
        }
        // No relay is made by it, in no folder where it has its name or lies.
        refused(&[&["init"][..], &public].concat(), &fresh, &key, file);
        assert!(!fresh.join("descriptor").exists());
        std::fs::create_dir_all(&half).unwrap();
        std::fs::copy(&key, half.join(file)).unwrap();
        refused(&[&["init"][..], &public].concat(), &half, &copy, file);
        assert!(!half.join("descriptor").exists());
        std::fs::remove_dir_all(&half).unwrap();
    }
    // Nor is one made under such a name, which the next start would take for that file, or write over.
    for file in ["queue.key", "descriptor", "relay.toml"] {
        refused(&[&["init"][..], &public].concat(), &fresh, &fresh.join(file), file);
        assert!(!fresh.join(file).exists());
    }
    // Of other bytes nobody can tell what they are.
    let other = folder.path().join("other");
    std::fs::write(&other, [7; 32]).unwrap();
    refused(&["init"], &dir, &other, "beresta-relay:");
    refused(&["keys", "rotate"], &dir, &other, "beresta-relay:");
    // Who was let do so before goes on: what signed a relay is its identity key.
    let key = folder.path().join("queue.key");
    std::fs::copy(dir.join("identity.key"), &key).unwrap();
    let signs = ["init", "--dir", dir.to_str().unwrap(), "--identity", key.to_str().unwrap()];
    let renewed = relay(&signs);
    assert_eq!((renewed.status.code(), out(&renewed)), (Some(0), address.clone()), "{}", err(&renewed));
    std::fs::remove_file(dir.join("descriptor")).unwrap();
    let made = relay(&[&signs[..], &public].concat());
    assert_eq!((made.status.code(), out(&made)), (Some(0), address), "{}", err(&made));
}

#[test]
fn who_names_an_identity_key_that_is_not_there_hears_that_the_relay_is_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("stick.key");
    let make = |name: &str| {
        let dir = folder.path().join(name);
        let base = ["init", "--listen", "127.0.0.1:1", "--public", "192.0.2.1:443", "--dir"];
        relay(&[&base[..], &[dir.to_str().unwrap(), "--identity", key.to_str().unwrap()]].concat())
    };
    let first = make("first");
    assert!(
        err(&first).contains("NEW relay") && err(&first).contains(key.to_str().unwrap()),
        "{}",
        err(&first)
    );
    let second = make("second");
    assert!(!err(&second).contains("NEW relay"), "{}", err(&second));
    assert_eq!(out(&first), out(&second));
}

#[test]
#[cfg(target_os = "linux")]
fn a_place_where_no_key_can_be_written_is_not_taken_for_the_relays_disk() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("relay");
    let base = ["init", "--listen", "127.0.0.1:1", "--public", "192.0.2.1:443", "--dir"];
    // Nobody makes files there, be it mounted so that it only reads or not.
    let made = relay(&[&base[..], &[dir.to_str().unwrap(), "--identity", "/sys/beresta.key"]].concat());
    assert_eq!(made.status.code(), Some(1), "{}", err(&made));
    assert!(err(&made).contains("can't be written there"), "{}", err(&made));
    assert!(!dir.join("descriptor").exists());
}

#[test]
fn settings_that_are_missing_too_long_or_no_text_need_their_operator_and_no_restart() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let run = || relay(&["run", "--dir", dir.path().to_str().unwrap()]).status.code();
    let before = std::fs::read_to_string(dir.path().join("relay.toml")).unwrap();
    std::fs::write(dir.path().join("relay.toml"), before + &"# more\n".repeat(10_000)).unwrap();
    for (language, says) in [("en", "longer than 64 KiB"), ("ru", "больше 64 КиБ")] {
        let refused = relay(&["config", "check", "--dir", dir.path().to_str().unwrap(), "--lang", language]);
        assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
        assert!(err(&refused).contains(says) && !err(&refused).contains("UTF-8"), "{}", err(&refused));
    }
    assert_eq!(run(), Some(2), "too long");
    std::fs::write(dir.path().join("relay.toml"), b"# \xcd\xe0\nlisten = \"127.0.0.1:1\"\n").unwrap();
    assert_eq!(run(), Some(2), "not UTF-8");
    std::fs::remove_file(dir.path().join("relay.toml")).unwrap();
    assert_eq!(run(), Some(2), "missing");
}

#[test]
fn who_makes_a_code_hears_that_the_relay_runs_with_older_settings() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let running = start(at);
    let create = || err(&relay(&["invite", "create", "--dir", at]));
    assert!(!create().contains("restart the relay"));
    std::fs::write(dir.path().join("relay.toml"), "listen = \"127.0.0.1:1\"\nopen = false\n").unwrap();
    assert_eq!(relay(&["init", "--dir", at]).status.code(), Some(0));
    assert!(create().contains("restart the relay"));
    stop(running);
}

#[test]
fn a_relay_that_people_are_sent_to_by_ipv6_and_that_listens_by_ipv4_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let six = "[2001:db8::1]:443";
    let advised = |name: &str, listen: &str, public: &[&str]| {
        let dir = folder.path().join(name);
        let dir = dir.to_str().unwrap();
        let public = public.iter().flat_map(|at| ["--public", at]);
        let made: Vec<&str> = ["init", "--dir", dir, "--listen", listen].into_iter().chain(public).collect();
        assert_eq!(relay(&made).status.code(), Some(0));
        let [english, russian] =
            ["en", "ru"].map(|one| out(&relay(&["doctor", "--dir", dir, "--lang", one])));
        let warns = |looked: &str| {
            let warned = |line: &str| line.starts_with("warn") && line.contains("listen = \"[::]:4443\"");
            looked.lines().filter(|line| warned(line)).count()
        };
        assert_eq!(warns(&english), warns(&russian));
        // One piece of advice, and the one that holds.
        let here = listen.starts_with("127.");
        assert_eq!(english.contains("where only this machine reaches"), here, "{english}");
        assert!(!here || !english.contains("only IPv4"), "{english}");
        warns(&english)
    };
    assert_eq!(advised("all", "0.0.0.0:4443", &[six]), 1);
    assert_eq!(advised("one", "127.0.0.1:4443", &[six]), 1);
    assert_eq!(advised("both", "0.0.0.0:4443", &[six, "192.0.2.1:443"]), 0);
    assert_eq!(advised("six", "[::]:4443", &[six]), 0);
}

#[test]
fn who_hands_out_an_address_that_nobody_outside_reaches_is_told_so_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str, listen: &str, public: &[&str]| {
        let dir = folder.path().join(name);
        let dir = dir.to_str().unwrap();
        let public = public.iter().flat_map(|at| ["--public", at]);
        let made: Vec<&str> = ["init", "--dir", dir, "--listen", listen].into_iter().chain(public).collect();
        ["en", "ru"].map(|language| {
            // Once more, as a renewal, in the other language.
            let made = relay(&[&made[..], &["--lang", language]].concat());
            assert_eq!(made.status.code(), Some(0), "{}", err(&made));
            let advice = format!("init --dir {dir} --public IP:");
            let looked = out(&relay(&["doctor", "--dir", dir, "--lang", language]));
            let warned = |line: &&str| line.starts_with("warn") && line.contains(&advice);
            let here = err(&made).lines().filter(|line| line.contains(&advice)).count();
            assert_eq!(looked.lines().filter(warned).count(), here, "{looked}");
            here
        })
    };
    assert_eq!(told("private", "0.0.0.0:4443", &["192.168.1.2:443", "192.168.1.2:443"]), [1; 2]);
    assert_eq!(told("some", "[::]:4443", &["192.0.2.1:443", "127.0.0.1:443", "[fd00::1]:443"]), [2; 2]);
    assert_eq!(told("public", "0.0.0.0:4443", &["192.0.2.1:443"]), [0; 2]);
    assert_eq!(told("tried", "127.0.0.1:4443", &["127.0.0.1:4443"]), [0; 2]);
}

#[test]
fn settings_that_are_a_link_to_another_file_stay_one() {
    let folder = tempfile::tempdir().unwrap();
    let [dir, theirs] = ["relay", "theirs.toml"].map(|name| folder.path().join(name));
    init(&dir);
    let (at, ours) = (dir.to_str().unwrap(), dir.join("relay.toml"));
    std::fs::rename(&ours, &theirs).unwrap();
    std::os::unix::fs::symlink(&theirs, &ours).unwrap();
    let settings = || std::fs::read_to_string(&theirs).unwrap();
    let before = settings();
    let is_link = || std::fs::symlink_metadata(&ours).unwrap().is_symlink();
    let line = "listen = \"127.0.0.1:4443\"";
    let moves = ["init", "--dir", at, "--listen", "127.0.0.1:4443"];
    for language in ["en", "ru"] {
        let refused = relay(&[&moves[..], &["--lang", language]].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
        assert!(err(&refused).contains(line), "{}", err(&refused));
    }
    assert!(is_link() && settings() == before);
    // A renewal changes nothing in it, nor does what it says already.
    assert_eq!(relay(&["init", "--dir", at]).status.code(), Some(0));
    let other = before.lines().find(|line| line.starts_with("listen")).unwrap();
    std::fs::write(&theirs, before.replace(other, line)).unwrap();
    let moved = relay(&moves);
    assert_eq!(moved.status.code(), Some(0), "{}", err(&moved));
    assert!(is_link() && settings().contains(line));
    // Nor is one replaced whose file is not there.
    std::fs::remove_file(&theirs).unwrap();
    assert_eq!(relay(&moves).status.code(), Some(2));
    assert!(is_link());
}

#[test]
fn a_command_to_be_pasted_holds_its_folder_together() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("Anna's relay");
    let made = init(&dir);
    let quoted = format!("'{}/Anna'\\''s relay'", folder.path().display());
    assert!(err(&made).contains(&format!("run --dir {quoted}")), "{}", err(&made));
    let looked = out(&relay(&["doctor", "--dir", dir.to_str().unwrap()]));
    let key = format!("shred -u {quoted}/identity.key");
    assert!(looked.contains(&key), "{looked}");
    let plain = folder.path().join("relay");
    assert!(err(&init(&plain)).contains(&format!("run --dir {}\n", plain.display())), "and no other");
}
