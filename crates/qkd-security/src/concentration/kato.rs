//! Kato's bound for events that may each depend on all earlier ones.
//!
//! For 0/1 events ξ_u with sum Λ in n trials, and E_u the probability of event u given its past:
//! P\[Σ E_u − Λ ≥ (b + a(2Λ/n − 1))√n\] ≤ exp(−2(b² − a²)/(1 + 4a/(3√n))²) for every a and
//! b ≥ |a| (Kato, arXiv:2002.04357; in the form of Currás-Lorenzo et al., npj Quantum Inf. 7, 22
//! (2021)). With ξ → 1 − ξ it bounds the sum from below.
//!
//! What Azuma's inequality does, but as tight as Chernoff's bound for rare events if the count was
//! foreseen: a must be chosen before the count is known. **A prediction made from the count itself
//! voids the bound**; a wrong prediction only loosens it.

use super::{FailureProbability, Trials};

/// Λ̃: the count that was expected before anything was seen, from 0 to n.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted(pub f64);

/// Σ E_u is at most this, but for probability ε.
pub fn kato_mean_max(seen: Trials, predicted: Predicted, failure: FailureProbability) -> f64 {
    let (n, count) = (seen.trials as f64, seen.successes as f64);
    let deviation = deviation(n, count, predicted, failure);
    (count + deviation).clamp(0.0, n)
}

/// Σ E_u is at least this, but for probability ε.
pub fn kato_mean_min(seen: Trials, predicted: Predicted, failure: FailureProbability) -> f64 {
    let (n, count) = (seen.trials as f64, seen.successes as f64);
    let deviation = deviation(n, n - count, Predicted(n - predicted.0), failure);
    (count - deviation).clamp(0.0, n)
}

/// (b + a(2Λ/n − 1))√n with the a and b that make it smallest at the predicted count.
fn deviation(n: f64, count: f64, predicted: Predicted, failure: FailureProbability) -> f64 {
    if n <= 0.0 {
        return 0.0;
    }
    let log_inverse = failure.log_inverse();
    let root = n.sqrt();
    // The bound is worth ε when b² = a² + ½ ln(1/ε)(1 + ca)², which as a function of a is
    // A(u² + D) with u = a + c ln(1/ε)/(2A). b + sa has its minimum where Au² = s²(u² + D).
    let c = 4.0 / (3.0 * root);
    let slope = 2.0 * (predicted.0 / n).clamp(0.0, 1.0) - 1.0;
    let curvature = 1.0 + log_inverse * c * c / 2.0;
    let u = -slope / curvature * (log_inverse / (2.0 * (curvature - slope * slope))).sqrt();
    let a = u - log_inverse * c / (2.0 * curvature);
    let b = (a * a + log_inverse / 2.0 * (1.0 + c * a) * (1.0 + c * a)).sqrt();
    ((b + a * (2.0 * count / n - 1.0)) * root).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::{chernoff_mean_max, hoeffding_deviation};
    use super::*;

    const FAILURE: FailureProbability = FailureProbability(1e-10);
    const SEEN: Trials = Trials {
        successes: 10_000,
        trials: 1_000_000_000,
    };

    #[test]
    fn a_good_prediction_is_nearly_as_tight_as_independence() {
        let kato = kato_mean_max(SEEN, Predicted(10_100.0), FAILURE) - 10_000.0;
        let chernoff = chernoff_mean_max(10_000.0, FAILURE) - 10_000.0;
        assert!(kato < 1.02 * chernoff, "{kato} {chernoff}");
        assert!(kato < hoeffding_deviation(1e9, FAILURE) / 100.0, "{kato}");
    }

    #[test]
    fn a_wrong_prediction_loosens_both_bounds() {
        let right = Predicted(10_000.0);
        for wrong in [0.0, 100.0, 1e6, 5e8, 2e9].map(Predicted) {
            let most = kato_mean_max(SEEN, wrong, FAILURE);
            assert!(most >= kato_mean_max(SEEN, right, FAILURE), "{wrong:?}");
            let least = kato_mean_min(SEEN, wrong, FAILURE);
            assert!(least <= kato_mean_min(SEEN, right, FAILURE), "{wrong:?}");
        }
    }

    #[test]
    fn the_chosen_slope_is_the_best_one() {
        // b + a(2Λ/n − 1) over a grid of a, with b at its smallest.
        let (n, count) = (1e6_f64, 3_000.0);
        let log_inverse = FAILURE.log_inverse();
        let best = deviation(n, count, Predicted(count), FAILURE);
        for step in -400..400 {
            let a = f64::from(step) * 0.1;
            let stretch = 1.0 + 4.0 * a / (3.0 * n.sqrt());
            let b = (a * a + log_inverse / 2.0 * stretch * stretch).sqrt();
            let other = (b + a * (2.0 * count / n - 1.0)) * n.sqrt();
            assert!(best <= other + 1e-9, "a = {a}: {other} below {best}");
        }
    }
}
