//! What can be seen of two stores from outside.

use qkd_security::Spent;
use sha2::{Digest, Sha256};

use crate::{BlockId, DiscardReason, KeyId, SaeId, Side, StoreStatus};

/// Bytes of a window: two keys that share so many in a row share material.
const WINDOW_BYTES: usize = 8;

/// Something that was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A master got keys (ETSI GS QKD 014 "Get key").
    Answered {
        /// Where it asked.
        owner: Side,
        /// Who may fetch them at the other side.
        slaves: Vec<SaeId>,
        /// The keys.
        keys: Vec<SeenKey>,
    },
    /// A slave got keys ("Get key with key IDs").
    Fetched {
        /// Where it asked.
        side: Side,
        /// Who it is.
        caller: SaeId,
        /// The keys.
        keys: Vec<SeenKey>,
    },
    /// A slave asked and was refused.
    FetchRefused {
        /// Where it asked.
        side: Side,
        /// Who it is.
        caller: SaeId,
        /// What it asked for: all or none.
        key_ids: Vec<KeyId>,
        /// Why it got nothing.
        refusal: Refusal,
    },
    /// A slave asked, and nobody knows what became of it: the answer was lost or never given. The
    /// keys may be burnt.
    FetchUnanswered {
        /// Where it asked.
        side: Side,
        /// Who it is.
        caller: SaeId,
        /// What it asked for.
        key_ids: Vec<KeyId>,
    },
    /// The time of these keys may be over: they need not be there any more.
    Expired {
        /// The keys.
        key_ids: Vec<KeyId>,
    },
    /// A side said that a block's key is in its store.
    Committed {
        /// The side.
        side: Side,
        /// The block.
        block: BlockId,
        /// What the pair has spent with it.
        spent: Spent,
    },
    /// A side said that it threw a block's key away.
    Discarded {
        /// The side.
        side: Side,
        /// The block.
        block: BlockId,
        /// Why.
        reason: DiscardReason,
    },
    /// A side's process began again, from what its disk held.
    Restarted {
        /// The side.
        side: Side,
    },
    /// A side's disk was changed by somebody else: restored, copied, altered. It may be sealed from
    /// now on, and what it counted may be gone.
    Tampered {
        /// The side.
        side: Side,
    },
    /// A side sealed its store because the two histories contradict each other.
    Quarantined {
        /// The side.
        side: Side,
        /// What it found.
        reason: String,
    },
    /// What a side has counted.
    Stood {
        /// The side.
        side: Side,
        /// What it says.
        standing: Standing,
    },
    /// Both sides are connected, have told each other everything, and stand here.
    Settled {
        /// What Alice says.
        alice: Standing,
        /// What Bob says.
        bob: Standing,
    },
    /// Numbers that must never repeat were used: counters, nonces, bits of a pad.
    Used {
        /// Who used them.
        side: Side,
        /// What they are numbers of: the key and the direction. Numbers of two scopes have nothing to
        /// do with each other.
        scope: String,
        /// The first one.
        first: u128,
        /// How many in a row.
        count: u128,
    },
    /// Genuine traffic came a second time.
    Replayed {
        /// To whom.
        side: Side,
        /// Digest of its state before.
        before: [u8; 32],
        /// Digest of its state after.
        after: [u8; 32],
    },
}

/// Why a slave got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// At least one of the keys is not there.
    NotFound,
    /// It was not named for at least one of them.
    NotNamed,
    /// Not now: the node is away, busy or sealed. Nothing was taken.
    Unavailable,
}

/// What a side has counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Times its store was opened, where it says so.
    pub boot_epoch: Option<u64>,
    /// Blocks committed in its life.
    pub commits: u64,
    /// What the pair has spent, as far as it knows.
    pub spent: Spent,
}

impl From<&StoreStatus> for Standing {
    fn from(status: &StoreStatus) -> Self {
        Self {
            boot_epoch: Some(status.boot_epoch),
            commits: status.commits,
            spent: status.spent,
        }
    }
}

/// A key as an application got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenKey {
    /// Its identity.
    pub key_id: KeyId,
    /// Hashes of its bytes.
    pub digest: KeyDigest,
}

impl SeenKey {
    /// The key with these bytes, which are not kept.
    pub fn new(key_id: KeyId, key: &[u8]) -> Self {
        Self {
            key_id,
            digest: KeyDigest::of(key),
        }
    }
}

/// Hashes of a key's bytes: of all of them, and of every eight in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDigest {
    pub(super) whole: [u8; 32],
    pub(super) windows: Vec<u64>,
}

impl KeyDigest {
    /// Of a key of at least eight bytes; a shorter one is told from others only as a whole.
    pub fn of(key: &[u8]) -> Self {
        let window = |bytes: &[u8]| {
            let hash: [u8; 32] = Sha256::digest(bytes).into();
            let [a, b, c, d, e, f, g, h, ..] = hash;
            u64::from_be_bytes([a, b, c, d, e, f, g, h])
        };
        Self {
            whole: Sha256::digest(key).into(),
            windows: key.windows(WINDOW_BYTES).map(window).collect(),
        }
    }
}
