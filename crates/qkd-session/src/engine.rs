//! What the two engines have in common: time, identity, limits, results and errors.

use std::fmt;

use qkd_bits::{SecretBits, SecretBytes};

/// Picoseconds since the session began. Engines never read a clock; they are told the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub u64);

/// Identity of one pairing of Alice and Bob: fresh at every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Bounds on what one session may hold.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// Blocks between announcement and key. Bob throws detections away while so many are under
    /// way; Alice refuses more, so that her limit must not be below his. A block takes a hundred
    /// round trips and more: at long ones as many blocks must be in flight as the round trips of
    /// one take time in blocks.
    ///
    /// Memory of a block on one side: 1.3 bytes a detection at Bob until it is announced, and at
    /// Alice until its slots are recalled; then, a sifted bit
    /// (of 10⁶, `cargo run --release -p qkd-session --example block_memory`), 0.6 bytes until its
    /// reconciliation begins, 1.5 until that ends, 0.3 from then on, and 0.6 more while it is
    /// amplified. So blocks of 10⁶ bits take 1.5 MB each, and 2 GiB have room for 256 of them with
    /// all that is not theirs.
    pub blocks_in_flight_max: usize,
    /// Blocks Bob attempts in this session; without it he goes on while light is wanted.
    pub blocks_max: Option<u64>,
}

/// A block that became a key: the same on both sides but for a negligible probability, which the
/// check value settles before the key may be delivered.
pub struct Distilled {
    /// Block number in this session.
    pub block: u64,
    /// The key for applications.
    pub key: SecretBits,
    /// Bits for refreshing the authentication keys, cut from the same output and in no key.
    pub refresh: SecretBytes,
    /// Padded check value of the key.
    pub check: [u8; 8],
}

/// Something broke the rules. An abort is not an error: it is an output.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The peer sent what the protocol does not allow now.
    #[error("block {block}: peer sent {message} while {state}")]
    Unexpected {
        /// Block the message names.
        block: u64,
        /// Kind of message.
        message: &'static str,
        /// State of that block here.
        state: &'static str,
    },
    /// The peer sent a value that contradicts what is known.
    #[error("block {block}: peer's {field} is {given}, expected {expected}")]
    Contradiction {
        /// Block the message names.
        block: u64,
        /// Which value.
        field: &'static str,
        /// What the peer said.
        given: String,
        /// What it must be.
        expected: String,
    },
    /// The peer's values do not fit the protocol.
    #[error("block {block}: {source}")]
    Protocol {
        /// Block the message names.
        block: u64,
        /// The protocol's complaint.
        source: qkd_protocols::Error,
    },
    /// The peer's values do not fit the distillation.
    #[error("block {block}: {source}")]
    Distillation {
        /// Block the message names.
        block: u64,
        /// The method's complaint.
        source: qkd_distill::Error,
    },
    /// The caller gave an input that no block waits for.
    #[error("caller gave {input} for block {block}, which waits for something else")]
    Misuse {
        /// Block named by the caller.
        block: u64,
        /// Kind of input.
        input: &'static str,
    },
}

impl Error {
    pub(crate) fn contradiction(
        block: u64,
        field: &'static str,
        given: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Contradiction {
            block,
            field,
            given: given.to_string(),
            expected: expected.to_string(),
        }
    }
}
