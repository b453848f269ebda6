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

    /// Adds what arrived, in whatever order, as long as there are no more than `most` of them: a memory is
    /// full at some time. Light of a slot of which there is some already is lost.
    pub fn gather(&mut self, arrived: PulseTrain, most: usize) {
        let room = most.saturating_sub(self.photons.len());
        let start_slot = arrived.start_slot;
        let kept = arrived.pulses.into_iter().map(|pulse| {
            let slot = start_slot + u64::from(pulse.offset);
            KeptPhotons::new(slot, pulse.description().direction, pulse.photons)
        });
        // Nearly always nothing is behind what arrives.
        let later = self.photons.split_off(self.first_at(start_slot));
        if later.is_empty() {
            self.photons.extend(kept.take(room));
            return;
        }
        let mut later = later.into_iter().peekable();
        let mut free = room;
        for photons in kept {
            let slot = photons.slot();
            while let Some(known) = later.next_if(|known| known.slot() < slot) {
                self.photons.push(known);
            }
            let is_new = later.peek().is_none_or(|known| known.slot() != slot);
            if is_new && free > 0 {
                self.photons.push(photons);
                free -= 1;
            }
        }
        self.photons.extend(later);
    }

    /// Takes those of these slots.
    pub fn take(&mut self, slots: &Range<u64>) -> Reflections {
        let (from, to) = (self.first_at(slots.start), self.first_at(slots.end));
        Reflections {
            photons: self.photons.drain(from..to.max(from)).collect(),
        }
    }

    /// Lets those of the slots before `slot` go.
    pub fn forget_before(&mut self, slot: u64) {
        self.photons.drain(..self.first_at(slot));
    }

    /// How many lie before a slot.
    fn first_at(&self, slot: u64) -> usize {
        self.photons
            .partition_point(|photons| photons.slot() < slot)
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
