//! What was typed and is no command, told in words.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::args::PROGRAM;
use crate::cli::text::Text;

/// What the parser calls the id that `delete-queue` reads.
const ID: &str = "<->";

/// What of the command line was not understood.
pub(super) fn words(error: &clap::Error, text: &Text) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(one)) => Some(harmless(one)),
        Some(ContextValue::Strings(many)) => Some(harmless(&many.join(", "))),
        Some(_) | None => None,
    };
    let arg = context(ContextKind::InvalidArg);
    let value = context(ContextKind::InvalidValue);
    let sub = context(ContextKind::InvalidSubcommand);
    let usage = Usage::of(error);
    if error.kind() == ErrorKind::MissingSubcommand {
        return match (usage, sub) {
            (Some(Usage::One(usage)), Some(what)) => {
                text.say_with("error-no-subcommand", &[("what", &what), ("usage", &usage)])
            }
            (Some(Usage::One(_) | Usage::All) | None, _) => text.say("error-no-command"),
        };
    }
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some(what) = arg
    {
        return match usage {
            _ if what == ID => text.say("error-missing-id"),
            Some(Usage::One(usage)) => {
                let what = what.replace(ID, "-");
                text.say_with("error-missing-of", &[("what", &what), ("usage", &usage)])
            }
            Some(Usage::All) | None => text.say_with("error-missing", &[("what", &what)]),
        };
    }
    if let (Some(option), Some(what)) = (&arg, value) {
        return text.say_with("error-value", &[("what", &what), ("option", option)]);
    }
    if error.kind() == ErrorKind::ArgumentConflict
        && let Some(what) = arg
    {
        // There is no other conflict between our options.
        return text.say_with("error-twice", &[("what", &what)]);
    }
    if let (ErrorKind::UnknownArgument, Some(what)) = (error.kind(), &arg) {
        match usage {
            Some(Usage::All) if what.starts_with("--") => {
                return text.say_with("error-option-first", &[("what", what)]);
            }
            // Each command takes it that has it in its usage: it stands between two words of one.
            Some(Usage::One(usage)) if what == "--dir" && usage.contains(what) => {
                return text.say_with("error-option-between", &[("what", what), ("usage", &usage)]);
            }
            Some(Usage::All | Usage::One(_)) | None => {}
        }
    }
    if let Some(what) = arg.or(sub) {
        return text.say_with("error-unknown", &[("what", &what)]);
    }
    text.say_with("error-usage", &[("program", PROGRAM)])
}

/// How it is typed what was not understood.
enum Usage {
    /// A command, or a group of them.
    One(String),
    /// The program: all commands.
    All,
}

impl Usage {
    fn of(error: &clap::Error) -> Option<Self> {
        let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
        let usage = usage.to_string();
        // Before it stands a word of the parser, in its own language.
        let (_, usage) = usage.split_once(PROGRAM)?;
        // Of all commands the first is followed by the next.
        let all = usage.split_whitespace().nth(1) == Some("|");
        Some(if all { Self::All } else { Self::One(format!("{PROGRAM}{usage}")) })
    }
}

/// What somebody typed may have been pasted: nothing in it may steer the terminal.
pub(in crate::cli) fn harmless(typed: &str) -> String {
    typed.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}
