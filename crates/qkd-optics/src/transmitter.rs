//! Alice's transmitter: the source, her own piece of fibre, and the record of what she did.

mod brightness;
mod dense;
mod emissions;
mod empty_slots;
mod recall;
mod record;
mod reflections;
mod sparse;
mod two_way;

use std::ops::Range;

use qkd_bits::{Defect, HealthAlarm, SecretRng, SecretStream};

use crate::light::Pulse;
use crate::sampling::binomial::multinomial;
use crate::source::{EmissionLaw, check_probability};
use crate::{Choice, Choices, Error, LightDensity, PulseTrain, SlotList, Source};
use dense::Dense;
use empty_slots::EmptySlots;
use record::{Entries, RUN_SLOTS_MAX, Record};
pub use reflections::Reflections;
use sparse::Sparse;

/// A weak coherent source with the outgoing fibre segment inside Alice's laboratory.
///
/// Only the slots that still hold light after the segment are produced: which ones is drawn gap by
/// gap or, where they are many, slot by slot ([`Sampling`]), and (intensity, basis, bit, photon
/// number) comes from the exact law given that the slot is not empty. What Alice did in the empty slots is drawn when, and only when, somebody asks
/// ([`choice_at`](Self::choice_at)).
///
/// One transmitter serves one epoch of one session: its parameters never change. What somebody else
/// may change is how bright its laser is ([`brighten`](Self::brighten)).
pub struct Transmitter {
    source: Source,
    segment_transmittance: f64,
    /// The way of drawing slots that was asked for; the cheaper one when absent.
    sampling: Option<Sampling>,
    /// How many times as bright as it should be the source is.
    brightness: f64,
    sampler: Sampler,
    record: Record,
    empty_slots: EmptySlots,
    density: LightDensity,
    /// Probability that a slot holds light while nobody makes the laser brighter.
    undisturbed_probability: f64,
    next_slot: u64,
}

/// What draws the slots. All its members draw from one law in which no slot knows of another: a
/// piece of a train is the same wherever it begins.
enum Sampler {
    /// No slot ever holds light.
    Dark,
    /// Pulse by pulse.
    Sparse(Box<Sparse>),
    /// Slot by slot.
    Dense(Box<Dense>),
}

/// How a transmitter draws its slots. The light follows the same law either way, to the last
/// correlation; only the time it takes differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Pulse by pulse, skipping what is empty: the cost follows the light.
    Sparse,
    /// Slot by slot, 512 at a time: cheaper where much of the slots hold light.
    Dense,
}

/// Share of slots that hold light from which on asking every slot is cheaper than skipping, by
/// `benches/dense.rs`: the two are equal at about 0.12 with AVX2, and at about 0.2 with the
/// baseline's instructions. One figure for all machines, or they would not send the same light.
const DENSE_MIN: f64 = 0.15;

impl Sampling {
    /// The cheaper way when a slot holds light with `occupied_probability`. Nothing but that
    /// decides, so that the same seed sends the same light on every machine.
    pub fn for_density(occupied_probability: f64) -> Self {
        if occupied_probability < DENSE_MIN {
            Sampling::Sparse
        } else {
            Sampling::Dense
        }
    }
}

impl Sampler {
    /// What draws slots by this law, with a generator that has been used before.
    fn of(law: &EmissionLaw, sampling: Sampling, secret: SecretStream) -> Self {
        match sampling {
            Sampling::Sparse => {
                Sparse::with_generator(law, secret).map(|s| Self::Sparse(Box::new(s)))
            }
            Sampling::Dense => Dense::with_generator(law, secret).map(|d| Self::Dense(Box::new(d))),
        }
        .unwrap_or(Self::Dark)
    }

    /// Its generator; nothing of one that draws nothing.
    fn into_generator(self) -> Option<SecretStream> {
        match self {
            Self::Dark => None,
            Self::Sparse(sparse) => Some(sparse.into_generator()),
            Self::Dense(dense) => Some(dense.into_generator()),
        }
    }

    fn sample(&mut self, piece: Range<u32>, pulses: &mut Vec<Pulse>, entries: &mut Entries) {
        match self {
            Sampler::Dark => {}
            Sampler::Sparse(sparse) => sparse.sample(piece, pulses, entries),
            Sampler::Dense(dense) => dense.sample(piece, pulses, entries),
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
        secret: SecretRng,
    ) -> Result<Self, Error> {
        Self::build(source, segment_transmittance, secret, None)
    }

    /// As [`new`](Self::new), with the slots drawn in the way that is asked for: to compare the two
    /// in time and statistics.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_sampling(
        source: Source,
        segment_transmittance: f64,
        secret: SecretRng,
        sampling: Sampling,
    ) -> Result<Self, Error> {
        Self::build(source, segment_transmittance, secret, Some(sampling))
    }

    fn build(
        source: Source,
        segment_transmittance: f64,
        mut secret: SecretRng,
        sampling: Option<Sampling>,
    ) -> Result<Self, Error> {
        source.check()?;
        check_probability("segment_transmittance", segment_transmittance)?;
        let law = source.emission_law(segment_transmittance);
        let density = law.density();
        let empty_slots = EmptySlots::new(&law.empty, source.key_basis_probability, &mut secret);
        let cheaper = Sampling::for_density(density.occupied_probability);
        let sampler = match sampling.unwrap_or(cheaper) {
            Sampling::Sparse => Sparse::new(&law, secret).map(|s| Sampler::Sparse(Box::new(s))),
            Sampling::Dense => Dense::new(&law, secret).map(|d| Sampler::Dense(Box::new(d))),
        }
        .unwrap_or(Sampler::Dark);
        Ok(Self {
            source,
            segment_transmittance,
            sampling,
            brightness: 1.0,
            sampler,
            record: Record::default(),
            empty_slots,
            undisturbed_probability: density.occupied_probability,
            density,
            next_slot: 0,
        })
    }

    /// Sends the next `span` slots.
    pub fn transmit(&mut self, span: u32) -> PulseTrain {
        let start_slot = self.next_slot;
        let occupied = self.density.occupied_probability;
        let mut pulses = Vec::with_capacity(room(span.into(), occupied) as usize);
        let mut from = 0;
        while from < span {
            let to = span.min(from.saturating_add(RUN_SLOTS_MAX));
            let slots = u64::from(to - from);
            let undisturbed = room(slots, self.undisturbed_probability);
            self.record.keep_memory_of(undisturbed as usize);
            let mut entries = self.record.entries(room(slots, occupied) as usize);
            self.sampler.sample(from..to, &mut pulses, &mut entries);
            let slots = start_slot + u64::from(from)..start_slot + u64::from(to);
            self.record.push(slots, entries);
            from = to;
        }
        self.next_slot = start_slot + u64::from(span);
        PulseTrain {
            start_slot,
            span,
            pulses,
            extras: Default::default(),
        }
    }

    /// Bytes of all that it remembers of its slots: what was chosen in those that held light, and how
    /// bright they were. Grows with the light, which somebody else may make brighter.
    pub fn remembered_bytes(&self) -> u64 {
        self.record.bytes() + self.empty_slots.bytes()
    }

    /// Bytes that it remembers of so many slots at most while nobody makes its laser brighter, but for one
    /// time in 10²³.
    pub fn undisturbed_bytes(&self, slots: u64) -> u64 {
        let entries = room(slots, self.undisturbed_probability);
        let of_entries = (entries as u64).saturating_mul(size_of::<u32>() as u64);
        of_entries.saturating_add(self.empty_slots.bytes())
    }

    /// First slot that has not been sent.
    pub fn next_slot(&self) -> u64 {
        self.next_slot
    }

    /// The parameters it was built with: what Alice believes in, however bright somebody makes it.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Transmittance of its own piece of fibre.
    pub(crate) fn segment_transmittance(&self) -> f64 {
        self.segment_transmittance
    }

    /// Probability that a slot still holds light after the segment.
    pub fn occupied_probability(&self) -> f64 {
        self.density.occupied_probability
    }

    /// How much light is left in a slot after the segment: what frames are sized for.
    pub fn density(&self) -> LightDensity {
        self.density
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
        let label = self.record.cursor().label_at(slot);
        let label = label.unwrap_or_else(|| self.empty_slots.label_at(slot));
        Ok(label.choice())
    }

    /// What Alice did in the slots that Bob announced, as [`choice_at`](Self::choice_at) says it, in
    /// a few nanoseconds for each.
    ///
    /// # Errors
    /// As [`choice_at`](Self::choice_at).
    pub fn recall(&self, slots: &SlotList) -> Result<Choices, Error> {
        for slot in slots.first().into_iter().chain(slots.last()) {
            self.check_known(slot..slot.saturating_add(1))?;
        }
        Ok(recall::recall(self, slots))
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
        let mut lit = totals.clone();
        for (piece, law) in self.empty_slots.pieces(&slots) {
            lit.fill(0);
            self.record.count(&piece, &mut lit);
            let empty = piece.end - piece.start - lit.iter().sum::<u64>();
            let mut rng = self.empty_slots.totals_rng(&piece);
            let drawn = multinomial(empty, law, &mut rng);
            for ((total, lit), empty) in totals.iter_mut().zip(&lit).zip(drawn) {
                *total += lit + empty;
            }
        }
        Ok(totals)
    }

    /// Drops and wipes what is known of slots before `slot`. Memory is freed a train at a time.
    pub fn forget_before(&mut self, slot: u64) {
        let slot = slot.min(self.next_slot);
        self.record.forget_before(slot);
        self.empty_slots.forget_before(slot);
    }

    /// How the generator of its choices has failed, if it has: light that was made since must not be
    /// sent, let alone be made a key of.
    pub fn generator_alarm(&self) -> Option<HealthAlarm> {
        match &self.sampler {
            Sampler::Dark => None,
            Sampler::Sparse(sparse) => sparse.generator().alarm(),
            Sampler::Dense(dense) => dense.generator().alarm(),
        }
    }

    /// Breaks that generator: to see whether it is noticed.
    pub fn spoil_generator(&mut self, defect: Defect) {
        match &mut self.sampler {
            Sampler::Dark => {}
            Sampler::Sparse(sparse) => sparse.generator_mut().spoil(defect),
            Sampler::Dense(dense) => dense.generator_mut().spoil(defect),
        }
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

/// Pulses that so many slots hold at most where each does with a probability of `occupied`, but for one time
/// in 10²³.
fn room(slots: u64, occupied: f64) -> f64 {
    let expected = slots as f64 * occupied;
    (expected + 10.0 * expected.sqrt() + 10.0).min(slots as f64)
}

#[cfg(test)]
#[path = "transmitter/tests.rs"]
mod tests;
