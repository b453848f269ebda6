//! GF(2¹²⁸) and the polynomial hash over it.
//!
//! Convention: bit i of a `u128` is the coefficient of x^i, modulo x¹²⁸ + x⁷ + x² + x + 1. This is
//! the field of GHASH (NIST SP 800-38D) with its bits in the other order: a GHASH block read as
//! big-endian and bit-reversed is an element here.

use qkd_bits::BitString;

use super::clmul::Kernel;

/// Σ over the blocks M₁…M_m of `name ‖ bits` of Mᵢ·point^(m+2−i), plus L·point, where each of the
/// two parts is filled up with zeros to whole 128-bit blocks, lowest bits first, and L holds both
/// lengths (bits of the string in the low 64 bits, bytes of the name in the high ones).
///
/// Two different inputs give polynomials in `point` that differ in a coefficient, and none has a
/// constant term: the family is (m + 1)·2⁻¹²⁸-almost XOR-universal.
///
/// Horner's rule in steps of [`BLOCKS`] blocks, with as many powers of the point: their products are
/// added first and reduced once.
pub(crate) fn polynomial_hash(point: u128, name: &[u8], bits: &BitString) -> u128 {
    polynomial_hash_with(Kernel::best(), point, name, bits)
}

/// Blocks of one step.
const BLOCKS: usize = 8;

fn polynomial_hash_with(kernel: Kernel, point: u128, name: &[u8], bits: &BitString) -> u128 {
    let mut sum = 0;
    for chunk in name.chunks(16) {
        let mut block = [0; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        sum = multiply(kernel, sum ^ u128::from_le_bytes(block), point);
    }
    let mut powers = [point; BLOCKS];
    for i in (0..BLOCKS - 1).rev() {
        powers[i] = multiply(kernel, powers[i + 1], point);
    }
    let (steps, rest) = bits.words().as_chunks::<{ 2 * BLOCKS }>();
    for words in steps {
        let mut blocks = [0; BLOCKS];
        for (i, block) in blocks.iter_mut().enumerate() {
            *block = u128::from(words[2 * i + 1]) << 64 | u128::from(words[2 * i]);
        }
        blocks[0] ^= sum;
        sum = reduced(kernel.inner_product(&blocks, &powers));
    }
    for pair in rest.chunks(2) {
        let high = pair.get(1).copied().unwrap_or(0);
        let block = u128::from(high) << 64 | u128::from(pair[0]);
        sum = multiply(kernel, sum ^ block, point);
    }
    let lengths = (name.len() as u128) << 64 | bits.len() as u128;
    multiply(kernel, sum ^ lengths, point)
}

/// The product in the field.
fn multiply(kernel: Kernel, a: u128, b: u128) -> u128 {
    reduced(kernel.inner_product(&[a], &[b]))
}

/// The residue of a polynomial given by its low and its high half.
fn reduced([low, high]: [u128; 2]) -> u128 {
    // x¹²⁸ = x⁷ + x² + x + 1; what the shifts push out at the top is folded once more.
    let over = high >> 127 ^ high >> 126 ^ high >> 121;
    let fold = |x: u128| x ^ x << 1 ^ x << 2 ^ x << 7;
    low ^ fold(high) ^ fold(over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::SecretRng;

    fn ghash_element(block: u128) -> u128 {
        block.reverse_bits()
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 2: hash key H, one
    /// ciphertext block C, then the block of lengths; the published intermediate X₁ and result.
    #[test]
    fn field_is_the_one_of_ghash() {
        let h = ghash_element(0x66e9_4bd4_ef8a_2c3b_884c_fa59_ca34_2b2e);
        let c = ghash_element(0x0388_dace_60b6_a392_f328_c2b9_71b2_fe78);
        let x1 = ghash_element(0x5e2e_c746_9170_6288_2c85_b068_5353_deb7);
        let result = ghash_element(0xf38c_bb1a_d692_23dc_c345_7ae5_b6b0_f885);
        for kernel in [Kernel::Portable, Kernel::best()] {
            assert_eq!(multiply(kernel, c, h), x1);
            assert_eq!(multiply(kernel, x1 ^ ghash_element(128), h), result);
        }
    }

    #[test]
    fn hash_is_the_stated_polynomial() {
        let kernel = Kernel::best();
        let point = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978;
        let power = |n: u32| (1..n).fold(point, |p, _| multiply(kernel, p, point));
        let bits = BitString::from_words(vec![11, 12, 13], 150);
        let (m1, m2, m3) = (0x4241, 12u128 << 64 | 11, 13);
        let lengths = 2u128 << 64 | 150;
        let expected = multiply(kernel, m1, power(4))
            ^ multiply(kernel, m2, power(3))
            ^ multiply(kernel, m3, power(2))
            ^ multiply(kernel, lengths, point);
        assert_eq!(polynomial_hash(point, b"AB", &bits), expected);
    }

    #[test]
    fn steps_of_blocks_equal_horners_rule_with_both_kernels() {
        let mut rng = SecretRng::from_seed([11; 32]);
        for len in [0, 1, 128, 1000, 1023, 1024, 1025, 2048, 3000, 10_007] {
            let bits = rng.public_bits(len);
            let point = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
            let mut sum = 0;
            for pair in bits.words().chunks(2) {
                let high = pair.get(1).map_or(0, |&word| u128::from(word) << 64);
                sum = multiply(Kernel::Portable, sum ^ high ^ u128::from(pair[0]), point);
            }
            sum = multiply(Kernel::Portable, sum ^ len as u128, point);
            for kernel in [Kernel::Portable, Kernel::best()] {
                let got = polynomial_hash_with(kernel, point, &[], &bits);
                assert_eq!(got, sum, "{kernel:?}, {len} bits");
            }
        }
    }

    #[test]
    fn name_and_bits_cannot_be_exchanged() {
        let bits = BitString::from_words(vec![0x4241], 16);
        let a = polynomial_hash(5, b"AB", &BitString::new());
        assert_ne!(a, polynomial_hash(5, b"", &bits));
    }
}
