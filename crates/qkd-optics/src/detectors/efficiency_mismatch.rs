//! Detectors of 0 and 1 that are not equally efficient.

use crate::Error;
use crate::mathematics::exp;

/// Efficiencies of the two detectors over the arrival time of the light.
///
/// The gate of each detector opens at its own moment, and its efficiency falls off from there like
/// a Gaussian: light that arrives off the middle meets two different detectors, and the bit is
/// biased (Makarov, Anisimov and Skaar, Phys. Rev. A 74, 022313 (2006); measured and used in an
/// attack by Zhao et al., Phys. Rev. A 78, 042333 (2008)). All light of an honest transmitter arrives
/// at the same moment of its slot; a pulse that Eve has delayed or made arrives earlier or later.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EfficiencyMismatch {
    /// Efficiency of the detectors of 0 and of 1 at the middle of their gates, relative to
    /// `detector_efficiency`, 0 to 1.
    pub relative_efficiency: [f64; 2],
    /// Middle of the gates of the detectors of 0 and of 1, relative to the middle of the slot, ps.
    pub gate_offset_ps: [f64; 2],
    /// Standard deviation of the efficiency over time, ps, above 0.
    pub gate_deviation_ps: f64,
    /// When the light arrives, relative to the middle of the slot, ps.
    pub arrival_offset_ps: f64,
}

impl EfficiencyMismatch {
    /// Refuses what no pair of detectors can be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        for value in self.relative_efficiency {
            crate::source::check_probability("relative_efficiency", value)?;
        }
        let refuse = |name, value, expected| {
            Err(Error::OutOfRange {
                name,
                value,
                expected,
            })
        };
        if !(self.gate_deviation_ps > 0.0 && self.gate_deviation_ps.is_finite()) {
            let value = self.gate_deviation_ps;
            return refuse("gate_deviation_ps", value, "a time above 0 ps");
        }
        for value in self.gate_offset_ps {
            if !value.is_finite() {
                return refuse("gate_offset_ps", value, "a finite time in ps");
            }
        }
        if !self.arrival_offset_ps.is_finite() {
            let value = self.arrival_offset_ps;
            return refuse("arrival_offset_ps", value, "a finite time in ps");
        }
        Ok(())
    }

    /// By what the efficiencies of the detectors of 0 and 1 are multiplied.
    pub fn factors(&self) -> [f64; 2] {
        self.factors_at(0.0)
    }

    /// The same for a pulse that arrives `later_ps` later than its fellows, in ps.
    pub fn factors_at(&self, later_ps: f64) -> [f64; 2] {
        let arrival_ps = self.arrival_offset_ps + later_ps;
        [0, 1].map(|bit| {
            let off = (arrival_ps - self.gate_offset_ps[bit]) / self.gate_deviation_ps;
            self.relative_efficiency[bit] * exp(-0.5 * off * off)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mismatch(arrival_offset_ps: f64) -> EfficiencyMismatch {
        EfficiencyMismatch {
            relative_efficiency: [1.0, 0.8],
            gate_offset_ps: [-100.0, 100.0],
            gate_deviation_ps: 200.0,
            arrival_offset_ps,
        }
    }

    /// Both gates differ by 200 ps, one deviation: 300 ps late the second is e² times the first.
    #[test]
    fn late_light_meets_the_detector_whose_gate_is_late() {
        let [zero, one] = mismatch(0.0).factors();
        assert!((one / zero - 0.8).abs() < 1e-12);
        let [zero, one] = mismatch(300.0).factors();
        assert!((one / zero - 0.8 * 1.5f64.exp()).abs() < 1e-12);
        let [zero, one] = mismatch(-300.0).factors();
        assert!((one / zero - 0.8 / 1.5f64.exp()).abs() < 1e-12);
    }

    #[test]
    fn impossible_detectors_are_refused() {
        assert_eq!(mismatch(0.0).check(), Ok(()));
        let spoilt = [
            EfficiencyMismatch {
                relative_efficiency: [1.0, 1.1],
                ..mismatch(0.0)
            },
            EfficiencyMismatch {
                gate_deviation_ps: 0.0,
                ..mismatch(0.0)
            },
            mismatch(f64::NAN),
        ];
        assert!(spoilt.iter().all(|spoilt| spoilt.check().is_err()));
    }
}
