//! Cutting long messages into parts and putting them together again, in order.

use std::ops::Range;

use qkd_bits::BitString;
use qkd_optics::{Detections, GapsView, SlotList};
use qkd_protocols::{BobRecord, Disclosed};

use crate::{Error, Gaps, Message};

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
    pub(crate) slots: SlotList,
    pub(crate) bases: BitString,
}

/// Bob's record of a block, and his announcement as messages: the block's `range` of slots, those of
/// his `len` detections, rising, and his basis in each. Every run is freed as soon as it is told.
pub(crate) fn announcement(
    block: u64,
    range: Range<u64>,
    len: usize,
    runs: Vec<Detections>,
) -> (BobRecord, Vec<Message>) {
    let parts = part_count(len, DETECTIONS_PER_PART_MAX);
    let mut record = BobRecord::with_capacity(len);
    let mut lists = Lists::new(len);
    let mut previous = range.start;
    for run in runs {
        let Some((first, last)) = run.first_slot().zip(run.last_slot()) else {
            continue;
        };
        record.append(&run);
        lists.push(Gaps::from_iter([first.saturating_sub(previous)]).view());
        lists.push(run.gaps());
        previous = last;
    }
    let lists = lists.full;
    let mut start = 0;
    let message = |(gaps, part): (Gaps, u32)| {
        let end = start + gaps.len();
        let bases = record.bases().slice(start..end);
        start = end;
        Message::Announcement {
            block,
            part,
            parts,
            first_slot: range.start,
            end_slot: range.end,
            gaps,
            bases,
        }
    };
    let messages = lists.into_iter().zip(0..).map(message).collect();
    (record, messages)
}

/// Distances in lists of as many as a part of an announcement holds.
struct Lists {
    /// The last of them is being filled.
    full: Vec<Gaps>,
    /// How many are still to come.
    left: usize,
}

impl Lists {
    fn new(len: usize) -> Self {
        Self {
            full: vec![Gaps::with_capacity(len.min(DETECTIONS_PER_PART_MAX))],
            left: len,
        }
    }

    fn push(&mut self, mut gaps: GapsView<'_>) {
        while let Some(list) = self.full.last_mut().filter(|_| !gaps.is_empty()) {
            let room = DETECTIONS_PER_PART_MAX - list.len();
            if room == 0 {
                let len = self.left.min(DETECTIONS_PER_PART_MAX);
                self.full.push(Gaps::with_capacity(len));
                continue;
            }
            let now = gaps.take_front(room);
            self.left = self.left.saturating_sub(now.len());
            list.append(now);
        }
    }
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
    use qkd_optics::{Basis, Detection};

    fn rows(run: &Detections) -> Vec<Detection> {
        run.iter().collect()
    }

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

    /// Every third slot from 100 on, and one distance of several bytes, in runs of these lengths.
    fn runs(lengths: &[usize]) -> Vec<Detections> {
        let mut slots = (0u64..).map(|i| 100 + 3 * i + if i > 70 { 100_000 } else { 0 });
        let run = |&len: &usize| -> Detections {
            let detection = |slot: u64| Detection {
                slot,
                basis: if slot.is_multiple_of(5) {
                    Basis::X
                } else {
                    Basis::Z
                },
                bit: slot.is_multiple_of(7),
            };
            slots.by_ref().take(len).map(detection).collect()
        };
        lengths.iter().map(run).collect()
    }

    #[test]
    fn parts_of_an_announcement_tell_all_slots_and_bases_in_order() {
        let max = DETECTIONS_PER_PART_MAX;
        let cases: [(&[usize], usize); 6] = [
            (&[], 1),
            (&[0, 3, 0], 1),
            (&[max], 1),
            (&[1, max], 2),
            (&[70, 1025, max - 1, 1, 0], 2),
            (&[max, 5], 2),
        ];
        for (lengths, parts) in cases {
            let all: Vec<Detection> = runs(lengths).iter().flat_map(rows).collect();
            let (record, messages) = announcement(0, 90..10_000_000, all.len(), runs(lengths));
            assert_eq!(messages.len(), parts, "{lengths:?}");
            let (mut slots, mut announced) = (SlotList::new(90), BitString::new());
            for message in messages {
                let Message::Announcement { gaps, bases, .. } = message else {
                    panic!("an announcement consists of announcement parts");
                };
                assert!(gaps.len() == bases.len() && gaps.len() <= max);
                assert_eq!(slots.append(gaps, 10_000_000), Ok(()), "{lengths:?}");
                announced.append(&bases);
            }
            let expected: Vec<u64> = all.iter().map(|detection| detection.slot).collect();
            assert_eq!(Vec::from_iter(slots.iter()), expected, "{lengths:?}");
            let all = BobRecord::new(all.into_iter().collect());
            assert_eq!(&announced, all.bases(), "{lengths:?}");
            assert_eq!(&announced, record.bases(), "{lengths:?}");
        }
    }
}
