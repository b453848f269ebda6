//! What a pass starts with: its order and the sizes of its blocks.

use qkd_security::mathematics::{exp, ln_1p};

use super::super::layout::Order;
use super::super::leaves::Blocks;
use super::{CHECKS, PRIOR_RANGE, Pass, SUBSET_WORDS, Schedule};

/// Errors expected in a block of the first pass, within a factor of √2.
const FIRST_BLOCK_ERRORS: f64 = 0.8;
/// Errors expected to be left in a block of the second pass when it opens, within a factor of √2.
const SECOND_BLOCK_ERRORS: f64 = 2.0;
/// Blocks of each later pass for each piece, within a factor of √2.
const LATE_BLOCKS_PER_PIECE: f64 = 8.0;
impl Schedule {
    /// The error rate that the share of odd first blocks tells, with the prior as two more blocks:
    /// the inverse of P(odd) = (1 − (1 − 2q)^k)/2.
    pub(super) fn estimate(&self, odd_blocks: u32, blocks: Blocks) -> f64 {
        let block_bits = blocks.size() as f64;
        let prior_odd = (1.0 - exp(block_bits * ln_1p(-2.0 * self.qber))) / 2.0;
        let odd = (f64::from(odd_blocks) + 2.0 * prior_odd) / (f64::from(blocks.count()) + 2.0);
        let q = (1.0 - exp(ln_1p(-2.0 * odd.min(0.49)) / block_bits)) / 2.0;
        q.clamp(PRIOR_RANGE.0, PRIOR_RANGE.1)
    }

    pub(super) fn open_checks(&mut self) {
        let words = self.key_bits.div_ceil(64).min(SUBSET_WORDS);
        self.subsets = (0..words + CHECKS).map(|_| self.rng.next_u64()).collect();
        self.checks_now = true;
    }

    /// The bits of blocks that were even in the first pass come first: most errors are among them,
    /// so they are worth smaller blocks. Of n errors in a block of mean λ are left λ·tanh λ on
    /// average if n is even, and λ/tanh λ − 1 if n is odd and one was corrected (Poisson).
    #[inline(always)]
    fn second_pass(&mut self) -> (Order, Blocks) {
        let block_bits = self.passes[0].leaves.blocks().size() as f64;
        let mean = self.qber * block_bits;
        let ratio = exp(-2.0 * mean);
        let tanh = (1.0 - ratio) / (1.0 + ratio);
        let size = |errors_left: f64| SECOND_BLOCK_ERRORS * block_bits / errors_left.max(1e-9);
        let (even, odd) = (size(mean * tanh), size(mean / tanh - 1.0));
        let drawn = Order::drawn(self.layout, &mut self.rng);
        let order = drawn.sorted(&self.even_blocks, [even, odd], self.instructions);
        let blocks = match &order {
            Order::Sorted(_, sieve) => sieve.blocks(),
            Order::Plain | Order::Table(_) | Order::Tiles(_) => {
                let left = (self.qber - self.errors_found as f64 / self.key_bits as f64)
                    .max(0.1 * self.qber);
                Blocks::new(self.layout.total(), SECOND_BLOCK_ERRORS / left)
            }
        };
        self.even_blocks = Vec::new();
        (order, blocks)
    }

    #[inline(always)]
    pub(super) fn open_pass(&mut self) {
        let pass = self.passes.len();
        let total = self.layout.total();
        let (order, blocks) = match pass {
            0 => {
                let size = FIRST_BLOCK_ERRORS / self.qber;
                (Order::Plain, Blocks::new(self.key_bits, size))
            }
            1 => self.second_pass(),
            _ => {
                let size = self.layout.piece_bits as f64 / LATE_BLOCKS_PER_PIECE;
                let order = Order::drawn(self.layout, &mut self.rng);
                (order, Blocks::new(total, size))
            }
        };
        self.passes.push(Pass::new(order, blocks));
        self.touched.push(Vec::new());
        self.opens = Some(pass);
    }
}

/// `count` bits set, and all others of `words` words not.
pub(super) fn ones(count: usize, words: usize) -> Vec<u64> {
    let mut bits = vec![u64::MAX; count / 64];
    bits.resize(words, 0);
    if !count.is_multiple_of(64) {
        bits[count / 64] = (1 << (count % 64)) - 1;
    }
    bits
}

/// Clears the blocks of 2^`size_log2` bits that start at `starts`, multiples of their size.
#[inline(always)]
pub(super) fn clear_all(bits: &mut [u64], starts: &[u32], size_log2: u32) {
    if let Some(words_log2) = size_log2.checked_sub(6) {
        for &start in starts {
            let first = start as usize / 64;
            let end = (first + (1 << words_log2)).min(bits.len());
            bits[first..end].fill(0);
        }
    } else {
        let block = (1 << (1 << size_log2)) - 1;
        for &start in starts {
            bits[start as usize / 64] &= !(block << (start % 64));
        }
    }
}
