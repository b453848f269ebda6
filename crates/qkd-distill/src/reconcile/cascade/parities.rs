//! Parities of any stretch of a string of bits in a handful of operations, while bits change.

use zeroize::Zeroizing;

/// Bits of a word, words of a group, groups of a region: each 64.
const FAN: usize = 64;
/// Bits of a region.
const REGION_BITS: usize = FAN * FAN * FAN;

/// A string of secret bits with the parities of all its beginnings: for each group of 64 words one
/// word tells the parity before each of them, for each region of 64 groups likewise. A parity reads
/// three words at either end, and a changed bit changes one word of each kind.
pub(super) struct Parities {
    words: Zeroizing<Vec<u64>>,
    /// Bit i of word g: the parity of the words of group g before its i-th.
    groups: Zeroizing<Vec<u64>>,
    /// Bit i of word r: the parity of the groups of region r before its i-th.
    regions: Zeroizing<Vec<u64>>,
    /// Parity of each region, in the lowest bit.
    wholes: Zeroizing<Vec<u64>>,
}

impl Parities {
    /// Room that [`Parities::new`] wants behind the words, so that they stay where they are.
    pub(super) const SPARE_WORDS: usize = 1;

    /// Takes a string whose words are `words`.
    #[inline(always)]
    pub(super) fn new(mut words: Zeroizing<Vec<u64>>) -> Self {
        // A stretch may end at the very end of the last word.
        words.push(0);
        let groups_count = words.len().div_ceil(FAN);
        let regions_count = groups_count.div_ceil(FAN);
        let mut groups = Zeroizing::new(Vec::with_capacity(groups_count));
        let mut regions = Zeroizing::new(Vec::with_capacity(regions_count));
        let mut wholes = Zeroizing::new(Vec::with_capacity(regions_count));
        for region in words.chunks(FAN * FAN) {
            let mut group_parities = 0;
            for (i, group) in region.chunks(FAN).enumerate() {
                let mut word_parities = 0;
                for (j, word) in group.iter().enumerate() {
                    word_parities |= parity(*word) << j;
                }
                let (before, whole) = beginnings(word_parities);
                groups.push(before);
                group_parities |= whole << i;
            }
            let (before, whole) = beginnings(group_parities);
            regions.push(before);
            wholes.push(whole);
        }
        Self {
            words,
            groups,
            regions,
            wholes,
        }
    }

    /// The words of the string.
    pub(super) fn words(&self) -> &[u64] {
        &self.words[..self.words.len() - Self::SPARE_WORDS]
    }

    /// Gives the words back.
    pub(super) fn into_words(mut self) -> Vec<u64> {
        let mut words = std::mem::take(&mut *self.words);
        words.truncate(words.len() - Self::SPARE_WORDS);
        words
    }

    /// Parity of the bits from `start` to just before `end`, in the lowest bit; higher bits are
    /// zero.
    #[inline(always)]
    pub(super) fn between(&self, start: u32, end: u32) -> u64 {
        let (start, end) = (start as usize, end as usize);
        if start / FAN == end / FAN {
            let below = (1 << (end % FAN)) - (1 << (start % FAN));
            return parity(self.words[start / FAN] & below);
        }
        let mut sum = self.before(start) ^ self.before(end);
        let (first, last) = (start / REGION_BITS, end / REGION_BITS);
        if first != last {
            for whole in &self.wholes[first..last] {
                sum ^= whole;
            }
        }
        sum & 1
    }

    /// In the lowest bit: the parity of what lies before `place` in its region.
    #[inline(always)]
    fn before(&self, place: usize) -> u64 {
        let (word, group) = (place / FAN, place / FAN / FAN);
        let in_word = self.words[word] & ((1 << (place % FAN)) - 1);
        let in_group = self.groups[group] >> (word % FAN);
        let in_region = self.regions[group / FAN] >> (group % FAN);
        parity(in_word) ^ in_group ^ in_region
    }

    /// Inverts the bit at `place`.
    #[inline(always)]
    pub(super) fn flip(&mut self, place: u32) {
        let place = place as usize;
        let (word, group) = (place / FAN, place / FAN / FAN);
        self.words[word] ^= 1 << (place % FAN);
        self.groups[group] ^= u64::MAX << (word % FAN) << 1;
        self.regions[group / FAN] ^= u64::MAX << (group % FAN) << 1;
        self.wholes[group / FAN] ^= 1;
    }
}

/// Whether an odd number of bits is set, in the lowest bit.
#[inline(always)]
fn parity(word: u64) -> u64 {
    u64::from(word.count_ones() & 1)
}

/// The parity of the bits below each bit, and of all of them.
#[inline(always)]
fn beginnings(bits: u64) -> (u64, u64) {
    let mut up_to = bits;
    for shift in [1, 2, 4, 8, 16, 32] {
        up_to ^= up_to << shift;
    }
    (up_to << 1, up_to >> 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::{BitString, SecretRng};

    #[test]
    fn parities_equal_counting_before_and_after_bits_change() {
        let mut rng = SecretRng::from_seed([4; 32]);
        for bits in [64, 4096, 4160, 262_144, 600_000] {
            let mut string = rng.public_bits(bits);
            let mut parities = Parities::new(Zeroizing::new(string.words().to_vec()));
            for _ in 0..200 {
                let (a, b) = (rng.below(bits as u64 + 1), rng.below(bits as u64 + 1));
                let (start, end) = (a.min(b) as usize, a.max(b) as usize);
                let expected = u64::from(string.parity(start..end));
                assert_eq!(parities.between(start as u32, end as u32), expected);
                let place = rng.below(bits as u64);
                parities.flip(place as u32);
                string.flip(place as usize);
            }
            assert_eq!(parities.words(), string.words());
            assert_eq!(BitString::from_words(parities.into_words(), bits), string);
        }
    }
}
