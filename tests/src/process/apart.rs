//! A disk of a test's own, that it may fill, copy as it stands, and cut the power of: in a mount namespace of a child
//! that carries the test out, so that nothing is left mounted however it ends.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Broken, Process};

/// Where the child finds its folder.
const CHILD: &str = "BERESTA_TEST_APART";
/// Set by `.ci/run`: a test that this machine can't carry out must not look as if it had passed.
const ALL: &str = "BERESTA_TEST_ALL";
/// The file that takes what room there is.
const BALLAST: &str = "ballast";
/// MiB of an image: two profiles and a relay with its reserve of 16.
const IMAGE_MIB: u64 = 80;

/// Says that a test was not carried out, or fails where all have to be.
///
/// # Panics
/// Under `.ci/run`.
pub fn not_tested(test: &str, because: &str) {
    assert!(std::env::var_os(ALL).is_none(), "{test} was not carried out: {because}");
    println!("NOT TESTED: {test}, because {because}");
}

/// What a disk is made of.
#[derive(Debug, Clone, Copy)]
pub enum Disk {
    /// A tmpfs of so many MiB: root may mount one, others where the system lets them be root of a user namespace.
    Memory(u64),
    /// An ext4 in an image, mounted by a loop device: root only.
    Image,
}

impl Disk {
    /// The folder of a new disk, in the child that carries `test` out, which is the caller's full name; None in its
    /// parent, which has seen it pass, or said that this machine has no such disk.
    ///
    /// # Errors
    /// [`Broken`] if no child can be started.
    ///
    /// # Panics
    /// If the test failed in the child.
    pub fn apart(self, test: &str) -> Result<Option<PathBuf>, Broken> {
        if let Some(folder) = std::env::var_os(CHILD) {
            return Ok(Some(PathBuf::from(folder)));
        }
        let place = tempfile::tempdir()?;
        let disk = place.path().join("disk");
        std::fs::create_dir(&disk)?;
        let (make, ways) = match self {
            Self::Memory(mib) => (format!("mount -t tmpfs -o size={mib}m tmpfs \"$0\""), ROOT_OF_ANY),
            Self::Image => (make_image(), ROOT),
        };
        let apart = |kinds: &[&str]| {
            let mut command = Command::new("unshare");
            command.args(kinds).args(["sh", "-e", "-c", &format!("{make}; exec \"$@\"")]);
            command.arg(&disk).env(CHILD, &disk);
            command
        };
        let works =
            |kinds: &&&[&str]| apart(kinds).arg("true").output().is_ok_and(|run| run.status.success());
        let Some(kinds) = ways.iter().find(works) else {
            not_tested(test, "no disk can be mounted here: run it as root");
            return Ok(None);
        };
        let mut child = apart(kinds);
        child.arg(std::env::current_exe()?).args(["--exact", "--nocapture", test]);
        let run = child.output()?;
        let said = String::from_utf8_lossy(&run.stdout);
        print!("{said}");
        let passed = run.status.success() && said.contains("1 passed");
        assert!(passed, "{}", String::from_utf8_lossy(&run.stderr));
        Ok(None)
    }
}

/// How `unshare` is asked for mounts of one's own: by root, and by others.
const ROOT: &[&[&str]] = &[&["--mount"]];
const ROOT_OF_ANY: &[&[&str]] = &[&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// The journal is written when somebody flushes, and hardly by itself: what nobody flushed is lost with the power.
fn make_image() -> String {
    format!(
        "truncate -s {IMAGE_MIB}M \"$0.image\"; mkfs.ext4 -q -F \"$0.image\"; \
         mount -o loop,commit=300 \"$0.image\" \"$0\""
    )
}

fn tool(name: &str, args: &[&Path]) -> Result<(), Broken> {
    let done = Command::new(name).args(args).output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(Broken(format!("{name} {args:?}: {}", String::from_utf8_lossy(&done.stderr))))
}

/// Cuts the power of what runs on an image ([`Disk::Image`]): its programs stand still, the image is copied as it is, with
/// nothing that the file system still held back; they are gone, and the disk is the copy, checked as at a start. What
/// each had printed.
///
/// # Errors
/// [`Broken`] if the disk can't be copied or checked.
pub fn cut_power(disk: &Path, running: Vec<Process>) -> Result<Vec<Vec<String>>, Broken> {
    running.iter().try_for_each(Process::freeze)?;
    let (image, copy) = (disk.with_extension("image"), disk.with_extension("copy"));
    tool("cp", &[Path::new("--sparse=always"), &image, &copy])?;
    let lines = running.into_iter().map(Process::kill).collect::<Result<_, _>>()?;
    tool("umount", &[disk])?;
    std::fs::rename(&copy, &image)?;
    // Replays the journal; finds nothing else to mend, or the copy was no state in which a disk can be.
    tool("e2fsck", &[Path::new("-p"), &image])?;
    tool("mount", &[Path::new("-oloop,commit=300"), &image, disk])?;
    Ok(lines)
}

/// Takes all the room that a disk has left, but for what one page could hold.
///
/// # Errors
/// [`Broken`] if it can't be written for another reason.
pub fn fill(disk: &Path) -> Result<(), Broken> {
    let mut ballast = File::options().create(true).append(true).open(disk.join(BALLAST))?;
    for chunk in [vec![0; 1 << 20], vec![0; 1 << 12]] {
        loop {
            match ballast.write(&chunk) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Takes room until so many MiB are left.
///
/// # Errors
/// [`Broken`] if it can't be written.
pub fn fill_up_to(disk: &Path, left_mib: u64) -> Result<(), Broken> {
    let mut ballast = File::options().create(true).append(true).open(disk.join(BALLAST))?;
    let mib = vec![0; 1 << 20];
    (left_mib..free_mib(disk)?).try_for_each(|_| Ok(ballast.write_all(&mib)?))
}

fn free_mib(disk: &Path) -> Result<u64, Broken> {
    let told = Command::new("df").args(["--output=avail", "-BM"]).arg(disk).output()?;
    let told = String::from_utf8_lossy(&told.stdout);
    let last = told.lines().last().map(|line| line.trim().trim_end_matches('M'));
    last.and_then(|mib| mib.parse().ok()).ok_or_else(|| Broken(format!("df: {told}")))
}

/// Gives the room back.
///
/// # Errors
/// [`Broken`] if nothing had taken it.
pub fn make_room(disk: &Path) -> Result<(), Broken> {
    Ok(std::fs::remove_file(disk.join(BALLAST))?)
}
