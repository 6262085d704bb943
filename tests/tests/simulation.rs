//! Histories that seeds decide, on bad lines and disks, with kills and clocks that jump: nothing that was promised may
//! fail in one of them. `.ci/sim SEEDS` runs more of them; a seed that failed is kept in `KEPT`.

#[cfg(test)]
mod simulation {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, PoisonError};

    use beresta_tests::sim::{self, Summary};

    /// Seeds that found a defect once.
    const KEPT: [u64; 0] = [];
    /// Seeds that every run takes.
    const FIXED: u64 = 20;
    /// So many that failed are enough to look at.
    const ENOUGH: usize = 20;

    #[expect(clippy::disallowed_methods, reason = "which seeds are run is the caller's to say")]
    fn number(name: &str) -> Option<u64> {
        std::env::var(name).ok().and_then(|value| value.parse().ok())
    }

    /// What the histories came to, and what was broken in which. Each is of one thread, and there are as many at a time
    /// as the machine has cores.
    fn run(seeds: &[u64]) -> (Summary, Vec<String>) {
        let next = AtomicU64::new(0);
        let all = Mutex::new((Summary::default(), Vec::new()));
        let work = || {
            while let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
                let outcome = std::panic::catch_unwind(|| sim::run(*seed));
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                match outcome {
                    Ok(Ok(summary)) => all.0 = all.0.and(summary),
                    Ok(Err(violation)) => all.1.push(format!("BERESTA_SEED={seed}: {violation}")),
                    Err(_) => all.1.push(format!("BERESTA_SEED={seed}: panicked")),
                }
                if all.1.len() >= ENOUGH {
                    break;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        all.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn no_history_of_a_seed_breaks_a_promise() {
        // One seed, or so many from one on.
        let seeds: Vec<u64> = match (number("BERESTA_SEED"), number("BERESTA_SEEDS")) {
            (Some(seed), None) => vec![seed],
            (first, many) => {
                let first = first.unwrap_or(0);
                KEPT.into_iter().chain(first..first + many.unwrap_or(FIXED)).collect()
            }
        };
        let (all, broken) = run(&seeds);
        println!("{} seeds: {all:?}", seeds.len());
        assert!(broken.is_empty(), "{} of {}:\n{}", broken.len(), seeds.len(), broken.join("\n"));
        let enough = all.met > 0 && all.shown > all.said / 2 && all.encrypted > all.shown;
        assert!(enough || seeds.len() < 10, "{all:?}");
    }

    #[test]
    fn the_same_seed_is_the_same_history() {
        for seed in 0..4 {
            assert_eq!(sim::run(seed), sim::run(seed));
        }
    }
}
