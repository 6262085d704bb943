//! What is said of a file that could neither be written nor removed.

use super::*;

/// Breaks a disk when the first key is drawn, which is after the file was made.
pub(super) struct Breaks<F: FnMut()> {
    pub(super) rng: SystemRandom,
    pub(super) disk: F,
}

impl<F: FnMut()> Random for Breaks<F> {
    fn fill(&mut self, out: &mut [u8]) {
        (self.disk)();
        self.rng.fill(out);
    }
}

/// What nobody reads or removes as a file, root neither.
pub(super) fn make_unusable(file: &Path) {
    if file.is_file() {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }
}

#[test]
fn half_of_an_export_that_can_not_be_removed_is_said_to_be_there() {
    for (what, stays) in [(What::Backup, false), (What::Backup, true), (What::Move, true)] {
        let place = Place::new();
        let (old, file) = (place.folder.path().join("old"), place.folder.path().join("file"));
        let disk = || {
            make_unusable(&place.home("old").path(Name::QueueKey));
            if stays {
                make_unusable(&file);
            }
        };
        let mut rng = Breaks { rng: SystemRandom::new().unwrap(), disk };
        let refused = export(&old, &file, what, PASSPHRASE, Cost::FOR_TESTS, &mut rng).unwrap_err();
        assert_eq!((refused == TransferError::Left, file.exists()), (stays, stays), "{refused:?}");
        assert!(!place.home("old").has(Name::Moved));
    }
}
