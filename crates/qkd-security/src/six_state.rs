//! Six-state protocol: Z, X and Y. Bruß, PRL 81, 3018 (1998); Bechmann-Pasquinucci and Gisin, PRA
//! 59, 4238 (1999).
//!
//! The third basis fixes the pair's state in the Bell basis, so that bit and phase errors are known
//! together: 1 − h(Q) − … reaches zero at 12.6193 % instead of 11.0028 % (Lo, Quantum Inf. Comput.
//! 1, 81 (2001)). Asymptotic, single photons or pairs, one-way error correction without noise
//! added beforehand.

use crate::mathematics::log2;
use crate::range;
use crate::{Error, Standing, binary_entropy};

/// What the rates of this module are worth.
pub const STANDING: Standing = Standing::Asymptotic;

/// How far the three error rates may break the triangle before they are refused: rounding.
const ROUNDING: f64 = 1e-12;

/// Share of wrong bits in each basis; the key is made in Z.
///
/// No two of them may add up to less than the third: no state of two qubits does that, though the
/// counts of a small sample may.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SixState {
    /// e_Z, \[0, ½\].
    pub error_z: f64,
    /// e_X, \[0, ½\].
    pub error_x: f64,
    /// e_Y, \[0, ½\].
    pub error_y: f64,
    /// f ≥ 1.
    pub reconciliation_inefficiency: f64,
}

/// What [`SixState`] gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SixStateRate {
    /// Weights of the four Bell states: no error, phase error, bit error, both.
    pub bell_weights: [f64; 4],
    /// H(weights) − h(e_Z): bits Eve has per sifted bit.
    pub holevo_bits: f64,
    /// f h(e_Z): bits disclosed per sifted bit.
    pub disclosed_bits: f64,
    /// 1 − f h(e_Z) − (H(weights) − h(e_Z)), bits per sifted bit; negative means no key.
    pub secret_fraction: f64,
}

impl SixState {
    /// The same error in all bases.
    pub fn symmetric(qber: f64) -> Self {
        SixState {
            error_z: qber,
            error_x: qber,
            error_y: qber,
            reconciliation_inefficiency: 1.0,
        }
    }

    /// Secret bits per sifted bit.
    ///
    /// Eve holds the purification of the Bell-diagonal state, and the key is Alice's Z: Renner,
    /// Gisin and Kraus, PRA 72, 012332 (2005), without added noise.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the figure outside its range, or the Bell weight that would be
    /// negative.
    pub fn rate(&self) -> Result<SixStateRate, Error> {
        let SixState {
            error_z: z,
            error_x: x,
            error_y: y,
            reconciliation_inefficiency,
        } = *self;
        range::error_rate("error_z", z)?;
        range::error_rate("error_x", x)?;
        range::error_rate("error_y", y)?;
        range::inefficiency(reconciliation_inefficiency)?;
        // A phase error shows in X and Y, a bit error in Z and Y, both together in Z and X.
        let mut bell_weights = [
            1.0 - (x + y + z) / 2.0,
            (x + y - z) / 2.0,
            (z + y - x) / 2.0,
            (z + x - y) / 2.0,
        ];
        let names = [
            "the Bell weight without error, 1 − (e_X+e_Y+e_Z)/2,",
            "the Bell weight of phase errors, (e_X+e_Y−e_Z)/2,",
            "the Bell weight of bit errors, (e_Z+e_Y−e_X)/2,",
            "the Bell weight of bit and phase errors, (e_Z+e_X−e_Y)/2,",
        ];
        for (weight, name) in bell_weights.iter_mut().zip(names) {
            let expected = "zero or more: error_x, error_y and error_z fit no state of two qubits";
            range::require(name, *weight, *weight >= -ROUNDING, expected)?;
            *weight = weight.max(0.0);
        }
        let entropy: f64 = bell_weights
            .iter()
            .filter(|weight| **weight > 0.0)
            .map(|weight| -weight * log2(*weight))
            .sum();
        let holevo_bits = entropy - binary_entropy(z);
        let disclosed_bits = reconciliation_inefficiency * binary_entropy(z);
        Ok(SixStateRate {
            bell_weights,
            holevo_bits,
            disclosed_bits,
            secret_fraction: 1.0 - disclosed_bits - holevo_bits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_12_6193_percent() {
        let fraction = |qber| SixState::symmetric(qber).rate().unwrap().secret_fraction;
        assert!(fraction(0.126_192) > 0.0);
        assert!(fraction(0.126_194) < 0.0);
        assert_eq!(fraction(0.0), 1.0);
    }

    /// R = 1 + (3Q/2) log₂(Q/2) + (1 − 3Q/2) log₂(1 − 3Q/2), the formula in textbooks.
    #[test]
    fn equal_errors_give_the_textbook_formula() {
        for qber in [0.01_f64, 0.05, 0.1] {
            let rest = 1.0 - 1.5 * qber;
            let expected = 1.0 + 1.5 * qber * (qber / 2.0).log2() + rest * rest.log2();
            let rate = SixState::symmetric(qber).rate().unwrap();
            assert!((rate.secret_fraction - expected).abs() < 1e-14);
        }
    }

    /// e_Y = e_X + e_Z − 2 e_X e_Z is what independent bit and phase errors show: BB84's rate.
    #[test]
    fn independent_errors_give_the_rate_of_two_bases() {
        let (z, x) = (0.03, 0.07);
        let rate = SixState {
            error_z: z,
            error_x: x,
            error_y: x + z - 2.0 * x * z,
            reconciliation_inefficiency: 1.1,
        };
        let expected = 1.0 - 1.1 * binary_entropy(z) - binary_entropy(x);
        let fraction = rate.rate().unwrap().secret_fraction;
        assert!((fraction - expected).abs() < 1e-14);
    }

    #[test]
    fn errors_that_no_state_shows_are_refused() {
        let error = SixState {
            error_z: 0.2,
            error_x: 0.05,
            error_y: 0.05,
            reconciliation_inefficiency: 1.0,
        };
        let text = error.rate().unwrap_err().to_string();
        assert!(text.contains("(e_X+e_Y−e_Z)/2"), "{text}");
        assert!(SixState::symmetric(0.6).rate().is_err());
    }
}
