//! How an announcement becomes slots.

use super::AliceOutput;
use super::block::{Facts, Next, State};
use crate::parts::{Announced, PartCounter};
use crate::{DETECTIONS_PER_PART_MAX, Error, Message};

impl Facts {
    pub(super) fn announced(
        &mut self,
        mut counter: PartCounter,
        mut announced: Announced,
        message: Message,
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
            return Err(message.unexpected(self.ledger.block(), "its announcement is incomplete"));
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
        let detections_max = self.context.protocol.plan().detections as usize;
        if gaps.len() > DETECTIONS_PER_PART_MAX || total > detections_max {
            return Err(Error::contradiction(
                block,
                "number of detections",
                total,
                format!("at most {detections_max}"),
            ));
        }
        let last = counter.take(part, parts)?;
        announced.append(block, gaps)?;
        announced.bases.append(&bases);
        if !last {
            return Ok(State::Announcing { counter, announced });
        }
        self.ledger.announced(announced.slots.len() as u64);
        out.push(AliceOutput::Begun {
            block,
            budget: self.context.protocol.parameters(),
        });
        out.push(AliceOutput::Recall {
            block,
            slots: announced.slots,
            end_slot,
        });
        Ok(State::Recalling {
            bases: announced.bases,
        })
    }
}

impl Announced {
    /// Adds the slots of one part.
    fn append(&mut self, block: u64, gaps: Vec<u64>) -> Result<(), Error> {
        self.slots.reserve(gaps.len());
        let mut position = self.slots.last().copied().unwrap_or(self.first_slot);
        // Only the very first slot may be where the counting begins.
        let mut gap_min = u64::from(!self.slots.is_empty());
        for gap in gaps {
            position = position.saturating_add(gap);
            if gap < gap_min || position >= self.end_slot {
                return Err(Error::contradiction(
                    block,
                    "slot",
                    "not rising or beyond the block",
                    "rising slots inside the block",
                ));
            }
            self.slots.push(position);
            gap_min = 1;
        }
        Ok(())
    }
}
