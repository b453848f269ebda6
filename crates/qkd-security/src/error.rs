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
    #[error("{what} is {value}: expected {expected}")]
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
