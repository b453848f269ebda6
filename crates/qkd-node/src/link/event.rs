//! What happens to a link, what it wants done, and why it ends.

use qkd_auth::Envelope;
use qkd_bits::SecretBits;
use qkd_keystore::{BlockId, DiscardReason, StoreMessage};
use qkd_optics::{Alarm, Detections, Readings, SlotList};
use qkd_protocols::AliceRecord;
use qkd_security::{SecurityParameters, Spent};
use qkd_session::{BlockReport, Work, Worked};
use qkd_wire::link::{LinkMessage, RelayOutcome, RelayedMessage};

use super::Outflow;

/// What happens to a link.
pub enum LinkEvent {
    /// An envelope arrived, its tag of whatever length it came with.
    Envelope(qkd_wire::proto::link::Envelope),
    /// The key store or an application has something for the other side.
    Outgoing(LinkMessage),
    /// The key store has committed a block on this side.
    Committed {
        /// The block.
        block: BlockId,
        /// What the pair had spent of its failure budget with that.
        spent: Spent,
    },
    /// The key store will never commit a block.
    Discarded {
        /// The block.
        block: BlockId,
        /// Why.
        reason: DiscardReason,
    },
    /// Alice's transmitter remembers the slots of a block.
    Recalled {
        /// Block in this session.
        block: u64,
        /// What was sent in them.
        record: AliceRecord,
    },
    /// What the monitors of Alice's transmitter say about the slots of the block that is recalled next.
    Alarms(Vec<Alarm>),
    /// Alice's transmitter has come so far.
    Emitted {
        /// Slots since the session began.
        slots: u64,
    },
    /// Bob's receiver registered detections.
    Detections {
        /// In slot order.
        detections: Box<Detections>,
        /// Every slot before this one is measured or lost.
        next_slot: u64,
        /// What the receiver's instruments showed meanwhile.
        readings: Box<Readings>,
    },
    /// What came of a [`LinkEffect::Work`].
    Worked(Worked),
    /// Time has passed.
    Tick {
        /// Whether the key store has room for more keys.
        demand: bool,
        /// How the network takes what this side says.
        outflow: Outflow,
    },
}

impl LinkEvent {
    /// Bytes of the part that grows with what the network or the instruments deliver.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Envelope(envelope) => envelope.payload.len() + envelope.tag.len(),
            Self::Detections { detections, .. } => detections.bytes(),
            Self::Outgoing(LinkMessage::Relay { message, .. }) => message.sealed.ciphertext.len(),
            Self::Outgoing(_)
            | Self::Committed { .. }
            | Self::Discarded { .. }
            | Self::Recalled { .. }
            | Self::Alarms(_)
            | Self::Emitted { .. }
            | Self::Worked(_)
            | Self::Tick { .. } => 0,
        }
    }
}

/// What a link wants done.
pub enum LinkEffect {
    /// Run this step of a block, on whatever thread, and give back what it returns.
    Work(Work),
    /// Send this envelope.
    Send(Envelope),
    /// Light is wanted, or is not any more: Alice's transmitter starts or pauses.
    Transmit {
        /// Whether Bob wants light.
        wanted: bool,
    },
    /// Ask Alice's transmitter what it sent.
    Recall {
        /// Block in this session.
        block: u64,
        /// The slots, rising.
        slots: SlotList,
        /// First slot of the block.
        first_slot: u64,
        /// First slot after the block.
        end_slot: u64,
    },
    /// Tell Bob's receiver how far Alice's clock has come.
    Clock {
        /// Slots since the session began.
        emitted_slots: u64,
    },
    /// A run of the protocol has begun: the key store counts what it spends.
    Begun {
        /// What it may spend.
        budget: SecurityParameters,
    },
    /// Give the key store a block.
    Distilled {
        /// The block.
        block: BlockId,
        /// Its key.
        key: SecretBits,
        /// Its check value.
        check: [u8; 8],
    },
    /// Give the key store a message of its peer.
    Store(StoreMessage),
    /// Put ciphertext into an application's mailbox, and answer what became of it.
    Relay {
        /// The peer's number for it.
        number: u64,
        /// The ciphertext and its addresses.
        message: RelayedMessage,
    },
    /// Tell an application what became of its message at the peer.
    RelayAnswer {
        /// This daemon's number for it.
        number: u64,
        /// What became of it.
        outcome: RelayOutcome,
    },
    /// A block has ended.
    Report(Box<BlockReport>),
}

/// A link that cannot go on.
pub struct Broken {
    /// What was to be done about the event before the fault: envelopes that are sealed are missed
    /// at the peer, and what the store is told counts.
    pub effects: Vec<LinkEffect>,
    /// Why it cannot.
    pub fault: LinkFault,
}

/// The fault alone: effects hold secrets.
impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fault.fmt(f)
    }
}

impl From<Broken> for LinkFault {
    fn from(broken: Broken) -> Self {
        broken.fault
    }
}

/// Why a link ends.
#[derive(Debug, thiserror::Error)]
pub enum LinkFault {
    /// The peer's authentic payload is no message of this protocol.
    #[error("the peer sent a payload that is no message: {0}")]
    Malformed(#[from] qkd_wire::DecodeError),
    /// The peer broke the session's rules.
    #[error("the session broke down: {0}")]
    Session(#[from] qkd_session::Error),
    /// A message for the other side came to this one.
    #[error("the peer sent {0}, which only this side may say")]
    WrongSide(&'static str),
    /// The authentication keys cannot be used any further.
    #[error("authentication: {0}")]
    Authentication(#[from] qkd_auth::Error),
    /// The peer refreshes with a block that is not committed here.
    #[error("the peer refreshes its keys with block {block}, which is not committed here")]
    UnknownRefresh {
        /// The block it names.
        block: u64,
    },
    /// A peer that lives, and leaves a block where it is.
    #[error(
        "block {block} has not gone on for {seconds:.0} s: the peer lives, but does not say what it owes"
    )]
    Standstill {
        /// The first block that waits.
        block: u64,
        /// How long no block has gone on.
        seconds: f64,
    },
    /// Keys that never come out equal.
    #[error(
        "the keys of {blocks} blocks in a row differed after error correction: the peer computes something \
         else, or lies"
    )]
    Unequal {
        /// How many.
        blocks: u32,
    },
    /// No genuine envelope for too long.
    #[error(
        "no genuine envelope for {seconds:.0} s: the peer hangs, the network is cut, or envelopes \
         are being altered or dropped ({rejected} rejected)"
    )]
    Silence {
        /// How long.
        seconds: f64,
        /// Envelopes rejected in this connection.
        rejected: u64,
    },
}
