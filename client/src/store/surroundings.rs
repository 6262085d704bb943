//! What around a profile may keep what it destroys: file systems that write elsewhere, and swap in the clear.

use std::path::Path;

/// What a person should know of the machine on which a profile lies. Where it can't be told, nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// The file system writes each change elsewhere, or a second time: btrfs, ZFS and their like, ext4 with a journal of
    /// data. What was overwritten can be found there for a while.
    pub writes_elsewhere: bool,
    /// Memory is written to a disk that is not encrypted.
    pub bare_swap: bool,
}

impl Surroundings {
    /// Looks around a folder.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let root = Path::new("/");
            let writes_elsewhere = linux::writes_elsewhere(dir) || linux::journals_data(root, dir);
            Self { writes_elsewhere, bare_swap: linux::bare_swap(root) }
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let _ = dir;
            Self::default()
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::fs;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    use std::path::{Path, PathBuf};

    use rustix::fs::{major, minor, statfs};

    /// The numbers by which Linux names file systems that write each change elsewhere: btrfs, ZFS, bcachefs, F2FS, NILFS.
    const ELSEWHERE: &[u32] = &[0x9123_683e, 0x2fc1_2fc1, 0xca45_1a4e, 0xf2f5_2010, 0x3434];
    /// Device mappers on device mappers: LUKS, LVM, RAID. More than these nobody has.
    const DEEPEST: u32 = 8;

    pub(super) fn writes_elsewhere(dir: &Path) -> bool {
        // The type has another width on each architecture; the numbers have 32 bits.
        statfs(dir).is_ok_and(|found| is_elsewhere(found.f_type.to_le_bytes()))
    }

    pub(super) fn is_elsewhere<const N: usize>(kind: [u8; N]) -> bool {
        kind.first_chunk::<4>().is_some_and(|low| ELSEWHERE.contains(&u32::from_le_bytes(*low)))
    }

    /// Whether the folder's file system was mounted with `data=journal`: what is written goes to the journal first, and
    /// stays there until something else takes its place. One that does so by its superblock cannot be told.
    pub(super) fn journals_data(root: &Path, dir: &Path) -> bool {
        let list = fs::read_to_string(root.join("proc/self/mountinfo"));
        let (Ok(list), Ok(folder)) = (list, fs::metadata(dir)) else { return false };
        let device = format!("{}:{}", major(folder.dev()), minor(folder.dev()));
        let of_device = list.lines().filter(|line| line.split(' ').nth(2) == Some(device.as_str()));
        let mut options = of_device.filter_map(|line| line.rsplit(' ').next());
        options.any(|all| all.split(',').any(|one| one == "data=journal"))
    }

    /// Whether something is swapped to that is neither memory itself (zram) nor lies on dm-crypt.
    pub(super) fn bare_swap(root: &Path) -> bool {
        let Ok(list) = fs::read_to_string(root.join("proc/swaps")) else { return false };
        list.lines().skip(1).filter_map(|line| line.split_whitespace().next()).any(|name| {
            // Spaces in a name are written as in /etc/fstab.
            let name = name.replace("\\040", " ");
            !name.starts_with("/dev/zram") && !is_encrypted(root, Path::new(&name))
        })
    }

    fn is_encrypted(root: &Path, swap: &Path) -> bool {
        let Ok(file) = fs::metadata(root.join(swap.strip_prefix("/").unwrap_or(swap))) else { return false };
        // A device is swapped to itself; a file lies on one.
        let device = if file.file_type().is_block_device() { file.rdev() } else { file.dev() };
        let blocks = root.join("sys/dev/block");
        on_crypt(&blocks.join(format!("{}:{}", major(device), minor(device))), DEEPEST)
    }

    /// Whether a block device is one of dm-crypt's, or lies on such ones only.
    pub(super) fn on_crypt(device: &Path, left: u32) -> bool {
        if fs::read_to_string(device.join("dm/uuid")).is_ok_and(|uuid| uuid.starts_with("CRYPT-")) {
            return true;
        }
        let below = fs::read_dir(device.join("slaves")).into_iter().flatten();
        let below: Vec<PathBuf> = below.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        left > 0 && !below.is_empty() && below.iter().all(|one| on_crypt(one, left - 1))
    }
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::linux::{bare_swap, is_elsewhere, journals_data, on_crypt};

    #[test]
    fn file_systems_that_write_elsewhere_are_told_from_those_that_do_not() {
        for kind in [0x9123_683e_u64, 0x2fc1_2fc1, 0xca45_1a4e, 0xf2f5_2010, 0x3434] {
            assert!(is_elsewhere(kind.to_le_bytes()), "{kind:x}");
            // As it comes where the type is signed and has 64 bits.
            assert!(is_elsewhere((kind | 0xffff_ffff_0000_0000).to_le_bytes()));
        }
        // ext4, xfs, tmpfs, and nothing.
        for kind in [0xef53_u64, 0x5846_5342, 0x0102_1994, 0] {
            assert!(!is_elsewhere(kind.to_le_bytes()), "{kind:x}");
        }
        assert!(!super::linux::writes_elsewhere(Path::new("/proc")));
    }

    #[test]
    fn a_journal_of_data_is_noticed_where_the_folder_lies() {
        use std::os::unix::fs::MetadataExt as _;
        let root = tempfile::tempdir().unwrap();
        let device = fs::metadata(root.path()).unwrap().dev();
        let here = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        let told = |device: &str, options: &str| {
            fs::create_dir_all(root.path().join("proc/self")).unwrap();
            let line = format!("29 1 {device} / /home rw,noatime shared:1 - ext4 /dev/sda2 {options}\n");
            fs::write(root.path().join("proc/self/mountinfo"), line).unwrap();
            journals_data(root.path(), root.path())
        };
        assert!(told(&here, "rw,data=journal"));
        assert!(!told(&here, "rw,errors=remount-ro,data=ordered"));
        assert!(!told("999:999", "rw,data=journal"));
    }

    /// A system with this list of swaps.
    fn system(swaps: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        fs::write(root.path().join("proc/swaps"), format!("{head}{swaps}")).unwrap();
        root
    }

    #[test]
    fn swap_in_the_clear_is_noticed_and_none_or_swap_in_memory_is_not() {
        assert!(!bare_swap(tempfile::tempdir().unwrap().path()), "who hides the list is not accused");
        assert!(!bare_swap(system("").path()));
        assert!(!bare_swap(system("/dev/zram0  partition  4194300  0  100\n").path()));
        assert!(bare_swap(system("/dev/zram0 partition 4 0 100\n/dev/sda3 partition 4 0 -2\n").path()));
        let files = system("/swap\\040file  file  1048572  0  -2\n");
        fs::write(files.path().join("swap file"), "").unwrap();
        assert!(bare_swap(files.path()), "the file lies on a device that is not in this system's list");
    }

    #[test]
    fn a_device_is_encrypted_if_all_that_it_lies_on_is() {
        let dir = tempfile::tempdir().unwrap();
        let device = |name: &str, uuid: Option<&str>, on: &[&str]| {
            let at = dir.path().join(name);
            fs::create_dir_all(at.join("slaves")).unwrap();
            if let Some(uuid) = uuid {
                fs::create_dir(at.join("dm")).unwrap();
                fs::write(at.join("dm/uuid"), uuid).unwrap();
            }
            for one in on {
                std::os::unix::fs::symlink(dir.path().join(one), at.join("slaves").join(one)).unwrap();
            }
            at
        };
        let disk = device("sda2", None, &[]);
        let luks = device("dm-0", Some("CRYPT-LUKS2-1234-luks"), &["sda2"]);
        let volume = device("dm-1", Some("LVM-abcd"), &["dm-0"]);
        let bare = device("dm-2", Some("LVM-abcd"), &["sda2"]);
        let half = device("dm-3", Some("LVM-abcd"), &["dm-0", "sda2"]);
        let told = [&disk, &luks, &volume, &bare, &half].map(|one| on_crypt(one, 8));
        assert_eq!(told, [false, true, true, false, false]);
    }
}
