//! All committed blocks that still hold material, and what of them is free, always added up.
//!
//! Nothing here takes longer than the logarithm of the number of blocks: an answer costs the same
//! with a thousand keys in store and with a million.

use std::collections::{BTreeMap, BTreeSet};

use crate::material::{Block, Holder};
use crate::{BlockId, KeyRange, Side};

const SIDES: [Side; 2] = [Side::Alice, Side::Bob];

/// Committed blocks.
#[derive(Default)]
pub(crate) struct Pool {
    blocks: BTreeMap<BlockId, Block>,
    /// The same blocks in the order of their commits, in which they are used up.
    order: BTreeMap<u64, BlockId>,
    /// Places in that order of the blocks in which Alice, and Bob, has free bytes.
    open: [BTreeSet<u64>; 2],
    /// Free bytes of Alice's and of Bob's share.
    free_bytes: [u64; 2],
    /// Bytes held, used ones included.
    material_bytes: u64,
    /// Blocks whose state has to be written down again.
    dirty: BTreeSet<BlockId>,
}

impl Pool {
    /// Takes in a committed block; false when another one has its place in the order.
    pub(crate) fn insert(&mut self, id: BlockId, block: Block) -> bool {
        let index = block.record().index;
        if self.order.contains_key(&index) {
            return false;
        }
        self.order.insert(index, id);
        self.material_bytes += block.material().len() as u64;
        self.count(index, [0; 2], SIDES.map(|side| block.free(side)));
        self.blocks.insert(id, block);
        true
    }

    pub(crate) fn get(&self, id: &BlockId) -> Option<&Block> {
        self.blocks.get(id)
    }

    pub(crate) fn contains(&self, id: &BlockId) -> bool {
        self.blocks.contains_key(id)
    }

    pub(crate) fn len(&self) -> u64 {
        self.blocks.len() as u64
    }

    pub(crate) fn ids(&self) -> Vec<BlockId> {
        self.blocks.keys().copied().collect()
    }

    /// The block with a place among the commits.
    pub(crate) fn at(&self, index: u64) -> Option<&BlockId> {
        self.order.get(&index)
    }

    /// Blocks committed after the first `index`, with their places.
    pub(crate) fn after(&self, index: u64) -> impl Iterator<Item = (u64, BlockId)> {
        self.order
            .range(index + 1..)
            .map(|(&index, &id)| (index, id))
    }

    /// Bytes that `side` may assign.
    pub(crate) fn free_bytes(&self, side: Side) -> u64 {
        self.free_bytes[side as usize]
    }

    /// Bytes held, used ones of unfinished blocks included.
    pub(crate) fn material_bytes(&self) -> u64 {
        self.material_bytes
    }

    /// The oldest block in which `side` has free bytes.
    pub(crate) fn first_open(&self, side: Side) -> Option<BlockId> {
        let index = self.open[side as usize].first()?;
        self.order.get(index).copied()
    }

    /// The newest blocks in which `side` has free bytes.
    pub(crate) fn newest_open(&self, side: Side) -> impl Iterator<Item = (BlockId, &Block)> {
        let newest = self.open[side as usize].iter().rev();
        newest.filter_map(|index| {
            let id = self.order.get(index)?;
            self.blocks.get(id).map(|block| (*id, block))
        })
    }

    /// Every share of which `side` has free bytes, in the order of the commits: the side that it was cut
    /// for, and how many bytes.
    pub(crate) fn held(&self, side: Side) -> impl Iterator<Item = ((BlockId, Side), u32)> {
        let open = self.open[side as usize].iter();
        let blocks = open.filter_map(|index| {
            let id = self.order.get(index)?;
            self.blocks.get(id).map(|block| (*id, block))
        });
        blocks.flat_map(move |(id, block)| {
            SIDES.into_iter().filter_map(move |first| {
                let (_, bytes) = block.free_of(side, first)?;
                Some(((id, first), bytes))
            })
        })
    }

    /// Alters the last bit of the block that was committed last, if there is one.
    pub(crate) fn alter_newest(&mut self) -> bool {
        let newest = self.order.last_key_value();
        let block = newest.and_then(|(_, id)| self.blocks.get_mut(id));
        block.is_some_and(Block::alter)
    }

    /// Has a share change hands.
    pub(crate) fn set_holder(&mut self, id: BlockId, first: Side, holder: Holder) {
        if self
            .change(&id, |block| block.set_holder(first, holder))
            .is_some()
        {
            self.dirty.insert(id);
        }
    }

    /// Blocks of which this side gave its share up without having heard that the other has it.
    pub(crate) fn on_the_way(&self, first: Side) -> BTreeSet<BlockId> {
        let blocks = self.blocks.iter();
        let on_the_way = blocks.filter(|(_, block)| block.holder(first) == Holder::Nobody);
        on_the_way.map(|(id, _)| *id).collect()
    }

    /// Changes a block that is here, and adds up anew what it has free.
    pub(crate) fn change<T>(
        &mut self,
        id: &BlockId,
        change: impl FnOnce(&mut Block) -> T,
    ) -> Option<T> {
        let block = self.blocks.get_mut(id)?;
        let before = SIDES.map(|side| block.free(side));
        let changed = change(block);
        let after = SIDES.map(|side| block.free(side));
        let index = block.record().index;
        if before != after {
            self.count(index, before, after);
        }
        Some(changed)
    }

    /// Counts a key that waits here as a user of its block; nothing when the block is not here or
    /// that part of it was never assigned.
    pub(crate) fn hold_assigned(&mut self, range: &KeyRange) -> Option<()> {
        let block = self.blocks.get_mut(&range.block)?;
        block.was_assigned(range).then(|| block.hold())
    }

    /// Marks everything of a share up to the end of `range` as assigned.
    pub(crate) fn advance(&mut self, range: &KeyRange) {
        if self
            .change(&range.block, |block| block.advance(range))
            .is_some()
        {
            self.dirty.insert(range.block);
        }
    }

    /// Has a block's state written down with the next commit.
    pub(crate) fn mark(&mut self, id: BlockId) {
        self.dirty.insert(id);
    }

    /// Removes a block whatever is left of it.
    pub(crate) fn remove(&mut self, id: &BlockId) -> Option<Block> {
        let block = self.blocks.remove(id)?;
        let index = block.record().index;
        self.count(index, SIDES.map(|side| block.free(side)), [0; 2]);
        self.order.remove(&index);
        self.material_bytes -= block.material().len() as u64;
        self.dirty.remove(id);
        Some(block)
    }

    /// Removes a block that nothing is needed of any more; false when there is something.
    pub(crate) fn retire(&mut self, id: &BlockId) -> bool {
        if !self.blocks.get(id).is_some_and(Block::is_exhausted) {
            return false;
        }
        self.remove(id).is_some()
    }

    /// Blocks whose state has to be written down, for the last time.
    pub(crate) fn take_dirty(&mut self) -> impl Iterator<Item = (BlockId, &Block)> {
        std::mem::take(&mut self.dirty)
            .into_iter()
            .filter_map(|id| self.blocks.get(&id).map(|block| (id, block)))
    }

    fn count(&mut self, index: u64, before: [u32; 2], after: [u32; 2]) {
        for side in SIDES {
            let (before, after) = (before[side as usize], after[side as usize]);
            let free = &mut self.free_bytes[side as usize];
            *free = *free - u64::from(before) + u64::from(after);
            let open = &mut self.open[side as usize];
            if after == 0 {
                open.remove(&index);
            } else if before == 0 {
                open.insert(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(block: u64) -> BlockId {
        BlockId { session: 1, block }
    }

    fn committed(index: u64, bytes: usize) -> Block {
        Block::new([0; 8], index, vec![1; bytes].into())
    }

    #[test]
    fn what_is_free_is_added_up_over_every_change_and_the_oldest_open_block_comes_first() {
        let mut pool = Pool::default();
        assert!(pool.insert(id(1), committed(2, 20)));
        assert!(pool.insert(id(2), committed(1, 8)));
        assert!(!pool.insert(id(3), committed(1, 8)), "its place is taken");
        assert_eq!(SIDES.map(|side| pool.free_bytes(side)), [14, 14]);
        assert_eq!(pool.material_bytes(), 28);
        assert_eq!(pool.first_open(Side::Alice), Some(id(2)));
        let whole_share = KeyRange {
            block: id(2),
            offset: 0,
            bytes: 4,
        };
        pool.advance(&whole_share);
        assert_eq!(SIDES.map(|side| pool.free_bytes(side)), [10, 14]);
        assert_eq!(
            SIDES.map(|side| pool.first_open(side)),
            [Some(id(1)), Some(id(2))]
        );
        assert!(!pool.retire(&id(2)), "Bob's share is free");
        let of_bob = KeyRange {
            offset: 4,
            ..whole_share
        };
        pool.advance(&of_bob);
        assert_eq!(
            pool.take_dirty().map(|(id, _)| id).collect::<Vec<_>>(),
            [id(2)]
        );
        assert!(pool.retire(&id(2)));
        assert_eq!((pool.len(), pool.material_bytes()), (1, 20));
        assert_eq!(pool.take_dirty().count(), 0);
    }
}
