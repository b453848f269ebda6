//! A stable partition of all bits: those of a chosen set first, then the others.

use zeroize::Zeroizing;

use super::instructions::Instructions;
use super::leaves::Blocks;

/// Sorts bits into the chosen ones and the others, each from the start of their region on.
pub(super) struct Sieve {
    chosen: Vec<u64>,
    /// Chosen bits before each word, and of all words.
    chosen_before: Vec<u32>,
    /// In which word the first bit of each word of the sorted chosen bits is, and of the others.
    chosen_words: Vec<u32>,
    other_words: Vec<u32>,
    /// The regions that they are sorted into.
    blocks: Blocks,
    instructions: Instructions,
}

impl Sieve {
    /// Takes the chosen bits, set, of all, and in what sizes of blocks either kind is wanted.
    #[inline(always)]
    pub(super) fn new(chosen: Vec<u64>, sizes: [f64; 2], instructions: Instructions) -> Self {
        let words = chosen.len();
        let mut sum = 0u32;
        let mut chosen_before = vec![0; words + 1];
        // What a word writes is written again by the next one, unless it was right.
        let mut chosen_words = vec![0; words + 1];
        let mut other_words = vec![0; words + 1];
        for (word, i) in chosen.iter().zip(0..) {
            chosen_before[i as usize] = sum;
            chosen_words[sum.div_ceil(64) as usize] = i;
            other_words[(i * 64 - sum).div_ceil(64) as usize] = i;
            sum += word.count_ones();
        }
        chosen_before[words] = sum;
        let others = words as u32 * 64 - sum;
        Self {
            chosen,
            chosen_before,
            chosen_words,
            other_words,
            blocks: Blocks::of_two((sum, sizes[0]), (others, sizes[1])),
            instructions,
        }
    }

    /// The blocks that it sorts bits into.
    pub(super) fn blocks(&self) -> Blocks {
        self.blocks
    }

    /// Where the chosen bits end.
    #[inline(always)]
    fn chosen_end(&self) -> u32 {
        self.chosen_before.last().copied().unwrap_or(0)
    }

    /// Where the others start.
    #[inline(always)]
    fn others_start(&self) -> u32 {
        self.blocks.regions()[1].start()
    }

    /// Where the others end.
    #[inline(always)]
    fn others_end(&self) -> u32 {
        self.others_start() + self.chosen.len() as u32 * 64 - self.chosen_end()
    }

    /// Whether a bit goes to `place`.
    #[inline(always)]
    pub(super) fn fills(&self, place: u32) -> bool {
        place < self.chosen_end() || (self.others_start()..self.others_end()).contains(&place)
    }

    /// Where the bit `at` goes.
    #[inline(always)]
    pub(super) fn place(&self, at: u32) -> u32 {
        let word = at as usize / 64;
        let chosen = self.chosen[word];
        let below = (chosen & ((1 << (at % 64)) - 1)).count_ones();
        let rank = self.chosen_before[word] + below;
        // Which of the two is as good as random: a branch would be mistaken.
        let is_chosen = 0u32.wrapping_sub((chosen >> (at % 64) & 1) as u32);
        let other = self.others_start() + at - rank;
        other ^ ((other ^ rank) & is_chosen)
    }

    /// Which bit goes to `place`, to which one does.
    #[inline(always)]
    pub(super) fn origin(&self, place: u32) -> u32 {
        if place < self.chosen_end() {
            self.find(place, self.chosen_words[place as usize / 64], 0)
        } else {
            let rank = place - self.others_start();
            self.find(rank, self.other_words[rank as usize / 64], u64::MAX)
        }
    }

    /// The bit with `rank` others of its kind before it, which are the chosen ones inverted by
    /// `invert`, from word `first` on.
    #[inline(always)]
    fn find(&self, rank: u32, first: u32, invert: u64) -> u32 {
        let mut word = first as usize;
        // Two or three words fill one most of the time, and a branch would be mistaken.
        for _ in 0..2 {
            word += usize::from(self.before(word + 1, invert) <= rank);
        }
        while self.before(word + 1, invert) <= rank {
            word += 1;
        }
        let bits = self.chosen[word] ^ invert;
        let rank = rank - self.before(word, invert);
        word as u32 * 64 + self.instructions.select(bits, rank)
    }

    /// How many bits of a kind are before `word`.
    #[inline(always)]
    fn before(&self, word: usize, invert: u64) -> u32 {
        let chosen = self.chosen_before[word];
        if invert == 0 {
            chosen
        } else {
            word as u32 * 64 - chosen
        }
    }

    /// Sorts `bits`, with zeros wherever none goes.
    #[inline(always)]
    pub(super) fn sort(&self, bits: &[u64]) -> Zeroizing<Vec<u64>> {
        let mut sorted = Zeroizing::new(vec![0; self.blocks.words()]);
        let (chosen, others) = sorted.split_at_mut(self.others_start() as usize / 64);
        let (mut chosen, mut others) = (Filled::new(chosen), Filled::new(others));
        for (&word, &mask) in bits.iter().zip(&self.chosen) {
            let count = mask.count_ones();
            chosen.put(self.instructions.extract(word, mask), count);
            others.put(self.instructions.extract(word, !mask), 64 - count);
        }
        chosen.finish();
        others.finish();
        sorted
    }
}

/// Words that are being filled with bits.
struct Filled<'a> {
    words: &'a mut [u64],
    /// Which of them is being filled.
    at: usize,
    pending: u64,
    /// Bits of `pending`.
    filled: u32,
}

impl<'a> Filled<'a> {
    fn new(words: &'a mut [u64]) -> Self {
        Self {
            words,
            at: 0,
            pending: 0,
            filled: 0,
        }
    }

    /// Appends the `count` lowest bits of `bits`, 0 to 64; higher ones are zero.
    #[inline(always)]
    fn put(&mut self, bits: u64, count: u32) {
        let whole = self.pending | bits << self.filled;
        // Behind the last bit there may be no word.
        if let Some(word) = self.words.get_mut(self.at) {
            *word = whole;
        }
        // Two shifts: a whole word may have found room.
        let over = bits >> (63 - self.filled) >> 1;
        let end = self.filled + count;
        // Whether it is full is as good as random: a branch would be mistaken.
        self.pending = std::hint::select_unpredictable(end >= 64, over, whole);
        self.at += end as usize / 64;
        self.filled = end % 64;
    }

    /// Writes the last word, when it is not full.
    #[inline(always)]
    fn finish(self) {
        if self.filled > 0 {
            self.words[self.at] = self.pending;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::{BitString, SecretRng};

    #[test]
    fn every_bit_goes_to_one_place_and_is_found_there() {
        let mut rng = SecretRng::from_seed([6; 32]);
        for words in [1, 2, 100, 1000] {
            for density in [0.0, 0.1, 0.6, 1.0] {
                let bits = words * 64;
                let chosen: BitString = (0..bits).map(|_| rng.chance(density)).collect();
                let key = rng.public_bits(bits);
                for instructions in [Instructions::BASELINE, Instructions::best()] {
                    let sieve = Sieve::new(chosen.words().to_vec(), [30.0, 300.0], instructions);
                    let sorted = sieve.sort(key.words()).to_vec();
                    let end = sorted.len() * 64;
                    let sorted = BitString::from_words(sorted, end);
                    let filled = (0..end as u32).filter(|&place| sieve.fills(place));
                    assert_eq!(filled.count(), bits);
                    for at in 0..bits as u32 {
                        assert!(sieve.fills(sieve.place(at)));
                        let place = sieve.place(at);
                        assert_eq!(place < sieve.chosen_end(), chosen.get(at as usize));
                        assert!(place < sieve.chosen_end() || place >= sieve.others_start());
                        assert_eq!(sieve.origin(place), at);
                        assert_eq!(sorted.get(place as usize), key.get(at as usize));
                    }
                }
            }
        }
    }
}
