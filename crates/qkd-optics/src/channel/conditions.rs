//! What light meets at Bob's entrance, as long as it stays the same.

use crate::Error;
use crate::source::check_probability;

/// The state of a channel over a run of slots.
///
/// The fixed loss of the fibre is not in here: that is applied where light enters a segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// Transmittance of the loss that is left after the segments' fixed loss, 0 to 1; 1 is none.
    pub transmittance: f64,
    /// Rotation of the state on the great circle through Z and X of the Bloch sphere, rad. A state
    /// rotated by θ gives the wrong outcome in its own basis with probability sin²(θ/2); a Z state
    /// of bit 0 gives outcome 0 in basis X with (1 + sin θ)/2.
    pub rotation_rad: f64,
    /// Mean number of unpolarised background photons per slot at the receiver's entrance, Poisson.
    pub background_photons: f64,
}

impl Conditions {
    /// Nothing but the fixed loss: no extra loss, no rotation, dark.
    pub const STILL: Self = Self {
        transmittance: 1.0,
        rotation_rad: 0.0,
        background_photons: 0.0,
    };

    /// Both at once: losses multiply, rotations and background add up. The background is taken as
    /// given at the receiver's entrance, so neither loss weakens it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            transmittance: self.transmittance * other.transmittance,
            rotation_rad: self.rotation_rad + other.rotation_rad,
            background_photons: self.background_photons + other.background_photons,
        }
    }

    /// Refuses what no channel can do.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        check_probability("transmittance", self.transmittance)?;
        if !self.rotation_rad.is_finite() {
            return Err(Error::OutOfRange {
                name: "rotation_rad",
                value: self.rotation_rad,
                expected: "a finite angle",
            });
        }
        if !(0.0..=BACKGROUND_PHOTONS_MAX).contains(&self.background_photons) {
            return Err(Error::OutOfRange {
                name: "background_photons",
                value: self.background_photons,
                expected: "0 to 100 photons per slot on average",
            });
        }
        Ok(())
    }
}

/// Most background photons per slot: every detector fires in every slot long before.
pub(super) const BACKGROUND_PHOTONS_MAX: f64 = 100.0;

/// A channel whose conditions change from time to time, counted in slots.
///
/// Between changes the conditions are constant, so that whoever uses them rebuilds its tables at
/// changes only. The same seed gives the same conditions.
pub trait Channel {
    /// The conditions in `slot`, and the first slot after it in which they may differ: never at or
    /// before `slot`, `u64::MAX` when they stay for good. Slots are asked for in ascending order.
    fn conditions(&mut self, slot: u64) -> (Conditions, u64);
}

/// Conditions that never change.
impl Channel for Conditions {
    fn conditions(&mut self, _slot: u64) -> (Conditions, u64) {
        (*self, u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_multiply_while_rotations_and_backgrounds_add_up() {
        let one = Conditions {
            transmittance: 0.5,
            rotation_rad: 0.1,
            background_photons: 1e-6,
        };
        let both = one.and(one);
        assert_eq!(both.transmittance, 0.25);
        assert_eq!(both.rotation_rad, 0.2);
        assert_eq!(both.background_photons, 2e-6);
        assert_eq!(one.and(Conditions::STILL), one);
    }

    #[test]
    fn impossible_conditions_are_refused() {
        assert_eq!(Conditions::STILL.check(), Ok(()));
        type Spoil = fn(&mut Conditions);
        let cases: [(&str, Spoil); 4] = [
            ("transmittance", |c| c.transmittance = 1.1),
            ("rotation_rad", |c| c.rotation_rad = f64::INFINITY),
            ("background_photons", |c| c.background_photons = -1e-9),
            ("background_photons", |c| c.background_photons = f64::NAN),
        ];
        for (expected, spoil) in cases {
            let mut conditions = Conditions::STILL;
            spoil(&mut conditions);
            match conditions.check() {
                Err(Error::OutOfRange { name, .. }) => assert_eq!(name, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
