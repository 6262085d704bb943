//! `beresta-relay`: parses, runs, maps the result to an exit code. What the commands do is in the library, what they
//! say in [`cli`].

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic's message may carry what was being handled, so nothing of it is said.
    std::panic::set_hook(Box::new(|_| tracing::error!("the relay failed inside (panic)")));
    cli::keep_log();
    cli::harden();
    cli::run(std::env::args_os().collect())
}
