//! The instruction that moves the bits under a mask together (PEXT), on processors that have it and
//! are fast at it, and those that count set bits.
//!
//! This is the crate's one module with unsafe code, and there is one reason for it: what is compiled
//! for these instructions may only run where the processor has them. [`Moves`](super::select) is the
//! scalar twin of the first, [`count`] that of the others, and tests compare the two.

#![allow(unsafe_code)]

use super::select::Packer;

/// Gives each packer the bits of its string under the mask, all of as many words; false, and nothing
/// done, where there is no such instruction.
#[inline]
pub(super) fn gather<const N: usize>(
    packers: &mut [Packer; N],
    strings: [&[u64]; N],
    mask: &[u64],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        // Processors that take the instruction apart, slower than the twin, are older than VAES.
        let is_fast = is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("vaes");
        if is_fast {
            // SAFETY: the processor has just been asked for both sets of instructions.
            unsafe { gather_bmi2(packers, strings, mask) };
            return true;
        }
    }
    let _on_other_machines = (packers, strings, mask);
    false
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi2,popcnt")]
fn gather_bmi2<const N: usize>(packers: &mut [Packer; N], strings: [&[u64]; N], mask: &[u64]) {
    let strings = strings.map(|words| &words[..mask.len()]);
    for (at, &mask) in mask.iter().enumerate() {
        for (packer, words) in packers.iter_mut().zip(strings) {
            let bits = std::arch::x86_64::_pext_u64(words[at], mask);
            packer.push(bits, mask.count_ones());
        }
    }
}

/// Number of bits that are set in both of two strings of words, as many as the shorter one has.
#[inline]
pub(super) fn count_ones_and(a: &[u64], b: &[u64]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("popcnt") && is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just been asked for both sets of instructions.
        return unsafe { count_avx2(a, b) };
    }
    count(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt,avx2")]
fn count_avx2(a: &[u64], b: &[u64]) -> usize {
    count(a, b)
}

/// A loop, which is compiled for whatever the caller is.
#[inline(always)]
fn count(a: &[u64], b: &[u64]) -> usize {
    let words = a.len().min(b.len());
    let (a, b) = (&a[..words], &b[..words]);
    let mut ones = 0;
    for i in 0..words {
        ones += (a[i] & b[i]).count_ones() as usize;
    }
    ones
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretRng;

    #[test]
    fn bits_are_counted_alike_with_and_without_the_instructions() {
        let mut rng = SecretRng::from_seed([7; 32]);
        for bits in [0, 1, 64, 100, 1000, 4097, 70_000] {
            let (a, b) = (rng.public_bits(bits), rng.public_bits(bits));
            let expected = a.iter().zip(b.iter()).filter(|&(a, b)| a && b).count();
            assert_eq!(count(a.words(), b.words()), expected, "{bits}");
            assert_eq!(count_ones_and(a.words(), b.words()), expected, "{bits}");
        }
    }
}
