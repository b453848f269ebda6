//! The public half of Cascade: which parities are asked next, given all comparisons so far.
//!
//! Both sides run this over the same transcript and hence agree without naming a position.

use qkd_bits::{BitString, SecretRng};

use super::CascadePlan;
use super::layout::{Layout, Order};
use super::leaves::Leaves;
use crate::Disclosed;

/// Errors expected in a block of the first pass.
const FIRST_BLOCK_ERRORS: f64 = 0.73;
/// Errors expected to be left in a block of the second pass when it opens.
const SECOND_BLOCK_ERRORS: f64 = 2.75;
/// Odd leaves per piece that the second pass may still be chasing when the third one opens: the
/// last few are long chains of one correction a round.
const STRAGGLERS: usize = 4;
/// Blocks of each later pass in one piece.
const LATE_BLOCKS: usize = 16;
/// Passes at most; an honest key with a fair prior takes three or four.
const PASSES_MAX: usize = 12;
/// Random subsets compared at the end: what slips through does so with probability 2⁻¹⁶.
pub(super) const CHECKS: usize = 16;
/// Rounds at most; an honest key takes 100 to 300.
const ROUNDS_MAX: u32 = 2000;
/// Range in which the prior error rate is taken seriously.
const PRIOR_RANGE: (f64, f64) = (1e-4, 0.25);

/// One reading of the whole key.
pub(super) struct Pass {
    pub(super) order: Order,
    pub(super) leaves: Leaves,
}

/// A question about the first half of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Split {
    pub(super) pass: u32,
    pub(super) start: u32,
    pub(super) middle: u32,
}

/// A bisection of the whole key within one subset, which is odd in `start..end`, at least two bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hunt {
    pub(super) check: usize,
    pub(super) start: usize,
    end: usize,
}

impl Hunt {
    /// The part asked about is `start..middle`.
    pub(super) fn middle(&self) -> usize {
        self.start + (self.end - self.start) / 2
    }
}

/// What is asked now.
pub(super) enum Round {
    /// All blocks of a new pass, if one opens, then the first halves of odd leaves.
    Leaves {
        opens: Option<usize>,
        splits: Vec<Split>,
    },
    /// All subsets.
    Checks,
    /// Half of what is left of one odd subset.
    Hunt(Hunt),
    /// Nothing any more.
    Finished,
}

/// The state of knowledge that both sides share.
pub(super) struct Schedule {
    layout: Layout,
    key_bits: usize,
    rng: SecretRng,
    qber: f64,
    passes: Vec<Pass>,
    /// One uniform string, of which subset i takes the words from i on, and what is known of the
    /// errors in each subset. For any errors that are left the parities are uniform and
    /// independent: the one of subset i alone depends on the bit 64·i beyond the last error.
    subsets: Vec<u64>,
    odd_subsets: [bool; CHECKS],
    round: Round,
    rounds: u32,
    asked: u64,
    answered: u64,
    errors: BitString,
    contradicted: bool,
    found: usize,
    found_before_pass: usize,
    /// Leaves that became odd, as (pass, start); some may be even again.
    changed: Vec<(usize, usize)>,
}

impl Schedule {
    pub(super) fn new(plan: &CascadePlan) -> Self {
        let layout = Layout::new(plan.key_bits);
        let mut schedule = Self {
            layout,
            key_bits: plan.key_bits,
            rng: SecretRng::from_seed(plan.seed),
            qber: plan.prior_qber.clamp(PRIOR_RANGE.0, PRIOR_RANGE.1),
            passes: Vec::new(),
            subsets: Vec::new(),
            odd_subsets: [false; CHECKS],
            round: Round::Finished,
            rounds: 0,
            asked: 0,
            answered: 0,
            errors: BitString::zeros(layout.total()),
            contradicted: false,
            found: 0,
            found_before_pass: 0,
            changed: Vec::new(),
        };
        schedule.round = schedule.open_pass(Vec::new());
        schedule.asked = schedule.questions() as u64;
        schedule
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn passes(&self) -> &[Pass] {
        &self.passes
    }

    /// The words of subset `check`, at least as many as the key has.
    pub(super) fn subset(&self, check: usize) -> &[u64] {
        &self.subsets[check..]
    }

    pub(super) fn round(&self) -> &Round {
        &self.round
    }

    pub(super) fn is_finished(&self) -> bool {
        match self.round {
            Round::Finished => true,
            Round::Leaves { .. } | Round::Checks | Round::Hunt(_) => false,
        }
    }

    /// Number of parities asked in this round.
    pub(super) fn questions(&self) -> usize {
        match &self.round {
            Round::Leaves { opens, splits } => {
                opens.map_or(0, |pass| self.passes[pass].leaves.count()) + splits.len()
            }
            Round::Checks => CHECKS,
            Round::Hunt(_) => 1,
            Round::Finished => 0,
        }
    }

    pub(super) fn disclosed(&self) -> Disclosed {
        Disclosed {
            from_alice_bits: self.asked,
            from_bob_bits: self.answered,
            verification_bits: 0,
        }
    }

    /// Positions corrected, ascending. Those in the fill, which only a liar can cause, are left out.
    pub(super) fn error_positions(&self) -> Vec<u32> {
        let mut positions = Vec::with_capacity(self.found);
        for (i, &word) in self.errors.words().iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                let position = i * 64 + rest.trailing_zeros() as usize;
                if position < self.key_bits {
                    positions.push(position as u32);
                }
                rest &= rest - 1;
            }
        }
        positions
    }

    /// Learns the comparisons of this round, one per question, and decides on the next. Gives the
    /// positions that Bob has to correct.
    pub(super) fn absorb(&mut self, differs: &BitString) -> Vec<u32> {
        self.answered += differs.len() as u64;
        self.rounds += 1;
        let mut flips = Vec::new();
        let mut hunt = None;
        match std::mem::replace(&mut self.round, Round::Finished) {
            Round::Leaves { opens, splits } => {
                let mut differs = differs.iter();
                if let Some(pass) = opens {
                    self.learn_blocks(pass, &mut differs);
                }
                self.learn_halves(&splits, differs);
            }
            Round::Checks => {
                for (known, odd) in self.odd_subsets.iter_mut().zip(differs.iter()) {
                    *known = odd;
                }
            }
            Round::Hunt(mut half) => {
                if differs.get(0) {
                    half.end = half.middle();
                } else {
                    half.start = half.middle();
                }
                if half.end - half.start == 1 {
                    self.flip(half.start, &mut flips);
                } else {
                    hunt = Some(half);
                }
            }
            Round::Finished => {}
        }
        let splits = self.settle(&mut flips);
        self.round = self.next_round(splits, hunt);
        self.asked += self.questions() as u64;
        flips
    }

    fn learn_blocks(&mut self, pass: usize, differs: &mut impl Iterator<Item = bool>) {
        let leaves = &mut self.passes[pass].leaves;
        let starts: Vec<usize> = leaves.iter().collect();
        let (blocks, mut odd_blocks) = (starts.len(), 0);
        for (start, odd) in starts.into_iter().zip(differs) {
            if odd {
                odd_blocks += 1;
                leaves.toggle(start);
                self.changed.push((pass, start));
            }
        }
        if pass == 0 {
            self.qber = self.estimate(odd_blocks, blocks);
        }
    }

    fn learn_halves(&mut self, splits: &[Split], differs: impl Iterator<Item = bool>) {
        for (split, first_is_odd) in splits.iter().zip(differs) {
            let (start, middle) = (split.start as usize, split.middle as usize);
            let pass = split.pass as usize;
            let odd = self.passes[pass].leaves.split(start, middle, first_is_odd);
            self.changed.push((pass, odd));
        }
    }

    /// The error rate that the share of odd first blocks tells, with the prior as two more blocks:
    /// the inverse of P(odd) = (1 − (1 − 2q)^k)/2.
    fn estimate(&self, odd_blocks: usize, blocks: usize) -> f64 {
        let block_bits = self.layout.total() as f64 / blocks as f64;
        let prior_odd = (1.0 - (1.0 - 2.0 * self.qber).powf(block_bits)) / 2.0;
        let odd = (odd_blocks as f64 + 2.0 * prior_odd) / (blocks as f64 + 2.0);
        let q = (1.0 - (1.0 - 2.0 * odd.min(0.49)).powf(1.0 / block_bits)) / 2.0;
        q.clamp(PRIOR_RANGE.0, PRIOR_RANGE.1)
    }

    /// Corrects every odd leaf of a single bit and everything that follows from it; gives the
    /// questions about the odd leaves that remain.
    fn settle(&mut self, flips: &mut Vec<u32>) -> Vec<Split> {
        let mut open = Vec::new();
        while let Some((pass, start)) = self.changed.pop() {
            let leaves = &self.passes[pass].leaves;
            if !leaves.is_odd(start) {
                continue;
            }
            let end = leaves.end_of(start);
            if end - start == 1 {
                let position = self.passes[pass].order.position(self.layout, start);
                self.flip(position, flips);
            } else {
                open.push(Split {
                    pass: pass as u32,
                    start: start as u32,
                    middle: (start + (end - start) / 2) as u32,
                });
            }
        }
        open.retain(|split| {
            self.passes[split.pass as usize]
                .leaves
                .is_odd(split.start as usize)
        });
        open.sort_unstable();
        open.dedup();
        open
    }

    /// Corrects one bit, each at most once: an honest transcript locates no error twice, and one
    /// that does would have the leaves of two passes correct each other for ever.
    fn flip(&mut self, position: usize, flips: &mut Vec<u32>) {
        if self.errors.get(position) {
            self.contradicted = true;
            return;
        }
        flips.push(position as u32);
        self.errors.flip(position);
        self.found += 1;
        for (i, pass) in self.passes.iter_mut().enumerate() {
            let start = pass
                .leaves
                .start_of(pass.order.place(self.layout, position));
            if pass.leaves.toggle(start) {
                self.changed.push((i, start));
            }
        }
        if !self.subsets.is_empty() {
            for (check, odd) in self.odd_subsets.iter_mut().enumerate() {
                *odd ^= self.subsets[position / 64 + check] >> (position % 64) & 1 == 1;
            }
        }
    }

    fn next_round(&mut self, splits: Vec<Split>, hunt: Option<Hunt>) -> Round {
        // A key that has leaked twice itself is lost, and only a liar contradicts itself or makes
        // so many rounds: verification tells.
        let lost = self.asked > 2 * self.key_bits as u64 + 4096;
        if lost || self.contradicted || self.rounds >= ROUNDS_MAX {
            return Round::Finished;
        }
        if self.passes.len() == 2 && splits.len() <= STRAGGLERS * self.layout.pieces {
            return self.open_pass(splits);
        }
        if !splits.is_empty() {
            return Round::Leaves {
                opens: None,
                splits,
            };
        }
        if let Some(hunt) = hunt {
            return Round::Hunt(hunt);
        }
        let total = self.layout.total();
        if self.subsets.is_empty() {
            if self.needs_pass() {
                return self.open_pass(splits);
            }
            let words = total.div_ceil(64) + CHECKS;
            self.subsets = (0..words).map(|_| self.rng.next_u64()).collect();
            return Round::Checks;
        }
        match self.odd_subsets.iter().position(|&odd| odd) {
            // The first block of a key of one bit has told all there is.
            Some(check) if total > 1 => Round::Hunt(Hunt {
                check,
                start: 0,
                end: total,
            }),
            Some(_) | None => Round::Finished,
        }
    }

    /// Three passes at least, then as many as still find more than an error in four pieces.
    fn needs_pass(&self) -> bool {
        self.passes.len() < 3
            || self.passes.len() < PASSES_MAX
                && (self.found - self.found_before_pass) * 4 > self.layout.pieces
    }

    fn open_pass(&mut self, splits: Vec<Split>) -> Round {
        let piece_bits = self.layout.piece_bits as f64;
        let total = self.layout.total() as f64;
        let pass = self.passes.len();
        let blocks = match pass {
            0 => piece_bits * self.qber / FIRST_BLOCK_ERRORS,
            1 => {
                let left = (self.qber - self.found as f64 / total).max(0.1 * self.qber);
                piece_bits * left / SECOND_BLOCK_ERRORS
            }
            _ => LATE_BLOCKS as f64,
        };
        let least = if pass == 0 { 1 } else { 2 };
        let blocks = (blocks.round() as usize)
            .max(least)
            .min(self.layout.piece_bits);
        let order = if pass == 0 {
            Order::Plain
        } else {
            Order::permuted(self.layout, &mut self.rng)
        };
        self.found_before_pass = self.found;
        self.passes.push(Pass {
            order,
            leaves: Leaves::new(self.layout.piece_bits, self.layout.pieces, blocks),
        });
        Round::Leaves {
            opens: Some(pass),
            splits,
        }
    }
}
