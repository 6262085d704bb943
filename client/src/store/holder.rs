//! Who has a profile open, and telling them to close it.
//!
//! The kernel knows who holds the lock, so no number of a process is kept in a file, where it would outlive it.

use std::fs::{OpenOptions, TryLockError};
use std::path::Path;

use super::{StoreError, lock};

/// Who has a profile open.
#[derive(Debug)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A process of this machine that we can reach.
    Process(Process),
    /// Somebody whom the system does not name: on another machine, in another container, or where it names nobody.
    Unknown,
}

/// A process of this machine. Its number may be given to another one as soon as it has ended; its handle may not.
#[derive(Debug)]
pub struct Process {
    number: i32,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    handle: Option<std::os::fd::OwnedFd>,
}

impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

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
        if let Some(process) = named(&file) {
            return Ok(Self::Process(process));
        }
        match file.try_lock() {
            Ok(()) => Ok(Self::Nobody),
            Err(TryLockError::WouldBlock) => Ok(Self::Unknown),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

/// The process that the kernel names. Whoever still has the lock once there is a handle is the one that the handle names.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn named(file: &std::fs::File) -> Option<Process> {
    use rustix::process::{Flock, FlockType, fcntl_getlk};
    /// More often nobody takes and gives up the lock between two looks.
    const LOOKS: usize = 8;
    let number = || {
        let found = fcntl_getlk(file, &Flock::from(FlockType::WriteLock)).ok().flatten();
        Some(found?.pid?.as_raw_nonzero().get())
    };
    for _ in 0..LOOKS {
        let first = number()?;
        if let Some(process) = Process::open(first)
            && number() == Some(first)
        {
            return Some(process);
        }
    }
    None
}

impl Process {
    /// A process of this machine, if there is one of that number. The kernel names a holder that is none by a number below
    /// one: a lock that belongs to an open file, or one on another machine. To `kill` such a number means a group, or every
    /// process there is.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn open(number: i32) -> Option<Self> {
        use rustix::io::Errno;
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let pid = Some(number).filter(|number| *number > 0).and_then(Pid::from_raw)?;
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => Some(Self { number, handle: Some(handle) }),
            Err(Errno::SRCH) => None,
            // Linux has them from 5.3 on, and a sandbox may forbid them. The number has to do there.
            Err(_) => Some(Self { number, handle: None }),
        }
    }

    /// Tells the process to lock: SIGUSR1. One that does not listen ends by it.
    pub fn tell_to_lock(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        self.signal(rustix::process::Signal::USR1);
    }

    /// Ends the process at once. What it had committed is safe.
    pub fn kill(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        self.signal(rustix::process::Signal::KILL);
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn signal(&self, signal: rustix::process::Signal) {
        use rustix::process::{Pid, kill_process, pidfd_send_signal};
        // It may have ended before, which is what is wanted.
        let _ = match (&self.handle, Pid::from_raw(self.number)) {
            (Some(handle), _) => pidfd_send_signal(handle, signal),
            (None, Some(pid)) => kill_process(pid, signal),
            (None, None) => Ok(()),
        };
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_is_no_process_of_this_machine_is_never_signalled() {
        for number in [0, -1, -4711, i32::MIN, i32::MAX] {
            assert!(Process::open(number).is_none(), "{number}");
        }
    }

    #[test]
    fn a_holder_is_signalled_by_a_handle_that_names_no_other_process() {
        let number = rustix::process::getpid().as_raw_nonzero().get();
        assert!(Process::open(number).unwrap().handle.is_some());
    }
}
