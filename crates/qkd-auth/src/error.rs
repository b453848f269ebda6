//! What can go wrong, sorted by who is to blame.

/// Why a handshake, a refresh or a seal failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    // Malformed
    /// A pre-shared key file holds something other than hexadecimal digits.
    #[error("pre-shared key: character {position} is not a hexadecimal digit")]
    KeyNotHex {
        /// Position of the character, from 1, leading white space not counted.
        position: usize,
    },
    /// A pre-shared key file holds half a byte.
    #[error("pre-shared key: {digits} hexadecimal digits, expected an even number")]
    KeyOddDigits {
        /// Digits found.
        digits: usize,
    },
    // PeerMisbehaved
    /// The peer speaks another version of this protocol.
    #[error("the peer speaks version {theirs} of the authenticated channel, this side {ours}")]
    VersionMismatch {
        /// This side's version.
        ours: u32,
        /// The peer's version.
        theirs: u32,
    },
    /// The peer's opening carries this side's nonce: somebody sends our own opening back.
    #[error("the peer's opening carries our own nonce: it was reflected")]
    ReflectedOpening,
    /// The peer's opening carries more parameters than allowed.
    #[error("the peer's opening carries {bytes} bytes of parameters, at most {max} are allowed")]
    ParametersTooLong {
        /// Bytes received.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The peer could not prove that it holds the same pre-shared key and saw the same openings.
    #[error(
        "the peer's proof is wrong: it holds another pre-shared key, has the same role, or \
         somebody altered the openings"
    )]
    WrongKey,
    /// The peer refreshes with another key, block or epoch than the one staged here.
    #[error("the peer announces a refresh that differs from the one staged here")]
    RekeyMismatch,
    // Misuse
    /// A pre-shared key is too short.
    #[error("a pre-shared key has at least {min} bytes, this one has {bytes}")]
    KeyTooShort {
        /// Bytes given.
        bytes: usize,
        /// Bytes needed.
        min: usize,
    },
    /// Too few distilled bits to refresh with.
    #[error("a refresh takes at least {min} bytes of distilled key, this one has {bytes}")]
    RefreshTooShort {
        /// Bytes given.
        bytes: usize,
        /// Bytes needed.
        min: usize,
    },
    /// The last refresh is not complete in both directions.
    #[error("a refresh is staged already and not complete in both directions")]
    RefreshPending,
    /// A direction cannot switch because nothing is staged for it.
    #[error("no refresh is staged for this direction")]
    NothingStaged,
    /// All sequence numbers of this epoch are used: refresh or reconnect.
    #[error("all sequence numbers of epoch {epoch} are used: refresh the keys or reconnect")]
    SequenceExhausted {
        /// The epoch.
        epoch: u32,
    },
    /// All epochs of this channel are used: reconnect.
    #[error("all epochs of this channel are used: reconnect")]
    EpochsExhausted,
}

/// Why an envelope was not accepted. Nothing changed but a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reject {
    /// The tag is too short or too long.
    #[error("the tag does not have 32 bytes")]
    TagLength,
    /// The tag does not fit the bytes: altered, forged, or made with another key.
    #[error("the tag does not fit epoch, direction, sequence and payload")]
    WrongTag,
    /// Made with the keys of another epoch.
    #[error("the envelope belongs to another epoch")]
    WrongEpoch,
    /// Our own envelope came back.
    #[error("the envelope was sent by this side and reflected")]
    Reflection,
    /// Genuine, but accepted before.
    #[error("the envelope was accepted before")]
    Replay,
    /// Genuine, but one before it is missing: lost or reordered.
    #[error("an envelope before this one is missing")]
    Gap,
}

/// How many envelopes were rejected, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RejectCounters {
    /// Rejected as [`Reject::TagLength`].
    pub tag_length: u64,
    /// Rejected as [`Reject::WrongTag`].
    pub wrong_tag: u64,
    /// Rejected as [`Reject::WrongEpoch`].
    pub wrong_epoch: u64,
    /// Rejected as [`Reject::Reflection`].
    pub reflection: u64,
    /// Rejected as [`Reject::Replay`].
    pub replay: u64,
    /// Rejected as [`Reject::Gap`].
    pub gap: u64,
}

impl RejectCounters {
    /// Envelopes rejected for any reason.
    pub fn total(&self) -> u64 {
        self.tag_length
            + self.wrong_tag
            + self.wrong_epoch
            + self.reflection
            + self.replay
            + self.gap
    }

    pub(crate) fn count(&mut self, reject: Reject) {
        let counter = match reject {
            Reject::TagLength => &mut self.tag_length,
            Reject::WrongTag => &mut self.wrong_tag,
            Reject::WrongEpoch => &mut self.wrong_epoch,
            Reject::Reflection => &mut self.reflection,
            Reject::Replay => &mut self.replay,
            Reject::Gap => &mut self.gap,
        };
        *counter = counter.saturating_add(1);
    }
}
