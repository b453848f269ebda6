//! What can go wrong, sorted by who is to blame.

/// Why a message was not sealed or opened. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    // Malformed
    /// A sealed message is shorter than its tag.
    #[error("a sealed message has at least 16 bytes, this one has {bytes}")]
    Truncated {
        /// Bytes received.
        bytes: usize,
    },
    // PeerMisbehaved
    /// The tag does not fit: altered, forged or sealed under another key.
    #[error("the tag does not fit the message: it was altered or sealed under another key")]
    WrongTag,
    /// The message names another key.
    #[error("the message names another key than this opener's")]
    OtherKey,
    /// The message names another sender.
    #[error("the message is of sender {received}, this opener's is {expected}")]
    OtherSender {
        /// Sender that this opener follows.
        expected: u32,
        /// Sender that the message names.
        received: u32,
    },
    /// The message was opened before.
    #[error("message {received} was opened before: {expected} is next")]
    Replay {
        /// Sequence that is next.
        expected: u64,
        /// Sequence of the message.
        received: u64,
    },
    /// A message before this one is missing.
    #[error("message {received} is early: {expected} is next")]
    Gap {
        /// Sequence that is next.
        expected: u64,
        /// Sequence of the message.
        received: u64,
    },
    // Misuse
    /// The key does not have 32 bytes.
    #[error("an AES-256 key has 32 bytes, this one has {bytes}")]
    KeyLength {
        /// Bytes given.
        bytes: usize,
    },
    /// The message is longer than allowed.
    #[error("a message has at most {max} bytes, this one has {bytes}")]
    TooLong {
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The key has sealed all the messages it may: take a fresh one.
    #[error("the key has sealed its {max} messages: take a fresh one")]
    KeyExhausted {
        /// Messages allowed.
        max: u64,
    },
}
