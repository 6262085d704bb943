use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Every message with its variables.
fn messages(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in source.lines().filter(|line| !line.starts_with('#')) {
        let Some((key, text)) = line.split_once(" = ") else {
            assert!(line.is_empty(), "each message stands on one line");
            continue;
        };
        let variables = text.split("{ $").skip(1).map(|rest| rest.split(' ').next().unwrap().to_owned());
        assert!(all.insert(key.to_owned(), variables.collect()).is_none(), "{key} stands there twice");
    }
    all
}

#[test]
fn both_catalogues_say_the_same_things_with_the_same_variables() {
    assert_eq!(messages(ENGLISH), messages(RUSSIAN));
    for source in [ENGLISH, RUSSIAN] {
        assert!(FluentResource::try_new(source.to_owned()).is_ok());
    }
}

#[test]
fn every_text_that_is_asked_for_is_in_the_catalogues_and_none_is_left_over() {
    let source = [
        include_str!("../../cli.rs"),
        include_str!("../args.rs"),
        include_str!("../control.rs"),
        include_str!("../doctor.rs"),
        include_str!("../fault.rs"),
        include_str!("../fault/folder.rs"),
        include_str!("../fault/usage.rs"),
        include_str!("../hold.rs"),
        include_str!("../invite.rs"),
        include_str!("../moving.rs"),
        include_str!("../selftest.rs"),
    ]
    .concat();
    let mut asked = BTreeSet::new();
    for (key, _) in messages(ENGLISH) {
        if source.contains(&format!("\"{key}\"")) {
            asked.insert(key);
        }
    }
    assert_eq!(asked, messages(ENGLISH).into_keys().collect());
    for call in ["say(\"", "say_with(\""] {
        for rest in source.split(call).skip(1) {
            let key = rest.split('"').next().unwrap();
            assert!(messages(ENGLISH).contains_key(key), "{key} is asked for");
        }
    }
}

#[test]
fn both_languages_speak() {
    assert!(Text::new(Language::Russian).say("about-run").contains("узел"));
    assert_eq!(Text::new(Language::English).say_with("hold-queues", &[("count", "3")]), "Queues: 3");
}

#[test]
fn a_path_that_a_shell_would_take_apart_is_quoted() {
    for (path, pasted) in [
        ("/var/lib/beresta-relay", "/var/lib/beresta-relay"),
        ("./relay_1.0", "./relay_1.0"),
        ("", "''"),
        ("my relay", "'my relay'"),
        ("узел", "'узел'"),
        ("a;b", "'a;b'"),
        ("~", "'~'"),
        ("-relay", "./-relay"),
        ("Anna's", r"'Anna'\''s'"),
    ] {
        assert_eq!(super::pasted(Path::new(path)), pasted);
    }
}
