//! Two generators that are never confused: one for secrets, one for what nature does.

use chacha20::ChaCha20Rng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{BitString, SecretBits, SecretBytes};

macro_rules! draws {
    ($name:ident) => {
        impl $name {
            /// 64 uniform bits.
            #[inline]
            pub fn next_u64(&mut self) -> u64 {
                self.0.next_u64()
            }

            /// A uniform number in [0, 1) with 53 bits.
            #[inline]
            pub fn uniform(&mut self) -> f64 {
                (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
            }

            /// One fair bit.
            #[inline]
            pub fn bit(&mut self) -> bool {
                self.0.next_u64() >> 63 == 1
            }

            /// True with the given probability, to 2⁻⁵³.
            #[inline]
            pub fn chance(&mut self, probability: f64) -> bool {
                self.uniform() < probability
            }

            /// An exactly uniform integer below `bound` (Lemire's method with rejection).
            ///
            /// # Panics
            /// When `bound` is zero.
            pub fn below(&mut self, bound: u64) -> u64 {
                assert!(bound > 0, "an empty range has no member");
                let reject = bound.wrapping_neg() % bound;
                loop {
                    let wide = u128::from(self.0.next_u64()) * u128::from(bound);
                    if wide as u64 >= reject {
                        return (wide >> 64) as u64;
                    }
                }
            }
        }
    };
}

/// Randomness that keys depend on: bases, bits, intensities, seeds. ChaCha20 under a 256-bit seed.
///
/// Neither `Clone` nor `Debug`: a copied generator would repeat secrets. Its state runs backwards as
/// well as forwards, so that whoever sees it sees all that was drawn; it is wiped on drop.
pub struct SecretRng(ChaCha20Rng);

draws!(SecretRng);

/// By the cipher's own `Drop`.
impl ZeroizeOnDrop for SecretRng {}

impl SecretRng {
    /// A generator that depends on nothing but `seed`. A daemon takes the seed from the operating
    /// system, a test from its arguments.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A further, independent generator, seeded with 256 bits of this one.
    pub fn fork(&mut self) -> SecretRng {
        let seed = Zeroizing::new(self.array::<32>());
        SecretRng(ChaCha20Rng::from_seed(*seed))
    }

    /// Fills `bytes` with uniform bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// `len` uniform secret bits.
    pub fn bits(&mut self, len: usize) -> SecretBits {
        SecretBits::from(self.public_bits(len))
    }

    /// `len` uniform bits that will be announced, such as a hash seed.
    pub fn public_bits(&mut self, len: usize) -> BitString {
        let words = (0..len.div_ceil(64)).map(|_| self.0.next_u64()).collect();
        BitString::from_words(words, len)
    }

    /// `len` uniform secret bytes.
    pub fn bytes(&mut self, len: usize) -> SecretBytes {
        let mut bytes = vec![0; len];
        self.fill(&mut bytes);
        SecretBytes::from(bytes)
    }

    /// A uniform array, for nonces and seeds.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// Randomness that decides what nature does: photon numbers, losses, dark counts. Fast, not
/// unpredictable (xoshiro256++); never used for anything that a key depends on.
pub struct PhysicsRng(Xoshiro256PlusPlus);

draws!(PhysicsRng);

impl PhysicsRng {
    /// A generator that depends on nothing but `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A further generator, seeded by this one.
    pub fn fork(&mut self) -> PhysicsRng {
        PhysicsRng(Xoshiro256PlusPlus::from_rng(&mut self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_means_same_draws_and_forks_differ() {
        let mut a = SecretRng::from_seed([7; 32]);
        let mut b = SecretRng::from_seed([7; 32]);
        assert_eq!(a.next_u64(), b.next_u64());
        let (mut fa, mut fb) = (a.fork(), b.fork());
        let first = fa.next_u64();
        assert_eq!(first, fb.next_u64());
        assert_ne!(first, a.next_u64());
    }

    /// The published ChaCha20 key stream for an all-zero key and nonce (RFC 8439, A.1, vector 1).
    #[test]
    fn secret_randomness_is_chacha20() {
        let start: [u8; 8] = SecretRng::from_seed([0; 32]).array();
        assert_eq!(start, [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]);
    }

    #[test]
    fn integers_below_a_bound_are_uniform() {
        let mut rng = PhysicsRng::from_seed(1);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[rng.below(6) as usize] += 1;
        }
        let chi2: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4)
            .sum();
        assert!(
            chi2 < 35.9,
            "chi-square {chi2} with 5 degrees of freedom exceeds its 1e-6 quantile"
        );
    }
}
