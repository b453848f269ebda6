//! Privacy amplification: the product with a fresh Toeplitz matrix, the same work on both sides.

use qkd_bits::{BitString, SecretBits};
use qkd_distill::{seed_bits, toeplitz_hash};

use super::args::Case;
use super::draw::generators;
use super::row::Row;
use super::sample::{Batches, Samples, batch, spent};
use crate::bench::fault::Fault;

/// Bits that are timed together at least.
const BATCH_BITS_MIN: usize = 1 << 18;

/// The row of a case.
///
/// # Errors
/// When a size is refused.
pub fn measure(case: &Case) -> Result<Vec<Row>, Fault> {
    let (mut keys, _) = generators(case);
    let (mut samples, mut blocks) = (Samples::default(), 0);
    let length = output_bits(case.block_bits, case.ratio);
    for size in Batches::new(case.effort, batch(case.block_bits, BATCH_BITS_MIN)) {
        let seed_bits = seed_bits(case.block_bits);
        let draw = |_| (keys.bits(case.block_bits), keys.public_bits(seed_bits));
        let inputs: Vec<(SecretBits, BitString)> = (0..size).map(draw).collect();
        let (done, time) = spent(|| {
            inputs.iter().try_for_each(|(key, seed)| {
                toeplitz_hash(key, length, seed).map(|key| drop(std::hint::black_box(key)))
            })
        });
        done?;
        samples.add(inputs.len() * case.block_bits, time);
        blocks += size;
    }
    Ok(vec![Row {
        output_bits: Some(length),
        ..Row::new(case, blocks, &samples)
    }])
}

/// Bits that are left of a block.
pub fn output_bits(block_bits: usize, ratio: f64) -> usize {
    // Between 1 and the block: the ratio is.
    ((block_bits as f64 * ratio) as usize).max(1)
}
