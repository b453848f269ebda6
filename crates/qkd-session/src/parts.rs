//! Cutting long messages into parts and putting them together again, in order.

use std::ops::Range;

use qkd_bits::BitString;
use qkd_protocols::Disclosed;

use crate::{Error, Message};

/// Detections in one part of an announcement, or of the disclosure that answers it.
pub const DETECTIONS_PER_PART_MAX: usize = 1 << 18;

/// Bits in one part of an amplification seed.
pub const SEED_BITS_PER_PART_MAX: usize = 1 << 23;

/// Counts the parts of one long message and insists on their order.
#[derive(Debug)]
pub(crate) struct PartCounter {
    block: u64,
    next: u32,
    parts: u32,
}

impl PartCounter {
    /// Expects `parts` parts.
    pub(crate) fn new(block: u64, parts: u32) -> Self {
        Self {
            block,
            next: 0,
            parts,
        }
    }

    /// Takes part `part` of `parts`; true when it was the last.
    pub(crate) fn take(&mut self, part: u32, parts: u32) -> Result<bool, Error> {
        if parts != self.parts {
            let expected = self.parts;
            return Err(Error::contradiction(
                self.block,
                "number of parts",
                parts,
                expected,
            ));
        }
        if part != self.next {
            let expected = self.next;
            return Err(Error::contradiction(self.block, "part", part, expected));
        }
        self.next += 1;
        Ok(self.next == self.parts)
    }
}

/// Number of parts for `len` items of at most `max` each; one even for nothing.
pub(crate) fn part_count(len: usize, max: usize) -> u32 {
    // A block of more than 2³² parts would need more memory than any machine has.
    len.div_ceil(max).max(1) as u32
}

/// The slots of a block and Bob's bases there, as Alice learns them.
pub(crate) struct Announced {
    pub(crate) first_slot: u64,
    pub(crate) end_slot: u64,
    pub(crate) slots: Vec<u64>,
    pub(crate) bases: BitString,
}

/// Bob's announcement as messages: the block's `range` of slots, those with a detection, rising, and
/// his basis in each.
pub(crate) fn announcement_messages(
    block: u64,
    range: Range<u64>,
    mut slots: impl ExactSizeIterator<Item = u64>,
    bases: &BitString,
) -> Vec<Message> {
    let len = slots.len();
    let parts = part_count(len, DETECTIONS_PER_PART_MAX);
    let mut previous = range.start;
    (0..parts)
        .map(|part| {
            let start = part as usize * DETECTIONS_PER_PART_MAX;
            let end = (start + DETECTIONS_PER_PART_MAX).min(len);
            let mut gaps = Vec::with_capacity(end - start);
            gaps.extend(
                slots
                    .by_ref()
                    .take(end - start)
                    .map(|slot| slot - std::mem::replace(&mut previous, slot)),
            );
            Message::Announcement {
                block,
                part,
                parts,
                first_slot: range.start,
                end_slot: range.end,
                gaps,
                bases: bases.slice(start..end),
            }
        })
        .collect()
}

/// Alice's disclosure as messages, divided as the announcement was.
pub(crate) fn disclosure_messages(
    block: u64,
    announced_bases: &BitString,
    disclosed: &Disclosed,
) -> Vec<Message> {
    let len = disclosed.bases.len();
    let parts = part_count(len, DETECTIONS_PER_PART_MAX);
    let mut tested = 0;
    (0..parts)
        .map(|part| {
            let start = part as usize * DETECTIONS_PER_PART_MAX;
            let end = (start + DETECTIONS_PER_PART_MAX).min(len);
            let bases = disclosed.bases.slice(start..end);
            let both_x = bases.count_ones_and(&announced_bases.slice(start..end));
            let test_bits = disclosed.test_bits.slice(tested..tested + both_x);
            tested += both_x;
            Message::Disclosure {
                block,
                part,
                parts,
                bases,
                decoys: disclosed.decoys.slice(start..end),
                test_bits,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_out_of_order_or_of_another_number_are_refused() {
        let mut counter = PartCounter::new(7, 3);
        assert!(counter.take(1, 3).is_err(), "part 1 came before part 0");
        assert!(!counter.take(0, 3).expect("part 0 of 3"));
        assert!(counter.take(0, 3).is_err(), "part 0 came twice");
        assert!(counter.take(1, 2).is_err(), "the number of parts changed");
        assert!(!counter.take(1, 3).expect("part 1 of 3"));
        assert!(
            counter.take(2, 3).expect("part 2 of 3"),
            "the last part ends the message"
        );
    }

    #[test]
    fn gaps_of_all_parts_add_up_to_the_slots() {
        let slots: Vec<u64> = (0..DETECTIONS_PER_PART_MAX as u64 + 5)
            .map(|i| 100 + 3 * i)
            .collect();
        let bases = BitString::zeros(slots.len());
        let mut position = 90;
        let mut seen = Vec::new();
        let messages = announcement_messages(0, 90..10_000_000, slots.iter().copied(), &bases);
        assert_eq!(messages.len(), 2);
        for message in messages {
            let Message::Announcement { gaps, .. } = message else {
                panic!("an announcement consists of announcement parts");
            };
            for gap in gaps {
                position += gap;
                seen.push(position);
            }
        }
        assert_eq!(seen, slots);
    }
}
