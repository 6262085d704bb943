//! The relay's folder: which files are in it, and how they are read and written. What is in them, [`crate::setup`]
//! says; the queues' files belong to the queue engine.
//!
//! ```text
//! relay.toml         settings                                 relay.id       the address's hash, public
//! descriptor         signed, public                           identity.key   signs it; belongs off the machine
//! tls.key            the links' key (PKCS #8)                 epoch-signer.key   signs a key a day
//! epoch.keys         at most four private epoch keys          queue.key      hides ids and keys in the queues' files
//! day.keys           seal what waits; one goes a day          paused         no new queues while it is there
//! admin.sock         for the operator, while it runs          rotation       new keys that are being taken up
//! moved              the relay is exported, and does not run here: begun, or done
//! importing          an import is at work, or was cut short where there is no descriptor yet
//! ```
//! The folder is 0700, every file in it 0600. Secrets are never renamed over: `epoch.keys` and `day.keys` are overwritten in
//! place, so that a destroyed key does not stay behind in a freed block of the file system, as far as that can be had.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

mod alone;
mod place;

pub use alone::{Alone, tidy_beside};
pub(crate) use place::in_place;

/// The longest file that is read here.
const LONGEST: u64 = 64 * 1024;

/// One of the relay's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The settings.
    Config,
    /// The hash of the identity key.
    RelayId,
    /// The signed descriptor.
    Descriptor,
    /// The identity key's seed.
    Identity,
    /// The links' private key.
    TlsKey,
    /// The epoch signer's seed.
    EpochSigner,
    /// The private epoch keys.
    EpochKeys,
    /// Key of the HMACs in the queues' files.
    QueueKey,
    /// The keys of what waits, a day each. The queue engine's.
    DayKeys,
    /// The queues.
    Queues,
    /// The operator's socket.
    Admin,
    /// Is there while no new queues and blobs are made.
    Paused,
    /// Is there if the relay was exported to run elsewhere, and must not run here.
    Moved,
    /// New keys that are being taken up.
    Rotation,
    /// Is there while an import writes the other files.
    Importing,
}

impl Name {
    /// What makes a relay, and stays: all but the queues.
    pub const LASTING: [Self; 10] = [
        Self::Config,
        Self::RelayId,
        Self::Descriptor,
        Self::Identity,
        Self::TlsKey,
        Self::EpochSigner,
        Self::EpochKeys,
        Self::QueueKey,
        Self::DayKeys,
        Self::Paused,
    ];
    /// What nobody else may read.
    pub const SECRETS: [Self; 6] =
        [Self::Identity, Self::TlsKey, Self::EpochSigner, Self::EpochKeys, Self::QueueKey, Self::DayKeys];

    /// The file's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "relay.toml",
            Self::RelayId => "relay.id",
            Self::Descriptor => "descriptor",
            Self::Identity => "identity.key",
            Self::TlsKey => "tls.key",
            Self::EpochSigner => "epoch-signer.key",
            Self::EpochKeys => "epoch.keys",
            Self::QueueKey => "queue.key",
            Self::DayKeys => "day.keys",
            Self::Queues => "queues.sqlite",
            Self::Admin => "admin.sock",
            Self::Paused => "paused",
            Self::Moved => "moved",
            Self::Rotation => "rotation",
            Self::Importing => "importing",
        }
    }
}

/// What went wrong with a file. The operator's to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HomeError {
    /// The folder or file is not there.
    #[error("missing file")]
    Missing(Option<Name>),
    /// It is there already and must not be replaced.
    #[error("the file exists")]
    Exists(Option<Name>),
    /// What is in it makes no sense.
    #[error("damaged file")]
    Damaged(Name),
    /// Others may look into the folder, and what lies in it is not a relay's.
    #[error("the folder is somebody else's")]
    Foreign,
    /// Another command changes the folder.
    #[error("another command is at work")]
    Busy,
    /// The operating system refused.
    #[error("input or output failed")]
    Io(ErrorKind),
}

/// The relay's folder.
#[derive(Debug, Clone)]
pub struct Home {
    dir: PathBuf,
}

fn failed(name: Option<Name>) -> impl Fn(io::Error) -> HomeError {
    move |error| {
        if error.kind() == ErrorKind::NotFound {
            HomeError::Missing(name)
        } else if error.kind() == ErrorKind::AlreadyExists {
            HomeError::Exists(name)
        } else {
            HomeError::Io(error.kind())
        }
    }
}

impl Home {
    /// A folder that may not be there yet.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    /// Makes the folder if it is not there, and closes it to others.
    ///
    /// # Errors
    /// [`HomeError::Foreign`] if it is there, others may use it, and something else than a relay's files lies in it; [`HomeError`]
    /// if the operating system refuses.
    pub fn create(&self) -> Result<(), HomeError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(failed(None))?;
        let mode = fs::metadata(&self.dir).map_err(failed(None))?.permissions().mode();
        if mode & 0o077 == 0 {
            return Ok(());
        }
        // To close `/srv` to all but root would break the machine.
        let mut files = fs::read_dir(&self.dir).map_err(failed(None))?.peekable();
        let top = fs::canonicalize(&self.dir)
            .is_ok_and(|dir| dir.parent().is_some_and(|one| one.parent().is_none()));
        if (files.peek().is_none() && top)
            || files.any(|file| !file.is_ok_and(|file| is_ours(&file.file_name())))
        {
            return Err(HomeError::Foreign);
        }
        fs::set_permissions(&self.dir, fs::Permissions::from_mode(0o700)).map_err(failed(None))
    }

    /// Whether root looks into another user's folder, who could not read what root wrote there.
    #[must_use]
    pub fn is_of_another(&self) -> bool {
        rustix::process::geteuid().is_root() && fs::metadata(&self.dir).is_ok_and(|dir| dir.uid() != 0)
    }

    /// Where a file is.
    #[must_use]
    pub fn path(&self, name: Name) -> PathBuf {
        self.dir.join(name.as_str())
    }

    /// Whether something of that name is there, be it a link that leads nowhere. What the folder does not let one see counts:
    /// a relay that was moved away or paused must not run or take in on a disk that fails.
    #[must_use]
    pub fn has(&self, name: Name) -> bool {
        let missing = |error: io::Error| error.kind() == ErrorKind::NotFound;
        !fs::symlink_metadata(self.path(name)).is_err_and(missing)
    }

    /// Whether the folder has a link of that name, wherever it leads.
    #[must_use]
    pub fn is_link(&self, name: Name) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok_and(|file| file.is_symlink())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`HomeError::Missing`], or [`HomeError::Damaged`] if it is too long to be ours.
    pub fn read(&self, name: Name) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        read(&self.path(name), name)
    }

    /// Reads a file of exactly `N` bytes.
    ///
    /// # Errors
    /// As [`Home::read`]; [`HomeError::Damaged`] if it has another length.
    pub fn read_array<const N: usize>(&self, name: Name) -> Result<Zeroizing<[u8; N]>, HomeError> {
        array(&self.read(name)?, name)
    }

    /// Writes a file that is not there yet, through to the disk.
    ///
    /// # Errors
    /// [`HomeError::Exists`] if it is there.
    pub fn create_file(&self, name: Name, bytes: &[u8]) -> Result<(), HomeError> {
        create_at(&self.path(name), name, bytes)
    }

    /// Replaces a file that holds no secret: the old one or the new one is there, never half of one.
    ///
    /// # Errors
    /// [`HomeError`] if the operating system refuses.
    pub fn replace(&self, name: Name, bytes: &[u8]) -> Result<(), HomeError> {
        let path = self.path(name);
        let replaced = write_beside(&path, bytes).and_then(|beside| fs::rename(beside, &path));
        replaced.and_then(|()| sync_folder(&path)).map_err(failed(Some(name)))
    }

    /// Deletes a file that holds no secret, if it is there.
    ///
    /// # Errors
    /// [`HomeError`] if the operating system refuses.
    pub fn remove(&self, name: Name) -> Result<(), HomeError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| sync_folder(&path)).map_err(failed(Some(name))),
        }
    }

    /// Writes a secret over what was there, in place, through to the disk with its name: it may be new, or left by somebody who
    /// was killed before they came to the latter.
    ///
    /// # Errors
    /// [`HomeError`] if the operating system refuses.
    pub fn overwrite(&self, name: Name, bytes: &[u8]) -> Result<(), HomeError> {
        let (path, wrong) = (self.path(name), failed(Some(name)));
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(&wrong)?;
        in_place(&file);
        file.rewind().map_err(&wrong)?;
        file.write_all(bytes).map_err(&wrong)?;
        let len = u64::try_from(bytes.len()).map_err(|_| HomeError::Damaged(name))?;
        file.set_len(len).map_err(&wrong)?;
        file.sync_all().and_then(|()| sync_folder(&path)).map_err(&wrong)
    }
}

/// Reads a secret of exactly `N` bytes from a file that may lie outside the folder.
///
/// # Errors
/// As [`Home::read_array`].
pub fn read_array_at<const N: usize>(path: &Path, name: Name) -> Result<Zeroizing<[u8; N]>, HomeError> {
    array(&read(path, name)?, name)
}

/// Writes a secret to a file that is not there yet and may lie outside the folder. It is there whole or not at all: half a
/// key under a key's name would be taken for the key.
///
/// # Errors
/// As [`Home::create_file`].
pub fn create_at(path: &Path, name: Name, bytes: &[u8]) -> Result<(), HomeError> {
    let created = write_beside(path, bytes).and_then(|beside| {
        // A link never replaces what is there, as a rename would. A stick may have a file system without links.
        let linked = match fs::hard_link(&beside, path) {
            Err(error) if may_lack_links(&error) && !path.try_exists()? => return fs::rename(&beside, path),
            linked => linked,
        };
        let removed = fs::remove_file(&beside);
        linked.and(removed)
    });
    created.and_then(|()| sync_folder(path)).map_err(failed(Some(name)))
}

fn array<const N: usize>(bytes: &[u8], name: Name) -> Result<Zeroizing<[u8; N]>, HomeError> {
    bytes.try_into().map(Zeroizing::new).map_err(|_| HomeError::Damaged(name))
}

fn read(path: &Path, name: Name) -> Result<Zeroizing<Vec<u8>>, HomeError> {
    let wrong = failed(Some(name));
    let file = File::open(path).map_err(&wrong)?;
    if file.metadata().map_err(&wrong)?.len() > LONGEST {
        return Err(HomeError::Damaged(name));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(4_096));
    file.take(LONGEST).read_to_end(&mut bytes).map_err(&wrong)?;
    Ok(bytes)
}

/// Whether a relay's folder may have a file of this name: one of ours, or of those that are made beside them.
#[must_use]
pub fn is_ours(file: &OsStr) -> bool {
    let passing = [Name::Queues, Name::Admin, Name::Moved, Name::Rotation, Name::Importing, Name::Paused];
    let mut names = Name::LASTING.into_iter().chain(passing).map(Name::as_str);
    names.any(|one| file.as_bytes().starts_with(one.as_bytes())) || file == "lost+found"
}

/// Where a file is written before it has its name.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    // No name that a person gives a file: what is found under it is written over.
    beside.push(".beresta-unfinished");
    beside.into()
}

fn may_lack_links(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied)
}

/// Writes a file through to the disk, under a name of its own beside `path`. Over what a crash left there.
fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let beside = beside(path);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    in_place(&file);
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(beside)
}

/// Makes the names in a file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

#[cfg(test)]
mod tests;
