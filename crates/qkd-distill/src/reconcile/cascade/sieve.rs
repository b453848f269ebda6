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
        let mut chosen_before = Vec::with_capacity(words + 1);
        // What a word writes is written again by the next one, unless it was right.
        let mut chosen_words = vec![0; words + 1];
        let mut other_words = vec![0; words + 1];
        chosen_before.push(0);
        for (word, i) in chosen.iter().zip(0..) {
            chosen_words[sum.div_ceil(64) as usize] = i;
            other_words[(i * 64 - sum).div_ceil(64) as usize] = i;
            sum += word.count_ones();
            chosen_before.push(sum);
        }
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
        let before = |word: usize| {
            let chosen = self.chosen_before[word];
            if invert == 0 {
                chosen
            } else {
                word as u32 * 64 - chosen
            }
        };
        let mut word = first as usize;
        // Two or three words fill one most of the time, and a branch would be mistaken.
        for _ in 0..2 {
            word += usize::from(before(word + 1) <= rank);
        }
        while before(word + 1) <= rank {
            word += 1;
        }
        let bits = self.chosen[word] ^ invert;
        word as u32 * 64 + self.instructions.select(bits, rank - before(word))
    }

    /// Sorts `bits`, with zeros wherever none goes.
    #[inline(always)]
    pub(super) fn sort(&self, bits: &[u64]) -> Zeroizing<Vec<u64>> {
        let mut sorted = Zeroizing::new(vec![0; self.blocks.words()]);
        let (chosen, others) = sorted.split_at_mut(self.others_start() as usize / 64);
        self.gather(bits, chosen, 0);
        self.gather(bits, others, u64::MAX);
        sorted
    }

    /// Writes those of `bits` that are chosen, or the others when all are inverted.
    #[inline(always)]
    fn gather(&self, bits: &[u64], sorted: &mut [u64], invert: u64) {
        let (mut at, mut pending, mut filled) = (0, 0, 0);
        for (&word, &chosen) in bits.iter().zip(&self.chosen) {
            let mask = chosen ^ invert;
            // Behind the last bit of this kind there may be no word.
            if mask == 0 {
                continue;
            }
            let taken = self.instructions.extract(word, mask);
            let whole = pending | taken << filled;
            let end = filled + mask.count_ones();
            sorted[at] = whole;
            // Whether it is full is as good as random: a branch would be mistaken.
            let full = u64::from(end / 64);
            // Two shifts: a whole word may have found room.
            let over = taken >> (63 - filled) >> 1;
            pending = whole ^ ((whole ^ over) & full.wrapping_neg());
            at += full as usize;
            filled = end % 64;
        }
        if filled > 0 {
            sorted[at] = pending;
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
