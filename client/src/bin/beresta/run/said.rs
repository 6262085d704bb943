//! What a line of a conversation is: a text, or a command, which must have been meant as one.

use super::lines::{Broken, Line};

/// A command in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Quit,
    Lock,
    Panic,
    Help,
    Timer,
    Anyway,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'l> {
    Nothing,
    Text(&'l str),
    /// A command, and the words behind it, of those that take some.
    Command(Command, &'l str),
    /// A command that was pasted, came with other lines, or has words behind it: nobody can tell that it was meant.
    NotAlone(&'l str),
    Unknown(&'l str),
    /// Nothing that was written so.
    Broken(Broken),
}

impl Command {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "/quit" | "/выход" => Self::Quit,
            "/lock" | "/закрыть" => Self::Lock,
            "/panic" | "/паника" => Self::Panic,
            "/help" | "/помощь" => Self::Help,
            "/timer" | "/таймер" => Self::Timer,
            "/anyway" | "/всё-равно" => Self::Anyway,
            _ => return None,
        })
    }
}

/// Reads a line. A program that types (`at_a_terminal` is false) writes its lines one behind the other: only what
/// cannot be taken back has to stand alone there.
pub(super) fn read(line: &Line, at_a_terminal: bool) -> Said<'_> {
    if let Some(broken) = line.broken {
        return Said::Broken(broken);
    }
    let word = line.text.trim();
    if word.is_empty() {
        return Said::Nothing;
    }
    if !word.starts_with('/') {
        return Said::Text(&line.text);
    }
    if word.starts_with("//") {
        // Two strokes begin a text that begins with one.
        return Said::Text(word.strip_prefix('/').unwrap_or(word));
    }
    let (name, behind) = word.split_once(char::is_whitespace).unwrap_or((word, ""));
    let Some(command) = Command::named(name) else { return Said::Unknown(name) };
    let (lasting, takes_words) = match command {
        Command::Lock | Command::Panic => (true, false),
        Command::Timer => (false, true),
        Command::Quit | Command::Help | Command::Anyway => (false, false),
    };
    let meant = line.alone || !(at_a_terminal || lasting);
    if meant && (takes_words || behind.is_empty()) {
        Said::Command(command, behind)
    } else {
        Said::NotAlone(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEOPLE: bool = true;
    const PROGRAMS: bool = false;

    fn line(text: &str, alone: bool) -> Line {
        Line { text: text.to_owned().into(), alone, broken: None }
    }

    #[test]
    fn a_command_stands_alone_on_its_line() {
        for (text, command) in
            [("/panic", Command::Panic), (" /паника ", Command::Panic), ("/lock", Command::Lock)]
        {
            for typing in [PEOPLE, PROGRAMS] {
                assert_eq!(read(&line(text, true), typing), Said::Command(command, ""));
                let name = text.trim();
                assert_eq!(read(&line(text, false), typing), Said::NotAlone(name));
                let more = format!("{text} now");
                assert_eq!(read(&line(&more, true), typing), Said::NotAlone(name));
            }
        }
        assert_eq!(read(&line("/timer 1h", true), PEOPLE), Said::Command(Command::Timer, "1h"));
        for harmless in ["/timer 1h", "/anyway", "/quit", "/help"] {
            assert!(matches!(read(&line(harmless, false), PEOPLE), Said::NotAlone(_)), "{harmless}");
            assert!(matches!(read(&line(harmless, false), PROGRAMS), Said::Command(..)), "{harmless}");
        }
    }

    #[test]
    fn everything_else_is_a_text_or_is_told() {
        for alone in [true, false] {
            assert_eq!(read(&line("  ", alone), PEOPLE), Said::Nothing);
            assert_eq!(read(&line(" as /panic is", alone), PEOPLE), Said::Text(" as /panic is"));
            assert_eq!(read(&line("//panic", alone), PEOPLE), Said::Text("/panic"));
            assert_eq!(read(&line("/panics", alone), PEOPLE), Said::Unknown("/panics"));
            assert_eq!(read(&line("/PANIC", alone), PEOPLE), Said::Unknown("/PANIC"));
        }
    }
}
