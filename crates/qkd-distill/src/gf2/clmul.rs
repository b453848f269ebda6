//! The 64 × 64 → 128 bit carry-less product: the processor's instruction where there is one, and
//! a portable twin. Both take the same time for all operands.

/// Which implementation multiplies. Only [`Kernel::best`] makes the fast one, after looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// Integer multiplications on bits spread four apart.
    Portable,
    /// `PCLMULQDQ` of x86-64.
    #[cfg(target_arch = "x86_64")]
    Pclmul(Proof),
}

/// Exists only where `PCLMULQDQ` was found.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof(());

impl Kernel {
    /// The fastest kernel of this machine; the standard library remembers the answer.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("pclmulqdq") {
            return Kernel::Pclmul(Proof(()));
        }
        Kernel::Portable
    }

    /// Adds the product of `a` and `b` to `out`, which has `a.len() + b.len()` words.
    pub(crate) fn schoolbook(self, a: &[u64], b: &[u64], out: &mut [u64]) {
        assert_eq!(out.len(), a.len() + b.len(), "room for the whole product");
        match self {
            Kernel::Portable => schoolbook_portable(a, b, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Pclmul(Proof(())) => {
                // SAFETY: a `Proof` is made only by `best`, after the feature was detected; the
                // function touches memory through slices alone.
                #[allow(unsafe_code)]
                unsafe {
                    x86::schoolbook(a, b, out);
                }
            }
        }
    }
}

impl Kernel {
    /// The sum of the products of `a` and `b`, not reduced: its low half and its high one.
    #[inline]
    pub(crate) fn inner_product<const N: usize>(self, a: &[u128; N], b: &[u128; N]) -> [u128; 2] {
        match self {
            Kernel::Portable => inner_product_portable(a, b),
            #[cfg(target_arch = "x86_64")]
            Kernel::Pclmul(Proof(())) => {
                // SAFETY: a `Proof` is made only by `best`, after the feature was detected; the
                // function touches memory through references alone.
                #[allow(unsafe_code)]
                unsafe {
                    x86::inner_product(a, b)
                }
            }
        }
    }
}

fn inner_product_portable<const N: usize>(a: &[u128; N], b: &[u128; N]) -> [u128; 2] {
    let halves = |x: u128| (x as u64, (x >> 64) as u64);
    let mut sum = [0; 2];
    for (&a, &b) in a.iter().zip(b) {
        let ((a_low, a_high), (b_low, b_high)) = (halves(a), halves(b));
        let middle = multiply(a_low, b_high) ^ multiply(a_high, b_low);
        sum[0] ^= multiply(a_low, b_low) ^ middle << 64;
        sum[1] ^= multiply(a_high, b_high) ^ middle >> 64;
    }
    sum
}

fn schoolbook_portable(a: &[u64], b: &[u64], out: &mut [u64]) {
    for (i, &x) in a.iter().enumerate() {
        for (j, &y) in b.iter().enumerate() {
            let product = multiply(x, y);
            out[i + j] ^= product as u64;
            out[i + j + 1] ^= (product >> 64) as u64;
        }
    }
}

/// Pornin's method (BearSSL, `ghash_ctmul64`): the low half by integer products of bits spread
/// four apart, so that carries die before they reach a neighbour; the high half as the low half of
/// the reversed operands.
pub(crate) fn multiply(x: u64, y: u64) -> u128 {
    let low = multiply_low(x, y);
    let high = multiply_low(x.reverse_bits(), y.reverse_bits()).reverse_bits() >> 1;
    u128::from(high) << 64 | u128::from(low)
}

fn multiply_low(x: u64, y: u64) -> u64 {
    const LANES: [u64; 4] = [
        0x1111_1111_1111_1111,
        0x2222_2222_2222_2222,
        0x4444_4444_4444_4444,
        0x8888_8888_8888_8888,
    ];
    let x = LANES.map(|lane| x & lane);
    let y = LANES.map(|lane| y & lane);
    let mut product = 0;
    for (k, lane) in LANES.into_iter().enumerate() {
        let mut sum = 0;
        for (i, x) in x.into_iter().enumerate() {
            sum ^= x.wrapping_mul(y[(4 + k - i) % 4]);
        }
        product |= sum & lane;
    }
    product
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x,
        _mm_setzero_si128, _mm_unpackhi_epi64, _mm_xor_si128,
    };

    #[target_feature(enable = "pclmulqdq,sse2")]
    pub(super) fn inner_product<const N: usize>(a: &[u128; N], b: &[u128; N]) -> [u128; 2] {
        let mut low = _mm_setzero_si128();
        let mut middle = _mm_setzero_si128();
        let mut high = _mm_setzero_si128();
        for i in 0..N {
            let (a, b) = (vector(a[i]), vector(b[i]));
            low = _mm_xor_si128(low, _mm_clmulepi64_si128::<0x00>(a, b));
            high = _mm_xor_si128(high, _mm_clmulepi64_si128::<0x11>(a, b));
            middle = _mm_xor_si128(middle, _mm_clmulepi64_si128::<0x01>(a, b));
            middle = _mm_xor_si128(middle, _mm_clmulepi64_si128::<0x10>(a, b));
        }
        let middle = number(middle);
        [number(low) ^ middle << 64, number(high) ^ middle >> 64]
    }

    #[target_feature(enable = "sse2")]
    fn vector(x: u128) -> __m128i {
        _mm_set_epi64x((x >> 64) as i64, x as i64)
    }

    #[target_feature(enable = "sse2")]
    fn number(x: __m128i) -> u128 {
        let low = _mm_cvtsi128_si64(x) as u64;
        let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(x, x)) as u64;
        u128::from(high) << 64 | u128::from(low)
    }

    /// Column by column, so that each product is added in a register.
    #[target_feature(enable = "pclmulqdq,sse2")]
    pub(super) fn schoolbook(a: &[u64], b: &[u64], out: &mut [u64]) {
        if a.is_empty() || b.is_empty() {
            return;
        }
        let mut carry = 0u64;
        for column in 0..a.len() + b.len() - 1 {
            let first = column.saturating_sub(b.len() - 1);
            let last = column.min(a.len() - 1);
            let factors = a[first..=last]
                .iter()
                .zip(b[column - last..=column - first].iter().rev());
            let mut sum = _mm_setzero_si128();
            for (&x, &y) in factors {
                let x = _mm_cvtsi64_si128(x as i64);
                let y = _mm_cvtsi64_si128(y as i64);
                sum = _mm_xor_si128(sum, _mm_clmulepi64_si128::<0>(x, y));
            }
            out[column] ^= carry ^ _mm_cvtsi128_si64(sum) as u64;
            carry = _mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum)) as u64;
        }
        out[a.len() + b.len() - 1] ^= carry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::SecretRng;

    #[test]
    fn portable_product_equals_shift_and_add_and_the_instruction() {
        let mut rng = SecretRng::from_seed([9; 32]);
        let mut operands = vec![0, 1, 2, u64::MAX, 1 << 63, 0x8000_0000_0000_0001];
        operands.extend((0..60).map(|_| rng.next_u64()));
        for &x in &operands {
            for &y in &operands {
                let slow = (0..64).fold(0u128, |sum, i| {
                    sum ^ ((u128::from(x) << i) * u128::from(y >> i & 1))
                });
                assert_eq!(multiply(x, y), slow, "{x:x} × {y:x}");
                let mut out = [0; 2];
                Kernel::best().schoolbook(&[x], &[y], &mut out);
                assert_eq!(out, [slow as u64, (slow >> 64) as u64], "{x:x} × {y:x}");
            }
        }
    }
}
