//! Whether the file system writes in place what a relay overwrites: keys of days that are over (rules D8, Q15).

use std::path::Path;

/// Whether each change is written elsewhere, or a second time: btrfs, ZFS and their like, ext4 with a journal of data. What
/// was overwritten can be found there for a while. Where it can't be told, nothing is said.
pub(super) fn writes_elsewhere(dir: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        linux::is_elsewhere(dir) || linux::journals_data(Path::new("/"), dir)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = dir;
        false
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use rustix::fs::{major, minor, statfs};

    /// The numbers by which Linux names file systems that write each change elsewhere: btrfs, ZFS, bcachefs, F2FS, NILFS.
    const ELSEWHERE: &[u32] = &[0x9123_683e, 0x2fc1_2fc1, 0xca45_1a4e, 0xf2f5_2010, 0x3434];

    pub(super) fn is_elsewhere(dir: &Path) -> bool {
        // The type has another width on each architecture; the numbers have 32 bits.
        statfs(dir).is_ok_and(|found| names_one(found.f_type.to_le_bytes()))
    }

    pub(super) fn names_one<const N: usize>(kind: [u8; N]) -> bool {
        kind.first_chunk::<4>().is_some_and(|low| ELSEWHERE.contains(&u32::from_le_bytes(*low)))
    }

    /// Whether the folder's ext4 writes data to its journal first: by an option of the mount, or by its superblock.
    pub(super) fn journals_data(root: &Path, dir: &Path) -> bool {
        let Ok(folder) = fs::metadata(dir) else { return false };
        let device = format!("{}:{}", major(folder.dev()), minor(folder.dev()));
        let Ok(device) = fs::read_link(root.join("sys/dev/block").join(device)) else { return false };
        let Some(name) = device.file_name() else { return false };
        let options = fs::read_to_string(root.join("proc/fs/ext4").join(name).join("options"));
        options.is_ok_and(|options| options.lines().any(|one| one == "data=journal"))
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};
    use std::path::Path;

    use super::linux::{journals_data, names_one};

    #[test]
    fn file_systems_that_write_elsewhere_are_told_from_those_that_do_not() {
        for kind in [0x9123_683e_u64, 0x2fc1_2fc1, 0xca45_1a4e, 0xf2f5_2010, 0x3434] {
            assert!(names_one(kind.to_le_bytes()), "{kind:x}");
            // As it comes where the type is signed and has 64 bits.
            assert!(names_one((kind | 0xffff_ffff_0000_0000).to_le_bytes()));
        }
        // ext4, xfs, tmpfs, and nothing.
        for kind in [0xef53_u64, 0x5846_5342, 0x0102_1994, 0] {
            assert!(!names_one(kind.to_le_bytes()), "{kind:x}");
        }
        assert!(!super::writes_elsewhere(Path::new("/proc")));
    }

    #[test]
    fn a_journal_of_data_is_noticed_where_the_folder_lies() {
        let root = tempfile::tempdir().unwrap();
        let device = fs::metadata(root.path()).unwrap().dev();
        let here = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        let (blocks, ext4) = (root.path().join("sys/dev/block"), root.path().join("proc/fs/ext4/sda2"));
        fs::create_dir_all(&blocks).unwrap();
        fs::create_dir_all(&ext4).unwrap();
        let told = |options: &str| {
            fs::write(ext4.join("options"), options).unwrap();
            journals_data(root.path(), root.path())
        };
        assert!(!told("rw\ndata=journal\n"), "of another device");
        symlink("../../devices/pci0000:00/block/sda/sda2", blocks.join(here)).unwrap();
        assert!(told("rw\ndata=journal\ncommit=5\n"));
        assert!(!told("rw\ndata=ordered\nerrors=continue\n"));
    }
}
