//! Key confirmation: after amplification both sides show each other that they hold one key.

use qkd_bits::SecretBits;
use subtle::ConstantTimeEq;

use crate::gf2::field::polynomial_hash;
use crate::{Error, SecretKey};

/// Bits cut from the end of the amplified key to pad the check value, and then gone.
pub const CHECK_PAD_BITS: usize = 64;

/// The padded check value of one key, which is announced: h_r(block, K) ⊕ P.
///
/// h_r is the polynomial hash of the block's name and the key at the announced point r in
/// GF(2¹²⁸), of which the low 64 bits are kept, and P the last 64 bits of the amplified output. As
/// P is uniform, used once and discarded, the value says nothing about K (hashing K in the open
/// would make it non-uniform).
///
/// **Error probability.** For r drawn after both sides have amplified, two sides with different
/// keys (or blocks, or pads) of at most m 128-bit blocks, names included, show equal values with
/// probability at most (m + 1)·2⁻⁶⁴: a truncated polynomial hash is (m + 1)·2⁻⁶⁴-almost
/// XOR-universal, since each of the 2⁶⁴ ways to complete the kept bits has at most m + 1 roots.
/// That is 2⁻⁵² for a key of 5·10⁵ bits.
#[derive(Debug, Clone, Copy)]
pub struct CheckValue(pub [u8; 8]);

impl CheckValue {
    /// Whether the peer's value is the same, in constant time. When not, both sides destroy the
    /// block.
    pub fn matches(&self, peer: &CheckValue) -> bool {
        self.0.ct_eq(&peer.0).into()
    }
}

impl SecretKey {
    /// Cuts [`CHECK_PAD_BITS`] bits off the end and spends them on the check value; gives the
    /// final key and the value to announce.
    ///
    /// `block` is the block's name in bytes, the same on both sides; `point` a fresh announced
    /// uniform point.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the key has not more bits than the pad takes.
    pub fn confirmation(
        mut self,
        block: &[u8],
        point: [u8; 16],
    ) -> Result<(SecretKey, CheckValue), Error> {
        let too_short = Error::Misuse {
            what: "bits of an amplified key to be confirmed",
            expected: "more than the 64 of the pad",
            given: self.len() as u64,
        };
        if self.len() <= CHECK_PAD_BITS {
            return Err(too_short);
        }
        let pad: SecretBits = self.split_off(CHECK_PAD_BITS).ok_or(too_short)?;
        let hash = polynomial_hash(u128::from_le_bytes(point), block, self.0.expose());
        let padded = hash as u64 ^ pad.expose().words()[0];
        Ok((self, CheckValue(padded.to_le_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::{BitString, SecretRng};

    fn key(change: Option<usize>) -> SecretKey {
        let mut bits: BitString = SecretRng::from_seed([4; 32]).public_bits(500);
        if let Some(i) = change {
            bits.flip(i);
        }
        SecretKey(SecretBits::from(bits))
    }

    #[test]
    fn equal_keys_confirm_and_lose_the_pad() {
        let (a, value_a) = key(None).confirmation(b"block 1", [8; 16]).unwrap();
        let (b, value_b) = key(None).confirmation(b"block 1", [8; 16]).unwrap();
        assert!(value_a.matches(&value_b));
        assert_eq!((a.len(), b.len()), (436, 436));
        let whole = key(None).into_bits();
        assert_eq!(a.into_bits().expose(), &whole.expose().slice(0..436));
    }

    #[test]
    fn any_flipped_bit_another_block_or_another_point_shows() {
        let value = |key: SecretKey, block: &[u8], point| key.confirmation(block, point).unwrap().1;
        let right = value(key(None), b"block 1", [8; 16]);
        for i in 0..500 {
            assert!(
                !right.matches(&value(key(Some(i)), b"block 1", [8; 16])),
                "bit {i}"
            );
        }
        assert!(!right.matches(&value(key(None), b"block 2", [8; 16])));
        assert!(!right.matches(&value(key(None), b"block 1", [9; 16])));
    }

    #[test]
    fn a_key_no_longer_than_the_pad_is_refused() {
        let short = SecretKey(SecretRng::from_seed([5; 32]).bits(64));
        assert!(matches!(
            short.confirmation(b"", [0; 16]),
            Err(Error::Misuse { .. })
        ));
    }
}
