//! What was typed and is no command, told in words.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::args::PROGRAM;
use crate::cli::text::Text;

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
    if error.kind() == ErrorKind::MissingSubcommand {
        return text.say("error-no-command");
    }
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some(what) = arg
    {
        return text.say_with("error-missing", &[("what", &what)]);
    }
    if let (Some(option), Some(what)) = (&arg, value) {
        return text.say_with("error-value", &[("what", &what), ("option", option)]);
    }
    if let Some(what) = arg.or(sub) {
        return text.say_with("error-unknown", &[("what", &what)]);
    }
    text.say_with("error-usage", &[("program", PROGRAM)])
}

/// What somebody typed may have been pasted: nothing in it may steer the terminal.
pub(in crate::cli) fn harmless(typed: &str) -> String {
    typed.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}
