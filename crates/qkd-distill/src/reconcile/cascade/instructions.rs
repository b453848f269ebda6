//! Which instructions the inner loops are compiled for.
//!
//! This is Cascade's one module with unsafe code, and there is one reason for it: a function that
//! is compiled for more than every machine has may only run where the processor has it. The loops
//! themselves are written once, in safe Rust; what is compiled for the baseline is the scalar twin
//! of what is compiled for AVX2, and a test compares the two.

#![allow(unsafe_code)]

/// The instructions to use. The same results come from all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instructions(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Instructions {
    /// What runs everywhere: the scalar twin.
    pub(super) const BASELINE: Self = Self(Set::Baseline);

    /// The best that this machine has; the standard library remembers the answer.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            // All processors with AVX2 have the others, which count and find bits.
            let scalar = is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            if scalar && is_x86_feature_detected!("avx2") {
                return Self(Set::Avx2);
            }
        }
        Self::BASELINE
    }

    /// The bits of `word` where `mask` is set, moved together to the lowest places.
    #[inline(always)]
    pub(super) fn extract(self, word: u64, mask: u64) -> u64 {
        match self.0 {
            Set::Baseline => extract(word, mask),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `best` alone makes this value, and it has asked the processor.
            Set::Avx2 => unsafe { extract_bmi2(word, mask) },
        }
    }

    /// Which bit of `word` is set with `rank` set ones below it; 64 where there is none.
    #[inline(always)]
    pub(super) fn select(self, word: u64, rank: u32) -> u32 {
        match self.0 {
            Set::Baseline => select(word, rank),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `best` alone makes this value, and it has asked the processor.
            Set::Avx2 => unsafe { select_bmi2(word, rank) },
        }
    }

    /// Does `work`, compiled for these instructions.
    #[inline(always)]
    pub(super) fn run<W: Work>(self, work: W) -> W::Outcome {
        match self.0 {
            Set::Baseline => work.run(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `best` alone makes this value, and it has asked the processor.
            Set::Avx2 => unsafe { with_avx2(work) },
        }
    }
}

/// What is compiled once for each set of instructions. A closure would do if it could be told to be
/// always inlined: what is not inlined is compiled for the baseline.
pub(super) trait Work {
    type Outcome;

    /// Does it; to be marked `#[inline(always)]`, as whatever it calls.
    fn run(self) -> Self::Outcome;
}

/// One bit after the other, whatever they are.
fn extract(word: u64, mask: u64) -> u64 {
    let (mut rest, mut extracted) = (mask, 0);
    for i in 0..mask.count_ones() {
        extracted |= (word >> rest.trailing_zeros() & 1) << i;
        rest &= rest - 1;
    }
    extracted
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi2")]
#[inline]
fn extract_bmi2(word: u64, mask: u64) -> u64 {
    std::arch::x86_64::_pext_u64(word, mask)
}

/// Takes the lowest set bit away as often as `rank` says.
fn select(word: u64, rank: u32) -> u32 {
    (0..rank)
        .fold(word, |rest, _| rest & rest.wrapping_sub(1))
        .trailing_zeros()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2")]
#[inline]
fn select_bmi2(word: u64, rank: u32) -> u32 {
    std::arch::x86_64::_pdep_u64(1 << rank, word).trailing_zeros()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn with_avx2<W: Work>(work: W) -> W::Outcome {
    work.run()
}
