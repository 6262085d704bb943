//! The command line: what there is, in the language of who reads it. Every node's help comes from the catalogue, under
//! the key `help-` and its path.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::text::Text;

/// The program's name.
pub(crate) const PROGRAM: &str = "beresta";

/// What stands for a value, and what it is called where the reader's language has another word.
const VALUES: [(&str, &str); 9] = [
    ("DIR", "value-dir"),
    ("FILE", "value-file"),
    ("NAME", "value-name"),
    ("CONTACT", "value-contact"),
    ("ID", "value-id"),
    ("TEXT", "value-text"),
    ("LINK", "value-link"),
    ("DIGITS", "value-digits"),
    ("SHELL", "value-shell"),
];

fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value)
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn word(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).value_name(value).required(true)
}

fn noun(name: &'static str, verbs: impl IntoIterator<Item = Command>) -> Command {
    Command::new(name).subcommand_required(true).subcommands(verbs)
}

fn verb(name: &'static str, args: impl IntoIterator<Item = Arg>) -> Command {
    Command::new(name).args(args)
}

fn who() -> Arg {
    word("contact", "CONTACT")
}

fn invites() -> Command {
    let renews = || option("for", "CONTACT");
    noun(
        "invite",
        [
            verb("new", [option("expires", "24h"), option("name", "NAME"), renews(), flag("no-qr")]),
            verb("inspect", [word("link", "LINK|-")]),
            verb("accept", [word("link", "LINK|-"), option("name", "NAME"), renews()]),
            verb("list", []),
            verb("revoke", [word("id", "ID")]),
        ],
    )
}

fn contacts() -> Command {
    noun(
        "contact",
        [
            verb("list", []),
            verb("show", [who()]),
            verb("rename", [who(), word("name", "NAME")]),
            verb("block", [who()]),
            verb("seized", [who(), flag("yes")]),
            verb("remove", [who(), flag("yes")]),
        ],
    )
}

fn chats() -> Command {
    let limit = option("limit", "N").short('n').value_parser(value_parser!(u32).range(1..=10_000));
    noun(
        "chat",
        [
            verb("list", []),
            verb("open", [who()]),
            verb("history", [who(), option("before", "ID"), limit]),
            verb("timer", [who(), Arg::new("span").value_name("off|30s|5m|1h|1d|1w")]),
            verb("delete", [who(), flag("yes")]),
        ],
    )
}

fn duress() -> Command {
    let what =
        || word("what", "cold|wipe|decoy").value_parser(["cold", "wipe", "decoy"]).hide_possible_values(true);
    let (name, relay) = (option("name", "NAME"), option("relay", "beresta-relay:…"));
    let set = verb("set", [what(), name, relay, flag("yes")]);
    noun("duress", [set, verb("remove", [what().required(false), flag("yes")]), verb("status", [])])
}

fn lock() -> Command {
    let switch =
        || Arg::new("state").value_name("on|off").value_parser(["on", "off"]).hide_possible_values(true);
    verb("lock", []).subcommands([
        verb("idle", [Arg::new("span").value_name("off|1m|10m|1h")]),
        verb("sleep", [switch()]),
        verb("session", [switch()]),
    ])
}

fn alert() -> Command {
    let to = option("to", "CONTACT").action(ArgAction::Append).required(true);
    noun("alert", [verb("set", [to, flag("yes")]), verb("remove", []), verb("status", [])])
}

fn all() -> Command {
    let memory = option("kdf-memory-mib", "M").value_parser(value_parser!(u32).range(1..=1_024));
    let seconds = || value_parser!(u64).range(0..=86_400);
    let shells = Arg::new("shell").value_name("SHELL").required(true);
    let shells = shells.value_parser(value_parser!(clap_complete::Shell)).hide_possible_values(true);
    let send = verb(
        "send",
        [
            who(),
            option("message", "TEXT").short('m'),
            Arg::new("stdin").value_name("-").value_parser(["-"]).hide_possible_values(true),
            flag("send-anyway"),
            option("wait", "15s"),
        ],
    );
    let receive = verb(
        "receive",
        [
            flag("follow").short('f'),
            flag("brief"),
            option("timeout", "S").value_parser(seconds()),
            option("max", "N").value_parser(value_parser!(u64).range(1..)),
        ],
    );
    let path = value_parser!(std::path::PathBuf);
    let make = option("make-key-file", "FILE").value_parser(path).conflicts_with("drop-key-file");
    let passwd = verb("passwd", [make, flag("drop-key-file"), flag("yes")]);
    let verify = noun("verify", [verb("show", [who()]), verb("confirm", [who(), option("code", "DIGITS")])]);
    Command::new(PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg(Arg::new("version").long("version").action(ArgAction::Version))
        .subcommands([
            verb("init", [option("name", "NAME"), option("relay", "beresta-relay:…"), memory]),
            verb("status", []),
            noun(
                "relay",
                [
                    verb("set", [word("relay", "beresta-relay:…")]),
                    verb("credit", [word("code", "beresta-credit:…|-")]),
                ],
            ),
            invites(),
            contacts(),
            verify,
            chats(),
            send,
            receive,
            passwd,
            lock(),
            verb("panic", [flag("yes")]),
            duress(),
            alert(),
            verb("completions", [shells]),
        ])
}

fn everywhere() -> [Arg; 7] {
    let global = |arg: Arg| arg.global(true);
    [
        global(option("dir", "DIR").value_parser(value_parser!(std::path::PathBuf))),
        global(flag("json")),
        global(option("lang", "en|ru").value_parser(["en", "ru"]).hide_possible_values(true)),
        global(option("passphrase-fd", "N").value_parser(value_parser!(u32))),
        // Where it lies is no secret that a profile hangs on; what is in it never stands on a command line.
        global(option("key-file", "FILE").value_parser(value_parser!(std::path::PathBuf))),
        global(flag("quiet").short('q')),
        global(Arg::new("help").short('h').long("help").action(ArgAction::Help)),
    ]
}

/// The whole command line with its help in the language of `text`.
pub(crate) fn command(text: &Text) -> Command {
    spoken(all().disable_help_flag(true).args(everywhere()), text, "").after_help(text.say("help-exit-codes"))
}

/// Puts the catalogue's words on a command and all below it.
fn spoken(command: Command, text: &Text, path: &str) -> Command {
    let name = command.get_name().to_owned();
    let path = match (path, name.as_str()) {
        ("", PROGRAM) => String::new(),
        (path, name) => format!("{path}-{name}"),
    };
    let key = if path.is_empty() { String::from("help") } else { format!("help{path}") };
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let mut command = command
        .about(text.say(&key))
        .disable_help_flag(true)
        .subcommand_help_heading(text.say("heading-commands"))
        .help_template(format!(
            "{{about-with-newline}}\n{} {{usage}}\n\n{{all-args}}{{after-help}}\n",
            text.say("heading-usage")
        ))
        .mut_args(|arg| {
            let arg = in_words(arg, text);
            let own = format!("{key}--{}", arg.get_id());
            let help = if text.has(&own) { own } else { format!("help--{}", arg.get_id()) };
            arg.help(text.say(&help)).help_heading(text.say("heading-options"))
        });
    for sub in names {
        command = command.mut_subcommand(sub, |sub| spoken(sub, text, &path));
    }
    command
}

/// Names an argument's value in the reader's words: a word of ours, or several of which one is to be chosen.
fn in_words(arg: Arg, text: &Text) -> Arg {
    let word = |value: &str| {
        let ours = VALUES.iter().find(|(own, _)| *own == value);
        ours.map_or_else(|| value.to_owned(), |(_, key)| text.say(key))
    };
    let names = arg.get_value_names().map(|names| {
        names.iter().map(|name| name.split('|').map(word).collect::<Vec<_>>().join("|")).collect::<Vec<_>>()
    });
    match names {
        Some(names) => arg.value_names(names),
        None => arg,
    }
}

/// The value of an option that clap has parsed as `T`.
pub(crate) fn value<T: Clone + Send + Sync + 'static>(found: &ArgMatches, name: &str) -> Option<T> {
    found.try_get_one::<T>(name).ok().flatten().cloned()
}

/// The value of an option that is a text.
pub(crate) fn string(found: &ArgMatches, name: &str) -> Option<String> {
    value(found, name)
}

/// Every value of an option that may stand more than once.
pub(crate) fn strings(found: &ArgMatches, name: &str) -> Vec<String> {
    found.try_get_many::<String>(name).ok().flatten().map(|all| all.cloned().collect()).unwrap_or_default()
}

/// Whether a flag is set.
pub(crate) fn is_set(found: &ArgMatches, name: &str) -> bool {
    value(found, name).unwrap_or(false)
}
