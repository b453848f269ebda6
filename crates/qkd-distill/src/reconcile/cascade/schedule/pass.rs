//! One reading of the key, and what is being asked about it.

use super::super::layout::Order;
use super::super::leaves::{Blocks, Leaves};
use super::{Leaf, Unpacker};

/// One reading of the whole key.
pub(in super::super) struct Pass {
    pub(in super::super) order: Order,
    pub(in super::super) leaves: Leaves,
    /// Odd leaves that are asked about while there are few.
    pub(in super::super) asked: Vec<Leaf>,
    /// Odd leaves that have to wait for the turn of this pass.
    waiting: Vec<Leaf>,
    /// Odd leaves of one place, marked: bits that are wrong.
    pub(super) found: Vec<u32>,
}

impl Pass {
    /// With each block a leaf, and nothing known to be odd.
    #[inline(always)]
    pub(super) fn new(order: Order, blocks: Blocks) -> Self {
        Self {
            order,
            leaves: Leaves::new(blocks),
            asked: Vec::new(),
            waiting: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Learns one comparison about each leaf asked about: whether its first half is odd. The odd
    /// halves stay, marked, as other passes may change that.
    #[inline(always)]
    fn learn_halves(&mut self, answers: &mut Unpacker) {
        let mut stay = 0;
        for first in (0..self.asked.len()).step_by(64) {
            let last = (first + 64).min(self.asked.len());
            let mut odd = answers.take(last - first);
            for i in first..last {
                let Leaf { start, size_log2 } = self.asked[i];
                let half_log2 = size_log2 - 1;
                let middle = start | 1 << half_log2;
                self.leaves.cut(middle);
                // Half of these bits are set: a branch would be mistaken as often.
                let place = start | (!odd as u32 & 1) << half_log2;
                odd >>= 1;
                self.leaves.mark(place);
                self.asked[stay] = Leaf {
                    start: place,
                    size_log2: half_log2,
                };
                if half_log2 == 0 {
                    self.found.push(place);
                } else {
                    stay += 1;
                }
            }
        }
        self.asked.truncate(stay);
    }

    /// Learns one comparison about each part but the last of each leaf asked about, halved
    /// `levels` times.
    #[inline(always)]
    pub(super) fn learn_parts(&mut self, levels: u32, answers: &mut Unpacker) {
        if levels == 1 {
            self.learn_halves(answers);
            return;
        }
        for leaf in std::mem::take(&mut self.asked) {
            let count = 1 << leaf.levels(levels);
            let size_log2 = leaf.size_log2 - leaf.levels(levels);
            let bits = answers.take(count - 1);
            // The whole is odd.
            let bits = bits | u64::from(1 - bits.count_ones() % 2) << (count - 1);
            for part in 0..count as u32 {
                let start = leaf.start + (part << size_log2);
                self.leaves.cut(start);
                if bits >> part & 1 == 0 {
                    continue;
                }
                self.leaves.mark(start);
                if size_log2 == 0 {
                    self.found.push(start);
                } else {
                    self.asked.push(Leaf { start, size_log2 });
                }
            }
        }
    }

    /// Has the leaf that starts at `start`, marked, be asked about.
    #[inline(always)]
    pub(super) fn search(&mut self, start: u32) {
        let size_log2 = (self.leaves.end_of(start) - start).trailing_zeros();
        if size_log2 == 0 {
            self.found.push(start);
        } else {
            self.asked.push(Leaf { start, size_log2 });
        }
    }

    /// The bits found wrong, each once, which other passes may have found too and corrected; takes
    /// their marks off.
    #[inline(always)]
    pub(super) fn take_found(&mut self) -> Vec<u32> {
        let mut found = std::mem::take(&mut self.found);
        self.leaves.unmark_all(&mut found);
        found
    }

    /// Keeps the odd ones of the leaves to ask about, each once; gives how many there are.
    #[inline(always)]
    pub(super) fn prepare(&mut self) -> usize {
        self.asked.append(&mut self.waiting);
        let mut stay = 0;
        for i in 0..self.asked.len() {
            let leaf = self.asked[i];
            self.asked[stay] = leaf;
            stay += self.leaves.unmark(leaf.start) as usize;
        }
        self.asked.truncate(stay);
        stay
    }

    /// Has the leaves to ask about wait, where they may become even.
    #[inline(always)]
    pub(super) fn wait(&mut self) {
        self.waiting.append(&mut self.asked);
    }

    /// How many leaves are to be asked about or wait; some of them may be even.
    pub(super) fn listed(&self) -> usize {
        self.asked.len() + self.waiting.len()
    }
}
