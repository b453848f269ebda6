//! Many slots asked for at once.

use zeroize::Zeroizing;

use super::Transmitter;
use super::record::{Cursor, NO_LIGHT};
use crate::Choice;
use crate::source::Label;

/// Slots that are looked up together.
const SLOTS_AT_ONCE: usize = 512;

/// Alice's choices in a list of slots, all of which are known, one after another.
pub(super) struct Recall<'a> {
    transmitter: &'a Transmitter,
    cursor: Cursor<'a>,
    /// The slots that have not been looked up yet.
    slots: &'a [u64],
    /// Whether they ascend.
    ascending: bool,
    /// What has been looked up, and the part of it that has not been handed out.
    labels: Zeroizing<[u8; SLOTS_AT_ONCE]>,
    next: usize,
    end: usize,
}

impl<'a> Recall<'a> {
    pub fn new(transmitter: &'a Transmitter, slots: &'a [u64], ascending: bool) -> Self {
        Self {
            transmitter,
            cursor: transmitter.record.cursor(),
            slots,
            ascending,
            labels: Zeroizing::new([NO_LIGHT; SLOTS_AT_ONCE]),
            next: 0,
            end: 0,
        }
    }

    fn look_up(&mut self) {
        let (now, later) = self.slots.split_at(self.slots.len().min(SLOTS_AT_ONCE));
        let labels = &mut self.labels[..now.len()];
        if self.ascending {
            self.cursor.labels_at(now, labels);
        } else {
            for (slot, label) in now.iter().zip(labels.iter_mut()) {
                self.cursor.labels_at(&[*slot], std::slice::from_mut(label));
            }
        }
        for (&slot, label) in now.iter().zip(labels) {
            if *label == NO_LIGHT {
                *label = self.transmitter.empty_slots.label_at(slot).0;
            }
        }
        self.slots = later;
        (self.next, self.end) = (0, now.len());
    }
}

impl Iterator for Recall<'_> {
    type Item = Choice;

    #[inline]
    fn next(&mut self) -> Option<Choice> {
        if self.next == self.end {
            self.look_up();
        }
        let label = *self.labels[..self.end].get(self.next)?;
        self.next += 1;
        Some(Label(label).choice())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next + self.slots.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Recall<'_> {}
