//! Detectors that are awake in gates alone.

use crate::Error;
use crate::mathematics::normal_below;

/// Gated avalanche diodes (Ribordy et al., Appl. Opt. 37, 2272 (1998); hold-off against
/// afterpulses: Yuan et al., Appl. Phys. Lett. 91, 041114 (2007)).
///
/// A gate opens in every slot whose number is a multiple of the period; light in other slots is not
/// seen. With gating, `dark_count_probability` is per detector and gate, and background light counts
/// in gates alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gating {
    /// Slots from one gate to the next, 1 or more.
    pub gate_period_slots: u32,
    /// Gates that are left out after a click; the dead time is that or the ordinary one, whichever
    /// is longer.
    pub hold_off_gates: u32,
    /// How long a gate is open around the middle of its slot, ps.
    pub gate_width_ps: f64,
    /// Standard deviation of the time at which a photon arrives, ps: the shape of the pulse.
    pub pulse_deviation_ps: f64,
}

impl Gating {
    /// Refuses gates that cannot be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        if self.gate_period_slots == 0 {
            return Err(Error::OutOfRange {
                name: "gate_period_slots",
                value: 0.0,
                expected: "a whole number from 1",
            });
        }
        for (name, value) in [
            ("gate_width_ps", self.gate_width_ps),
            ("pulse_deviation_ps", self.pulse_deviation_ps),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::OutOfRange {
                    name,
                    value,
                    expected: "a time from 0 ps",
                });
            }
        }
        Ok(())
    }

    /// Share of a pulse's light that falls into the gate: 2Φ(w/2σ) − 1.
    pub fn light_in_gate(&self) -> f64 {
        if self.pulse_deviation_ps == 0.0 {
            return 1.0;
        }
        2.0 * normal_below(0.5 * self.gate_width_ps / self.pulse_deviation_ps) - 1.0
    }

    /// The same for a pulse that arrives `later_ps` later than its fellows, in ps.
    pub fn light_in_gate_at(&self, later_ps: f64) -> f64 {
        let half = 0.5 * self.gate_width_ps;
        if later_ps == 0.0 {
            self.light_in_gate()
        } else if self.pulse_deviation_ps == 0.0 {
            f64::from(later_ps.abs() <= half)
        } else {
            let below = |edge: f64| normal_below((edge - later_ps) / self.pulse_deviation_ps);
            (below(half) - below(-half)).max(0.0)
        }
    }

    /// Slots in which nothing is seen after a click.
    pub fn hold_off_slots(&self) -> u64 {
        u64::from(self.hold_off_gates) * u64::from(self.gate_period_slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_of_two_deviations_sees_68_percent_of_the_light() {
        let gating = Gating {
            gate_period_slots: 4,
            hold_off_gates: 10,
            gate_width_ps: 200.0,
            pulse_deviation_ps: 100.0,
        };
        assert!((gating.light_in_gate() - 0.682_689_492_137_086).abs() < 1e-12);
        assert_eq!(gating.hold_off_slots(), 40);
        assert!(gating.check().is_ok());
        let never = Gating {
            gate_period_slots: 0,
            ..gating
        };
        assert!(never.check().is_err());
    }
}
