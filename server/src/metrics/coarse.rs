//! From numbers to steps. Two people could look: one who has every text that was ever shown, and one who also uses the
//! relay and times what he does there to bring a number to the edge of a step, where one act of another would show.
//!
//! - A *count* grows by whole steps, and what is left over in five minutes becomes a step by chance, as often as its
//!   size says: nothing is carried over, so there is no edge to bring it to, and in the long run it is true.
//! - A *level* is a power of two, and goes down again only a quarter below the edge at which it came up: one person who
//!   comes and goes can't move it to and fro.

use beresta_proto::rng::Random;

use crate::admin::percent;

/// By so much a count grows at once.
pub(super) const STEP: u64 = 64;
/// Below this a level is shown as 0.
const LEAST: u64 = 16;

/// A count that grows as long as the relay runs.
#[derive(Debug, Default)]
pub(super) struct Rising {
    seen: u64,
}

impl Rising {
    /// By how much the shown count grows now that the real one stands at `count`.
    pub(super) fn follow(&mut self, count: u64, rng: &mut impl Random) -> u64 {
        let grown = count.saturating_sub(self.seen);
        self.seen = count;
        let drawn = u64::from_be_bytes(rng.array()) % STEP;
        let steps = (grown / STEP).saturating_add(u64::from(drawn < grown % STEP));
        steps.saturating_mul(STEP)
    }
}

/// A number of things that are there.
#[derive(Debug, Default)]
pub(super) struct Level {
    shown: u64,
}

impl Level {
    /// What is shown of `number`.
    pub(super) fn follow(&mut self, number: u64) -> u64 {
        let stays = self.shown - self.shown / 4..self.shown.saturating_mul(2).max(LEAST);
        if !stays.contains(&number) {
            self.shown = if number < LEAST { 0 } else { 1 << number.ilog2() };
        }
        self.shown
    }
}

/// A share in twentieths.
#[derive(Debug, Default)]
pub(super) struct Share {
    percent: u64,
}

impl Share {
    /// What is shown of `used` out of `whole`, from 0 to 1, and beyond it where more is used than may be.
    pub(super) fn follow(&mut self, used: u64, whole: u64) -> f64 {
        let percent = percent(used, whole);
        // Down by one step it may be somebody's message that went.
        if percent > self.percent || percent.saturating_add(5) < self.percent {
            self.percent = percent;
        }
        u32::try_from(self.percent).map_or(f64::INFINITY, |percent| f64::from(percent) / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

    use super::*;

    struct Seeded(ChaCha20Rng);

    impl Random for Seeded {
        fn fill(&mut self, out: &mut [u8]) {
            self.0.fill_bytes(out);
        }
    }

    fn seeded(seed: u64) -> Seeded {
        Seeded(ChaCha20Rng::seed_from_u64(seed))
    }

    #[test]
    fn a_count_grows_by_whole_steps_and_is_true_in_the_long_run() {
        let mut rng = seeded(1);
        let (mut rising, mut shown) = (Rising::default(), 0);
        for day in 1..=10_000 {
            let grown = rising.follow(day * 7, &mut rng);
            assert!(grown == 0 || grown == STEP);
            shown += grown;
        }
        assert!((66_000..74_000).contains(&shown), "{shown}");
        assert_eq!(rising.follow(0, &mut rng), 0, "a count that began anew takes nothing back");
    }

    #[test]
    fn nobody_can_bring_a_count_to_where_one_act_of_another_shows() {
        // An attacker acts 63 times in every five minutes, and in half of them another person acts once.
        let shown = |acts: u64| {
            let (mut rng, mut rising, mut count) = (seeded(acts), Rising::default(), 0);
            (0..10_000)
                .filter(|_| {
                    count += acts;
                    rising.follow(count, &mut rng) > 0
                })
                .count()
        };
        let (alone, together) = (shown(63), shown(64));
        assert_eq!(together, 10_000);
        assert!(alone > 9_700, "in 63 of 64 the attacker sees the same: {alone}");
        assert!(shown(1) < 250 && shown(0) == 0);
    }

    #[test]
    fn one_person_who_comes_and_goes_never_moves_a_level_to_and_fro() {
        for there in 0..2_000_u64 {
            let mut level = Level::default();
            level.follow(there);
            let moves = (0..100_u64).map(|at| level.follow(there + at % 4)).collect::<Vec<_>>();
            let changes = moves.windows(2).filter(|two| two[0] != two[1]).count();
            assert!(changes <= 1, "{there}: {moves:?}");
        }
    }

    #[test]
    fn a_level_is_a_power_of_two_that_is_near() {
        let mut level = Level::default();
        for number in (0..5_000).chain((0..5_000).rev()) {
            let shown = level.follow(number);
            assert!(shown == 0 || shown.is_power_of_two());
            assert!(if shown == 0 { number < 16 } else { number >= shown - shown / 4 && number < 2 * shown });
        }
        assert_eq!(level.follow(u64::MAX), 1 << 63);
    }

    #[test]
    fn a_share_is_told_in_twentieths_and_does_not_go_to_and_fro() {
        let mut share = Share::default();
        let shown: Vec<f64> =
            [0, 1, 50, 51, 49, 1, 0, 1_000, 2_000].map(|used| share.follow(used, 1_000)).to_vec();
        assert_eq!(shown, [0.0, 0.05, 0.05, 0.1, 0.1, 0.1, 0.0, 1.0, 2.0]);
    }
}
