//! What is known about one pass: the finest sub-blocks with a known parity of errors.

use std::f64::consts::FRAC_1_SQRT_2;

/// A partition of all places of one pass into leaves, each with the known parity of the errors
/// that are left in it. Cutting a leaf makes several of it, so that whatever was once learnt about
/// a sub-block is used again when a later correction makes it odd.
///
/// A leaf is a block or comes of halving one, so it starts at a multiple of its size. Where it starts or
/// ends is found in no more steps than its size in cells has binary digits: after a burst of errors
/// there are blocks in the second pass that go through all of the key.
pub(super) struct Leaves {
    cells: Vec<Cell>,
    blocks: Blocks,
}

/// 64 places.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// Where leaves start, and where the last one ends.
    starts: u64,
    /// Which leaves, at their starts, are known to be odd and not being asked about.
    odd: u64,
}

/// The blocks that a pass starts with, in one region or two: in each, all of one size, a power of
/// two. The last one reaches beyond the end where it has to, into zeros that both sides know. Blocks
/// of other sizes cannot be halved evenly down to a bit, and an uneven half tells less than one bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    first: Region,
    second: Region,
}

/// Blocks of one size that follow each other. They start at a multiple of it, and at a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region {
    start: u32,
    count: u32,
    size_log2: u32,
}

impl Region {
    /// Blocks for `bits` places, of a size as near as there is one to `size`.
    fn new(after: u32, bits: u32, size: f64) -> Self {
        let mut size_log2 = 0;
        while 1 << size_log2 < bits && f64::from(1u32 << size_log2) < size * FRAC_1_SQRT_2 {
            size_log2 += 1;
        }
        Self {
            start: after.next_multiple_of(64.max(1 << size_log2)),
            count: bits.div_ceil(1 << size_log2),
            size_log2,
        }
    }

    /// First place of the first block.
    pub(super) fn start(self) -> u32 {
        self.start
    }

    /// One beyond the last place of the last block.
    pub(super) fn end(self) -> u32 {
        self.start + (self.count << self.size_log2)
    }

    /// Number of blocks.
    #[inline(always)]
    pub(super) fn count(self) -> u32 {
        self.count
    }

    /// Binary logarithm of the size of each block.
    #[inline(always)]
    pub(super) fn size_log2(self) -> u32 {
        self.size_log2
    }
}

impl Blocks {
    /// Blocks of `total` places, 1 to 2³⁰, of a size near `size`.
    pub(super) fn new(total: usize, size: f64) -> Self {
        Self::of_two((total as u32, size), (0, size))
    }

    /// Blocks of two regions, each of so many places and of a size near the one given; not both
    /// are empty.
    pub(super) fn of_two(first: (u32, f64), second: (u32, f64)) -> Self {
        let first = Region::new(0, first.0, first.1);
        Self {
            first,
            second: Region::new(first.end(), second.0, second.1),
        }
    }

    /// The two regions, the second of which may be empty.
    #[inline(always)]
    pub(super) fn regions(&self) -> [Region; 2] {
        [self.first, self.second]
    }

    /// Size of a block in the first region.
    pub(super) fn size(&self) -> usize {
        1 << self.first.size_log2
    }

    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.first.count + self.second.count
    }

    /// Words that a string needs for all blocks to lie within it, and a zero one.
    pub(super) fn words(&self) -> usize {
        self.second.end().div_ceil(64) as usize + 1
    }
}

impl Leaves {
    /// Each block a leaf, nothing known odd.
    #[inline(always)]
    pub(super) fn new(blocks: Blocks) -> Self {
        let cells = blocks.words();
        let mut leaves = Self {
            cells: vec![Cell::default(); cells],
            blocks,
        };
        for region in blocks.regions() {
            // Where leaves start in a cell, and from one such cell to the next.
            let (starts, step) = match region.size_log2.checked_sub(6) {
                Some(cells_log2) => (1, 1 << cells_log2),
                None => (u64::MAX / (u64::MAX >> (64 - (1 << region.size_log2))), 1),
            };
            let mut cell = region.start as usize / 64;
            while cell < region.end().div_ceil(64) as usize {
                leaves.cells[cell].starts = starts;
                cell += step;
            }
            leaves.cut(region.end());
        }
        leaves
    }

    pub(super) fn blocks(&self) -> Blocks {
        self.blocks
    }

    /// Has a leaf start at `place`.
    #[inline(always)]
    pub(super) fn cut(&mut self, place: u32) {
        self.cells[place as usize / 64].starts |= 1 << (place % 64);
    }

    /// Cuts leaves of 2^`size_log2` places by halves, down to each of `places`.
    #[inline(always)]
    pub(super) fn cut_down_to(&mut self, places: &[u32], size_log2: u32) {
        let cuts = &CUTS[size_log2.min(6) as usize];
        for &place in places {
            for i in 6..size_log2 {
                self.cut((place >> i | 1) << i);
            }
            self.cells[place as usize / 64].starts |= cuts[place as usize % 64];
        }
    }

    /// Changes the marks of the leaves that hold `places`; adds the starts of these leaves to
    /// `touched`.
    #[inline(always)]
    pub(super) fn toggle_all(&mut self, places: &[u32], touched: &mut Vec<u32>) {
        let before = touched.len();
        touched.resize(before + places.len(), 0);
        // A loop, or it is not compiled for the caller's instructions.
        for (touched, &place) in touched[before..].iter_mut().zip(places) {
            let start = self.start_of(place);
            self.toggle(start);
            *touched = start;
        }
    }

    /// Keeps those of `starts` that are marked, each once, and takes the mark off.
    #[inline(always)]
    pub(super) fn unmark_all(&mut self, starts: &mut Vec<u32>) {
        let mut stay = 0;
        for i in 0..starts.len() {
            let start = starts[i];
            starts[stay] = start;
            stay += self.unmark(start) as usize;
        }
        starts.truncate(stay);
    }

    /// First place of the leaf that holds `place`.
    #[inline(always)]
    pub(super) fn start_of(&self, place: u32) -> u32 {
        let mut cell = place as usize / 64;
        let mut starts = self.cells[cell].starts & u64::MAX >> (63 - place % 64);
        // The start has the digits of every cell of the leaf, but for low ones that are zero there.
        // Place 0 starts a leaf, so the walk ends.
        while starts == 0 {
            cell &= cell - 1;
            starts = self.cells[cell].starts;
        }
        cell as u32 * 64 + 63 - starts.leading_zeros()
    }

    /// One beyond the last place of the leaf that starts at `start`.
    #[inline(always)]
    pub(super) fn end_of(&self, start: u32) -> u32 {
        let mut cell = start as usize / 64;
        let mut starts = self.cells[cell].starts & u64::MAX << (start % 64) << 1;
        // The size is a power of two. Where the last leaf ends another one is said to start, so the walk
        // ends.
        let first = cell;
        let mut size = 1;
        while starts == 0 {
            cell = first + size;
            size *= 2;
            starts = self.cells[cell].starts;
        }
        cell as u32 * 64 + starts.trailing_zeros()
    }

    /// Whether the leaf that starts at `start` is marked odd, in the lowest bit.
    #[inline(always)]
    pub(super) fn odd(&self, start: u32) -> u64 {
        self.cells[start as usize / 64].odd >> (start % 64) & 1
    }

    /// Changes the mark of the leaf that starts at `start`.
    #[inline(always)]
    fn toggle(&mut self, start: u32) {
        self.cells[start as usize / 64].odd ^= 1 << (start % 64);
    }

    /// Marks the leaf that starts at `start` as odd.
    #[inline(always)]
    pub(super) fn mark(&mut self, start: u32) {
        self.cells[start as usize / 64].odd |= 1 << (start % 64);
    }

    /// Takes the mark off the leaf that starts at `start`; gives it in the lowest bit.
    #[inline(always)]
    pub(super) fn unmark(&mut self, start: u32) -> u64 {
        let odd = self.odd(start);
        self.cells[start as usize / 64].odd &= !(1 << (start % 64));
        odd
    }
}

/// Where halving a leaf of 2^i places, within a word, down to bit j has leaves start, at `[i][j]`.
static CUTS: [[u64; 64]; 7] = cuts();

const fn cuts() -> [[u64; 64]; 7] {
    let mut cuts = [[0; 64]; 7];
    let mut i = 1;
    while i < 7 {
        let mut j = 0;
        while j < 64 {
            let middle = (j >> (i - 1) | 1) << (i - 1);
            cuts[i][j] = cuts[i - 1][j] | 1 << middle;
            j += 1;
        }
        i += 1;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_cover_every_place_once() {
        for (total, size, expected) in [
            (1, 1.0, 1),
            (64, 1e9, 64),
            (64, 1.0, 1),
            (100, 7.0, 8),
            (300, 90.0, 64),
            (5000, 91.0, 128),
            (20_000, 3e4, 32_768),
        ] {
            let blocks = Blocks::of_two((total, size), (total, 4.0 * size));
            assert_eq!(blocks.size(), expected, "{total}, {size}");
            let leaves = Leaves::new(blocks);
            let mut end = 0;
            for region in blocks.regions() {
                let size = 1 << region.size_log2();
                assert!(region.start() >= end && region.start().is_multiple_of(size));
                assert!(region.end() - region.start() >= total);
                for block in 0..region.count() {
                    let start = region.start() + block * size;
                    for place in start..start + size {
                        assert_eq!(leaves.start_of(place), start);
                    }
                    assert_eq!(leaves.end_of(start), start + size);
                }
                end = region.end();
            }
        }
    }

    /// From cell to cell it would be 10¹⁰ steps.
    #[test]
    fn the_ends_of_a_leaf_that_is_all_of_the_key_are_found_from_a_hundred_thousand_places() {
        let size = 1 << 24;
        let mut leaves = Leaves::new(Blocks::new(size as usize, f64::from(size)));
        for place in (0..size).step_by(167) {
            assert_eq!(leaves.start_of(place), 0);
            assert_eq!(leaves.end_of(0), size);
        }
        leaves.cut_down_to(&[size - 1], 24);
        for place in (size / 2..size - 64).step_by(83) {
            let rest = size - place;
            let leaf = 1 << (31 - (rest - 1).leading_zeros());
            assert_eq!(leaves.start_of(place), size - 2 * leaf, "{place}");
            assert_eq!(leaves.end_of(size - 2 * leaf), size - leaf);
        }
    }

    #[test]
    fn halving_down_to_a_place_cuts_at_every_middle_on_the_way() {
        for size_log2 in 0..=9 {
            let size = 1 << size_log2;
            for place in size..2 * size {
                let blocks = Blocks::new(3 * size as usize, f64::from(size));
                let mut cut = Leaves::new(blocks);
                let mut expected = Leaves::new(blocks);
                cut.cut_down_to(&[place], size_log2);
                let (mut start, mut end) = (size, 2 * size);
                while end - start > 1 {
                    let middle = (start + end) / 2;
                    expected.cut(middle);
                    *if place < middle { &mut end } else { &mut start } = middle;
                }
                for place in 0..3 * size {
                    let start = expected.start_of(place);
                    assert_eq!(cut.start_of(place), start, "{place} of {size}");
                    assert_eq!(cut.end_of(start), expected.end_of(start));
                }
            }
        }
    }

    #[test]
    fn marks_are_set_changed_and_taken_off_one_by_one() {
        let mut leaves = Leaves::new(Blocks::new(300, 100.0));
        leaves.toggle(128);
        leaves.mark(256);
        assert_eq!((leaves.odd(0), leaves.odd(128), leaves.odd(256)), (0, 1, 1));
        assert_eq!((leaves.unmark(128), leaves.unmark(128)), (1, 0));
        let mut touched = Vec::new();
        leaves.toggle_all(&[256, 0, 255, 127], &mut touched);
        assert_eq!(touched, [256, 0, 128, 0]);
        leaves.unmark_all(&mut touched);
        assert_eq!(touched, [128]);
    }
}
