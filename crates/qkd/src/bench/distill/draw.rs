//! Blocks to measure with: random keys, and errors at random places.

use qkd_bits::{BitString, PhysicsRng, SecretRng};

use super::args::Case;

/// What the blocks of one case are drawn from: other cases, and other seeds, get others.
pub fn generators(case: &Case) -> (SecretRng, PhysicsRng) {
    let mut seed = [0; 32];
    let words = [
        case.seed,
        case.stage as u64,
        case.block_bits as u64,
        case.qber.to_bits(),
    ];
    for (bytes, word) in seed.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let mut keys = SecretRng::from_seed(seed);
    let nature = PhysicsRng::from_seed(keys.next_u64());
    (keys, nature)
}

/// `key` with each bit flipped with probability `qber`, independently of the others. The number of
/// untouched bits before the next error is geometric, so it takes a draw for each error only.
pub fn with_errors(key: &BitString, qber: f64, nature: &mut PhysicsRng) -> BitString {
    let mut received = key.clone();
    let untouched = (-qber).ln_1p();
    let mut at = 0.0;
    loop {
        at += ((1.0 - nature.uniform()).ln() / untouched).floor();
        if at >= key.len() as f64 {
            return received;
        }
        // Below the length, so a whole number that fits.
        received.flip(at as usize);
        at += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::distill::args::{Effort, Stage};

    #[test]
    fn errors_are_as_many_as_asked_for_and_everywhere() {
        let bits = 1 << 20;
        let key = BitString::zeros(bits);
        for (seed, qber) in [(1, 0.005), (2, 0.11)] {
            let received = with_errors(&key, qber, &mut PhysicsRng::from_seed(seed));
            // Five standard deviations: 6e-7.
            let fits = |range: std::ops::Range<usize>| {
                let expected = range.len() as f64 * qber;
                let found = received.slice(range).count_ones() as f64;
                (found - expected).abs() < 5.0 * (expected * (1.0 - qber)).sqrt()
            };
            assert!(fits(0..bits), "seed {seed}");
            assert!(fits(0..bits / 8), "seed {seed}");
            assert!(fits(bits - bits / 8..bits), "seed {seed}");
            // Neighbours are independent: pairs come with the square of the rate.
            let pairs = (1..bits).filter(|&i| received.get(i) && received.get(i - 1));
            let expected = bits as f64 * qber * qber;
            let found = pairs.count() as f64;
            assert!(
                (found - expected).abs() < 6.0 * expected.sqrt(),
                "seed {seed}: {found} pairs, {expected} expected"
            );
        }
    }

    #[test]
    fn another_seed_or_size_gives_other_keys_and_the_same_one_the_same() {
        let case = |seed, block_bits| Case {
            stage: Stage::Cascade,
            block_bits,
            qber: 0.01,
            ratio: 0.5,
            effort: Effort::Blocks(1),
            seed,
        };
        let key = |seed, bits| generators(&case(seed, bits)).0.public_bits(200);
        assert_eq!(key(1, 1000), key(1, 1000));
        assert_ne!(key(1, 1000), key(2, 1000));
        assert_ne!(key(1, 1000), key(1, 1001));
    }
}
