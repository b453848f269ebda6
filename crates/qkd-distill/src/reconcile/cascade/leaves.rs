//! What is known about one pass: the finest sub-blocks with a known parity of errors.

use std::f64::consts::FRAC_1_SQRT_2;
use std::ops::Range;

/// A partition of all places of one pass into leaves, each with the known parity of the errors
/// that are left in it. Cutting a leaf makes several of it, so that whatever was once learnt about
/// a sub-block is used again when a later correction makes it odd.
pub(super) struct Leaves {
    cells: Vec<Cell>,
    /// One bit for each cell: whether a leaf starts there.
    inhabited: Vec<u64>,
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
/// two, but the last one. Blocks of other sizes cannot be halved evenly down to a bit, and an uneven
/// half tells less than one bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    first: Region,
    second: Region,
}

#[derive(Debug, Clone, Copy)]
struct Region {
    start: u32,
    end: u32,
    size_log2: u32,
}

impl Region {
    /// Blocks of a size as near as there is one to `size`.
    fn new(places: Range<u32>, size: f64) -> Self {
        let Range { start, end } = places;
        let mut size_log2 = 0;
        while 1 << size_log2 < end - start && f64::from(1u32 << size_log2) < size * FRAC_1_SQRT_2 {
            size_log2 += 1;
        }
        Self {
            start,
            end,
            size_log2,
        }
    }

    #[inline(always)]
    fn count(&self) -> u32 {
        (self.end - self.start).div_ceil(1 << self.size_log2)
    }

    #[inline(always)]
    fn block(&self, index: u32) -> (u32, u32) {
        let start = self.start + (index << self.size_log2);
        (start, (start + (1 << self.size_log2)).min(self.end))
    }
}

impl Blocks {
    /// Blocks of `total` places, 1 to 2³¹, of a size near `size`.
    pub(super) fn new(total: usize, size: f64) -> Self {
        let total = total as u32;
        Self::of_two(0..total, size, total..total, size)
    }

    /// Blocks of the places in two ranges, the first from 0 on and not both empty.
    pub(super) fn of_two(
        first: Range<u32>,
        first_size: f64,
        second: Range<u32>,
        second_size: f64,
    ) -> Self {
        Self {
            first: Region::new(first, first_size),
            second: Region::new(second, second_size),
        }
    }

    /// Size of a block in the first region.
    pub(super) fn size(&self) -> usize {
        1 << self.first.size_log2
    }

    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.first.count() + self.second.count()
    }

    /// Where block `index` starts and ends.
    #[inline(always)]
    pub(super) fn block(&self, index: u32) -> (u32, u32) {
        match index.checked_sub(self.first.count()) {
            None => self.first.block(index),
            Some(index) => self.second.block(index),
        }
    }
}

impl Leaves {
    /// Each block a leaf, nothing known odd.
    pub(super) fn new(blocks: Blocks) -> Self {
        let cells = blocks.second.end as usize / 64 + 1;
        let mut leaves = Self {
            cells: vec![Cell::default(); cells],
            inhabited: vec![0; cells.div_ceil(64)],
            blocks,
        };
        for index in 0..blocks.count() {
            let (start, _) = blocks.block(index);
            leaves.cut(start);
        }
        leaves.cut(blocks.first.end);
        leaves.cut(blocks.second.end);
        leaves
    }

    pub(super) fn blocks(&self) -> Blocks {
        self.blocks
    }

    /// Has a leaf start at `place`.
    #[inline(always)]
    pub(super) fn cut(&mut self, place: u32) {
        let cell = place as usize / 64;
        self.cells[cell].starts |= 1 << (place % 64);
        self.inhabited[cell / 64] |= 1 << (cell % 64);
    }

    /// Cuts at `place` the leaf that starts at `start`.
    #[inline(always)]
    pub(super) fn cut_after(&mut self, start: u32, place: u32) {
        if start / 64 == place / 64 {
            self.cells[place as usize / 64].starts |= 1 << (place % 64);
        } else {
            self.cut(place);
        }
    }

    /// First place of the leaf that holds `place`.
    #[inline(always)]
    pub(super) fn start_of(&self, place: u32) -> u32 {
        let mut cell = place as usize / 64;
        let mut starts = self.cells[cell].starts & u64::MAX >> (63 - place % 64);
        if starts == 0 {
            let mut row = cell / 64;
            let mut inhabited = self.inhabited[row] & ((1 << (cell % 64)) - 1);
            // Place 0 starts a leaf, so the walk ends.
            while inhabited == 0 {
                row -= 1;
                inhabited = self.inhabited[row];
            }
            cell = row * 64 + 63 - inhabited.leading_zeros() as usize;
            starts = self.cells[cell].starts;
        }
        cell as u32 * 64 + 63 - starts.leading_zeros()
    }

    /// One beyond the last place of the leaf that starts at `start`.
    #[inline(always)]
    pub(super) fn end_of(&self, start: u32) -> u32 {
        let mut cell = start as usize / 64;
        let mut starts = self.cells[cell].starts & u64::MAX << (start % 64) << 1;
        if starts == 0 {
            let mut row = cell / 64;
            let mut inhabited = self.inhabited[row] & u64::MAX << (cell % 64) << 1;
            // Where the last leaf ends another one is said to start, so the walk ends.
            while inhabited == 0 {
                row += 1;
                inhabited = self.inhabited[row];
            }
            cell = row * 64 + inhabited.trailing_zeros() as usize;
            starts = self.cells[cell].starts;
        }
        cell as u32 * 64 + starts.trailing_zeros()
    }

    /// Whether the leaf that starts at `start` is marked odd, in the lowest bit.
    #[inline(always)]
    pub(super) fn odd(&self, start: u32) -> u64 {
        self.cells[start as usize / 64].odd >> (start % 64) & 1
    }

    /// Changes the mark of the leaf that starts at `start`; gives the new one in the lowest bit.
    #[inline(always)]
    pub(super) fn toggle(&mut self, start: u32) -> u64 {
        self.cells[start as usize / 64].odd ^= 1 << (start % 64);
        self.odd(start)
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
            let blocks = Blocks::new(total, size);
            assert_eq!(blocks.size(), expected, "{total}, {size}");
            let mut leaves = Leaves::new(blocks);
            let mut next = 0;
            for index in 0..blocks.count() {
                let (start, end) = blocks.block(index);
                assert_eq!(start, next);
                for place in start..end {
                    assert_eq!(leaves.start_of(place), start);
                }
                assert_eq!(leaves.end_of(start), end);
                next = end;
            }
            assert_eq!(next as usize, total);
            let middle = total as u32 / 2;
            let before = leaves.start_of(middle);
            leaves.cut(middle);
            assert_eq!(leaves.start_of(middle), middle);
            assert!(middle == before || leaves.end_of(before) == middle);
        }
    }

    #[test]
    fn marks_are_set_changed_and_taken_off_one_by_one() {
        let mut leaves = Leaves::new(Blocks::new(300, 100.0));
        assert_eq!(leaves.toggle(128), 1);
        leaves.mark(256);
        assert_eq!((leaves.odd(0), leaves.odd(128), leaves.odd(256)), (0, 1, 1));
        assert_eq!((leaves.unmark(128), leaves.unmark(128)), (1, 0));
        assert_eq!(leaves.toggle(256), 0);
    }
}
