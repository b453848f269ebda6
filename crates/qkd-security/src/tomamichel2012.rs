//! Single photons or pairs, finite key: Tomamichel, Lim, Gisin and Renner, "Tight finite-key
//! analysis for quantum cryptography", Nat. Commun. 3, 634 (2012).
//!
//! ℓ = n (1 − h(φ)) − λ_EC − log₂(2/(ε_sec² ε_cor)), φ = Q_tol + μ (equation 2 with perfect
//! preparation, q = 1). Proven for BB84 with a source of single photons; for BBM92 it holds with the
//! same length, because the pair's other half prepares Alice's state and the source may be Eve's.
//! Pulses that may hold several photons are outside: they need decoys, as in
//! [`crate::wiesemann2024`].
//!
//! μ is Serfling's deviation with failure probability (ε_sec/4)², so that smoothing the entropy
//! takes one half of ε_sec and hashing the other: √((n+k)(k+1)/(n k²) ln(4/ε_sec)).
//!
//! Assumptions: detection independent of the basis; basis choices random and unknown to Eve; the
//! rate of phase errors is judged from `test_bits` drawn at random, or is a bound already.

use crate::concentration::{FailureProbability, SplitSizes, serfling_deviation};
use crate::mathematics::log2;
use crate::theorem::whole_bits;
use crate::theorem::{
    CORRECTNESS_OVERHEAD, LEAKED_BITS, LENGTH_UNCLAMPED, PHASE_ERROR_RATE, SECRECY_OVERHEAD,
};
use crate::{Error, Figure, SecurityParameters, Standing, binary_entropy, range};

/// What [`secret_length`] is worth.
pub const STANDING: Standing = Standing::FiniteKey;

/// How well the phase errors of the key are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PhaseErrors {
    /// A bound that holds for the key itself.
    Bounded {
        /// φ, \[0, ½\].
        phase_error_rate: f64,
    },
    /// A rate seen in bits of the other basis.
    Seen {
        /// Share of wrong bits among them, \[0, ½\].
        phase_error_rate: f64,
        /// k: how many bits were looked at, above 0.
        test_bits: f64,
    },
}

/// What the length is computed from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// n: bits of the key basis that become the key, above 0.
    pub block_bits: f64,
    /// Phase errors of those bits.
    pub phase_errors: PhaseErrors,
    /// λ_EC: bits disclosed by error correction, zero or more.
    pub leaked_bits: f64,
    /// ε_sec and ε_cor.
    pub parameters: SecurityParameters,
}

/// The length and every figure it was made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// μ: what sampling may hide; 0 when the phase error rate is a bound already.
    pub sampling_deviation: f64,
    /// φ: at most this rate of phase errors, clamped to ½.
    pub phase_error_rate: f64,
    /// λ_EC: bits disclosed by error correction.
    pub leaked_bits: f64,
    /// 2 log₂(1/ε_sec).
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
            Figure::plain(
                "sampling_deviation",
                self.sampling_deviation,
                "phase errors that the sample may hide, at most (μ)",
            ),
            Figure::plain("phase_error_rate", self.phase_error_rate, PHASE_ERROR_RATE),
            Figure::bits("leaked_bits", self.leaked_bits, LEAKED_BITS),
            Figure::bits(
                "secrecy_overhead_bits",
                self.secrecy_overhead_bits,
                SECRECY_OVERHEAD,
            ),
            Figure::bits(
                "correctness_overhead_bits",
                self.correctness_overhead_bits,
                CORRECTNESS_OVERHEAD,
            ),
            Figure::bits(
                "length_unclamped_bits",
                self.length_unclamped,
                LENGTH_UNCLAMPED,
            ),
        ]
    }
}

/// How many secret bits `block` holds (equation 2).
///
/// # Errors
/// [`Error::OutOfRange`] names the first figure outside its range.
pub fn secret_length(block: &Block) -> Result<Bounds, Error> {
    let n = range::positive("block_bits", block.block_bits, "a number of bits above 0")?;
    let leaked_bits = range::not_negative("leaked_bits", block.leaked_bits, "zero or more bits")?;
    let parameters = block.parameters.checked()?;
    let (seen, sampling_deviation) = match block.phase_errors {
        PhaseErrors::Bounded { phase_error_rate } => (phase_error_rate, 0.0),
        PhaseErrors::Seen {
            phase_error_rate,
            test_bits,
        } => {
            let observed = range::positive("test_bits", test_bits, "a number of bits above 0")?;
            let share = parameters.secrecy_share(4.0).0;
            let smoothing_event = FailureProbability(share * share);
            let sizes = SplitSizes {
                observed,
                inferred: n,
            };
            (phase_error_rate, serfling_deviation(sizes, smoothing_event))
        }
    };
    range::error_rate("phase_error_rate", seen)?;
    let phase_error_rate = (seen + sampling_deviation).min(0.5);
    let secrecy_overhead_bits = -2.0 * log2(parameters.secrecy);
    let correctness_overhead_bits = log2(2.0 / parameters.correctness);
    Ok(Bounds {
        sampling_deviation,
        phase_error_rate,
        leaked_bits,
        secrecy_overhead_bits,
        correctness_overhead_bits,
        length_unclamped: n * (1.0 - binary_entropy(phase_error_rate))
            - leaked_bits
            - secrecy_overhead_bits
            - correctness_overhead_bits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: SecurityParameters = SecurityParameters {
        secrecy: 1e-10,
        correctness: 1e-15,
    };

    fn block(phase_errors: PhaseErrors) -> Block {
        Block {
            block_bits: 1e6,
            phase_errors,
            leaked_bits: 1.1 * 1e6 * binary_entropy(0.01),
            parameters: PARAMETERS,
        }
    }

    #[test]
    fn the_length_is_the_papers_by_hand() {
        let bounds = secret_length(&block(PhaseErrors::Seen {
            phase_error_rate: 0.01,
            test_bits: 1e6,
        }))
        .unwrap();
        // √(2e6·1000001/(1e6·1e12) · ln 4e10), done by hand.
        let deviation = (2.000_002e-6_f64 * (4e10_f64).ln()).sqrt();
        assert!((bounds.sampling_deviation / deviation - 1.0).abs() < 1e-12);
        let entropy = |p: f64| -p * p.log2() - (1.0 - p) * (1.0 - p).log2();
        let expected = 1e6 * (1.0 - entropy(0.01 + deviation) - 1.1 * entropy(0.01))
            - (2.0 / (1e-20_f64 * 1e-15)).log2();
        assert!((bounds.length_unclamped / expected - 1.0).abs() < 1e-10);
        assert_eq!(bounds.secret_length_bits(), expected as u64);
    }

    #[test]
    fn a_bound_needs_no_deviation_and_a_small_sample_leaves_nothing() {
        let rate = 0.02;
        let bounded = block(PhaseErrors::Bounded {
            phase_error_rate: rate,
        });
        let bounded = secret_length(&bounded).unwrap();
        assert_eq!(
            (bounded.sampling_deviation, bounded.phase_error_rate),
            (0.0, rate)
        );
        let seen = block(PhaseErrors::Seen {
            phase_error_rate: rate,
            test_bits: 10.0,
        });
        let seen = secret_length(&seen).unwrap();
        assert_eq!(seen.phase_error_rate, 0.5);
        assert_eq!(seen.secret_length_bits(), 0);
    }

    #[test]
    fn figures_outside_their_range_are_named() {
        let good = block(PhaseErrors::Bounded {
            phase_error_rate: 0.02,
        });
        let wrong = Block {
            block_bits: 0.0,
            ..good
        };
        let said = secret_length(&wrong).unwrap_err().to_string();
        assert!(said.contains("block_bits is 0"), "{said}");
        let wrong = block(PhaseErrors::Bounded {
            phase_error_rate: 0.7,
        });
        let said = secret_length(&wrong).unwrap_err().to_string();
        assert!(said.contains("phase_error_rate is 0.7"), "{said}");
    }
}
