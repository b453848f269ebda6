//! A Bell test: four correlators, or the coincidences behind them.

use qkd_security::evaluation::{Measured, MeasuredBell, Outcomes};
use qkd_security::planning::RECONCILIATION_INEFFICIENCY;

use super::{Keys, Measurement, rules};
use crate::config::document::Section;
use crate::config::place::ConfigError;

const KEYS: &[&str] = &[
    "correlators",
    "coincidences",
    "qber",
    "reconciliation_inefficiency",
    "sifted_rate_bps",
];

/// `[chsh]`.
pub(super) fn read(root: &Section<'_>) -> Result<Measurement, ConfigError> {
    root.only(&["reconciliation_inefficiency", "sifted_rate_bps", "chsh"])?;
    let section = root.section("chsh", KEYS)?;
    let keys = Keys {
        root,
        section: &section,
    };
    let correlators = section.optional("correlators", &rules::CORRELATORS)?;
    let coincidences = section.optional("coincidences", &rules::COINCIDENCES)?;
    let outcomes = match (correlators, coincidences) {
        (Some(correlators), None) => Outcomes::Correlators(correlators),
        (None, Some(counts)) => Outcomes::Coincidences(counts),
        (Some(_), Some(_)) => {
            return Err(section.refuse("coincidences", "only one of these and correlators"));
        }
        (None, None) => return Err(section.refuse("correlators", rules::CORRELATORS.expected)),
    };
    let inefficiency = keys.optional("reconciliation_inefficiency", &rules::INEFFICIENCY)?;
    let measured = MeasuredBell {
        outcomes,
        qber: section.optional("qber", &rules::ERROR_RATE)?,
        reconciliation_inefficiency: inefficiency.unwrap_or(RECONCILIATION_INEFFICIENCY),
        sifted_rate_bps: keys.optional("sifted_rate_bps", &rules::RATE_BPS)?,
    };
    Measurement::of(Measured::Bell(measured), &section, &[root])
}
