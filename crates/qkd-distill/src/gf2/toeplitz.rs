//! The Toeplitz product of the privacy amplification, by transforms over segments of its operands.
//!
//! y\[i\] = Σ_j a\[j\]·s\[i + j\] over i < ℓ and j < r, that is the transpose of the product with
//! a(X), applied to s: of s(X)·(reversed a)(X) only the middle is computed. Both index ranges are cut
//! into segments so that i + j stays within one transform; every segment of a and of s is transformed
//! once, every segment of y once back, and between them stands one product per pair of segments and
//! point. That keeps large operands in the cache, and fits lengths that are no powers of two.

use zeroize::Zeroizing;

use super::transform::{Engine, LAYERS, Transform};

/// How the operands are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    layers: u32,
    /// Bits of a segment of the outputs and of the tail; one of them covers its whole operand, or
    /// both are half a transform. Multiples of 64.
    output_bits: usize,
    tail_bits: usize,
    outputs: usize,
    tails: usize,
}

impl Plan {
    /// The cheapest way to `length` outputs from a tail of `rest` bits.
    fn new(length: usize, rest: usize) -> Self {
        LAYERS
            .flat_map(|layers| Plan::of(layers, length, rest))
            .min_by_key(Plan::cost)
            // Not empty: `of` gives halves for every size.
            .expect("some size of transform")
    }

    /// All ways to cut for one size of transform.
    fn of(layers: u32, length: usize, rest: usize) -> impl Iterator<Item = Self> {
        let bits = 64usize << layers;
        let whole = |bits: usize| bits.div_ceil(64) * 64;
        let pair = |output_bits: usize, tail_bits: usize| Plan {
            layers,
            output_bits,
            tail_bits,
            outputs: length.div_ceil(output_bits),
            tails: rest.div_ceil(tail_bits),
        };
        let halves = pair(bits / 2, bits / 2);
        let whole_tail = (whole(rest) < bits).then(|| pair(bits - whole(rest), whole(rest)));
        let whole_output =
            (whole(length) < bits).then(|| pair(whole(length), bits - whole(length)));
        [Some(halves), whole_tail, whole_output]
            .into_iter()
            .flatten()
    }

    /// Segments of the seed.
    fn seeds(&self) -> usize {
        self.outputs + self.tails - 1
    }

    /// Bits from one segment of the seed to the next.
    fn stride_bits(&self) -> usize {
        if self.tails == 1 {
            self.output_bits
        } else {
            self.tail_bits
        }
    }

    /// Time of the transforms, and of the products between them, in cycles.
    fn cost(&self) -> u64 {
        let points = 1u64 << self.layers;
        let transforms = (self.outputs + self.tails + self.seeds()) as u64;
        let products = (self.outputs * self.tails) as u64;
        let per_point = TRANSFORM_CYCLES[(self.layers - LAYERS.start()) as usize];
        points * (transforms * per_point + products * PRODUCT_CYCLES_TENTH / 10)
    }
}

/// Cycles for each point of a transform of each number of [`LAYERS`], as measured on a Zen 3: only
/// the ratios matter. How many changes of basis there are depends on the binary digits of the
/// number, and the largest leave the second-level cache.
const TRANSFORM_CYCLES: [u64; 10] = [43, 42, 41, 44, 44, 50, 51, 59, 57, 64];
const _: () = assert!(TRANSFORM_CYCLES.len() == (*LAYERS.end() - *LAYERS.start() + 1) as usize);

/// Tenths of a cycle for a product of two points, measured in the same way.
const PRODUCT_CYCLES_TENTH: u64 = 16;

/// y as above: `length` bits, from the `rest` bits of `tail` and from `seed`, both zero beyond their
/// end. `length` and `rest` are at least 1.
///
/// The work memory has length and rest, rounded up to segments, three times and one transform more:
/// below four and a half times their sum from 2²⁰ bits on.
pub(crate) fn correlation(
    engine: Engine,
    tail: &[u64],
    rest: usize,
    seed: &[u64],
    length: usize,
) -> Zeroizing<Vec<u64>> {
    correlation_by(Plan::new(length, rest), engine, tail, seed, length)
}

fn correlation_by(
    plan: Plan,
    engine: Engine,
    tail: &[u64],
    seed: &[u64],
    length: usize,
) -> Zeroizing<Vec<u64>> {
    let transform = Transform::new(engine, plan.layers);
    let (points, stride) = (transform.words(), transform.stride());
    // One allocation, which allocators keep at hand from block to block where several would be
    // given back to the system and cleared anew.
    let mut workspace = Zeroizing::new(vec![0; stride * (plan.seeds() + plan.tails) + points]);
    let (seeds, rest) = workspace.split_at_mut(stride * plan.seeds());
    let (tails, buffer) = rest.split_at_mut(stride * plan.tails);
    for (i, values) in seeds.chunks_exact_mut(stride).enumerate() {
        copy(seed, i * plan.stride_bits() / 64, buffer);
        transform.dual_values(buffer, &mut values[..points]);
    }
    for (i, values) in tails.chunks_exact_mut(stride).enumerate() {
        let words = plan.tail_bits / 64;
        let end = ((i + 1) * words).min(tail.len());
        copy(&tail[..end], i * words, buffer);
        transform.values(buffer, &mut values[..points]);
    }
    transform.correlate(tails, seeds);
    let mut output = Zeroizing::new(vec![0; length.div_ceil(64)]);
    let segments = output.chunks_mut(plan.output_bits / 64);
    for (values, output) in seeds.chunks_exact_mut(stride).zip(segments) {
        transform.transposed_values(&mut values[..points], buffer);
        output.copy_from_slice(&buffer[..output.len()]);
    }
    output
}

/// Fills `to` with the words of `from` beginning at `start`, zero beyond its end.
fn copy(from: &[u64], start: usize, to: &mut [u64]) {
    let from = from.get(start..).unwrap_or_default();
    let words = from.len().min(to.len());
    to[..words].copy_from_slice(&from[..words]);
    to[words..].fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gf2::product;
    use qkd_bits::SecretRng;

    /// The same by way of the whole product with the reversed tail.
    fn by_product(tail: &[u64], rest: usize, seed: &[u64], length: usize) -> Vec<u64> {
        let bit = |words: &[u64], i: usize| words.get(i / 64).map_or(0, |w| w >> (i % 64) & 1);
        let mut reversed = vec![0; rest.div_ceil(64)];
        for j in 0..rest {
            reversed[(rest - 1 - j) / 64] |= bit(tail, j) << ((rest - 1 - j) % 64);
        }
        let product = product(seed, &reversed);
        let mut output = vec![0; length.div_ceil(64)];
        for i in 0..length {
            output[i / 64] |= bit(&product, i + rest - 1) << (i % 64);
        }
        output
    }

    fn check(
        rng: &mut SecretRng,
        layers: std::ops::RangeInclusive<u32>,
        length: usize,
        rest: usize,
    ) {
        let tail = rng.public_bits(rest);
        let seed = rng.public_bits(length + rest - 1);
        let expected = by_product(tail.words(), rest, seed.words(), length);
        for plan in layers.flat_map(|layers| Plan::of(layers, length, rest)) {
            for engine in Engine::all() {
                let mut got = correlation_by(plan, engine, tail.words(), seed.words(), length);
                if !length.is_multiple_of(64) {
                    *got.last_mut().unwrap() &= (1 << (length % 64)) - 1;
                }
                assert_eq!(*got, expected, "{engine:?}, {length} from {rest}: {plan:?}");
            }
        }
    }

    #[test]
    fn every_cut_and_every_engine_equals_the_whole_product() {
        let mut rng = SecretRng::from_seed([12; 32]);
        for (length, rest) in [
            (1, 1),
            (1, 9_000),
            (9_000, 1),
            (8_192, 8_192),
            (8_192, 8_193),
            (8_000, 20_011),
            (20_011, 8_000),
            (40_000, 50_001),
        ] {
            check(&mut rng, 8..=11, length, rest);
        }
    }

    #[test]
    fn work_memory_is_bounded() {
        for bits in [1 << 20, 1_100_000, 5_000_000, 100_000_000, 1 << 28] {
            for percent in [1, 10, 30, 50, 70, 99] {
                let length = bits * percent / 100;
                let plan = Plan::new(length, bits - length);
                let transforms = plan.seeds() + plan.tails + 1;
                let words = transforms * ((1 << plan.layers) + 256);
                assert!(words * 128 <= 9 * bits, "{percent} % of {bits}: {plan:?}");
            }
        }
    }

    #[test]
    fn every_size_of_transform_equals_the_whole_product() {
        let mut rng = SecretRng::from_seed([13; 32]);
        check(&mut rng, LAYERS, 3_001, 2_007);
    }
}
