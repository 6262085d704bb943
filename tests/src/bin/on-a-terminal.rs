//! `on-a-terminal TTY PROGRAM ARGUMENT…` runs a program with this terminal as that of a session of its own: what
//! `setsid --ctty` does, where there is one. A test cannot do it between fork and exec without unsafe code.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(tty), Some(program)) = (args.next(), args.next()) else {
        eprintln!("on-a-terminal TTY PROGRAM ARGUMENT…");
        return ExitCode::from(2);
    };
    let error = match on(&tty) {
        Ok((input, output, error)) => {
            Command::new(program).args(args).stdin(input).stdout(output).stderr(error).exec()
        }
        Err(error) => error,
    };
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn on(tty: &std::ffi::OsStr) -> std::io::Result<(File, File, File)> {
    rustix::process::setsid()?;
    let input = File::options().read(true).write(true).open(tty)?;
    rustix::process::ioctl_tiocsctty(&input)?;
    Ok((input.try_clone()?, input.try_clone()?, input))
}
