//! A watch on the light that enters the receiver.

use crate::Error;

/// A monitor of the light at the receiver's entrance: it adds up what arrives in windows of fixed
/// length and counts the windows that reach an alarm level, the usual watch for bright-light
/// attacks (Yuan, Dynes and Shields, Nat. Photonics 4, 800 (2010)). A window that reaches the level
/// stops its block, unless the operator says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerMonitor {
    /// Slots over which it adds up; windows begin at multiples of it.
    pub window_slots: u64,
    /// Photons in a window, on average over the optics before the monitor, that give an alarm.
    pub alarm_photons: f64,
}

/// Shortest window: a shorter one would cost more than the light in it.
const WINDOW_SLOTS_MIN: u64 = 10_000;

impl PowerMonitor {
    /// Refuses monitors that cannot be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        check_window(self.window_slots)?;
        check_level("alarm_photons", self.alarm_photons)
    }
}

pub(super) fn check_window(window_slots: u64) -> Result<(), Error> {
    if window_slots < WINDOW_SLOTS_MIN {
        return Err(Error::OutOfRange {
            name: "window_slots",
            value: window_slots as f64,
            expected: "at least 10000 slots",
        });
    }
    Ok(())
}

pub(super) fn check_level(name: &'static str, value: f64) -> Result<(), Error> {
    if !(value > 0.0 && value.is_finite()) {
        return Err(Error::OutOfRange {
            name,
            value,
            expected: "a number of photons above 0",
        });
    }
    Ok(())
}
