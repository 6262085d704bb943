//! A profile that is lived with: real engine, real store, real file system; only the clock is false.

use std::path::Path;
use std::process::Command;

use beresta_client::rng::Rng;
use beresta_client::store::{KdfCost, Passphrase, Store};
use beresta_proto::time::{MINUTE_MS, SECOND_MS};
use beresta_tests::world::{Who, World};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use super::PASSPHRASE;

/// How often texts come, are read and disappear.
const ROUNDS: u64 = 5;
/// Texts of each kind in a round, each way.
const TEXTS: u64 = 15;

/// A text of a kind that no other text is like: short ones, and some that fill several pages.
fn text(kind: &str, round: u64, n: u64) -> String {
    format!("{kind}-{round}-{n} ").repeat(if n.is_multiple_of(5) { 700 } else { 4 })
}

/// Says what both sides say in a round: all of it read, and at rest.
fn talk(world: &mut World, [anna, boris]: [Who; 2], kind: &str, round: u64) {
    let to = [anna, boris].map(|who| world.contacts(who)[0].id);
    for n in 0..TEXTS {
        world.say(boris, to[1], &text(kind, round, 2 * n)).unwrap();
        world.say(anna, to[0], &text(kind, round, 2 * n + 1)).unwrap();
        world.run(SECOND_MS);
    }
    world.run(20 * SECOND_MS);
    world.read_all(anna);
    world.read_all(boris);
}

pub(crate) fn live(profile: &Path, image: &Path, work: &Path) {
    let (mut world, mut rng) = (World::new(9), Rng::new(ChaCha20Rng::seed_from_u64(9)));
    let store =
        Store::create(profile, &Passphrase::new(PASSPHRASE.into()), KdfCost::FOR_TESTS, &mut rng).unwrap();
    let anna = world.person_with("Anna", store, rng);
    let boris = world.person("Boris");
    let (to_boris, _) = world.meet(anna, boris);
    for round in 0..ROUNDS {
        world.set_timer(anna, to_boris, None);
        world.run(5 * SECOND_MS);
        talk(&mut world, [anna, boris], "STAYS", round);
        world.set_timer(anna, to_boris, Some(60));
        world.run(5 * SECOND_MS);
        talk(&mut world, [anna, boris], "GOES", round);
        copy(profile, &work.join(format!("before-{round}")));
        if round + 1 == ROUNDS {
            // With texts in it that are about to disappear: what the look must be able to find.
            assert!(Command::new("sync").status().unwrap().success());
            std::fs::copy(image, work.join("before.img")).unwrap();
        }
        world.run(3 * MINUTE_MS);
        assert!(!world.get(anna).store.owes_scrub());
        let left = world.chat(anna, to_boris);
        assert!(left.iter().all(|one| !one.text.contains("GOES")), "what disappears has disappeared");
        let stay = left.iter().filter(|one| one.text.contains("STAYS")).count();
        assert_eq!(stay, usize::try_from((round + 1) * TEXTS * 2).unwrap());
    }
    world.go_offline(anna);
    let scratch = Store::open_in_memory(&mut Rng::system()).unwrap();
    std::mem::replace(&mut world.get(anna).store, scratch).close().unwrap();
    copy(profile, &work.join("after"));
    println!("lived: {ROUNDS} rounds of {} texts that stay and {0} that disappear", TEXTS * 2);
}

/// All files of a profile as they are now.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
