//! A folder in which no relay is, told by what lies in it instead: whoever mistyped its name is to see that.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::cli::text::{Text, pasted};

/// What is in place of a relay, and what to do. `todo`: what a command asks for that needs one.
pub(super) fn without_relay(dir: &Path, todo: &str, text: &Text) -> String {
    let folder = pasted(dir);
    let here = |key: &str| text.say_with(key, &[("dir", &folder)]);
    let found = match fs::read_dir(dir).map(|mut files| files.next().is_none()) {
        Ok(true) => here("error-folder-empty"),
        Err(error) if error.kind() == ErrorKind::NotFound => here("error-folder-missing"),
        Ok(false) | Err(_) => [here("error-folder-other"), here("error-relay-gone")].join(" "),
    };
    [found, text.say(todo)].join(" ")
}
