//! Strings combined and thinned out by masks, a word at a time.

use super::{BitString, instructions};

/// Words that are compressed side by side: enough for vector registers to take part.
const LANES: usize = 8;

/// A word moves together in so many steps, of 1, 2, 4, … 32 places.
const STEPS: usize = 6;

impl BitString {
    /// The bits that are set in both.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn and(&self, other: &BitString) -> BitString {
        self.combine(other, |a, b| a & b)
    }

    /// The bits that are set in exactly one of the two.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn xor(&self, other: &BitString) -> BitString {
        self.combine(other, |a, b| a ^ b)
    }

    /// The bits that are set in neither.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn nor(&self, other: &BitString) -> BitString {
        let mut neither = self.combine(other, |a, b| !(a | b));
        neither.clear_tail();
        neither
    }

    /// Number of bits that are set in both.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn count_ones_and(&self, other: &BitString) -> usize {
        self.assert_as_long(other);
        instructions::count_ones_and(&self.words, &other.words)
    }

    /// The bits at which `mask` is set, in their order. Takes the same time whatever they are, and
    /// leaves no copy of them in memory but the one that is returned.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn select(&self, mask: &BitString) -> BitString {
        let [selected] = Self::select_each([self], mask);
        selected
    }

    /// [Selects](Self::select) from several strings by one mask, most of whose cost they share.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn select_each<const N: usize>(
        strings: [&BitString; N],
        mask: &BitString,
    ) -> [BitString; N] {
        for string in strings {
            string.assert_as_long(mask);
        }
        let ones = mask.count_ones();
        let mut packers = [(); N].map(|()| Packer::with_room(ones));
        let words = strings.map(|string| &string.words[..]);
        if !instructions::gather(&mut packers, words, &mask.words) {
            gather(&mut packers, words, &mask.words);
        }
        packers.map(|packer| packer.finish(ones))
    }

    /// Packs rows of `N` bits into `N` strings, one for each column. With rows that say how many
    /// they are at most, no string moves while it grows, so that no copy of it is left behind.
    pub fn columns<const N: usize>(rows: impl IntoIterator<Item = [bool; N]>) -> [BitString; N] {
        let rows = rows.into_iter();
        let (least, most) = rows.size_hint();
        let mut columns = [(); N].map(|()| Self::with_capacity(most.unwrap_or(least)));
        let (mut words, mut len) = ([0; N], 0);
        rows.for_each(|row| {
            for (word, bit) in words.iter_mut().zip(row) {
                *word |= u64::from(bit) << (len % 64);
            }
            len += 1;
            if len % 64 == 0 {
                for (column, word) in columns.iter_mut().zip(&mut words) {
                    column.words.push(std::mem::take(word));
                }
            }
        });
        for (column, word) in columns.iter_mut().zip(words) {
            if len % 64 != 0 {
                column.words.push(word);
            }
            column.len = len;
        }
        columns
    }

    /// Appends the lowest `count` bits of `word`.
    ///
    /// # Panics
    /// When `count` is above 64.
    #[inline]
    pub fn push_word(&mut self, word: u64, count: usize) {
        assert!(count <= 64, "{count} bits of a word");
        if count > 0 {
            self.push_clean(word & (u64::MAX >> (64 - count)), count);
        }
    }

    /// Appends the lowest `count` bits of `word`, 1 to 64, the others of which are zero.
    #[inline]
    fn push_clean(&mut self, word: u64, count: usize) {
        let shift = self.len % 64;
        match self.words.last_mut().filter(|_| shift > 0) {
            None => self.words.push(word),
            Some(last) => {
                *last |= word << shift;
                if shift + count > 64 {
                    self.words.push(word >> (64 - shift));
                }
            }
        }
        self.len += count;
    }

    fn combine(&self, other: &BitString, operation: impl Fn(u64, u64) -> u64) -> BitString {
        self.assert_as_long(other);
        let pairs = self.words.iter().zip(&other.words);
        BitString {
            words: pairs.map(|(&a, &b)| operation(a, b)).collect(),
            len: self.len,
        }
    }

    fn assert_as_long(&self, other: &BitString) {
        assert_eq!(self.len, other.len, "strings of one length");
    }
}

/// Gives each packer the bits of its string under the mask, on every machine.
fn gather<const N: usize>(packers: &mut [Packer; N], strings: [&[u64]; N], mask: &[u64]) {
    for at in (0..mask.len()).step_by(LANES) {
        let moves = Moves::new(lanes(mask, at));
        for (packer, words) in packers.iter_mut().zip(strings) {
            let gathered = moves.gather(lanes(words, at));
            for (word, count) in gathered.into_iter().zip(moves.counts) {
                packer.push(word, count);
            }
        }
    }
}

/// The words from `at` on, and zeros behind the last one.
#[inline(always)]
fn lanes(words: &[u64], at: usize) -> [u64; LANES] {
    match words[at..].first_chunk() {
        Some(lanes) => *lanes,
        None => std::array::from_fn(|lane| words.get(at + lane).copied().unwrap_or(0)),
    }
}

/// Which bits go 1, 2, 4, … 32 places down when those under a mask move together.
///
/// A bit moves by the number of zeros below it in the mask, and the binary digits of that number
/// are taken one after the other: H. S. Warren, Hacker's Delight, 2nd edition, section 7-4. The
/// instruction that does it at once (PEXT) is not everywhere, and slower than this where processors
/// take it apart; words side by side cost less than 0.3 ns per bit without it, and a third of that
/// with it ([`instructions`]).
struct Moves {
    mask: [u64; LANES],
    moved: [[u64; LANES]; STEPS],
    counts: [u32; LANES],
}

impl Moves {
    #[inline(always)]
    fn new(mask: [u64; LANES]) -> Self {
        let mut moved = [[0; LANES]; STEPS];
        let mut left = mask;
        // The zeros of the mask, each counted by the bits above it.
        let mut zeros = mask.map(|word| !word << 1);
        for (step, moved) in moved.iter_mut().enumerate() {
            for lane in 0..LANES {
                // Set where an odd number of zeros lies below.
                let mut odd = zeros[lane] ^ zeros[lane] << 1;
                odd ^= odd << 2;
                odd ^= odd << 4;
                odd ^= odd << 8;
                odd ^= odd << 16;
                odd ^= odd << 32;
                let moving = odd & left[lane];
                left[lane] = left[lane] ^ moving | moving >> (1 << step);
                zeros[lane] &= !odd;
                moved[lane] = moving;
            }
        }
        Self {
            mask,
            moved,
            counts: mask.map(u64::count_ones),
        }
    }

    /// The bits of the words under the mask, in the lowest places of each.
    #[inline(always)]
    fn gather(&self, mut words: [u64; LANES]) -> [u64; LANES] {
        for (word, mask) in words.iter_mut().zip(self.mask) {
            *word &= mask;
        }
        for (step, moved) in self.moved.iter().enumerate() {
            for (word, moved) in words.iter_mut().zip(moved) {
                let moving = *word & moved;
                *word = *word ^ moving | moving >> (1 << step);
            }
        }
        words
    }
}

/// Joins pieces of words without a gap.
pub(super) struct Packer {
    words: Vec<u64>,
    /// Whole words so far, and the bits after them.
    whole: usize,
    rest: u64,
    filled: u32,
}

impl Packer {
    /// Room for `bits` bits, none of which moves again.
    fn with_room(bits: usize) -> Self {
        Self {
            words: vec![0; bits / 64 + 1],
            whole: 0,
            rest: 0,
            filled: 0,
        }
    }

    /// Adds the lowest `count` bits of `bits`, the others of which are zero.
    #[inline(always)]
    pub(super) fn push(&mut self, bits: u64, count: u32) {
        let low = self.rest | bits << self.filled;
        let high = bits >> 1 >> (63 - self.filled);
        self.words[self.whole] = low;
        self.filled += count;
        let full = self.filled >= 64;
        self.rest = if full { high } else { low };
        self.whole += usize::from(full);
        self.filled %= 64;
    }

    fn finish(mut self, len: usize) -> BitString {
        self.words[self.whole] = self.rest;
        BitString::from_words(self.words, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(bits: &[bool]) -> BitString {
        bits.iter().copied().collect()
    }

    proptest! {
        #[test]
        fn selected_bits_are_those_under_the_mask_in_their_order(
            rows in proptest::collection::vec(any::<[bool; 3]>(), 0..700)) {
            let [a, b, mask] = BitString::columns(rows.iter().copied());
            let expected = |column: usize| -> Vec<bool> {
                rows.iter().filter(|row| row[2]).map(|row| row[column]).collect()
            };
            let [from_a, from_b] = BitString::select_each([&a, &b], &mask);
            prop_assert_eq!(from_a.iter().collect::<Vec<_>>(), expected(0));
            prop_assert_eq!(from_b.iter().collect::<Vec<_>>(), expected(1));
            prop_assert_eq!(&a.select(&mask), &from_a);
            // What is beyond the length is zero, or equality would not hold.
            prop_assert_eq!(string(&expected(0)), from_a);
        }

        #[test]
        fn what_the_instruction_selects_is_what_its_twin_does(
            rows in proptest::collection::vec(any::<[bool; 3]>(), 0..700)) {
            let [a, b, mask] = BitString::columns(rows.iter().copied());
            let ones = mask.count_ones();
            let [mut theirs, mut ours] =
                [(); 2].map(|()| [(); 2].map(|()| Packer::with_room(ones)));
            let words = [&a.words[..], &b.words];
            if instructions::gather(&mut theirs, words, &mask.words) {
                gather(&mut ours, words, &mask.words);
                let finished = |packers: [Packer; 2]| packers.map(|packer| packer.finish(ones));
                prop_assert_eq!(finished(theirs), finished(ours));
            }
        }

        #[test]
        fn strings_are_combined_bit_by_bit(
            rows in proptest::collection::vec(any::<[bool; 2]>(), 0..300)) {
            let [a, b] = BitString::columns(rows.iter().copied());
            let with = |operation: fn(bool, bool) -> bool| -> BitString {
                rows.iter().map(|&[a, b]| operation(a, b)).collect()
            };
            prop_assert_eq!(a.and(&b), with(|a, b| a & b));
            prop_assert_eq!(a.xor(&b), with(|a, b| a ^ b));
            prop_assert_eq!(a.nor(&b), with(|a, b| !(a | b)));
            prop_assert_eq!(a.count_ones_and(&b), a.and(&b).count_ones());
        }

        #[test]
        fn columns_are_what_pushing_makes_of_them(
            rows in proptest::collection::vec(any::<[bool; 2]>(), 0..300)) {
            let columns: [BitString; 2] = BitString::columns(rows.iter().copied());
            for (index, column) in columns.iter().enumerate() {
                let mut pushed = BitString::new();
                rows.iter().for_each(|row| pushed.push(row[index]));
                prop_assert_eq!(column, &pushed);
            }
        }
    }

    #[test]
    fn words_and_strings_are_appended_at_any_place_and_do_not_move_what_has_room() {
        for lengths in [
            [0, 1, 0],
            [64, 64, 1],
            [63, 65, 200],
            [1, 63, 64],
            [7, 500, 130],
        ] {
            let whole: BitString = (0..lengths.iter().sum::<usize>())
                .map(|i| i % 3 == 0 || i % 7 < 3)
                .collect();
            let [mut words, mut strings] = [(); 2].map(|()| BitString::with_capacity(whole.len()));
            let places = [words.words.as_ptr(), strings.words.as_ptr()];
            let mut start = 0;
            for len in lengths {
                let piece = whole.slice(start..start + len);
                strings.append(&piece);
                for (at, word) in piece.words.iter().enumerate() {
                    let count = (len - 64 * at).min(64);
                    // What is beyond the bits that count is left out.
                    words.push_word(
                        word | u64::MAX.checked_shl(count as u32).unwrap_or(0),
                        count,
                    );
                }
                start += len;
            }
            assert_eq!([&words, &strings], [&whole; 2], "{lengths:?}");
            assert_eq!([words.words.as_ptr(), strings.words.as_ptr()], places);
        }
    }

    #[test]
    fn full_and_empty_masks_take_all_and_nothing() {
        for len in [0, 1, 63, 64, 65, 256, 257, 1000] {
            let bits: BitString = (0..len).map(|i| i % 3 == 0).collect();
            let none = BitString::zeros(len);
            let all = none.nor(&none);
            assert_eq!(bits.select(&all), bits, "{len} bits");
            assert!(bits.select(&none).is_empty(), "{len} bits");
        }
    }

    #[test]
    fn a_string_that_is_selected_from_never_moves() {
        let mask: BitString = (0..1000).map(|i| i % 2 == 0).collect();
        let packer = Packer::with_room(mask.count_ones());
        let (room, place) = (packer.words.capacity(), packer.words.as_ptr());
        let done = packer.finish(500);
        assert_eq!((done.words.capacity(), done.words.as_ptr()), (room, place));
    }
}
