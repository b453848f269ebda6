//! Light that has been at Alice's modulator and comes out again.

use std::ops::Range;

use qkd_bits::PhysicsRng;

use super::Transmitter;
use crate::eve_port::KeptPhotons;
use crate::sampling::GeometricGap;
use crate::source::check_probability;
use crate::{Direction, Error};

/// What is left of light that somebody shone into Alice's laboratory: single photons, each modulated as
/// the pulse of its slot was, also in slots whose own light was lost. Sealed like all light.
///
/// ```compile_fail
/// fn peek(light: &qkd_optics::Reflections) -> usize { light.photons.len() }
/// ```
#[must_use]
#[derive(Default)]
pub struct Reflections {
    pub(crate) photons: Vec<KeptPhotons>,
}

impl Transmitter {
    /// What comes back of light that left the modulator with `returned_photons` per slot on average
    /// in these `slots`, all of which must have been sent and be remembered. A slot has any of them with
    /// probability 1 − e^(−μ_out) and then counts as one photon: of μ_out ≪ 1 more are not to be
    /// expected. `physics` decides which.
    ///
    /// # Errors
    /// As [`choice_at`](Self::choice_at), and [`Error::OutOfRange`] for light that cannot be.
    pub fn reflect(
        &self,
        slots: Range<u64>,
        returned_photons: f64,
        physics: &mut PhysicsRng,
    ) -> Result<Reflections, Error> {
        let probability = -crate::mathematics::exp_m1(-returned_photons);
        check_probability("returned_photons", probability)?;
        let gap = GeometricGap::new(probability);
        let mut reflections = Reflections::default();
        let mut slot = slots.start.saturating_add(gap.draw(physics.next_u64()));
        while slot < slots.end {
            let choice = self.choice_at(slot)?;
            let direction = Direction::of(choice.basis, choice.bit);
            reflections
                .photons
                .push(KeptPhotons::new(slot, direction, 1));
            slot = slot
                .saturating_add(1)
                .saturating_add(gap.draw(physics.next_u64()));
        }
        Ok(reflections)
    }
}
