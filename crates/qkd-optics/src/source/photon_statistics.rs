//! The kinds of light a source can make.

use super::heralded_pairs::HeraldedPairs;
use super::single_photon::SinglePhoton;
use crate::Error;
use crate::sampling::poisson;

/// Most photons that a source makes. A laser of 16 photons on average makes more than 120 with a
/// probability below 10⁻⁶⁰, pairs of mean 1 below 10⁻³⁶.
pub(super) const SAMPLED_PHOTONS_MAX: u8 = 120;

/// What the number of photons in a pulse follows.
///
/// Each kind turns an intensity and a transmittance into the exact law of what is left: every
/// photon survives on its own, whatever the statistics.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum PhotonStatistics {
    /// A phase-randomised attenuated laser: Poisson. The only kind that the decoy-state theorems
    /// here hold for.
    #[default]
    WeakCoherent,
    /// A quantum emitter.
    SinglePhoton(SinglePhoton),
    /// Half of a photon pair that the other half announces.
    HeraldedPairs(HeraldedPairs),
}

impl PhotonStatistics {
    /// Refuses what no source can be, or not at an intensity of `brightest`.
    pub(super) fn check(&self, brightest: f64) -> Result<(), Error> {
        match self {
            PhotonStatistics::WeakCoherent => Ok(()),
            PhotonStatistics::SinglePhoton(emitter) => emitter.check(brightest),
            PhotonStatistics::HeraldedPairs(pairs) => pairs.check(brightest),
        }
    }

    /// P(n) for n = 0, 1, … of a pulse of the given `intensity` after a `transmittance` in [0, 1].
    pub(super) fn law(&self, intensity: f64, transmittance: f64) -> Vec<f64> {
        match self {
            PhotonStatistics::WeakCoherent => {
                poisson(intensity * transmittance, SAMPLED_PHOTONS_MAX)
            }
            PhotonStatistics::SinglePhoton(emitter) => {
                // An intensity is made by attenuating the emitter further.
                let attenuated = transmittance * emitter.attenuation(intensity);
                thinned(&emitter.law(), attenuated)
            }
            PhotonStatistics::HeraldedPairs(pairs) => thinned(&pairs.law(intensity), transmittance),
        }
    }
}

/// The law of what is left of `law` when each photon survives with probability `transmittance`:
/// P'(k) = Σ_n P(n) C(n, k) ηᵏ (1−η)ⁿ⁻ᵏ, a sum of positive terms and so exact to rounding.
fn thinned(law: &[f64], transmittance: f64) -> Vec<f64> {
    let mut left = vec![0.0; law.len()];
    // Row n of the binomial law, from row n − 1: the n-th photon survives or does not.
    let mut row = vec![0.0; law.len()];
    for (n, &probability) in law.iter().enumerate() {
        if n == 0 {
            row[0] = 1.0;
        } else {
            for k in (1..=n).rev() {
                row[k] = row[k] * (1.0 - transmittance) + row[k - 1] * transmittance;
            }
            row[0] *= 1.0 - transmittance;
        }
        for (left, share) in left.iter_mut().zip(&row[..=n]) {
            *left += probability * share;
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_a_poisson_law_gives_the_poisson_law_of_the_product() {
        for (mean, transmittance) in [(0.5, 0.1), (16.0, 0.9), (3.0, 1e-9), (2.0, 0.0)] {
            let left = thinned(&poisson(mean, SAMPLED_PHOTONS_MAX), transmittance);
            let direct = poisson(mean * transmittance, SAMPLED_PHOTONS_MAX);
            for (n, (left, direct)) in left.iter().zip(&direct).enumerate() {
                assert!(
                    (left - direct).abs() <= 1e-12 * direct + 1e-60,
                    "P({n}) of {mean} × {transmittance}: {left} for {direct}"
                );
            }
        }
    }
}
