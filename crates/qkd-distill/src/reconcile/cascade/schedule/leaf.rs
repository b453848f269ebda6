//! What is cut: an odd leaf of a pass, or an odd subset of the key.

use std::ops::Range;

use super::Unpacker;

/// An odd leaf of at least two places.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Leaf {
    pub(in super::super) start: u32,
    pub(in super::super) end: u32,
}

impl Leaf {
    /// Where the second of two halves starts.
    #[inline(always)]
    pub(in super::super) fn middle(self) -> u32 {
        self.start + (self.end - self.start) / 2
    }

    /// Into how many parts it is cut when there may be `most`.
    #[inline(always)]
    pub(in super::super) fn parts(self, most: u32) -> u32 {
        most.min(self.end - self.start)
    }

    /// Where part `part` starts, of as many as there are when there may be `most`.
    #[inline(always)]
    pub(in super::super) fn cut(self, part: u32, most: u32) -> u32 {
        let length = u64::from(self.end - self.start);
        self.start + (length * u64::from(part) / u64::from(self.parts(most))) as u32
    }
}

/// The search for one error in one subset, which is odd from `start` to just before `end`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Hunt {
    pub(in super::super) check: u32,
    pub(in super::super) start: u32,
    pub(in super::super) end: u32,
}

impl Hunt {
    fn leaf(self) -> Leaf {
        Leaf {
            start: self.start,
            end: self.end,
        }
    }

    /// Into how many parts it is cut when there may be `most`.
    pub(in super::super) fn parts(self, most: u32) -> u32 {
        self.leaf().parts(most)
    }

    /// Part `part` of those.
    pub(in super::super) fn part(self, part: u32, most: u32) -> Range<usize> {
        let leaf = self.leaf();
        leaf.cut(part, most) as usize..leaf.cut(part + 1, most) as usize
    }

    /// The first part that is odd, after one comparison for each part but the last.
    pub(in super::super) fn narrowed(self, most: u32, answers: &mut Unpacker) -> Self {
        let count = self.parts(most);
        let odd = answers.take(count as usize - 1) | 1 << (count - 1);
        let Range { start, end } = self.part(odd.trailing_zeros(), most);
        Self {
            check: self.check,
            start: start as u32,
            end: end as u32,
        }
    }
}
