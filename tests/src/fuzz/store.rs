//! A profile whose header somebody else wrote.

use std::fs;
use std::ops::Range;

use beresta_client::store::{KdfCost, Passphrase, Store, StoreError};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use tempfile::TempDir;

const HEADER: &str = "vault.hdr";
/// Where the costs of a guess stand: memory in KiB, passes, lanes.
const COSTS: Range<usize> = 32..44;
/// The most that is guessed at here: memory in KiB times passes.
const CHEAP_KIB: u32 = 4 * 1024;
/// Instead of a place: what follows is the whole file.
const WHOLE: usize = u16::MAX as usize;

/// A profile, its header as it was made, and where in that the one slot lies that opens.
struct Profile {
    dir: TempDir,
    header: Vec<u8>,
    slot: Range<usize>,
}

thread_local! {
    static PROFILE: Profile = Profile::new();
}

fn passphrase() -> Passphrase {
    Passphrase::new("right".to_owned())
}

impl Profile {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        Store::create(dir.path(), &passphrase(), KdfCost::FOR_TESTS, &mut rng).unwrap().close().unwrap();
        let header = fs::read(dir.path().join(HEADER)).unwrap();
        let mut profile = Self { dir, header, slot: 0..0 };
        let mut slots = (1..=8).map(|slot| 4096 * slot..4096 * (slot + 1));
        let opens = slots.find(|slot| {
            let mut other = profile.header.clone();
            other[slot.start] ^= 1;
            profile.open(&other).is_err()
        });
        profile.slot = opens.unwrap();
        profile
    }

    fn open(&self, header: &[u8]) -> Result<(), StoreError> {
        fs::write(self.dir.path().join(HEADER), header).unwrap();
        let opened = Store::open(self.dir.path(), &passphrase());
        let after = fs::read(self.dir.path().join(HEADER)).unwrap();
        assert!(opened.is_ok() || after == header, "a header that does not open was changed");
        opened?.close()
    }

    /// Whether everything that a header means is as it was made.
    fn should_open(&self, header: &[u8]) -> bool {
        let same = |part: &Range<usize>| header.get(part.clone()) == self.header.get(part.clone());
        header.len() == self.header.len() && same(&(0..COSTS.end)) && same(&self.slot)
    }
}

/// The first two bytes say from where on the others are laid over a genuine header; or, where they are the highest
/// number, that the others are the whole file.
pub(super) fn header(bytes: &[u8]) {
    PROFILE.with(|profile| {
        let Some((place, laid)) = bytes.split_first_chunk() else { return };
        let mut header = profile.header.clone();
        match usize::from(u16::from_be_bytes(*place)) {
            WHOLE => header = laid.to_vec(),
            place => {
                let end = (place + laid.len()).min(header.len());
                header[place..end].copy_from_slice(&laid[..end - place]);
            }
        }
        // A header may ask for half a minute of work, which is its limit and no fuzzer's: only cheap ones are opened.
        let cheap = header.get(COSTS).is_none_or(|costs| {
            let at = |n: usize| u32::from_le_bytes(costs[n..n + 4].try_into().unwrap());
            KdfCost::new(at(0), at(4), at(8)).is_err() || at(0).saturating_mul(at(4)) <= CHEAP_KIB
        });
        if cheap {
            let opened = profile.open(&header);
            assert_eq!(opened.is_ok(), profile.should_open(&header), "{opened:?}");
        }
    });
}
