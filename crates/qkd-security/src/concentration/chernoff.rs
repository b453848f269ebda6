//! Chernoff's multiplicative bounds for sums of independent events, solved for what is unknown.
//!
//! With x* the mean and β = ln(1/ε): P(X ≥ (1+δ)x*) ≤ e^(−δ²x*/(2+δ)) and
//! P(X ≤ (1−δ)x*) ≤ e^(−δ²x*/2) (Mitzenmacher and Upfal, "Probability and Computing", chapter 4;
//! the first from (1+δ)ln(1+δ) − δ ≥ δ²/(2+δ)). Setting the right side to ε gives quadratics in δx*; the same quadratics solved for
//! x* give the bounds on the mean (Yin et al., Sci. Rep. 10, 14312 (2020), who print the lower
//! bound on the mean more loosely).
//!
//! Tighter than Hoeffding where events are rare: the deviation goes with √x*, not √n. Neither the
//! number of trials nor equal rates are needed.

use super::FailureProbability;

/// The count stays at or below this, but for probability ε, when `mean` ≥ 0 is expected:
/// x* + β/2 + √(2βx* + β²/4).
pub fn chernoff_count_max(mean: f64, failure: FailureProbability) -> f64 {
    let beta = failure.log_inverse();
    mean + beta / 2.0 + (2.0 * beta * mean + beta * beta / 4.0).sqrt()
}

/// The count stays at or above this, but for probability ε, when `mean` ≥ 0 is expected:
/// x* − √(2βx*), at least 0.
pub fn chernoff_count_min(mean: f64, failure: FailureProbability) -> f64 {
    (mean - (2.0 * failure.log_inverse() * mean).sqrt()).max(0.0)
}

/// The mean is at most this, but for probability ε, when `count` ≥ 0 was observed:
/// x + β + √(2βx + β²).
pub fn chernoff_mean_max(count: f64, failure: FailureProbability) -> f64 {
    let beta = failure.log_inverse();
    count + beta + (2.0 * beta * count + beta * beta).sqrt()
}

/// The mean is at least this, but for probability ε, when `count` ≥ 0 was observed:
/// x + β/2 − √(2βx + β²/4), at least 0.
pub fn chernoff_mean_min(count: f64, failure: FailureProbability) -> f64 {
    let half = failure.log_inverse() / 2.0;
    // As a quotient, because the difference cancels for small counts.
    let root = (4.0 * half * count + half * half).sqrt();
    (count * (count - 2.0 * half) / (count + half + root)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_on_counts_and_on_means_are_inverse_to_each_other() {
        let failure = FailureProbability(1e-10);
        for mean in [50.0, 1e3, 1e6, 1e10] {
            let most = chernoff_count_max(mean, failure);
            let least = chernoff_count_min(mean, failure);
            assert!((chernoff_mean_min(most, failure) / mean - 1.0).abs() < 1e-9);
            assert!((chernoff_mean_max(least, failure) / mean - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_seen_still_leaves_a_mean() {
        let failure = FailureProbability(1e-10);
        // P(X = 0) = e^(−x*) for a Poisson count; Chernoff's exponent is half of that.
        assert!((chernoff_mean_max(0.0, failure) - 2.0 * failure.log_inverse()).abs() < 1e-12);
        assert_eq!(chernoff_mean_min(0.0, failure), 0.0);
        assert_eq!(chernoff_mean_min(3.0, failure), 0.0);
    }
}
