//! Which counts are too many or too few to be chance, when the probability is known.

use super::FailureProbability;
use super::binomial::{Trials, binomial_tail_above, binomial_tail_below};

/// The most successes among `trials` that are put down to chance: more have at most the probability
/// ε, exactly, when each trial succeeds with `probability` in \[0, 1\] or less.
pub fn binomial_count_max(trials: u64, probability: f64, failure: FailureProbability) -> u64 {
    // The smallest count whose excess is rare enough.
    smallest(trials, |count| {
        count == trials
            || binomial_tail_above(
                Trials {
                    successes: count + 1,
                    trials,
                },
                probability,
            ) <= failure.0
    })
}

/// The fewest successes among `trials` that are put down to chance: fewer have at most the
/// probability ε, exactly, when each trial succeeds with `probability` in \[0, 1\] or more.
pub fn binomial_count_min(trials: u64, probability: f64, failure: FailureProbability) -> u64 {
    // The smallest count for which as few or fewer are not rare.
    smallest(trials, |successes| {
        successes == trials
            || binomial_tail_below(Trials { successes, trials }, probability) > failure.0
    })
}

/// The smallest number up to `most` for which something holds that holds from some number on, and
/// for `most`.
fn smallest(most: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut least, mut most) = (0, most);
    while least < most {
        let middle = least + (most - least) / 2;
        if holds(middle) {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten fair coins: P(10) = 1/1024, P(≥ 9) = 11/1024.
    #[test]
    fn limits_of_ten_coins_are_those_of_the_table() {
        let at = |failure| FailureProbability(failure);
        assert_eq!(binomial_count_max(10, 0.5, at(0.000_9)), 10);
        assert_eq!(binomial_count_max(10, 0.5, at(0.001)), 9);
        assert_eq!(binomial_count_max(10, 0.5, at(0.011)), 8);
        assert_eq!(binomial_count_min(10, 0.5, at(0.000_9)), 0);
        assert_eq!(binomial_count_min(10, 0.5, at(0.001)), 1);
        assert_eq!(binomial_count_min(10, 0.5, at(0.011)), 2);
    }

    #[test]
    fn nothing_is_rare_without_trials_or_without_doubt() {
        let failure = FailureProbability(1e-9);
        for (trials, probability, only) in [(0, 0.3, 0), (100, 0.0, 0), (100, 1.0, 100)] {
            assert_eq!(binomial_count_max(trials, probability, failure), only);
            assert_eq!(binomial_count_min(trials, probability, failure), only);
        }
    }

    #[test]
    fn what_lies_beyond_a_limit_is_rare_and_the_limit_is_not() {
        let failure = FailureProbability(1e-9);
        for (trials, probability) in [(1_000, 0.02), (1_000_000, 0.25), (100_000_000, 1e-6)] {
            let most = binomial_count_max(trials, probability, failure);
            let above = |successes| binomial_tail_above(Trials { successes, trials }, probability);
            assert!(above(most + 1) <= 1e-9 && above(most) > 1e-9, "{trials}");
            let least = binomial_count_min(trials, probability, failure);
            let below = |successes| binomial_tail_below(Trials { successes, trials }, probability);
            assert!(below(least) > 1e-9, "{trials}");
            assert!(least == 0 || below(least - 1) <= 1e-9, "{trials}");
        }
    }
}
