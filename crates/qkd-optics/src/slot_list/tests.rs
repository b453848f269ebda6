use std::ops::Range;

use proptest::prelude::*;

use super::*;

const LONG: u8 = u8::MAX;

fn read(short: &[u8], long: &[u8], range: Range<u64>) -> Result<Vec<u64>, String> {
    let gaps = Gaps::from_bytes(short.to_vec(), long.to_vec());
    let mut slots = SlotList::new(range.start);
    let taken = slots.append(gaps, range.end);
    taken.map_err(|error| error.to_string())?;
    Ok(slots.iter().collect())
}

proptest! {
    #[test]
    fn slots_come_back_from_their_distances(
        first in 0u64..1 << 62,
        steps in proptest::collection::vec(
            (1u64..1 << 54, 0u32..54).prop_map(|(n, shift)| (n >> shift).max(1)), 0..100),
        cut in 0usize..100) {
        let slots: Vec<u64> = steps
            .iter()
            .scan(first, |at, step| { *at += step; Some(*at) })
            .collect();
        let (one, two) = steps.split_at(cut.min(steps.len()));
        let end = slots.last().map_or(first, |last| last + 1);
        let mut back = SlotList::new(first);
        for part in [one, two] {
            back.append(part.iter().copied().collect(), end).unwrap();
        }
        prop_assert_eq!(back.iter().collect::<Vec<_>>(), &slots[..]);
        prop_assert_eq!(back.len(), slots.len());
        prop_assert_eq!((back.first(), back.last()),
            (slots.first().copied(), slots.last().copied()));
        let mut three = [0; 3];
        let mut reader = back.reader();
        for expected in slots.chunks(3) {
            prop_assert_eq!(reader.read(&mut three), expected.len());
            prop_assert_eq!(&three[..expected.len()], expected);
        }
        prop_assert_eq!(reader.read(&mut three), 0);
    }

    #[test]
    fn bytes_that_can_be_read_are_the_only_form_of_their_distances(
        short in proptest::collection::vec(prop_oneof![any::<u8>(), Just(LONG)], 0..10),
        long in proptest::collection::vec(any::<u8>(), 0..20)) {
        let gaps = Gaps::from_bytes(short, long);
        let mut list = SlotList::new(0);
        if list.append(gaps.clone(), u64::MAX).is_ok() {
            let slots: Vec<u64> = list.iter().collect();
            prop_assert_eq!(slots.len(), gaps.len());
            prop_assert!(slots.is_sorted_by(|one, next| one < next));
            let before = std::iter::once(&0).chain(&slots);
            let distances: Gaps = slots.iter().zip(before).map(|(one, last)| one - last).collect();
            prop_assert_eq!(distances, gaps);
        } else {
            prop_assert!(list.is_empty());
        }
    }
}

#[test]
fn lists_that_do_not_fit_together_are_refused() {
    let all = 0..u64::MAX;
    let refused = |short: &[u8], long: &[u8]| read(short, long, all.clone()).unwrap_err();
    assert!(refused(&[LONG], &[]).contains("list of long gaps is a varint without end"));
    assert!(refused(&[1], &[0]).contains("1 bytes too many"));
    assert!(refused(&[LONG], &[0, 0]).contains("1 bytes too many"));
    assert_eq!(read(&[LONG], &[0], all), Ok(vec![255]));
}

#[test]
fn overlong_and_endless_varints_and_slots_beyond_64_bits_are_refused() {
    let all = 0..u64::MAX;
    let refused = |short: &[u8], long: &[u8]| read(short, long, all.clone()).unwrap_err();
    assert!(refused(&[LONG], &[0x80, 0x00]).contains("overlong"));
    assert!(refused(&[LONG], &[0x80]).contains("without end"));
    assert!(refused(&[LONG], &[0xff; 11]).contains("without end"));
    let mut bytes = [0xff; 10];
    bytes[9] = 2;
    assert!(refused(&[LONG], &bytes).contains("overlong"));
    bytes[9] = 1;
    assert!(
        refused(&[LONG], &bytes).contains("slot is not rising or beyond"),
        "255 more than 2⁶⁴ − 1"
    );
    let most: Gaps = [u64::MAX - 1].into_iter().collect();
    let reached = read(most.short(), most.long(), all.clone());
    assert_eq!(reached, Ok(vec![u64::MAX - 1]));
    // 2⁶⁴ − 2 slots, and two more.
    let more: Gaps = [u64::MAX - 1, 1, 1].into_iter().collect();
    assert!(read(more.short(), more.long(), all).is_err());
}

#[test]
fn slots_that_do_not_rise_or_leave_the_block_are_refused() {
    assert_eq!(read(&[0, 1, 4], &[], 10..16), Ok(vec![10, 11, 15]));
    assert!(
        read(&[0, 1, 4], &[], 10..15).is_err(),
        "the end of the block"
    );
    assert!(read(&[0, 1, 0], &[], 10..20).is_err(), "a slot twice");
    assert!(read(&[0, 0], &[], 10..20).is_err(), "the first slot twice");
    let mut slots = SlotList::new(10);
    slots.append([2].into_iter().collect(), 20).unwrap();
    let again = Gaps::from_bytes(vec![0, 1], Vec::new());
    assert!(
        slots.append(again, 20).is_err(),
        "a later part cannot repeat the last slot"
    );
    assert_eq!(Vec::from_iter(slots.iter()), [12]);
    assert_eq!(read(&[], &[], 10..10), Ok(Vec::new()));
}
