//! A watch on the current that Bob's detectors draw.

use super::power_monitor::{check_level, check_window};
use crate::Error;

/// An ammeter in the supply of the detectors (Yuan, Dynes and Shields, Nat. Photonics 4, 800 (2010)).
///
/// Every avalanche moves the same charge, and dead time bounds how many there are. A detector that
/// bright light has blinded makes none: it draws a current in proportion to the light, and far more
/// of it. The charge is added up over windows; one above the level is a sign of blinding that no
/// filter or wavelength at the entrance hides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhotocurrentMonitor {
    /// Slots over which it adds up; windows begin at multiples of it.
    pub window_slots: u64,
    /// Charge of one avalanche, electrons.
    pub avalanche_electrons: f64,
    /// Charge that a blinded detector moves for each photon on it, electrons.
    pub electrons_per_photon: f64,
    /// Charge in a window that gives an alarm, electrons.
    pub alarm_electrons: f64,
}

impl PhotocurrentMonitor {
    /// Refuses monitors that cannot be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        check_window(self.window_slots)?;
        check_level("avalanche_electrons", self.avalanche_electrons)?;
        check_level("electrons_per_photon", self.electrons_per_photon)?;
        check_level("alarm_electrons", self.alarm_electrons)
    }
}
