//! Privacy amplification: h(x) = x₀ + T·x₁, the middle of one carry-less product.
//!
//! x₀ is the first ℓ bits of the key, x₁ the other n − ℓ, and T the ℓ × (n − ℓ) Toeplitz matrix
//! T\[i\]\[j\] = s\[i − j + n − ℓ − 1\] made of n − 1 uniform seed bits. The family is universal₂:
//! two different x collide with probability at most 2⁻ˡ (Hayashi and Tsurumaru, IEEE Trans. Inf.
//! Theory 62, 2213 (2016), "modified Toeplitz" (T, I); Krawczyk, CRYPTO '94, for Toeplitz
//! matrices). The leftover hash lemma asks for nothing more.
//!
//! Written as polynomials over GF(2), (T·x₁)\[i\] is coefficient i + n − ℓ − 1 of s(X)·x₁(X). Short
//! keys take the whole product; longer ones its middle alone, by the transposed product of
//! `gf2/toeplitz.rs`, about 2.4 cycles a bit at 10⁶ bits on a processor with `VPCLMULQDQ`.

use qkd_bits::{BitString, SecretBits};
use zeroize::Zeroizing;

use crate::gf2::toeplitz::correlation;
use crate::gf2::transform::Engine;
use crate::{Error, SecretKey, VerifiedKey, gf2};

/// Uniform seed bits that amplifying a key of `key_bits` bits takes, for any output length.
pub fn seed_bits(key_bits: usize) -> usize {
    key_bits.saturating_sub(1)
}

impl VerifiedKey {
    /// Compresses the key to `secret_length_bits` bits (the pad of the key confirmation
    /// included), with a seed of [`seed_bits`]`(self.len())` uniform bits that was drawn after the
    /// length was decided.
    ///
    /// Takes, besides the key and the seed, work memory of at most four and a half times the key
    /// (from 2²⁰ bits on; less than a megabyte below), all of it wiped; time depends on the
    /// lengths alone.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] for a seed of the wrong length (the peer announced it);
    /// [`Error::Misuse`] for a length of zero, which is an abort and not a key, or one that does
    /// not leave room for what Alice disclosed. The key is wiped in either case.
    pub fn amplify(self, secret_length_bits: u64, seed: &BitString) -> Result<SecretKey, Error> {
        let key_bits = self.bits.len();
        if seed.len() != seed_bits(key_bits) {
            return Err(Error::PeerMisbehaved {
                what: "seed of the privacy amplification",
                expected: seed_bits(key_bits),
                given: seed.len(),
            });
        }
        let room = (key_bits as u64).saturating_sub(self.disclosed.from_alice_and_tags());
        if secret_length_bits == 0 || secret_length_bits > room {
            return Err(Error::Misuse {
                what: "secret length in bits",
                expected: "at least 1 and at most the key less the disclosed bits",
                given: secret_length_bits,
            });
        }
        // `room` is at most `key_bits`, which is a usize.
        let bits = hash(self.bits.expose(), secret_length_bits as usize, seed);
        Ok(SecretKey(bits))
    }
}

/// Keys below this many bits are hashed by a product of Karatsuba's kind, which is faster there.
const TRANSFORM_BITS_MIN: usize = 1 << 13;

/// h(x) of this module for a key on its own, with `length` ≤ `key.len()` and a seed of
/// [`seed_bits`]`(key.len())` bits: the function that [`VerifiedKey::amplify`] applies, for test
/// vectors and for timing. It knows nothing of what was disclosed about the key.
///
/// # Errors
/// [`Error::Misuse`] for a seed or an output of another length.
pub fn toeplitz_hash(
    key: &SecretBits,
    length: usize,
    seed: &BitString,
) -> Result<SecretBits, Error> {
    if seed.len() != seed_bits(key.len()) {
        return Err(Error::Misuse {
            what: "seed of the privacy amplification in bits",
            expected: "one less than the key",
            given: seed.len() as u64,
        });
    }
    if length > key.len() {
        return Err(Error::Misuse {
            what: "output of the privacy amplification in bits",
            expected: "at most the key",
            given: length as u64,
        });
    }
    Ok(hash(key.expose(), length, seed))
}

/// h(x) for `length` ≤ `key.len()` and a seed of `key.len() − 1` bits.
fn hash(key: &BitString, length: usize, seed: &BitString) -> SecretBits {
    if key.len() < TRANSFORM_BITS_MIN {
        hash_by_product(key, length, seed)
    } else {
        hash_by_transform(Engine::best(), key, length, seed)
    }
}

fn hash_by_product(key: &BitString, length: usize, seed: &BitString) -> SecretBits {
    let rest = key.len() - length;
    let mut output = SecretBits::from(key.slice(0..length));
    if rest == 0 || length == 0 {
        return output;
    }
    let tail = SecretBits::from(key.slice(length..key.len()));
    let product = Zeroizing::new(gf2::product(seed.words(), tail.expose().words()));
    add_from(output.expose_mut(), &product, rest - 1);
    output
}

/// With the tail reversed, a\[j\] = x₁\[n − ℓ − 1 − j\], it is (T·x₁)\[i\] = Σ a\[j\]·s\[i + j\].
fn hash_by_transform(
    engine: Engine,
    key: &BitString,
    length: usize,
    seed: &BitString,
) -> SecretBits {
    let rest = key.len() - length;
    if rest == 0 || length == 0 {
        return SecretBits::from(key.slice(0..length));
    }
    let tail = reversed_end(key, rest);
    let mut sum = correlation(engine, &tail, rest, seed.words(), length);
    for (sum, word) in sum.iter_mut().zip(key.words()) {
        *sum ^= word;
    }
    SecretBits::from(BitString::from_words(std::mem::take(&mut *sum), length))
}

/// The last `bits` bits of `key`, the last one first.
fn reversed_end(key: &BitString, bits: usize) -> Zeroizing<Vec<u64>> {
    let words = key.words();
    let unused = 64 * words.len() - key.len();
    let mut reversed = Zeroizing::new(Vec::with_capacity(bits.div_ceil(64)));
    for i in 0..bits.div_ceil(64) {
        let word = |i: usize| match words.len().checked_sub(i + 1) {
            Some(at) => words[at].reverse_bits(),
            None => 0,
        };
        let next = word(i + 1).unbounded_shl(64 - unused as u32);
        reversed.push(word(i) >> unused | next);
    }
    if let Some(last) = reversed.last_mut() {
        *last &= u64::MAX >> ((64 - bits % 64) % 64);
    }
    reversed
}

/// Adds to `sum` the bits of `product` from `offset` on.
fn add_from(sum: &mut BitString, product: &[u64], offset: usize) {
    let (first, shift) = (offset / 64, offset % 64);
    let word = |i: usize| product.get(i).copied().unwrap_or(0);
    let mut words = Vec::with_capacity(sum.words().len());
    for (i, own) in sum.words().iter().enumerate() {
        let low = word(first + i) >> shift;
        let high = if shift == 0 {
            0
        } else {
            word(first + i + 1) << (64 - shift)
        };
        words.push(own ^ (low | high));
    }
    let len = sum.len();
    zeroize::Zeroize::zeroize(sum);
    *sum = BitString::from_words(words, len);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Disclosed;
    use qkd_bits::SecretRng;

    /// The same family row by row, from the definition of the matrix.
    fn schoolbook(key: &BitString, length: usize, seed: &BitString) -> BitString {
        let rest = key.len() - length;
        (0..length)
            .map(|i| {
                (0..rest).fold(key.get(i), |sum, j| {
                    sum ^ (seed.get(i + rest - 1 - j) & key.get(length + j))
                })
            })
            .collect()
    }

    fn check(rng: &mut SecretRng, key_bits: usize, length: usize) {
        let key = rng.public_bits(key_bits);
        let seed = rng.public_bits(seed_bits(key_bits));
        let expected = schoolbook(&key, length, &seed);
        let by_product = hash_by_product(&key, length, &seed);
        assert_eq!(by_product.expose(), &expected, "{length} from {key_bits}");
        let engines = if key_bits > 100 { 3 } else { 1 };
        for engine in Engine::all().take(engines) {
            let got = hash_by_transform(engine, &key, length, &seed);
            assert_eq!(
                got.expose(),
                &expected,
                "{engine:?}: {length} from {key_bits}"
            );
        }
    }

    #[test]
    fn product_equals_the_matrix_row_by_row() {
        let mut rng = SecretRng::from_seed([6; 32]);
        for key_bits in 1..=70 {
            for length in 0..=key_bits {
                check(&mut rng, key_bits, length);
            }
        }
        for key_bits in [127, 128, 129, 500, 4095, 4097] {
            for length in [0, 1, 63, 64, 65, key_bits / 2, key_bits - 1, key_bits] {
                check(&mut rng, key_bits, length);
            }
        }
        check(&mut rng, 20_011, 9_973);
        check(&mut rng, 20_011, 313);
        check(&mut rng, 20_011, 19_000);
    }

    /// The two ways share no code beyond the portable product of two words.
    #[test]
    fn every_size_class_equals_the_whole_product() {
        let mut rng = SecretRng::from_seed([9; 32]);
        for (key_bits, lengths) in [
            (8_191, [1, 4_000, 8_190]),
            (8_192, [1, 4_095, 8_191]),
            (16_385, [1, 8_192, 16_384]),
            (100_003, [64, 33_000, 99_999]),
            (1_048_577, [300_000, 524_288, 700_001]),
        ] {
            let key = rng.public_bits(key_bits);
            let seed = rng.public_bits(seed_bits(key_bits));
            for length in lengths {
                let got = hash(&key, length, &seed);
                let expected = hash_by_product(&key, length, &seed);
                assert_eq!(got.expose(), expected.expose(), "{length} from {key_bits}");
            }
        }
    }

    /// Exhaustive over all seeds: for every non-zero difference (the family is linear) at most
    /// 2⁻ˡ of the seeds map it to zero.
    #[test]
    fn family_is_universal() {
        for key_bits in 2..=8usize {
            let seeds = 1u64 << seed_bits(key_bits);
            for length in 1..=key_bits {
                for difference in 1..1u64 << key_bits {
                    let difference = BitString::from_words(vec![difference], key_bits);
                    let collisions = (0..seeds)
                        .filter(|&seed| {
                            let seed = BitString::from_words(vec![seed], seed_bits(key_bits));
                            hash(&difference, length, &seed).expose().count_ones() == 0
                        })
                        .count() as u64;
                    assert!(
                        collisions << length <= seeds,
                        "n = {key_bits}, length = {length}: {collisions} of {seeds}"
                    );
                }
            }
        }
    }

    fn verified(bits: usize, disclosed: Disclosed) -> VerifiedKey {
        VerifiedKey {
            bits: SecretRng::from_seed([7; 32]).bits(bits),
            errors: BitString::zeros(bits),
            disclosed,
        }
    }

    #[test]
    fn disclosed_bits_are_never_part_of_the_length() {
        let disclosed = Disclosed {
            from_alice_bits: 100,
            from_bob_bits: 100,
            verification_bits: 128,
        };
        let seed = SecretRng::from_seed([8; 32]).public_bits(999);
        let key = verified(1000, disclosed).amplify(772, &seed).unwrap();
        assert_eq!(key.len(), 772);
        for wrong in [0, 773, 1000, u64::MAX] {
            let refused = verified(1000, disclosed).amplify(wrong, &seed);
            assert!(
                matches!(refused, Err(Error::Misuse { given, .. }) if given == wrong),
                "{wrong}"
            );
        }
    }

    #[test]
    fn seed_of_another_length_is_the_peers_fault() {
        for len in [0, 998, 1000] {
            let refused = verified(1000, Disclosed::default()).amplify(5, &BitString::zeros(len));
            assert!(matches!(refused, Err(Error::PeerMisbehaved { given, .. }) if given == len));
        }
    }
}
