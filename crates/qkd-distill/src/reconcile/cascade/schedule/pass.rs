//! One reading of the key, and what is being asked about it.

use super::super::layout::Order;
use super::super::leaves::{Blocks, Leaves};
use super::{Leaf, Unpacker};

/// One reading of the whole key.
pub(in super::super) struct Pass {
    pub(in super::super) order: Order,
    pub(in super::super) leaves: Leaves,
    /// Odd leaves that are asked about now.
    pub(in super::super) asked: Vec<Leaf>,
    /// Odd leaves that have to wait for the turn of this pass.
    waiting: Vec<Leaf>,
}

/// A bit that is wrong, where a pass reads it.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Found {
    pub(in super::super) pass: u32,
    pub(in super::super) place: u32,
}

impl Pass {
    /// With each block a leaf, and nothing known to be odd.
    pub(super) fn new(order: Order, blocks: Blocks) -> Self {
        Self {
            order,
            leaves: Leaves::new(blocks),
            asked: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Learns one comparison about each leaf asked about: whether its first half is odd. The odd
    /// halves stay, marked when other passes may change that.
    #[inline(always)]
    pub(super) fn learn_halves<const MARK: bool>(
        &mut self,
        number: u32,
        answers: &mut Unpacker,
        found: &mut Vec<Found>,
    ) {
        let mut stay = 0;
        for first in (0..self.asked.len()).step_by(64) {
            let last = (first + 64).min(self.asked.len());
            let mut odd = answers.take(last - first);
            for i in first..last {
                let Leaf { start, end } = self.asked[i];
                let middle = self.asked[i].middle();
                self.leaves.cut_after(start, middle);
                // Half of these bits are set: a branch would be mistaken as often.
                let keep = 0u32.wrapping_sub((odd & 1) as u32);
                odd >>= 1;
                let start = middle ^ ((middle ^ start) & keep);
                let end = end ^ ((middle ^ end) & keep);
                if MARK {
                    self.leaves.mark(start);
                }
                self.asked[stay] = Leaf { start, end };
                if end - start == 1 {
                    found.push(Found {
                        pass: number,
                        place: start,
                    });
                } else {
                    stay += 1;
                }
            }
        }
        self.asked.truncate(stay);
    }

    /// Learns one comparison about each part but the last of each leaf asked about.
    #[inline(always)]
    pub(super) fn learn_parts(
        &mut self,
        number: u32,
        parts: u32,
        answers: &mut Unpacker,
        found: &mut Vec<Found>,
    ) {
        for leaf in std::mem::take(&mut self.asked) {
            let count = leaf.parts(parts);
            let bits = answers.take(count as usize - 1);
            // The whole is odd.
            let bits = bits | u64::from(1 - bits.count_ones() % 2) << (count - 1);
            let mut start = leaf.start;
            for part in 1..=count {
                let end = leaf.cut(part, parts);
                self.leaves.cut(start);
                if bits >> (part - 1) & 1 == 1 {
                    self.leaves.mark(start);
                    if end - start == 1 {
                        found.push(Found {
                            pass: number,
                            place: start,
                        });
                    } else {
                        self.asked.push(Leaf { start, end });
                    }
                }
                start = end;
            }
        }
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
