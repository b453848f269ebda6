use super::*;
use proptest::prelude::*;

fn slots_of(mut gaps: GapsView<'_>, mut position: u64) -> Vec<u64> {
    let mut slots = vec![0; gaps.len()];
    let read = gaps.read(&mut position, &mut slots);
    assert_eq!((read, gaps.len()), (slots.len(), 0));
    slots
}

/// One varint after the other: what is added up many bytes at a time is the same.
fn one_by_one(bytes: &[u8], count: usize) -> Option<u64> {
    let (mut rest, mut sum) = (bytes, 0u64);
    for _ in 0..count {
        let (number, tail) = varint(rest).ok()?;
        (sum, rest) = (sum.checked_add(number)?, tail);
    }
    rest.is_empty().then_some(sum)
}

proptest! {
    #[test]
    fn many_bytes_at_a_time_say_what_varints_one_by_one_do(
        bytes in proptest::collection::vec(prop_oneof![
            Just(0u8), Just(0x7f), Just(0x80), 0u8..0x80, 0u8..0x80, 0x80u8..=0xff,
        ], 0..700),
        drop in 0usize..3,
    ) {
        // Without what never ends, so that some of it is right.
        let mut bytes = bytes;
        bytes.dedup_by(|b, a| *a >= 0x80 && (*b >= 0x80 || *b == 0));
        let ends = bytes.iter().filter(|&&byte| byte < 0x80).count();
        let count = ends.saturating_sub(drop);
        if let Some(sum) = sum_of_few_bytes(&bytes, count) {
            prop_assert_eq!(Some(sum), one_by_one(&bytes, count));
        } else {
            let is_odd = bytes.last().is_some_and(|&last| last >= 0x80);
            prop_assert!(is_odd || count != ends);
        }
    }

    #[test]
    fn varints_of_three_bytes_overlong_ones_and_unended_ones_are_left_to_others(
        before in proptest::collection::vec(0u8..0x80, 0..300),
        after in proptest::collection::vec(0u8..0x80, 0..300),
    ) {
        for (odd, count) in [(&[0x80, 0x80, 1][..], 1), (&[0x85, 0][..], 1)] {
            let bytes = [&before[..], odd, &after[..]].concat();
            prop_assert_eq!(sum_of_few_bytes(&bytes, before.len() + count + after.len()), None);
        }
        let unended = [&before[..], &[0x90][..]].concat();
        prop_assert_eq!(sum_of_few_bytes(&unended, before.len()), None);
        prop_assert_eq!(sum_of_few_bytes(&unended, before.len() + 1), None);
    }

    #[test]
    fn varints_end_where_the_last_one_of_them_does(
        numbers in proptest::collection::vec(prop_oneof![0u64..200, 0u64..1 << 20], 0..700),
        cut in 0usize..800,
    ) {
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for number in numbers {
            push_varint(&mut bytes, number);
            ends.push(bytes.len());
        }
        let expected = ends.get(cut).copied().unwrap_or(bytes.len());
        prop_assert_eq!(varints_end(&bytes, cut), expected);
    }

    #[test]
    fn pieces_hold_the_distances_that_were_put_in(
        steps in proptest::collection::vec(
            (1u64..1 << 54, 0u32..54).prop_map(|(n, shift)| (n >> shift).max(1)), 0..100),
        cut in 0usize..110) {
        let gaps: Gaps = steps.iter().copied().collect();
        prop_assert_eq!(gaps.checked_sum(), Ok(Some(steps.iter().sum())));
        let mut rest = gaps.view();
        let front = rest.take_front(cut);
        prop_assert_eq!(front.len(), cut.min(steps.len()));
        prop_assert_eq!(front.sum(), steps[..front.len()].iter().sum::<u64>());
        prop_assert_eq!(front.sum() + rest.sum(), steps.iter().sum::<u64>());
        let mut joined = Gaps::default();
        joined.append(front);
        joined.append(rest);
        prop_assert_eq!(&joined, &gaps);
        let mut slots = slots_of(front, 7);
        slots.extend(slots_of(rest, slots.last().copied().unwrap_or(7)));
        let expected: Vec<u64> = steps
            .iter()
            .scan(7, |at, step| { *at += step; Some(*at) })
            .collect();
        prop_assert_eq!(slots, expected);
    }
}
