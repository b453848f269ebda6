//! From 64 rows of bits to one word per column and back: 64 × 64 transposes, four at a time.

/// Matrices that are transposed side by side.
const MATRICES: usize = 4;

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

#[inline(always)]
fn transpose(bits: &mut [[u64; MATRICES]; 64]) {
    let mut mask = u64::MAX >> 32;
    let mut width = 32;
    while width > 0 {
        for i in 0..32 {
            let low = i & (width - 1) | (i & !(width - 1)) << 1;
            let high = low | width;
            let (mut a, mut b) = (bits[low], bits[high]);
            for k in 0..MATRICES {
                let swapped = (a[k] >> width ^ b[k]) & mask;
                b[k] ^= swapped;
                a[k] ^= swapped << width;
            }
            (bits[low], bits[high]) = (a, b);
        }
        width /= 2;
        mask ^= mask << width;
    }
}
