//! Seals and opens application messages under delivered keys.
//!
//! AES-256-GCM (NIST SP 800-38D) with a 96-bit nonce of 32 bits sender ‖ 64 bits sequence, so
//! that no nonce repeats as long as each sender of a key has its own number and a [`Sealer`] that
//! continues after a restart is told where. An [`Outbox`] and an [`Inbox`] are the two ends of a
//! chain of such keys: they cut messages of any size into parts, go from one key to the next
//! before it is used up, and continue after a restart at any moment from states that their caller
//! makes durable. This crate never fetches or stores a key, never reuses a sequence number, never
//! releases a byte of a message whose tag is wrong, and never opens a socket or a file.

#![forbid(unsafe_code)]

mod bytes;
mod chain;
mod error;
mod file_name;
mod inbox;
mod open;
mod outbox;
mod part;
mod seal;

pub use chain::{ChainLimits, KEY_BYTES, KeyId, PLAINTEXT_BYTES_MAX, SENDER};
pub use error::Error;
pub use file_name::FileName;
pub use inbox::{Continuity, Inbox, Piece, Unfinished};
pub use open::Opener;
pub use outbox::Outbox;
pub use part::{BODY_BYTES_MAX, Head, Kind};
pub use seal::Sealer;

use aes_gcm::{Aes256Gcm, KeyInit};
use qkd_bits::SecretBytes;

/// Version of the sealed form, bound into every message.
pub const VERSION: u8 = 1;

/// Bytes that sealing adds to a message.
pub const TAG_BYTES: usize = 16;

/// A sealed message. Everything in it is public; all fields are bound by the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedMessage {
    /// Identity of the key: the 16 bytes of its UUID.
    pub key_id: [u8; 16],
    /// Number of the sender among those who hold the key.
    pub sender: u32,
    /// Number of the message of this sender under this key, from 0 without a gap.
    pub sequence: u64,
    /// Ciphertext, then 16 bytes of tag.
    pub ciphertext: Vec<u8>,
}

/// What one key is used for at most, the same on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages of one sender under one key.
    pub messages_max: u64,
    /// Bytes of one message.
    pub plaintext_bytes_max: usize,
}

impl Default for Limits {
    /// 2³² messages (SP 800-38D, section 8.3) of 16 MiB.
    fn default() -> Self {
        Self {
            messages_max: 1 << 32,
            plaintext_bytes_max: 16 << 20,
        }
    }
}

fn cipher(key: &SecretBytes) -> Result<Aes256Gcm, Error> {
    Aes256Gcm::new_from_slice(key.expose()).map_err(|_| Error::KeyLength { bytes: key.len() })
}

fn nonce(sender: u32, sequence: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&sender.to_be_bytes());
    nonce[4..].copy_from_slice(&sequence.to_be_bytes());
    nonce
}

/// Fixed lengths throughout, so no two headers share their bytes.
fn associated_data(key_id: &[u8; 16], sender: u32, sequence: u64) -> [u8; 29] {
    let mut data = [0; 29];
    data[0] = VERSION;
    data[1..17].copy_from_slice(key_id);
    data[17..21].copy_from_slice(&sender.to_be_bytes());
    data[21..].copy_from_slice(&sequence.to_be_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_gcm::AeadInOut;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 16, with the
    /// nonce made by our own layout.
    #[test]
    fn sealing_is_aes_256_gcm() {
        let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
        let plaintext = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                         1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
        let ciphertext = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                          8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
        let zero = "00".repeat(32);
        let counted = (0xcafe_babe, 0xface_dbad_deca_f888);
        let cases = [
            (
                &zero[..],
                (0, 0),
                "",
                "",
                "",
                "530f8afbc74536b9a963b4f1c4cb738b",
            ),
            (
                &zero[..],
                (0, 0),
                "",
                "00000000000000000000000000000000",
                "cea7403d4d606b6e074ec5d3baf39d18",
                "d0d1c8a799996bf0265b98b5d48ab919",
            ),
            (
                key,
                counted,
                "",
                plaintext,
                ciphertext,
                "b094dac5d93471bdec1a502270e3cc6c",
            ),
            (
                key,
                counted,
                "feedfacedeadbeeffeedfacedeadbeefabaddad2",
                &plaintext[..120],
                &ciphertext[..120],
                "76fc6ece0f4e1768cddf8853bb2d551b",
            ),
        ];
        for (key, (sender, sequence), data, plain, sealed, tag) in cases {
            let cipher = cipher(&SecretBytes::from(hex(key))).unwrap();
            let mut buffer = hex(plain);
            cipher
                .encrypt_in_place(&nonce(sender, sequence).into(), &hex(data), &mut buffer)
                .unwrap();
            assert_eq!(buffer, [hex(sealed), hex(tag)].concat());
        }
    }

    #[test]
    fn header_fields_have_their_own_places() {
        let data = associated_data(&[0xaa; 16], 0x0102_0304, 0x05);
        assert_eq!(data[0], VERSION);
        assert_eq!(data[1..17], [0xaa; 16]);
        assert_eq!(data[17..], [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 5]);
    }
}
