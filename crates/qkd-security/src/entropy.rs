//! Entropies, in bits.

use crate::mathematics::{ln_1p, log2};

/// Shannon's binary entropy h(p) = −p log₂ p − (1−p) log₂(1−p), in bits.
///
/// Zero at and outside the ends of \[0, 1\], where the limit of p log p is zero.
pub fn binary_entropy(p: f64) -> f64 {
    if p > 0.0 && p < 1.0 {
        -p * log2(p) - (1.0 - p) * ln_1p(-p) / std::f64::consts::LN_2
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::binary_entropy;

    #[test]
    fn entropy_is_symmetric_and_one_at_a_half() {
        for i in 0..=100 {
            let p = f64::from(i) / 100.0;
            assert!(
                (binary_entropy(p) - binary_entropy(1.0 - p)).abs() < 1e-14,
                "at {p}"
            );
        }
        assert!((binary_entropy(0.5) - 1.0).abs() < 1e-15);
        assert_eq!(binary_entropy(0.0), 0.0);
        assert_eq!(binary_entropy(1.0), 0.0);
    }

    #[test]
    fn entropy_meets_the_bb84_threshold() {
        // The BB84 threshold 1 − 2h(Q) = 0 of Shor and Preskill.
        assert!((1.0 - 2.0 * binary_entropy(0.110_027_864_438_249_34)).abs() < 1e-12);
    }
}
