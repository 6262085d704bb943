//! The command line: what there is, in the language of who reads it.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::text::Text;

/// The program's name.
pub(crate) const PROGRAM: &str = "beresta-relay";

/// What stands for a value in usage lines and options, and what it is called where the reader's language has another word.
const VALUES: [(&str, &str); 8] = [
    ("DIR", "value-dir"),
    ("FILE", "value-file"),
    ("PORT", "value-port"),
    ("NAME", "value-name"),
    ("ADDRESS", "value-address"),
    ("DAYS", "value-days"),
    ("LANG", "value-lang"),
    ("ID", "value-id"),
];

/// The same in the reader's words.
fn values(text: &Text, usage: &str) -> String {
    VALUES.iter().fold(usage.to_owned(), |usage, (value, key)| usage.replace(value, &text.say(key)))
}

/// The whole command line.
pub(crate) fn command(text: &Text) -> Command {
    let sub = |name: &'static str, about: &str, usage: &'static str| {
        base(Command::new(name), text).about(text.say(about)).override_usage(values(text, usage)).arg(
            Arg::new("dir")
                .long("dir")
                .value_name(values(text, "DIR"))
                .required(true)
                .value_parser(value_parser!(std::path::PathBuf))
                .help(text.say("help-dir"))
                .help_heading(text.say("heading-options")),
        )
    };
    let option = |name: &'static str, value: &'static str, help: &str| {
        Arg::new(name)
            .long(name)
            .value_name(values(text, value))
            .help(text.say(help))
            .help_heading(text.say("heading-options"))
    };
    let flag = |name: &'static str, help: &str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(text.say(help))
            .help_heading(text.say("heading-options"))
    };
    let address = || value_parser!(std::net::SocketAddr);
    let init = sub(
        "init",
        "about-init",
        "beresta-relay init --dir DIR --listen IP:PORT --public IP:PORT... [--operator NAME] [--identity FILE] [--clock-is-right]",
    )
    .arg(option("listen", "IP:PORT", "help-listen").value_parser(address()))
    .arg(option("public", "IP:PORT", "help-public").value_parser(address()).action(ArgAction::Append))
    .arg(option("operator", "NAME", "help-operator"))
    .arg(option("identity", "FILE", "help-identity").value_parser(value_parser!(std::path::PathBuf)))
    .arg(flag("clock-is-right", "help-clock-is-right"));
    let run = sub("run", "about-run", "beresta-relay run --dir DIR");
    let take_back = sub("take-back", "about-take-back", "beresta-relay take-back --dir DIR");
    let address =
        sub("address", "about-address", "beresta-relay address --dir DIR [--qr]").arg(flag("qr", "help-qr"));
    let hold = sub("what-i-hold", "about-hold", "beresta-relay what-i-hold --dir DIR [--json]")
        .arg(flag("json", "help-json"));
    let repair = sub("repair", "about-repair", "beresta-relay repair --dir DIR");
    let file = |help: &str| {
        option("file", "FILE", help).required(true).value_parser(value_parser!(std::path::PathBuf))
    };
    let export = sub("export", "about-export", "beresta-relay export --dir DIR --file FILE [--backup]")
        .arg(file("help-export-file"))
        .arg(flag("backup", "help-backup"));
    let import = sub("import", "about-import", "beresta-relay import --dir DIR --file FILE")
        .arg(file("help-import-file"));
    let doctor = sub("doctor", "about-doctor", "beresta-relay doctor --dir DIR");
    let status = sub("status", "about-status", "beresta-relay status --dir DIR [--json]")
        .arg(flag("json", "help-json"));
    let pause = sub("pause-new", "about-pause", "beresta-relay pause-new --dir DIR");
    let resume = sub("resume", "about-resume", "beresta-relay resume --dir DIR");
    let drain = sub("drain", "about-drain", "beresta-relay drain --dir DIR");
    let delete = sub("delete-queue", "about-delete", "beresta-relay delete-queue --dir DIR -").arg(
        Arg::new("id")
            .value_name("-")
            .required(true)
            // To be told that an id does not belong here: one in 64 begins with it.
            .allow_hyphen_values(true)
            .help(text.say("help-id"))
            .help_heading(text.say("heading-options")),
    );
    let keys = base(Command::new("keys"), text)
        .about(text.say("about-keys"))
        .override_usage(values(text, "beresta-relay keys rotate --dir DIR [--identity FILE]"))
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand_help_heading(text.say("heading-commands"))
        .subcommand(
            sub("rotate", "about-rotate", "beresta-relay keys rotate --dir DIR [--identity FILE]").arg(
                option("identity", "FILE", "help-identity").value_parser(value_parser!(std::path::PathBuf)),
            ),
        );
    let config = base(Command::new("config"), text)
        .about(text.say("about-config"))
        .override_usage(values(text, "beresta-relay config check --dir DIR"))
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand_help_heading(text.say("heading-commands"))
        .subcommand(sub("check", "about-config-check", "beresta-relay config check --dir DIR"));
    let number = |name: &'static str, value: &'static str, help: &str, most: i64| {
        option(name, value, help).value_parser(value_parser!(u32).range(1..=most))
    };
    let invite = base(Command::new("invite"), text)
        .about(text.say("about-invite"))
        .override_usage(values(text, "beresta-relay invite create | list | revoke --dir DIR"))
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand_help_heading(text.say("heading-commands"))
        .subcommands([
            sub(
                "create",
                "about-invite-create",
                "beresta-relay invite create --dir DIR [--makes N] [--days DAYS]",
            )
            .arg(number("makes", "N", "help-makes", 1_000_000))
            .arg(number("days", "DAYS", "help-days", 3_650)),
            sub("list", "about-invite-list", "beresta-relay invite list --dir DIR [--json]")
                .arg(flag("json", "help-json")),
            sub("revoke", "about-invite-revoke", "beresta-relay invite revoke --dir DIR ID|-").arg(
                Arg::new("id")
                    .value_name(values(text, "ID|-"))
                    .required(true)
                    .help(text.say("help-credit"))
                    .help_heading(text.say("heading-options")),
            ),
        ]);
    let selftest = base(Command::new("selftest"), text)
        .about(text.say("about-selftest"))
        .override_usage(values(text, "beresta-relay selftest --via ADDRESS [--code -]"))
        .arg(option("via", "ADDRESS", "help-via").required(true))
        .arg(option("code", "-", "help-code"));
    let version = Arg::new("version")
        .long("version")
        .action(ArgAction::Version)
        .help(text.say("help-version"))
        .help_heading(text.say("heading-options"));
    base(Command::new(PROGRAM), text)
        .about(text.say("about"))
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .arg(version)
        .override_usage("beresta-relay init | run | address | config check | doctor | selftest | status | pause-new | resume | drain | delete-queue | invite create | invite list | invite revoke | export | import | take-back | repair | keys rotate | what-i-hold")
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand_help_heading(text.say("heading-commands"))
        .subcommands([init, run, address, config, doctor, selftest, status, pause, resume, drain, delete, invite, export, import, take_back, repair, keys, hold])
}

fn base(command: Command, text: &Text) -> Command {
    let heading = text.say("heading-options");
    command
        .disable_help_flag(true)
        .help_template(format!(
            "{{about-with-newline}}\n{} {{usage}}\n\n{{all-args}}\n",
            text.say("heading-usage")
        ))
        .arg(
            Arg::new("lang")
                .long("lang")
                .value_name(values(text, "LANG"))
                .value_parser(["en", "ru"])
                .hide_possible_values(true)
                .help(text.say("help-lang"))
                .help_heading(heading.clone()),
        )
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .help(text.say("help-help"))
                .help_heading(heading),
        )
}

/// The value of an option that clap has parsed as `T`.
pub(crate) fn value<T: Clone + Send + Sync + 'static>(found: &ArgMatches, name: &str) -> Option<T> {
    found.try_get_one::<T>(name).ok().flatten().cloned()
}

#[cfg(test)]
mod tests {
    use super::super::locale::Language;
    use super::*;

    #[test]
    fn an_id_of_a_queue_may_begin_with_a_hyphen() {
        let id = format!("-{}", "A".repeat(31));
        let words = ["beresta-relay", "delete-queue", "--dir", "relay", &id];
        let found = command(&Text::new(Language::English)).try_get_matches_from(words).unwrap();
        let (_, found) = found.subcommand().unwrap();
        assert_eq!(value::<String>(found, "id"), Some(id));
    }

    #[test]
    fn help_calls_a_value_what_messages_call_it() {
        let help = |language, words: [&str; 3]| {
            let found = command(&Text::new(language)).try_get_matches_from(words);
            found.unwrap_err().to_string()
        };
        for words in [["", "init", "--help"], ["", "export", "--help"], ["", "delete-queue", "--help"]] {
            let (english, russian) = (help(Language::English, words), help(Language::Russian, words));
            for (value, key) in VALUES {
                let theirs = Text::new(Language::Russian).say(key);
                assert_eq!(english.matches(value).count(), russian.matches(&theirs).count(), "{russian}");
                assert!(!russian.contains(value), "{russian}");
            }
        }
        let refused = Text::new(Language::Russian).say("error-not-running");
        assert!(refused.contains(&Text::new(Language::Russian).say("value-dir")), "{refused}");
    }
}
