//! Products of polynomials over GF(2), 64 coefficients to a word, lowest first.

mod clmul;
pub(crate) mod field;
pub(crate) mod toeplitz;
pub(crate) mod transform;

use clmul::Kernel;
use zeroize::Zeroizing;

/// Words up to which the schoolbook product beats another Karatsuba step.
const SCHOOLBOOK_WORDS: usize = 32;

/// The product of `a` and `b`, `a.len() + b.len()` words. Time depends on the lengths alone.
pub(crate) fn product(a: &[u64], b: &[u64]) -> Vec<u64> {
    product_with(Kernel::best(), a, b)
}

fn product_with(kernel: Kernel, a: &[u64], b: &[u64]) -> Vec<u64> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut out = vec![0; a.len() + b.len()];
    if short.len() <= SCHOOLBOOK_WORDS {
        kernel.schoolbook(long, short, &mut out);
        return out;
    }
    // Slices of the long factor as wide as the short one: each a balanced product.
    let width = short.len();
    let mut part = Zeroizing::new(vec![0; 2 * width]);
    let mut padded = Zeroizing::new(vec![0; width]);
    let mut scratch = Zeroizing::new(vec![0; scratch_words(width)]);
    for (i, slice) in long.chunks(width).enumerate() {
        padded[..slice.len()].copy_from_slice(slice);
        padded[slice.len()..].fill(0);
        karatsuba(kernel, &padded, short, &mut part, &mut scratch);
        // The last slice may be short: its product is zero beyond the end of `out`.
        for (sum, word) in out[i * width..].iter_mut().zip(part.iter()) {
            *sum ^= word;
        }
    }
    out
}

/// Scratch that [`karatsuba`] takes for factors of `words` words.
fn scratch_words(words: usize) -> usize {
    let mut total = 0;
    let mut words = words;
    while words > SCHOOLBOOK_WORDS {
        words = words.div_ceil(2);
        total += 4 * words;
    }
    total
}

/// Overwrites `out` (2·n words) with the product of two factors of n words each.
fn karatsuba(kernel: Kernel, a: &[u64], b: &[u64], out: &mut [u64], scratch: &mut [u64]) {
    let words = a.len();
    if words <= SCHOOLBOOK_WORDS {
        out.fill(0);
        kernel.schoolbook(a, b, out);
        return;
    }
    let half = words.div_ceil(2);
    let (a_low, a_high) = a.split_at(half);
    let (b_low, b_high) = b.split_at(half);
    let (own, deeper) = scratch.split_at_mut(4 * half);
    let (sums, middle) = own.split_at_mut(2 * half);
    let (a_sum, b_sum) = sums.split_at_mut(half);
    add(a_sum, a_low, a_high);
    add(b_sum, b_low, b_high);
    karatsuba(kernel, a_sum, b_sum, middle, deeper);
    let (low, high) = out.split_at_mut(2 * half);
    karatsuba(kernel, a_low, b_low, low, deeper);
    karatsuba(kernel, a_high, b_high, high, deeper);
    for (sum, word) in middle.iter_mut().zip(low.iter()) {
        *sum ^= word;
    }
    for (sum, word) in middle.iter_mut().zip(high.iter()) {
        *sum ^= word;
    }
    for (sum, word) in out[half..].iter_mut().zip(middle.iter()) {
        *sum ^= word;
    }
}

/// `sum` = `low` + `high`, where `high` may be one word shorter.
fn add(sum: &mut [u64], low: &[u64], high: &[u64]) {
    sum.copy_from_slice(low);
    for (sum, word) in sum.iter_mut().zip(high) {
        *sum ^= word;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::SecretRng;

    fn bit_by_bit(a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut out = vec![0u64; a.len() + b.len()];
        for i in 0..a.len() * 64 {
            if a[i / 64] >> (i % 64) & 1 == 1 {
                for (j, word) in b.iter().enumerate() {
                    let at = i / 64 + j;
                    out[at] ^= word << (i % 64);
                    if i % 64 > 0 {
                        out[at + 1] ^= word >> (64 - i % 64);
                    }
                }
            }
        }
        out
    }

    #[test]
    fn both_kernels_equal_shift_and_add() {
        let mut rng = SecretRng::from_seed([10; 32]);
        let sizes = [1, 2, 3, 31, 32, 33, 63, 65, 100, 129];
        for a_words in sizes {
            for b_words in sizes {
                let a: Vec<u64> = (0..a_words).map(|_| rng.next_u64()).collect();
                let b: Vec<u64> = (0..b_words).map(|_| rng.next_u64()).collect();
                let expected = bit_by_bit(&a, &b);
                for kernel in [Kernel::Portable, Kernel::best()] {
                    let got = product_with(kernel, &a, &b);
                    assert_eq!(got, expected, "{kernel:?}: {a_words} × {b_words} words");
                }
            }
        }
        assert!(product(&[], &[1, 2]).iter().all(|&word| word == 0));
    }
}
