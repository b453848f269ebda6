//! Detections on their way into blocks, and the light that is asked for.

use qkd_optics::{Detections, Readings};

use super::{Bob, BobBlock, BobOutput};
use crate::parts::{DETECTIONS_PER_PART_MAX, part_count};
use crate::report::Ledger;
use crate::{Error, Message};

/// Closed blocks that wait for a thread to announce them: until then their detections have not been
/// put together. Light is wanted for one more block meanwhile, at most.
pub const UNANNOUNCED_BLOCKS_MAX: u64 = 4;

/// Two runs of detections below this length are joined: so many that each may be one of its own
/// piece of memory, and not so many that joining moves much.
const RUN_LENGTH_MIN: usize = 1 << 10;

#[derive(Default)]
pub(super) struct Collecting {
    pub(super) first_slot: u64,
    pub(super) next_slot: u64,
    pub(super) detections: Runs,
    /// Readings of all batches that detections of the block have come in.
    readings: Box<Readings>,
    /// Readings of the batch that comes next, or that is being collected.
    fresh: Box<Readings>,
}

impl Collecting {
    pub(super) fn read(&mut self, readings: &Readings) {
        self.fresh.add(readings);
    }
}

/// Detections in slot order, in the pieces in which the receiver gave them: what a block does with
/// each of them is no business of the engine's.
#[derive(Default)]
pub(super) struct Runs {
    runs: Vec<Detections>,
    len: usize,
}

/// A block that is closed.
pub(super) struct Collected {
    pub(super) detections: Runs,
    pub(super) readings: Box<Readings>,
}

impl Runs {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn add(&mut self, run: Detections) {
        self.len += run.len();
        match self.runs.last_mut() {
            Some(last) if last.len().max(run.len()) < RUN_LENGTH_MIN => last.append(&run),
            Some(_) | None => self.runs.push(run),
        }
    }

    pub(super) fn into_pieces(self) -> Vec<Detections> {
        self.runs
    }
}

impl Bob {
    pub(super) fn wants_light(&self) -> bool {
        let more = self
            .limits
            .blocks_max
            .is_none_or(|max| self.blocks.begun() < max);
        self.demand
            && more
            && self.blocks.len() < self.limits.blocks_in_flight_max
            && self.blocks.unopened() < UNANNOUNCED_BLOCKS_MAX
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
        detections: Detections,
        next_slot: u64,
        out: &mut Vec<BobOutput>,
    ) -> Result<(), Error> {
        let collecting = &mut self.collecting;
        collecting.readings.add(&collecting.fresh);
        let collected = self.collect_batch(detections, next_slot, out);
        if !self.wants_light() {
            *self.collecting.readings = Readings::default();
        }
        *self.collecting.fresh = Readings::default();
        collected
    }

    fn collect_batch(
        &mut self,
        mut detections: Detections,
        next_slot: u64,
        out: &mut Vec<BobOutput>,
    ) -> Result<(), Error> {
        if next_slot < self.collecting.next_slot {
            return Err(Error::Misuse {
                block: self.blocks.begun(),
                input: "detections of the past",
            });
        }
        self.collecting.next_slot = next_slot;
        if !self.wants_light() {
            // Light that was still on its way when the last block closed belongs to no block.
            self.collecting.detections = Runs::default();
            self.collecting.first_slot = next_slot;
            return Ok(());
        }
        let plan = self.blocks.context().protocol.plan();
        let (wanted, slots_max) = (plan.detections as usize, plan.slots_max);
        loop {
            let missing = wanted
                .saturating_sub(self.collecting.detections.len())
                .max(1);
            if detections.len() < missing {
                break;
            }
            let rest = detections.split_off(missing);
            let end_slot = detections.last_slot().map_or(next_slot, |last| last + 1);
            self.collecting.detections.add(detections);
            self.close(end_slot, out);
            if !self.wants_light() {
                // The rest belongs to no block, however long it is: no further one may begin.
                self.collecting.first_slot = next_slot;
                return Ok(());
            }
            detections = rest;
        }
        self.collecting.detections.add(detections);
        let collected = next_slot.saturating_sub(self.collecting.first_slot);
        if collected >= slots_max {
            self.close(next_slot, out);
        }
        Ok(())
    }

    /// Closes the block being collected before `end_slot`: it will commit to its detections.
    fn close(&mut self, end_slot: u64, out: &mut Vec<BobOutput>) {
        let number = self.blocks.begun();
        let detections = std::mem::take(&mut self.collecting.detections);
        // The rest of the batch is the next block's, and what is read off it both blocks'.
        let readings =
            std::mem::replace(&mut self.collecting.readings, self.collecting.fresh.clone());
        let slots = self.collecting.first_slot..end_slot;
        self.collecting.first_slot = end_slot;
        let context = self.blocks.context().clone();
        let ledger = Ledger::new(number, slots, context.protocol.as_ref());
        // No message is cut into more parts than the announcement: a key has fewer bits than the
        // block has detections, and each part of the seed more room. An abort may follow.
        let parts = part_count(detections.len(), DETECTIONS_PER_PART_MAX);
        let block = BobBlock::collected(
            context,
            ledger,
            self.secret.fork(),
            self.prior.qber,
            Collected {
                detections,
                readings,
            },
        );
        self.blocks.begin(block, parts as usize + 1);
        self.set_off(number, out);
    }
}
