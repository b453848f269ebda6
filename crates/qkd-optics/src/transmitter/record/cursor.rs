//! Slots looked up in the record.

use std::collections::VecDeque;

use super::{Entries, Run};
use crate::source::Label;

/// Stands for a slot that held no light where many are looked up at once.
pub(in crate::transmitter) const NO_LIGHT: u8 = u8::MAX;

/// Parts of a list of slots that are looked up side by side: where a slot is found depends on the
/// one before it in its part, and the processor need not wait for those of the others.
const STREAMS: usize = 4;

/// Slots from which on that pays.
const STREAMED_MIN: usize = 64;

/// Entries that are compared with a slot at once.
const ENTRIES_AT_ONCE: usize = 8;

/// Looks slots up, fastest when they ascend.
pub(in crate::transmitter) struct Cursor<'a> {
    runs: &'a VecDeque<Run>,
    /// Number of the run, and of the entry within it, from which on to look.
    run: usize,
    entry: usize,
    /// The slot that was looked up last.
    slot: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(runs: &'a VecDeque<Run>) -> Self {
        Self {
            runs,
            run: 0,
            entry: 0,
            // Nothing goes on from here.
            slot: u64::MAX,
        }
    }

    /// The label of a slot that held light. Slots that ascend are found by going on from the last
    /// one, others by bisection.
    pub fn label_at(&mut self, slot: u64) -> Option<Label> {
        let mut label = [NO_LIGHT];
        self.labels_at(&[slot], &mut label);
        let [label] = label;
        (label != NO_LIGHT).then_some(Label(label))
    }

    /// The labels of as many slots, which ascend: [`NO_LIGHT`] for those that held none.
    pub fn labels_at(&mut self, mut slots: &[u64], mut labels: &mut [u8]) {
        while let Some(&first) = slots.first() {
            let Some(run) = self.run_of(first) else {
                labels.fill(NO_LIGHT);
                return;
            };
            let within = slots.partition_point(|&slot| slot < run.slots.end);
            let (here, later) = slots.split_at(within);
            let (found, rest) = labels.split_at_mut(within);
            self.entry = run.labels_at(self.entry, here, found);
            self.slot = here.last().copied().unwrap_or(first);
            (slots, labels) = (later, rest);
        }
    }

    /// The first run that ends behind a slot. No entry before [`entry`](Self::entry) is of that
    /// slot or a later one.
    fn run_of(&mut self, slot: u64) -> Option<&'a Run> {
        let run = self.runs.get(self.run);
        let goes_on = slot >= self.slot && run.is_some_and(|run| slot < run.slots.end);
        if !goes_on {
            self.run = self.runs.partition_point(|run| run.slots.end <= slot);
            let run = self.runs.get(self.run);
            self.entry = run.map_or(0, |run| bisect(&run.entries.0, run.offset(slot)));
        }
        self.runs.get(self.run)
    }
}

impl Run {
    /// A slot before the end of the run, which spans fewer slots than 32 bits count, as its offset;
    /// what is before the run as its beginning.
    fn offset(&self, slot: u64) -> u32 {
        slot.saturating_sub(self.slots.start) as u32
    }

    /// The labels of ascending slots before the end of the run, none of which has an entry before
    /// `entry`. Returns the entry from which on to look for what follows.
    fn labels_at(&self, entry: usize, slots: &[u64], labels: &mut [u8]) -> usize {
        let before = slots.partition_point(|&slot| slot < self.slots.start);
        let (nowhere, labels) = labels.split_at_mut(before);
        nowhere.fill(NO_LIGHT);
        let slots = &slots[before..];
        let entries = self.entries.0.as_slice();
        let mut places = [entry; STREAMS];
        let part = match slots.len() {
            few if few < STREAMED_MIN => 0,
            many => many / STREAMS,
        };
        let streams = if part == 0 { 1 } else { STREAMS };
        for stream in 1..streams {
            let from = places[stream - 1];
            let offset = self.offset(slots[stream * part]);
            places[stream] = from + bisect(&entries[from..], offset);
        }
        for i in 0..part {
            for (stream, place) in places.iter_mut().enumerate() {
                let at = stream * part + i;
                (*place, labels[at]) = find(entries, *place, self.offset(slots[at]));
            }
        }
        // The last stream goes on where it is; without streams, all of them are where we began.
        let [.., mut place] = places;
        for at in STREAMS * part..slots.len() {
            (place, labels[at]) = find(entries, place, self.offset(slots[at]));
        }
        place
    }
}

/// Entries before an offset.
fn bisect(entries: &[u32], offset: u32) -> usize {
    entries.partition_point(|&entry| Entries::offset(entry) < offset)
}

/// Goes on from entry `from`, which is not behind the offset, to where the offset is or would be;
/// and its label.
#[inline(always)]
fn find(entries: &[u32], from: usize, offset: u32) -> (usize, u8) {
    let mut place = from;
    // Without a branch on how far it is, which nobody can predict: a few entries are all compared.
    while let Some(ahead) = entries[place..].first_chunk::<ENTRIES_AT_ONCE>() {
        // Offsets have 27 bits: as signed numbers every machine compares four of them at once.
        let before = ahead.map(|entry| i32::from((Entries::offset(entry) as i32) < offset as i32));
        let before = before.into_iter().sum::<i32>() as usize;
        place += before;
        if before < ENTRIES_AT_ONCE {
            return (place, label_of(entries, place, offset));
        }
    }
    place += bisect(&entries[place..], offset);
    (place, label_of(entries, place, offset))
}

#[inline(always)]
fn label_of(entries: &[u32], place: usize, offset: u32) -> u8 {
    match entries.get(place) {
        Some(&entry) if Entries::offset(entry) == offset => Entries::label(entry).0,
        Some(_) | None => NO_LIGHT,
    }
}
