//! What is known about one pass: the finest sub-blocks with a known parity of errors.

/// A partition of all places of one pass into leaves, each with the known parity of the errors
/// that are left in it. Bisecting a leaf makes two of it, so that whatever was once learnt about a
/// sub-block is used again when a later correction makes it odd.
pub(super) struct Leaves {
    starts: Vec<u64>,
    odd: Vec<u64>,
    total: usize,
}

impl Leaves {
    /// Each of `pieces` pieces of `piece_bits` places in `blocks` leaves of sizes as equal as
    /// whole numbers can be, nothing known odd.
    pub(super) fn new(piece_bits: usize, pieces: usize, blocks: usize) -> Self {
        let total = piece_bits * pieces;
        let words = total.div_ceil(64);
        let mut leaves = Self {
            starts: vec![0; words],
            odd: vec![0; words],
            total,
        };
        for piece in 0..pieces {
            for block in 0..blocks {
                let start = piece * piece_bits + block * piece_bits / blocks;
                leaves.starts[start / 64] |= 1 << (start % 64);
            }
        }
        leaves
    }

    /// First places of all leaves, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.starts.iter().enumerate().flat_map(|(i, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                Some(i * 64 + bit)
            })
        })
    }

    pub(super) fn count(&self) -> usize {
        self.starts.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// First place of the leaf that holds `place`.
    pub(super) fn start_of(&self, place: usize) -> usize {
        let mut i = place / 64;
        let mut word = self.starts[i] << (63 - place % 64);
        if word != 0 {
            return place - word.leading_zeros() as usize;
        }
        // Place 0 starts a leaf, so the walk ends.
        while word == 0 {
            i -= 1;
            word = self.starts[i];
        }
        i * 64 + 63 - word.leading_zeros() as usize
    }

    /// One beyond the last place of the leaf that starts at `start`.
    pub(super) fn end_of(&self, start: usize) -> usize {
        let next = start + 1;
        let mut i = next / 64;
        let Some(&word) = self.starts.get(i) else {
            return self.total;
        };
        let mut word = word >> (next % 64) << (next % 64);
        while word == 0 {
            i += 1;
            match self.starts.get(i) {
                Some(&further) => word = further,
                None => return self.total,
            }
        }
        i * 64 + word.trailing_zeros() as usize
    }

    /// Whether the leaf that starts at `start` is known to hold an odd number of errors.
    pub(super) fn is_odd(&self, start: usize) -> bool {
        self.odd[start / 64] >> (start % 64) & 1 == 1
    }

    /// Changes the parity of the leaf that starts at `start`; tells whether it is odd now.
    pub(super) fn toggle(&mut self, start: usize) -> bool {
        self.odd[start / 64] ^= 1 << (start % 64);
        self.is_odd(start)
    }

    /// Makes two leaves of the one that starts at `start`: the second one starts at `middle`, and
    /// the first one's parity is now known. Gives the start of the odd one, if the whole was odd.
    pub(super) fn split(&mut self, start: usize, middle: usize, first_is_odd: bool) -> usize {
        self.starts[middle / 64] |= 1 << (middle % 64);
        if self.is_odd(start) != first_is_odd {
            self.toggle(start);
            self.toggle(middle);
        }
        if first_is_odd { start } else { middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_cover_every_place_once() {
        for (piece_bits, pieces, blocks) in [
            (1, 1, 1),
            (100, 1, 7),
            (100, 3, 100),
            (1000, 2, 3),
            (64, 2, 1),
        ] {
            let leaves = Leaves::new(piece_bits, pieces, blocks);
            assert_eq!(leaves.count(), blocks * pieces);
            let mut next = 0;
            for start in leaves.iter() {
                assert_eq!(start, next);
                next = leaves.end_of(start);
                for place in start..next {
                    assert_eq!(leaves.start_of(place), start);
                }
                assert!(next - start <= piece_bits.div_ceil(blocks));
            }
            assert_eq!(next, piece_bits * pieces);
        }
    }

    #[test]
    fn splitting_keeps_the_parity_of_the_whole() {
        for first_is_odd in [false, true] {
            let mut leaves = Leaves::new(300, 1, 1);
            assert!(leaves.toggle(0));
            let odd = leaves.split(0, 150, first_is_odd);
            assert_eq!(odd, if first_is_odd { 0 } else { 150 });
            assert_eq!(leaves.is_odd(0), first_is_odd);
            assert_eq!(leaves.is_odd(150), !first_is_odd);
            assert_eq!((leaves.start_of(149), leaves.end_of(0)), (0, 150));
            assert_eq!((leaves.start_of(299), leaves.end_of(150)), (150, 300));
        }
    }
}
