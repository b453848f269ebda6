//! A stable partition of all bits: those of a chosen set first, then the others.

use zeroize::Zeroizing;

use super::instructions::Instructions;

/// Sorts bits into the chosen ones and, from the next whole word on, the others.
pub(super) struct Sieve {
    chosen: Vec<u64>,
    /// Chosen bits before each word, and of all words.
    chosen_before: Vec<u32>,
    instructions: Instructions,
}

impl Sieve {
    /// Takes the chosen bits, set, of all.
    #[inline(always)]
    pub(super) fn new(chosen: &[u64], instructions: Instructions) -> Self {
        let mut sum = 0;
        let mut chosen_before = Vec::with_capacity(chosen.len() + 1);
        chosen_before.push(0);
        for word in chosen {
            sum += word.count_ones();
            chosen_before.push(sum);
        }
        Self {
            chosen: chosen.to_vec(),
            chosen_before,
            instructions,
        }
    }

    /// Where the chosen bits end.
    pub(super) fn chosen_end(&self) -> u32 {
        self.chosen_before.last().copied().unwrap_or(0)
    }

    /// Where the others start.
    #[inline(always)]
    pub(super) fn others_start(&self) -> u32 {
        self.chosen_end().next_multiple_of(64)
    }

    /// Where the others end.
    pub(super) fn others_end(&self) -> u32 {
        self.others_start() + self.chosen.len() as u32 * 64 - self.chosen_end()
    }

    /// Where the bit `at` goes.
    #[inline(always)]
    pub(super) fn place(&self, at: u32) -> u32 {
        let word = at as usize / 64;
        let chosen = self.chosen[word];
        let below = (chosen & ((1 << (at % 64)) - 1)).count_ones();
        let rank = self.chosen_before[word] + below;
        if chosen >> (at % 64) & 1 == 1 {
            rank
        } else {
            self.others_start() + at - rank
        }
    }

    /// Which bit goes to `place`, which is not between the two kinds.
    #[inline(always)]
    pub(super) fn origin(&self, place: u32) -> u32 {
        if place < self.chosen_end() {
            select(place, self.chosen_end(), self.chosen.len(), |word| {
                (self.chosen_before[word], self.chosen[word])
            })
        } else {
            let others_before = |word: usize| word as u32 * 64 - self.chosen_before[word];
            let rank = place - self.others_start();
            select(
                rank,
                others_before(self.chosen.len()),
                self.chosen.len(),
                |word| (others_before(word), !self.chosen[word]),
            )
        }
    }

    /// Sorts `bits`; leaves room for `spare` more words.
    #[inline(always)]
    pub(super) fn sort(&self, bits: &[u64], spare: usize) -> Zeroizing<Vec<u64>> {
        let words = self.others_end().div_ceil(64) as usize;
        let mut sorted = Zeroizing::new(Vec::with_capacity(words + spare));
        self.append(bits, &mut sorted, |chosen| chosen);
        self.append(bits, &mut sorted, |chosen| !chosen);
        sorted
    }

    /// Appends those of `bits` that `of` chooses, to the end of a word.
    #[inline(always)]
    fn append(&self, bits: &[u64], sorted: &mut Vec<u64>, of: impl Fn(u64) -> u64) {
        let (mut pending, mut filled) = (0, 0);
        for (&word, &chosen) in bits.iter().zip(&self.chosen) {
            let mask = of(chosen);
            let taken = self.instructions.extract(word, mask);
            pending |= taken << filled;
            let end = filled + mask.count_ones();
            if end >= 64 {
                sorted.push(pending);
                // Two shifts: a whole word may have found room.
                pending = taken >> (63 - filled) >> 1;
            }
            filled = end % 64;
        }
        if filled > 0 {
            sorted.push(pending);
        }
    }
}

/// The bit with `rank` others before it, of `total` in `words` words, of each of which `at` tells
/// how many are before it and where its own are.
#[inline(always)]
fn select(rank: u32, total: u32, words: usize, at: impl Fn(usize) -> (u32, u64)) -> u32 {
    // They are spread evenly, so that the guess is near; word 0 has none before it.
    let mut word = (u64::from(rank) * words as u64 / u64::from(total)) as usize;
    while at(word).0 > rank {
        word -= 1;
    }
    loop {
        let (before, bits) = at(word);
        let skip = rank - before;
        if skip < bits.count_ones() {
            let mut rest = bits;
            for _ in 0..skip {
                rest &= rest - 1;
            }
            return word as u32 * 64 + rest.trailing_zeros();
        }
        word += 1;
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
                    let sieve = Sieve::new(chosen.words(), instructions);
                    let sorted = sieve.sort(key.words(), 0).to_vec();
                    let end = sieve.others_end() as usize;
                    let sorted = BitString::from_words(sorted, end.next_multiple_of(64));
                    for at in 0..bits as u32 {
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
