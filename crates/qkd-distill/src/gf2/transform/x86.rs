//! The registers of x86-64: two words with `PCLMULQDQ`, four with `VPCLMULQDQ`.
//!
//! **Safety.** The methods of [`Two`] and [`Four`] run instructions that not every processor has.
//! Both types are private to this module, and nothing but its two entry functions instantiates the
//! layers with them; those enable the features, and calling them asks for a [`Proof`] that they
//! were found. Memory is touched through slices whose lengths are checked.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_clmulepi64_si128, _mm_loadu_si128, _mm_set1_epi64x, _mm_storeu_si128,
    _mm_unpackhi_epi64, _mm_unpacklo_epi64, _mm_xor_si128, _mm256_castsi128_si256,
    _mm256_clmulepi64_epi128, _mm256_loadu_si256, _mm256_permute2x128_si256,
    _mm256_permute4x64_epi64, _mm256_set1_epi64x, _mm256_storeu_si256, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use super::lanes::Lanes;
use super::{Job, run};

/// Exists only where the instructions named were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// `PCLMULQDQ`.
    Two(Found),
    /// `VPCLMULQDQ` and AVX2.
    Four(Found),
}

/// Made by [`Proof::look`] alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found(());

impl Proof {
    /// Every way there is on this machine, the fastest first.
    pub(super) fn look() -> impl Iterator<Item = Proof> {
        let four = is_x86_feature_detected!("vpclmulqdq") && is_x86_feature_detected!("avx2");
        let two = is_x86_feature_detected!("pclmulqdq");
        let four = four.then_some(Proof::Four(Found(())));
        four.into_iter().chain(two.then_some(Proof::Two(Found(()))))
    }

    pub(super) fn run(self, job: Job<'_>) {
        match self {
            // SAFETY: a `Found` is made only after the features of its variant were detected.
            Proof::Two(Found(())) => unsafe { run_two(job) },
            // SAFETY: as above.
            Proof::Four(Found(())) => unsafe { run_four(job) },
        }
    }
}

#[target_feature(enable = "pclmulqdq,sse2")]
fn run_two(job: Job<'_>) {
    run::<Two>(job);
}

#[target_feature(enable = "vpclmulqdq,pclmulqdq,avx2")]
fn run_four(job: Job<'_>) {
    run::<Four>(job);
}

#[derive(Clone, Copy)]
struct Two(__m128i);

#[derive(Clone, Copy)]
struct Four(__m256i);

// SAFETY of every block below: the features are there (see the head of the module), and the
// pointers come from slices that were cut to the length of the register.
impl Lanes for Two {
    const WORDS: usize = 2;

    #[inline(always)]
    fn load(words: &[u64]) -> Self {
        unsafe { Two(_mm_loadu_si128(words[..2].as_ptr().cast())) }
    }

    #[inline(always)]
    fn store(self, words: &mut [u64]) {
        unsafe { _mm_storeu_si128(words[..2].as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn splat(word: u64) -> Self {
        unsafe { Two(_mm_set1_epi64x(word as i64)) }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        unsafe { Two(_mm_xor_si128(self.0, other.0)) }
    }

    #[inline(always)]
    fn product_first(self, other: Self) -> Self {
        unsafe { Two(_mm_clmulepi64_si128::<0x00>(self.0, other.0)) }
    }

    #[inline(always)]
    fn product_second(self, other: Self) -> Self {
        unsafe { Two(_mm_clmulepi64_si128::<0x11>(self.0, other.0)) }
    }

    #[inline(always)]
    fn product_crossed(self, other: Self) -> Self {
        unsafe { Two(_mm_clmulepi64_si128::<0x01>(self.0, other.0)) }
    }

    #[inline(always)]
    fn firsts(self, other: Self) -> Self {
        unsafe { Two(_mm_unpacklo_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    fn seconds(self, other: Self) -> Self {
        unsafe { Two(_mm_unpackhi_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    fn unzip(self, other: Self, _half: usize) -> (Self, Self) {
        (self.firsts(other), self.seconds(other))
    }

    #[inline(always)]
    fn of_runs(table: &[u64], _half: usize) -> Self {
        Two::load(table)
    }
}

impl Lanes for Four {
    const WORDS: usize = 4;

    #[inline(always)]
    fn load(words: &[u64]) -> Self {
        unsafe { Four(_mm256_loadu_si256(words[..4].as_ptr().cast())) }
    }

    #[inline(always)]
    fn store(self, words: &mut [u64]) {
        unsafe { _mm256_storeu_si256(words[..4].as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn splat(word: u64) -> Self {
        unsafe { Four(_mm256_set1_epi64x(word as i64)) }
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        unsafe { Four(_mm256_xor_si256(self.0, other.0)) }
    }

    #[inline(always)]
    fn product_first(self, other: Self) -> Self {
        unsafe { Four(_mm256_clmulepi64_epi128::<0x00>(self.0, other.0)) }
    }

    #[inline(always)]
    fn product_second(self, other: Self) -> Self {
        unsafe { Four(_mm256_clmulepi64_epi128::<0x11>(self.0, other.0)) }
    }

    #[inline(always)]
    fn product_crossed(self, other: Self) -> Self {
        unsafe { Four(_mm256_clmulepi64_epi128::<0x01>(self.0, other.0)) }
    }

    #[inline(always)]
    fn firsts(self, other: Self) -> Self {
        unsafe { Four(_mm256_unpacklo_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    fn seconds(self, other: Self) -> Self {
        unsafe { Four(_mm256_unpackhi_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    fn unzip(self, other: Self, half: usize) -> (Self, Self) {
        if half == 1 {
            return (self.firsts(other), self.seconds(other));
        }
        unsafe {
            (
                Four(_mm256_permute2x128_si256::<0x20>(self.0, other.0)),
                Four(_mm256_permute2x128_si256::<0x31>(self.0, other.0)),
            )
        }
    }

    /// [`unzip`](Lanes::unzip) with runs of one word leaves them in the order 0, 2, 1, 3.
    #[inline(always)]
    fn of_runs(table: &[u64], half: usize) -> Self {
        unsafe {
            if half == 1 {
                Four(_mm256_permute4x64_epi64::<0b11_01_10_00>(
                    Four::load(table).0,
                ))
            } else {
                let both = _mm256_castsi128_si256(Two::load(table).0);
                Four(_mm256_permute4x64_epi64::<0b01_01_00_00>(both))
            }
        }
    }
}
