//! Alice's transmitter: the source, her own piece of fibre, and the record of what she did.

mod empty_slots;
mod record;

use std::ops::Range;

use qkd_bits::{PhysicsRng, SecretRng};

use crate::light::Pulse;
use crate::sampling::GeometricGap;
use crate::sampling::alias::Alias;
use crate::sampling::binomial::multinomial;
use crate::source::{Emission, check_probability};
use crate::{Choice, Error, PulseTrain, Source};
use empty_slots::EmptySlots;
use record::Record;

/// A weak coherent source with the outgoing fibre segment inside Alice's laboratory.
///
/// Only the slots that still hold light after the segment are produced: gaps between them are
/// geometric, and (intensity, basis, bit, photon number) comes from the exact law given that the
/// slot is not empty. What Alice did in the empty slots is drawn when, and only when, somebody asks
/// ([`choice_at`](Self::choice_at)).
///
/// One transmitter serves one epoch of one session: its parameters never change.
pub struct Transmitter {
    source: Source,
    sampler: Sampler,
    record: Record,
    empty_slots: EmptySlots,
    occupied_probability: f64,
    next_slot: u64,
    /// The next slot that holds light, or one beyond all time.
    next_occupied: u64,
}

/// What produces the light.
struct Sampler {
    /// Nothing when no slot ever holds light.
    emissions: Option<Alias<Emission>>,
    gap: GeometricGap,
    /// Decides which slots hold light: nature.
    physics: PhysicsRng,
    /// Decides what is in them: a secret.
    secret: SecretRng,
}

impl Transmitter {
    /// A transmitter whose first slot is 0 and whose light has passed a segment of
    /// `segment_transmittance` in [0, 1]. All its randomness comes from `secret`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first parameter that cannot be.
    pub fn new(
        source: Source,
        segment_transmittance: f64,
        mut secret: SecretRng,
    ) -> Result<Self, Error> {
        source.check()?;
        check_probability("segment_transmittance", segment_transmittance)?;
        let law = source.emission_law(segment_transmittance);
        let occupied_probability = law.occupied_probability();
        let empty_slots = EmptySlots::new(&law.empty, source.key_basis_probability, &mut secret);
        let mut sampler = Sampler {
            emissions: Alias::new(&law.occupied),
            gap: GeometricGap::new(occupied_probability),
            physics: PhysicsRng::from_seed(secret.next_u64()),
            secret,
        };
        let next_occupied = sampler.gap.draw(sampler.physics.next_u64());
        Ok(Self {
            source,
            sampler,
            record: Record::default(),
            empty_slots,
            occupied_probability,
            next_slot: 0,
            next_occupied,
        })
    }

    /// Sends the next `span` slots.
    pub fn transmit(&mut self, span: u32) -> PulseTrain {
        let start_slot = self.next_slot;
        let end = start_slot + u64::from(span);
        let expected = f64::from(span) * self.occupied_probability;
        let capacity = (expected + 10.0 * expected.sqrt() + 10.0).min(f64::from(span)) as usize;
        let mut pulses = Vec::with_capacity(capacity);
        let mut entry = record::Train::new(start_slot..end, capacity);
        let mut slot = self.next_occupied;
        if let Some(emissions) = &self.sampler.emissions {
            while slot < end {
                let offset = (slot - start_slot) as u32;
                let emission = emissions.draw(self.sampler.secret.next_u64());
                pulses.push(Pulse {
                    offset,
                    photons: emission.photons,
                    state: emission.sent,
                });
                entry.push(offset, emission.label);
                let gap = self.sampler.gap.draw(self.sampler.physics.next_u64());
                slot = slot.saturating_add(1).saturating_add(gap);
            }
        }
        self.next_occupied = slot;
        self.next_slot = end;
        self.record.push(entry);
        PulseTrain {
            start_slot,
            span,
            pulses,
        }
    }

    /// First slot that has not been sent.
    pub fn next_slot(&self) -> u64 {
        self.next_slot
    }

    /// The parameters it was built with.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Probability that a slot still holds light after the segment: what a frame is sized for.
    pub fn occupied_probability(&self) -> f64 {
        self.occupied_probability
    }

    /// What Alice did in `slot`: from the record where the slot held light, else drawn from
    /// P(k) ∝ p_k e^(−μ_k η) by a pseudo-random function of the slot, so that the same slot always
    /// has the same answer. Ask only for slots that Bob has announced.
    ///
    /// # Errors
    /// [`Error::Forgotten`] for a slot whose record is gone (a fault of the caller, never a redraw),
    /// [`Error::NotYetSent`] for a slot of the future.
    pub fn choice_at(&self, slot: u64) -> Result<Choice, Error> {
        self.check_known(slot..slot.saturating_add(1))?;
        let label = match self.record.label_at(slot) {
            Some(label) => label,
            None => self.empty_slots.label_at(slot),
        };
        Ok(label.choice())
    }

    /// Pulses sent per intensity class in a range of slots: what the record says of those that
    /// held light, and an exact multinomial on the rest, at a cost that does not grow with the
    /// number of empty slots. The same range always has the same answer; add up ranges that do not
    /// overlap. The draw knows nothing of single answers of [`choice_at`](Self::choice_at) for
    /// empty slots, which are a vanishing part of the rest.
    ///
    /// # Errors
    /// [`Error::Forgotten`] and [`Error::NotYetSent`] when part of the range is out of reach.
    pub fn close_totals(&self, slots: Range<u64>) -> Result<Vec<u64>, Error> {
        let mut totals = vec![0; self.source.intensities.len()];
        if slots.is_empty() {
            return Ok(totals);
        }
        self.check_known(slots.clone())?;
        self.record.count(&slots, &mut totals);
        let empty = slots.end - slots.start - totals.iter().sum::<u64>();
        let mut rng = self.empty_slots.totals_rng(&slots);
        let drawn = multinomial(empty, self.empty_slots.law(), &mut rng);
        for (total, count) in totals.iter_mut().zip(drawn) {
            *total += count;
        }
        Ok(totals)
    }

    /// Drops and wipes what is known of slots before `slot`. Memory is freed a train at a time.
    pub fn forget_before(&mut self, slot: u64) {
        self.record.forget_before(slot.min(self.next_slot));
    }

    fn check_known(&self, slots: Range<u64>) -> Result<(), Error> {
        if slots.start < self.record.kept_from() {
            return Err(Error::Forgotten {
                slot: slots.start,
                kept_from: self.record.kept_from(),
            });
        }
        if slots.end > self.next_slot || slots.start >= self.next_slot {
            return Err(Error::NotYetSent {
                slot: slots.end.saturating_sub(1),
                next_slot: self.next_slot,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "transmitter/tests.rs"]
mod tests;
