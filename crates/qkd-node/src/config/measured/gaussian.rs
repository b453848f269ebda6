//! Continuous variables: one calibrated line.

use qkd_security::evaluation::{FiniteLine, Measured, MeasuredGaussian};
use qkd_security::gg02::{Gg02, Quadratures};

use super::{Keys, Measurement, rules};
use crate::config::document::{Rule, Section};
use crate::config::place::ConfigError;

const KEYS: &[&str] = &[
    "detection",
    "modulation_variance",
    "transmittance",
    "excess_noise",
    "efficiency",
    "detector_efficiency",
    "electronic_noise",
    "beta",
    "reconciliation_efficiency",
    "symbol_rate_hz",
    "symbols",
    "estimation_symbols",
    "secrecy",
];

/// `[cv]`.
pub(super) fn read(root: &Section<'_>) -> Result<Measurement, ConfigError> {
    root.only(&["secrecy", "cv"])?;
    let section = root.section("cv", KEYS)?;
    let keys = Keys {
        root,
        section: &section,
    };
    let detection = section.optional("detection", &rules::DETECTION)?;
    let measured = MeasuredGaussian {
        line: Gg02 {
            quadratures: detection.unwrap_or(Quadratures::One),
            modulation_variance_snu: section.required("modulation_variance", &rules::VARIANCE)?,
            transmittance_channel: section.required("transmittance", &rules::SHARE)?,
            excess_noise_snu: section.required("excess_noise", &rules::NOISE)?,
            detector_efficiency: either(&section, ["efficiency", "detector_efficiency"])?,
            electronic_noise_snu: section.required("electronic_noise", &rules::NOISE)?,
            reconciliation_efficiency: either(&section, ["beta", "reconciliation_efficiency"])?,
        },
        finite: finite(&keys)?,
        symbol_rate_hz: section.optional("symbol_rate_hz", &rules::SYMBOL_RATE_HZ)?,
    };
    Measurement::of(Measured::Gaussian(measured), &section, &[root])
}

fn finite(keys: &Keys<'_, '_>) -> Result<Option<FiniteLine>, ConfigError> {
    let symbols = keys.section.optional("symbols", &rules::SYMBOLS)?;
    let secrecy = keys.optional("secrecy", &rules::FAILURE_PROBABILITY)?;
    let estimation = keys
        .section
        .optional("estimation_symbols", &rules::SYMBOLS)?;
    match (symbols, secrecy) {
        (Some(symbols), Some(secrecy)) => Ok(Some(FiniteLine {
            symbols,
            estimation_symbols: estimation,
            secrecy,
        })),
        (None, None) if estimation.is_none() => Ok(None),
        (None, Some(_) | None) => Err(keys.section.refuse("symbols", rules::SYMBOLS.expected)),
        (Some(_), None) => Err(keys
            .section
            .refuse("secrecy", rules::FAILURE_PROBABILITY.expected)),
    }
}

/// A share under its short or its long name.
fn either(section: &Section<'_>, names: [&'static str; 2]) -> Result<f64, ConfigError> {
    let rule: &Rule<f64> = &rules::SHARE;
    let [short, long] = names;
    match (
        section.optional(short, rule)?,
        section.optional(long, rule)?,
    ) {
        (Some(_), Some(_)) => Err(section.refuse(long, format!("only one of {short} and {long}"))),
        (Some(share), None) | (None, Some(share)) => Ok(share),
        (None, None) => Err(section.refuse(short, rule.expected)),
    }
}
