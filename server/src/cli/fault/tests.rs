use super::super::locale::Language;
use super::*;

#[test]
fn who_has_a_disk_that_only_reads_is_told_to_copy_the_folder_by_every_command() {
    let only_reads = io::ErrorKind::ReadOnlyFilesystem;
    for fault in [
        // `export` and `init`, and `run`.
        Fault::from(SetupError::Home(HomeError::Io(only_reads))),
        Fault::from(OpenError::Io(only_reads.into())),
    ] {
        let said = fault.words(&Text::new(Language::English));
        assert!(said.contains("cp -a") && said.contains("one address would lose"), "{said}");
    }
}

#[test]
fn who_may_not_write_and_who_has_no_room_are_told_different_things_of_file_and_folder() {
    let kinds =
        [io::ErrorKind::PermissionDenied, io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem];
    let whys = [TransferError::Unwritten, TransferError::Unread, TransferError::Target];
    let keys = whys.map(|why| kinds.map(|kind| transfer(why(kind))));
    assert_eq!(
        keys,
        [
            ["error-export-denied", "error-export-full", "error-export-file"],
            ["error-import-denied", "error-import-file", "error-import-file"],
            ["error-target-denied", "error-target-full", "error-target"],
        ]
    );
}
