//! What Alice did in the slots that held light.

mod cursor;

use std::collections::VecDeque;
use std::ops::Range;

use zeroize::{Zeroize, Zeroizing};

use super::emissions::Packed;
use crate::source::Label;
pub(super) use cursor::{Cursor, NO_LIGHT};

/// Most slots of a run: an offset within it and a label share 32 bits.
pub(super) const RUN_SLOTS_MAX: u32 = 1 << (32 - Packed::LABEL_BITS);

/// Alice's choices in the slots that held light, four bytes each, oldest run first.
#[derive(Default)]
pub(super) struct Record {
    runs: VecDeque<Run>,
    kept_from: u64,
    /// Entries of all runs.
    held: usize,
    /// Wiped memory of runs that are forgotten. There are never more runs, these included, than
    /// were remembered at once.
    spare: Vec<Entries>,
    /// Entries that spare memory has room for at most: what light needs that somebody made brighter
    /// is not kept.
    spare_entries_max: usize,
}

/// A train or a piece of one.
struct Run {
    slots: Range<u64>,
    entries: Entries,
}

/// Offsets within a run and labels, strictly ascending. The memory is wiped before it is freed.
pub(super) struct Entries(Zeroizing<Vec<u32>>);

impl Entries {
    fn with_capacity(entries: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(entries)))
    }

    /// Adds a chunk of slots, as offsets within the run, with what was emitted in them.
    pub fn extend(&mut self, chunk: impl ExactSizeIterator<Item = (u32, Packed)>) {
        self.ensure(self.0.len() + chunk.len());
        let entries =
            chunk.map(|(offset, emission)| offset << Packed::LABEL_BITS | emission.label());
        self.0.extend(entries);
    }

    fn ensure(&mut self, capacity: usize) {
        if self.0.capacity() < capacity {
            // A vector that grows by itself leaves its old memory behind, unwiped.
            let mut grown = Self::with_capacity(capacity.max(2 * self.0.capacity()));
            grown.0.extend_from_slice(&self.0);
            *self = grown;
        }
    }

    fn offset(entry: u32) -> u32 {
        entry >> Packed::LABEL_BITS
    }

    fn label(entry: u32) -> Label {
        Label(entry as u8 & ((1 << Packed::LABEL_BITS) - 1))
    }
}

impl Record {
    /// First slot that is still remembered.
    pub fn kept_from(&self) -> u64 {
        self.kept_from
    }

    /// Bytes of all entries that are remembered.
    pub fn bytes(&self) -> u64 {
        self.held as u64 * size_of::<u32>() as u64
    }

    /// From now on memory is kept that has room for so many entries, or for what was said before.
    pub fn keep_memory_of(&mut self, entries: usize) {
        self.spare_entries_max = self.spare_entries_max.max(entries);
    }

    /// Memory for a run with about `expected` entries.
    pub fn entries(&mut self, expected: usize) -> Entries {
        let mut entries = self
            .spare
            .pop()
            .unwrap_or_else(|| Entries::with_capacity(0));
        entries.ensure(expected);
        entries
    }

    /// Runs whose memory waits to be used again.
    #[cfg(test)]
    pub fn spares(&self) -> usize {
        self.spare.len()
    }

    /// Remembers a run.
    pub fn push(&mut self, slots: Range<u64>, entries: Entries) {
        if entries.0.is_empty() {
            // A run without light leaves nothing to remember.
            self.keep(entries);
        } else {
            self.held += entries.0.len();
            self.runs.push_back(Run { slots, entries });
        }
    }

    /// Looks up slots from any place.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::new(&self.runs)
    }

    /// Adds the slots of a range that held light to `totals`, per intensity class.
    pub fn count(&self, slots: &Range<u64>, totals: &mut [u64]) {
        let first = self
            .runs
            .partition_point(|run| run.slots.end <= slots.start);
        for run in self.runs.range(first..) {
            if run.slots.start >= slots.end {
                break;
            }
            let entries = run.entries.0.iter();
            let within = entries.filter(|&&entry| {
                slots.contains(&(run.slots.start + u64::from(Entries::offset(entry))))
            });
            for &entry in within {
                totals[usize::from(Entries::label(entry).class())] += 1;
            }
        }
    }

    /// Wipes the runs that end at `slot` or before.
    pub fn forget_before(&mut self, slot: u64) {
        self.kept_from = self.kept_from.max(slot);
        let forgotten = self
            .runs
            .partition_point(|run| run.slots.end <= self.kept_from);
        for _ in 0..forgotten {
            if let Some(mut run) = self.runs.pop_front() {
                self.held -= run.entries.0.len();
                run.entries.0.zeroize();
                self.keep(run.entries);
            }
        }
    }

    /// Keeps wiped memory for the next run, unless it is more than one needs.
    fn keep(&mut self, entries: Entries) {
        if entries.0.capacity() <= self.spare_entries_max {
            self.spare.push(entries);
        }
    }
}
