//! How an announcement becomes a block: limits first, then slots.

use qkd_bits::BitString;

use super::{Alice, AliceOutput, Block, Next, State};
use crate::parts::{Announced, PartCounter, part_count};
use crate::report::Ledger;
use crate::{DETECTIONS_PER_PART_MAX, Error, Message};

impl Alice {
    /// Opens a block when the first part of its announcement arrives.
    pub(super) fn admit(
        &mut self,
        number: u64,
        parts: u32,
        first_slot: u64,
        end_slot: u64,
    ) -> Result<(), Error> {
        if self.blocks.contains_key(&number) {
            return Ok(());
        }
        if number != self.next_block {
            return Err(Error::contradiction(
                number,
                "block number",
                number,
                self.next_block,
            ));
        }
        if self.blocks.len() >= self.limits.blocks_in_flight_max {
            let limit = self.limits.blocks_in_flight_max;
            let given = format!("block number {} in flight", limit + 1);
            return Err(Error::contradiction(
                number,
                "announcement",
                given,
                format!("at most {limit}"),
            ));
        }
        if first_slot < self.next_slot || end_slot <= first_slot {
            let given = format!("{first_slot}..{end_slot}");
            let expected = format!("a range that begins at {} or later", self.next_slot);
            return Err(Error::contradiction(
                number,
                "range of slots",
                given,
                expected,
            ));
        }
        let detections_max = self.protocol.plan().detections;
        let parts_max = part_count(detections_max as usize, DETECTIONS_PER_PART_MAX);
        if parts == 0 || parts > parts_max {
            return Err(Error::contradiction(
                number,
                "number of parts",
                parts,
                format!("1 to {parts_max}"),
            ));
        }
        self.next_block += 1;
        self.next_slot = end_slot;
        let announced = Announced {
            first_slot,
            end_slot,
            slots: Vec::new(),
            bases: BitString::new(),
        };
        let state = State::Announcing {
            counter: PartCounter::new(number, parts),
            announced,
        };
        let ledger = Ledger::new(number, first_slot..end_slot, self.protocol.as_ref());
        self.blocks.insert(number, Block { ledger, state });
        Ok(())
    }

    pub(super) fn announced(
        &self,
        mut counter: PartCounter,
        mut announced: Announced,
        message: Message,
        ledger: &mut Ledger,
        out: &mut Vec<AliceOutput>,
    ) -> Next {
        let Message::Announcement {
            block,
            part,
            parts,
            first_slot,
            end_slot,
            gaps,
            bases,
        } = message
        else {
            return Err(message.unexpected(ledger.block(), "its announcement is incomplete"));
        };
        if (first_slot, end_slot) != (announced.first_slot, announced.end_slot) {
            let expected = format!("{}..{}", announced.first_slot, announced.end_slot);
            return Err(Error::contradiction(
                block,
                "range of slots",
                format!("{first_slot}..{end_slot}"),
                expected,
            ));
        }
        if gaps.len() != bases.len() {
            return Err(Error::contradiction(
                block,
                "number of bases",
                bases.len(),
                gaps.len(),
            ));
        }
        let total = announced.slots.len() + gaps.len();
        let detections_max = self.protocol.plan().detections as usize;
        if gaps.len() > DETECTIONS_PER_PART_MAX || total > detections_max {
            return Err(Error::contradiction(
                block,
                "number of detections",
                total,
                format!("at most {detections_max}"),
            ));
        }
        let last = counter.take(part, parts)?;
        let mut position = announced.slots.last().copied();
        for gap in gaps {
            let slot = match position {
                None => announced.first_slot.checked_add(gap),
                Some(previous) if gap > 0 => previous.checked_add(gap),
                Some(_) => None,
            };
            let Some(slot) = slot.filter(|&slot| slot < announced.end_slot) else {
                return Err(Error::contradiction(
                    block,
                    "slot",
                    "not rising or beyond the block",
                    "rising slots inside the block",
                ));
            };
            announced.slots.push(slot);
            position = Some(slot);
        }
        announced.bases.append(&bases);
        if !last {
            return Ok(Some(State::Announcing { counter, announced }));
        }
        ledger.announced(announced.slots.len() as u64);
        out.push(AliceOutput::Begun {
            block,
            budget: self.protocol.parameters(),
        });
        out.push(AliceOutput::Recall {
            block,
            slots: announced.slots,
            end_slot,
        });
        Ok(Some(State::Recalling {
            bases: announced.bases,
        }))
    }
}
