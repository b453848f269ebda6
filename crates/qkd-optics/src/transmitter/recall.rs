//! Many slots asked for at once.

use zeroize::Zeroizing;

use super::Transmitter;
use super::record::NO_LIGHT;
use crate::{Choices, SlotList};

/// Slots that are looked up together: a multiple of the 64 that are packed together.
const SLOTS_AT_ONCE: usize = 512;

/// Alice's choices in a list of slots, all of which are known.
pub(super) fn recall(transmitter: &Transmitter, slots: &SlotList) -> Choices {
    let mut choices = Choices::with_capacity(slots.len());
    let mut cursor = transmitter.record.cursor();
    let mut reader = slots.reader();
    let mut batch = [0; SLOTS_AT_ONCE];
    let mut labels = Zeroizing::new([NO_LIGHT; SLOTS_AT_ONCE]);
    loop {
        let count = reader.read(&mut batch);
        let (slots, labels) = (&batch[..count], &mut labels[..count]);
        cursor.labels_at(slots, labels);
        for (&slot, label) in slots.iter().zip(labels.iter_mut()) {
            if *label == NO_LIGHT {
                *label = transmitter.empty_slots.label_at(slot).0;
            }
        }
        for labels in labels.chunks(64) {
            choices.extend_labels(labels);
        }
        if count < SLOTS_AT_ONCE {
            return choices;
        }
    }
}
