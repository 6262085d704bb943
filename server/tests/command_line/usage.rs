//! Command lines that are not understood, and what is said to type instead.

use super::*;

/// In both languages, with this on standard input.
fn says(args: &[&str], line: &str, words: [&str; 2]) {
    for (language, words) in ["en", "ru"].into_iter().zip(words) {
        let refused = told(&[args, &["--lang", language]].concat(), line);
        let said = err(&refused);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
        assert!(!said.contains("Usage:"), "{args:?}: {said}");
    }
}

#[test]
fn who_leaves_a_part_of_a_command_out_is_told_how_it_is_typed() {
    let delete = ["delete-queue --dir DIR -", "delete-queue --dir ПАПКА -"];
    for args in [&["delete-queue", "--dir", "x"][..], &["delete-queue"]] {
        says(args, "", delete);
    }
    says(&["run"], "", ["so: beresta-relay run --dir DIR", "так: beresta-relay run --dir ПАПКА"]);
    says(
        &["export", "--dir", "x"],
        "",
        ["--dir DIR --file FILE [--backup]", "--dir ПАПКА --file ФАЙЛ [--backup]"],
    );
    says(&["invite"], "", ["beresta-relay invite create | list | revoke --dir DIR", "--dir ПАПКА"]);
    says(&["keys"], "", ["Type: beresta-relay keys rotate --dir DIR", "Наберите: beresta-relay keys rotate"]);
    says(&["config"], "", ["Type: beresta-relay config check --dir DIR", "Наберите: beresta-relay config"]);
    says(&[], "", ["Say what to do", "Скажите, что сделать"]);
}

#[test]
fn who_puts_an_option_where_it_does_not_belong_is_told_where_it_does() {
    for args in [&["--dir", "x", "run"][..], &["--dir=x", "run"], &["--dir", "x", "keys", "rotate"]] {
        says(args, "", ["First comes the command", "Сначала пишется команда"]);
    }
    for args in [&["keys", "--dir", "x", "rotate"][..], &["invite", "--dir=x", "list"]] {
        says(args, "", ["at its end: beresta-relay ", "в конце: beresta-relay "]);
    }
    let twice = ["--dir", "x", "--dir", "x"];
    for command in [&["run"][..], &["doctor"], &["keys", "rotate"]] {
        says(&[command, &twice].concat(), "", ["stands there twice", "указан дважды"]);
    }
    // What no command has is not told where to stand.
    let unknown = ["Unknown option or command: --dir.", "Неизвестный параметр или команда: --dir."];
    says(&["selftest", "--via", "x", "--dir", "x"], "", unknown);
    says(&["run", "--dir", "x", "--verbose"], "", ["Unknown option", "Неизвестный параметр"]);
}

#[test]
fn who_names_five_addresses_is_told_how_many_may_be_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("relay");
    let base = ["init", "--dir", at.to_str().unwrap(), "--listen", "127.0.0.1:1"];
    let public = [1, 2, 3, 4, 5].map(|port| format!("--public=192.0.2.1:{port}"));
    let public: Vec<&str> = public.iter().map(String::as_str).collect();
    says(&[&base[..], &public].concat(), "", ["four addresses at the most", "не больше четырёх адресов"]);
    assert!(!at.exists());
    assert_eq!(relay(&[&base[..], &public[1..]].concat()).status.code(), Some(0));
}

#[test]
fn who_gives_nothing_where_a_line_is_read_is_told_that_nothing_came() {
    let dir = tempfile::tempdir().unwrap();
    let link = out(&init(dir.path()));
    let at = dir.path().to_str().unwrap();
    let nothing = ["nothing came there", "ничего не оказалось"];
    for line in ["", " \t"] {
        for args in [
            &["selftest", "--via", link.trim(), "--code", "-"][..],
            &["invite", "revoke", "--dir", at, "-"],
            &["delete-queue", "--dir", at, "-"],
        ] {
            says(args, line, nothing);
        }
    }
}
