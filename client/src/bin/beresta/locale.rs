//! Which language people are spoken to in, where their profile lies, and how much is logged: the one place that reads the
//! environment.

use std::ffi::OsString;
use std::path::PathBuf;

use beresta_client::api::WordList;

/// A language with a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Russian,
}

impl Language {
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name.get(..2)? {
            "en" => Some(Self::English),
            "ru" => Some(Self::Russian),
            _ => None,
        }
    }

    /// From `--lang`, else from the locale, else English. Looked for before the command line is parsed, because what is
    /// said about a mistake in it is said in that language too.
    pub(crate) fn choose(args: &[OsString]) -> Self {
        Self::asked(args).or_else(Self::of_locale).unwrap_or(Self::English)
    }

    fn asked(args: &[OsString]) -> Option<Self> {
        let mut args = args.iter().filter_map(|arg| arg.to_str());
        while let Some(arg) = args.next() {
            if arg == "--lang" {
                return args.next().and_then(Self::of);
            }
            if let Some(name) = arg.strip_prefix("--lang=") {
                return Self::of(name);
            }
        }
        None
    }

    fn of_locale() -> Option<Self> {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(std::env::var_os);
        set.filter_map(|value| value.into_string().ok())
            .find(|value| !value.is_empty())
            .and_then(|value| Self::of(&value))
    }
}

impl Language {
    /// The name that a profile keeps.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }

    /// The list that passphrases are made of.
    pub(crate) const fn words(self) -> WordList {
        match self {
            Self::English => WordList::English,
            Self::Russian => WordList::Russian,
        }
    }
}

/// How much `RUST_LOG` asks to be logged, as it is typed.
pub(crate) fn log_level() -> Option<String> {
    std::env::var_os("RUST_LOG").and_then(|level| level.into_string().ok())
}

/// Where the profile lies unless `--dir` says otherwise: the folder for programs' data (XDG Base Directory
/// Specification), none if the system names no home.
pub(crate) fn default_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")))?;
    Some(data.join("beresta"))
}
