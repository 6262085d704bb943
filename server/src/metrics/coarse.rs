//! From numbers to steps. Two people could look: one who has every text that was ever shown, and one who also uses the
//! relay and times what he does there to bring a number to the edge of a step, where one act of another would show.
//!
//! - A *count* grows by whole steps, and what is left over in five minutes becomes a step by chance, as often as its
//!   size says: nothing is carried over, so there is no edge to bring it to, and in the long run it is true.
//! - A *level* is a power of two, of the number and a chance of up to 64 more that is drawn for each text: one act moves it in
//!   one text of 64, wherever somebody brought the number. It goes down again only a quarter below the edge at which it came up.
//! - A *share* is in twentieths, of what is used and a chance of up to one twentieth more.

use beresta_proto::rng::Random;

use crate::admin::percent;

/// By so much a count grows at once.
pub(super) const STEP: u64 = 64;
/// Below this a level is shown as 0.
const LEAST: u64 = STEP;

/// A number below `most`, each as likely as the others; 0 if there is none.
fn drawn(most: u64, rng: &mut impl Random) -> u64 {
    // Of 2^64 numbers: that some come once more often than others shows nowhere.
    u64::from_be_bytes(rng.array()).checked_rem(most).unwrap_or_default()
}

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
        let steps = (grown / STEP).saturating_add(u64::from(drawn(STEP, rng) < grown % STEP));
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
    pub(super) fn follow(&mut self, number: u64, rng: &mut impl Random) -> u64 {
        let number = number.saturating_add(drawn(STEP, rng));
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
    pub(super) fn follow(&mut self, used: u64, whole: u64, rng: &mut impl Random) -> f64 {
        let percent = percent(used.saturating_add(drawn(whole / 20, rng)), whole);
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
    fn nobody_can_bring_a_level_to_where_one_act_of_another_shows() {
        // In how many of 10,000 texts of a relay that was just started a number shows as at least so much.
        let shown = |number: u64, least: u64| {
            let mut rng = seeded(number);
            (0..10_000).filter(|_| Level::default().follow(number, &mut rng) >= least).count()
        };
        // Wherever an attacker brings it, another person makes a difference in some 156 of them.
        for (least, from) in [(64, 0), (64, 30), (64, 63), (128, 64), (128, 100), (1_024, 1_000)] {
            let (alone, together) = (shown(from, least), shown(from + 1, least));
            assert!(together.abs_diff(alone) < 400, "{from} of {least}: {alone} and {together}");
        }
        assert_eq!((shown(0, 1), shown(64, 64)), (0, 10_000));
    }

    #[test]
    fn a_level_is_a_power_of_two_that_is_near() {
        let (mut level, mut rng) = (Level::default(), seeded(2));
        for number in (0..5_000).chain((0..5_000).rev()) {
            let shown = level.follow(number, &mut rng);
            assert!(shown == 0 || shown.is_power_of_two());
            let most = number + STEP;
            assert!(if shown == 0 { number < STEP } else { most > shown - shown / 4 && number < 2 * shown });
        }
        assert_eq!(level.follow(u64::MAX, &mut rng), 1 << 63);
    }

    #[test]
    fn a_share_is_told_in_twentieths_does_not_go_to_and_fro_and_no_act_shows_in_it() {
        let mut rng = seeded(3);
        let mut at_last = |used: u64| {
            let mut share = Share::default();
            (0..1_000).map(|_| share.follow(used, 100_000, &mut rng)).last().unwrap()
        };
        assert_eq!([0, 1, 4_000, 6_000, 99_000].map(&mut at_last), [0.05, 0.05, 0.1, 0.15, 1.05]);
        let mut share = Share::default();
        let mut rng = seeded(4);
        let told: Vec<f64> =
            (0..1_000).map(|at| share.follow(50_000 + at % 2 * 1_000, 100_000, &mut rng)).collect();
        assert!(told.windows(2).filter(|two| two[0] != two[1]).count() <= 2, "{told:?}");
        // An attacker at the edge, and a message of another.
        let mut crossings = |used: u64| {
            (0..10_000).filter(|_| Share::default().follow(used, 100_000_000, &mut rng) > 0.05).count()
        };
        let (alone, together) = (crossings(5_000_000 - 1), crossings(5_000_000 + 4_096));
        assert!(together.abs_diff(alone) < 100, "{alone} and {together}");
    }
}
