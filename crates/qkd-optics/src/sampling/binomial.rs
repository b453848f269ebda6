//! Binomial and multinomial numbers for any number of trials, from a handful to 10¹⁵.

use qkd_bits::SecretRng;

use super::GeometricGap;
use crate::mathematics::{ln, ln_1p};

/// How many of `trials` independent trials succeed, each with `probability` in [0, 1].
///
/// Few expected successes: they are visited one by one (geometric gaps). Many: transformed
/// rejection (Hörmann 1993, algorithm BTRS) against the exact probability, taken from Loader's
/// saddle-point form (2000), which loses no digits at large counts. Both are exact to the
/// resolution of a double, and the cost does not grow with the number of trials.
pub(crate) fn binomial(trials: u64, probability: f64, rng: &mut SecretRng) -> u64 {
    if probability > 0.5 {
        return trials - binomial(trials, 1.0 - probability, rng);
    }
    if trials == 0 || probability <= 0.0 {
        return 0;
    }
    if trials as f64 * probability < 10.0 {
        few(trials, probability, rng)
    } else {
        Law::new(trials, probability).draw(rng)
    }
}

/// How `trials` fall on classes with the given probabilities, which add up to 1: exact, as a chain
/// of binomials on what is left.
pub(crate) fn multinomial(trials: u64, law: &[f64], rng: &mut SecretRng) -> Vec<u64> {
    let (mut left, mut mass) = (trials, law.iter().sum::<f64>());
    let mut counts = Vec::with_capacity(law.len());
    for (class, &p) in law.iter().enumerate() {
        let last = class + 1 == law.len();
        let share = if mass > 0.0 { (p / mass).min(1.0) } else { 0.0 };
        let count = if last {
            left
        } else {
            binomial(left, share, rng)
        };
        counts.push(count);
        left -= count;
        mass -= p;
    }
    counts
}

fn few(trials: u64, probability: f64, rng: &mut SecretRng) -> u64 {
    let gap = GeometricGap::new(probability);
    let (mut successes, mut trial) = (0, gap.draw(rng.next_u64()));
    while trial < trials {
        successes += 1;
        trial = trial
            .saturating_add(1)
            .saturating_add(gap.draw(rng.next_u64()));
    }
    successes
}

struct Law {
    n: f64,
    p: f64,
}

impl Law {
    fn new(trials: u64, probability: f64) -> Self {
        Self {
            n: trials as f64,
            p: probability,
        }
    }

    /// BTRS of Hörmann, *J. Stat. Comput. Simul.* 46, 101 (1993), without its squeeze table.
    fn draw(&self, rng: &mut SecretRng) -> u64 {
        let (n, p) = (self.n, self.p);
        let sigma = (n * p * (1.0 - p)).sqrt();
        let b = 1.15 + 2.53 * sigma;
        let a = -0.0873 + 0.0248 * b + 0.01 * p;
        let centre = n * p + 0.5;
        let v_r = 0.92 - 4.2 / b;
        let alpha = (2.83 + 5.1 / b) * sigma;
        let at_mode = self.ln_probability(((n + 1.0) * p).floor());
        loop {
            let u = rng.uniform() - 0.5;
            let v = 1.0 - rng.uniform();
            let us = 0.5 - u.abs();
            if us <= 0.0 {
                continue;
            }
            let k = ((2.0 * a / us + b) * u + centre).floor();
            if us >= 0.07 && v <= v_r {
                return k as u64;
            }
            if !(0.0..=n).contains(&k) {
                continue;
            }
            if ln(v * alpha / (a / (us * us) + b)) <= self.ln_probability(k) - at_mode {
                return k as u64;
            }
        }
    }

    /// ln P(k), Loader, "Fast and accurate computation of binomial probabilities" (2000), eq. 3.
    fn ln_probability(&self, k: f64) -> f64 {
        let (n, p) = (self.n, self.p);
        if k == 0.0 {
            return n * ln_1p(-p);
        }
        if k == n {
            return n * ln(p);
        }
        let rest = n - k;
        stirling_error(n)
            - stirling_error(k)
            - stirling_error(rest)
            - deviance(k, n * p)
            - deviance(rest, n * (1.0 - p))
            + 0.5 * ln(n / (std::f64::consts::TAU * k) / rest)
    }
}

/// ln n! − (½ ln 2πn + n ln n − n).
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        let factorial = (2..=n as u32).fold(1.0, |product, i| product * f64::from(i));
        return ln(factorial) - (n + 0.5) * ln(n) + n - 0.5 * ln(std::f64::consts::TAU);
    }
    let z = 1.0 / (n * n);
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - z / 1188.0) * z) * z) * z) / n
}

/// x ln(x/m) + m − x without cancellation near x = m (Loader's bd0).
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * ln(x / m) + m - x;
    }
    let v = (x - m) / (x + m);
    let mut sum = (x - m) * v;
    let mut term = 2.0 * x * v;
    // v² is below 0.01: ten terms reach 10⁻²⁰ of the sum.
    for j in 1..=10 {
        term *= v * v;
        sum += term / f64::from(2 * j + 1);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng(seed: u8) -> SecretRng {
        SecretRng::from_seed([seed; 32])
    }

    #[test]
    fn log_probability_agrees_with_the_product_of_factorials() {
        let law = Law::new(40, 0.3);
        let ln_factorial = |n: u32| (1..=n).map(|i| f64::from(i).ln()).sum::<f64>();
        for k in 0..=40 {
            let direct = ln_factorial(40) - ln_factorial(k) - ln_factorial(40 - k)
                + f64::from(k) * 0.3f64.ln()
                + f64::from(40 - k) * 0.7f64.ln();
            let ours = law.ln_probability(f64::from(k));
            assert!(
                (ours - direct).abs() < 1e-12,
                "k={k}: {ours} against {direct}"
            );
        }
    }

    /// Chi-square of 200,000 draws against the exact law, on both sides of the switch at 10.
    #[test]
    fn binomial_numbers_follow_the_binomial_law() {
        for (trials, p, quantile) in [(40u64, 0.3, 70.0), (60, 0.7, 80.0), (30, 0.1, 60.0)] {
            let mut rng = rng(5);
            let mut counts = vec![0u32; trials as usize + 1];
            for _ in 0..200_000 {
                counts[binomial(trials, p, &mut rng) as usize] += 1;
            }
            let law = Law::new(trials, p);
            let chi2: f64 = counts
                .iter()
                .enumerate()
                .map(|(k, &c)| (f64::from(c), 2e5 * law.ln_probability(k as f64).exp()))
                .filter(|&(_, expected)| expected > 10.0)
                .map(|(c, expected)| (c - expected).powi(2) / expected)
                .sum();
            // Above the 1e-6 quantile for the number of cells in use (at most 19, 22 and 12).
            assert!(chi2 < quantile, "n={trials} p={p}: chi-square {chi2}");
        }
    }

    #[test]
    fn mean_and_variance_hold_for_a_million_million_trials() {
        let (mut rng, n, p) = (rng(6), 1_000_000_000_000u64, 0.1);
        let (mean, variance) = (n as f64 * p, n as f64 * p * (1.0 - p));
        let draws = 20_000;
        let (mut first, mut second) = (0.0, 0.0);
        for _ in 0..draws {
            let z = (binomial(n, p, &mut rng) as f64 - mean) / variance.sqrt();
            first += z;
            second += z * z;
        }
        let draws = f64::from(draws);
        assert!(
            (first / draws).abs() < 5.0 / draws.sqrt(),
            "mean off by {first}/{draws}"
        );
        assert!(
            (second / draws - 1.0).abs() < 5.0 * (2.0 / draws).sqrt(),
            "variance is {} of what it should be",
            second / draws
        );
    }

    #[test]
    fn a_multinomial_uses_every_trial_and_no_class_without_probability() {
        let mut rng = rng(7);
        for trials in [0, 1, 17, 1_000_000_000_000] {
            let counts = multinomial(trials, &[0.9, 0.0, 0.1], &mut rng);
            assert_eq!(counts.iter().sum::<u64>(), trials);
            assert_eq!(counts[1], 0);
        }
    }
}
