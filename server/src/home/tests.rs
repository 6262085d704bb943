use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn home() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(&dir.path().join("relay"));
    home.create().unwrap();
    (dir, home)
}

#[test]
fn nobody_else_may_read_the_folder_or_a_file_in_it() {
    let (dir, home) = home();
    home.create_file(Name::QueueKey, &[1; 32]).unwrap();
    home.replace(Name::Descriptor, b"one").unwrap();
    home.overwrite(Name::EpochKeys, b"keys").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("relay")), 0o700);
    for name in [Name::QueueKey, Name::Descriptor, Name::EpochKeys] {
        assert_eq!(mode(&home.path(name)), 0o600);
    }
}

#[test]
fn a_key_is_never_replaced_by_accident() {
    let (_dir, home) = home();
    home.create_file(Name::TlsKey, b"first").unwrap();
    assert_eq!(home.create_file(Name::TlsKey, b"second"), Err(HomeError::Exists(Some(Name::TlsKey))));
    assert_eq!(home.read(Name::TlsKey).unwrap().as_slice(), b"first");
    let files: Vec<_> = fs::read_dir(home.path(Name::TlsKey).parent().unwrap()).unwrap().collect();
    assert_eq!(files.len(), 1, "and no copy of either lies beside it");
}

#[test]
fn an_overwritten_secret_stays_in_the_same_file_and_leaves_no_rest() {
    use std::os::unix::fs::MetadataExt as _;
    let (_dir, home) = home();
    home.overwrite(Name::EpochKeys, b"a long secret").unwrap();
    let before = fs::metadata(home.path(Name::EpochKeys)).unwrap().ino();
    home.overwrite(Name::EpochKeys, b"short").unwrap();
    assert_eq!(fs::metadata(home.path(Name::EpochKeys)).unwrap().ino(), before);
    assert_eq!(home.read(Name::EpochKeys).unwrap().as_slice(), b"short");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_was_given_or_taken_is_flushed_with_its_folder() {
    use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
    let (_dir, home) = home();
    let watch = init(CreateFlags::NONBLOCK).unwrap();
    let changes = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVE | WatchFlags::DELETE;
    add_watch(&watch, &home.dir, changes | WatchFlags::OPEN).unwrap();
    // Nothing tells of a flush, but whoever flushes a folder opens it, and it has no name in itself.
    let assert_last = |what: &str| {
        let mut space = [std::mem::MaybeUninit::uninit(); 4_096];
        let mut events = Reader::new(&watch, &mut space);
        let names =
            std::iter::from_fn(|| events.next().ok().map(|event| event.file_name().map(ToOwned::to_owned)));
        assert_eq!(names.last(), Some(None), "{what}");
    };
    home.create_file(Name::QueueKey, &[1; 32]).unwrap();
    assert_last("a file that was made");
    home.replace(Name::Descriptor, b"one").unwrap();
    assert_last("a file that was replaced");
    home.remove(Name::Descriptor).unwrap();
    assert_last("a file that was removed");
    home.overwrite(Name::EpochKeys, b"keys").unwrap();
    assert_last("a secret that was made by writing over nothing");
    home.destroy(Name::EpochKeys).unwrap();
    assert_last("a secret that was destroyed");
}

#[test]
fn a_file_of_the_wrong_length_is_said_to_be_damaged() {
    let (_dir, home) = home();
    home.create_file(Name::QueueKey, &[0; 31]).unwrap();
    assert_eq!(home.read_array::<32>(Name::QueueKey), Err(HomeError::Damaged(Name::QueueKey)));
    assert_eq!(home.read_array::<32>(Name::RelayId), Err(HomeError::Missing(Some(Name::RelayId))));
}

#[test]
fn two_commands_do_not_change_a_folder_at_once() {
    let (_dir, home) = home();
    let first = home.alone().unwrap();
    assert_eq!(home.alone().unwrap_err(), HomeError::Busy);
    drop(first);
    home.alone().unwrap();
}

#[test]
fn what_a_crash_left_of_a_secret_is_removed_and_a_second_name_takes_nothing_along() {
    let (_dir, home) = home();
    home.create_file(Name::Identity, &[1; 32]).unwrap();
    // Between the two names, and in the middle of writing.
    fs::hard_link(home.path(Name::Identity), beside(&home.path(Name::Identity))).unwrap();
    fs::write(beside(&home.path(Name::TlsKey)), [2; 16]).unwrap();
    drop(home.alone().unwrap());
    let left: Vec<_> = fs::read_dir(&home.dir).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["identity.key"]);
    assert_eq!(*home.read_array::<32>(Name::Identity).unwrap(), [1; 32]);
}

#[test]
fn nothing_is_written_through_a_link_that_somebody_laid() {
    let (dir, home) = home();
    let other = dir.path().join("another file");
    fs::write(&other, b"not ours").unwrap();
    std::os::unix::fs::symlink(&other, beside(&home.path(Name::TlsKey))).unwrap();
    std::os::unix::fs::symlink(&other, home.path(Name::QueueKey)).unwrap();
    drop(home.alone().unwrap());
    assert!(home.destroy(Name::QueueKey).is_err());
    assert_eq!(fs::read(other).unwrap(), b"not ours");
}

#[test]
fn a_secret_that_is_removed_is_written_over_first() {
    let (dir, home) = home();
    home.create_file(Name::QueueKey, &[7; 32]).unwrap();
    let kept = dir.path().join("another name");
    fs::hard_link(home.path(Name::QueueKey), &kept).unwrap();
    home.destroy(Name::QueueKey).unwrap();
    assert!(!home.has(Name::QueueKey));
    assert_eq!(fs::read(kept).unwrap(), [0; 32]);
}

#[test]
fn a_mark_that_cannot_be_looked_at_counts_as_there() {
    let (dir, home) = home();
    assert!(!home.has(Name::Moved));
    std::os::unix::fs::symlink(dir.path().join("nowhere"), home.path(Name::Moved)).unwrap();
    assert!(home.has(Name::Moved));
    // As a disk that fails: there is no looking below it.
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(Home::at(&file).has(Name::Moved));
}

#[test]
fn a_folder_that_others_use_is_not_closed_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let (shared, ours) = (dir.path().join("shared"), dir.path().join("ours"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for path in [&shared, &ours] {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Empty, and right below the root of all: `/srv` on a fresh machine.
    let top = Path::new("/").join(format!("beresta-test-{}", std::process::id()));
    if fs::create_dir(&top).is_ok() {
        fs::set_permissions(&top, fs::Permissions::from_mode(0o755)).unwrap();
        let made = Home::at(&top).create();
        let after = mode(&top);
        fs::remove_dir(&top).unwrap();
        assert_eq!((made, after), (Err(HomeError::Foreign), 0o755));
    }
    fs::write(shared.join("somebody's"), b"").unwrap();
    assert_eq!(Home::at(&shared).create(), Err(HomeError::Foreign));
    assert_eq!(mode(&shared), 0o755);
    fs::create_dir(ours.join("lost+found")).unwrap();
    fs::write(ours.join("relay.toml"), b"").unwrap();
    Home::at(&ours).create().unwrap();
    assert_eq!(mode(&ours), 0o700, "only a relay's files were there");
    fs::write(ours.join("notes"), b"").unwrap();
    Home::at(&ours).create().unwrap();
}
