//! The process as a hiding place: the relay's keys are in its memory, and a core file or a debugger would copy them.

/// Shuts what a crash or another program of the same user could read of this process. Called before any key is read.
///
/// A system that refuses, or that is not Linux, goes on without: a relay in a sandbox is better than none.
pub(crate) fn harden() {
    #[cfg(target_os = "linux")]
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
}
