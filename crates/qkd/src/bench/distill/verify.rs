//! Verification: the tag of a reconciled key, the same work on both sides.

use qkd_bits::SecretBits;
use qkd_distill::VerificationTag;

use super::args::Case;
use super::draw::generators;
use super::row::Row;
use super::sample::{Batches, Samples, batch, spent};
use crate::bench::fault::Fault;

/// Bits that are timed together at least.
const BATCH_BITS_MIN: usize = 1 << 21;

/// The row of a case.
///
/// # Errors
/// Never; every stage is measured by a function of this type.
pub fn measure(case: &Case) -> Result<Vec<Row>, Fault> {
    let (mut keys, _) = generators(case);
    let (mut samples, mut blocks) = (Samples::default(), 0);
    for size in Batches::new(case.effort, batch(case.block_bits, BATCH_BITS_MIN)) {
        let draw = |_| (keys.bits(case.block_bits), keys.array());
        let inputs: Vec<(SecretBits, [u8; 16])> = (0..size).map(draw).collect();
        let ((), time) = spent(|| {
            for (key, hash_key) in &inputs {
                std::hint::black_box(VerificationTag::of(key, *hash_key));
            }
        });
        samples.add(inputs.len() * case.block_bits, time);
        blocks += size;
    }
    Ok(vec![Row::new(case, blocks, &samples)])
}
