//! The four stages of one block's key, each consuming the former.

use qkd_bits::{BitString, SecretBits};

use crate::Disclosed;

/// Longest key that one block may have, in bits. Positions fit `u32` with room to spare.
pub const KEY_BITS_MAX: usize = 1 << 28;

/// Key-basis bits after basis matching, test bits removed; the two sides differ in some of them.
///
/// ```compile_fail
/// fn print(key: qkd_distill::SiftedKey) { println!("{key:?}"); }
/// ```
/// ```compile_fail
/// fn copy(key: &qkd_distill::SiftedKey) -> qkd_distill::SiftedKey { key.clone() }
/// ```
pub struct SiftedKey(pub(crate) SecretBits);

impl SiftedKey {
    /// Takes the bits that sifting left.
    pub fn new(bits: SecretBits) -> Self {
        Self(bits)
    }

    /// Number of bits, which is public.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no bit at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A key after error correction: most likely the same on both sides, and not yet known to be.
///
/// ```compile_fail
/// fn print(key: qkd_distill::ReconciledKey) { println!("{key:?}"); }
/// ```
/// ```compile_fail
/// fn skip_verification(key: qkd_distill::ReconciledKey, seed: &qkd_bits::BitString) {
///     let _ = key.amplify(1, seed);
/// }
/// ```
pub struct ReconciledKey {
    pub(crate) bits: SecretBits,
    pub(crate) errors: BitString,
    pub(crate) disclosed: Disclosed,
}

/// A key that both sides have compared by its tag.
///
/// ```compile_fail
/// fn print(key: qkd_distill::VerifiedKey) { println!("{key:?}"); }
/// ```
pub struct VerifiedKey {
    pub(crate) bits: SecretBits,
    pub(crate) errors: BitString,
    pub(crate) disclosed: Disclosed,
}

macro_rules! public_facts {
    ($stage:ident) => {
        impl $stage {
            /// Number of bits, which is public.
            pub fn len(&self) -> usize {
                self.bits.len()
            }

            /// Whether there is no bit at all.
            pub fn is_empty(&self) -> bool {
                self.bits.is_empty()
            }

            /// One bit for each of the key, set where Bob's sifted key was corrected. They are
            /// public: both sides read them from the transcript.
            pub fn errors(&self) -> &BitString {
                &self.errors
            }

            /// What has been said in public about this key so far.
            pub fn disclosed(&self) -> Disclosed {
                self.disclosed
            }
        }
    };
}

public_facts!(ReconciledKey);
public_facts!(VerifiedKey);

/// A key after privacy amplification.
///
/// ```compile_fail
/// fn print(key: qkd_distill::SecretKey) { println!("{key:?}"); }
/// ```
pub struct SecretKey(pub(crate) SecretBits);

impl SecretKey {
    /// Number of bits, which is public.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no bit at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Cuts the last `bits` bits off, for instance to refresh authentication with them. `None`,
    /// and the key unchanged, when it has fewer.
    pub fn split_off(&mut self, bits: usize) -> Option<SecretBits> {
        let at = self.0.len().checked_sub(bits)?;
        Some(self.0.split_off(at))
    }

    /// The bits, for the key store.
    pub fn into_bits(self) -> SecretBits {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::SecretRng;

    #[test]
    fn splitting_off_takes_from_the_end_and_never_too_much() {
        let bits = SecretRng::from_seed([1; 32]).bits(100);
        let expected = bits.expose().slice(70..100);
        let mut key = SecretKey(bits);
        assert!(key.split_off(101).is_none());
        assert_eq!(key.len(), 100);
        let tail = key.split_off(30).unwrap();
        assert_eq!(tail.expose(), &expected);
        assert_eq!(key.into_bits().len(), 70);
    }
}
