//! Samplers that are exact to the resolution of a double.

pub(crate) mod alias;
pub(crate) mod binomial;

use qkd_bits::PhysicsRng;

use crate::mathematics::{exp, ln, ln_1p};

/// An exponentially distributed number of mean 1 from 64 uniform bits, at most 36.7.
#[inline]
pub(crate) fn exponential(bits: u64) -> f64 {
    -ln(((bits >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64))
}

/// Number of slots without an event before the next one, each slot having one independently.
///
/// floor(E / −ln(1−p)) with E exponential is exactly geometric.
pub(crate) struct GeometricGap {
    /// Slots per unit of the exponential: 1 / −ln(1−p).
    slots: f64,
}

impl GeometricGap {
    /// Gaps between events of the given `probability` per slot, in [0, 1].
    pub fn new(probability: f64) -> Self {
        let slots = if probability >= 1.0 {
            0.0
        } else {
            -1.0 / ln_1p(-probability)
        };
        // 1/−0 is an infinity of either sign; a probability of 0 means never.
        Self { slots: slots.abs() }
    }

    /// Gaps whose exponential twin has a mean of `slots`.
    pub fn with_decay(slots: f64) -> Self {
        Self { slots }
    }

    /// A gap from 64 uniform bits; `u64::MAX` when there is never an event.
    #[inline]
    pub fn draw(&self, bits: u64) -> u64 {
        // A conversion from a float saturates, so that an infinite gap becomes the longest.
        (exponential(bits) * self.slots) as u64
    }
}

/// A probability as a threshold for 64 uniform bits, to 2⁻⁵³ of itself or 2⁻⁶⁴.
pub(crate) fn threshold(probability: f64) -> u64 {
    (probability * (1u128 << 64) as f64) as u64
}

/// A normally distributed number of mean 0 and variance 1 (Marsaglia's polar method).
pub(crate) fn normal(physics: &mut PhysicsRng) -> f64 {
    loop {
        let (x, y) = (2.0 * physics.uniform() - 1.0, 2.0 * physics.uniform() - 1.0);
        let square = x * x + y * y;
        // The centre itself has no direction; a subnormal square no logarithm.
        if (f64::MIN_POSITIVE..1.0).contains(&square) {
            return x * (-2.0 * ln(square) / square).sqrt();
        }
    }
}

/// Poisson probabilities of 0, 1, … up to `photons_max` photons at a `mean`.
pub(crate) fn poisson(mean: f64, photons_max: u8) -> Vec<f64> {
    let mut law = Vec::with_capacity(usize::from(photons_max) + 1);
    let mut p = exp(-mean);
    for n in 0..=photons_max {
        law.push(p);
        p *= mean / (f64::from(n) + 1.0);
    }
    law
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chi-square of gaps 0, 1, …, 30 and beyond against (1−p)ᵍ p.
    #[test]
    fn gaps_are_geometric() {
        let mut rng = PhysicsRng::from_seed(2);
        for p in [0.9, 0.4, 0.1, 0.03] {
            let gap = GeometricGap::new(p);
            let draws = 400_000;
            let mut counts = [0u32; 32];
            for _ in 0..draws {
                counts[gap.draw(rng.next_u64()).min(31) as usize] += 1;
            }
            let (mut chi2, mut cells, mut rest, mut rest_count) = (0.0, 0, 1.0f64, draws);
            for (g, &count) in counts.iter().enumerate().take(31) {
                let expected = f64::from(draws) * p * (1.0f64 - p).powi(g as i32);
                if expected < 20.0 {
                    break;
                }
                chi2 += (f64::from(count) - expected).powi(2) / expected;
                rest -= expected / f64::from(draws);
                rest_count -= count;
                cells += 1;
            }
            let expected = rest * f64::from(draws);
            if expected > 20.0 {
                chi2 += (f64::from(rest_count) - expected).powi(2) / expected;
            }
            // The 1e-6 quantile of chi-square with 31 degrees of freedom is 82.5.
            assert!(chi2 < 82.5, "p={p}: chi-square {chi2} over {cells} cells");
        }
    }

    #[test]
    fn impossible_and_certain_events_have_the_longest_and_the_shortest_gap() {
        assert_eq!(GeometricGap::new(0.0).draw(1 << 40), u64::MAX);
        assert_eq!(GeometricGap::new(1.0).draw(1 << 40), 0);
        let rare = GeometricGap::new(1e-12);
        let mut rng = PhysicsRng::from_seed(3);
        let mean = (0..10_000)
            .map(|_| rare.draw(rng.next_u64()) as f64 / 1e12)
            .sum::<f64>()
            / 1e4;
        assert!(
            (mean - 1.0).abs() < 0.05,
            "mean gap {mean} × 1e12, 5 sigma are 0.05"
        );
    }

    /// Shares within one, two and three standard deviations, and the mean.
    #[test]
    fn normal_numbers_are_normal() {
        let mut rng = PhysicsRng::from_seed(4);
        let draws = 300_000;
        let (mut sum, mut within) = (0.0, [0u32; 3]);
        for _ in 0..draws {
            let x = normal(&mut rng);
            sum += x;
            for (limit, count) in (1..).zip(&mut within) {
                *count += u32::from(x.abs() < f64::from(limit));
            }
        }
        let n = f64::from(draws);
        assert!((sum / n).abs() < 4.9 / n.sqrt(), "mean {}", sum / n);
        for (count, p) in within
            .into_iter()
            .zip([0.682_689_5, 0.954_499_7, 0.997_300_2])
        {
            let off = (f64::from(count) - n * p) / (n * p * (1.0 - p)).sqrt();
            assert!(off.abs() < 4.9, "{off} sigma off {p}");
        }
    }

    #[test]
    fn poisson_probabilities_add_up() {
        for mean in [0.0, 1e-9, 0.5, 16.0] {
            let law = poisson(mean, 120);
            assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        }
    }
}
