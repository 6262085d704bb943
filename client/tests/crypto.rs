//! What of the crypto room shows in a profile's files.

use beresta_client::crypto::{AccountError, create_account, make_bundle, own_identity};
use beresta_client::store::{KdfCost, Passphrase, Store};
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

struct TestRng(ChaCha20Rng);

impl Random for TestRng {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

#[test]
fn the_identity_key_is_in_no_file_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = TestRng(ChaCha20Rng::seed_from_u64(7));
    let passphrase = Passphrase::new("right".to_owned());
    let mut store = Store::create(dir.path(), &passphrase, KdfCost::FOR_TESTS, &mut rng.0).unwrap();
    store.transaction(|tx| create_account(tx, &mut rng)).unwrap();
    store.transaction(|tx| make_bundle(tx, Timestamp(1_800_000_000_000), &mut rng)).unwrap();
    let row = store.transaction(|tx| Ok::<_, AccountError>(tx.account()?.unwrap())).unwrap();
    let identity = store.transaction(own_identity).unwrap();
    // The serialised pair ends with the private key.
    let private = &row.identity_pair[row.identity_pair.len() - 32..];
    let needles = [private, &identity.0[1..], &row.online_key[..]];
    let mut files = 0;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += usize::from(bytes.len() >= 4_096);
        for needle in needles {
            assert!(!bytes.windows(32).any(|window| window == needle));
        }
    }
    assert!(files >= 2);
}
