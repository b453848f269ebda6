//! The pre-shared key that everything starts from.

use qkd_bits::SecretBytes;

use crate::Error;

/// At least 32 secret bytes that both ends were given before they first met.
///
/// ```compile_fail
/// let key = qkd_auth::PreSharedKey::new(vec![7; 32].into()).unwrap();
/// println!("{key:?}");
/// ```
pub struct PreSharedKey(SecretBytes);

impl PreSharedKey {
    /// Bytes that a key has at least: the strength of the tags made from it.
    pub const BYTES_MIN: usize = 32;

    /// A key from raw bytes.
    ///
    /// # Errors
    /// [`Error::KeyTooShort`] below [`BYTES_MIN`](Self::BYTES_MIN).
    pub fn new(bytes: SecretBytes) -> Result<Self, Error> {
        if bytes.len() < Self::BYTES_MIN {
            return Err(Error::KeyTooShort {
                bytes: bytes.len(),
                min: Self::BYTES_MIN,
            });
        }
        Ok(Self(bytes))
    }

    /// Reads the text of a key file: hexadecimal digits in either case, white space around them.
    ///
    /// # Errors
    /// When a character is no hexadecimal digit, their number is odd, or the key is too short.
    /// The message names a position, never a character.
    pub fn from_hex(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let digits = text.chars().count();
        let mut bytes = SecretBytes::from(vec![0; digits / 2]);
        for (index, digit) in text.chars().enumerate() {
            let value = digit.to_digit(16).ok_or(Error::KeyNotHex {
                position: index + 1,
            })?;
            if let Some(byte) = bytes.expose_mut().get_mut(index / 2) {
                *byte = *byte << 4 | value as u8;
            }
        }
        if !digits.is_multiple_of(2) {
            return Err(Error::KeyOddDigits { digits });
        }
        Self::new(bytes)
    }

    /// The bytes, for the key schedule alone.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// A handshake outlives the borrow of the key that started it; the copy is wiped as well.
    pub(crate) fn duplicate(&self) -> Self {
        Self(SecretBytes::from(self.0.expose().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_text_is_read_in_either_case_and_trimmed() {
        let text = format!("  {}\n", "0aF1".repeat(16));
        let key = PreSharedKey::from_hex(&text).unwrap();
        assert_eq!(key.expose(), [0x0a, 0xf1].repeat(16));
    }

    #[test]
    fn bad_key_text_names_what_is_wrong() {
        let check = |text: String, error: Error| {
            assert_eq!(PreSharedKey::from_hex(&text).err(), Some(error), "{text}");
        };
        check("0g".repeat(32), Error::KeyNotHex { position: 2 });
        check("ü".repeat(64), Error::KeyNotHex { position: 1 });
        check("0".repeat(65), Error::KeyOddDigits { digits: 65 });
        check("00".repeat(31), Error::KeyTooShort { bytes: 31, min: 32 });
        check(String::new(), Error::KeyTooShort { bytes: 0, min: 32 });
    }
}
