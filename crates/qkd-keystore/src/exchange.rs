//! What goes into the engine and what comes out of it.

use qkd_bits::{SecretBits, SecretBytes};
use qkd_security::{SecurityParameters, Spent};

use crate::{
    BlockId, CheckValue, DiscardReason, KeyId, RequestError, SaeId, Side, StorageError,
    StoreMessage,
};

/// Something that happened outside the store.
pub enum Input {
    /// An authenticated, ordered link to the peer's store begins.
    Connected,
    /// That link has ended; whatever was in flight on it is lost.
    Disconnected,
    /// Alice: a run of the protocol has begun, its announcement being whole, and spends its failure budget whatever becomes of
    /// it. It is durable as spent when this call returns, and 63 more with it: one write in 64 runs.
    /// The end of the link gives back those that were not begun.
    Begun {
        /// What it may spend.
        budget: SecurityParameters,
    },
    /// What time it is; keys that waited too long for their slaves are dropped. Nothing else here
    /// depends on it. The first one after opening is by the clock on the wall, which may be wrong;
    /// the later ones tell how much time has gone by since, whatever was done to that clock.
    Time {
        /// Seconds since 1970.
        unix_s: u64,
    },
    /// Whether there is room on the disk for more keys. While there is none, blocks are discarded;
    /// keys that are here go on being given.
    Room {
        /// Whether there is.
        is_there: bool,
    },
    /// Distillation finished here.
    Distilled {
        /// The block.
        block: BlockId,
        /// Its secret key, the check's pad already cut off.
        key: SecretBits,
        /// The padded key-check value h(K) ⊕ P.
        check: CheckValue,
    },
    /// The peer's store said something.
    Message(StoreMessage),
    /// An application asks for keys of this side's share (ETSI GS QKD 014 "Get key").
    Request {
        /// Chosen by the caller; returned with the answer.
        ticket: u64,
        /// What it asks for.
        request: KeyRequest,
    },
    /// The application that asked with this ticket has gone before it was answered. Keys that were
    /// assigned to it are dropped on both sides.
    Abandoned {
        /// The request's ticket; one that was answered changes nothing.
        ticket: u64,
    },
    /// An application fetches keys of the peer's share (ETSI GS QKD 014 "Get key with key IDs"). The
    /// answer is there with the next commit.
    Fetch {
        /// Chosen by the caller; returned with the answer.
        ticket: u64,
        /// What it asks for.
        fetch: KeyFetch,
    },
}

/// Something to do outside the store. Whatever an output relies on is durable already.
pub enum Output {
    /// Send this to the peer's store, in order.
    Send(StoreMessage),
    /// The block's key is in the store on this side.
    Committed {
        /// The block.
        block: BlockId,
        /// Bits stored, a multiple of 8.
        key_bits: u64,
        /// What the pair has spent with this commit, the same on both sides.
        spent: Spent,
    },
    /// The block's key was thrown away on this side.
    Discarded {
        /// The block.
        block: BlockId,
        /// Why.
        reason: DiscardReason,
    },
    /// The answer to a request or a fetch.
    Answer {
        /// The caller's ticket.
        ticket: u64,
        /// The keys, all or none.
        result: Result<Vec<DeliveredKey>, RequestError>,
    },
    /// An operator must know.
    Alarm(Alarm),
}

/// Keys wanted at the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// How many.
    pub number: u32,
    /// Size of each in bits.
    pub size_bits: u32,
    /// The application that asks.
    pub master: SaeId,
    /// The applications that may fetch them at the peer.
    pub slaves: Vec<SaeId>,
}

/// Keys wanted that the other side's application was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFetch {
    /// The application that asks: it must have been named as slave.
    pub caller: SaeId,
    /// The application that was given the keys, if the caller says so; others' are not found then.
    pub master: Option<SaeId>,
    /// The keys, each once.
    pub key_ids: Vec<KeyId>,
}

/// A key on its way to an application. Its bytes are in no store of this side any more.
pub struct DeliveredKey {
    /// Its identity, the same on both sides.
    pub key_id: KeyId,
    /// Its bytes.
    pub key: SecretBytes,
}

/// Something that an operator must know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// Storage failed: the store is sealed until it is opened again.
    #[error("the key store is sealed until it is opened again: {0}")]
    StorageFailed(StorageError),
    /// The two sides distilled different keys.
    #[error("block {block} was discarded: the key-check values of the two sides differ")]
    CheckMismatch {
        /// The block.
        block: BlockId,
    },
    /// Bob's operator gave up a block that was in doubt: its key is thrown away here too.
    #[error(
        "block {block} was abandoned by Bob's operator while it was in doubt: its key is thrown away on both sides"
    )]
    BlockAbandoned {
        /// The block.
        block: BlockId,
    },
    /// The two stores had different bytes of a block: one of them was altered.
    #[error(
        "the copies of block {block} differ: one store was altered. It was thrown away on both sides, and {keys} keys of it that waited here; `qkd store verify` reads the store of a stopped node"
    )]
    CopiesDiffer {
        /// The block.
        block: BlockId,
        /// Keys of it that waited here for their slaves.
        keys: u64,
    },
    /// The two histories contradict each other: one store was restored, copied or altered. The
    /// store stays sealed, also when opened again.
    #[error("the key store is quarantined: {reason}")]
    Quarantined {
        /// What was found, in words.
        reason: String,
    },
}

/// Limits of a store. Both sides of a link are configured alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Size of a key when a request names none, in bits.
    pub key_size_bits: u32,
    /// Smallest key, in bits.
    pub key_size_min_bits: u32,
    /// Largest key, in bits.
    pub key_size_max_bits: u32,
    /// Keys that one request may ask for.
    pub keys_per_request_max: u32,
    /// Applications that one request may name as slaves: each of them may fetch the keys once.
    pub slaves_per_request_max: u32,
    /// Keys that may wait here to be fetched.
    pub key_count_max: u32,
    /// Keys of one master that may wait here to be fetched; more are refused, so that one master whose
    /// keys nobody fetches leaves room for the others.
    pub unfetched_each_max: u32,
    /// Seconds that a key may wait for its slaves; [`Input::Time`] drops older ones.
    pub unfetched_age_max_s: u64,
    /// Requests that may wait for the peer's acknowledgement.
    pub requests_pending_max: u32,
    /// Blocks that may be undecided.
    pub blocks_undecided_max: u32,
    /// Bytes of material that may be stored, used parts of unfinished blocks included.
    pub material_bytes_max: u64,
    /// Seconds between two comparisons of all material with the peer's, by [`Input::Time`]; the first one
    /// is at the first link. 0: never.
    pub compare_every_s: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            key_size_bits: 256,
            key_size_min_bits: 64,
            key_size_max_bits: 8192,
            keys_per_request_max: 128,
            slaves_per_request_max: 16,
            key_count_max: 100_000,
            unfetched_each_max: 100_000,
            unfetched_age_max_s: 30 * 24 * 3600,
            requests_pending_max: 1024,
            blocks_undecided_max: 64,
            material_bytes_max: 64 << 20,
            compare_every_s: 600,
        }
    }
}

/// What a store holds.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreStatus {
    /// Which side this is.
    pub side: Side,
    /// Whether it works.
    pub health: Health,
    /// Whether the peer's store is connected and agrees about the past.
    pub peer_ready: bool,
    /// Times this store was opened.
    pub boot_epoch: u64,
    /// Blocks committed since the store was created, or since an operator had all keys discarded.
    pub commits: u64,
    /// What the pair has spent of its failure budget since the store was created: on both sides the
    /// same after each commit and each beginning of a link. Alice is ahead by runs that were begun
    /// since. Never too little: an Alice that was killed counts up to 63 runs that never began.
    pub spent: Spent,
    /// Blocks among [`commits`](Self::commits) that were committed before budgets were counted, by
    /// an earlier version; what they spent is in no sum.
    pub commits_uncounted: u64,
    /// Committed blocks that still hold material.
    pub committed_blocks: u64,
    /// Blocks waiting for a decision.
    pub undecided_blocks: u64,
    /// Unassigned bits of this side's share.
    pub available_bits: u64,
    /// Unassigned bits of the peer's share.
    pub peer_available_bits: u64,
    /// Keys of the default size that could be delivered now: what the unassigned bits of this
    /// side's share make, and none when the store does not work.
    pub stored_key_count: u64,
    /// Keys waiting here for their slave application.
    pub assigned_count: u64,
    /// Keys dropped since the store was opened because a slave did not fetch them in time.
    pub expired_count: u64,
    /// Bytes that were found equal to the peer's copy since the store was opened, by this side's asking.
    pub compared_bytes: u64,
    /// Blocks thrown away since the store was opened because the two copies differed.
    pub differing_blocks: u64,
    /// Requests waiting for the peer's acknowledgement.
    pub pending_requests: u64,
    /// Whether blocks are taken in, as far as the disk is concerned.
    pub has_room: bool,
    /// Commits that were made durable since the store was opened, each of them for all inputs that
    /// waited.
    pub durable_commits: u64,
}

/// Whether a store works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Sound,
    /// Storage failed; opening the store again is the cure.
    Sealed,
    /// The two histories contradict each other; an operator must decide.
    Quarantined {
        /// What was found, in words.
        reason: String,
    },
}
