//! The process as a hiding place: no core file, no reading of its memory by the user's other programs, no secret in
//! a crash message.

/// Shuts what a crash or another program could read of this process. Called first, before any secret is in memory.
///
/// On Linux: core files are limited to nothing and the process is marked as not dumpable, so that another program of
/// the same user cannot attach to it or read its memory. Everywhere: a panic says where it happened and not what it
/// said, because a message may quote what it failed on.
///
/// A system that refuses goes on without: a locked-down sandbox is no reason to keep a person from their messages.
pub fn harden_process() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        if setrlimit(Resource::Core, none).is_err() {
            tracing::warn!("core files could not be switched off");
        }
        if set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err() {
            tracing::warn!("the process could not be hidden from other programs");
        }
    }
    std::panic::set_hook(Box::new(|info| {
        use std::io::Write as _;
        let mut out = std::io::stderr().lock();
        // Nowhere to report to if standard error is gone.
        let _ = match info.location() {
            Some(at) => writeln!(out, "beresta: internal error at {}:{}", at.file(), at.line()),
            None => writeln!(out, "beresta: internal error"),
        };
    }));
}
