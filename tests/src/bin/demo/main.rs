//! `cargo demo`: a relay on loopback and two people, Anna, a lawyer, and Boris, an activist abroad, who meet and talk
//! through the real binaries. Then the relay is seized and its files are searched.
//!
//! Exit code 0 only if everything that is told here happened. It drives programs: no part of Beresta is linked into it.

mod story;

use std::process::ExitCode;

use beresta_tests::process::Broken;

fn main() -> ExitCode {
    let keep = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--keep" => true,
        _ => {
            eprintln!("cargo demo [-- --keep]");
            return ExitCode::from(2);
        }
    };
    match story::tell(keep) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Broken(what)) => {
            eprintln!("\nThis did not happen as promised: {what}");
            ExitCode::FAILURE
        }
    }
}
