//! The bytes of records: what a store keeps, and where.
//!
//! Every record is `format (1) ‖ content ‖ tag (32)`, the tag bound to the record's key. Material
//! is wrapped before it comes here; everything else is public. Integers are big-endian.

mod block;
mod fields;
mod key;
mod ledger;

use crate::wrap::Vault;
use crate::{BlockId, Change, Error, KeyId, Side};
use fields::{Reader, put_block};

pub(crate) use block::{AbandonedRecord, BlockRecord};
pub(crate) use key::{AssignmentRecord, KeyRecord};
pub(crate) use ledger::{Ledger, chain_next, chain_start};

/// What is written. Format 2 has in the ledger what the pair has spent; format 3 has with a key since
/// when it waits and who was given it already; format 4 has with a block whose its shares are; format 5 has
/// in the ledger what time it is; format 6 has there which history this is, and records of abandoned
/// blocks. Everything else is as in format 1.
const FORMAT: u8 = 6;

/// The first format that says since when a key waits.
const FORMAT_OF_DATES: u8 = 3;

/// The first format that says whose the shares of a block are.
const FORMAT_OF_HOLDERS: u8 = 4;

/// The first format that says in the ledger what time it is.
const FORMAT_OF_CLOCK: u8 = 5;

/// The first format that says in the ledger which history this is.
const FORMAT_OF_HISTORIES: u8 = 6;

/// The oldest format that is still read.
const FORMAT_OLDEST: u8 = 1;

const TAG_BYTES: usize = 32;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Written once at creation: shows whether the store key fits and whose store it is.
    Identity,
    /// Counters and chain.
    Ledger,
    /// The chain value after commit number … (Alice).
    Chain(u64),
    /// A block's wrapped material.
    Material(BlockId),
    /// A block's state.
    Block(BlockId),
    /// A block that an operator gave up, until both sides know.
    Abandoned(BlockId),
    /// An assignment made here as owner and not settled with the peer.
    Assignment(u64),
    /// A key of the peer's share waiting here for its slave application.
    Key(KeyId),
}

impl Place {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17);
        match self {
            Place::Identity => bytes.push(b'i'),
            Place::Ledger => bytes.push(b'l'),
            Place::Chain(index) => {
                bytes.push(b'c');
                bytes.extend_from_slice(&index.to_be_bytes());
            }
            Place::Material(block) => put_block(b'm', block, &mut bytes),
            Place::Block(block) => put_block(b'b', block, &mut bytes),
            Place::Abandoned(block) => put_block(b'v', block, &mut bytes),
            Place::Assignment(id) => {
                bytes.push(b'a');
                bytes.extend_from_slice(&id.to_be_bytes());
            }
            Place::Key(key_id) => {
                bytes.push(b'k');
                bytes.extend_from_slice(key_id.as_bytes());
            }
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let corrupt = || corrupt(bytes, "a record at an unknown place");
        let mut reader = Reader(bytes);
        let place = match reader.u8().ok_or_else(corrupt)? {
            b'i' => Some(Place::Identity),
            b'l' => Some(Place::Ledger),
            b'c' => reader.u64().map(Place::Chain),
            b'm' => reader.block().map(Place::Material),
            b'b' => reader.block().map(Place::Block),
            b'v' => reader.block().map(Place::Abandoned),
            b'a' => reader.u64().map(Place::Assignment),
            b'k' => reader.array().map(KeyId::from_bytes).map(Place::Key),
            _ => None,
        };
        place.filter(|_| reader.0.is_empty()).ok_or_else(corrupt)
    }

    /// An error that names this place.
    pub(crate) fn corrupt(self, problem: &'static str) -> Error {
        corrupt(&self.to_bytes(), problem)
    }

    /// Sets the record here.
    pub(crate) fn put(self, vault: &Vault, content: Vec<u8>) -> Change {
        let key = self.to_bytes();
        let mut value = Vec::with_capacity(1 + content.len() + TAG_BYTES);
        value.push(FORMAT);
        value.extend_from_slice(&content);
        let tag = vault.tag(&key, &value);
        value.extend_from_slice(&tag);
        Change::Put { key, value }
    }

    /// Removes the record here.
    pub(crate) fn delete(self) -> Change {
        Change::Delete {
            key: self.to_bytes(),
        }
    }

    /// The content of the record here, its tag checked.
    pub(crate) fn content<'v>(self, vault: &Vault, value: &'v [u8]) -> Result<&'v [u8], Error> {
        let known = FORMAT_OLDEST..=FORMAT;
        if value.first().is_some_and(|format| !known.contains(format)) {
            return Err(self.corrupt("its format is none of 1 to 6: another version wrote it"));
        }
        let (body, tag) = value
            .split_last_chunk::<TAG_BYTES>()
            .ok_or_else(|| self.corrupt("it is shorter than its tag"))?;
        if !vault.verify(&self.to_bytes(), body, tag) {
            return Err(self.corrupt("its tag does not fit: it was damaged or moved"));
        }
        body.get(1..).ok_or_else(|| self.corrupt("it is empty"))
    }
}

/// The format of a record whose content was read; an empty one has none.
pub(crate) fn format_of(value: &[u8]) -> u8 {
    value.first().copied().unwrap_or_default()
}

/// What the identity record says.
pub(crate) fn identity(side: Side) -> Vec<u8> {
    format!("qkd-keystore {side}").into_bytes()
}

fn corrupt(place: &[u8], problem: &'static str) -> Error {
    Error::Corrupt {
        record: place.escape_ascii().to_string(),
        problem,
    }
}

#[cfg(test)]
mod tests;
