//! The clock of real programs, moved while they run.

use std::path::{Path, PathBuf};

use beresta_tests::process::apart::not_tested;

/// The library that stands between a program and its clock, as Debian's package `faketime` brings it.
pub(super) fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let paths = folders.filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")));
    paths.into_iter().find(|path| path.exists())
}

pub(super) fn no_library(test: &str) {
    not_tested(test, "there is no libfaketime: install the package faketime");
}

/// A clock of real programs, that stands as far off as a file says.
pub(super) struct Clock {
    file: PathBuf,
}

impl Clock {
    /// Right, so far.
    pub(super) fn new(file: PathBuf) -> Self {
        let clock = Self { file };
        clock.jump("+0");
        clock
    }

    pub(super) fn jump(&self, off: &str) {
        // In one piece: the programs look at every reading of the clock.
        let next = self.file.with_extension("next");
        std::fs::write(&next, off).unwrap();
        std::fs::rename(&next, &self.file).unwrap();
    }

    /// What makes a program follow it: the clock of the day, and neither the one that pauses are measured by nor files' times.
    pub(super) fn environment(&self, library: &Path) -> [(&'static str, std::ffi::OsString); 5] {
        [
            ("LD_PRELOAD", library.into()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.clone().into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ]
    }
}
