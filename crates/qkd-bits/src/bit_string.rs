//! Packed bits that anybody may read: bases, parities, seeds.

mod instructions;
mod select;

use std::fmt;
use std::ops::Range;

use zeroize::Zeroize;

/// A string of public bits, packed 64 to a word, the lowest bit of the first word first.
///
/// Bits beyond [`len`](Self::len) in the last word are always zero. Whatever must stay secret
/// lives in [`SecretBits`](crate::SecretBits) instead.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BitString {
    words: Vec<u64>,
    len: usize,
}

/// A byte or word buffer does not hold exactly the stated number of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given} bytes cannot hold exactly {bits} bits: expected {expected} bytes, unused bits zero"
)]
pub struct WrongLength {
    /// Bits announced.
    pub bits: usize,
    /// Bytes that many bits take.
    pub expected: usize,
    /// Bytes received.
    pub given: usize,
}

impl BitString {
    /// An empty string.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty string with room for `bits` bits.
    pub fn with_capacity(bits: usize) -> Self {
        Self {
            words: Vec::with_capacity(bits.div_ceil(64)),
            len: 0,
        }
    }

    /// Bits that there is room for.
    pub fn capacity(&self) -> usize {
        self.words.capacity() * 64
    }

    /// `len` zero bits.
    pub fn zeros(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
            len,
        }
    }

    /// The first `len` bits of `words`; higher bits are cleared and missing words are zero.
    pub fn from_words(mut words: Vec<u64>, len: usize) -> Self {
        words.resize(len.div_ceil(64), 0);
        let mut bits = Self { words, len };
        bits.clear_tail();
        bits
    }

    /// Reads `len` bits from little-endian packed bytes, as [`to_bytes`](Self::to_bytes) wrote them.
    ///
    /// # Errors
    /// When `bytes` is not exactly `len.div_ceil(8)` long or an unused bit is set.
    pub fn from_bytes(bytes: &[u8], len: usize) -> Result<Self, WrongLength> {
        let expected = len.div_ceil(8);
        let wrong = WrongLength {
            bits: len,
            expected,
            given: bytes.len(),
        };
        if bytes.len() != expected {
            return Err(wrong);
        }
        if let Some(last) = bytes.last()
            && !len.is_multiple_of(8)
            && last >> (len % 8) != 0
        {
            return Err(wrong);
        }
        let (whole, rest) = bytes.as_chunks::<8>();
        let mut words = Vec::with_capacity(len.div_ceil(64));
        words.extend(whole.iter().map(|&word| u64::from_le_bytes(word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            words.push(u64::from_le_bytes(last));
        }
        Ok(Self { words, len })
    }

    /// The bits as little-endian packed bytes, `len.div_ceil(8)` of them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.words.len() * 8];
        let (chunks, _) = bytes.as_chunks_mut::<8>();
        for (chunk, word) in chunks.iter_mut().zip(&self.words) {
            *chunk = word.to_le_bytes();
        }
        bytes.truncate(self.len.div_ceil(8));
        bytes
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no bit at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The packed words; bits beyond the length are zero.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Bit `index`.
    ///
    /// # Panics
    /// When `index` is not below the length.
    #[inline]
    pub fn get(&self, index: usize) -> bool {
        assert!(index < self.len, "bit {index} of {}", self.len);
        self.words[index / 64] >> (index % 64) & 1 == 1
    }

    /// Sets bit `index` to `bit`.
    ///
    /// # Panics
    /// When `index` is not below the length.
    #[inline]
    pub fn set(&mut self, index: usize, bit: bool) {
        assert!(index < self.len, "bit {index} of {}", self.len);
        let mask = 1 << (index % 64);
        if bit {
            self.words[index / 64] |= mask;
        } else {
            self.words[index / 64] &= !mask;
        }
    }

    /// Inverts bit `index`.
    ///
    /// # Panics
    /// When `index` is not below the length.
    #[inline]
    pub fn flip(&mut self, index: usize) {
        assert!(index < self.len, "bit {index} of {}", self.len);
        self.words[index / 64] ^= 1 << (index % 64);
    }

    /// Appends one bit.
    #[inline]
    pub fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.words[self.len / 64] |= u64::from(bit) << (self.len % 64);
        self.len += 1;
    }

    /// Appends all bits of `other`.
    pub fn append(&mut self, other: &BitString) {
        let shift = self.len % 64;
        let words = (self.len + other.len).div_ceil(64);
        if shift == 0 {
            self.words.extend_from_slice(&other.words);
        } else if let (Some(last), Some(first)) = (self.words.last_mut(), other.words.first()) {
            *last |= first << shift;
            let pairs = other.words.windows(2);
            self.words
                .extend(pairs.map(|pair| joined(pair[0], pair[1], 64 - shift)));
            // No word too many, not for a moment: strings with the room for it do not move.
            let last = other.words.last().filter(|_| self.words.len() < words);
            self.words.extend(last.map(|word| word >> (64 - shift)));
        }
        self.len += other.len;
    }

    /// A copy of the bits in `range`.
    ///
    /// # Panics
    /// When the range reaches beyond the length.
    pub fn slice(&self, range: Range<usize>) -> BitString {
        assert!(range.start <= range.end && range.end <= self.len);
        let len = range.end - range.start;
        let (first, shift) = (range.start / 64, range.start % 64);
        let from = &self.words[first..range.end.div_ceil(64).max(first)];
        let mut words = Vec::with_capacity(len.div_ceil(64) + 1);
        if shift == 0 {
            words.extend_from_slice(from);
        } else {
            words.extend(from.windows(2).map(|pair| joined(pair[0], pair[1], shift)));
            words.extend(from.last().map(|word| word >> shift));
        }
        BitString::from_words(words, len)
    }

    /// Whether an odd number of bits in `range` is set.
    ///
    /// # Panics
    /// When the range reaches beyond the length.
    pub fn parity(&self, range: Range<usize>) -> bool {
        assert!(range.start <= range.end && range.end <= self.len);
        if range.is_empty() {
            return false;
        }
        let (first, last) = (range.start / 64, (range.end - 1) / 64);
        let low = u64::MAX << (range.start % 64);
        let high = u64::MAX >> (63 - (range.end - 1) % 64);
        let folded = if first == last {
            self.words[first] & low & high
        } else {
            self.words[first + 1..last].iter().fold(
                (self.words[first] & low) ^ (self.words[last] & high),
                |sum, word| sum ^ word,
            )
        };
        folded.count_ones() % 2 == 1
    }

    /// Number of set bits.
    pub fn count_ones(&self) -> usize {
        instructions::count_ones_and(&self.words, &self.words)
    }

    /// Number of positions in which two strings of one length differ.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn hamming_distance(&self, other: &BitString) -> usize {
        assert_eq!(self.len, other.len, "strings of one length");
        self.words
            .iter()
            .zip(&other.words)
            .map(|(a, b)| (a ^ b).count_ones() as usize)
            .sum()
    }

    /// The bits one by one.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        (0..self.len).map(|i| self.words[i / 64] >> (i % 64) & 1 == 1)
    }

    fn clear_tail(&mut self) {
        if !self.len.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last &= u64::MAX >> (64 - self.len % 64);
        }
    }
}

/// The 64 bits that begin `shift` bits, from 1 to 63, into two words.
#[inline(always)]
fn joined(low: u64, high: u64, shift: usize) -> u64 {
    low >> shift | high << (64 - shift)
}

impl FromIterator<bool> for BitString {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let [string] = Self::columns(bits.into_iter().map(|bit| [bit]));
        string
    }
}

impl fmt::Debug for BitString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BitString({} bits)", self.len)
    }
}

impl Zeroize for BitString {
    fn zeroize(&mut self) {
        self.words.zeroize();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(max: usize) -> impl Strategy<Value = Vec<bool>> {
        proptest::collection::vec(any::<bool>(), 0..max)
    }

    proptest! {
        #[test]
        fn packing_to_bytes_loses_nothing(bits in bits(300)) {
            let string: BitString = bits.iter().copied().collect();
            let back = BitString::from_bytes(&string.to_bytes(), bits.len()).unwrap();
            prop_assert_eq!(&back, &string);
            prop_assert_eq!(back.iter().collect::<Vec<_>>(), bits);
        }

        #[test]
        fn parity_equals_counting(bits in bits(300), a in 0usize..300, b in 0usize..300) {
            let string: BitString = bits.iter().copied().collect();
            let (a, b) = (a.min(bits.len()), b.min(bits.len()));
            let range = a.min(b)..a.max(b);
            let counted = bits[range.clone()].iter().filter(|&&bit| bit).count() % 2 == 1;
            prop_assert_eq!(string.parity(range), counted);
        }

        #[test]
        fn slice_and_append_are_inverse(bits in bits(300), cut in 0usize..300) {
            let string: BitString = bits.iter().copied().collect();
            let cut = cut.min(bits.len());
            let mut joined = string.slice(0..cut);
            joined.append(&string.slice(cut..bits.len()));
            prop_assert_eq!(joined, string);
        }
    }

    #[test]
    fn stray_bits_and_wrong_sizes_are_refused() {
        assert!(BitString::from_bytes(&[0b1000_0000], 7).is_err());
        assert!(BitString::from_bytes(&[0, 0], 7).is_err());
        assert!(BitString::from_bytes(&[], 1).is_err());
        assert!(BitString::from_bytes(&[0b0111_1111], 7).is_ok());
    }

    #[test]
    fn words_beyond_the_length_are_cleared() {
        let string = BitString::from_words(vec![u64::MAX; 3], 65);
        assert_eq!(string.words(), &[u64::MAX, 1]);
    }
}
