//! One committed block in memory: its bytes, and how far each side's share is used.

use std::ops::Range;

use qkd_bits::SecretBytes;

use crate::record::BlockRecord;
use crate::{CheckValue, KeyRange, Side};

/// A committed block. The first half of its bytes is Alice's share, the second half Bob's; each
/// share is used from its start, so one cursor per share says what is free.
pub(crate) struct Block {
    record: BlockRecord,
    material: SecretBytes,
    /// Keys and unsettled assignments that still need bytes of this block.
    users: u32,
}

impl Block {
    /// A fresh block, its bytes all free. `index` is 0 while it is prepared only.
    pub(crate) fn new(check: CheckValue, index: u64, material: SecretBytes) -> Self {
        let cursors = [Side::Alice, Side::Bob].map(|side| share(material.len(), side).start);
        Self {
            record: BlockRecord {
                check,
                index,
                cursors,
            },
            material,
            users: 0,
        }
    }

    /// A block as it was stored; `None` when the record does not fit the material.
    pub(crate) fn restore(record: BlockRecord, material: SecretBytes) -> Option<Self> {
        let block = Self {
            record,
            material,
            users: 0,
        };
        [Side::Alice, Side::Bob]
            .into_iter()
            .all(|side| {
                let share = block.share(side);
                (share.start..=share.end).contains(&block.cursor(side))
            })
            .then_some(block)
    }

    pub(crate) fn record(&self) -> &BlockRecord {
        &self.record
    }

    pub(crate) fn material(&self) -> &SecretBytes {
        &self.material
    }

    pub(crate) fn set_index(&mut self, index: u64) {
        self.record.index = index;
    }

    /// The bytes that `side` gives keys from.
    pub(crate) fn share(&self, side: Side) -> Range<u32> {
        share(self.material.len(), side)
    }

    /// First byte of `side`'s share that was never assigned.
    pub(crate) fn cursor(&self, side: Side) -> u32 {
        self.record.cursors[side as usize]
    }

    /// Bytes of `side`'s share that were never assigned.
    pub(crate) fn free(&self, side: Side) -> u32 {
        self.share(side).end - self.cursor(side)
    }

    /// Whether `range` lies in `side`'s share and none of it was assigned before.
    pub(crate) fn is_free(&self, side: Side, range: &KeyRange) -> bool {
        range.offset >= self.cursor(side) && self.contains(side, range)
    }

    /// Whether `range` has bytes and lies in `side`'s share.
    pub(crate) fn contains(&self, side: Side, range: &KeyRange) -> bool {
        let share = self.share(side);
        let end = range.offset.checked_add(range.bytes);
        range.bytes > 0 && range.offset >= share.start && end.is_some_and(|end| end <= share.end)
    }

    /// Marks everything of `side`'s share up to the end of `range` as assigned.
    pub(crate) fn advance(&mut self, side: Side, range: &KeyRange) {
        let cursor = &mut self.record.cursors[side as usize];
        *cursor = (*cursor).max(range.offset + range.bytes);
    }

    /// Copies the bytes of `range` to `key` and wipes them here.
    pub(crate) fn take(&mut self, range: &KeyRange, key: &mut [u8]) {
        let start = range.offset as usize;
        let bytes = &mut self.material.expose_mut()[start..start + range.bytes as usize];
        key.copy_from_slice(bytes);
        bytes.fill(0);
    }

    /// Copies the bytes of `range` to `key`.
    pub(crate) fn copy(&self, range: &KeyRange, key: &mut [u8]) {
        let start = range.offset as usize;
        key.copy_from_slice(&self.material.expose()[start..start + range.bytes as usize]);
    }

    pub(crate) fn hold(&mut self) {
        self.users += 1;
    }

    pub(crate) fn release(&mut self) {
        self.users -= 1;
    }

    /// Whether nothing of this block will ever be needed again.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.users == 0 && self.free(Side::Alice) == 0 && self.free(Side::Bob) == 0
    }
}

fn share(bytes: usize, side: Side) -> Range<u32> {
    // A store's limits keep material below 4 GiB.
    let bytes = bytes as u32;
    match side {
        Side::Alice => 0..bytes / 2,
        Side::Bob => bytes / 2..bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BlockId;

    fn range(offset: u32, bytes: u32) -> KeyRange {
        let block = BlockId {
            session: 1,
            block: 1,
        };
        KeyRange {
            block,
            offset,
            bytes,
        }
    }

    #[test]
    fn shares_are_disjoint_and_cover_the_block() {
        for bytes in [2, 3, 100, 101] {
            let (alice, bob) = (share(bytes, Side::Alice), share(bytes, Side::Bob));
            assert_eq!((alice.start, alice.end), (0, bob.start));
            assert_eq!(bob.end, bytes as u32);
        }
    }

    #[test]
    fn only_unassigned_bytes_of_the_right_share_are_free() {
        let mut block = Block::new([0; 8], 1, vec![1; 20].into());
        assert!(block.is_free(Side::Alice, &range(0, 10)));
        assert!(!block.is_free(Side::Alice, &range(0, 11)));
        assert!(!block.is_free(Side::Alice, &range(0, 0)));
        assert!(!block.is_free(Side::Bob, &range(9, 2)));
        assert!(!block.is_free(Side::Bob, &range(10, u32::MAX)));
        block.advance(Side::Alice, &range(2, 4));
        assert_eq!(block.free(Side::Alice), 4);
        assert!(!block.is_free(Side::Alice, &range(5, 2)));
        assert!(block.is_free(Side::Alice, &range(6, 4)));
        assert_eq!(block.free(Side::Bob), 10);
    }

    #[test]
    fn taken_bytes_are_wiped_and_an_exhausted_block_is_one_without_users() {
        let mut block = Block::new([0; 8], 1, vec![7; 4].into());
        block.hold();
        let mut key = [0; 2];
        block.take(&range(0, 2), &mut key);
        assert_eq!(key, [7; 2]);
        assert_eq!(block.material().expose(), [0, 0, 7, 7]);
        block.advance(Side::Alice, &range(0, 2));
        block.advance(Side::Bob, &range(2, 2));
        assert!(!block.is_exhausted());
        block.release();
        assert!(block.is_exhausted());
    }
}
