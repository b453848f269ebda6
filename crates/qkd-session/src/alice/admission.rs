//! Which blocks Alice lets begin.

use std::ops::Range;

use super::{Alice, AliceBlock};
use crate::parts::part_count;
use crate::report::Ledger;
use crate::{DETECTIONS_PER_PART_MAX, Error};

/// Blocks here for each that Bob may have in flight, at most. Those that he has done with and Alice
/// has not, as their last step is still to be run, are twice as many at most when he is honest: none
/// opens while there are more than once as many, and he ends none that has not opened.
const BLOCKS_PER_PLACE_MAX: usize = 3;

impl Alice {
    /// Opens a block when the first part of its announcement arrives.
    pub(super) fn admit(
        &mut self,
        number: u64,
        parts: u32,
        slots: Range<u64>,
    ) -> Result<(), Error> {
        if self.blocks.contains(number) {
            return Ok(());
        }
        if number != self.blocks.begun() {
            return Err(Error::contradiction(
                number,
                "block number",
                number,
                self.blocks.begun(),
            ));
        }
        // Bob need not wait for Alice's last step, nor for her to read that he aborts.
        let in_flight = self.blocks.len() - self.blocks.over_for_peer();
        let limit = self.limits.blocks_in_flight_max;
        if in_flight >= limit {
            let given = format!("block number {} in flight", limit + 1);
            return Err(Error::contradiction(
                number,
                "announcement",
                given,
                format!("at most {limit}"),
            ));
        }
        let blocks_max = limit.saturating_mul(BLOCKS_PER_PLACE_MAX);
        if self.blocks.len() >= blocks_max {
            return Err(Error::contradiction(
                number,
                "announcement",
                format!("block number {} at once", self.blocks.len() + 1),
                format!("at most {blocks_max}"),
            ));
        }
        if slots.start < self.next_slot || slots.end <= slots.start {
            let expected = format!("a range that begins at {} or later", self.next_slot);
            return Err(Error::contradiction(
                number,
                "range of slots",
                format!("{slots:?}"),
                expected,
            ));
        }
        let context = self.blocks.context().clone();
        let detections_max = context.protocol.plan().detections;
        let parts_max = part_count(detections_max as usize, DETECTIONS_PER_PART_MAX);
        if parts == 0 || parts > parts_max {
            return Err(Error::contradiction(
                number,
                "number of parts",
                parts,
                format!("1 to {parts_max}"),
            ));
        }
        self.next_slot = slots.end;
        let ledger = Ledger::new(number, slots.clone(), context.protocol.as_ref());
        let block = AliceBlock::announced(context, ledger, self.secret.fork(), slots, parts);
        // Of what Bob says to one block, the parts of his announcement and an abort are all that he
        // says unasked.
        self.blocks.begin(block, parts as usize + 1);
        Ok(())
    }
}
