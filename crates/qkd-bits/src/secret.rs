//! Bits and bytes that must not be seen: wiped when dropped, never printed, never copied.

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

use crate::BitString;

/// Secret bits: no `Debug`, no `Clone`, compared in constant time, wiped on drop.
///
/// ```compile_fail
/// let bits = qkd_bits::SecretBits::from(qkd_bits::BitString::zeros(8));
/// println!("{bits:?}");
/// ```
/// ```compile_fail
/// let bits = qkd_bits::SecretBits::from(qkd_bits::BitString::zeros(8));
/// let copy = bits.clone();
/// ```
/// ```compile_fail
/// let bits = qkd_bits::SecretBits::from(qkd_bits::BitString::zeros(8));
/// assert!(bits == bits);
/// ```
#[derive(Default)]
pub struct SecretBits(BitString);

impl SecretBits {
    /// Number of bits, which is public.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no bit at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shows the bits. Every call site is a place where a secret is looked at: keep them few.
    pub fn expose(&self) -> &BitString {
        &self.0
    }

    /// Shows the bits for changing.
    pub fn expose_mut(&mut self) -> &mut BitString {
        &mut self.0
    }

    /// Makes room for so many bits more. What moves leaves nothing behind.
    pub fn reserve(&mut self, bits: usize) {
        let wanted = self.len() + bits;
        if self.0.capacity() < wanted {
            let mut grown = BitString::with_capacity(wanted.max(2 * self.0.capacity()));
            grown.append(&self.0);
            self.0.zeroize();
            self.0 = grown;
        }
    }

    /// Appends all bits of `other`.
    pub fn append(&mut self, other: &SecretBits) {
        self.reserve(other.len());
        self.0.append(&other.0);
    }

    /// Appends the lowest `count` bits of `word`.
    ///
    /// # Panics
    /// When `count` is above 64.
    #[inline]
    pub fn push_word(&mut self, word: u64, count: usize) {
        self.reserve(count);
        self.0.push_word(word, count);
    }

    /// Cuts the string in two: keeps the first `at` bits and returns the rest.
    ///
    /// # Panics
    /// When `at` is beyond the length.
    pub fn split_off(&mut self, at: usize) -> SecretBits {
        let tail = SecretBits(self.0.slice(at..self.0.len()));
        let head = self.0.slice(0..at);
        self.0.zeroize();
        self.0 = head;
        tail
    }

    /// The bits as packed little-endian bytes.
    pub fn to_secret_bytes(&self) -> SecretBytes {
        SecretBytes::from(self.0.to_bytes())
    }
}

impl From<BitString> for SecretBits {
    fn from(bits: BitString) -> Self {
        Self(bits)
    }
}

impl ConstantTimeEq for SecretBits {
    fn ct_eq(&self, other: &Self) -> Choice {
        if self.len() != other.len() {
            return Choice::from(0);
        }
        self.0.words().ct_eq(other.0.words())
    }
}

impl Drop for SecretBits {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Secret bytes: no `Debug`, no `Clone`, compared in constant time, wiped on drop.
///
/// ```compile_fail
/// println!("{:?}", qkd_bits::SecretBytes::from(vec![1, 2, 3]));
/// ```
#[derive(Default)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Number of bytes, which is public.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shows the bytes. Every call site is a place where a secret is looked at: keep them few.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Shows the bytes for changing in place.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl ConstantTimeEq for SecretBytes {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_slice().ct_eq(other.0.as_slice())
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_looks_at_length_and_content() {
        let of = |bits: &[bool]| SecretBits::from(bits.iter().copied().collect::<BitString>());
        assert!(bool::from(of(&[true, false]).ct_eq(&of(&[true, false]))));
        assert!(!bool::from(of(&[true, false]).ct_eq(&of(&[true, true]))));
        assert!(!bool::from(
            of(&[true, false]).ct_eq(&of(&[true, false, false]))
        ));
    }

    #[test]
    fn splitting_keeps_both_parts() {
        let mut bits = SecretBits::from((0..100).map(|i| i % 3 == 0).collect::<BitString>());
        let tail = bits.split_off(70);
        assert_eq!((bits.len(), tail.len()), (70, 30));
        assert!(tail.expose().get(2), "bit 72 is a multiple of three");
    }
}
