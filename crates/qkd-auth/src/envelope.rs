//! The unit of authenticated transport.

use std::fmt;

/// Bytes of a tag (HMAC-SHA-256, not truncated).
pub const TAG_BYTES: usize = 32;

/// Who sends: the direction that a tag is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Alice sends to Bob.
    Alice,
    /// Bob sends to Alice.
    Bob,
}

impl Role {
    /// The other end.
    pub fn peer(self) -> Role {
        match self {
            Role::Alice => Role::Bob,
            Role::Bob => Role::Alice,
        }
    }

    /// The byte that stands for this direction under a tag.
    pub(crate) fn direction(self) -> u8 {
        match self {
            Role::Alice => b'A',
            Role::Bob => b'B',
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Alice => "alice",
            Role::Bob => "bob",
        })
    }
}

/// A message as sent. The direction is not transmitted: each end knows who speaks to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Which keys the tag was made with; 0 after the handshake, one more after each refresh.
    pub epoch: u32,
    /// Number of this envelope within its epoch and direction, from 0 without a gap.
    pub sequence: u64,
    /// The bytes as sent; the tag covers these, never a re-encoded message.
    pub payload: Vec<u8>,
    /// HMAC-SHA-256 over epoch, direction, sequence and payload, or in place of the payload its length
    /// and hash: as [`Authentication`](crate::Authentication) says.
    pub tag: [u8; TAG_BYTES],
}
