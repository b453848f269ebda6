//! The instruction that moves the bits under a mask together (PEXT), on processors that have it and
//! are fast at it.
//!
//! This is the crate's one module with unsafe code, and there is one reason for it: what is compiled
//! for that instruction may only run where the processor has it. [`Moves`](super::select) is its
//! scalar twin, and a test compares the two.

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
