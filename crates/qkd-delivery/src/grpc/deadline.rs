//! The deadline that a gRPC caller sets: the header `grpc-timeout`.

use std::time::Duration;

use tonic::metadata::MetadataMap;

/// How long the caller waits; nothing when it did not say so in a form that can be read.
///
/// Source: the gRPC over HTTP/2 protocol, "Timeout": up to eight digits and a unit.
pub(super) fn of(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", text.parse().unwrap());
        of(&metadata)
    }

    #[test]
    fn every_unit_is_read() {
        assert_eq!(read("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(read("2M"), Some(Duration::from_secs(120)));
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("2m"), Some(Duration::from_millis(2)));
        assert_eq!(read("2u"), Some(Duration::from_micros(2)));
        assert_eq!(read("99999999n"), Some(Duration::from_nanos(99_999_999)));
    }

    #[test]
    fn what_is_no_timeout_is_ignored() {
        for text in [
            "",
            "S",
            "5",
            "5 S",
            "-5S",
            "+5S",
            "123456789S",
            "5x",
            "5.5S",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(of(&MetadataMap::new()), None);
    }
}
