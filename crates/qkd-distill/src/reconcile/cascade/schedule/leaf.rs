//! What is cut: an odd leaf of a pass, or an odd subset of the key.

use std::ops::Range;

use super::Unpacker;

/// An odd leaf of at least two places: 2^`size_log2` from `start` on, a multiple of as many.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Leaf {
    pub(in super::super) start: u32,
    pub(in super::super) size_log2: u32,
}

impl Leaf {
    /// How often it is halved when that may be `levels` times at once.
    #[inline(always)]
    pub(in super::super) fn levels(self, levels: u32) -> u32 {
        levels.min(self.size_log2)
    }

    /// Number of questions about it when it may be halved `levels` times at once.
    #[inline(always)]
    pub(super) fn questions(self, levels: u32) -> usize {
        (1 << self.levels(levels)) - 1
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
    /// Number of questions about it when it may be halved `levels` times at once.
    pub(super) fn questions(self, levels: u32) -> usize {
        self.parts(levels) - 1
    }

    /// Into how many parts it is cut.
    pub(in super::super) fn parts(self, levels: u32) -> usize {
        (1 << levels).min(self.end - self.start) as usize
    }

    /// Part number `part`.
    pub(in super::super) fn part(self, part: usize, levels: u32) -> Range<usize> {
        let (start, length) = (self.start as usize, (self.end - self.start) as usize);
        let cut = |part: usize| start + length * part / self.parts(levels);
        cut(part)..cut(part + 1)
    }

    /// The first part that is odd, after one comparison for each part but the last.
    pub(in super::super) fn narrowed(self, levels: u32, answers: &mut Unpacker) -> Self {
        let count = self.parts(levels);
        let odd = answers.take(count - 1) | 1 << (count - 1);
        let Range { start, end } = self.part(odd.trailing_zeros() as usize, levels);
        Self {
            check: self.check,
            start: start as u32,
            end: end as u32,
        }
    }
}
