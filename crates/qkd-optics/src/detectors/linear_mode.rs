//! Bright light that takes over the detectors.

use super::power_monitor::{check_level, check_window};
use crate::Error;

/// Avalanche diodes that bright light pushes into linear mode (Lydersen et al., Nat. Photonics 4,
/// 686 (2010)).
///
/// When a window held at least the blinding amount of light, the detectors are blind for single
/// photons all through the next: no dark counts, no afterpulses, and a pulse clicks exactly when
/// its classical energy at a detector reaches the threshold. In its own basis all of it meets one
/// detector, in the other each gets half: a pulse of more than the threshold and less than twice
/// that clicks in its own basis alone, and Eve chooses Bob's bases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearMode {
    /// Slots over which the photocurrent counts; windows begin at multiples of it.
    pub window_slots: u64,
    /// Photons in a window, at the entrance, from which the detectors are blind in the next.
    pub blinding_photons: f64,
    /// Photons on a blind detector in one slot from which it clicks.
    pub threshold_photons: f64,
}

impl LinearMode {
    /// Refuses what no detector does.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        check_window(self.window_slots)?;
        check_level("blinding_photons", self.blinding_photons)?;
        check_level("threshold_photons", self.threshold_photons)
    }
}
