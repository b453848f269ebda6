//! Halving many leaves of one pass at once, each down to one bit.

use super::super::leaves::Region;
use super::super::packed::{Packer, Unpacker};
use super::super::parities::Parities;
use super::Pass;

/// The way down from odd leaves of one pass to one wrong bit in each. As nothing is corrected on the
/// way, one number for each leaf is all there is to know: where the half of it starts that is odd.
pub(in super::super) struct Descent {
    pass: usize,
    /// Where what is left of each leaf starts.
    starts: Vec<u32>,
    /// The leaves that follow each other and are of one size.
    cohorts: Vec<Cohort>,
    /// How often they have been halved, those that were long enough.
    halved: u32,
}

/// Leaves of one size.
#[derive(Debug, Clone, Copy)]
struct Cohort {
    size_log2: u32,
    count: usize,
}

impl Descent {
    /// From odd leaves of pass number `pass`; to be filled.
    pub(super) fn new(pass: usize, leaves: usize) -> Self {
        Self {
            pass,
            starts: Vec::with_capacity(leaves),
            cohorts: Vec::new(),
            halved: 0,
        }
    }

    /// Adds the odd ones of the blocks that a region of the pass starts with, one comparison each.
    #[inline(always)]
    pub(super) fn add_blocks(&mut self, region: Region, answers: &mut Unpacker) {
        let before = self.starts.len();
        for first in (0..region.count()).step_by(64) {
            let mut rest = answers.take((region.count() - first).min(64) as usize);
            while rest != 0 {
                let block = first + rest.trailing_zeros();
                self.starts
                    .push(region.start() + (block << region.size_log2()));
                rest &= rest - 1;
            }
        }
        self.cohorts.push(Cohort {
            size_log2: region.size_log2(),
            count: self.starts.len() - before,
        });
    }

    /// From the leaves of `pass` that start at `starts`.
    #[inline(always)]
    pub(super) fn of_leaves(number: usize, pass: &Pass, starts: &[u32]) -> Self {
        let mut descent = Self::new(number, 0);
        let mut sizes = vec![0; starts.len()];
        let mut counts = [0; 32];
        for (size, &start) in sizes.iter_mut().zip(starts) {
            let size_log2 = (pass.leaves.end_of(start) - start).trailing_zeros() as u8;
            *size = size_log2;
            counts[usize::from(size_log2 % 32)] += 1;
        }
        let mut next = [0; 32];
        let mut sum = 0;
        for (size_log2, (next, &count)) in (0..).zip(next.iter_mut().zip(&counts)) {
            *next = sum;
            sum += count;
            if count > 0 {
                descent.cohorts.push(Cohort { size_log2, count });
            }
        }
        descent.starts.resize(starts.len(), 0);
        for (&start, &size) in starts.iter().zip(&sizes) {
            let at = &mut next[usize::from(size % 32)];
            descent.starts[*at] = start;
            *at += 1;
        }
        descent
    }

    /// Where what is left of each leaf starts.
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Which pass the leaves belong to.
    pub(in super::super) fn pass(&self) -> usize {
        self.pass
    }

    /// Whether there is nothing left to halve.
    pub(super) fn is_over(&self) -> bool {
        self.cohorts
            .iter()
            .all(|cohort| cohort.count == 0 || cohort.size_log2 <= self.halved)
    }

    /// Whether there is nothing left to halve after this round.
    pub(super) fn ends_next(&self) -> bool {
        self.cohorts
            .iter()
            .all(|cohort| cohort.count == 0 || cohort.size_log2 <= self.halved + 1)
    }

    /// Number of parities asked in this round.
    pub(super) fn questions(&self) -> usize {
        let asked = |cohort: &&Cohort| cohort.size_log2 > self.halved;
        self.cohorts.iter().filter(asked).map(|c| c.count).sum()
    }

    /// The parities asked in this round.
    #[inline(always)]
    pub(in super::super) fn ask(&self, bits: &Parities, parities: &mut Packer) {
        let mut rest = &self.starts[..];
        for cohort in &self.cohorts {
            let (starts, others) = rest.split_at(cohort.count);
            rest = others;
            if cohort.size_log2 > self.halved {
                bits.halves(starts, cohort.size_log2 - self.halved - 1, parities);
            }
        }
    }

    /// Learns one comparison about each leaf asked about: whether its first half is odd.
    #[inline(always)]
    pub(super) fn learn(&mut self, answers: &mut Unpacker) {
        let mut rest = &mut self.starts[..];
        for cohort in &self.cohorts {
            let (starts, others) = rest.split_at_mut(cohort.count);
            rest = others;
            if cohort.size_log2 > self.halved {
                let half_log2 = cohort.size_log2 - self.halved - 1;
                for starts in starts.chunks_mut(32) {
                    let even = !answers.take(starts.len()) as u32;
                    for (i, start) in (0..).zip(starts) {
                        *start |= (even >> i & 1) << half_log2;
                    }
                }
            }
        }
        self.halved += 1;
    }

    /// Cuts the leaves of `pass` as they were halved; gives the wrong places found.
    #[inline(always)]
    pub(super) fn end(self, pass: &mut Pass) -> Vec<u32> {
        let mut rest = &self.starts[..];
        for cohort in &self.cohorts {
            let (starts, others) = rest.split_at(cohort.count);
            rest = others;
            pass.leaves.cut_down_to(starts, cohort.size_log2);
        }
        self.starts
    }
}
