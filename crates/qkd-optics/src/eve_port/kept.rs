//! A quantum memory: photons that Eve kept, to measure them when she knows how.

use qkd_bits::PhysicsRng;

use super::captured::majority;
use crate::light::Pulse;
use crate::{Basis, CraftedPulse, Direction};

/// Photons that Eve split off and has not looked at. They are as sealed as those of a pulse: she can
/// measure them once, in a basis of her choice, at any later time; the memory loses nothing.
///
/// ```compile_fail
/// fn peek(kept: &qkd_optics::KeptPhotons) -> u8 { kept.direction.steps() }
/// ```
/// ```compile_fail
/// fn clone(kept: &qkd_optics::KeptPhotons) -> qkd_optics::KeptPhotons { kept.clone() }
/// ```
/// ```compile_fail
/// fn twice(kept: qkd_optics::KeptPhotons, physics: &mut qkd_bits::PhysicsRng) {
///     kept.measure(qkd_optics::Basis::Z, physics);
///     kept.measure(qkd_optics::Basis::X, physics);
/// }
/// ```
/// ```compile_fail
/// fn show(kept: &qkd_optics::KeptPhotons) -> String { format!("{kept:?}") }
/// ```
pub struct KeptPhotons {
    slot: u64,
    direction: Direction,
    photons: u8,
}

impl KeptPhotons {
    pub(crate) fn new(slot: u64, direction: Direction, photons: u8) -> Self {
        Self {
            slot,
            direction,
            photons,
        }
    }

    /// The same as a pulse on its way, `offset` slots into a train.
    pub(crate) fn into_pulse(self, offset: u32) -> Pulse {
        let light = CraftedPulse {
            direction: self.direction,
            photons: self.photons.into(),
            arrival_ps: 0.0,
        };
        light.pulse(offset)
    }

    /// Absolute slot of the pulse that they were part of, or that was modulated together with them.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// How many there are, at least one.
    pub fn photons(&self) -> u8 {
        self.photons
    }

    /// Measures all of them in a basis, which destroys them: what most of them say, on a tie a fair
    /// coin. `physics` decides how that comes out.
    pub fn measure(self, basis: Basis, physics: &mut PhysicsRng) -> bool {
        let one = self.direction.one_probability(Direction::of(basis, false));
        let mut ones = 0;
        for _ in 0..self.photons {
            ones += u8::from(physics.chance(one));
        }
        majority(ones, self.photons, physics)
    }
}
