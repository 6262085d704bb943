use std::collections::{BTreeMap, BTreeSet};

use fluent_bundle::FluentResource;

use super::*;
use crate::args;
use crate::fault::Fault;

const LANGUAGES: [(Language, &str); 2] = [(Language::English, ENGLISH), (Language::Russian, RUSSIAN)];

/// Each key of a catalogue with the names of the values that its text takes.
fn keys(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    FluentResource::try_new(source.to_owned()).expect("the catalogue parses");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut key = String::new();
    for line in source.lines() {
        if let Some((name, _)) = line.split_once(" =")
            && name.starts_with(|one: char| one.is_ascii_lowercase())
        {
            key = name.to_owned();
            assert!(!found.contains_key(&key), "{key} stands twice");
            found.insert(key.clone(), BTreeSet::new());
        }
        for rest in line.split('$').skip(1) {
            let name: String =
                rest.chars().take_while(|one| one.is_ascii_alphanumeric() || *one == '_').collect();
            found.get_mut(&key).expect("a key").insert(name);
        }
    }
    found
}

#[test]
fn both_languages_have_the_same_keys_and_values() {
    assert_eq!(keys(ENGLISH), keys(RUSSIAN));
}

/// A shell acts upon what is in it, and spaces end it.
#[test]
fn no_command_that_is_named_holds_a_name_that_somebody_chose() {
    for (_, catalogue) in LANGUAGES {
        let quoted = catalogue.split(['“', '«']).skip(1).filter_map(|rest| rest.split(['”', '»']).next());
        let ends = ['.', ',', ';', '”', '»', '\n'];
        let options = catalogue.split("--").skip(1).filter_map(|rest| rest.split(ends).next());
        let commands: Vec<&str> = quoted.filter(|one| one.starts_with("beresta ")).chain(options).collect();
        assert!(commands.len() > 50);
        for command in commands {
            assert!(!command.contains("$name") && !command.contains("$text"), "{command}");
        }
    }
}

#[test]
fn every_command_and_option_has_its_help_in_both_languages() {
    fn look(command: &clap::Command) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.starts_with("help"), "{} has no help", command.get_name());
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty() && !help.starts_with("help-"), "{} has no help", arg.get_id());
        }
        command.get_subcommands().for_each(look);
    }
    for (language, _) in LANGUAGES {
        let command = args::command(&Text::new(language));
        look(&command);
        command.debug_assert();
    }
}

#[test]
fn russian_help_names_values_by_russian_words() {
    fn look(command: &clap::Command) {
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
            for name in arg.get_value_names().unwrap_or_default() {
                // Single letters stand for numbers; what is in small letters is typed so.
                let ours = name.len() > 1 && name.bytes().all(|one| one.is_ascii_uppercase());
                assert!(!ours, "{} calls a value {name}", command.get_name());
            }
        }
        command.get_subcommands().for_each(look);
    }
    look(&args::command(&Text::new(Language::Russian)));
}

#[test]
fn every_error_says_something_in_both_languages() {
    use beresta_client::api::{Error, LinkFault, LockReason};
    let errors = [
        Error::NoProfile,
        Error::ProfileExists,
        Error::InUse,
        Error::WrongPassphrase,
        Error::NoKeyFile,
        Error::KeyFileExists,
        Error::PassphraseTaken,
        Error::StoreDamaged,
        Error::StoreNewer,
        Error::StoreFull,
        Error::Denied,
        Error::Backend,
        Error::Store,
        Error::BadLink { damaged: true },
        Error::BadLink { damaged: false },
        Error::BadName,
        Error::BadTimer,
        Error::NotFound,
        Error::Ambiguous(vec!["Anna".into()]),
        Error::NoRelay,
        Error::Link(LinkFault::Unreachable),
        Error::Link(LinkFault::NotTheRelay),
        Error::Link(LinkFault::Stale),
        Error::Link(LinkFault::NoRoute),
        Error::Link(LinkFault::Broke),
        Error::RelayBusy,
        Error::RelayClosed,
        Error::NoCredit,
        Error::RelayMisbehaved,
        Error::InviteGone,
        Error::InviteUsed,
        Error::InviteForged,
        Error::OwnInvite,
        Error::AlreadyContact(String::from("c1")),
        Error::IdentityChanged,
        Error::Blocked,
        Error::CodeDiffers,
        Error::EmptyText,
        Error::TextTooLong,
        Error::TooManyUndelivered,
        Error::Session,
        Error::NotDestroyed,
        Error::DestroyedInUse,
        Error::DestroyedInPart,
        Error::Closed,
    ];
    let own = [
        Fault::BadSpan,
        Fault::NoHome,
        Fault::NoTerminal,
        Fault::NoDescriptor,
        Fault::WeakPassphrase,
        Fault::PassphrasesDiffer,
        Fault::KeyFileInside,
        Fault::Unconfirmed,
        Fault::Locked(LockReason::Told),
        Fault::Locked(LockReason::Idle),
        Fault::Locked(LockReason::Slept),
        Fault::Locked(LockReason::Session),
        Fault::BadIdle,
        Fault::Input,
        Fault::LineCut,
        Fault::Internal,
    ];
    let faults: Vec<Fault> = errors.into_iter().map(Fault::Api).chain(own).collect();
    for (language, _) in LANGUAGES {
        let text = Text::new(language);
        for fault in &faults {
            let words = fault.words(&text);
            assert!(!words.starts_with("error-") && words.len() > 20, "{fault:?}: {words}");
        }
    }
}

#[test]
fn russian_counts_as_russian_does() {
    let text = Text::new(Language::Russian);
    let words = |n: u64| text.say_with("span-hours", [("n", n.into())]);
    let forms = [
        (0, "часов"),
        (1, "час"),
        (2, "часа"),
        (5, "часов"),
        (11, "часов"),
        (21, "час"),
        (22, "часа"),
        (25, "часов"),
        (111, "часов"),
    ];
    for (n, form) in forms {
        assert_eq!(words(n), format!("{n} {form}"));
    }
}

#[test]
fn no_english_is_left_in_the_russian_help() {
    let mut command = args::command(&Text::new(Language::Russian));
    let help = command.render_long_help().to_string();
    for word in ["Usage", "Options", "Commands", "Print", "Possible"] {
        assert!(!help.contains(word), "{word} in: {help}");
    }
}
