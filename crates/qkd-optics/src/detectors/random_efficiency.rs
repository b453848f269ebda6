//! Bob weakens the light at random, and looks whether clicks become fewer.

use crate::Error;
use crate::source::check_probability;

/// An attenuator in front of the detectors that Bob's random numbers switch, window by window.
///
/// Clicks of photons follow the light: weakened to a share t they come t times as often. Clicks that
/// somebody makes with bright pulses, which reach a threshold or do not, do not follow it (da Silva
/// et al., Opt. Express 20, 18911 (2012); Lim et al., IEEE J. Sel. Top. Quantum Electron. 21, 6601305
/// (2015)). The windows are known to nobody else, and their detections are as good as others: the
/// loss of light is the same for all of a window's pulses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomEfficiency {
    /// Slots of a window; windows begin at multiples of it. At least 100,000: an attenuator takes
    /// its time.
    pub window_slots: u64,
    /// Probability that a window is weakened, above 0 and below 1.
    pub probability: f64,
    /// Transmittance of the attenuator in such a window, above 0 and below 1.
    pub transmittance: f64,
}

/// Shortest window: a shorter one would cost more than the light in it.
const WINDOW_SLOTS_MIN: u64 = 100_000;

impl RandomEfficiency {
    /// Refuses attenuators that cannot be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        if self.window_slots < WINDOW_SLOTS_MIN {
            return Err(Error::OutOfRange {
                name: "window_slots",
                value: self.window_slots as f64,
                expected: "at least 100000 slots",
            });
        }
        for (name, value) in [
            ("probability", self.probability),
            ("transmittance", self.transmittance),
        ] {
            check_probability(name, value)?;
            if value == 0.0 || value == 1.0 {
                return Err(Error::OutOfRange {
                    name,
                    value,
                    expected: "a number above 0 and below 1",
                });
            }
        }
        Ok(())
    }

    /// Transmittance on average over windows.
    pub fn mean_transmittance(&self) -> f64 {
        1.0 - self.probability * (1.0 - self.transmittance)
    }
}
