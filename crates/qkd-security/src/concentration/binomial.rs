//! Exact tails of the binomial distribution, and the confidence limits that follow from them.
//!
//! Probabilities after Loader, "Fast and accurate computation of binomial probabilities" (2000),
//! which loses no digits where factorials are large; tails as the incomplete beta function by its
//! continued fraction (DLMF 8.17.22, evaluated with Lentz' method). About 1e-12 relative for
//! tails down to 1e-300, for up to 1e12 trials.

use super::FailureProbability;
use crate::Error;
use crate::bisection::last_holding;
use crate::error::require;
use crate::mathematics::{exp, ln, ln_1p, ln_gamma, pow};

/// Most trials the tails are computed for.
const TRIALS_MAX: u64 = 1_000_000_000_000;

/// How many of how many independent trials of equal probability succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trials {
    /// k: successes, at most `trials`.
    pub successes: u64,
    /// n: trials, at most 1e12.
    pub trials: u64,
}

impl Trials {
    /// The same when successes ≤ trials ≤ 1e12.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] otherwise.
    pub fn checked(self) -> Result<Self, Error> {
        let (k, n) = (self.successes, self.trials);
        let expected = "at most 1e12 trials";
        require("trials", n as f64, n <= TRIALS_MAX, expected)?;
        let expected = "no more successes than trials";
        require("successes", k as f64, k <= n, expected)?;
        Ok(self)
    }

    /// The same seen from the failures.
    fn flipped(self) -> Trials {
        Trials {
            successes: self.trials - self.successes,
            trials: self.trials,
        }
    }
}

/// P(X = k): exactly k of n trials succeed, each with `probability` in \[0, 1\].
pub fn binomial_probability(of: Trials, probability: f64) -> f64 {
    Coin::new(probability).exactly(of)
}

/// P(X ≤ k): at most k of n trials succeed, each with `probability` in \[0, 1\].
pub fn binomial_tail_below(of: Trials, probability: f64) -> f64 {
    Coin::new(probability).flipped().at_least(of.flipped())
}

/// P(X ≥ k): at least k of n trials succeed, each with `probability` in \[0, 1\].
pub fn binomial_tail_above(of: Trials, probability: f64) -> f64 {
    Coin::new(probability).at_least(of)
}

/// The success probability is at most this, but for probability ε: the p with P(X ≤ k) = ε.
///
/// Clopper and Pearson, Biometrika 26, 404 (1934). 1 when every trial succeeded.
pub fn clopper_pearson_max(seen: Trials, failure: FailureProbability) -> f64 {
    if seen.successes >= seen.trials {
        return 1.0;
    }
    let consistent = |probability| binomial_tail_below(seen, probability) >= failure.0;
    last_holding(0.0..=1.0, consistent).unwrap_or(1.0)
}

/// The success probability is at least this, but for probability ε: the p with P(X ≥ k) = ε.
///
/// Clopper and Pearson, Biometrika 26, 404 (1934). 0 when no trial succeeded.
pub fn clopper_pearson_min(seen: Trials, failure: FailureProbability) -> f64 {
    let inconsistent = |probability| binomial_tail_above(seen, probability) < failure.0;
    last_holding(0.0..=1.0, inconsistent).unwrap_or(0.0)
}

/// Probabilities of success and failure, both kept because 1 − p loses the digits of a small p.
#[derive(Clone, Copy)]
struct Coin {
    success: f64,
    failure: f64,
}

impl Coin {
    fn new(probability: f64) -> Coin {
        Coin {
            success: probability,
            failure: 1.0 - probability,
        }
    }

    fn flipped(self) -> Coin {
        Coin {
            success: self.failure,
            failure: self.success,
        }
    }

    /// P(X = k), Loader's saddle-point form.
    fn exactly(self, Trials { successes, trials }: Trials) -> f64 {
        let (k, n) = (successes as f64, trials as f64);
        let rest = n - k;
        if successes == 0 {
            return self.failure_power(n);
        }
        if successes == trials {
            return self.flipped().failure_power(n);
        }
        if self.success <= 0.0 || self.failure <= 0.0 {
            return 0.0;
        }
        let exponent = stirling_rest(n)
            - stirling_rest(k)
            - stirling_rest(rest)
            - deviance(k, n * self.success)
            - deviance(rest, n * self.failure);
        exp(exponent) * (n / (std::f64::consts::TAU * k * rest)).sqrt()
    }

    /// (1 − p)ⁿ; from whichever of p and 1 − p is small, because that one is exact.
    fn failure_power(self, n: f64) -> f64 {
        if self.success < 0.5 {
            exp(n * ln_1p(-self.success))
        } else {
            pow(self.failure, n)
        }
    }

    /// P(X ≥ k).
    fn at_least(self, of: Trials) -> f64 {
        let Trials { successes, trials } = of;
        if successes == 0 {
            return 1.0;
        }
        let mean = (trials as f64 + 1.0) * self.success;
        if (successes as f64) > mean {
            return self.upper_tail(of);
        }
        let fewer = Trials {
            successes: trials - successes + 1,
            trials,
        };
        if fewer.successes > trials {
            return 1.0;
        }
        1.0 - self.flipped().upper_tail(fewer)
    }

    /// P(X ≥ k) for k above the mean: I_p(k, n−k+1) = P(X = k)(1 − p) · continued fraction.
    fn upper_tail(self, of: Trials) -> f64 {
        let a = of.successes as f64;
        let b = (of.trials - of.successes) as f64 + 1.0;
        self.exactly(of) * self.failure * continued_fraction(a, b, self.success)
    }
}

/// ln n! − ln(√(2πn) (n/e)ⁿ), Loader's δ(n).
fn stirling_rest(n: f64) -> f64 {
    if n < 16.0 {
        let half_ln_tau = 0.5 * ln(std::f64::consts::TAU);
        return ln_gamma(n + 1.0) - (n + 0.5) * ln(n) + n - half_ln_tau;
    }
    let square = n * n;
    let inner = 1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / (1188.0 * square)) / square;
    (1.0 / 12.0 - (1.0 / 360.0 - inner / square) / square) / n
}

/// x ln(x/m) + m − x without cancellation, Loader's bd0.
fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * ln(x / mean) - difference;
    }
    let v = difference / (x + mean);
    let mut sum = difference * v;
    let mut power = 2.0 * x * v;
    for order in 1..1000 {
        power *= v * v;
        let next = sum + power / f64::from(2 * order + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// The continued fraction of I_x(a, b)·a·B(a, b)/(xᵃ(1−x)ᵇ), for x below (a+1)/(a+b+2).
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    // Terms needed grow with the root of the larger parameter, and only near the mean.
    let terms = 200 + (20.0 * a.max(b).sqrt()) as u64;
    for term in 1..terms {
        let m = term as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests;
