//! How far a count or a rate may stray from its mean, with a stated probability of being wrong.
//!
//! Which to take: [`hoeffding_deviation`] for independent events of unknown rate, the bounds of
//! Chernoff where the rate is small, those of Clopper and Pearson where the events are alike and
//! the last bit counts, those of Kato where Eve may make each event depend on all earlier ones,
//! [`serfling_deviation`] for a random sample without replacement. Everything is one-sided: a
//! statement in both directions takes two failure probabilities.

mod binomial;
mod chernoff;
mod kato;
mod outliers;

pub use binomial::{Trials, clopper_pearson_max, clopper_pearson_min};
pub use binomial::{binomial_probability, binomial_tail_above, binomial_tail_below};
pub use chernoff::{chernoff_count_max, chernoff_count_min};
pub use chernoff::{chernoff_mean_max, chernoff_mean_min};
pub use kato::{Predicted, kato_mean_max, kato_mean_min};
pub use outliers::{binomial_count_max, binomial_count_min};

use crate::Error;
use crate::error::require;
use crate::mathematics::{ln, log2};

/// Probability that a bound is wrong, in (0, 1); dimensionless.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailureProbability(pub f64);

impl FailureProbability {
    /// The same when it lies strictly between 0 and 1.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] otherwise.
    pub fn checked(self) -> Result<Self, Error> {
        let holds = self.0 > 0.0 && self.0 < 1.0;
        let expected = "a probability strictly between 0 and 1 (no unit)";
        require("the failure probability", self.0, holds, expected)?;
        Ok(self)
    }

    /// ln(1/ε), the only way in which bounds use it.
    pub fn log_inverse(self) -> f64 {
        -ln(self.0)
    }
}

/// Sizes of the two parts of one population that was split at random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitSizes {
    /// k: members whose rate is known.
    pub observed: f64,
    /// n: members whose rate is to be bounded.
    pub inferred: f64,
}

/// Hoeffding's deviation of a *count* of `trials` independent events: √(n/2 · ln 1/ε).
///
/// One-sided: the count exceeds its mean by more than this with probability at most ε (and the
/// same below). Divide by n for a rate. Hoeffding, J. Am. Stat. Assoc. 58, 13 (1963), theorem 1.
pub fn hoeffding_deviation(trials: f64, failure: FailureProbability) -> f64 {
    (trials.max(0.0) / 2.0 * failure.log_inverse()).sqrt()
}

/// Serfling's deviation of a *rate*: √((n+k)(k+1)/(n k²) · ½ ln 1/ε).
///
/// Of n + k members, k are drawn without replacement; the rate in the other n exceeds the rate
/// seen by more than this with probability at most ε. Infinite when either part is empty.
/// Serfling, Ann. Stat. 2, 39 (1974), corollary 1.1, as used by Tomamichel, Lim, Gisin and Renner,
/// Nat. Commun. 3, 634 (2012).
pub fn serfling_deviation(sizes: SplitSizes, failure: FailureProbability) -> f64 {
    let SplitSizes {
        observed: k,
        inferred: n,
    } = sizes;
    if k <= 0.0 || n <= 0.0 {
        return f64::INFINITY;
    }
    ((n + k) * (k + 1.0) / (n * k * k) * failure.log_inverse() / 2.0).sqrt()
}

/// γ: the sampling deviation of a *rate* that Lim et al. (2014) and Rusca et al. (2018) use,
/// √((c+d)(1−b)b/(c d ln 2) · log₂((c+d)/(c d (1−b) b ε²))).
///
/// Of c + d members, c are seen with the rate b in (0, 1); the rate in the other d exceeds b by
/// more than γ with probability about ε². Fung, Ma and Chau, PRA 81, 012318 (2010), as
/// in Lim et al., PRA 89, 022307 (2014), equation 5.
///
/// **Not a rigorous bound**: it expands the hypergeometric tail to second order. It is here to
/// reproduce those papers; [`serfling_deviation`] is the sound one. Infinite where it says nothing:
/// an empty part, b ≤ 0 (where the printed formula has the limit 0, as if no errors seen meant that
/// there are none) or b ≥ 1.
pub fn approximate_sampling_deviation(
    sizes: SplitSizes,
    observed_rate: f64,
    failure: FailureProbability,
) -> f64 {
    let SplitSizes {
        observed: c,
        inferred: d,
    } = sizes;
    let (b, rest) = (observed_rate, 1.0 - observed_rate);
    if c <= 0.0 || d <= 0.0 || b <= 0.0 || rest <= 0.0 {
        return f64::INFINITY;
    }
    let spread = (c + d) / (c * d);
    let bits = log2(spread / (rest * b)) - 2.0 * log2(failure.0);
    (spread * rest * b / std::f64::consts::LN_2 * bits.max(0.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference_table::Table;

    #[test]
    fn deviations_equal_the_reference_figures() {
        let table = Table::parse(include_str!("concentration/reference.csv"));
        for row in table.rows() {
            let n = row.number("n");
            let failure = FailureProbability(row.number("eps"));
            row.assert_equal("hoeffding_delta", hoeffding_deviation(n, failure) / n);
            let sizes = SplitSizes {
                observed: n,
                inferred: n,
            };
            row.assert_equal("serfling_mu(n=k)", serfling_deviation(sizes, failure));
        }
    }

    #[test]
    fn an_empty_sample_bounds_nothing() {
        let failure = FailureProbability(1e-10);
        for sizes in [(0.0, 10.0), (10.0, 0.0)] {
            let sizes = SplitSizes {
                observed: sizes.0,
                inferred: sizes.1,
            };
            assert_eq!(serfling_deviation(sizes, failure), f64::INFINITY);
            let approximate = approximate_sampling_deviation(sizes, 0.1, failure);
            assert_eq!(approximate, f64::INFINITY);
        }
    }

    #[test]
    fn a_sample_without_errors_does_not_say_that_there_are_none() {
        let sizes = SplitSizes {
            observed: 1e6,
            inferred: 1e6,
        };
        let deviation = approximate_sampling_deviation(sizes, 0.0, FailureProbability(1e-10));
        assert_eq!(deviation, f64::INFINITY);
    }

    /// Seen counts, failure probability and true mean count to limits of the mean count.
    type Bound = fn(Trials, FailureProbability, f64) -> [f64; 2];

    /// Every failure of every bound for binomial counts, summed up exactly.
    #[test]
    fn no_bound_fails_more_often_than_it_says() {
        let trials = 120;
        let n = trials as f64;
        let failure = FailureProbability(0.01);
        let bounds: [(&str, Bound); 4] = [
            ("Hoeffding", |seen, failure, _| {
                let deviation = hoeffding_deviation(seen.trials as f64, failure);
                let count = seen.successes as f64;
                [count - deviation, count + deviation]
            }),
            ("Chernoff", |seen, failure, _| {
                let count = seen.successes as f64;
                [
                    chernoff_mean_min(count, failure),
                    chernoff_mean_max(count, failure),
                ]
            }),
            ("Kato", |seen, failure, mean| {
                let predicted = Predicted(mean * 1.3);
                [
                    kato_mean_min(seen, predicted, failure),
                    kato_mean_max(seen, predicted, failure),
                ]
            }),
            ("Clopper-Pearson", |seen, failure, _| {
                [
                    clopper_pearson_min(seen, failure),
                    clopper_pearson_max(seen, failure),
                ]
                .map(|rate| rate * seen.trials as f64)
            }),
        ];
        for rate in [0.003, 0.02, 0.11, 0.5, 0.83] {
            for (name, bound) in &bounds {
                let (mut low_fails, mut high_fails) = (0.0, 0.0);
                for successes in 0..=trials {
                    let seen = Trials { successes, trials };
                    let [low, high] = bound(seen, failure, n * rate);
                    let probability = binomial_probability(seen, rate);
                    if n * rate < low * (1.0 - 1e-12) {
                        low_fails += probability;
                    }
                    if n * rate > high * (1.0 + 1e-12) {
                        high_fails += probability;
                    }
                }
                assert!(low_fails <= failure.0, "{name} at {rate}: {low_fails}");
                assert!(high_fails <= failure.0, "{name} at {rate}: {high_fails}");
            }
        }
    }
}
