//! The butterflies, their transposes, and what surrounds them: generic over the register.
//!
//! Layer t of l evaluates at s_t: in each block of 2^(t+1) words, the halves (a, b) become
//! (a + w·b, a + w·b + b), where w is [`first_factor`] + [`block_factor`] of the block.

use super::basis::{Levels, Map};
use super::cantor::{Factor, INVERSE_LOW, MODULUS_LOW, SUMS, block_factor, first_factor};
use super::lanes::{Factors, Lanes, Unreduced, add_high_product};
use super::pack::{gather, scatter};

/// Words of a stretch that stays in the first-level cache.
const STRETCH_WORDS: usize = 2048;

/// Points of which all values stay in the first-level cache while they are multiplied.
pub(super) const TILE_WORDS: usize = 64;

/// Registers of points for which sums are made at one time.
const SUMS_AT_ONCE: usize = 2;

/// What a layer does to the two halves of a block. Types rather than closures, which would not be
/// compiled for the instructions of the register.
trait Butterfly {
    fn apply<V: Lanes>(a: V, b: V, factors: Factors<V>) -> (V, V);
}

struct Plain;

impl Butterfly for Plain {
    #[inline(always)]
    fn apply<V: Lanes>(a: V, b: V, factors: Factors<V>) -> (V, V) {
        let a = a.xor(factors.times(b));
        (a, b.xor(a))
    }
}

struct Transposed;

impl Butterfly for Transposed {
    #[inline(always)]
    fn apply<V: Lanes>(a: V, b: V, factors: Factors<V>) -> (V, V) {
        let a = a.xor(b);
        (a, b.xor(factors.times(a)))
    }
}

struct InverseTransposed;

impl Butterfly for InverseTransposed {
    #[inline(always)]
    fn apply<V: Lanes>(a: V, b: V, factors: Factors<V>) -> (V, V) {
        let b = b.xor(factors.times(a));
        (a.xor(b), b)
    }
}

/// Coefficients to values: `words` becomes scratch.
#[inline(always)]
pub(super) fn values<V: Lanes>(words: &mut [u64], values: &mut [u64], levels: &Levels) {
    levels.apply_powers::<V>(words, Map::Forward);
    gather(words, values, false);
    levels.apply_products::<V>(values, Map::Forward);
    downwards::<V, Plain>(values);
}

/// The inverse of the transpose of [`values`].
#[inline(always)]
pub(super) fn dual_values<V: Lanes>(words: &mut [u64], values: &mut [u64], levels: &Levels) {
    levels.apply_powers::<V>(words, Map::InverseTransposed);
    gather(words, values, true);
    levels.apply_products::<V>(values, Map::InverseTransposed);
    for word in values.chunks_exact_mut(V::WORDS) {
        add_high_product(V::load(word), MODULUS_LOW).store(word);
    }
    downwards::<V, InverseTransposed>(values);
}

/// The transpose of [`values`], from values to coefficients: `values` becomes scratch.
#[inline(always)]
pub(super) fn transposed_values<V: Lanes>(values: &mut [u64], words: &mut [u64], levels: &Levels) {
    upwards::<V, Transposed>(values);
    for word in values.chunks_exact_mut(V::WORDS) {
        add_high_product(V::load(word), INVERSE_LOW).store(word);
    }
    levels.apply_products::<V>(values, Map::Transposed);
    scatter(values, words);
    levels.apply_powers::<V>(words, Map::Transposed);
}

/// Σ_q tails\[q\]·seeds\[p + q\] point by point for every p, in the place of seeds\[p\]; an
/// operand of `points` words begins every `points` + [`TILE_WORDS`] words.
#[inline(always)]
pub(super) fn correlate<V: Lanes>(tails: &[u64], seeds: &mut [u64], points: usize) {
    let stride = points + TILE_WORDS;
    let count = tails.len() / stride;
    let outputs = (seeds.len() / stride + 1).saturating_sub(count);
    for start in (0..points).step_by(TILE_WORDS) {
        for p in 0..outputs {
            for at in (start..start + TILE_WORDS).step_by(SUMS_AT_ONCE * V::WORDS) {
                let mut sums = [Unreduced::<V>::zero(); SUMS_AT_ONCE];
                for q in 0..count {
                    let tail = &tails[q * stride + at..][..SUMS_AT_ONCE * V::WORDS];
                    let seed = &seeds[(p + q) * stride + at..][..SUMS_AT_ONCE * V::WORDS];
                    for i in 0..SUMS_AT_ONCE {
                        let tail = V::load(&tail[i * V::WORDS..]);
                        let seed = V::load(&seed[i * V::WORDS..]);
                        sums[i] = sums[i].add_product(tail, seed);
                    }
                }
                let to = &mut seeds[p * stride + at..][..SUMS_AT_ONCE * V::WORDS];
                for i in 0..SUMS_AT_ONCE {
                    sums[i].reduced().store(&mut to[i * V::WORDS..]);
                }
            }
        }
    }
}

/// All layers from the widest blocks to the narrowest.
#[inline(always)]
fn downwards<V: Lanes, B: Butterfly>(words: &mut [u64]) {
    let log_points = words.len().ilog2();
    let stretch = STRETCH_WORDS.min(words.len());
    for t in (stretch.ilog2()..log_points).rev() {
        layer::<V, B>(words, log_points, t, 0);
    }
    for (i, words) in words.chunks_exact_mut(stretch).enumerate() {
        for t in (0..stretch.ilog2()).rev() {
            layer::<V, B>(words, log_points, t, i * (stretch >> (t + 1)));
        }
    }
}

/// All layers from the narrowest blocks to the widest.
#[inline(always)]
fn upwards<V: Lanes, B: Butterfly>(words: &mut [u64]) {
    let log_points = words.len().ilog2();
    let stretch = STRETCH_WORDS.min(words.len());
    for (i, words) in words.chunks_exact_mut(stretch).enumerate() {
        for t in 0..stretch.ilog2() {
            layer::<V, B>(words, log_points, t, i * (stretch >> (t + 1)));
        }
    }
    for t in stretch.ilog2()..log_points {
        layer::<V, B>(words, log_points, t, 0);
    }
}

/// Layer t on consecutive blocks, the first of which has the number `first_block`.
#[inline(always)]
fn layer<V: Lanes, B: Butterfly>(words: &mut [u64], log_points: u32, t: u32, first_block: usize) {
    let first = first_factor(log_points, t);
    let half = 1usize << t;
    if half >= V::WORDS {
        for (i, block) in words.chunks_exact_mut(2 * half).enumerate() {
            let factors = Factors::splat(first.plus(block_factor(first_block + i)));
            let (low, high) = block.split_at_mut(half);
            for at in (0..half).step_by(V::WORDS) {
                let (a, b) = (&mut low[at..at + V::WORDS], &mut high[at..at + V::WORDS]);
                let (x, y) = B::apply(V::load(a), V::load(b), factors);
                x.store(a);
                y.store(b);
            }
        }
    } else if half == 1 {
        narrow_layer::<V, B>(words, first, first_block, 1);
    } else {
        narrow_layer::<V, B>(words, first, first_block, 2);
    }
}

/// A layer whose blocks are narrower than two registers.
#[inline(always)]
fn narrow_layer<V: Lanes, B: Butterfly>(
    words: &mut [u64],
    first: Factor,
    first_block: usize,
    half: usize,
) {
    let blocks = V::WORDS / half;
    for (i, pair) in words.chunks_exact_mut(2 * V::WORDS).enumerate() {
        let block = first_block + i * blocks;
        // The blocks of one pair never cross a border of the table: both are powers of two.
        let (at, beyond) = (block & 255, block & !255);
        let factors = Factors::of_runs(&SUMS[0].values[at..], &SUMS[0].quotients[at..], half)
            .plus(Factors::splat(first.plus(block_factor(beyond))));
        let (low, high) = pair.split_at_mut(V::WORDS);
        let (a, b) = V::load(low).unzip(V::load(high), half);
        let (x, y) = B::apply(a, b, factors);
        let (x, y) = x.unzip(y, half);
        x.store(low);
        y.store(high);
    }
}
