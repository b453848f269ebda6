//! How keys follow one another between one sender and one receiver.
//!
//! Every sealed message begins with a link. Under a key, the first message alone has one with
//! content: it names the key before and how many messages were sealed under that, so that nothing
//! can be cut out where one key ends and the next begins. It is encrypted and authenticated with
//! the rest of the message.

use crate::Error;
use crate::bytes::Reader;

/// Identity of a key: the 16 bytes of its UUID.
pub type KeyId = [u8; 16];

/// Number of the sender in nonces: the application that obtained the key seals, the other opens.
pub const SENDER: u32 = 1;

/// Bytes of a key for AES-256.
pub const KEY_BYTES: usize = 32;

/// Longest plaintext of one sealed message of a chain, in bytes; link and part included.
pub const PLAINTEXT_BYTES_MAX: usize = 1 << 20;

/// Longest link, in bytes.
pub(crate) const LINK_BYTES_MAX: usize = 1 + 16 + 8;

/// What one key of a chain is used for at most, however much the cipher would bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainLimits {
    /// Messages under one key, at least 1.
    pub messages_max: u64,
    /// Bytes of plaintext under one key.
    pub bytes_max: u64,
}

impl Default for ChainLimits {
    /// 65,536 messages and 16 GiB: SP 800-38D allows 2³² messages, and at 2³⁰ blocks an attacker's
    /// advantage from colliding blocks is below 2⁻⁶⁰.
    fn default() -> Self {
        Self {
            messages_max: 1 << 16,
            bytes_max: 1 << 34,
        }
    }
}

/// How a message is tied to what was sealed before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// It follows another message under the same key.
    SameKey,
    /// It is the first of a new chain.
    NewChain,
    /// It is the first under its key.
    After(Used),
}

/// A key that is used no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub key_id: KeyId,
    /// Messages sealed under it.
    pub messages: u64,
}

impl Link {
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Link::SameKey => out.push(0),
            Link::NewChain => out.push(1),
            Link::After(used) => {
                out.push(2);
                out.extend_from_slice(&used.key_id);
                out.extend_from_slice(&used.messages.to_be_bytes());
            }
        }
    }

    /// The link at the front of a plaintext, and what comes after it.
    pub fn read(plaintext: &[u8]) -> Result<(Self, &[u8]), Error> {
        let mut reader = Reader::new("the link to the message before", plaintext);
        let link = match reader.u8()? {
            0 => Link::SameKey,
            1 => Link::NewChain,
            2 => Link::After(Used {
                key_id: reader.array()?,
                messages: reader.u64()?,
            }),
            3.. => return Err(reader.malformed("0, 1 or 2")),
        };
        Ok((link, reader.rest()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let used = Used {
            key_id: [7; 16],
            messages: 1 << 40,
        };
        for link in [Link::SameKey, Link::NewChain, Link::After(used)] {
            let mut bytes = Vec::new();
            link.write(&mut bytes);
            assert!(bytes.len() <= LINK_BYTES_MAX);
            for cut in 0..bytes.len() {
                assert!(Link::read(&bytes[..cut]).is_err(), "{link:?} cut at {cut}");
            }
            bytes.extend(b"rest");
            assert_eq!(Link::read(&bytes), Ok((link, &b"rest"[..])));
        }
        assert!(Link::read(&[3; 40]).is_err());
    }
}
