//! What Alice did in the slots that held light.

use std::collections::VecDeque;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::INTENSITIES_MAX;
use crate::source::Label;

/// Alice's choices in the slots that held light, five bytes each, oldest train first.
#[derive(Default)]
pub(super) struct Record {
    trains: VecDeque<Train>,
    kept_from: u64,
}

/// One train's part of the record.
pub(super) struct Train {
    slots: Range<u64>,
    /// Strictly ascending, one for each label.
    offsets: Vec<u32>,
    labels: Zeroizing<Vec<u8>>,
    counts: [u64; INTENSITIES_MAX],
}

impl Train {
    /// An entry with room for `capacity` slots: growing would leave unwiped labels behind.
    pub fn new(slots: Range<u64>, capacity: usize) -> Self {
        Self {
            slots,
            offsets: Vec::with_capacity(capacity),
            labels: Zeroizing::new(Vec::with_capacity(capacity)),
            counts: [0; INTENSITIES_MAX],
        }
    }

    #[inline]
    pub fn push(&mut self, offset: u32, label: Label) {
        self.offsets.push(offset);
        self.labels.push(label.0);
        self.counts[usize::from(label.class()) % INTENSITIES_MAX] += 1;
    }
}

impl Record {
    /// First slot that is still remembered.
    pub fn kept_from(&self) -> u64 {
        self.kept_from
    }

    pub fn push(&mut self, train: Train) {
        // A train without light leaves nothing to remember.
        if !train.offsets.is_empty() {
            self.trains.push_back(train);
        }
    }

    /// The label of a slot that held light.
    pub fn label_at(&self, slot: u64) -> Option<Label> {
        let index = self.trains.partition_point(|train| train.slots.end <= slot);
        let train = self.trains.get(index)?;
        let offset = u32::try_from(slot.checked_sub(train.slots.start)?).ok()?;
        let position = train.offsets.binary_search(&offset).ok()?;
        train.labels.get(position).map(|&label| Label(label))
    }

    /// Adds the slots of a range that held light to `totals`, per intensity class.
    pub fn count(&self, slots: &Range<u64>, totals: &mut [u64]) {
        let first = self
            .trains
            .partition_point(|train| train.slots.end <= slots.start);
        for train in self.trains.range(first..) {
            if train.slots.start >= slots.end {
                break;
            }
            if slots.start <= train.slots.start && train.slots.end <= slots.end {
                for (total, count) in totals.iter_mut().zip(train.counts) {
                    *total += count;
                }
                continue;
            }
            for (&offset, &label) in train.offsets.iter().zip(train.labels.iter()) {
                if slots.contains(&(train.slots.start + u64::from(offset))) {
                    totals[usize::from(Label(label).class())] += 1;
                }
            }
        }
    }

    pub fn forget_before(&mut self, slot: u64) {
        self.kept_from = self.kept_from.max(slot);
        while self
            .trains
            .front()
            .is_some_and(|train| train.slots.end <= self.kept_from)
        {
            self.trains.pop_front();
        }
    }
}
