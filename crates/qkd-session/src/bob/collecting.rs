//! Detections on their way into blocks, and the light that is asked for.

use qkd_optics::Detection;
use qkd_protocols::{BobRecord, Disclosed};

use super::{Block, Bob, BobOutput, State};
use crate::parts::{
    Announced, DETECTIONS_PER_PART_MAX, PartCounter, announcement_messages, part_count,
};
use crate::report::Ledger;
use crate::{Error, Message};

#[derive(Default)]
pub(super) struct Collecting {
    pub(super) first_slot: u64,
    pub(super) next_slot: u64,
    pub(super) detections: Vec<Detection>,
}

impl Bob {
    pub(super) fn wants_light(&self) -> bool {
        let more = self
            .limits
            .blocks_max
            .is_none_or(|max| self.next_block < max);
        self.demand && more && self.blocks.len() < self.limits.blocks_in_flight_max
    }

    pub(super) fn ask_for_light(&mut self, out: &mut Vec<BobOutput>) {
        let wanted = self.wants_light();
        if wanted != self.asked_for_light {
            self.asked_for_light = wanted;
            out.push(BobOutput::Send(Message::Transmission { wanted }));
        }
    }

    pub(super) fn collect(
        &mut self,
        detections: Vec<Detection>,
        next_slot: u64,
        out: &mut Vec<BobOutput>,
    ) -> Result<(), Error> {
        let block = self.next_block;
        if next_slot < self.collecting.next_slot {
            return Err(Error::Misuse {
                block,
                input: "detections of the past",
            });
        }
        self.collecting.next_slot = next_slot;
        if !self.wants_light() {
            // Light that was still on its way when the last block closed belongs to no block.
            self.collecting.detections.clear();
            self.collecting.first_slot = next_slot;
            return Ok(());
        }
        let wanted = self.protocol.plan().detections as usize;
        for detection in detections {
            let slot = detection.slot;
            self.collecting.detections.push(detection);
            if self.collecting.detections.len() >= wanted {
                self.announce(slot + 1, out);
                if !self.wants_light() {
                    // The rest belongs to no block, however long it is: no further one may begin.
                    self.collecting.first_slot = next_slot;
                    return Ok(());
                }
            }
        }
        let collected = next_slot.saturating_sub(self.collecting.first_slot);
        if collected >= self.protocol.plan().slots_max {
            self.announce(next_slot, out);
        }
        Ok(())
    }

    /// Closes the block being collected before `end_slot` and commits to its detections.
    fn announce(&mut self, end_slot: u64, out: &mut Vec<BobOutput>) {
        let number = self.next_block;
        self.next_block += 1;
        let detections = std::mem::take(&mut self.collecting.detections);
        let record = BobRecord::new(&detections);
        let announced = Announced {
            first_slot: self.collecting.first_slot,
            end_slot,
            slots: detections.iter().map(|detection| detection.slot).collect(),
            bases: record.bases().clone(),
        };
        self.collecting.first_slot = end_slot;
        for message in announcement_messages(number, &announced) {
            out.push(BobOutput::Send(message));
        }
        let slots = announced.first_slot..end_slot;
        let mut ledger = Ledger::new(number, slots, self.protocol.as_ref());
        ledger.announced(announced.slots.len() as u64);
        let parts = part_count(announced.slots.len(), DETECTIONS_PER_PART_MAX);
        let state = State::Announced {
            record,
            counter: PartCounter::new(number, parts),
            disclosed: Disclosed::default(),
        };
        self.blocks.insert(number, Block { ledger, state });
    }
}
