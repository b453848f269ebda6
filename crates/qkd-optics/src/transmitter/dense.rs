//! Every slot drawn: which of them hold light, 512 at a time.
//!
//! The sparse path pays for each pulse twice, for the gap before it and for what it is; where
//! pulses are dense it is cheaper to ask every slot whether it holds light, bit-sliced, than to
//! count the empty ones. One plane answers that, at about ten random bits a slot
//! ([`kernel`]); what an occupied slot holds is then one draw from the same table as in the sparse
//! path. Planes for class, basis, bit and each photon number as well would cost seven such
//! comparisons for *every* slot, and each occupied slot would still have to be taken out of them
//! one by one; the table needs none of them and is exact for any joint law, also one in which
//! nothing factorises (preparation errors).
//!
//! Which slots hold light is nature's doing and comes from a generator for physics; what is in them
//! never does. The planes go on from one train to the next: where trains are cut changes nothing.

mod kernel;

use qkd_bits::PhysicsRng;

use crate::sampling::threshold;
use kernel::{Block, Generator, Kernel, LANES};

const BLOCKS: usize = 8;
/// Slots that are decided in one go: planes, offsets and pulses stay in the first-level cache.
pub(super) const SLOTS: u32 = (BLOCKS * LANES * 64) as u32;

/// The slots that hold light, each one with the same probability and on its own.
pub(super) struct OccupiedSlots {
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
