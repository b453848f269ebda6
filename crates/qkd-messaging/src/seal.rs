//! The sender's end of a key.

use aes_gcm::{AeadInOut, Aes256Gcm};
use qkd_bits::SecretBytes;

use crate::{Error, Limits, SealedMessage, associated_data, cipher, nonce};

/// Seals messages of one sender under one key.
///
/// Neither `Clone` nor `Debug`: a copy would use sequence numbers twice.
pub struct Sealer {
    key_id: [u8; 16],
    sender: u32,
    cipher: Aes256Gcm,
    sequence: u64,
    limits: Limits,
}

impl Sealer {
    /// A sealer for a key that this sender has never used. Each sender that holds the key has its
    /// own number.
    ///
    /// # Errors
    /// [`Error::KeyLength`] unless the key has 32 bytes.
    pub fn new(key_id: [u8; 16], key: SecretBytes, sender: u32) -> Result<Self, Error> {
        Self::resume(key_id, key, sender, 0)
    }

    /// A sealer that continues at `sequence`, which must be beyond every number ever used and
    /// durable before it is: two messages under one nonce reveal both.
    ///
    /// # Errors
    /// [`Error::KeyLength`] unless the key has 32 bytes.
    pub fn resume(
        key_id: [u8; 16],
        key: SecretBytes,
        sender: u32,
        sequence: u64,
    ) -> Result<Self, Error> {
        Ok(Self {
            key_id,
            sender,
            cipher: cipher(&key)?,
            sequence,
            limits: Limits::default(),
        })
    }

    /// The same sealer under other limits.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sequence number of the next message.
    pub fn next_sequence(&self) -> u64 {
        self.sequence
    }

    /// Seals one message.
    ///
    /// # Errors
    /// [`Error::TooLong`] or [`Error::KeyExhausted`]; no sequence number is used then.
    pub fn seal(&mut self, plaintext: &[u8]) -> Result<SealedMessage, Error> {
        if plaintext.len() > self.limits.plaintext_bytes_max {
            return Err(Error::TooLong {
                bytes: plaintext.len(),
                max: self.limits.plaintext_bytes_max,
            });
        }
        let sequence = self.sequence;
        if sequence >= self.limits.messages_max {
            return Err(Error::KeyExhausted {
                max: self.limits.messages_max,
            });
        }
        // Room for the tag from the start: growing would leave plaintext in freed memory.
        let mut ciphertext = Vec::with_capacity(plaintext.len() + crate::TAG_BYTES);
        ciphertext.extend_from_slice(plaintext);
        self.cipher
            .encrypt_in_place(
                &nonce(self.sender, sequence).into(),
                &associated_data(&self.key_id, self.sender, sequence),
                &mut ciphertext,
            )
            .map_err(|_| Error::TooLong {
                bytes: plaintext.len(),
                max: self.limits.plaintext_bytes_max,
            })?;
        self.sequence += 1;
        Ok(SealedMessage {
            key_id: self.key_id,
            sender: self.sender,
            sequence,
            ciphertext,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(limits: Limits) -> Sealer {
        Sealer::new([1; 16], vec![2; 32].into(), 3)
            .unwrap()
            .with_limits(limits)
    }

    #[test]
    fn an_exhausted_key_seals_nothing_more() {
        let mut sealer = sealer(Limits {
            messages_max: 2,
            plaintext_bytes_max: 4,
        });
        sealer.seal(b"one").unwrap();
        assert_eq!(
            sealer.seal(b"three"),
            Err(Error::TooLong { bytes: 5, max: 4 })
        );
        assert_eq!(
            sealer.next_sequence(),
            1,
            "a refused message takes no number"
        );
        sealer.seal(b"two").unwrap();
        assert_eq!(sealer.seal(b"x"), Err(Error::KeyExhausted { max: 2 }));
        assert_eq!(sealer.next_sequence(), 2);
    }

    #[test]
    fn the_same_message_never_looks_the_same() {
        let mut sealer = sealer(Limits::default());
        let first = sealer.seal(b"again").unwrap();
        let second = sealer.seal(b"again").unwrap();
        assert_ne!(first.ciphertext, second.ciphertext);
        assert_eq!((first.sequence, second.sequence), (0, 1));
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        for bytes in [0, 16, 31, 33] {
            assert_eq!(
                Sealer::new([0; 16], vec![0; bytes].into(), 0).err(),
                Some(Error::KeyLength { bytes })
            );
        }
    }
}
