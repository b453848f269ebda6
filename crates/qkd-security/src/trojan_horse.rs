//! What the key pays for light that comes back out of Alice's laboratory.
//!
//! Lucamarini et al., Phys. Rev. X 5, 031030 (2015): light of intensity μ_out that leaves the modulator
//! and carries its setting makes the states of the two bases distinguishable. Nothing of that shows in
//! the counts; the bound on the phase error grows by it.

use crate::mathematics::{cos, exp_m1, sin};
use crate::{Error, range};

/// Light that leaves Alice's laboratory beside her pulses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReturnedLight {
    /// Mean photon number per slot, μ_out, 0 to 1.
    pub photons: f64,
    /// Yield of single photons, Y₁, above 0 and at most 1: Eve may have stopped all those of which she
    /// learnt nothing.
    pub single_photon_yield: f64,
}

impl ReturnedLight {
    /// The phase error rate e′ that privacy amplification has to reckon with where `error_rate` was
    /// measured in the test basis, ½ at most: e + 4Δ′(1−Δ′)(1−2e) + 4(1−2Δ′)√(Δ′(1−Δ′) e(1−e)) with
    /// Δ′ = Δ/Y₁. (The paper's bound after Koashi and Gottesman, Lo, Lütkenhaus and Preskill.)
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a yield, an error rate or light that cannot be.
    pub fn phase_error_rate(&self, error_rate: f64) -> Result<f64, Error> {
        let e = range::error_rate("error_rate", error_rate)?;
        let light = (0.0..=1.0).contains(&self.photons);
        let expected = "a mean photon number from 0 to 1";
        range::require("returned light", self.photons, light, expected)?;
        let y = self.single_photon_yield;
        let expected = "a yield above 0 and at most 1";
        range::require("single_photon_yield", y, y > 0.0 && y <= 1.0, expected)?;
        Ok(worsened(e, imbalance(self.photons) / y))
    }
}

/// Δ = (1 − e^(−μ) cos μ)/2: by how much the states of the two bases differ where light of mean photon
/// number `photons`, 0 to 1, comes back with them.
pub(crate) fn imbalance(photons: f64) -> f64 {
    let mu = photons;
    // As (1 − e^(−μ)) cos μ + (1 − cos μ), where nothing cancels.
    let half = sin(0.5 * mu);
    0.5 * (-exp_m1(-mu) * cos(mu) + 2.0 * half * half)
}

/// e′, ½ at most, from an error rate of at most ½ and the imbalance Δ′ ≥ 0 of what is kept: the
/// square of the sine of arcsin √e + 2 arcsin √Δ′, so it grows with both.
pub(crate) fn worsened(error_rate: f64, imbalance: f64) -> f64 {
    let e = error_rate;
    // Beyond ½ the bases are told apart for all she keeps.
    if imbalance >= 0.5 {
        return 0.5;
    }
    let product = imbalance * (1.0 - imbalance);
    let worse = e
        + 4.0 * product * (1.0 - 2.0 * e)
        + 4.0 * (1.0 - 2.0 * imbalance) * (product * e * (1.0 - e)).sqrt();
    worse.min(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary_entropy;

    /// `attack_signatures.csv`: μ_out, Y₁, e′ at e = 1 %, and 1 − h(e′) − 1.2 h(0.01).
    const REFERENCE: [(f64, f64, f64, f64); 12] = [
        (1e-8, 1.0, 0.010_028, 0.822_07),
        (1e-8, 0.01, 0.010_283, 0.820_38),
        (1e-7, 1.0, 0.010_089, 0.821_66),
        (1e-7, 0.01, 0.010_910, 0.816_28),
        (1e-6, 1.0, 0.010_283, 0.820_38),
        (1e-6, 0.01, 0.013_010, 0.802_90),
        (1e-5, 1.0, 0.010_910, 0.816_28),
        (1e-5, 0.01, 0.020_847, 0.756_88),
        (1e-4, 1.0, 0.013_010, 0.802_90),
        (1e-4, 0.01, 0.057_293, 0.586_44),
        (1e-3, 1.0, 0.020_847, 0.756_88),
        (1e-3, 0.01, 0.274_267, 0.055_53),
    ];

    #[test]
    fn reference_rows_are_reproduced() {
        for (photons, single_photon_yield, phase_error_rate, rate) in REFERENCE {
            let light = ReturnedLight {
                photons,
                single_photon_yield,
            };
            let found = light.phase_error_rate(0.01).unwrap();
            assert!(
                (found - phase_error_rate).abs() < 6e-7,
                "{light:?}: {found}"
            );
            let left = 1.0 - binary_entropy(found) - 1.2 * binary_entropy(0.01);
            assert!((left - rate).abs() < 6e-6, "{light:?}: {left}");
        }
    }

    #[test]
    fn without_light_nothing_is_paid_and_with_enough_of_it_everything() {
        let light = |photons, single_photon_yield| ReturnedLight {
            photons,
            single_photon_yield,
        };
        assert_eq!(light(0.0, 0.5).phase_error_rate(0.03), Ok(0.03));
        assert_eq!(light(0.1, 1e-3).phase_error_rate(0.01), Ok(0.5));
        assert!(imbalance(1e-12) / 5e-13 - 1.0 < 1e-9);
        for spoilt in [light(-1.0, 1.0), light(1e-6, 0.0), light(f64::NAN, 1.0)] {
            assert!(spoilt.phase_error_rate(0.01).is_err());
        }
        assert!(light(1e-6, 1.0).phase_error_rate(0.6).is_err());
    }
}
