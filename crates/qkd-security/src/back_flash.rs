//! What the key pays for light that Bob's detectors give off.
//!
//! A photon of a click that gets out of Bob's laboratory may have told Eve the bit (Pinheiro et al., Opt.
//! Express 26, 21020 (2018)). It leaves by a probability that is measured on the hardware and by nothing
//! that anybody does, so that the bits it may have told are a binomial count; so many are cut off.

use crate::mathematics::ln;
use crate::{Error, range};

/// Light that leaves Bob's laboratory by his clicks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeavingFlashes {
    /// Probability that a click lets a photon out into the fibre: that of a flash times the
    /// transmittance of Bob's entrance backwards, 0 to below 1. Eve's detectors are perfect.
    pub probability: f64,
}

impl LeavingFlashes {
    /// Bits of a key of `key_bits` sifted bits that flashes have told, but for a probability of
    /// `failure`: n·q + √(n ln(1/ε)/2) (Hoeffding, J. Am. Stat. Assoc. 58, 13 (1963)), rounded up.
    /// Nothing where nothing leaves.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for probabilities that are none.
    pub fn charged_bits(&self, key_bits: u64, failure: f64) -> Result<u64, Error> {
        let q = range::below_one("probability of a flash", self.probability)?;
        let holds = failure > 0.0 && failure < 1.0;
        let expected = "a probability above 0 and below 1";
        range::require("failure probability", failure, holds, expected)?;
        if q == 0.0 {
            return Ok(0);
        }
        let n = key_bits as f64;
        let charged = (n * q + (0.5 * n * -ln(failure)).sqrt()).ceil();
        Ok((charged as u64).min(key_bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charge_is_the_mean_and_room_for_chance_and_never_more_than_the_key() {
        let flashes = LeavingFlashes { probability: 0.03 };
        // √(½ · 10⁶ · ln 10¹⁰) = 3393.07.
        assert_eq!(flashes.charged_bits(1_000_000, 1e-10), Ok(33_394));
        assert_eq!(flashes.charged_bits(10, 1e-10), Ok(10));
        let none = LeavingFlashes { probability: 0.0 };
        assert_eq!(none.charged_bits(1_000_000, 1e-10), Ok(0));
        assert!(flashes.charged_bits(10, 0.0).is_err());
        let broken = LeavingFlashes { probability: 1.0 };
        assert!(broken.charged_bits(10, 0.1).is_err());
    }
}
