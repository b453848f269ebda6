//! `[security]`: what is promised, the block it is made from, and how the two ends know each other.

use qkd_auth::Authentication;
use qkd_security::Theorem;

use super::document::{Rule, Section};
use super::place::ConfigError;
use super::{rules, side_channels};
use crate::parameters::{AcceptLimits, SecuritySettings};

/// The keys of `[security]`.
pub(super) const KEYS: &[&str] = &[
    "theorem",
    "block_bits",
    "secrecy",
    "correctness",
    "authentication",
    "side_channels",
    "accept",
];

const THEOREM: Rule<Theorem> = Rule {
    expected: "the name of a key-length theorem that keys may be made by, \"wiesemann2024\" \
               (rusca2018, lim2014, gllp, gllp-decoy-infinite and gllp-vacuum-weak are for \
               `qkd plan` alone)",
    read: |value| value.as_str()?.parse().ok(),
    known: &["wiesemann2024"],
};

const AUTHENTICATION: Rule<Authentication> = Rule {
    expected: "how messages to the peer are tagged: \"hmac-sha-256\" (the default) or \
               \"polyval-hmac-sha-256\"",
    read: |value| Authentication::from_name(value.as_str()?),
    known: &Authentication::NAMES,
};

/// The whole section.
pub(super) fn read(root: &Section<'_>) -> Result<SecuritySettings, ConfigError> {
    let security = root.section("security", KEYS)?;
    Ok(SecuritySettings {
        theorem: security.required("theorem", &THEOREM)?,
        block_bits: security.required("block_bits", &rules::BLOCK_BITS)?,
        secrecy: security.required("secrecy", &rules::FAILURE_PROBABILITY)?,
        correctness: security.required("correctness", &rules::FAILURE_PROBABILITY)?,
        authentication: authentication(&security)?,
        side_channels: side_channels::read(&security)?,
        accept: accept_limits(&security)?,
    })
}

/// How messages are tagged, where it is said and where it is not.
pub(super) fn authentication(security: &Section<'_>) -> Result<Authentication, ConfigError> {
    let given = security.optional("authentication", &AUTHENTICATION)?;
    Ok(given.unwrap_or_default())
}

/// `[security.accept]`; every limit may be absent.
pub(super) fn accept_limits(security: &Section<'_>) -> Result<AcceptLimits, ConfigError> {
    let accept = security.section_if_present(
        "accept",
        &[
            "key_counts_min",
            "test_counts_min",
            "key_errors_max",
            "test_errors_max",
            "leaked_bits_max",
            "secret_length_bits",
        ],
    )?;
    Ok(match accept {
        None => AcceptLimits::default(),
        Some(accept) => AcceptLimits {
            key_counts_min: accept.optional("key_counts_min", &rules::COUNTS)?,
            test_counts_min: accept.optional("test_counts_min", &rules::COUNTS)?,
            key_errors_max: accept.optional("key_errors_max", &rules::COUNTS)?,
            test_errors_max: accept.optional("test_errors_max", &rules::COUNTS)?,
            leaked_bits_max: accept.optional("leaked_bits_max", &rules::COUNT)?,
            secret_length_bits: accept.optional("secret_length_bits", &rules::COUNT)?,
        },
    })
}
