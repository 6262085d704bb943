//! `cargo run -p beresta-tests --bin vectors -- --write` makes the files of `tests/vectors` anew. Without `--write` it
//! says which of them differ from what the code makes.

use std::process::ExitCode;

use beresta_tests::vectors;

fn main() -> ExitCode {
    let write = std::env::args().skip(1).any(|argument| argument == "--write");
    let mut differ = false;
    for (name, text) in vectors::all() {
        let path = vectors::folder().join(name);
        // Compared as values: in which order an object's members are written depends on a feature of serde_json.
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        if value(&there) == value(&text) {
            continue;
        }
        if !write {
            println!("{name} differs");
            differ = true;
        } else if let Err(error) = std::fs::write(&path, text) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        } else {
            println!("{name} written");
        }
    }
    if differ { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
