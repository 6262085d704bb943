//! `beresta`: parses, runs, maps the result to an exit code. It names nothing of the library but its public face.

mod args;
mod fault;
mod locale;
mod log;
mod passphrase;
mod print;
mod run;
mod sanitize;
#[cfg(unix)]
mod silent;
mod span;
mod text;

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Wipes what is given back: texts that disappeared, and keys of libraries that wipe none.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    log::start();
    beresta_client::api::harden_process();
    run::run(std::env::args_os().collect())
}
