//! How an announcement becomes slots.

use qkd_bits::BitString;

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
        announced.make_room(parts, detections_max);
        let taken = announced.slots.append(gaps, end_slot);
        taken.map_err(|fault| {
            Error::contradiction(block, fault.what, fault.found, fault.expected)
        })?;
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
            first_slot,
            end_slot,
        });
        Ok(State::Recalling {
            bases: announced.bases,
        })
    }
}

impl Announced {
    /// Makes room, when there is none yet, for as much as an announcement of so many parts and
    /// detections can hold, so that nothing moves while it grows.
    fn make_room(&mut self, parts: u32, detections_max: usize) {
        if self.bases.capacity() == 0 {
            let parts_max = (parts as usize).saturating_mul(DETECTIONS_PER_PART_MAX);
            let len_max = parts_max.min(detections_max);
            self.bases = BitString::with_capacity(len_max);
        }
    }
}
