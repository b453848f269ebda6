//! Light that has been at Alice's modulator and comes out again.

use std::ops::Range;

use qkd_bits::PhysicsRng;

use super::Transmitter;
use crate::eve_port::KeptPhotons;
use crate::sampling::GeometricGap;
use crate::source::check_probability;
use crate::{Direction, Error, PulseTrain};

/// What is left of light that somebody shone into Alice's laboratory: single photons, each modulated as
/// the pulse of its slot was, also in slots whose own light was lost. Sealed like all light.
///
/// ```compile_fail
/// fn peek(light: &qkd_optics::Reflections) -> usize { light.photons.len() }
/// ```
#[must_use]
#[derive(Default)]
pub struct Reflections {
    /// By rising slots.
    pub(crate) photons: Vec<KeptPhotons>,
}

impl Reflections {
    /// How many there are: to count light needs no look at its state.
    pub fn len(&self) -> usize {
        self.photons.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.photons.is_empty()
    }

    /// Adds what arrived later, as long as there are no more than `most` of them: a memory is full at
    /// some time. Light that does not come in the order of its slots is lost.
    pub fn gather(&mut self, arrived: PulseTrain, most: usize) {
        let next = self.photons.last().map_or(0, |last| last.slot() + 1);
        let kept = arrived.pulses.into_iter().filter_map(|pulse| {
            let slot = arrived.start_slot + u64::from(pulse.offset);
            let direction = pulse.description().direction;
            (slot >= next).then(|| KeptPhotons::new(slot, direction, pulse.photons))
        });
        let room = most.saturating_sub(self.photons.len());
        self.photons.extend(kept.take(room));
    }

    /// Takes those of the slots before `slot`.
    pub fn split_before(&mut self, slot: u64) -> Reflections {
        let before = self
            .photons
            .partition_point(|photons| photons.slot() < slot);
        let later = self.photons.split_off(before);
        Reflections {
            photons: std::mem::replace(&mut self.photons, later),
        }
    }

    /// The same light on its way through a fibre, as a train of `slots`, all of which it lies in; light
    /// outside of them, and slots beyond the longest train, are left out.
    pub fn into_light(self, slots: Range<u64>) -> PulseTrain {
        let span = u32::try_from(slots.end.saturating_sub(slots.start)).unwrap_or(u32::MAX);
        let pulses = self.photons.into_iter().filter_map(|photons| {
            let offset = u32::try_from(photons.slot().checked_sub(slots.start)?).ok()?;
            (offset < span).then(|| photons.into_pulse(offset))
        });
        PulseTrain {
            start_slot: slots.start,
            span,
            pulses: pulses.collect(),
            extras: Default::default(),
        }
    }
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
        if slots.is_empty() {
            return Ok(Reflections::default());
        }
        self.check_known(slots.clone())?;
        let mut record = self.record.cursor();
        let mut reflections = Reflections::default();
        let mut slot = slots.start.saturating_add(gap.draw(physics.next_u64()));
        while slot < slots.end {
            let label = record.label_at(slot);
            let choice = label
                .unwrap_or_else(|| self.empty_slots.label_at(slot))
                .choice();
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
