//! State-preparation error.

use crate::source::check_probability;
use crate::{Basis, Error};

/// How often the modulator makes the orthogonal state of the basis that Alice chose.
///
/// A real modulator over- or under-rotates by an angle δ, so that the state it makes lies between
/// the four ideal ones (Tamaki, Curty, Kato, Lo, Azuma, Phys. Rev. A 90, 052314 (2014)). Light here
/// is one of four symbols; the error is therefore the rotation averaged over its sign: the
/// orthogonal state with probability sin²(δ/2), which gives the same error rate in Alice's own
/// basis. What that leaves out is all that depends on the sign: outcomes in the other basis stay
/// balanced, and Eve's advantage from states that are not two mutually unbiased bases, which is
/// what Tamaki's loss-tolerant theorem is about, does not exist in this emulation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PreparationError {
    /// Probability of the orthogonal state in basis Z.
    pub key_basis: f64,
    /// Probability of the orthogonal state in basis X.
    pub test_basis: f64,
}

impl PreparationError {
    pub(super) fn check(&self) -> Result<(), Error> {
        check_probability("preparation_error.key_basis", self.key_basis)?;
        check_probability("preparation_error.test_basis", self.test_basis)
    }

    /// The probability in `basis`.
    pub fn in_basis(&self, basis: Basis) -> f64 {
        match basis {
            Basis::Z => self.key_basis,
            Basis::X => self.test_basis,
        }
    }
}
