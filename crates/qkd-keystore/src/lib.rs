//! Keys with identities and their life, committed on both sides before either may deliver.
//!
//! The engine ([`KeyStore`]) takes inputs and returns outputs; what must survive a crash goes
//! through the [`Storage`] port before the output that depends on it is returned. Many inputs may
//! share one commit of the storage ([`KeyStore::stage`], [`KeyStore::commit`]). This crate
//! never opens a file or a socket, never reads a clock, never writes a key byte unwrapped, never
//! derives a [`KeyId`] from a key, and never delivers a key that its peer might not hold. What must
//! hold of two stores is checked from outside by [`invariants`].

#![forbid(unsafe_code)]

mod abandon;
mod accept;
mod assign;
mod commit;
mod compare;
mod contents;
mod delivery;
mod error;
mod exchange;
mod expiry;
mod id;
mod inspect;
pub mod invariants;
mod material;
mod message;
mod open;
mod operator;
mod pool;
mod rebalance;
mod record;
mod resume;
mod step;
mod storage;
mod store;
mod wrap;

pub use error::{Error, RequestError};
pub use exchange::{
    Alarm, DeliveredKey, Health, Input, KeyFetch, KeyRequest, Output, StoreLimits, StoreStatus,
};
pub use id::{BlockId, History, InvalidId, KeyId, SaeId, Side};
pub use inspect::{Inspection, inspect};
pub use message::{
    AssignedKey, Assignment, CheckValue, Comparison, DiscardReason, InDoubt, KeyRange, Resume,
    StoreMessage,
};
pub use operator::{Abandon, abandon, begin_history};
pub use step::{Step, UnknownStep};
pub use storage::{Change, Fault, MemoryStorage, Record, Snapshot, Storage, StorageError};
pub use store::KeyStore;
