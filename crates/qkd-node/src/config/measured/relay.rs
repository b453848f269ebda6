//! Measurement-device-independent QKD: gains and errors for every pair of intensities.

use qkd_security::evaluation::{Measured, MeasuredRelay};
use qkd_security::mdi::{GainMatrix, ObservedMdi};
use qkd_security::planning::RECONCILIATION_INEFFICIENCY;

use super::{Keys, Measurement, rules};
use crate::config::document::Section;
use crate::config::place::ConfigError;

const KEYS: &[&str] = &[
    "intensities",
    "alice_intensities",
    "bob_intensities",
    "reconciliation_inefficiency",
    "clock_hz",
    "sifted_share",
    "key_basis",
    "test_basis",
];

/// `[mdi]`, with `[mdi.key_basis]` and `[mdi.test_basis]`.
pub(super) fn read(root: &Section<'_>) -> Result<Measurement, ConfigError> {
    root.only(&[
        "intensities",
        "reconciliation_inefficiency",
        "clock_hz",
        "mdi",
    ])?;
    let section = root.section("mdi", KEYS)?;
    let keys = Keys {
        root,
        section: &section,
    };
    let [alice_intensities, bob_intensities] = intensities(&keys)?;
    let key_section = section.section("key_basis", &["gains", "errors"])?;
    let test_section = section.section("test_basis", &["gains", "errors"])?;
    let inefficiency = keys.optional("reconciliation_inefficiency", &rules::INEFFICIENCY)?;
    let measured = MeasuredRelay {
        observed: ObservedMdi {
            alice_intensities,
            bob_intensities,
            key_basis: matrices(&key_section)?,
            test_basis: matrices(&test_section)?,
            reconciliation_inefficiency: inefficiency.unwrap_or(RECONCILIATION_INEFFICIENCY),
        },
        clock_hz: keys.optional("clock_hz", &rules::CLOCK_HZ)?,
        sifted_share: section.optional("sifted_share", &rules::SHARE)?,
    };
    let others = [root, &key_section, &test_section];
    Measurement::of(Measured::Relay(measured), &section, &others)
}

/// Alice's and Bob's: one list for both, or one for each.
fn intensities(keys: &Keys<'_, '_>) -> Result<[[f64; 3]; 2], ConfigError> {
    let rule = &rules::THREE_INTENSITIES;
    let section = keys.section;
    let alice = section.optional("alice_intensities", rule)?;
    let bob = section.optional("bob_intensities", rule)?;
    match (keys.optional("intensities", rule)?, alice, bob) {
        (Some(both), None, None) => Ok([both, both]),
        (None, Some(alice), Some(bob)) => Ok([alice, bob]),
        (None, None, None) => Err(section.refuse("intensities", rule.expected)),
        (None, Some(_), None) => Err(section.refuse("bob_intensities", rule.expected)),
        (None, None, Some(_)) => Err(section.refuse("alice_intensities", rule.expected)),
        (Some(_), Some(_) | None, Some(_) | None) => Err(keys.refuse(
            "intensities",
            "either this, the same for both senders, or alice_intensities and bob_intensities",
        )),
    }
}

fn matrices(section: &Section<'_>) -> Result<GainMatrix, ConfigError> {
    Ok(GainMatrix {
        gains: section.required("gains", &rules::GAINS)?,
        errors: section.required("errors", &rules::ERRORS)?,
    })
}
