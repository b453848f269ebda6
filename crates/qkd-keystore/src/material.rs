//! One committed block in memory: its bytes, and how far each side's share is used.

use std::ops::Range;

use qkd_bits::SecretBytes;

use crate::record::BlockRecord;
use crate::{CheckValue, KeyRange, Side};

const SIDES: [Side; 2] = [Side::Alice, Side::Bob];

/// Whose a share of a block is. It changes hands once at most, as a whole and untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The side that it was cut for.
    First,
    /// Nobody's for all that this side knows, which gave it up: it is on its way to the other.
    Nobody,
    /// The other side.
    Other,
}

/// A committed block. The first half of its bytes is cut for Alice, the second half for Bob; each
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
                holders: [Holder::First; 2],
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

    /// The bytes that were cut for `side`.
    fn share(&self, side: Side) -> Range<u32> {
        share(self.material.len(), side)
    }

    fn cursor(&self, first: Side) -> u32 {
        self.record.cursors[first as usize]
    }

    /// Never assigned bytes of the share cut for `first`, whoever's it is.
    fn rest(&self, first: Side) -> u32 {
        self.share(first).end - self.cursor(first)
    }

    /// Whether keys may be cut from the share of `first` by `side`.
    fn is_held_by(&self, side: Side, first: Side) -> bool {
        match self.record.holders[first as usize] {
            Holder::First => side == first,
            Holder::Nobody => false,
            Holder::Other => side != first,
        }
    }

    /// Bytes that `side` may assign.
    pub(crate) fn free(&self, side: Side) -> u32 {
        let held = SIDES
            .into_iter()
            .filter(|&first| self.is_held_by(side, first));
        held.map(|first| self.rest(first)).sum()
    }

    /// The next free piece of `side`'s: where it begins, and how many bytes it has.
    pub(crate) fn next_free(&self, side: Side) -> Option<(u32, u32)> {
        let mut held = SIDES
            .into_iter()
            .filter(|&first| self.is_held_by(side, first));
        held.find(|&first| self.rest(first) > 0)
            .map(|first| (self.cursor(first), self.rest(first)))
    }

    /// What is free of the share cut for `first`, if `side` may assign it: where it begins, and how many
    /// bytes it has.
    pub(crate) fn free_of(&self, side: Side, first: Side) -> Option<(u32, u32)> {
        let is_free = self.is_held_by(side, first) && self.rest(first) > 0;
        is_free.then(|| (self.cursor(first), self.rest(first)))
    }

    /// Whose share `range` lies in, as it was cut.
    pub(crate) fn cut_for(&self, range: &KeyRange) -> Option<Side> {
        let end = range.offset.checked_add(range.bytes)?;
        let lies_in = |share: Range<u32>| range.offset >= share.start && end <= share.end;
        let is_there = |side: &Side| range.bytes > 0 && lies_in(self.share(*side));
        SIDES.into_iter().find(is_there)
    }

    /// Whether `range` lies in a share of `side`'s. A peer that assigns from a share which is on its
    /// way to it has got it, though its answer has not come.
    pub(crate) fn contains(&self, side: Side, range: &KeyRange) -> bool {
        self.cut_for(range).is_some_and(|first| {
            let is_kept = self.record.holders[first as usize] == Holder::First;
            is_kept == (side == first)
        })
    }

    /// Whether `range` lies in a share of `side`'s and none of it was assigned before.
    pub(crate) fn is_free(&self, side: Side, range: &KeyRange) -> bool {
        self.contains(side, range) && !self.was_assigned(range)
    }

    /// Whether `range` begins before what is free of its share.
    pub(crate) fn was_assigned(&self, range: &KeyRange) -> bool {
        self.cut_for(range)
            .is_some_and(|first| range.offset < self.cursor(first))
    }

    /// Marks everything of a share up to the end of `range` as assigned.
    pub(crate) fn advance(&mut self, range: &KeyRange) {
        if let Some(first) = self.cut_for(range) {
            let cursor = &mut self.record.cursors[first as usize];
            *cursor = (*cursor).max(range.offset + range.bytes);
        }
    }

    /// Bytes of the share cut for `first` if it is still there and untouched, so that it may change
    /// hands.
    pub(crate) fn untouched(&self, first: Side) -> Option<u32> {
        let share = self.share(first);
        let is_whole = self.cursor(first) == share.start;
        let is_kept = self.record.holders[first as usize] == Holder::First;
        (is_whole && is_kept && !share.is_empty()).then(|| share.end - share.start)
    }

    pub(crate) fn holder(&self, first: Side) -> Holder {
        self.record.holders[first as usize]
    }

    pub(crate) fn set_holder(&mut self, first: Side, holder: Holder) {
        self.record.holders[first as usize] = holder;
    }

    /// The bytes of `range`, which lies in the material.
    pub(crate) fn bytes(&self, range: &KeyRange) -> &[u8] {
        let start = range.offset as usize;
        &self.material.expose()[start..start + range.bytes as usize]
    }

    /// Copies the bytes of `range` to `key`.
    pub(crate) fn copy(&self, range: &KeyRange, key: &mut [u8]) {
        key.copy_from_slice(self.bytes(range));
    }

    /// Copies the bytes of `range` to `key` and wipes them here.
    pub(crate) fn take(&mut self, range: &KeyRange, key: &mut [u8]) {
        let start = range.offset as usize;
        let bytes = &mut self.material.expose_mut()[start..start + range.bytes as usize];
        key.copy_from_slice(bytes);
        bytes.fill(0);
    }

    /// Alters the last bit; false when there is none.
    pub(crate) fn alter(&mut self) -> bool {
        let last = self.material.expose_mut().last_mut();
        last.map(|byte| *byte ^= 0x80).is_some()
    }

    pub(crate) fn hold(&mut self) {
        self.users += 1;
    }

    pub(crate) fn release(&mut self) {
        self.users -= 1;
    }

    /// Whether keys or unsettled assignments need bytes of this block.
    pub(crate) fn is_used(&self) -> bool {
        self.users > 0
    }

    /// Whether nothing of this block will ever be needed again.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.users == 0 && SIDES.into_iter().all(|first| self.rest(first) == 0)
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
        block.advance(&range(2, 4));
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
        block.advance(&range(0, 2));
        block.advance(&range(2, 2));
        assert!(!block.is_exhausted());
        block.release();
        assert!(block.is_exhausted());
    }

    #[test]
    fn a_share_that_changes_hands_is_nobodys_on_the_way_and_the_others_then() {
        let mut block = Block::new([0; 8], 1, vec![1; 20].into());
        assert_eq!(block.untouched(Side::Bob), Some(10));
        block.set_holder(Side::Bob, Holder::Nobody);
        assert_eq!(SIDES.map(|side| block.free(side)), [10, 0]);
        assert!(block.is_free(Side::Alice, &range(10, 10)), "she has got it");
        assert!(!block.is_free(Side::Bob, &range(10, 10)));
        block.set_holder(Side::Bob, Holder::Other);
        assert_eq!(SIDES.map(|side| block.free(side)), [20, 0]);
        assert!(
            !block.is_free(Side::Alice, &range(5, 10)),
            "a piece lies in one share"
        );
        block.advance(&range(0, 10));
        assert_eq!(block.next_free(Side::Alice), Some((10, 10)));
        block.advance(&range(10, 1));
        assert_eq!(block.untouched(Side::Bob), None);
        assert!(block.was_assigned(&range(10, 1)) && !block.was_assigned(&range(11, 1)));
    }
}
