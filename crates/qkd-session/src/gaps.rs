//! Distances between announced slots as bytes: announcements are millions of small numbers.
//!
//! One byte says a distance of up to 254 slots. What is longer is 255 and, in a list of its own, the
//! rest as a LEB128 varint. At 50 km that is about 1.05 bytes a slot, and nearly all of it is moved
//! without looking at it; where light is so scarce that most distances are long, announcements are
//! few.

use std::ops::Range;

use crate::Error;

/// Stands for itself and what the list of long distances adds.
const LONG: u8 = u8::MAX;

/// Longest LEB128 varint of 64 bits, in bytes.
const VARINT_BYTES_MAX: usize = 10;

/// Distances between slots, in the form in which they are sent. What a peer sent is believed to be
/// of that form only when the block that it is about reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Gaps {
    /// One byte for each.
    short: Vec<u8>,
    /// What the long ones have beyond 255, one varint after another.
    long: Vec<u8>,
}

impl Gaps {
    /// Bytes that a distance takes at most.
    pub const BYTES_MAX: usize = 1 + VARINT_BYTES_MAX;

    /// Distances as a peer sent them: one byte for each, and the varints. Nothing is checked yet.
    pub fn from_bytes(short: Vec<u8>, long: Vec<u8>) -> Self {
        Self { short, long }
    }

    /// Room for `len` distances.
    pub(crate) fn with_capacity(len: usize) -> Self {
        Self::from_bytes(Vec::with_capacity(len), Vec::new())
    }

    /// Number of distances.
    pub fn len(&self) -> usize {
        self.short.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.short.is_empty()
    }

    /// One byte for each distance: 0 to 254 say themselves, 255 that [`long`](Self::long) has the
    /// rest.
    pub fn short(&self) -> &[u8] {
        &self.short
    }

    /// For each byte 255, in their order, what is beyond 255 slots: LEB128 varints of the shortest
    /// form.
    pub fn long(&self) -> &[u8] {
        &self.long
    }

    /// Adds the slots that these distances lead to, from the last of `slots` or, while there is
    /// none, from the first of `range`. They must rise, and stay inside the range.
    ///
    /// # Errors
    /// [`Error::Contradiction`] when they do not, or the bytes are not of the form that distances
    /// have; `slots` is as it was.
    pub(crate) fn append_slots(
        &self,
        block: u64,
        range: &Range<u64>,
        slots: &mut Vec<u64>,
    ) -> Result<(), Error> {
        let mut beyond = self.beyond(block)?.into_iter();
        let mut position = slots.last().copied().unwrap_or(range.start);
        // Only the very first slot may be where the counting begins.
        let may_be_zero = usize::from(slots.is_empty()).min(self.len());
        let is_rising = !self.short[may_be_zero..].contains(&0);
        // Far below 2⁶⁴: a message has less than 2³² bytes.
        let short_sum = self.short.iter().map(|&gap| u64::from(gap)).sum();
        let reached = std::iter::once(short_sum)
            .chain(beyond.clone())
            .try_fold(position, u64::checked_add);
        let is_inside = self.is_empty() || reached.is_some_and(|reached| reached < range.end);
        if !is_rising || !is_inside {
            return Err(Error::contradiction(
                block,
                "slot",
                "not rising or beyond the block",
                "rising slots inside the block",
            ));
        }
        // No step goes beyond the last slot, which has been reached above.
        slots.extend(self.short.iter().map(|&gap| {
            position += u64::from(gap);
            if gap == LONG {
                position += beyond.next().unwrap_or(0);
            }
            position
        }));
        Ok(())
    }

    /// What each long distance has beyond 255: as many numbers as there are bytes 255.
    fn beyond(&self, block: u64) -> Result<Vec<u64>, Error> {
        let count = self.short.iter().filter(|&&gap| gap == LONG).count();
        let mut numbers = Vec::with_capacity(count);
        let mut rest = self.long.as_slice();
        for _ in 0..count {
            let (number, tail) = varint(block, rest)?;
            numbers.push(number);
            rest = tail;
        }
        if rest.is_empty() {
            Ok(numbers)
        } else {
            let found = format!("{} bytes too many", rest.len());
            Err(malformed(block, found, "one varint for each byte 255"))
        }
    }
}

impl Extend<u64> for Gaps {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, gaps: I) {
        let Self { short, long } = self;
        short.extend(
            gaps.into_iter()
                .map(|gap| match gap.checked_sub(u64::from(LONG)) {
                    None => gap as u8,
                    Some(beyond) => {
                        push_varint(long, beyond);
                        LONG
                    }
                }),
        );
    }
}

impl FromIterator<u64> for Gaps {
    fn from_iter<I: IntoIterator<Item = u64>>(gaps: I) -> Self {
        let mut packed = Self::default();
        packed.extend(gaps);
        packed
    }
}

/// Few distances are long where there are many.
#[cold]
fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The varint that `bytes` begin with, of the shortest form, and what follows it.
fn varint(block: u64, bytes: &[u8]) -> Result<(u64, &[u8]), Error> {
    let end = bytes
        .iter()
        .take(VARINT_BYTES_MAX)
        .position(|&byte| byte < 0x80);
    let Some(last) = end else {
        let found = "a varint without end";
        return Err(malformed(block, found, "varints of at most 10 bytes"));
    };
    let (varint, tail) = bytes.split_at(last + 1);
    // The tenth byte has room for one bit only, and a zero at the end says nothing.
    if (last == VARINT_BYTES_MAX - 1 && varint[last] > 1) || (last > 0 && varint[last] == 0) {
        let found = "an overlong varint";
        return Err(malformed(block, found, "varints of the shortest form"));
    }
    let number = varint
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 7 | u64::from(byte & 0x7f));
    Ok((number, tail))
}

fn malformed(block: u64, found: impl ToString, expected: &'static str) -> Error {
    Error::contradiction(block, "list of long gaps", found, expected)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The distances one by one, of bytes that are in order.
    pub(crate) fn distances(gaps: &Gaps) -> Vec<u64> {
        let mut beyond = gaps.beyond(0).expect("well-formed gaps").into_iter();
        let distance = |&gap: &u8| {
            let rest = if gap == LONG { beyond.next() } else { None };
            u64::from(gap) + rest.unwrap_or(0)
        };
        gaps.short.iter().map(distance).collect()
    }

    fn read(short: &[u8], long: &[u8], range: Range<u64>) -> Result<Vec<u64>, String> {
        let gaps = Gaps::from_bytes(short.to_vec(), long.to_vec());
        let mut slots = Vec::new();
        gaps.append_slots(7, &range, &mut slots)
            .map_err(|error| error.to_string())?;
        Ok(slots)
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
            let mut back = Vec::new();
            for part in [one, two] {
                let gaps: Gaps = part.iter().copied().collect();
                prop_assert_eq!(distances(&gaps), part);
                gaps.append_slots(0, &(first..end), &mut back).unwrap();
            }
            prop_assert_eq!(back, slots);
        }

        #[test]
        fn bytes_that_can_be_read_are_the_only_form_of_their_distances(
            short in proptest::collection::vec(prop_oneof![any::<u8>(), Just(LONG)], 0..10),
            long in proptest::collection::vec(any::<u8>(), 0..20)) {
            let gaps = Gaps::from_bytes(short, long);
            let mut slots = Vec::new();
            if gaps.append_slots(0, &(0..u64::MAX), &mut slots).is_ok() {
                prop_assert_eq!(slots.len(), gaps.len());
                prop_assert!(slots.is_sorted_by(|one, next| one < next));
                prop_assert_eq!(distances(&gaps).into_iter().collect::<Gaps>(), gaps);
            } else {
                prop_assert!(slots.is_empty());
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
        let mut slots = vec![12];
        let again = Gaps::from_bytes(vec![0, 1], Vec::new());
        assert!(
            again.append_slots(0, &(10..20), &mut slots).is_err(),
            "a later part cannot repeat the last slot"
        );
        assert_eq!(slots, [12]);
        assert_eq!(read(&[], &[], 10..10), Ok(Vec::new()));
    }
}
