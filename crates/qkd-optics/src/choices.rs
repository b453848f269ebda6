//! Alice's choices in many slots, as columns.

use qkd_bits::{BitString, SecretBits};

use crate::{Basis, Choice, IntensityClass};

/// One bit of each of eight bytes.
const LOWEST: u64 = 0x0101_0101_0101_0101;

/// What Alice did in a list of slots, in their order, three bits for each. Secret until she
/// discloses it; the bits are wiped when they are dropped.
///
/// ```compile_fail
/// fn show(choices: &qkd_optics::Choices) -> String { format!("{choices:?}") }
/// ```
#[derive(Default)]
pub struct Choices {
    /// Her basis: set for X.
    pub bases: BitString,
    /// Her intensity: set for every class but the signal.
    pub decoys: BitString,
    /// The bits she prepared.
    pub bits: SecretBits,
}

impl Choices {
    /// None yet, with room for so many.
    pub fn with_capacity(choices: usize) -> Self {
        Self {
            bases: BitString::with_capacity(choices),
            decoys: BitString::with_capacity(choices),
            bits: SecretBits::from(BitString::with_capacity(choices)),
        }
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.bases.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }

    /// The choices one by one; whatever is no signal is the first decoy.
    pub fn iter(&self) -> impl Iterator<Item = Choice> + '_ {
        let rows = self.bases.iter().zip(self.decoys.iter());
        rows.zip(self.bits.expose().iter())
            .map(|((is_x, decoy), bit)| Choice {
                basis: if is_x { Basis::X } else { Basis::Z },
                bit,
                intensity: IntensityClass(u8::from(decoy)),
            })
    }

    /// Adds the choices of at most 64 labels: the bit, the basis and, from there on, the class.
    pub(crate) fn extend_labels(&mut self, labels: &[u8]) {
        let (mut bases, mut decoys, mut bits) = (0, 0, 0);
        for (eight, labels) in (0..).zip(labels.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..labels.len()].copy_from_slice(labels);
            let word = u64::from_le_bytes(bytes);
            bits |= gather(word) << (8 * eight);
            bases |= gather(word >> 1) << (8 * eight);
            decoys |= gather(word >> 2 | word >> 3 | word >> 4) << (8 * eight);
        }
        self.bases.push_word(bases, labels.len());
        self.decoys.push_word(decoys, labels.len());
        self.bits.push_word(bits, labels.len());
    }
}

impl Extend<Choice> for Choices {
    fn extend<I: IntoIterator<Item = Choice>>(&mut self, choices: I) {
        for choice in choices {
            self.bases.push(choice.basis == Basis::X);
            self.decoys.push(choice.intensity != IntensityClass(0));
            self.bits.push_word(u64::from(choice.bit), 1);
        }
    }
}

impl FromIterator<Choice> for Choices {
    fn from_iter<I: IntoIterator<Item = Choice>>(choices: I) -> Self {
        let choices = choices.into_iter();
        let mut columns = Self::with_capacity(choices.size_hint().0);
        columns.extend(choices);
        columns
    }
}

/// The lowest bits of the eight bytes of a word, side by side: byte j times 2^(7·(8 − j)) puts its
/// bit at 56 + j, and no two products meet in a place that is kept.
#[inline(always)]
fn gather(word: u64) -> u64 {
    (word & LOWEST).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::light::State;
    use crate::source::Label;

    #[test]
    fn labels_are_packed_as_the_choices_that_they_stand_for() {
        let mut rng = qkd_bits::PhysicsRng::from_seed(5);
        for len in [1, 7, 8, 9, 63, 64] {
            let labels: Vec<Label> = (0..len)
                .map(|_| Label::new(State::from_code(rng.below(4) as u8), rng.below(8) as u8))
                .collect();
            let (mut packed, mut expected) = (Choices::default(), Choices::default());
            for _ in 0..2 {
                let codes: Vec<u8> = labels.iter().map(|label| label.0).collect();
                packed.extend_labels(&codes);
                expected.extend(labels.iter().map(|label| label.choice()));
            }
            assert_eq!(packed.len(), 2 * len);
            assert!(packed.bases == expected.bases && packed.decoys == expected.decoys);
            assert!(packed.bits.expose() == expected.bits.expose());
        }
    }
}
