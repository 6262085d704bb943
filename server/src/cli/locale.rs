//! The one place that reads the environment: which language people are spoken to in, and who waits for the relay.

use std::ffi::OsString;

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

/// The socket on which a service manager waits to hear that the relay listens (sd_notify).
pub(crate) fn service_manager() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET")
}
