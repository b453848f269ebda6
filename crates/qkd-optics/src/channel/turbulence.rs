//! Fading by turbulent air.

use qkd_bits::PhysicsRng;

use super::{Channel, Conditions, shortest_step_s};
use crate::Error;
use crate::mathematics::{exp, ln};
use crate::sampling::normal;

/// A transmittance that scintillates: log-normal with mean 1, constant for one coherence time and
/// then drawn anew.
///
/// Log-normal fading describes weak turbulence and aperture averaging (Andrews, Phillips, *Laser
/// Beam Propagation through Random Media*); it was found on a quantum link
/// of 143 km by Capraro et al., Phys. Rev. Lett. 109, 200502 (2012). The distribution is cut off at
/// four standard deviations of the logarithm, so that there is a best moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turbulence {
    /// Variance of the received power over its squared mean.
    pub scintillation_index: f64,
    /// Time for which the transmittance stays the same, ms.
    pub coherence_time_ms: f64,
}

/// Standard deviations of the logarithm above which nothing is drawn.
const CUT_OFF: f64 = 4.0;

impl Turbulence {
    /// Refuses what no turbulence can be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        if !(0.0..=1.0).contains(&self.scintillation_index) {
            return Err(Error::OutOfRange {
                name: "scintillation_index",
                value: self.scintillation_index,
                expected: "0 to 1; beyond, fading is not log-normal any more",
            });
        }
        if !(1e-3..=1e6).contains(&self.coherence_time_ms) {
            return Err(Error::OutOfRange {
                name: "coherence_time_ms",
                value: self.coherence_time_ms,
                expected: "1e-3 to 1e6 ms",
            });
        }
        Ok(())
    }

    /// Shortest coherence time, ms, that an emulation at a clock of `clock_hz` should be asked for.
    /// Shorter ones are as exact, but the receiver is busy with its tables.
    pub fn least_coherence_time_ms(clock_hz: f64) -> f64 {
        1e3 * shortest_step_s(clock_hz)
    }

    /// The best moment's transmittance as a multiple of the mean.
    pub(super) fn best(&self) -> f64 {
        self.factor(CUT_OFF)
    }

    /// e^(σx − σ²/2) with σ² = ln(1 + scintillation index), whose mean over a normal x is 1.
    fn factor(&self, x: f64) -> f64 {
        let variance = ln(1.0 + self.scintillation_index);
        exp(variance.sqrt() * x - 0.5 * variance)
    }

    /// The fading that `seed` picks, at a clock of `clock_hz`.
    pub(super) fn fading(&self, clock_hz: f64, seed: u64) -> Fading {
        Fading {
            turbulence: *self,
            coherence_slots: ((self.coherence_time_ms * 1e-3 * clock_hz) as u64).max(1),
            seed,
        }
    }
}

/// One realisation of a turbulence. Every coherence time has a seed of its own.
pub(super) struct Fading {
    turbulence: Turbulence,
    coherence_slots: u64,
    seed: u64,
}

impl Channel for Fading {
    fn conditions(&mut self, slot: u64) -> (Conditions, u64) {
        let index = slot / self.coherence_slots;
        let seed = self.seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let x = normal(&mut PhysicsRng::from_seed(seed)).min(CUT_OFF);
        let conditions = Conditions {
            transmittance: (self.turbulence.factor(x) / self.turbulence.best()).min(1.0),
            ..Conditions::STILL
        };
        let next = (index + 1).saturating_mul(self.coherence_slots);
        (conditions, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fading_has_mean_one_and_the_variance_that_was_asked_for() {
        let turbulence = Turbulence {
            scintillation_index: 0.2,
            coherence_time_ms: 5.0,
        };
        let mut fading = turbulence.fading(1e9, 3);
        let (mut slot, mut sum, mut squares) = (0, 0.0, 0.0);
        let draws = 100_000;
        for _ in 0..draws {
            let (conditions, next) = fading.conditions(slot);
            assert!(conditions.transmittance > 0.0 && conditions.transmittance <= 1.0);
            assert_eq!(next - slot, 5_000_000);
            // Within a coherence time nothing changes.
            assert_eq!(fading.conditions(next - 1), (conditions, next));
            let factor = conditions.transmittance * turbulence.best();
            sum += factor;
            squares += factor * factor;
            slot = next;
        }
        let mean = sum / f64::from(draws);
        let variance = squares / f64::from(draws) - mean * mean;
        // 4.9 sigma of the mean are 0.007; the variance of a heavy tail scatters more.
        assert!((mean - 1.0).abs() < 0.007, "mean {mean}");
        assert!((variance / 0.2 - 1.0).abs() < 0.1, "variance {variance}");
    }

    #[test]
    fn still_air_does_nothing() {
        let still = Turbulence {
            scintillation_index: 0.0,
            coherence_time_ms: 1.0,
        };
        assert_eq!(
            still.fading(1e6, 1).conditions(5),
            (Conditions::STILL, 1000)
        );
        let strong = Turbulence {
            scintillation_index: 1.5,
            ..still
        };
        assert!(strong.check().is_err() && still.check().is_ok());
    }
}
