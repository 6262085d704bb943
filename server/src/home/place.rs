//! Where a file system puts what is written over.

use std::fs::File;

/// Asks a file system that would write each change elsewhere not to: of a file in which nothing is yet, others it leaves as they
/// are. Those that write in place know no such wish, and refuse it. What is shorter than a page, a file system may keep inside its
/// own records, for which it does not count.
pub(crate) fn in_place(file: &File) {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
        if let Ok(flags) = ioctl_getflags(file) {
            let _ = ioctl_setflags(file, flags | IFlags::NOCOW);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}
