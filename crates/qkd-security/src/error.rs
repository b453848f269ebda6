/// Why this crate refused its input, sorted by blame.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Malformed: text that names no theorem.
    #[error("unknown theorem {name:?}: expected one of {known}")]
    UnknownTheorem {
        /// The name that was given.
        name: String,
        /// All names that would have been understood, separated by commas.
        known: String,
    },
    /// Malformed: text that names no channel model.
    #[error("unknown channel model {name:?}: expected one of {known}")]
    UnknownChannelModel {
        /// The name that was given.
        name: String,
        /// All names that would have been understood, separated by commas.
        known: String,
    },
    /// Misuse: a number outside its range.
    #[error("{what} is {}: expected {expected}", readable(*.value))]
    OutOfRange {
        /// The quantity, in the words of the configuration.
        what: &'static str,
        /// The value that was given.
        value: f64,
        /// The range it must lie in.
        expected: &'static str,
    },
}

/// Returns `value` when `holds`, else the error that says what was expected instead.
pub(crate) fn require(
    what: &'static str,
    value: f64,
    holds: bool,
    expected: &'static str,
) -> Result<f64, Error> {
    if holds {
        Ok(value)
    } else {
        Err(Error::OutOfRange {
            what,
            value,
            expected,
        })
    }
}

/// A number in powers of ten where it would have a long row of zeros.
fn readable(value: f64) -> String {
    let size = value.abs();
    match size == 0.0 || !size.is_finite() || (1e-5..1e16).contains(&size) {
        true => value.to_string(),
        false => format!("{value:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_number_is_never_a_row_of_zeros() {
        for (value, words) in [
            (1e-200, "1e-200"),
            (-2.5e300, "-2.5e300"),
            (0.00012, "0.00012"),
            (1e15, "1000000000000000"),
            (0.0, "0"),
            (-1.5, "-1.5"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            let said = require("secrecy", value, false, "more").unwrap_err();
            assert_eq!(
                said.to_string(),
                format!("secrecy is {words}: expected more")
            );
        }
    }
}
