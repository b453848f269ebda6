//! The bytes of single fields.

use qkd_security::Spent;

use crate::id::Names;
use crate::material::Holder;
use crate::{BlockId, KeyRange, SaeId};

pub(super) fn put_block(kind: u8, block: BlockId, bytes: &mut Vec<u8>) {
    bytes.push(kind);
    bytes.extend_from_slice(&block.session.to_be_bytes());
    bytes.extend_from_slice(&block.block.to_be_bytes());
}

pub(super) fn put_count(count: usize, bytes: &mut Vec<u8>) {
    // Counts are bounded by the limits of a store, far below 2³².
    bytes.extend_from_slice(&(count as u32).to_be_bytes());
}

pub(super) fn put_names(master: &SaeId, slaves: &[SaeId], bytes: &mut Vec<u8>) {
    put_count(slaves.len(), bytes);
    for name in std::iter::once(master).chain(slaves) {
        put_name(name, bytes);
    }
}

pub(super) fn put_name(name: &SaeId, bytes: &mut Vec<u8>) {
    put_count(name.as_str().len(), bytes);
    bytes.extend_from_slice(name.as_str().as_bytes());
}

pub(super) fn put_ranges(ranges: &[KeyRange], bytes: &mut Vec<u8>) {
    put_count(ranges.len(), bytes);
    for range in ranges {
        bytes.extend_from_slice(&range.block.session.to_be_bytes());
        bytes.extend_from_slice(&range.block.block.to_be_bytes());
        bytes.extend_from_slice(&range.offset.to_be_bytes());
        bytes.extend_from_slice(&range.bytes.to_be_bytes());
    }
}

/// Reads fields from the front; `None` when the bytes end early.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn holder(&mut self) -> Option<Holder> {
        match self.u8()? {
            0 => Some(Holder::First),
            1 => Some(Holder::Nobody),
            2 => Some(Holder::Other),
            _ => None,
        }
    }

    pub(super) fn spent(&mut self) -> Option<Spent> {
        Some(Spent {
            runs: self.u64()?,
            secrecy: self.u64().map(f64::from_bits)?,
            correctness: self.u64().map(f64::from_bits)?,
        })
    }

    pub(super) fn block(&mut self) -> Option<BlockId> {
        Some(BlockId {
            session: self.u64()?,
            block: self.u64()?,
        })
    }

    pub(super) fn name(&mut self, known: &mut Names) -> Option<SaeId> {
        let bytes = self.u32()? as usize;
        let (head, tail) = self.0.split_at_checked(bytes)?;
        self.0 = tail;
        known.name(std::str::from_utf8(head).ok()?).ok()
    }

    pub(super) fn names(&mut self, known: &mut Names) -> Option<(SaeId, Vec<SaeId>)> {
        let slaves = self.u32()?;
        let master = self.name(known)?;
        let slaves = (0..slaves).map(|_| self.name(known));
        Some((master, slaves.collect::<Option<_>>()?))
    }

    pub(super) fn ranges(&mut self) -> Option<Vec<KeyRange>> {
        (0..self.u32()?)
            .map(|_| {
                Some(KeyRange {
                    block: self.block()?,
                    offset: self.u32()?,
                    bytes: self.u32()?,
                })
            })
            .collect()
    }
}
