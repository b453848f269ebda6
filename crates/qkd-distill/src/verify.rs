//! Verification: do both sides hold the same string? One universal hash, compared once.

use qkd_bits::{BitString, SecretBits};
use subtle::ConstantTimeEq;

use crate::gf2::field::polynomial_hash;
use crate::{Disclosed, Error, ReconciledKey, VerifiedKey};

/// Size of a verification tag in bits, all of them sent and charged.
pub const VERIFICATION_TAG_BITS: u64 = 128;

/// The tag of a reconciled key, which is announced.
///
/// Polynomial hash over GF(2¹²⁸): with the 128-bit blocks M₁…M_m of the key (the last one filled
/// up with zeros), its length L in bits and the announced key r, the tag is
/// M₁·r^(m+1) + … + M_m·r² + L·r. Two different strings of at most m blocks collide for at most
/// m + 1 of the 2¹²⁸ values of r, so with r drawn *after* reconciliation both sides hold different
/// keys under one tag with probability at most (m + 1)·2⁻¹²⁸ (2⁻¹¹⁵ for a key of 10⁶ bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationTag(pub [u8; 16]);

/// The tags differ: the keys do. The key is gone; the count of what was disclosed remains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("verification failed: the keys still differ after reconciliation; the block is destroyed")]
pub struct VerificationFailed {
    /// What was said in public about the block, the tag included.
    pub disclosed: Disclosed,
}

impl VerificationTag {
    /// The tag of a string on its own under a hash key: what [`ReconciledKey::tag`] announces, for
    /// test vectors and for timing. Nothing is charged.
    pub fn of(bits: &SecretBits, hash_key: [u8; 16]) -> Self {
        tag_of(bits.expose(), hash_key)
    }
}

impl ReconciledKey {
    /// The tag under a fresh hash key, for sending. Each call is charged
    /// [`VERIFICATION_TAG_BITS`].
    ///
    /// `hash_key` must be uniform and drawn after reconciliation ended.
    pub fn tag(&mut self, hash_key: [u8; 16]) -> VerificationTag {
        self.disclosed.verification_bits += VERIFICATION_TAG_BITS;
        tag_of(self.bits.expose(), hash_key)
    }

    /// Compares with the tag that the peer announced, which is charged, in constant time.
    ///
    /// # Errors
    /// [`VerificationFailed`] when the keys differ; the key is wiped.
    pub fn verify(
        mut self,
        hash_key: [u8; 16],
        peer_tag: &VerificationTag,
    ) -> Result<VerifiedKey, VerificationFailed> {
        let tag = self.tag(hash_key);
        if bool::from(tag.0.ct_eq(&peer_tag.0)) {
            Ok(self.into_verified())
        } else {
            Err(VerificationFailed {
                disclosed: self.disclosed,
            })
        }
    }

    /// The side that sent the tag has the peer's authenticated word that it matched.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no tag was ever made: then there was nothing to match.
    pub fn confirmed_by_peer(self) -> Result<VerifiedKey, Error> {
        if self.disclosed.verification_bits == 0 {
            return Err(Error::Misuse {
                what: "tag bits sent before the peer's confirmation",
                expected: "at least one tag",
                given: 0,
            });
        }
        Ok(self.into_verified())
    }

    fn into_verified(self) -> VerifiedKey {
        VerifiedKey {
            bits: self.bits,
            errors: self.errors,
            disclosed: self.disclosed,
        }
    }
}

fn tag_of(bits: &BitString, hash_key: [u8; 16]) -> VerificationTag {
    let point = u128::from_le_bytes(hash_key);
    VerificationTag(polynomial_hash(point, &[], bits).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::SecretRng;

    fn reconciled(bits: BitString) -> ReconciledKey {
        let mut errors = BitString::zeros(bits.len());
        errors.set(3, true);
        ReconciledKey {
            bits: SecretBits::from(bits),
            errors,
            disclosed: Disclosed {
                from_alice_bits: 10,
                from_bob_bits: 10,
                verification_bits: 0,
            },
        }
    }

    #[test]
    fn equal_keys_verify_and_the_tag_is_charged_on_both_sides() {
        let bits = SecretRng::from_seed([2; 32]).public_bits(1000);
        let (mut alice, bob) = (reconciled(bits.clone()), reconciled(bits));
        let tag = alice.tag([9; 16]);
        let bob = bob.verify([9; 16], &tag).unwrap();
        let alice = alice.confirmed_by_peer().unwrap();
        assert_eq!(alice.disclosed(), bob.disclosed());
        assert_eq!(alice.disclosed().verification_bits, 128);
        assert_eq!(bob.errors(), alice.errors());
        assert!(bob.errors().get(3) && bob.errors().count_ones() == 1);
    }

    #[test]
    fn every_single_flip_is_noticed() {
        let mut rng = SecretRng::from_seed([3; 32]);
        let bits = rng.public_bits(300);
        let tag = tag_of(&bits, [5; 16]);
        for i in 0..300 {
            let mut other = bits.clone();
            other.flip(i);
            let failed = reconciled(other).verify([5; 16], &tag).err().unwrap();
            assert_eq!(failed.disclosed.verification_bits, 128);
        }
    }

    #[test]
    fn keys_that_differ_in_trailing_zeros_have_different_tags() {
        let tags: Vec<_> = (0..300)
            .map(|len| tag_of(&BitString::zeros(len), [7; 16]).0)
            .collect();
        for (i, a) in tags.iter().enumerate() {
            assert!(tags[..i].iter().all(|b| a != b), "length {i}");
        }
    }

    #[test]
    fn confirmation_without_a_tag_is_refused() {
        let key = reconciled(BitString::zeros(8));
        assert!(matches!(key.confirmed_by_peer(), Err(Error::Misuse { .. })));
    }
}
