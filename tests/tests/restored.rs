//! An older state of a profile comes back: a backup, or a file system that was reset. Conversations may break then, as
//! `docs/known-issues.md` says; nothing false may come of it.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use std::path::Path;

use beresta_client::rng::Rng;
use beresta_client::store::{KdfCost, Passphrase, Store};
use beresta_proto::time::{HOUR_MS, MINUTE_MS};
use beresta_tests::world::World;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

fn passphrase() -> Passphrase {
    Passphrase::new("an old backup".into())
}

/// All files as they are now, as a power cut or a backup in use would leave them.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
    }
    to
}

#[test]
fn an_older_profile_shows_nothing_false_and_nothing_twice() {
    let (mut world, dir) = (World::new(150), tempfile::tempdir().unwrap());
    let mut rng = Rng::new(ChaCha20Rng::seed_from_u64(150));
    let store = Store::create(dir.path(), &passphrase(), KdfCost::FOR_TESTS, &mut rng).unwrap();
    let anna = world.person_with("Анна", store, rng);
    let boris = world.person("Boris");
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "b0").unwrap();
    world.say(anna, to_boris, "a0").unwrap();
    world.run(MINUTE_MS);

    let older = copy(dir.path());
    for n in 1..4 {
        world.say(boris, to_anna, &format!("b{n}")).unwrap();
        world.say(anna, to_boris, &format!("a{n}")).unwrap();
        world.run(MINUTE_MS);
    }
    assert_eq!(world.heard_texts(anna, to_boris), ["b0", "b1", "b2", "b3"]);
    // What was under way when the older state came back.
    world.go_offline(anna);
    world.say(boris, to_anna, "b4").unwrap();
    world.get(anna).store = Store::open(older.path(), &passphrase()).unwrap();
    world.wake(anna);
    for n in 5..8 {
        world.say(boris, to_anna, &format!("b{n}")).unwrap();
        world.say(anna, to_boris, &format!("a{n}")).unwrap();
        world.run(HOUR_MS);
    }
    let (hers, his) = (world.heard_texts(anna, to_boris), world.heard_texts(boris, to_anna));
    assert!(hers.is_sorted_by(|one, next| one < next), "{hers:?}");
    assert!(his.is_sorted_by(|one, next| one < next), "{his:?}");
    assert!(hers.iter().all(|text| text.starts_with('b')) && his.iter().all(|text| text.starts_with('a')));
    // The weakness that is written down, and that nobody learns a text by it. When it is mended, say 0.
    assert_eq!(world.keys_used_twice(boris), (1, false));
}
