//! Light that is drawn slot by slot: every slot is asked whether it holds any, 512 at a time.
//!
//! The sparse path pays for each pulse twice, for the gap before it and for what it is. Where
//! pulses are dense it is cheaper to ask every slot than to count the empty ones. One bit-sliced
//! plane answers that, at about ten random bits a slot ([`kernel`]); what an occupied slot holds is
//! then drawn from the same table as in the sparse path.
//!
//! The other way would be planes for intensity, basis, bit and each photon number as well: seven
//! such comparisons for *every* slot instead of one, and each occupied slot would still have to be
//! taken out of them one by one. The table costs less than that even when nearly every slot holds
//! light, knows any number of photons, and is exact for laws in which nothing factorises, such as
//! preparation errors.
//!
//! Which slots hold light is nature's doing and comes from a generator for physics, which somebody
//! who sees enough light can foresee. That tells nothing of what is in the slots: all of Alice's
//! choices come from the secret stream.

mod kernel;

use std::ops::Range;

use qkd_bits::{PhysicsRng, SecretRng, SecretStream};
use zeroize::Zeroizing;

use super::emissions::{EmissionTable, Packed};
use super::record::Entries;
use crate::light::Pulse;
use crate::sampling::threshold;
use crate::source::EmissionLaw;
use kernel::{Block, Generator, Kernel, LANES};

const BLOCKS: usize = 8;
/// Slots that are decided in one go: their planes and offsets stay in the caches.
const SLOTS: u32 = (BLOCKS * LANES * 64) as u32;
/// Emissions that are drawn at once.
const CHUNK: usize = 256;

/// The sampler of slots of which many hold light.
pub(super) struct Dense {
    slots: OccupiedSlots,
    emissions: EmissionTable,
    secret: SecretStream,
}

impl Dense {
    /// A sampler of the law; nothing when no slot ever holds light.
    pub fn new(law: &EmissionLaw, mut secret: SecretRng) -> Option<Self> {
        let physics = PhysicsRng::from_seed(secret.next_u64());
        Self::build(law, physics, SecretStream::new(secret))
    }

    /// The same with a generator that has been used before.
    pub fn with_generator(law: &EmissionLaw, mut secret: SecretStream) -> Option<Self> {
        let physics = PhysicsRng::from_seed(secret.next_u64());
        Self::build(law, physics, secret)
    }

    fn build(law: &EmissionLaw, mut physics: PhysicsRng, secret: SecretStream) -> Option<Self> {
        Some(Self {
            slots: OccupiedSlots::new(law.occupied_probability(), &mut physics),
            emissions: EmissionTable::new(&law.occupied)?,
            secret,
        })
    }

    /// Gives the generator back.
    pub fn into_generator(self) -> SecretStream {
        self.secret
    }

    /// What everything is drawn from.
    pub fn generator(&self) -> &SecretStream {
        &self.secret
    }

    /// See [`generator`](Self::generator).
    pub fn generator_mut(&mut self) -> &mut SecretStream {
        &mut self.secret
    }

    /// Draws the slots of `piece`, offsets within the train: light goes to `pulses`, Alice's
    /// choices to `entries`.
    pub fn sample(&mut self, piece: Range<u32>, pulses: &mut Vec<Pulse>, entries: &mut Entries) {
        // One word of the stream serves two emissions.
        let mut words = Zeroizing::new([0; CHUNK / 2]);
        let mut emitted = Zeroizing::new([Packed::default(); CHUNK]);
        let span = piece.end - piece.start;
        let mut done = 0;
        while done < span {
            let (covered, occupied) = self.slots.next(done, span - done);
            for offsets in occupied.chunks(CHUNK) {
                self.secret
                    .fill_u32(&mut words[..offsets.len().div_ceil(2)]);
                let emitted = &mut emitted[..offsets.len()];
                for (pair, word) in emitted.chunks_mut(2).zip(words.iter()) {
                    for (packed, word) in pair.iter_mut().zip([*word, word >> 16]) {
                        *packed = self.emissions.draw(word, &mut self.secret);
                    }
                }
                let chunk = || offsets.iter().copied().zip(emitted.iter().copied());
                pulses
                    .extend(chunk().map(|(offset, emission)| emission.pulse(piece.start + offset)));
                entries.extend(chunk());
            }
            done += covered;
        }
    }
}

/// The slots that hold light, each one with the same probability and on its own. They go on from
/// one train to the next: where trains are cut changes nothing.
struct OccupiedSlots {
    kernel: Kernel,
    threshold: u64,
    generator: Generator,
    planes: [Block; BLOCKS],
    /// Slots of the planes that are used up; their bits are cleared where a word was cut.
    spent: u32,
    offsets: Box<[u32; SLOTS as usize]>,
}

impl OccupiedSlots {
    /// Slots that hold light with `probability` in [0, 1], to 2⁻⁶⁴.
    pub fn new(probability: f64, physics: &mut PhysicsRng) -> Self {
        Self::with_kernel(Kernel::best(), probability, physics)
    }

    fn with_kernel(kernel: Kernel, probability: f64, physics: &mut PhysicsRng) -> Self {
        Self {
            kernel,
            threshold: threshold(probability),
            generator: std::array::from_fn(|_| std::array::from_fn(|_| physics.next_u64())),
            planes: [[0; LANES]; BLOCKS],
            spent: SLOTS,
            offsets: Box::new([0; SLOTS as usize]),
        }
    }

    /// Goes through the next slots, at least one and at most `slots`, which is not 0: returns how
    /// many, and which of them hold light, ascending, the first slot counted as `first`.
    pub fn next(&mut self, first: u32, slots: u32) -> (u32, &[u32]) {
        if self.spent == SLOTS {
            self.kernel
                .fill(self.threshold, &mut self.generator, &mut self.planes);
            self.spent = 0;
        }
        let covered = slots.min(SLOTS - self.spent);
        let (start, end) = (self.spent, self.spent + covered);
        let words = self.planes.as_flattened_mut();
        let words = &mut words[start as usize / 64..end.div_ceil(64) as usize];
        // What a cut word holds of later slots waits for them.
        let later = match words.last_mut() {
            Some(last) if end % 64 != 0 => {
                let now = *last & ((1 << (end % 64)) - 1);
                std::mem::replace(last, now) ^ now
            }
            _ => 0,
        };
        let first = first.wrapping_sub(start % 64);
        let count = self.kernel.positions(words, first, &mut self.offsets[..]);
        if let Some(last) = words.last_mut() {
            *last = later;
        }
        self.spent = end;
        (covered, &self.offsets[..count])
    }
}

#[cfg(test)]
mod tests;
