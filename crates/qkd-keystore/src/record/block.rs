//! What stands about a block beside its material.

use super::FORMAT_OF_HOLDERS;
use super::fields::Reader;
use crate::CheckValue;
use crate::material::Holder;

/// A block's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRecord {
    pub(crate) check: CheckValue,
    /// Its place among all committed blocks, from 1; 0 while it is prepared only.
    pub(crate) index: u64,
    /// First unassigned byte of the shares cut for Alice and for Bob.
    pub(crate) cursors: [u32; 2],
    /// Whose they are.
    pub(crate) holders: [Holder; 2],
}

/// A block that an operator gave up while it was in doubt. It is a commit like any other in the chain,
/// but its key is on neither side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbandonedRecord {
    pub(crate) check: CheckValue,
    /// Its place among all committed blocks, from 1, at Alice; 0 at Bob, who does not know it.
    pub(crate) index: u64,
}

impl AbandonedRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.check.to_vec();
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes
    }

    pub(crate) fn decode(content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let record = Self {
            check: reader.array()?,
            index: reader.u64()?,
        };
        reader.0.is_empty().then_some(record)
    }
}

impl BlockRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.check.to_vec();
        bytes.extend_from_slice(&self.index.to_be_bytes());
        for cursor in self.cursors {
            bytes.extend_from_slice(&cursor.to_be_bytes());
        }
        bytes.extend(self.holders.map(|holder| match holder {
            Holder::First => 0,
            Holder::Nobody => 1,
            Holder::Other => 2,
        }));
        bytes
    }

    pub(crate) fn decode(format: u8, content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let mut record = Self {
            check: reader.array()?,
            index: reader.u64()?,
            cursors: [reader.u32()?, reader.u32()?],
            holders: [Holder::First; 2],
        };
        if format >= FORMAT_OF_HOLDERS {
            for holder in &mut record.holders {
                *holder = reader.holder()?;
            }
        }
        reader.0.is_empty().then_some(record)
    }
}
