//! What the mark says of an export that did not come to its end, and of one that did.

use super::left::{Breaks, make_unusable};
use super::*;

impl Place {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A move into a file, in which something happens once the file is made.
    fn export_while(&self, name: &str, disk: impl FnMut()) -> Result<(), TransferError> {
        let mut rng = Breaks { rng: SystemRandom::new().unwrap(), disk };
        export(&self.file("old"), &self.file(name), What::Move, PASSPHRASE, Cost::FOR_TESTS, &mut rng)
    }

    /// One in which the power fails then.
    fn cut_short(&self, name: &str) {
        let fails = || self.export_while(name, || panic!("the power fails"));
        assert!(catch_unwind(AssertUnwindSafe(fails)).is_err());
        assert!(self.file(name).exists());
    }

    fn mark(&self) -> Option<Mark> {
        Mark::of(&self.home("old"))
    }
}

#[test]
fn an_export_is_begun_until_its_file_is_whole() {
    let place = Place::new();
    place.cut_short("file");
    assert_eq!(place.mark(), Some(Mark::Begun));
    assert_eq!(place.export(What::Move), Err(TransferError::Exists(Some(Mark::Begun))));
    // Nor is it forgotten by one that fails.
    let fails = || make_unusable(&place.home("old").path(Name::QueueKey));
    let key = place.home("old").read(Name::QueueKey).unwrap();
    place.export_while("other", fails).unwrap_err();
    assert_eq!((place.mark(), place.file("other").exists()), (Some(Mark::Begun), false));
    fs::remove_dir(place.home("old").path(Name::QueueKey)).unwrap();
    place.home("old").create_file(Name::QueueKey, &key).unwrap();
    fs::remove_file(place.file("file")).unwrap();
    place.export(What::Move).unwrap();
    assert_eq!(place.mark(), Some(Mark::Done));
    place.import().unwrap();
    assert_eq!(take_back(&place.file("old")), Ok(Some(Mark::Done)));
    assert_eq!(take_back(&place.file("old")), Ok(None));
}

#[test]
fn a_whole_export_stays_known_when_a_later_one_is_cut_short() {
    let place = Place::new();
    place.export(What::Move).unwrap();
    place.cut_short("other");
    assert_eq!(place.mark(), Some(Mark::Done));
    assert_eq!(place.export(What::Move), Err(TransferError::Exists(Some(Mark::Done))));
    assert_eq!(place.export(What::Backup), Err(TransferError::Exists(None)));
}

#[test]
fn what_does_not_say_that_nothing_was_finished_counts_as_a_whole_export() {
    let place = Place::new();
    // An earlier version's, and such as a disk that fails has.
    for bytes in [&b""[..], b"begu", b"begun\n\n", &[0; 6]] {
        place.home("old").replace(Name::Moved, bytes).unwrap();
        assert_eq!(place.mark(), Some(Mark::Done), "{bytes:?}");
    }
    make_unusable(&place.home("old").path(Name::Moved));
    assert_eq!(place.mark(), Some(Mark::Done));
}

#[test]
fn a_relay_stays_marked_where_a_file_that_may_be_whole_is_left() {
    let unmarkable = |place: &Place| {
        let beside = place.file("old/moved.beresta-unfinished");
        fs::create_dir_all(beside).unwrap();
    };
    // Gone, it is nobody's.
    let place = Place::new();
    place.export_while("file", || unmarkable(&place)).unwrap_err();
    assert_eq!((place.mark(), place.file("file").exists()), (None, false));
    // It can't be removed, or somebody took it away.
    let place = Place::new();
    let stays = place.export_while("file", || {
        unmarkable(&place);
        make_unusable(&place.file("file"));
    });
    assert_eq!((stays, place.mark()), (Err(TransferError::Unsure), Some(Mark::Begun)));
    let place = Place::new();
    let away = place.export_while("file", || {
        unmarkable(&place);
        if place.file("file").exists() {
            fs::rename(place.file("file"), place.file("away")).unwrap();
        }
    });
    assert_eq!((away, place.mark()), (Err(TransferError::Unsure), Some(Mark::Begun)));
    fs::rename(place.file("away"), place.file("file")).unwrap();
    place.import().unwrap();
}

#[test]
fn a_folder_in_the_place_of_a_file_is_called_one() {
    let place = Place::new();
    fs::create_dir(place.file("file")).unwrap();
    for what in [What::Backup, What::Move] {
        assert_eq!(place.export(what), Err(TransferError::Folder));
    }
    assert_eq!(place.import(), Err(TransferError::Folder));
    fs::remove_dir(place.file("file")).unwrap();
    assert_eq!(place.import(), Err(TransferError::NoFile));
    assert_eq!(place.export_while("nowhere/file", || {}), Err(TransferError::NoFolder));
    assert_eq!(place.mark(), None);
}
