//! Checks of single fields, each naming the field it refuses.

use qkd_bits::BitString;
use qkd_keystore::SaeId;

use crate::DecodeError;
use crate::proto::link as proto;

/// Bytes of words meant for a person.
pub(super) const REASON_BYTES_MAX: usize = 1024;

/// A field that must be there.
pub(super) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing { field })
}

/// Exactly `N` bytes.
pub(super) fn array<const N: usize>(
    field: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::WrongSize {
        field,
        given: bytes.len(),
        expected: N,
    })
}

/// A number of bits, bytes or items up to `max`.
pub(super) fn at_most(field: &'static str, given: u64, max: usize) -> Result<usize, DecodeError> {
    usize::try_from(given)
        .ok()
        .filter(|&given| given <= max)
        .ok_or(DecodeError::TooMany {
            field,
            given,
            max: max as u64,
        })
}

/// A bit string of at most `max` bits.
pub(super) fn bits(
    field: &'static str,
    bits: Option<proto::Bits>,
    max: usize,
) -> Result<BitString, DecodeError> {
    let bits = required(field, bits)?;
    let count = at_most(field, bits.count, max)?;
    BitString::from_bytes(&bits.packed, count).map_err(|source| DecodeError::Bits { field, source })
}

/// A bit string as it goes on the wire.
pub(super) fn packed(bits: &BitString) -> Option<proto::Bits> {
    Some(proto::Bits {
        packed: bits.to_bytes().into(),
        count: bits.len() as u64,
    })
}

/// A finite number.
pub(super) fn finite(field: &'static str, value: f64) -> Result<f64, DecodeError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(out_of_range(field, value, "a finite number"))
    }
}

/// A rate or probability.
pub(super) fn rate(field: &'static str, value: f64) -> Result<f64, DecodeError> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(out_of_range(field, value, "a rate from 0 to 1"))
    }
}

/// The index of a part among its number of parts.
pub(super) fn part(field: &'static str, part: u32, parts: u32) -> Result<(), DecodeError> {
    if part < parts {
        Ok(())
    } else {
        let found = format!("{part} of {parts}");
        Err(out_of_range(
            field,
            found,
            "an index below the number of parts",
        ))
    }
}

/// The name of an application.
pub(crate) fn sae_id(field: &'static str, name: String) -> Result<SaeId, DecodeError> {
    SaeId::new(name).map_err(|invalid| out_of_range(field, invalid, "a name of 1 to 256 bytes"))
}

/// Words for a person.
pub(super) fn reason(field: &'static str, words: String) -> Result<String, DecodeError> {
    at_most(field, words.len() as u64, REASON_BYTES_MAX)?;
    Ok(words)
}

/// As many of the words as a peer accepts.
pub(super) fn shortened(words: &str) -> String {
    let ends = words.char_indices().map(|(start, c)| start + c.len_utf8());
    let end = ends.take_while(|&end| end <= REASON_BYTES_MAX).last();
    words[..end.unwrap_or(0)].to_owned()
}

/// A value outside what its field can mean.
pub(super) fn out_of_range(
    field: &'static str,
    found: impl ToString,
    expected: &'static str,
) -> DecodeError {
    DecodeError::OutOfRange {
        field,
        found: found.to_string(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_refuse_what_is_no_number_between_zero_and_one() {
        for bad in [f64::NAN, f64::INFINITY, -0.001, 1.001] {
            assert!(rate("f", bad).is_err(), "{bad}");
        }
        assert_eq!(rate("f", 0.5), Ok(0.5));
        assert!(finite("f", f64::NEG_INFINITY).is_err());
    }

    #[test]
    fn an_index_at_the_number_of_parts_is_refused() {
        assert!(part("f", 0, 0).is_err());
        assert!(part("f", 3, 3).is_err());
        assert!(part("f", 2, 3).is_ok());
    }
}
