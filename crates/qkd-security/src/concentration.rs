//! How far a count or a rate may stray from its mean, with a stated probability of being wrong.

use crate::mathematics::ln;

/// Probability that a bound is wrong, in (0, 1); dimensionless.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailureProbability(pub f64);

impl FailureProbability {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_equal_the_reference_figures() {
        // (n, ε, Hoeffding's rate deviation, Serfling's with n = k)
        let rows = [
            (1e3, 1e-10, 0.107298301314, 0.151818565337),
            (1e3, 1e-15, 0.131413044244, 0.185939009278),
            (1e4, 1e-15, 0.0415564534067, 0.0587726384235),
            (1e5, 1e-10, 0.0107298301314, 0.015174347165),
            (1e6, 1e-10, 0.00339307021221, 0.00479852831145),
            (1e6, 1e-15, 0.00415564534067, 0.00587697293968),
            (1e8, 1e-15, 0.000415564534067, 0.000587697003058),
        ];
        for (n, epsilon, hoeffding, serfling) in rows {
            let failure = FailureProbability(epsilon);
            let rate = hoeffding_deviation(n, failure) / n;
            assert!((rate / hoeffding - 1.0).abs() < 1e-9, "Hoeffding at {n}");
            let sizes = SplitSizes {
                observed: n,
                inferred: n,
            };
            let deviation = serfling_deviation(sizes, failure);
            assert!(
                (deviation / serfling - 1.0).abs() < 1e-9,
                "Serfling at {n}: {deviation}"
            );
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
        }
    }
}
