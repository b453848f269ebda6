//! From 64 rows of bits to one word per column and back: 64 × 64 transposes, four at a time.

use crate::squares::{ABREAST as MATRICES, transpose};

/// Words for which [`gather`] and [`scatter`] have whole steps.
pub(super) const WORDS_MIN: usize = 64 * MATRICES;

/// `values[i]` bit j = bit i of row j, or of row 63 − j when `reversed`; a row is one 64th of
/// `rows`.
#[inline(always)]
pub(super) fn gather(rows: &[u64], values: &mut [u64], reversed: bool) {
    let row_words = rows.len() / 64;
    let mut bits = [[0; MATRICES]; 64];
    for (group, values) in values.chunks_exact_mut(64 * MATRICES).enumerate() {
        for (j, row) in rows.chunks_exact(row_words).enumerate() {
            let j = if reversed { 63 - j } else { j };
            bits[j].copy_from_slice(&row[group * MATRICES..][..MATRICES]);
        }
        transpose(&mut bits);
        for (matrix, values) in values.chunks_exact_mut(64).enumerate() {
            for i in 0..64 {
                values[i] = bits[i][matrix];
            }
        }
    }
    zeroize::Zeroize::zeroize(&mut bits);
}

/// Undoes [`gather`] with `reversed` rows.
#[inline(always)]
pub(super) fn scatter(values: &[u64], rows: &mut [u64]) {
    let row_words = rows.len() / 64;
    let mut bits = [[0; MATRICES]; 64];
    for (group, values) in values.chunks_exact(64 * MATRICES).enumerate() {
        for (matrix, values) in values.chunks_exact(64).enumerate() {
            for i in 0..64 {
                bits[i][matrix] = values[i];
            }
        }
        transpose(&mut bits);
        for (row, bits) in rows.chunks_exact_mut(row_words).zip(bits.iter().rev()) {
            row[group * MATRICES..][..MATRICES].copy_from_slice(bits);
        }
    }
    zeroize::Zeroize::zeroize(&mut bits);
}
