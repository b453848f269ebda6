//! One decoy, finite key, as first published: Rusca, Boaron, Grünenfelder, Martin and Zbinden,
//! "Finite-key analysis for the 1-decoy state QKD protocol", APL 112, 171104 (2018).
//!
//! ℓ = s⁻_Z0 + s⁻_Z1 (1 − h(φ)) − λ_EC − 6 log₂(19/ε_sec) − log₂(2/ε_cor), every Hoeffding bound
//! with ε_sec/19. Key in Z, test in X, as in the paper.
//!
//! **For comparing with published work, not for keys.** arXiv:2405.16578 found the proof in need
//! of correction and gives the theorem that stands in its place, [`crate::wiesemann2024`]: the
//! phase-error term γ is a Taylor approximation and no rigorous bound, the vacuum term is dropped
//! there, and ε_sec is shared out differently.
//!
//! Readings, since the paper allows several:
//! - γ (equation A21) is printed with the 21² of Lim et al. (2014), from where it comes, though
//!   ε_sec has 19 parts here. 21 is kept; it gives the larger γ.
//! - n^± (equation A18) is printed without e^μ_k/p_k, which equation A10 shows to belong there.
//! - s⁺_Z0 is the smaller of what the errors of either intensity allow (equation A16).
//! - Counts lowered by their deviation are not clipped at zero; single-photon and vacuum bounds
//!   are. λ_EC has the block length in it: bits, not bits per bit.

use crate::concentration::{
    FailureProbability, SplitSizes, approximate_sampling_deviation, hoeffding_deviation,
};
use crate::mathematics::{exp, log2};
use crate::range::not_negative;
use crate::theorem::{self, whole_bits};
use crate::{
    BasisStatistics, DecoySource, Error, Figure, IntensityClass, SecurityParameters, Standing,
    Statistics, binary_entropy,
};

/// What [`secret_length`] is worth.
pub const STANDING: Standing = Standing::FiniteAsPublished;

/// Parts that ε_sec is divided into (equation A24 with all parts equal).
const SECRECY_PARTS: f64 = 19.0;
/// The number of parts in γ as printed (equation A21).
const SAMPLING_PARTS: f64 = 21.0;

/// What the length is computed from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Counts and errors, observed or expected; `key` is Z, `test` is X.
    pub statistics: Statistics<f64>,
    /// Signal and decoy.
    pub source: DecoySource,
    /// λ_EC: bits disclosed by error correction, zero or more.
    pub leaked_bits: f64,
    /// ε_sec and ε_cor.
    pub parameters: SecurityParameters,
}

/// The length and every figure it was made from; counts are dimensionless, lengths are bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// s⁻_Z0: at least so many key-basis detections came from vacuum.
    pub vacuum_key_min: f64,
    /// s⁺_Z0: at most so many key-basis detections came from vacuum.
    pub vacuum_key_max: f64,
    /// s⁺_X0: at most so many test-basis detections came from vacuum.
    pub vacuum_test_max: f64,
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
    /// 6 log₂(19/ε_sec).
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
                "vacuum_key_max",
                self.vacuum_key_max,
                theorem::VACUUM_KEY_MAX,
            ),
            Figure::detections(
                "vacuum_test_max",
                self.vacuum_test_max,
                theorem::VACUUM_TEST_MAX,
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

/// How many secret bits the paper gives to `block` (its equation A25).
///
/// # Errors
/// [`Error::OutOfRange`] for counts below zero or not finite, more errors than counts, negative
/// leakage, or a failure probability outside (0, 1).
pub fn secret_length(block: &Block) -> Result<Bounds, Error> {
    let statistics = block.statistics.checked()?;
    let parameters = block.parameters.checked()?;
    let leaked_bits = not_negative("leaked_bits", block.leaked_bits, "zero or more bits")?;
    let failure = parameters.secrecy_share(SECRECY_PARTS);
    let key = BasisBounds::of(&statistics.key, &block.source, failure);
    let test = BasisBounds::of(&statistics.test, &block.source, failure);
    let phase_error_rate = phase_error_rate(&key, &test, &parameters);
    let secrecy_overhead_bits = 6.0 * log2(SECRECY_PARTS / parameters.secrecy);
    let correctness_overhead_bits = log2(2.0 / parameters.correctness);
    let private_bits =
        key.vacuum_min + key.single_photon_min * (1.0 - binary_entropy(phase_error_rate));
    Ok(Bounds {
        vacuum_key_min: key.vacuum_min,
        vacuum_key_max: key.vacuum_max,
        vacuum_test_max: test.vacuum_max,
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
    vacuum_max: f64,
    single_photon_min: f64,
    single_photon_errors_max: f64,
}

impl BasisBounds {
    fn of(
        basis: &BasisStatistics<f64>,
        source: &DecoySource,
        failure: FailureProbability,
    ) -> BasisBounds {
        let [mu_1, mu_2] = source.intensities();
        let tau_0 = source.vacuum_probability();
        let tau_1 = source.single_photon_probability();
        let count_deviation = hoeffding_deviation(basis.total_counts(), failure);
        let error_deviation = hoeffding_deviation(basis.total_errors(), failure);
        // e^μ_k/p_k times a count that was moved by its deviation (equation A18).
        let weighted = |class: IntensityClass, value: f64| {
            let i = class.index();
            exp(source.intensities()[i]) / source.probabilities()[i] * value
        };
        let [signal, decoy] = IntensityClass::ALL;
        let [n_1, n_2] = basis.counts;
        let [m_1, m_2] = basis.errors;
        let n_1_raised = weighted(signal, n_1 + count_deviation);
        let n_2_lowered = weighted(decoy, n_2 - count_deviation);

        // Equation A19.
        let vacuum_min = tau_0 / (mu_1 - mu_2) * (mu_1 * n_2_lowered - mu_2 * n_1_raised);
        // Equation A16: half of the vacuum detections are errors.
        let vacuum_max = IntensityClass::ALL
            .map(|class| {
                let errors = weighted(class, basis.errors[class.index()] + error_deviation);
                2.0 * (tau_0 * errors + count_deviation)
            })
            .into_iter()
            .fold(f64::INFINITY, f64::min);

        // Equation A17.
        let ratio = (mu_2 / mu_1) * (mu_2 / mu_1);
        let single_photon_min = tau_1 * mu_1 / (mu_2 * (mu_1 - mu_2))
            * (n_2_lowered - ratio * n_1_raised - (1.0 - ratio) * vacuum_max / tau_0);
        // Equation A22.
        let single_photon_errors_max = tau_1 / (mu_1 - mu_2)
            * (weighted(signal, m_1 + error_deviation) - weighted(decoy, m_2 - error_deviation));

        BasisBounds {
            vacuum_min: vacuum_min.max(0.0),
            vacuum_max,
            single_photon_min: single_photon_min.max(0.0),
            single_photon_errors_max: single_photon_errors_max.max(0.0),
        }
    }
}

/// φ = v/s + γ(ε_sec, v/s, s_Z1, s_X1), at most ½ (equation A23).
fn phase_error_rate(key: &BasisBounds, test: &BasisBounds, parameters: &SecurityParameters) -> f64 {
    if key.single_photon_min <= 0.0 || test.single_photon_min <= 0.0 {
        return 0.5;
    }
    let observed = test.single_photon_errors_max / test.single_photon_min;
    let sizes = SplitSizes {
        observed: test.single_photon_min,
        inferred: key.single_photon_min,
    };
    let failure = parameters.secrecy_share(SAMPLING_PARTS);
    (observed + approximate_sampling_deviation(sizes, observed, failure)).min(0.5)
}

#[cfg(test)]
mod tests;
