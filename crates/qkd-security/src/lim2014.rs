//! Two decoys, finite key: Lim, Curty, Walenta, Xu and Zbinden, "Concise security bounds for
//! practical decoy-state quantum key distribution", PRA 89, 022307 (2014).
//!
//! ℓ = s⁻_0 + s⁻_1 (1 − h(φ)) − λ_EC − 6 log₂(21/ε_sec) − log₂(2/ε_cor) (equation 1), every
//! Hoeffding bound with ε_sec/21. The paper makes the key in X and tests in Z; here, as everywhere
//! in this crate, the key is in **Z** and the test in **X**.
//!
//! **For comparing with published work, not for keys.** γ in its phase error rate (equation 5) is
//! a Taylor approximation of the hypergeometric tail and reported not to be a rigorous bound;
//! [`crate::wiesemann2024`] has Serfling's in its place. It takes three intensities, so it has its
//! own input types: a session of this project sends two.
//!
//! Misprints, and how they are read:
//! - The error probability e_k of the paper's channel (section IV) has η_ch where the transmittance
//!   of the whole system, η_sys, is meant. No channel is in this file; its tests use η_sys.
//! - λ_EC lacks the factor n_X: it is f n h(E), bits of the block and not per bit.
//!
//! Counts lowered by their deviation may be clipped at zero, where they must lie anyway: see
//! [`LoweredCounts`]. It moves the length by up to 18 % on the paper's example.

use crate::concentration::{
    FailureProbability, SplitSizes, approximate_sampling_deviation, hoeffding_deviation,
};
use crate::error::require;
use crate::mathematics::{exp, log2};
use crate::range::not_negative;
use crate::statistics::{KEY_BASIS, TEST_BASIS, check_basis};
use crate::theorem::{self, whole_bits};
use crate::{Error, Figure, SecurityParameters, Standing, binary_entropy};

/// What [`secret_length`] is worth.
pub const STANDING: Standing = Standing::FiniteAsPublished;

/// Parts that ε_sec is divided into (below equation 1, all parts equal).
const SECRECY_PARTS: f64 = 21.0;

/// A phase-randomised weak coherent source with a signal and two decoys.
///
/// Holds μ₁ > μ₂ + μ₃, μ₂ > μ₃ ≥ 0 and probabilities that add up to one; there is no other way to
/// build one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    intensities: [f64; 3],
    probabilities: [f64; 3],
}

impl Source {
    /// A source of `intensities` \[μ₁, μ₂, μ₃\] (mean photons per pulse) chosen with
    /// `probabilities`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless 0 ≤ μ₃ < μ₂, μ₂ + μ₃ < μ₁ ≤ 10, every probability lies strictly
    /// between 0 and 1 and they add up to 1 within 1e-9.
    pub fn new(intensities: [f64; 3], probabilities: [f64; 3]) -> Result<Self, Error> {
        let [mu_1, mu_2, mu_3] = intensities;
        let holds = (0.0..=10.0).contains(&mu_3);
        let expected = "a mean photon number from 0 to 10";
        require("intensities[2]", mu_3, holds, expected)?;
        let holds = mu_2 > mu_3 && mu_2 <= 10.0;
        let expected = "a mean photon number above intensities[2] and at most 10";
        require("intensities[1]", mu_2, holds, expected)?;
        let holds = mu_1 > mu_2 + mu_3 && mu_1 <= 10.0;
        let expected = "a mean photon number above intensities[1] + intensities[2], at most 10";
        require("intensities[0]", mu_1, holds, expected)?;
        for probability in probabilities {
            require(
                "an entry of intensity_probabilities",
                probability,
                probability > 0.0 && probability < 1.0,
                "a probability strictly between 0 and 1",
            )?;
        }
        let sum: f64 = probabilities.iter().sum();
        let holds = (sum - 1.0).abs() <= 1e-9;
        require("the sum of intensity_probabilities", sum, holds, "1")?;
        Ok(Source {
            intensities,
            probabilities,
        })
    }

    /// \[μ₁, μ₂, μ₃\]: mean photon numbers of the signal and the two decoys.
    pub fn intensities(&self) -> [f64; 3] {
        self.intensities
    }

    /// How often each of them is chosen.
    pub fn probabilities(&self) -> [f64; 3] {
        self.probabilities
    }

    /// Mean of `value` over the intensities, weighted by how often each is sent.
    pub fn average(&self, value: impl Fn(f64) -> f64) -> f64 {
        let terms = self.intensities.iter().zip(self.probabilities);
        terms
            .map(|(&mu, probability)| probability * value(mu))
            .sum()
    }
}

/// What one basis showed, per intensity in the order of [`Source`]; observed or expected.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct BasisCounts {
    /// Detections in slots where both sides chose this basis.
    pub counts: [f64; 3],
    /// How many of them carry different bits at Alice and Bob.
    pub errors: [f64; 3],
}

impl BasisCounts {
    /// Detections of all intensities.
    pub fn total_counts(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Errors of all intensities.
    pub fn total_errors(&self) -> f64 {
        self.errors.iter().sum()
    }

    /// Errors divided by detections, all intensities together; 0 without detections.
    pub fn qber(&self) -> f64 {
        let counts = self.total_counts();
        if counts > 0.0 {
            self.total_errors() / counts
        } else {
            0.0
        }
    }
}

/// What becomes of a count whose deviation is larger than itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LoweredCounts {
    /// Zero: no mean lies below, so this is as valid and tighter.
    #[default]
    Clipped,
    /// Negative, as the equations are printed.
    AsPrinted,
}

/// What the length is computed from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Z, whose bits become the key (X in the paper).
    pub key: BasisCounts,
    /// X, whose bits are disclosed (Z in the paper).
    pub test: BasisCounts,
    /// Signal and two decoys.
    pub source: Source,
    /// λ_EC: bits disclosed by error correction, zero or more.
    pub leaked_bits: f64,
    /// ε_sec and ε_cor.
    pub parameters: SecurityParameters,
    /// What becomes of counts lowered below zero.
    pub lowered_counts: LoweredCounts,
}

/// The length and every figure it was made from; counts are dimensionless, lengths are bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// s⁻_Z0: at least so many key-basis detections came from vacuum.
    pub vacuum_key_min: f64,
    /// s⁻_X0: at least so many test-basis detections came from vacuum.
    pub vacuum_test_min: f64,
    /// s⁻_Z1: at least so many key-basis detections came from single photons.
    pub single_photon_key_min: f64,
    /// s⁻_X1: at least so many test-basis detections came from single photons.
    pub single_photon_test_min: f64,
    /// v⁺_X1: at most so many errors among the single photons of the test basis.
    pub single_photon_test_errors_max: f64,
    /// φ: phase error rate as the paper bounds it, clamped to ½.
    pub phase_error_rate: f64,
    /// λ_EC: bits disclosed by error correction.
    pub leaked_bits: f64,
    /// 6 log₂(21/ε_sec).
    pub secrecy_overhead_bits: f64,
    /// log₂(2/ε_cor).
    pub correctness_overhead_bits: f64,
    /// ℓ before it is clamped at zero and rounded down: negative means no key.
    pub length_unclamped: f64,
}

impl Bounds {
    /// ℓ in whole bits, 0 when there is no key.
    pub fn secret_length_bits(&self) -> u64 {
        whole_bits(self.length_unclamped)
    }

    /// Every figure with its meaning and unit, in the order in which the length is made of them.
    pub fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::detections(
                "vacuum_key_min",
                self.vacuum_key_min,
                theorem::VACUUM_KEY_MIN,
            ),
            Figure::detections(
                "vacuum_test_min",
                self.vacuum_test_min,
                theorem::VACUUM_TEST_MIN,
            ),
            Figure::detections(
                "single_photon_key_min",
                self.single_photon_key_min,
                theorem::SINGLE_PHOTON_KEY_MIN,
            ),
            Figure::detections(
                "single_photon_test_min",
                self.single_photon_test_min,
                theorem::SINGLE_PHOTON_TEST_MIN,
            ),
            Figure::detections(
                "single_photon_test_errors_max",
                self.single_photon_test_errors_max,
                theorem::SINGLE_PHOTON_TEST_ERRORS_MAX,
            ),
            Figure::plain(
                "phase_error_rate",
                self.phase_error_rate,
                theorem::PHASE_ERROR_RATE,
            ),
            Figure::bits("leaked_bits", self.leaked_bits, theorem::LEAKED_BITS),
            Figure::bits(
                "secrecy_overhead_bits",
                self.secrecy_overhead_bits,
                theorem::SECRECY_OVERHEAD,
            ),
            Figure::bits(
                "correctness_overhead_bits",
                self.correctness_overhead_bits,
                theorem::CORRECTNESS_OVERHEAD,
            ),
            Figure::bits(
                "length_unclamped_bits",
                self.length_unclamped,
                theorem::LENGTH_UNCLAMPED,
            ),
        ]
    }
}

/// How many secret bits the paper gives to `block` (its equation 1).
///
/// # Errors
/// [`Error::OutOfRange`] for counts below zero or not finite, more errors than counts, negative
/// leakage, or a failure probability outside (0, 1).
pub fn secret_length(block: &Block) -> Result<Bounds, Error> {
    check_basis(&KEY_BASIS, &block.key.counts, &block.key.errors)?;
    check_basis(&TEST_BASIS, &block.test.counts, &block.test.errors)?;
    let parameters = block.parameters.checked()?;
    let leaked_bits = not_negative("leaked_bits", block.leaked_bits, "zero or more bits")?;
    let failure = parameters.secrecy_share(SECRECY_PARTS);
    let key = BasisBounds::of(&block.key, block, failure);
    let test = BasisBounds::of(&block.test, block, failure);
    let phase_error_rate = phase_error_rate(&key, &test, failure);
    let secrecy_overhead_bits = 6.0 * log2(SECRECY_PARTS / parameters.secrecy);
    let correctness_overhead_bits = log2(2.0 / parameters.correctness);
    let private_bits =
        key.vacuum_min + key.single_photon_min * (1.0 - binary_entropy(phase_error_rate));
    Ok(Bounds {
        vacuum_key_min: key.vacuum_min,
        vacuum_test_min: test.vacuum_min,
        single_photon_key_min: key.single_photon_min,
        single_photon_test_min: test.single_photon_min,
        single_photon_test_errors_max: test.single_photon_errors_max,
        phase_error_rate,
        leaked_bits,
        secrecy_overhead_bits,
        correctness_overhead_bits,
        length_unclamped: private_bits
            - leaked_bits
            - secrecy_overhead_bits
            - correctness_overhead_bits,
    })
}

/// What the decoy method says about one basis.
struct BasisBounds {
    vacuum_min: f64,
    single_photon_min: f64,
    single_photon_errors_max: f64,
}

impl BasisBounds {
    fn of(basis: &BasisCounts, block: &Block, failure: FailureProbability) -> BasisBounds {
        let source = &block.source;
        let [mu_1, mu_2, mu_3] = source.intensities;
        let tau_0 = source.average(|mu| exp(-mu));
        let tau_1 = source.average(|mu| exp(-mu) * mu);
        let count_deviation = hoeffding_deviation(basis.total_counts(), failure);
        let error_deviation = hoeffding_deviation(basis.total_errors(), failure);
        // n^± and m^± of the paper: e^μ_k/p_k times a count moved by Hoeffding's deviation.
        let weight = |i: usize| exp(source.intensities[i]) / source.probabilities[i];
        let raised =
            |i: usize, values: &[f64; 3], deviation: f64| weight(i) * (values[i] + deviation);
        let lowered = |i: usize, values: &[f64; 3], deviation: f64| {
            let value = values[i] - deviation;
            weight(i)
                * match block.lowered_counts {
                    LoweredCounts::Clipped => value.max(0.0),
                    LoweredCounts::AsPrinted => value,
                }
        };
        let counts = &basis.counts;

        // Equation 2.
        let vacuum_min = tau_0 / (mu_2 - mu_3)
            * (mu_2 * lowered(2, counts, count_deviation)
                - mu_3 * raised(1, counts, count_deviation));
        let vacuum_min = vacuum_min.max(0.0);

        // Equation 3.
        let squares = mu_2 * mu_2 - mu_3 * mu_3;
        let single_photon_min = tau_1 * mu_1 / (mu_1 * (mu_2 - mu_3) - squares)
            * (lowered(1, counts, count_deviation)
                - raised(2, counts, count_deviation)
                - squares / (mu_1 * mu_1)
                    * (raised(0, counts, count_deviation) - vacuum_min / tau_0));

        // Equation 4.
        let errors = &basis.errors;
        let single_photon_errors_max = tau_1 / (mu_2 - mu_3)
            * (raised(1, errors, error_deviation) - lowered(2, errors, error_deviation));

        BasisBounds {
            vacuum_min,
            single_photon_min: single_photon_min.max(0.0),
            single_photon_errors_max: single_photon_errors_max.max(0.0),
        }
    }
}

/// φ = v/s + γ(ε_sec, v/s, s_X1, s_Z1), at most ½ (equation 5).
fn phase_error_rate(key: &BasisBounds, test: &BasisBounds, failure: FailureProbability) -> f64 {
    if key.single_photon_min <= 0.0 || test.single_photon_min <= 0.0 {
        return 0.5;
    }
    let observed = test.single_photon_errors_max / test.single_photon_min;
    let sizes = SplitSizes {
        observed: test.single_photon_min,
        inferred: key.single_photon_min,
    };
    (observed + approximate_sampling_deviation(sizes, observed, failure)).min(0.5)
}

#[cfg(test)]
mod tests;
