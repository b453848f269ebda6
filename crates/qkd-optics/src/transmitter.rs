//! Alice's transmitter: the source, her own piece of fibre, and the record of what she did.

mod empty_slots;
mod record;

use std::ops::Range;

use qkd_bits::{PhysicsRng, SecretRng};

use crate::light::{Pulse, State};
use crate::mathematics::{exp, exp_m1};
use crate::sampling::alias::Alias;
use crate::sampling::binomial::multinomial;
use crate::sampling::{GeometricGap, poisson};
use crate::source::check_probability;
use crate::{Basis, Choice, Error, IntensityClass, PHOTONS_MAX, PulseTrain, Source};
use empty_slots::EmptySlots;
use record::Record;

/// Most photons that the sampler makes: at [`INTENSITY_MAX`](crate::INTENSITY_MAX) = 16 the chance
/// of more than 120 is below 10⁻⁶⁰.
const SAMPLED_PHOTONS_MAX: u8 = 120;

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

#[derive(Clone, Copy)]
struct Emission {
    label: Label,
    photons: u8,
}

/// Alice's choice in one byte: the state in the low two bits, the intensity class above.
#[derive(Clone, Copy)]
struct Label(u8);

impl Label {
    fn new(state: State, class: u8) -> Self {
        Self(class << 2 | state.code())
    }

    fn state(self) -> State {
        State::from_code(self.0)
    }

    fn class(self) -> u8 {
        self.0 >> 2
    }

    fn choice(self) -> Choice {
        Choice {
            basis: self.state().basis(),
            bit: self.state().bit(),
            intensity: IntensityClass(self.class()),
        }
    }
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
        // Numerically exact where almost every slot is empty: 1 − e^(−μη) is −expm1(−μη).
        let occupied_probability: f64 = source
            .intensities
            .iter()
            .zip(&source.intensity_probabilities)
            .map(|(mu, p)| p * -exp_m1(-mu * segment_transmittance))
            .sum::<f64>()
            .clamp(0.0, 1.0);
        let empty_weights: Vec<f64> = source
            .intensities
            .iter()
            .zip(&source.intensity_probabilities)
            .map(|(mu, p)| p * exp(-mu * segment_transmittance))
            .collect();
        let empty_slots =
            EmptySlots::new(&empty_weights, source.key_basis_probability, &mut secret);
        let mut sampler = Sampler {
            emissions: Alias::new(&emission_law(&source, segment_transmittance)),
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
                    state: emission.label.state(),
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

/// The joint law of (intensity, basis, bit, photon number) of a slot that holds light:
/// P(k) P(basis) ½ Poisson(n; μ_k η) for n ≥ 1, not normalised.
fn emission_law(source: &Source, transmittance: f64) -> Vec<(Emission, f64)> {
    const _: () = assert!(SAMPLED_PHOTONS_MAX < PHOTONS_MAX);
    let mut law = Vec::new();
    let classes = source
        .intensities
        .iter()
        .zip(&source.intensity_probabilities);
    for (class, (mu, p)) in (0u8..).zip(classes) {
        let photon_law = poisson(mu * transmittance, SAMPLED_PHOTONS_MAX);
        for (photons, weight) in (0u8..).zip(photon_law).skip(1) {
            // Rows that 2⁶⁴ slots would never show only make the table fall out of the cache.
            if weight * p < 1e-30 && photons > 1 {
                continue;
            }
            for basis in [Basis::Z, Basis::X] {
                let share = match basis {
                    Basis::Z => source.key_basis_probability,
                    Basis::X => 1.0 - source.key_basis_probability,
                };
                for bit in [false, true] {
                    let label = Label::new(State::new(basis, bit), class);
                    law.push((Emission { label, photons }, weight * p * share * 0.5));
                }
            }
        }
    }
    law
}

#[cfg(test)]
#[path = "transmitter/tests.rs"]
mod tests;
