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
    /// Opened bytes or stored bytes are not of the form that this version writes.
    #[error("{what} cannot be read: expected {expected}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// What was expected.
        expected: &'static str,
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
    /// The key was left for a fresh one: whatever is sealed under it was sent before.
    #[error("its key was left for a later one: the message was sent before")]
    FormerKey,
    /// The first messages under a key never came.
    #[error(
        "it has number {received} under a key that is new here: the ones before it are missing"
    )]
    UnknownStart {
        /// Sequence of the message.
        received: u64,
    },
    /// The node does not deliver the key of the message.
    #[error("its key is not to be had: it was delivered before, has expired, or never was")]
    LostKey,
    /// The key continues a chain that this end does not know.
    #[error("its key continues a chain of keys of which nothing is known here")]
    UnknownChain,
    /// The key continues another key than the last one here: a whole key is missing.
    #[error(
        "its key does not continue the last key here: everything under a key between is missing"
    )]
    MissingKey,
    /// The last messages under the key before never came.
    #[error(
        "under the key before it {sent} messages were sealed, {received} came: the last ones are missing"
    )]
    CutShort {
        /// Messages that the sender sealed under the key before.
        sent: u64,
        /// Messages that were opened.
        received: u64,
    },
    /// The parts of a message do not fit together.
    #[error("the parts of message {number} do not fit together: {problem}")]
    Disorder {
        /// Number of the message in its chain.
        number: u64,
        /// What is wrong.
        problem: &'static str,
    },
    // Misuse
    /// There is no key to seal or open with.
    #[error("there is no key for this message: take one first")]
    NoKey,
    /// What was sealed last has not been delivered.
    #[error("what was sealed before is not delivered yet: send it first")]
    Undelivered,
    /// A part of no message.
    #[error("no message was begun: the first part has a head")]
    NoMessage,
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
