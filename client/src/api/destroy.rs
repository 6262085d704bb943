//! Destroying a profile, also one that another process has open: the files first, and then everything that may wait.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::lock::{Patience, end_holder, end_within};
use super::{Client, Error};
use crate::driver::{self, Driver};
use crate::store::{Destruction, Left};

/// A panic whose files are done: nothing that is here opens the profile any more.
#[derive(Debug)]
#[must_use = "who has the profile open is still to be ended"]
pub struct Panic {
    dir: PathBuf,
    left: Option<Left>,
}

impl Panic {
    /// Destroys what there is of a profile in `dir`, whoever has it open. Needs no passphrase, waits for nobody and says
    /// nothing: what it could not do is told by [`Panic::end`].
    ///
    /// # Errors
    /// [`Error::NoProfile`] if there is nothing to destroy.
    pub fn begin(dir: &Path) -> Result<Self, Error> {
        let destruction = Destruction::of(dir).map_err(|_| Error::NoProfile)?;
        Ok(Self { left: destruction.run().err(), dir: dir.to_owned() })
    }

    /// Ends this process if it has not ended by itself in this time: its terminal may be stopped, and what it has in
    /// memory must not wait for that.
    pub fn end_process_within(&self, time: Duration) {
        let dir = self.dir.clone();
        end_within(time, move || {
            let _ = Destruction::leave(&dir); // it ends in any case
        });
    }

    /// Ends other processes that have the profile open, and deletes what is left.
    ///
    /// # Errors
    /// [`Error::NotDestroyed`], [`Error::DestroyedInPart`], [`Error::DestroyedInUse`].
    pub fn end(self) -> Result<(), Error> {
        let Self { dir, left } = self;
        let held = end_holder(&dir, Patience::PANIC);
        let left = again(&dir, left);
        match (left, held) {
            (Some(Left::Header(_)), _) => Err(Error::NotDestroyed),
            (Some(Left::Files(_)) | None, Err(_)) => Err(Error::DestroyedInUse),
            (left, Ok(_)) => {
                let gone = Destruction::leave(&dir);
                if left.is_none() && gone.is_ok() { Ok(()) } else { Err(Error::DestroyedInPart) }
            }
        }
    }
}

/// Destroys what came since: an opening that was under way may have given the database its name back.
fn again(dir: &Path, left: Option<Left>) -> Option<Left> {
    let Ok(second) = Destruction::of(dir) else { return left };
    match left {
        // A profile that somebody made since.
        None if second.has_header() => None,
        Some(Left::Header(_)) if !second.has_header() => {
            let _ = second.run(); // what is told is that of the header
            left
        }
        None | Some(Left::Header(_) | Left::Files(_)) => second.run().err(),
    }
}

/// Destroys the profile in `dir`: needs no passphrase and waits for nobody. Within milliseconds no passphrase opens
/// anything; then other processes that have it open are ended, and everything of it is deleted. What was copied before
/// (backups, snapshots, worn cells of flash) is out of reach.
///
/// # Errors
/// [`Error::NoProfile`] if there is nothing to destroy; else those of [`Panic::end`].
pub fn panic(dir: &Path) -> Result<(), Error> {
    Panic::begin(dir)?.end()
}

/// A client that is being closed, and may have an alert to say.
#[derive(Debug)]
#[must_use = "what is said to relays ends with it"]
pub struct Closing {
    driver: Arc<Driver>,
    closing: driver::Closing,
}

impl Client {
    /// Begins to close the client, which has the profile in `dir` open: keys and texts go first. Where the profile was
    /// destroyed, what was to be said then is said after that, from memory.
    pub async fn begin_close(self, dir: &Path) -> Closing {
        let Self { driver } = self;
        let closing = driver.begin_close(Destruction::is_done(dir)).await;
        Closing { driver, closing }
    }
}

impl Closing {
    /// Ends a panic of the profile that this client had open. Waits for no relay.
    ///
    /// # Errors
    /// Those of [`Panic::end`].
    pub async fn panic(&mut self, panic: Panic) -> Result<(), Error> {
        let _ = (&mut self.closing.released).await;
        panic.end()
    }

    /// Waits for the end: an alert has a second, and then relays have a moment to know that we go.
    pub async fn end(self) {
        self.driver.end_close(self.closing).await;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::rng::Rng;
    use crate::store::{KdfCost, Passphrase, Store};

    fn profile() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new(String::from("right"));
        drop(Store::create(dir.path(), &passphrase, KdfCost::FOR_TESTS, &mut Rng::system()).unwrap());
        dir
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_panic_says_what_it_destroyed_where_somebody_has_the_profile_open_whom_it_cannot_reach() {
        let dir = profile();
        // A lock of the kind of which nobody says who holds it.
        let held = fs::File::open(dir.path().join("lock")).unwrap();
        held.lock().unwrap();
        assert_eq!(panic(dir.path()), Err(Error::DestroyedInUse));
        assert_eq!(names(dir.path()), ["lock"]);
    }

    #[test]
    fn a_panic_that_could_not_overwrite_the_header_says_so_and_destroys_all_the_rest() {
        let dir = profile();
        let header = dir.path().join("vault.hdr");
        // What opens for no writing, also not for root.
        fs::remove_file(&header).unwrap();
        fs::create_dir(&header).unwrap();
        assert_eq!(panic(dir.path()), Err(Error::NotDestroyed));
        assert_eq!(names(dir.path()), ["lock", "vault.hdr"]);
    }

    #[test]
    fn a_panic_that_left_a_file_says_that_nothing_opens_any_more() {
        let dir = profile();
        let log = dir.path().join("store.db-journal");
        fs::create_dir(&log).unwrap();
        assert_eq!(panic(dir.path()), Err(Error::DestroyedInPart));
        assert_eq!(names(dir.path()), ["store.db-journal"]);
    }

    #[test]
    fn what_an_opening_under_way_brings_back_is_destroyed_once_nobody_has_the_profile_open() {
        let dir = profile();
        let panic = Panic::begin(dir.path()).unwrap();
        fs::write(dir.path().join("store.1"), "whole").unwrap();
        fs::write(dir.path().join("store.1-journal"), "and its log").unwrap();
        panic.end().unwrap();
        assert!(!dir.path().exists());
    }

    #[test]
    fn a_profile_that_was_made_since_is_not_destroyed() {
        let dir = profile();
        let panic = Panic::begin(dir.path()).unwrap();
        let passphrase = Passphrase::new(String::from("new"));
        drop(Store::create(dir.path(), &passphrase, KdfCost::FOR_TESTS, &mut Rng::system()).unwrap());
        panic.end().unwrap();
        Store::open(dir.path(), &passphrase).unwrap();
    }

    #[test]
    fn only_where_nothing_is_there_is_no_profile() {
        let dir = tempfile::tempdir().unwrap();
        let (file, circle) = (dir.path().join("file"), dir.path().join("circle"));
        fs::write(&file, "").unwrap();
        for nothing in [dir.path(), &dir.path().join("none"), &file] {
            assert_eq!(panic(nothing), Err(Error::NoProfile));
        }
        // Nobody can look into this one, not even root.
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        assert_eq!(panic(&circle), Err(Error::NotDestroyed));
    }
}
