//! The ranges that many inputs share, each with the words that say so.

use crate::Error;
pub(crate) use crate::error::require;

/// A probability of something that may never happen but never surely: \[0, 1).
pub(crate) fn below_one(what: &'static str, value: f64) -> Result<f64, Error> {
    let holds = (0.0..1.0).contains(&value);
    require(what, value, holds, "a probability from 0 to below 1")
}

/// Part of the light that arrives: \[0, 1].
pub(crate) fn transmittance(what: &'static str, value: f64) -> Result<f64, Error> {
    let holds = (0.0..=1.0).contains(&value);
    let expected = "a transmittance between 0 and 1 (no unit; 10 dB of loss are 0.1)";
    require(what, value, holds, expected)
}

/// Share of wrong bits, at most one half because Bob could flip them all: \[0, ½\].
pub(crate) fn error_rate(what: &'static str, value: f64) -> Result<f64, Error> {
    let holds = (0.0..=0.5).contains(&value);
    require(
        what,
        value,
        holds,
        "a share of wrong bits between 0 and 0.5",
    )
}

/// Mean photon number: (0, 10].
pub(crate) fn intensity(what: &'static str, value: f64) -> Result<f64, Error> {
    let holds = value > 0.0 && value <= 10.0;
    let expected = "a mean photon number above 0 and at most 10";
    require(what, value, holds, expected)
}

/// Share of the coincidences that sifting keeps: (0, 1].
pub(crate) fn sifting_share(value: f64) -> Result<f64, Error> {
    let holds = value > 0.0 && value <= 1.0;
    require(
        "sifting_share",
        value,
        holds,
        "a share above 0 and at most 1",
    )
}

/// Anything with a unit that is above zero and finite; `expected` names the unit.
pub(crate) fn positive(
    what: &'static str,
    value: f64,
    expected: &'static str,
) -> Result<f64, Error> {
    require(what, value, value > 0.0 && value.is_finite(), expected)
}

/// Anything with a unit that is zero or more and finite; `expected` names the unit.
pub(crate) fn not_negative(
    what: &'static str,
    value: f64,
    expected: &'static str,
) -> Result<f64, Error> {
    require(what, value, value >= 0.0 && value.is_finite(), expected)
}

/// f: bits disclosed by error correction over the Shannon limit, \[1, 10].
pub(crate) fn inefficiency(value: f64) -> Result<f64, Error> {
    let holds = (1.0..=10.0).contains(&value);
    let expected = "a ratio to the Shannon limit between 1 and 10 (no unit)";
    require("reconciliation_inefficiency", value, holds, expected)
}
