//! POLYVAL eight blocks at a time, two to a register, with VPCLMULQDQ: twice as fast as the library,
//! which takes four and one to a register. Where the processor has no such instruction, the library it is;
//! tests compare the two.
//!
//! The method is the library's: for a power H of the point and D = swap(H) + H₀·P, a block M adds
//! M₀·D₁ + M₁·H₁ to R and M₀·D₀ + M₁·H₀ to F, and R + F₁ + x⁶⁴·F₀ + P·F₀ is the sum of the products in the
//! field, one reduction for all eight (<https://eprint.iacr.org/2025/2171>). Indices name halves of 64
//! bits, and P = x⁶³ + x⁶² + x⁵⁷. Blocks of zeros before a message do not change its hash: eight at a time
//! always come out even.
//!
//! **Safety.** The functions of this module run instructions that not every processor has. They are
//! reached through [`Powers`] alone, and [`Powers::new`] makes none before it has found them. Memory is
//! read through references to arrays of the length that is loaded.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_clmulepi64_si128, _mm_loadu_si128, _mm_set_epi64x, _mm_setzero_si128,
    _mm_shuffle_epi32, _mm_slli_si128, _mm_srli_si128, _mm_storeu_si128, _mm_xor_si128,
    _mm256_castsi256_si128, _mm256_clmulepi64_epi128, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_setzero_si256, _mm256_xor_si256, _mm256_zextsi128_si256,
};

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{Block, POINT_BYTES, library};

/// Blocks that are taken in at once.
const BLOCKS: usize = 8;

/// Their bytes.
const STEP_BYTES: usize = BLOCKS * POINT_BYTES;

/// Two blocks, as they are loaded.
type Pair = [u8; 2 * POINT_BYTES];

/// P, whose product with a half is what reduces it.
const REDUCING: i64 = 0xC200_0000_0000_0000_u64.cast_signed();

/// Powers of a point, the eighth first, and D of each. As secret as the point, and wiped on drop.
#[derive(ZeroizeOnDrop)]
pub(super) struct Powers {
    powers: [Pair; BLOCKS / 2],
    twisted: [Pair; BLOCKS / 2],
}

impl Powers {
    /// Of that point; nothing where the processor has not what it takes.
    pub(super) fn new(point: &Block) -> Option<Self> {
        let is_here = is_x86_feature_detected!("vpclmulqdq")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("avx2");
        if !is_here {
            return None;
        }
        let mut new = Self {
            powers: [[0; 2 * POINT_BYTES]; BLOCKS / 2],
            twisted: [[0; 2 * POINT_BYTES]; BLOCKS / 2],
        };
        let mut power = Zeroizing::new(*point);
        for place in (0..BLOCKS).rev() {
            // SAFETY: the features were found above.
            let d = unsafe { twisted(&power) };
            new.powers[place / 2].as_chunks_mut().0[place % 2] = *power;
            new.twisted[place / 2].as_chunks_mut().0[place % 2] = *d;
            power = library(point).hash(&*power);
        }
        Some(new)
    }

    /// POLYVAL of a body, the last block filled up with zeros.
    pub(super) fn hash(&self, body: &[u8]) -> Zeroizing<Block> {
        // SAFETY: there are `Powers` only where `new` has found the features.
        unsafe { hash(self, body) }
    }
}

#[target_feature(enable = "vpclmulqdq,pclmulqdq,avx2")]
fn hash(powers: &Powers, body: &[u8]) -> Zeroizing<Block> {
    let mut sum = _mm_setzero_si128();
    // So many blocks that whole steps follow, behind zeros.
    let blocks = body.len().div_ceil(POINT_BYTES) % BLOCKS;
    let (first, rest) = body.split_at(body.len().min(blocks * POINT_BYTES));
    if !first.is_empty() {
        let mut step = [0; STEP_BYTES];
        let start = STEP_BYTES - blocks * POINT_BYTES;
        step[start..start + first.len()].copy_from_slice(first);
        sum = add(powers, sum, &step);
    }
    let (steps, last) = rest.as_chunks();
    for step in steps {
        sum = add(powers, sum, step);
    }
    if !last.is_empty() {
        let mut step = [0; STEP_BYTES];
        step[..last.len()].copy_from_slice(last);
        sum = add(powers, sum, &step);
    }
    let mut value = Zeroizing::new([0; POINT_BYTES]);
    // SAFETY: the array has the bytes that are stored.
    unsafe { _mm_storeu_si128(value.as_mut_ptr().cast(), sum) };
    value
}

/// Horner's rule, eight blocks further.
#[inline]
#[target_feature(enable = "vpclmulqdq,pclmulqdq,avx2")]
fn add(powers: &Powers, sum: __m128i, step: &[u8; STEP_BYTES]) -> __m128i {
    let mut sum = _mm256_zextsi128_si256(sum);
    let (mut r, mut f) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    let (pairs, _) = step.as_chunks();
    for (pair, (h, d)) in pairs.iter().zip(powers.powers.iter().zip(&powers.twisted)) {
        let (m, h, d) = (_mm256_xor_si256(load(pair), sum), load(h), load(d));
        // What was summed before is added to the first block alone.
        sum = _mm256_setzero_si256();
        r = _mm256_xor_si256(r, _mm256_clmulepi64_epi128::<0x10>(m, d));
        r = _mm256_xor_si256(r, _mm256_clmulepi64_epi128::<0x11>(m, h));
        f = _mm256_xor_si256(f, _mm256_clmulepi64_epi128::<0x00>(m, d));
        f = _mm256_xor_si256(f, _mm256_clmulepi64_epi128::<0x01>(m, h));
    }
    let (r, f) = (both(r), both(f));
    let reducing = _mm_set_epi64x(0, REDUCING);
    let halves = _mm_xor_si128(_mm_srli_si128::<8>(f), _mm_slli_si128::<8>(f));
    let reduced = _mm_clmulepi64_si128::<0x00>(f, reducing);
    _mm_xor_si128(_mm_xor_si128(r, halves), reduced)
}

/// D of a power.
#[target_feature(enable = "pclmulqdq,sse2")]
fn twisted(power: &Block) -> Zeroizing<Block> {
    // SAFETY: the array has the bytes that are loaded.
    let h = unsafe { _mm_loadu_si128(power.as_ptr().cast()) };
    let low = _mm_clmulepi64_si128::<0x00>(h, _mm_set_epi64x(0, REDUCING));
    let d = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(h), low);
    let mut bytes = Zeroizing::new([0; POINT_BYTES]);
    // SAFETY: the array has the bytes that are stored.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), d) };
    bytes
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(pair: &Pair) -> __m256i {
    // SAFETY: the array has the bytes that are loaded.
    unsafe { _mm256_loadu_si256(pair.as_ptr().cast()) }
}

/// The sum of both halves of a register.
#[inline]
#[target_feature(enable = "avx2")]
fn both(x: __m256i) -> __m128i {
    _mm_xor_si128(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x))
}
