//! Finite extinction of the intensity modulator.

use crate::Error;
use crate::mathematics::exp;

/// An intensity modulator that cannot close: its transmission ranges from 10^(−ER/10) of the
/// largest to the largest.
///
/// A class that should hold a share x of the brightest then holds x + (1 − x)·10^(−ER/10) of it:
/// the brightest class is as it should be and a vacuum class holds μ_max·10^(−ER/10) photons. The
/// leaked light carries Alice's state, as light through a leaky modulator does. Modulators reach
/// 20 to 40 dB; that a vacuum decoy is never quite empty is why the weak decoys of Ma, Qi, Zhao
/// and Lo, Phys. Rev. A 72, 012326 (2005), are stated for any two intensities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extinction {
    /// Largest over smallest transmission, dB.
    pub extinction_ratio_db: f64,
}

impl Extinction {
    /// Refuses what no source can be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        if (0.0..=200.0).contains(&self.extinction_ratio_db) {
            return Ok(());
        }
        Err(Error::OutOfRange {
            name: "extinction_ratio_db",
            value: self.extinction_ratio_db,
            expected: "0 to 200 dB",
        })
    }

    /// What a class really holds that should hold `intensity`, when the brightest holds `brightest`.
    pub(super) fn leaked(&self, intensity: f64, brightest: f64) -> f64 {
        let closed = exp(-self.extinction_ratio_db * (std::f64::consts::LN_10 / 10.0));
        intensity + (brightest - intensity) * closed
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;
    use crate::SourceEffects;

    /// 20 dB below a signal of 0.5 photons are 0.005 photons, where nothing should be.
    #[test]
    fn a_vacuum_class_is_not_empty_and_the_signal_is_as_it_should_be() {
        let mut leaky = source();
        leaky.intensities = vec![0.5, 0.1, 0.0];
        leaky.intensity_probabilities = vec![0.6, 0.2, 0.2];
        leaky.effects = SourceEffects {
            extinction: Some(Extinction {
                extinction_ratio_db: 20.0,
            }),
            ..SourceEffects::default()
        };
        let real = leaky.real_intensities();
        for (real, expected) in real.iter().zip([0.5, 0.104, 0.005]) {
            assert!((real - expected).abs() < 1e-15, "{real} for {expected}");
        }
        // A fifth of the pulses are vacuum, and behind 3 dB of loss they are seen as 0.0025 photons.
        let law = leaky.emission_law(0.5);
        let seen = law.occupied.iter().filter(|(it, _)| it.label.class() == 2);
        let seen: f64 = seen.map(|(_, weight)| weight).sum();
        assert!((seen - 0.2 * 0.002_496_877_6).abs() < 1e-10, "{seen}");
    }
}
