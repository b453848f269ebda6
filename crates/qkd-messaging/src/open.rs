//! The receiver's end of a key.

use aes_gcm::{AeadInOut, Aes256Gcm, Tag};
use qkd_bits::SecretBytes;

use crate::{Error, Limits, SealedMessage, TAG_BYTES, associated_data, cipher, nonce};

/// Opens the messages of one sender under one key, each once and in order.
pub struct Opener {
    key_id: [u8; 16],
    sender: u32,
    cipher: Aes256Gcm,
    sequence: u64,
    limits: Limits,
}

impl Opener {
    /// An opener that awaits the sender's first message.
    ///
    /// # Errors
    /// [`Error::KeyLength`] unless the key has 32 bytes.
    pub fn new(key_id: [u8; 16], key: SecretBytes, sender: u32) -> Result<Self, Error> {
        Self::resume(key_id, key, sender, 0)
    }

    /// An opener that awaits message `sequence`.
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

    /// The same opener under other limits.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sequence number of the message awaited.
    pub fn next_sequence(&self) -> u64 {
        self.sequence
    }

    /// Opens the very next message.
    ///
    /// # Errors
    /// When the message is not the next one of this sender under this key, is too long, or its
    /// tag does not fit; the genuine message is still accepted afterwards.
    pub fn open(&mut self, message: &SealedMessage) -> Result<SecretBytes, Error> {
        self.check_header(message)?;
        let bytes = message.ciphertext.len();
        let (body, tag) = message
            .ciphertext
            .split_last_chunk::<TAG_BYTES>()
            .ok_or(Error::Truncated { bytes })?;
        if body.len() > self.limits.plaintext_bytes_max {
            return Err(Error::TooLong {
                bytes: body.len(),
                max: self.limits.plaintext_bytes_max,
            });
        }
        let mut plaintext = SecretBytes::from(body.to_vec());
        self.cipher
            .decrypt_inout_detached(
                &nonce(self.sender, message.sequence).into(),
                &associated_data(&self.key_id, self.sender, message.sequence),
                plaintext.expose_mut().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| Error::WrongTag)?;
        self.sequence += 1;
        Ok(plaintext)
    }

    fn check_header(&self, message: &SealedMessage) -> Result<(), Error> {
        if message.key_id != self.key_id {
            return Err(Error::OtherKey);
        }
        if message.sender != self.sender {
            return Err(Error::OtherSender {
                expected: self.sender,
                received: message.sender,
            });
        }
        let (expected, received) = (self.sequence, message.sequence);
        if received < expected {
            return Err(Error::Replay { expected, received });
        }
        if received > expected {
            return Err(Error::Gap { expected, received });
        }
        if received >= self.limits.messages_max {
            return Err(Error::KeyExhausted {
                max: self.limits.messages_max,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sealer;
    use proptest::prelude::*;

    fn pair() -> (Sealer, Opener) {
        let key = || SecretBytes::from((0..32).collect::<Vec<u8>>());
        (
            Sealer::new([9; 16], key(), 7).unwrap(),
            Opener::new([9; 16], key(), 7).unwrap(),
        )
    }

    fn refused(opener: &mut Opener, message: &SealedMessage) -> Error {
        match opener.open(message) {
            Ok(_) => panic!("message {} was opened", message.sequence),
            Err(error) => error,
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened(messages in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..200), 1..5)) {
            let (mut sealer, mut opener) = pair();
            for message in messages {
                let sealed = sealer.seal(&message).unwrap();
                let opened = opener.open(&sealed).ok().map(|bytes| bytes.expose().to_vec());
                prop_assert_eq!(opened, Some(message));
            }
        }
    }

    #[test]
    fn any_flipped_bit_is_refused_and_the_genuine_message_still_opens() {
        let (mut sealer, mut opener) = pair();
        let genuine = sealer.seal(b"attack at dawn").unwrap();
        for bit in 0..genuine.ciphertext.len() * 8 {
            let mut forged = genuine.clone();
            forged.ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(refused(&mut opener, &forged), Error::WrongTag, "bit {bit}");
        }
        let mut forged = genuine.clone();
        forged.key_id[3] ^= 1;
        assert_eq!(refused(&mut opener, &forged), Error::OtherKey);
        let mut forged = genuine.clone();
        forged.sender ^= 1;
        assert!(matches!(
            refused(&mut opener, &forged),
            Error::OtherSender { .. }
        ));
        assert_eq!(
            opener.open(&genuine).ok().unwrap().expose(),
            b"attack at dawn"
        );
    }

    #[test]
    fn a_message_of_any_shorter_length_is_refused() {
        let (mut sealer, mut opener) = pair();
        let genuine = sealer.seal(b"four").unwrap();
        for bytes in 0..genuine.ciphertext.len() {
            let mut cut = genuine.clone();
            cut.ciphertext.truncate(bytes);
            let expected = if bytes < TAG_BYTES {
                Error::Truncated { bytes }
            } else {
                Error::WrongTag
            };
            assert_eq!(refused(&mut opener, &cut), expected);
        }
        assert!(opener.open(&genuine).is_ok());
    }

    #[test]
    fn replays_and_gaps_are_refused() {
        let (mut sealer, mut opener) = pair();
        let first = sealer.seal(b"1").unwrap();
        let second = sealer.seal(b"2").unwrap();
        assert!(matches!(refused(&mut opener, &second), Error::Gap { .. }));
        assert!(opener.open(&first).is_ok());
        assert!(matches!(refused(&mut opener, &first), Error::Replay { .. }));
        // A replay under the awaited number carries the wrong tag: the number is bound by it.
        let mut renumbered = first.clone();
        renumbered.sequence = 1;
        assert_eq!(refused(&mut opener, &renumbered), Error::WrongTag);
        assert!(opener.open(&second).is_ok());
    }

    #[test]
    fn another_key_or_another_header_does_not_open_it() {
        let (mut sealer, _) = pair();
        let message = sealer.seal(b"text").unwrap();
        let mut other = Opener::new([9; 16], vec![1; 32].into(), 7).unwrap();
        assert_eq!(refused(&mut other, &message), Error::WrongTag);
        let key = SecretBytes::from((0..32).collect::<Vec<u8>>());
        let mut renamed = Opener::new([8; 16], key, 7).unwrap();
        let mut message = message;
        message.key_id = [8; 16];
        assert_eq!(refused(&mut renamed, &message), Error::WrongTag);
    }

    #[test]
    fn an_opener_resumes_where_it_is_told() {
        let (mut sealer, opener) = pair();
        sealer.seal(b"seen before the restart").unwrap();
        assert_eq!(opener.next_sequence(), 0);
        let key = SecretBytes::from((0..32).collect::<Vec<u8>>());
        let mut opener = Opener::resume([9; 16], key, 7, 1).unwrap();
        assert!(opener.open(&sealer.seal(b"next").unwrap()).is_ok());
    }

    #[test]
    fn limits_hold_at_the_receiver_too() {
        let (mut sealer, opener) = pair();
        let mut opener = opener.with_limits(Limits {
            messages_max: 1,
            plaintext_bytes_max: 3,
        });
        let long = sealer.seal(b"four").unwrap();
        assert_eq!(
            refused(&mut opener, &long),
            Error::TooLong { bytes: 4, max: 3 }
        );
        let (mut sealer, _) = pair();
        assert!(opener.open(&sealer.seal(b"abc").unwrap()).is_ok());
        let second = sealer.seal(b"abc").unwrap();
        assert_eq!(
            refused(&mut opener, &second),
            Error::KeyExhausted { max: 1 }
        );
    }
}
