//! Who has a profile open, and telling them to close it.
//!
//! The kernel knows who holds the lock, so no number of a process is kept in a file, where it would outlive it.

use std::fs::{OpenOptions, TryLockError};
use std::path::Path;

use super::{StoreError, lock};

/// Who has a profile open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A process of this machine that we can reach.
    Process(ProcessId),
    /// Somebody whom the system does not name: on another machine, in another container, or where it names nobody.
    Unknown,
}

/// Names a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessId(i32);

impl Holder {
    /// Asks the kernel who holds the lock of the profile in `dir`.
    ///
    /// # Errors
    /// [`StoreError::Denied`] and others of the machine.
    pub fn of(dir: &Path) -> Result<Self, StoreError> {
        let file = match OpenOptions::new().read(true).write(true).open(dir.join(lock::NAME)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Nobody),
            file => file?,
        };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::process::{Flock, FlockType, fcntl_getlk};
            let found = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)).ok().flatten();
            if let Some(process) = found.and_then(|lock| ProcessId::new(lock.pid?.as_raw_nonzero().get())) {
                return Ok(Self::Process(process));
            }
        }
        match file.try_lock() {
            Ok(()) => Ok(Self::Nobody),
            Err(TryLockError::WouldBlock) => Ok(Self::Unknown),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl ProcessId {
    /// A process of this machine. The kernel names a holder that is none by a number below one: a lock that belongs to an
    /// open file, or one on another machine. To `kill` such a number means a group, or every process there is.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn new(number: i32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// Tells the process to lock: SIGUSR1. One that does not listen ends by it.
    pub fn tell_to_lock(self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        self.signal(rustix::process::Signal::USR1);
    }

    /// Ends the process at once. What it had committed is safe.
    pub fn kill(self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        self.signal(rustix::process::Signal::KILL);
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn signal(self, signal: rustix::process::Signal) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.0) {
            // It may have ended before, which is what is wanted.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_is_no_process_of_this_machine_is_never_signalled() {
        for number in [0, -1, -4711, i32::MIN] {
            assert_eq!(ProcessId::new(number), None);
        }
        assert_eq!(ProcessId::new(4711), Some(ProcessId(4711)));
    }
}
