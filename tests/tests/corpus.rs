//! The fuzz targets without a fuzzer: over the committed corpus and over changes of it, the same at every run.

#[cfg(test)]
mod corpus {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use beresta_tests::fuzz::{TARGETS, genuine, heard};
    use rand::{RngCore as _, SeedableRng as _};
    use rand_chacha::ChaCha20Rng;

    /// Changes made of each file.
    const CHANGES: u64 = 64;

    /// The corpus of a target.
    fn files(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    /// A few bytes changed, and the length now and then.
    fn changed(bytes: &[u8], dice: &mut ChaCha20Rng) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=dice.next_u32() % 4 {
            let at = dice.next_u32() as usize % bytes.len().max(1);
            match dice.next_u32() % 4 {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), dice.next_u32().to_be_bytes()[0]),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << (dice.next_u32() % 8);
                    }
                }
            }
        }
        bytes
    }

    #[test]
    fn no_target_fails_over_its_corpus_or_over_changes_of_it() {
        for (target, body) in TARGETS {
            let files = files(target);
            assert!(!files.is_empty(), "{target} has no corpus");
            for (seed, bytes) in (0..).zip(&files) {
                body(bytes);
                let mut dice = ChaCha20Rng::seed_from_u64(seed);
                (0..CHANGES).for_each(|_| body(&changed(bytes, &mut dice)));
            }
        }
    }

    #[test]
    fn every_corpus_has_a_target() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name}");
        }
    }

    /// Else a fuzzer would begin with messages that end at the seal's door.
    #[test]
    fn the_guard_s_corpus_is_what_genuine_people_wrote() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/guarded");
        for (n, written) in genuine().iter().enumerate() {
            let path = folder.join(format!("genuine-{n}"));
            if std::env::var_os("BERESTA_WRITE_CORPUS").is_some() {
                fs::write(&path, written).unwrap();
            }
            assert_eq!(fs::read(path).unwrap(), *written);
        }
    }

    /// Else a fuzzer would begin with scripts in which nothing happens.
    #[test]
    fn the_relay_s_scripts_reach_every_answer() {
        let all: BTreeSet<&str> = files("relay").iter().flat_map(|script| heard(script)).collect();
        let expected = BTreeSet::from([
            "a blob",
            "a capsule is answered",
            "a descriptor",
            "a message",
            "a queue is made",
            "caught up",
            "done",
            "drained",
            "refused",
            "subscribed",
            "taken over",
        ]);
        assert_eq!(all, expected);
    }
}
