//! One process per profile: a lock that the kernel holds and releases, also after SIGKILL.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::Path;

use super::StoreError;

/// The lock of one profile, held until dropped.
pub(super) struct ProfileLock(#[expect(dead_code, reason = "held, not read")] File);

pub(super) const NAME: &str = "lock";

impl ProfileLock {
    /// Locks the profile in `dir`, which must be there.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        if !dir.join(super::vault::NAME).exists() {
            return Err(StoreError::NotFound);
        }
        Self::lock(dir)
    }

    /// Makes `dir` if it is missing, for its owner only, and locks it.
    pub(super) fn take_new(dir: &Path) -> Result<Self, StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)?;
        #[cfg(unix)]
        std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Self::lock(dir)
    }

    fn lock(dir: &Path) -> Result<Self, StoreError> {
        let file = private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
            .open(dir.join(NAME))?;
        match file.try_lock() {
            Ok(()) => {
                name_holder(&file);
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

/// Takes a second lock, of the kind of which the kernel says who holds it. It keeps nobody out: where it can't be had,
/// the first one holds all the same.
fn name_holder(file: &File) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::fs::fcntl_lock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = file;
}

/// Lets a file that `options` makes be its owner's only (0600).
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes what was created, renamed or removed in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = dir; // other systems offer no such call
    Ok(())
}
