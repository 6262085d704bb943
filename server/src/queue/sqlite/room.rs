//! How much room the disk has, which operations need some, and which failures say that there is none.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{ErrorCode, ffi};

use crate::clock;
use crate::queue::Op;
use crate::queue::intake::{Disk, Grows, Intake, Room};
use crate::queue::rules::Cap;

/// Between two warnings of one step.
const WARN_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// The file system on which the queues are.
pub(super) struct FileSystem {
    files: [PathBuf; 2],
}

impl FileSystem {
    pub(super) fn of(path: &Path) -> Self {
        Self { files: [path.to_path_buf(), super::with_suffix(path, "-wal")] }
    }
}

impl Disk for FileSystem {
    fn room(&self) -> Option<Room> {
        let [file, _] = &self.files;
        // Before a relay's first start there is the folder only.
        let mut places = [Some(file.as_path()), file.parent()].into_iter().flatten();
        let told = places.find_map(|at| rustix::fs::statvfs(at).ok())?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        // What is kept for root is neither.
        let used = bytes(told.f_blocks.saturating_sub(told.f_bfree));
        // One that failed is often mounted so by the system itself.
        let is_read_only = told.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
        let free = if is_read_only { 0 } else { bytes(told.f_bavail) };
        let size = |file: &PathBuf| std::fs::metadata(file).map_or(0, |file| file.len());
        let [file, log] = self.files.each_ref().map(size);
        Some(Room { free, all: used.saturating_add(free), file, log })
    }
}

/// Watches the disk and says what is taken in (rule Q16).
pub(super) struct Watch {
    disk: Box<dyn Disk>,
    cap: Cap,
    intake: Intake,
    /// What the operator was warned of, and when.
    warned: Option<(Intake, Instant)>,
}

impl Watch {
    pub(super) fn new(disk: Box<dyn Disk>, cap: Cap) -> Self {
        Self { disk, cap, intake: Intake::All, warned: None }
    }

    /// Looks at the disk: what is taken in, the cap included. `live`: bytes of the file that are in use. `used`: what counts
    /// against the cap. `empty_log` is called if less would be taken in for what is only in the log.
    pub(super) fn look(&mut self, live: u64, used: u64, empty_log: impl FnOnce()) -> Intake {
        let settled = || self.disk.room().map(|room| room.settled(live));
        self.intake = settled().map_or(Intake::All, |(as_it_stands, emptied)| {
            let (intake, at_best) =
                (self.intake.follow(as_it_stands, self.cap), self.intake.follow(emptied, self.cap));
            if intake == at_best {
                return intake;
            }
            empty_log();
            settled().map_or(intake, |(as_it_stands, _)| self.intake.follow(as_it_stands, self.cap))
        });
        let intake = self.intake.max(Intake::of_cap(used, self.cap));
        self.warn(intake);
        intake
    }

    pub(super) const fn admits(&self, grows: Grows) -> bool {
        self.intake.admits(grows)
    }

    /// Once for each step, and again if it lasts: a disk at the edge of one must not fill the log.
    fn warn(&mut self, intake: Intake) {
        self.warned.take_if(|(_, at)| at.elapsed() >= WARN_AGAIN);
        if intake > self.warned.map_or(Intake::All, |(warned, _)| warned) {
            self.warned = Some((intake, clock::monotonic()));
            match intake {
                Intake::All => {}
                Intake::NoNew => tracing::warn!("the disk or its cap is 80 % full: nobody new is let in"),
                Intake::NoLarge => tracing::warn!("the disk is 85 % full: no large messages are taken in"),
                Intake::Nothing => {
                    tracing::error!("the disk is 95 % full, or its cap is reached: no messages are taken in")
                }
            }
        }
    }
}

/// Whether there may be no room. To SQLite a used-up quota is a write that failed, for whatever reason.
pub(super) fn may_be_full(error: &rusqlite::Error) -> bool {
    const WRITES: [i32; 3] = [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_SHMSIZE];
    error
        .sqlite_error()
        .is_some_and(|error| error.code == ErrorCode::DiskFull || WRITES.contains(&error.extended_code))
}

/// Whether an operation only makes room, or changes a row in its place. Such a one is never refused with
/// [`super::super::Answer::Full`].
pub(super) fn frees(op: &Op) -> bool {
    matches!(
        op,
        Op::Acknowledge { .. }
            | Op::DeleteQueue { .. }
            | Op::DeleteBlob { .. }
            | Op::ClaimBlob { .. }
            | Op::Renew { .. }
            | Op::Revoke { .. }
            | Op::Expire { .. }
    )
}

/// Whether what an operation would store is weighed against the cap and the disk: refused where there is no room, and answered as
/// ever where it stores nothing (rule Q16), a repeat say.
pub(super) const fn is_weighed(op: &Op) -> bool {
    matches!(op, Op::Append { .. } | Op::MakeQueue { .. } | Op::PutBlob { .. })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A disk of which a test says how many percent are in use.
    struct Said(Arc<AtomicU64>);

    impl Disk for Said {
        fn room(&self) -> Option<Room> {
            Some(Room { free: 100 - self.0.load(Ordering::Relaxed), all: 100, file: 0, log: 0 })
        }
    }

    /// What was written into the log.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_operator_is_warned_once_of_each_step_and_again_after_a_day() {
        let (used, paper) = (Arc::new(AtomicU64::new(0)), Paper::default());
        let writer = paper.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let mut watch = Watch::new(Box::new(Said(Arc::clone(&used))), Cap { bytes: 1 << 40 });
        let warned = |watch: &mut Watch, percent| {
            used.store(percent, Ordering::Relaxed);
            watch.look(0, 0, || {});
            String::from_utf8(core::mem::take(&mut *paper.0.lock().unwrap())).unwrap()
        };
        tracing::subscriber::with_default(log, || {
            assert_eq!(warned(&mut watch, 79), "");
            for (percent, level) in [(80, "WARN"), (85, "WARN"), (95, "ERROR")] {
                let said = warned(&mut watch, percent);
                assert!(said.contains(level) && said.contains(&format!("{percent} % full")), "{said}");
                assert_eq!(said.lines().count(), 1);
                assert_eq!(warned(&mut watch, percent), "");
            }
            assert_eq!([0, 95, 80].map(|percent| warned(&mut watch, percent)), [""; 3], "to and fro");
            let (step, at) = watch.warned.unwrap();
            watch.warned = at.checked_sub(WARN_AGAIN).map(|at| (step, at));
            assert!(warned(&mut watch, 80).contains("80 % full"), "it lasts");
            assert_eq!(warned(&mut watch, 80), "");
        });
    }

    #[test]
    fn a_used_up_quota_is_taken_for_a_full_disk_and_a_bad_sector_is_not() {
        let full = |code| may_be_full(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(full(ffi::SQLITE_FULL) && full(ffi::SQLITE_IOERR_WRITE) && full(ffi::SQLITE_IOERR_FSYNC));
        assert!(!full(ffi::SQLITE_IOERR_READ) && !full(ffi::SQLITE_CORRUPT) && !full(ffi::SQLITE_CONSTRAINT));
    }
}
