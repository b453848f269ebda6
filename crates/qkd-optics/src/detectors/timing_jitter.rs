//! Clicks that are booked in a slot beside their own.

use crate::Error;
use crate::mathematics::normal_below;

/// Gaussian jitter of detector and electronics: light that arrives in the middle of its slot is
/// registered at a time that scatters around it, and what scatters past the edge is booked in a
/// neighbouring slot (Hadfield, Nat. Photonics 3, 696 (2009); its part in the error rate of fast
/// systems: Takesue et al., Nat. Photonics 1, 343 (2007)).
///
/// A share q of the clicks lands in slots it has nothing to do with and gives random bits there:
/// q is lost from the gain and about q/2 is added to the error rate. Each detector scatters on its
/// own; dark counts fall uniformly and need none of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimingJitter {
    /// Standard deviation of the registered time, ps; at most one slot.
    pub deviation_ps: f64,
    /// Duration of a slot, ps.
    pub slot_ps: f64,
}

/// Slots beyond which a click is never booked: 8.5 deviations of the widest jitter.
pub(crate) const SLOTS_MAX: u8 = 9;

impl TimingJitter {
    /// Refuses what no detector does.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        if !(self.slot_ps > 0.0 && self.slot_ps.is_finite()) {
            return Err(Error::OutOfRange {
                name: "slot_ps",
                value: self.slot_ps,
                expected: "a time above 0 ps",
            });
        }
        if !(0.0..=self.slot_ps).contains(&self.deviation_ps) {
            return Err(Error::OutOfRange {
                name: "deviation_ps",
                value: self.deviation_ps,
                expected: "0 ps to the duration of a slot",
            });
        }
        Ok(())
    }

    /// Probability that a click is booked in another slot than its own.
    pub fn displaced_probability(&self) -> f64 {
        2.0 * self.beyond(0.5)
    }

    /// Displacements other than 0, in slots, with their probabilities.
    pub(crate) fn displacements(&self) -> Vec<(i8, f64)> {
        let mut law = Vec::new();
        for slots in 1..=SLOTS_MAX {
            let distance = f64::from(slots);
            let probability = self.beyond(distance - 0.5) - self.beyond(distance + 0.5);
            law.push((slots as i8, probability));
            law.push((-(slots as i8), probability));
        }
        law
    }

    /// Probability of a time later than `slots` slots after the middle of the own one.
    fn beyond(&self, slots: f64) -> f64 {
        if self.deviation_ps == 0.0 {
            return 0.0;
        }
        normal_below(-slots * self.slot_ps / self.deviation_ps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_slot_of_two_deviations_is_left_by_one_click_in_twenty_two() {
        let jitter = TimingJitter {
            deviation_ps: 250.0,
            slot_ps: 1000.0,
        };
        assert!((jitter.displaced_probability() - 0.045_500_263_896_358).abs() < 1e-12);
        let sum: f64 = jitter.displacements().iter().map(|(_, p)| p).sum();
        assert!((sum - jitter.displaced_probability()).abs() < 1e-15);
        let still = TimingJitter {
            deviation_ps: 0.0,
            ..jitter
        };
        assert_eq!(still.displaced_probability(), 0.0);
        let wide = TimingJitter {
            deviation_ps: 1001.0,
            ..jitter
        };
        assert!(wide.check().is_err() && jitter.check().is_ok());
    }
}
