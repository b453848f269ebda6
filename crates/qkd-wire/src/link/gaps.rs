//! Distances between announced slots as bytes: announcements are millions of small numbers.
//!
//! One byte says a distance of up to 254 slots. What is longer is 255 and, in a list of its own, the
//! rest as a LEB128 varint. At 50 km that is about 1.05 bytes a slot, and nearly all of it is moved
//! without looking at it; where light is so scarce that most distances are long, announcements are
//! few.

use super::field::{at_most, out_of_range};
use crate::DecodeError;

/// Stands for itself and what the list of long distances adds.
const LONG: u8 = u8::MAX;

/// Longest LEB128 varint of 64 bits, in bytes.
const VARINT_BYTES_MAX: usize = 10;

/// Bytes that a distance takes at most.
pub(super) const GAP_BYTES_MAX: usize = 1 + VARINT_BYTES_MAX;

/// Distances as they go on the wire.
pub(super) struct PackedGaps {
    /// One byte for each.
    pub(super) short: Vec<u8>,
    /// What the long ones have beyond 255, one varint after another.
    pub(super) long: Vec<u8>,
}

/// Distances of announced slots, as they came.
pub(super) struct Gaps {
    pub(super) gaps: Vec<u64>,
    /// Their sum, unless 64 bits cannot hold it.
    pub(super) sum: Option<u64>,
}

pub(super) fn pack(gaps: &[u64]) -> PackedGaps {
    let short = gaps
        .iter()
        .map(|&gap| gap.min(u64::from(LONG)) as u8)
        .collect();
    let mut long = Vec::new();
    for &gap in gaps {
        if let Some(mut rest) = gap.checked_sub(u64::from(LONG)) {
            while rest > 0x7f {
                long.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            long.push(rest as u8);
        }
    }
    PackedGaps { short, long }
}

/// Reads at most `max` distances. `fields` are the names of the two byte strings, in their order.
pub(super) fn unpack(
    fields: [&'static str; 2],
    packed: &PackedGaps,
    max: usize,
) -> Result<Gaps, DecodeError> {
    let PackedGaps { short, long } = packed;
    at_most(fields[0], short.len() as u64, max)?;
    let mut gaps: Vec<u64> = short.iter().map(|&gap| u64::from(gap)).collect();
    // Far below 2⁶⁴: a message has less than 2³² bytes.
    let mut sum = Some(short.iter().map(|&gap| u64::from(gap)).sum::<u64>());
    let mut rest = long.as_slice();
    for (gap, _) in gaps
        .iter_mut()
        .zip(short)
        .filter(|(_, byte)| **byte == LONG)
    {
        let (beyond, tail) = varint(fields[1], rest)?;
        *gap = gap
            .checked_add(beyond)
            .ok_or_else(|| out_of_range(fields[1], beyond, "distances of 64 bits"))?;
        sum = sum.and_then(|sum| sum.checked_add(beyond));
        rest = tail;
    }
    if rest.is_empty() {
        Ok(Gaps { gaps, sum })
    } else {
        let found = format!("{} bytes too many", rest.len());
        Err(out_of_range(
            fields[1],
            found,
            "one varint for each byte 255",
        ))
    }
}

/// The varint that `bytes` begin with, of the shortest form, and what follows it.
fn varint<'a>(field: &'static str, bytes: &'a [u8]) -> Result<(u64, &'a [u8]), DecodeError> {
    let end = bytes
        .iter()
        .take(VARINT_BYTES_MAX)
        .position(|&byte| byte < 0x80);
    let Some(last) = end else {
        let found = "a varint without end";
        return Err(out_of_range(field, found, "varints of at most 10 bytes"));
    };
    let (varint, tail) = bytes.split_at(last + 1);
    // The tenth byte has room for one bit only, and a zero at the end says nothing.
    if (last == VARINT_BYTES_MAX - 1 && varint[last] > 1) || (last > 0 && varint[last] == 0) {
        let found = "an overlong varint";
        return Err(out_of_range(field, found, "varints of the shortest form"));
    }
    let number = varint
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 7 | u64::from(byte & 0x7f));
    Ok((number, tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(short: &[u8], long: &[u8], max: usize) -> Result<Gaps, DecodeError> {
        let (short, long) = (short.to_vec(), long.to_vec());
        unpack(["short", "long"], &PackedGaps { short, long }, max)
    }

    proptest! {
        #[test]
        fn distances_come_back_with_their_sum(gaps in proptest::collection::vec(
            (any::<u64>(), 0u32..64).prop_map(|(n, shift)| n >> shift), 0..100)) {
            let packed = pack(&gaps);
            let back = unpack(["short", "long"], &packed, 100).unwrap();
            let sum = gaps.iter().try_fold(0u64, |sum, &gap| sum.checked_add(gap));
            prop_assert_eq!((back.gaps, back.sum), (gaps, sum));
        }

        #[test]
        fn bytes_that_decode_are_the_only_form_of_their_distances(
            short in proptest::collection::vec(prop_oneof![any::<u8>(), Just(LONG)], 0..10),
            long in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(Gaps { gaps, .. }) = read(&short, &long, 10) {
                let packed = pack(&gaps);
                prop_assert_eq!((packed.short, packed.long), (short, long));
            }
        }
    }

    #[test]
    fn lists_that_do_not_fit_together_are_refused() {
        assert!(
            read(&[LONG], &[], 9).is_err(),
            "a distance without its rest"
        );
        assert!(read(&[1], &[0], 9).is_err(), "a rest without a distance");
        assert!(read(&[LONG], &[0], 9).is_ok());
        assert!(matches!(
            read(&[0; 10], &[], 9),
            Err(DecodeError::TooMany {
                given: 10,
                max: 9,
                ..
            })
        ));
    }

    #[test]
    fn overlong_and_endless_varints_and_distances_beyond_64_bits_are_refused() {
        assert!(read(&[LONG], &[0x80, 0x00], 9).is_err());
        assert!(read(&[LONG], &[0x80], 9).is_err());
        assert!(read(&[LONG], &[0xff; 11], 9).is_err());
        let mut bytes = [0xff; 10];
        bytes[9] = 2;
        assert!(read(&[LONG], &bytes, 9).is_err());
        bytes[9] = 1;
        assert!(read(&[LONG], &bytes, 9).is_err(), "255 more than 2⁶⁴ − 1");
        let most = pack(&[u64::MAX]);
        let back = read(&most.short, &most.long, 9).unwrap();
        assert_eq!(back.gaps, [u64::MAX]);
    }
}
