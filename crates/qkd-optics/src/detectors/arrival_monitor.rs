//! When, within the slot, each of Bob's detectors clicks.

use crate::Error;
use crate::mathematics::normal_below;

/// Bins of a histogram of arrival times; the middle of the slot lies between the two in the middle.
pub const ARRIVAL_BINS: usize = 16;

/// A clock that times every click against the slot, one histogram for each detector (Zhao et al.,
/// Phys. Rev. A 78, 042333 (2008) on what it would have shown).
///
/// Light that an eavesdropper delays, to where one detector sees better, arrives beside its time.
/// The first and the last bin take in all that is earlier or later.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArrivalMonitor {
    /// Width of a bin, ps.
    pub bin_ps: f64,
    /// Standard deviation of the time that is measured for light that arrives in time, ps.
    pub deviation_ps: f64,
}

impl ArrivalMonitor {
    /// Refuses monitors that cannot be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        for (name, value) in [("bin_ps", self.bin_ps), ("deviation_ps", self.deviation_ps)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::OutOfRange {
                    name,
                    value,
                    expected: "a time above 0 ps",
                });
            }
        }
        Ok(())
    }

    /// How clicks of light that arrives `later_ps` later than its fellows spread over the bins.
    pub fn shares(&self, later_ps: f64) -> [f64; ARRIVAL_BINS] {
        let before = |bins: usize| {
            let edge_ps = (bins as f64 - 0.5 * ARRIVAL_BINS as f64) * self.bin_ps;
            match bins {
                0 => 0.0,
                ARRIVAL_BINS => 1.0,
                _ => normal_below((edge_ps - later_ps) / self.deviation_ps),
            }
        };
        std::array::from_fn(|bin| (before(bin + 1) - before(bin)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bin of one deviation on either side of the middle has 34.1 % of the clicks.
    #[test]
    fn shares_are_those_of_the_normal_distribution_and_shift_with_the_light() {
        let monitor = ArrivalMonitor {
            bin_ps: 50.0,
            deviation_ps: 50.0,
        };
        let shares = monitor.shares(0.0);
        assert!((shares[8] - 0.341_344_746_068_543).abs() < 1e-12);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let shifted = monitor.shares(100.0);
        assert!((shifted[10] - shares[8]).abs() < 1e-12);
        assert!(monitor.check().is_ok());
        let never = ArrivalMonitor {
            bin_ps: 0.0,
            ..monitor
        };
        assert!(never.check().is_err());
    }
}
