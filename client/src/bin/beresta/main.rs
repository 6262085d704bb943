//! `beresta`: parses, runs, maps the result to an exit code. It names nothing of the library but its public face.

mod args;
mod fault;
mod locale;
mod log;
mod passphrase;
mod print;
mod run;
mod sanitize;
mod span;
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    log::start();
    beresta_client::api::harden_process();
    run::run(std::env::args_os().collect())
}
