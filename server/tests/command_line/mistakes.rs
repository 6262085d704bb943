//! What operators do wrong, and what the program then does for them.

use super::*;

const PASSPHRASE: &str = "five words that nobody guesses";

#[test]
fn root_writes_nothing_into_a_folder_of_another_user() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("relay");
    init(&at);
    // Only root can give a folder away, and only root can make this mistake.
    if std::os::unix::fs::chown(&at, Some(65_534), None).is_err() {
        return;
    }
    let at = at.to_str().unwrap();
    let file = folder.path().join("file");
    let commands =
        [&["init"][..], &["run"], &["keys", "rotate"], &["take-back"], &["export"], &["import"], &["repair"]];
    for command in commands {
        let mut args = [command, &["--dir", at][..]].concat();
        if matches!(command, ["export" | "import"]) {
            args.extend(["--file", file.to_str().unwrap()]);
        }
        let refused = told(&args, PASSPHRASE);
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {}", err(&refused));
        assert!(err(&refused).contains("runuser -u"), "{command:?}: {}", err(&refused));
    }
    // It may look.
    assert_eq!(relay(&["address", "--dir", at]).status.code(), Some(0));
}

#[test]
fn who_brings_a_backup_back_is_told_to_make_new_keys() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new, key, file] =
        ["old", "new", "key", "file"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let address = out(&init(Path::new(&old)));
    std::fs::rename(folder.path().join("old/identity.key"), &key).unwrap();
    let backup = told(&["export", "--dir", &old, "--file", &file, "--backup"], PASSPHRASE);
    assert!(err(&backup).contains("rotated keys"), "{}", err(&backup));
    let again = told(&["export", "--dir", &old, "--file", &file, "--backup"], PASSPHRASE);
    assert!(err(&again).contains("half of one"), "{}", err(&again));
    let imported = told(&["import", "--dir", &new, "--file", &file], PASSPHRASE);
    assert_eq!((imported.status.code(), out(&imported)), (Some(0), address));
    assert!(err(&imported).contains("keys rotate"), "{}", err(&imported));
    assert_eq!(relay(&["keys", "rotate", "--dir", &new, "--identity", &key]).status.code(), Some(0));
}

#[test]
fn who_renews_rotates_or_repairs_where_a_relay_was_is_told_that_it_is_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let [old, file] = ["old", "file"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    init(Path::new(&old));
    let exported = told(&["export", "--dir", &old, "--file", &file], PASSPHRASE);
    assert_eq!(exported.status.code(), Some(0), "{}", err(&exported));
    let was = std::fs::read(folder.path().join("old/descriptor")).unwrap();
    for command in [&["init"][..], &["keys", "rotate"], &["repair"]] {
        for (language, says) in [("en", "renew and repair it there"), ("ru", "продлевайте и чините его там")]
        {
            let refused = relay(&[command, &["--dir", &old, "--lang", language]].concat());
            assert_eq!(refused.status.code(), Some(6), "{command:?}: {}", err(&refused));
            assert!(err(&refused).contains(says) && err(&refused).contains("take-back"), "{}", err(&refused));
        }
    }
    assert_eq!(std::fs::read(folder.path().join("old/descriptor")).unwrap(), was);
    assert_eq!(relay(&["take-back", "--dir", &old]).status.code(), Some(0));
    assert_eq!(relay(&["init", "--dir", &old]).status.code(), Some(0));
}

#[test]
fn a_relay_whose_queues_are_gone_is_not_moved_before_they_are_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let [old, file] = ["old", "file"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    init(Path::new(&old));
    once(&old);
    let export = || told(&["export", "--dir", &old, "--file", &file], PASSPHRASE);
    assert!(!err(&export()).contains("queues.sqlite"));
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(folder.path().join("old/queues.sqlite")).unwrap();
    let refused = export();
    assert_eq!((refused.status.code(), Path::new(&file).exists()), (Some(7), false), "{}", err(&refused));
    assert!(err(&refused).contains("put it back"), "{}", err(&refused));
}

#[test]
fn a_folder_in_place_of_the_identity_key_is_said_to_be_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("relay");
    init(&at);
    let at = at.to_str().unwrap();
    // The stick's, and not the file that is on it.
    let stick = folder.path().to_str().unwrap();
    for command in [&["init"][..], &["keys", "rotate"]] {
        let refused = relay(&[command, &["--dir", at, "--identity", stick]].concat());
        assert_eq!(refused.status.code(), Some(2));
        assert!(err(&refused).contains("is no identity key"), "{}", err(&refused));
    }
}

#[test]
fn what_cannot_be_printed_is_told_and_a_code_that_nobody_saw_is_good_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let running = start(at);
    let onto_a_full_disk = |args: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        program().args(args).stdout(full).stderr(Stdio::piped()).output().unwrap()
    };
    let doctor = onto_a_full_disk(&["doctor", "--dir", at]);
    assert_eq!(doctor.status.code(), Some(1), "{}", err(&doctor));
    let made = onto_a_full_disk(&["invite", "create", "--dir", at]);
    assert_eq!(made.status.code(), Some(1), "{}", err(&made));
    assert!(err(&made).contains("could not be written"), "{}", err(&made));
    assert!(err(&made).contains("The code was taken back"), "{}", err(&made));
    assert!(!err(&made).contains("A code for one person"), "{}", err(&made));
    assert_eq!(out(&relay(&["invite", "list", "--dir", at])), "");
    stop(running);
}

#[test]
fn a_code_that_was_typed_into_the_command_line_is_taken_back_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let running = start(at);
    let code = out(&relay(&["invite", "create", "--dir", at]));
    assert_eq!(out(&relay(&["invite", "list", "--dir", at])).lines().count(), 1);
    let revoked = relay(&["invite", "revoke", "--dir", at, code.trim()]);
    assert_eq!(revoked.status.code(), Some(0), "{}", err(&revoked));
    assert_eq!(out(&relay(&["invite", "list", "--dir", at])), "");
    stop(running);
}

#[test]
fn who_takes_back_a_code_of_another_relay_is_told_that_it_is_good_there() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| {
        let dir = folder.path().join(name);
        init(&dir);
        (start(dir.to_str().unwrap()), dir.to_str().unwrap().to_owned())
    });
    let code = out(&relay(&["invite", "create", "--dir", &theirs.1]));
    let revoke = |dir: &str, code: &str| told(&["invite", "revoke", "--dir", dir, "-"], code);
    for refused in [revoke(&ours.1, &code), relay(&["invite", "revoke", "--dir", &ours.1, code.trim()])] {
        assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
        assert!(err(&refused).contains("a code of another relay"), "{}", err(&refused));
    }
    assert_eq!(revoke(&theirs.1, &code).status.code(), Some(0));
    let again = revoke(&theirs.1, &code);
    assert_eq!(again.status.code(), Some(7), "{}", err(&again));
    assert!(err(&again).contains("no such code"), "{}", err(&again));
    stop(ours.0);
    stop(theirs.0);
}

#[test]
fn an_id_of_a_queue_is_not_taken_from_the_command_line_where_others_read_it() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let at = dir.path().to_str().unwrap();
    let running = start(at);
    for id in ["00".repeat(24), format!("-{}", "A".repeat(31))] {
        let typed = relay(&["delete-queue", "--dir", at, &id]);
        assert_eq!(typed.status.code(), Some(2), "{}", err(&typed));
        assert!(err(&typed).contains("delete-queue --dir DIR -"), "{}", err(&typed));
        assert!(!err(&typed).contains(&id), "{}", err(&typed));
        assert_eq!(told(&["delete-queue", "--dir", at, "-"], &id).status.code(), Some(7));
    }
    stop(running);
}

#[test]
fn what_was_typed_cannot_steer_the_terminal() {
    let output = relay(&["run", "--dir", "x", "\u{1b}[31m"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!err(&output).contains('\u{1b}'));
}

#[test]
fn a_key_whose_name_says_that_it_is_new_is_not_taken_for_what_a_crash_left() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let keys = ["relay.key.new", "relay.key"].map(|name| folder.path().join(name));
    let made = |dir: &str, key: &Path| {
        let public = ["--listen", "127.0.0.1:1", "--public", "192.0.2.1:443"];
        relay(&[&["init", "--dir", dir, "--identity", key.to_str().unwrap()], &public[..]].concat())
    };
    assert_eq!(made(&one, &keys[0]).status.code(), Some(0));
    let first = std::fs::read(&keys[0]).unwrap();
    assert_eq!(made(&other, &keys[1]).status.code(), Some(0));
    assert_eq!(std::fs::read(&keys[0]).unwrap(), first);
}

#[test]
fn a_relay_is_not_made_to_listen_at_another_port_after_each_start() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("relay");
    let dir = at.to_str().unwrap();
    for language in ["en", "ru"] {
        let made = ["init", "--listen", "0.0.0.0:0", "--public", "192.0.2.1:443", "--lang", language];
        let refused = relay(&[&made[..], &["--dir", dir]].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
        assert!(err(&refused).contains("--listen 0.0.0.0:443"), "{}", err(&refused));
        assert!(!at.exists(), "nothing was made");
    }
    init(&at);
    std::fs::write(at.join("relay.toml"), "listen = \"0.0.0.0:0\"\n").unwrap();
    let refused = relay(&["run", "--dir", dir]);
    assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
    assert!(err(&refused).contains("a port other than 0"), "{}", err(&refused));
}

#[test]
fn who_mistypes_the_folder_of_a_relay_that_is_to_be_renewed_is_told_what_is_there_instead() {
    let folder = tempfile::tempdir().unwrap();
    let [right, missing, empty, other] =
        ["relay", "rely", "empty", "other"].map(|name| folder.path().join(name));
    init(&right);
    let key = folder.path().join("stick.key");
    std::fs::rename(right.join("identity.key"), &key).unwrap();
    for dir in [&empty, &other] {
        std::fs::create_dir(dir).unwrap();
    }
    std::fs::write(other.join("notes"), "").unwrap();
    for (dir, [english, russian]) in [
        (&missing, ["is not there", "нет."]),
        (&empty, ["is empty", "пуста"]),
        (&other, ["There is no relay in", "нет узла"]),
    ] {
        let at = dir.to_str().unwrap();
        let renewal = ["init", "--dir", at, "--identity", key.to_str().unwrap()];
        let moved = [&renewal[..], &["--public", "192.0.2.2:443"]].concat();
        let commands =
            [(&renewal[..], 2), (&moved, 2), (&["run", "--dir", at], 7), (&["doctor", "--dir", at], 7)];
        for (command, code) in commands {
            for (language, says) in [("en", english), ("ru", russian)] {
                let refused = relay(&[command, &["--lang", language]].concat());
                assert_eq!(refused.status.code(), Some(code), "{}", err(&refused));
                for says in [at, says, "--dir", "--listen"] {
                    assert!(err(&refused).contains(says), "{says}: {}", err(&refused));
                }
            }
        }
    }
    assert!(!missing.exists() && std::fs::read_dir(&empty).unwrap().next().is_none(), "nothing was made");
}

#[test]
fn who_makes_a_relay_anew_in_place_of_a_renewal_is_told_not_to_start_it_and_how_to_go_back() {
    let folder = tempfile::tempdir().unwrap();
    let [right, wrong] = ["relay", "rely"].map(|name| folder.path().join(name));
    let address = out(&init(&right));
    once(right.to_str().unwrap());
    let key = folder.path().join("stick.key");
    std::fs::rename(right.join("identity.key"), &key).unwrap();
    let again = |dir: &Path, more: &[&str]| {
        let base = ["init", "--dir", dir.to_str().unwrap(), "--identity", key.to_str().unwrap()];
        relay(&[&base[..], more].concat())
    };
    let warned = |made: &Output| ["don't start this one", "не запускайте"].map(|one| err(made).contains(one));
    let whole = ["--listen", "127.0.0.1:1", "--public", "192.0.2.1:443"];
    let made = again(&wrong, &whole);
    assert_eq!((out(&made), warned(&made)), (address.clone(), [true, false]), "{}", err(&made));
    assert!(err(&made).contains(&format!("relay.id in {}", wrong.display())), "{}", err(&made));
    // As it says.
    for file in ["descriptor", "relay.id"] {
        std::fs::remove_file(wrong.join(file)).unwrap();
    }
    assert_eq!(relay(&["run", "--dir", wrong.to_str().unwrap()]).status.code(), Some(7));
    let made = again(&wrong, &[&whole[..], &["--lang", "ru"]].concat());
    assert_eq!(warned(&made), [false, true], "{}", err(&made));

    // Neither a renewal is such a mistake, nor what makes a lost descriptor anew beside the queues, nor a new relay.
    let renewed = again(&right, &[]);
    assert_eq!((out(&renewed), warned(&renewed)), (address, [false; 2]), "{}", err(&renewed));
    std::fs::remove_file(right.join("descriptor")).unwrap();
    assert_eq!(warned(&again(&right, &whole)), [false; 2]);
    assert_eq!(warned(&init(&folder.path().join("new"))), [false; 2]);
}
