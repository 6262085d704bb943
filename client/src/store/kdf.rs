//! From a passphrase to 32 bytes, slowly: Argon2id and the bounds of its cost.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroize;

use super::page::Page;
use super::{Passphrase, StoreError};

/// What guessing one passphrase costs: Argon2id's memory, passes and lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// 256 KiB: below this not even a test gains anything.
const MIN_MEMORY_KIB: u32 = 256;
/// 1 GiB, 16 passes, 16 lanes: what a header may ask for. A hostile one must not eat the machine; at the worst it
/// costs about half a minute.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;

impl KdfCost {
    /// 256 MiB, 3 passes, 4 lanes: 0.65 s on an ordinary laptop (security research, section 3).
    pub const DEFAULT: Self = Self { memory_kib: 256 * 1024, passes: 3, lanes: 4 };

    /// The cheapest allowed: 256 KiB, 1 pass, 1 lane. For tests; it protects nobody.
    pub const FOR_TESTS: Self = Self { memory_kib: MIN_MEMORY_KIB, passes: 1, lanes: 1 };

    /// Another cost: `memory_kib` from 256 to 1,048,576, `passes` and `lanes` from 1 to 16.
    ///
    /// # Errors
    /// [`StoreError::Cost`] outside of those.
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, StoreError> {
        if memory_kib < MIN_MEMORY_KIB
            || memory_kib > MAX_MEMORY_KIB
            || passes < 1
            || passes > MAX_PASSES
            || lanes < 1
            || lanes > MAX_LANES
        {
            return Err(StoreError::Cost);
        }
        Ok(Self { memory_kib, passes, lanes })
    }

    /// The usual passes and lanes, with another memory.
    ///
    /// # Errors
    /// As [`KdfCost::new`].
    pub const fn with_memory(memory_kib: u32) -> Result<Self, StoreError> {
        Self::new(memory_kib, Self::DEFAULT.passes, Self::DEFAULT.lanes)
    }

    /// Whether a guess takes less memory than is usual.
    #[must_use]
    pub const fn is_cheap(self) -> bool {
        self.memory_kib < Self::DEFAULT.memory_kib
    }

    /// Memory in KiB, passes, lanes: the order of the header.
    pub(super) const fn parts(self) -> [u32; 3] {
        [self.memory_kib, self.passes, self.lanes]
    }
}

impl Default for KdfCost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
thread_local! {
    /// Derivations on this thread.
    pub(super) static RUNS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Runs Argon2id (version 0x13). The memory is asked for politely and wiped: it holds what the key can be had from.
pub(super) fn derive(
    passphrase: &Passphrase,
    salt: &[u8; 32],
    cost: KdfCost,
) -> Result<Page<32>, StoreError> {
    #[cfg(test)]
    RUNS.with(|runs| runs.set(runs.get() + 1));
    let params =
        Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| StoreError::Cost)?;
    let count = params.block_count();
    let mut blocks: Vec<Block> = Vec::new();
    blocks.try_reserve_exact(count).map_err(|_| StoreError::OutOfMemory)?;
    blocks.resize(count, Block::new());
    let mut out = Page::new();
    // An empty secret is the same as none: who does not know of a key file cannot see that there is one.
    let done = Argon2::new_with_secret(passphrase.secret(), Algorithm::Argon2id, Version::V0x13, params)
        .and_then(|argon2| {
            argon2.hash_password_into_with_memory(
                passphrase.as_bytes(),
                salt,
                out.bytes_mut(),
                blocks.as_mut_slice(),
            )
        });
    for block in &mut blocks {
        block.zeroize();
    }
    done.map_err(|_| StoreError::Cost)?;
    Ok(out)
}
