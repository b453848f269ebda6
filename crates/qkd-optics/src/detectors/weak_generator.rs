//! A generator of bases that somebody else can foresee.

use crate::source::check_probability;
use crate::{Basis, Error};

/// Bob's generator of bases, with a back door: what it says in a share of the slots follows from a
/// number that Eve knows. What it says there is Z and X alike: with P(Z) = ½ its output is as fair as a
/// sound one's, no health test sees it, and all there is against it is to know where the generator
/// comes from. With another P(Z) the bases lean towards one half, and the bias of the bases shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeakGenerator {
    /// The number from which it follows.
    pub seed: u64,
    /// Share of the slots in which it does, 0 to 1; in the others the basis is chosen as it should be.
    /// Somebody who knows the number is right in a share g = (1 + this)/2 of all slots.
    pub foreseeable: f64,
}

impl WeakGenerator {
    /// Refuses a share that is none.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names it.
    pub fn check(&self) -> Result<(), Error> {
        check_probability("foreseeable", self.foreseeable)
    }

    /// The basis that the number says for a slot: Z and X in half of them each.
    pub fn foreseen(seed: u64, slot: u64) -> Basis {
        if mixed(seed, slot) & 1 == 0 {
            Basis::Z
        } else {
            Basis::X
        }
    }

    /// The basis in which this generator makes Bob measure; nothing where he is free.
    pub(crate) fn basis(&self, slot: u64) -> Option<Basis> {
        let share = (mixed(!self.seed, slot) >> 11) as f64 / (1u64 << 53) as f64;
        (share < self.foreseeable).then(|| Self::foreseen(self.seed, slot))
    }
}

/// A number that looks like chance (the finaliser of SplitMix64; Steele, Lea and Flood, OOPSLA 2014).
fn mixed(seed: u64, slot: u64) -> u64 {
    let mut z = seed.wrapping_add(slot.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_fair_and_the_share_that_can_be_foreseen_is_the_one_set() {
        let generator = WeakGenerator {
            seed: 7,
            foreseeable: 0.8,
        };
        let (mut foreseen, mut z) = (0u32, 0u32);
        for slot in 0..100_000 {
            foreseen += u32::from(generator.basis(slot).is_some());
            z += u32::from(WeakGenerator::foreseen(7, slot) == Basis::Z);
        }
        for (count, share) in [(foreseen, 0.8f64), (z, 0.5)] {
            let sigma = (1e5 * share * (1.0 - share)).sqrt();
            let off = (f64::from(count) - 1e5 * share) / sigma;
            assert!(off.abs() < 5.0, "{count}: {off:.2} sigma off {share}");
        }
    }
}
