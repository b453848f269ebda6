//! Parities of any stretch of a string of bits in a handful of operations, while bits change.

use zeroize::Zeroizing;

use super::instructions::Instructions;
use super::leaves::Region;
use super::packed::Packer;

/// Bits of a word, words of a group, groups of a region: each 64.
const FAN: usize = 64;
/// Bits of a region.
const REGION_BITS: usize = FAN * FAN * FAN;

/// A string of secret bits with the parities of all its beginnings: for each group of 64 words one
/// word tells the parity before each of them, for each region of 64 groups likewise. A parity reads
/// three words at either end, and a changed bit changes one word of each kind.
pub(super) struct Parities {
    /// And one more of zeros: a stretch may end at the very end of the last word.
    words: Zeroizing<Vec<u64>>,
    /// Bit i of word g: the parity of the words of group g before its i-th.
    groups: Zeroizing<Vec<u64>>,
    /// Bit i of word r: the parity of the groups of region r before its i-th.
    regions: Zeroizing<Vec<u64>>,
    /// Parity of each region, in the lowest bit.
    wholes: Zeroizing<Vec<u64>>,
}

impl Parities {
    /// Takes a string whose words are `words`, the last of which is zero.
    #[inline(always)]
    pub(super) fn new(words: Zeroizing<Vec<u64>>) -> Self {
        let groups_count = words.len().div_ceil(FAN);
        let regions_count = groups_count.div_ceil(FAN);
        let mut parities = Self {
            words,
            groups: Zeroizing::new(vec![0; groups_count]),
            regions: Zeroizing::new(vec![0; regions_count]),
            wholes: Zeroizing::new(vec![0; regions_count]),
        };
        parities.sum();
        parities
    }

    /// Computes all sums from the words.
    #[inline(always)]
    fn sum(&mut self) {
        let groups = self.groups.chunks_mut(FAN);
        let sums = self.regions.iter_mut().zip(self.wholes.iter_mut());
        let regions = self.words.chunks(FAN * FAN).zip(groups).zip(sums);
        for ((region, groups), (before_groups, whole_region)) in regions {
            let mut group_parities = 0;
            for (i, (group, before)) in region.chunks(FAN).zip(groups).enumerate() {
                let mut word_parities = 0;
                for (j, word) in group.iter().enumerate() {
                    word_parities |= parity(*word) << j;
                }
                let whole;
                (*before, whole) = beginnings(word_parities);
                group_parities |= whole << i;
            }
            (*before_groups, *whole_region) = beginnings(group_parities);
        }
    }

    /// The words of the string and whatever follows them.
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Gives the words back.
    pub(super) fn into_words(mut self) -> Vec<u64> {
        std::mem::take(&mut *self.words)
    }

    /// Puts the parities of all blocks of a region into a message.
    #[inline(always)]
    pub(super) fn blocks(&self, region: Region, instructions: Instructions, parities: &mut Packer) {
        let words = &self.words[region.start() as usize / FAN..];
        let count = region.count() as usize;
        let size_log2 = region.size_log2();
        if let Some(words_log2) = size_log2.checked_sub(6) {
            let words = &words[..count << words_log2];
            // Sizes that the compiler knows are unrolled.
            match words_log2 {
                0 => put_blocks(words, 1, parities),
                1 => put_blocks(words, 2, parities),
                _ => put_blocks(words, 1 << words_log2, parities),
            }
            return;
        }
        // The parity of each block comes to stand at its beginning.
        let heads = u64::MAX / (u64::MAX >> (64 - (1 << size_log2)));
        let in_word = FAN >> size_log2;
        for (&word, first) in words.iter().zip((0..count).step_by(in_word)) {
            let folded = (0..size_log2).fold(word, |sums, i| sums ^ sums >> (1 << i));
            let bits = instructions.extract(folded, heads);
            let due = in_word.min(count - first);
            parities.put(bits & u64::MAX >> (64 - due), due);
        }
    }

    /// Puts the parities of the first halves of leaves into a message: leaves of twice
    /// 2^`half_log2` places, that start at multiples of their length.
    #[inline(always)]
    pub(super) fn halves(&self, starts: &[u32], half_log2: u32, parities: &mut Packer) {
        if half_log2 < 6 {
            let low = (1 << (1 << half_log2)) - 1;
            let words = &self.words[..];
            put_each(starts, parities, |start| {
                parity(words[start as usize / FAN] >> (start % 64) & low)
            });
        } else {
            put_each(starts, parities, |start| {
                self.between(start, start + (1 << half_log2))
            });
        }
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

    /// Inverts the bits at `places`.
    #[inline(always)]
    pub(super) fn flip_all(&mut self, places: &[u32]) {
        // A sum of all words takes about as long as this many changes of them.
        if places.len() <= self.words.len() / 8 {
            places.iter().for_each(|&place| self.flip(place));
            return;
        }
        for &place in places {
            self.words[place as usize / FAN] ^= 1 << (place % 64);
        }
        self.sum();
    }

    /// Inverts the bit at `place`.
    #[inline(always)]
    fn flip(&mut self, place: u32) {
        let place = place as usize;
        let (word, group) = (place / FAN, place / FAN / FAN);
        self.words[word] ^= 1 << (place % FAN);
        self.groups[group] ^= u64::MAX << (word % FAN) << 1;
        self.regions[group / FAN] ^= u64::MAX << (group % FAN) << 1;
        self.wholes[group / FAN] ^= 1;
    }
}

/// Puts one bit for each of `items` into a message.
#[inline(always)]
pub(super) fn put_each<T: Copy>(items: &[T], parities: &mut Packer, parity: impl Fn(T) -> u64) {
    for items in items.chunks(64) {
        let mut word = 0;
        for (i, &item) in items.iter().enumerate() {
            word |= parity(item) << i;
        }
        parities.put(word, items.len());
    }
}

/// Puts the parities of blocks of `block_words` words into a message; `words` are whole blocks.
#[inline(always)]
fn put_blocks(words: &[u64], block_words: usize, parities: &mut Packer) {
    for words in words.chunks(64 * block_words) {
        let mut sums = 0;
        for (i, block) in words.chunks_exact(block_words).enumerate() {
            sums |= parity(block.iter().fold(0, |sum, word| sum ^ word)) << i;
        }
        parities.put(sums, words.len() / block_words);
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
            let mut words = string.words().to_vec();
            words.push(0);
            let mut parities = Parities::new(Zeroizing::new(words));
            for _ in 0..200 {
                let (a, b) = (rng.below(bits as u64 + 1), rng.below(bits as u64 + 1));
                let (start, end) = (a.min(b) as usize, a.max(b) as usize);
                let expected = u64::from(string.parity(start..end));
                assert_eq!(parities.between(start as u32, end as u32), expected);
                let flips = rng.below(4) * rng.below(20);
                let places: Vec<u32> = (0..flips).map(|_| rng.below(bits as u64) as u32).collect();
                parities.flip_all(&places);
                places.iter().for_each(|&place| string.flip(place as usize));
            }
            let mut words = parities.into_words();
            assert_eq!(words.pop(), Some(0));
            assert_eq!(BitString::from_words(words, bits), string);
        }
    }
}
