//! Whose dead time a click begins, and which clicks count.

use crate::Error;

/// Which detectors a click blinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeadTimes {
    /// All of them: as long as one is blind, nothing is registered. Every sound receiver does this.
    #[default]
    Common,
    /// Itself alone. Then the detector that is awake gives the bit away: whoever makes the others click
    /// just before a signal knows what it says (Weier et al., New J. Phys. 13, 073024 (2011)). To show
    /// why dead times are common.
    Independent,
}

/// Clicks that count by the moment of their slot: the others are thrown away, and blind the detectors
/// all the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeFilter {
    /// Farthest from the middle of the slot, in ps, that light may arrive and count, 0 or more.
    pub half_width_ps: f64,
}

impl TimeFilter {
    /// Refuses a filter that cannot be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        if self.half_width_ps >= 0.0 && self.half_width_ps.is_finite() {
            return Ok(());
        }
        Err(Error::OutOfRange {
            name: "half_width_ps",
            value: self.half_width_ps,
            expected: "a time of 0 ps or more",
        })
    }

    /// Whether light that arrives then counts.
    pub fn lets_pass(&self, arrival_ps: f64) -> bool {
        arrival_ps.abs() <= self.half_width_ps
    }
}
