//! What can go wrong, sorted by who is to blame.

use crate::{BlockId, History, SaeId, StorageError};

/// Why the engine could not do what it was told. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    // Malformed
    /// A stored record is damaged, missing or of another format.
    #[error("stored record {record}: {problem}")]
    Corrupt {
        /// The record's key, printable.
        record: String,
        /// What was found and what was expected.
        problem: &'static str,
    },
    // PeerMisbehaved
    /// The peer sent something that it may not send now.
    #[error("the peer's store sent {message}, but {rule}")]
    PeerMisbehaved {
        /// Which message.
        message: &'static str,
        /// The rule it broke.
        rule: &'static str,
    },
    // Misuse
    /// The store key is not the one this store was created with.
    #[error(
        "the store key does not fit this key store: it was created with another one; bring that one back, or stop both nodes and empty both stores"
    )]
    WrongStoreKey,
    /// The store key does not have 32 bytes.
    #[error("a store key has 32 bytes, this one has {bytes}")]
    StoreKeyLength {
        /// Bytes given.
        bytes: usize,
    },
    /// The storage belongs to the other side.
    #[error("this key store was created by the other side of a link")]
    OtherSide,
    /// Limits that contradict each other.
    #[error("store limits: {0}")]
    Limits(&'static str),
    /// The same block was distilled twice.
    #[error("block {block} was handed in twice")]
    DuplicateBlock {
        /// The block.
        block: BlockId,
    },
    /// An operator wants to change a store that is damaged.
    #[error(
        "{findings} records are damaged or contradict others, the first: {first}; put a whole copy back, or move the store away: its keys are lost then"
    )]
    Damaged {
        /// How many.
        findings: usize,
        /// What is wrong with the first one.
        first: String,
    },
    /// An operator wants to begin a history that this store is in.
    #[error("this store is in history {history} already; begin a new one on both sides")]
    HistoryBegun {
        /// The history.
        history: History,
    },
    /// An operator wants to abandon what is not in doubt.
    #[error("block {block} is not in doubt here")]
    NotInDoubt {
        /// The block.
        block: BlockId,
    },
    /// An operator wants to abandon a block at Alice.
    #[error(
        "this is Alice's store: only Bob's blocks can be in doubt, because she decides; run it at Bob's"
    )]
    NothingInDoubt,
    /// An input that needs a connection came without one, or a second connection began.
    #[error("{0}")]
    Link(&'static str),
    /// The store is sealed: storage failed or the histories contradict each other.
    #[error("the key store is sealed")]
    Sealed,
    // Nobody's fault
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why an application gets no key. A request is answered in full or not at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The number of keys is out of range.
    #[error("number of keys is {number}, it shall be 1 to {max}")]
    BadNumber {
        /// Keys asked for.
        number: u32,
        /// Most that one request may ask for.
        max: u32,
    },
    /// The size is no multiple of 8.
    #[error("size shall be a multiple of 8")]
    SizeNotBytes {
        /// Bits asked for.
        size_bits: u32,
    },
    /// The size is out of range.
    #[error("size is {size_bits} bits, it shall be {min_bits} to {max_bits}")]
    BadSize {
        /// Bits asked for.
        size_bits: u32,
        /// Smallest size.
        min_bits: u32,
        /// Largest size.
        max_bits: u32,
    },
    /// No slave named, or too many.
    #[error("number of slave SAEs is {number}, it shall be 1 to {max}")]
    BadSlaves {
        /// Slaves named.
        number: u32,
        /// Most that one request may name.
        max: u32,
    },
    /// The same key was asked for twice in one request.
    #[error("a key_ID is named twice in one request")]
    DuplicateKeyId,
    /// At least one key is not here: never was, expired, or was delivered already.
    #[error("one or more keys specified are not found on KME")]
    NotFound,
    /// The caller was not named as slave of at least one key.
    #[error("SAE {caller} was not named as slave of one or more keys specified")]
    NotNamedAsSlave {
        /// Who asked.
        caller: SaeId,
    },
    /// Not enough key material in this side's share.
    #[error("{wanted} keys wanted, {available} of that size available")]
    TooFewKeys {
        /// Keys of that size available.
        available: u64,
        /// Keys wanted.
        wanted: u64,
    },
    /// Too many requests wait for the peer.
    #[error("too many requests wait for the peer's key store")]
    TooManyRequests,
    /// The peer's store cannot be reached, or the connection broke before it had the keys.
    #[error("the peer's key store cannot be reached")]
    PeerUnavailable,
    /// The peer's store did not take the keys.
    #[error("the peer's key store refused: {reason}")]
    PeerRefused {
        /// The peer's words.
        reason: String,
    },
    /// The peer's store holds as many keys of this master as it may, and their slaves fetch none.
    #[error("too many keys of this master wait to be fetched by their slaves")]
    TooManyUnfetched,
    /// This store is sealed.
    #[error("the key store is sealed")]
    Sealed,
}
