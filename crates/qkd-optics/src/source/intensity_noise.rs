//! Fluctuation of the intensity from pulse to pulse.

use crate::Error;
use crate::mathematics::exp;

/// An intensity that differs from pulse to pulse: normal around its nominal value, independent
/// between pulses, cut off at eight standard deviations.
///
/// Photon numbers are then a mixture of the laws at every intensity: their variance exceeds that
/// of one intensity by (σ·mean)² (for a laser: mean + σ²·mean², more than Poisson). A decoy-state
/// theorem that takes intensities as fixed does not cover it: X.-B. Wang, Phys. Rev. A 75, 052301
/// (2007); Wang, Peng, Zhang, Yang, Pan, Phys. Rev. A 77, 042311 (2008).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntensityNoise {
    /// Standard deviation σ of the intensity, as a share of the intensity.
    pub relative_deviation: f64,
}

/// Standard deviations at which the distribution ends: beyond them lie 10⁻¹⁵ of it.
const CUT_OFF: f64 = 8.0;
/// Nodes per standard deviation. The trapezoidal rule errs by e^(−2π²·nodes²) there.
const NODES_PER_DEVIATION: i32 = 2;

impl IntensityNoise {
    /// Refuses what no source can be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        if (0.0..=0.125).contains(&self.relative_deviation) {
            return Ok(());
        }
        Err(Error::OutOfRange {
            name: "relative_deviation",
            value: self.relative_deviation,
            expected: "0 to 0.125, or eight deviations would reach below no light",
        })
    }

    /// Largest deviation from the nominal intensity, as a share of it.
    pub(super) fn deviation_max(&self) -> f64 {
        CUT_OFF * self.relative_deviation
    }

    /// The intensities that stand for the whole distribution around `intensity`, with their weights,
    /// which add up to 1.
    pub(super) fn mixture(&self, intensity: f64) -> Vec<(f64, f64)> {
        let last = CUT_OFF as i32 * NODES_PER_DEVIATION;
        let mut mixture: Vec<(f64, f64)> = (-last..=last)
            .map(|node| {
                let x = f64::from(node) / f64::from(NODES_PER_DEVIATION);
                // At eight deviations of an eighth each, nothing is left but a rounding error.
                let intensity = (intensity * (1.0 + self.relative_deviation * x)).max(0.0);
                (intensity, exp(-0.5 * x * x))
            })
            .collect();
        let total: f64 = mixture.iter().map(|(_, weight)| weight).sum();
        for (_, weight) in &mut mixture {
            *weight /= total;
        }
        mixture
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;
    use crate::SourceEffects;

    /// Mean μ and variance μ + σ²μ², exactly; and none of it without noise.
    #[test]
    fn photon_numbers_vary_more_than_poisson() {
        for deviation in [0.0, 0.03, 0.125] {
            let mut noisy = source();
            noisy.effects = SourceEffects {
                intensity_noise: Some(IntensityNoise {
                    relative_deviation: deviation,
                }),
                ..SourceEffects::default()
            };
            let law = noisy.photon_law(0.5, 1.0);
            let moment = |power: i32| -> f64 {
                let photons = law.iter().enumerate();
                photons.map(|(n, p)| (n as f64).powi(power) * p).sum()
            };
            assert!((moment(0) - 1.0).abs() < 1e-14);
            assert!((moment(1) - 0.5).abs() < 1e-14, "mean {}", moment(1));
            let variance = moment(2) - moment(1) * moment(1);
            let expected = 0.5 + 0.25 * deviation * deviation;
            assert!((variance - expected).abs() < 1e-13, "{variance}");
        }
    }
}
