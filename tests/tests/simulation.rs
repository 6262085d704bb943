//! Histories that seeds decide, on bad lines and disks, with kills and clocks that jump: nothing that was promised may
//! fail in one of them. `.ci/sim SEEDS` runs more of them; a seed that failed is kept in `KEPT`.

#[cfg(test)]
mod simulation {
    use beresta_tests::sim;

    /// Seeds that found a defect once.
    const KEPT: [u64; 0] = [];
    /// Seeds that every run takes.
    const FIXED: u64 = 200;

    fn number(name: &str) -> Option<u64> {
        std::env::var(name).ok().and_then(|value| value.parse().ok())
    }

    #[test]
    fn no_history_of_a_seed_breaks_a_promise() {
        let first = number("BERESTA_SEED").unwrap_or(0);
        let many = number("BERESTA_SEEDS").unwrap_or(FIXED);
        let mut all = sim::Summary::default();
        for seed in KEPT.into_iter().chain(first..first + many) {
            match sim::run(seed) {
                Ok(summary) => all = all.and(summary),
                Err(violation) => panic!("BERESTA_SEED={seed} BERESTA_SEEDS=1: {violation}"),
            }
        }
        println!("{all:?}");
        assert!(all.said > 0 && all.shown > all.said / 2 && all.met > 0, "{all:?}");
    }

    #[test]
    fn the_same_seed_is_the_same_history() {
        for seed in 0..4 {
            assert_eq!(sim::run(seed), sim::run(seed));
        }
    }
}
