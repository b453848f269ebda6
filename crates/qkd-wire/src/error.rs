//! What can be wrong with bytes from a peer.

use qkd_bits::WrongLength;

/// Bytes that are no message. All of it is the sender's fault; nothing was changed by looking.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than any message may have.
    #[error("a link message of {given} bytes: expected at most {max}")]
    TooLong {
        /// Bytes received.
        given: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not protobuf, or a field of another type.
    #[error("not a protobuf message of this protocol: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// A field that every such message has is absent.
    #[error("`{field}` is missing")]
    Missing {
        /// Message and field, as in the `.proto` file.
        field: &'static str,
    },
    /// A field of a fixed number of bytes or items has another number of them.
    #[error("`{field}` has {given} bytes or items: expected exactly {expected}")]
    WrongSize {
        /// Message and field.
        field: &'static str,
        /// Bytes or items received.
        given: usize,
        /// Bytes or items expected.
        expected: usize,
    },
    /// A field has more bits, bytes or items than its limit.
    #[error("`{field}` has {given} bits, bytes or items: expected at most {max}")]
    TooMany {
        /// Message and field.
        field: &'static str,
        /// Bits, bytes or items received.
        given: u64,
        /// The limit.
        max: u64,
    },
    /// A bit string whose bytes do not hold its number of bits.
    #[error("`{field}`: {source}")]
    Bits {
        /// Message and field.
        field: &'static str,
        /// What does not fit.
        source: WrongLength,
    },
    /// A value outside what its field can mean.
    #[error("`{field}` is {found}: expected {expected}")]
    OutOfRange {
        /// Message and field.
        field: &'static str,
        /// The value received.
        found: String,
        /// The values allowed, in words.
        expected: &'static str,
    },
}
