//! What can go wrong besides an honest failure of verification, sorted by blame.

/// Somebody broke the rules; an honest mismatch of keys is a
/// [`VerificationFailed`](crate::VerificationFailed) instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer sent a message of a size that the public transcript does not allow. Nothing changed.
    #[error("{what}: peer sent {given} bits where {expected} are due")]
    PeerMisbehaved {
        /// The message concerned.
        what: &'static str,
        /// Bits that the transcript calls for.
        expected: usize,
        /// Bits received.
        given: usize,
    },
    /// The caller asked for something that is not possible in this state or with these sizes.
    #[error("{what}: got {given}, expected {expected}")]
    Misuse {
        /// The argument or the state concerned.
        what: &'static str,
        /// What would have been right.
        expected: &'static str,
        /// The number that was wrong.
        given: u64,
    },
}
