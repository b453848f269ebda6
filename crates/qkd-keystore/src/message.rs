//! What two stores tell each other. No message holds key material.

use std::fmt;

use qkd_security::Spent;

use crate::{BlockId, KeyId, SaeId};

/// The padded key-check value h(K) ⊕ P of a block: public, equal on both sides when the keys are.
pub type CheckValue = [u8; 8];

/// A message of one store to the other, carried in order by an authenticated link.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreMessage {
    /// First message of each side on every connection.
    Resume(Box<Resume>),
    /// Bob → Alice: the block is durable here, in doubt.
    Prepared {
        /// The block.
        block: BlockId,
        /// Bob's check value.
        check: CheckValue,
    },
    /// Alice → Bob: the block is committed.
    Commit {
        /// The block.
        block: BlockId,
        /// Its place among all committed blocks, from 1.
        index: u64,
        /// Alice's chain value after this commit.
        chain: [u8; 32],
        /// What the pair has spent, at most; Alice, who begins every run, keeps the account.
        spent: Spent,
    },
    /// Bob → Alice: the commit is durable here.
    Committed {
        /// The block.
        block: BlockId,
        /// Its place among all committed blocks, from 1.
        index: u64,
    },
    /// The block will never be committed; its key is thrown away.
    Discard {
        /// The block.
        block: BlockId,
        /// Why.
        reason: DiscardReason,
    },
    /// Owner → peer: these parts of the owner's share become keys for the named applications.
    Assign(Assignment),
    /// Peer → owner: the assignment is durable here.
    AssignAccepted {
        /// The assignment.
        id: u64,
    },
    /// Peer → owner: the assignment is not taken; the owner burns the bits.
    AssignRefused {
        /// The assignment.
        id: u64,
        /// Why, in words.
        reason: String,
    },
    /// Owner → peer: the assignment was never answered; drop its keys, its bits are burnt.
    Void(Assignment),
    /// Peer → owner: the void is durable here.
    VoidAccepted {
        /// The assignment.
        id: u64,
    },
    /// Owner → peer: the owner's share of this block, of which it assigned nothing, is the peer's. The
    /// owner has given it up durably, and says so again on every connection until it is answered.
    Give {
        /// The block.
        block: BlockId,
    },
    /// Peer → owner: the share is durably the peer's.
    Taken {
        /// The block.
        block: BlockId,
    },
    /// Owner → peer: whether the peer has the same bytes of these parts of the owner's share.
    Compare(Box<Comparison>),
    /// Peer → owner: whether it has. A block of which it has not is thrown away by the peer before it
    /// says so, when the question was about no other.
    Compared {
        /// Number of the assignment that stands for the pad.
        id: u64,
        /// Whether both have the same.
        is_equal: bool,
    },
    /// The sender has sealed its store because the two histories contradict each other.
    Quarantine {
        /// What was found, in words.
        reason: String,
    },
}

impl StoreMessage {
    /// The message's name, for errors and logs.
    pub fn name(&self) -> &'static str {
        match self {
            StoreMessage::Resume(_) => "Resume",
            StoreMessage::Prepared { .. } => "Prepared",
            StoreMessage::Commit { .. } => "Commit",
            StoreMessage::Committed { .. } => "Committed",
            StoreMessage::Discard { .. } => "Discard",
            StoreMessage::Assign(_) => "Assign",
            StoreMessage::AssignAccepted { .. } => "AssignAccepted",
            StoreMessage::AssignRefused { .. } => "AssignRefused",
            StoreMessage::Void(_) => "Void",
            StoreMessage::VoidAccepted { .. } => "VoidAccepted",
            StoreMessage::Give { .. } => "Give",
            StoreMessage::Taken { .. } => "Taken",
            StoreMessage::Compare(_) => "Compare",
            StoreMessage::Compared { .. } => "Compared",
            StoreMessage::Quarantine { .. } => "Quarantine",
        }
    }
}

/// Where a store stands when a connection begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Resume {
    /// Times this store was opened: durable and strictly rising.
    pub boot_epoch: u64,
    /// Drawn at each opening, so that a restored copy of the same epoch is told apart.
    pub boot_id: [u8; 16],
    /// Blocks committed so far.
    pub commits: u64,
    /// Chain value after those commits; zero before the first.
    pub chain: [u8; 32],
    /// What the pair has spent, at most, as far as this side knows; the larger account holds for
    /// both.
    pub spent: Spent,
    /// Highest assignment made as owner; 0 before the first.
    pub last_assigned: u64,
    /// Highest own assignment that the peer is known to have accepted; 0 before the first.
    pub last_confirmed: u64,
    /// Highest assignment of the peer's taken in here; 0 before the first.
    pub last_accepted: u64,
    /// Bob: blocks prepared and undecided. Alice: always empty.
    pub in_doubt: Vec<InDoubt>,
    /// Bob: blocks that were in doubt until an operator gave them up; their keys are on neither side
    /// once Alice has heard of it. Alice: always empty.
    pub abandoned: Vec<BlockId>,
}

/// A block that is prepared and undecided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InDoubt {
    /// The block.
    pub block: BlockId,
    /// Bob's check value.
    pub check: CheckValue,
}

/// Parts of the owner's share that become keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Rises by one with every assignment of this owner.
    pub id: u64,
    /// The application that asked.
    pub master: SaeId,
    /// The applications that may fetch at the peer.
    pub slaves: Vec<SaeId>,
    /// The keys, in the order in which the owner answers.
    pub keys: Vec<AssignedKey>,
}

/// One key of an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedKey {
    /// Its identity.
    pub key_id: KeyId,
    /// The pieces that, joined in this order, are the key.
    pub ranges: Vec<KeyRange>,
}

impl AssignedKey {
    /// Length of the key in bytes.
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|r| u64::from(r.bytes)).sum()
    }
}

/// A question whether two stores have the same bytes. Nothing in it says anything about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The 16 bytes of key that the question spends, as the only piece of the only key of an assignment
    /// that nobody is ever answered.
    pub pad: Assignment,
    /// Free pieces of the owner's share, 1 to 256.
    pub ranges: Vec<KeyRange>,
    /// Where the polynomial of those bytes is taken.
    pub point: [u8; 16],
    /// Its value there, added to the pad.
    pub tag: [u8; 16],
}

/// A piece of one block's material.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The block.
    pub block: BlockId,
    /// First byte, counted from the start of the block's material.
    pub offset: u32,
    /// Number of bytes.
    pub bytes: u32,
}

/// Why a block came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscardReason {
    /// The two check values differ: the keys are not equal.
    CheckMismatch,
    /// The connection broke before the block was distilled on both sides.
    Interrupted,
    /// No room for more material or more undecided blocks.
    StoreFull,
    /// Less than one byte for each direction.
    TooSmall,
}

impl fmt::Display for DiscardReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DiscardReason::CheckMismatch => "the key-check values of the two sides differ",
            DiscardReason::Interrupted => "the connection broke before both sides had the block",
            DiscardReason::StoreFull => "the store has no room for it",
            DiscardReason::TooSmall => "its key has less than one byte for each direction",
        })
    }
}
