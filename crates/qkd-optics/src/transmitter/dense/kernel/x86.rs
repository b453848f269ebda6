//! The kernels in the registers of x86-64.
//!
//! A value of [`Avx2`] or [`Avx512`] is made only below [`fill_avx2`] or [`fill_avx512`], which
//! their caller runs only where the processor has those instructions: that is why every call of an
//! intrinsic in here is sound. Loads and stores are unaligned and stay within one [`Block`].

use std::arch::x86_64::*;

use super::{Block, Generator, Lanes, fill_in, positions_in};

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn fill_avx2(threshold: u64, generator: &mut Generator, blocks: &mut [Block]) {
    fill_in::<Avx2>(threshold, generator, blocks);
}

#[target_feature(enable = "avx512f,bmi1,bmi2,popcnt")]
pub(super) fn fill_avx512(threshold: u64, generator: &mut Generator, blocks: &mut [Block]) {
    fill_in::<Avx512>(threshold, generator, blocks);
}

#[target_feature(enable = "bmi1,bmi2,popcnt")]
pub(super) fn positions_bmi(words: &[u64], first: u32, into: &mut [u32]) -> usize {
    positions_in(words, first, into)
}

/// Two registers of four lanes.
#[derive(Clone, Copy)]
struct Avx2([__m256i; 2]);

impl Avx2 {
    #[inline(always)]
    fn zip(self, other: Self, each: impl Fn(__m256i, __m256i) -> __m256i) -> Self {
        Self([each(self.0[0], other.0[0]), each(self.0[1], other.0[1])])
    }

    #[inline(always)]
    fn map(self, each: impl Fn(__m256i) -> __m256i) -> Self {
        Self(self.0.map(each))
    }
}

impl Lanes for Avx2 {
    #[inline(always)]
    fn load(from: &Block) -> Self {
        let from = from.as_ptr().cast::<__m256i>();
        // SAFETY: AVX2 as above; a block is two such vectors.
        unsafe { Self([_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))]) }
    }
    #[inline(always)]
    fn store(self, into: &mut Block) {
        let into = into.as_mut_ptr().cast::<__m256i>();
        // SAFETY: AVX2 as above; a block is two such vectors.
        unsafe {
            _mm256_storeu_si256(into, self.0[0]);
            _mm256_storeu_si256(into.add(1), self.0[1]);
        }
    }
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: AVX2 as above.
        self.zip(other, |a, b| unsafe { _mm256_and_si256(a, b) })
    }
    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        // SAFETY: AVX2 as above. The instruction negates its first operand.
        self.zip(other, |a, b| unsafe { _mm256_andnot_si256(b, a) })
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: AVX2 as above.
        self.zip(other, |a, b| unsafe { _mm256_or_si256(a, b) })
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: AVX2 as above.
        self.zip(other, |a, b| unsafe { _mm256_xor_si256(a, b) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: AVX2 as above.
        self.zip(other, |a, b| unsafe { _mm256_add_epi64(a, b) })
    }
    #[inline(always)]
    fn shift_left_17(self) -> Self {
        // SAFETY: AVX2 as above.
        self.map(|a| unsafe { _mm256_slli_epi64::<17>(a) })
    }
    #[inline(always)]
    fn rotate_left_23(self) -> Self {
        // SAFETY: AVX2 as above.
        self.map(|a| unsafe {
            _mm256_or_si256(_mm256_slli_epi64::<23>(a), _mm256_srli_epi64::<41>(a))
        })
    }
    #[inline(always)]
    fn rotate_left_45(self) -> Self {
        // SAFETY: AVX2 as above.
        self.map(|a| unsafe {
            _mm256_or_si256(_mm256_slli_epi64::<45>(a), _mm256_srli_epi64::<19>(a))
        })
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        // SAFETY: AVX2 as above.
        unsafe {
            let any = _mm256_or_si256(self.0[0], self.0[1]);
            _mm256_testz_si256(any, any) == 1
        }
    }
}

/// One register of eight lanes.
#[derive(Clone, Copy)]
struct Avx512(__m512i);

impl Lanes for Avx512 {
    #[inline(always)]
    fn load(from: &Block) -> Self {
        // SAFETY: AVX-512F as above; a block is one such vector.
        unsafe { Self(_mm512_loadu_si512(from.as_ptr().cast())) }
    }
    #[inline(always)]
    fn store(self, into: &mut Block) {
        // SAFETY: AVX-512F as above; a block is one such vector.
        unsafe { _mm512_storeu_si512(into.as_mut_ptr().cast(), self.0) }
    }
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: AVX-512F as above.
        Self(unsafe { _mm512_and_si512(self.0, other.0) })
    }
    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        // SAFETY: AVX-512F as above. The instruction negates its first operand.
        Self(unsafe { _mm512_andnot_si512(other.0, self.0) })
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: AVX-512F as above.
        Self(unsafe { _mm512_or_si512(self.0, other.0) })
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: AVX-512F as above.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: AVX-512F as above.
        Self(unsafe { _mm512_add_epi64(self.0, other.0) })
    }
    #[inline(always)]
    fn shift_left_17(self) -> Self {
        // SAFETY: AVX-512F as above.
        Self(unsafe { _mm512_slli_epi64::<17>(self.0) })
    }
    #[inline(always)]
    fn rotate_left_23(self) -> Self {
        // SAFETY: AVX-512F as above.
        Self(unsafe { _mm512_rol_epi64::<23>(self.0) })
    }
    #[inline(always)]
    fn rotate_left_45(self) -> Self {
        // SAFETY: AVX-512F as above.
        Self(unsafe { _mm512_rol_epi64::<45>(self.0) })
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        // SAFETY: AVX-512F as above.
        unsafe { _mm512_test_epi64_mask(self.0, self.0) == 0 }
    }
}
