//! From a TOML document to the description of a link to be planned.

use std::path::Path;

use qkd_security::planning::{PlanTheorem, RECONCILIATION_INEFFICIENCY};
use qkd_security::{Error, SecurityParameters};

use super::super::document::{Document, Rule, Section};
use super::super::place::ConfigError;
use super::super::{effects, measured, read, rules, security, side_channels};
use super::{Line, PlanConfig, PlanError, PlanProtocol, PlanSecurity, PlanSource};
use crate::parameters::{HardwareEffects, ProtocolName};

const THEOREM: Rule<PlanTheorem> = Rule {
    expected: "the name of a key-length theorem: \"wiesemann2024\", \"rusca2018\", \"lim2014\", \
               \"gllp\", \"gllp-decoy-infinite\" or \"gllp-vacuum-weak\"",
    read: |value| value.as_str()?.parse().ok(),
    known: &[
        "wiesemann2024",
        "rusca2018",
        "lim2014",
        "gllp",
        "gllp-decoy-infinite",
        "gllp-vacuum-weak",
    ],
};

/// Reads the whole text for `theorems`, or else for its own.
pub(super) fn plan(
    text: &str,
    path: &Path,
    theorems: &[PlanTheorem],
) -> Result<PlanConfig, ConfigError> {
    let document = Document::new(text, path);
    let table = document.parse()?;
    refuse_measurement(&Section::whole(&document, &table))?;
    let mut known = read::LINK_SECTIONS.to_vec();
    let is_eve = table.get_ref().contains_key("eve");
    if is_eve {
        known.extend(read::EVE_SECTIONS);
    }
    let root = Section::root(&document, &table, &known)?;
    if is_eve {
        let expected = "the configuration of a link, Alice's or Bob's: Eve's says nothing of the \
                        source and the detectors that a plan is made from";
        return Err(root.refuse("eve", expected));
    }
    let (source, source_effects) = source(&root)?;
    let section = read::channel_section(&root)?;
    let distance_km = section.optional("distance_km", &rules::DISTANCE_KM)?;
    section.optional("insertion_loss_db", &rules::PLAN_LOSS_DB)?;
    let (channel, channel_effects) =
        read::channel_of(&section, distance_km.unwrap_or(0.0), source.clock_hz)?;
    let section = read::detector_section(&root)?;
    let dead_time_ns = section.optional("dead_time_ns", &rules::DEAD_TIME_NS)?;
    let (detector, detector_effects) =
        read::detector_of(&section, dead_time_ns.unwrap_or(0.0), source.clock_hz)?;
    let config = PlanConfig {
        source,
        distance_km,
        detector,
        protocol: protocol(&root)?,
        security: security(&root)?,
        effects: HardwareEffects {
            source: source_effects,
            channel: channel_effects,
            detector: detector_effects,
        },
        line: Line::Fibre(channel),
    };
    let own = [config.security.theorem];
    let theorems = if theorems.is_empty() { &own } else { theorems };
    for theorem in theorems {
        let tried = config.try_theorem(*theorem);
        tried.or_else(|error| refuse(&root, *theorem, &error))?;
    }
    Ok(config)
}

/// Whoever gives what was measured in place of a link is told which command is for it.
fn refuse_measurement(root: &Section<'_>) -> Result<(), ConfigError> {
    let is_link = LINK.iter().any(|name| root.has(name));
    let measured = measured::SECTIONS.iter().find(|name| root.has(name));
    match measured {
        Some(name) if !is_link => Err(root.refuse(
            name,
            "the description of a link, with [source], [channel] and [detector]; what was \
             measured is for `qkd plan evaluate`",
        )),
        Some(_) | None => Ok(()),
    }
}

/// Sections without which there is no link.
const LINK: [&str; 3] = ["source", "channel", "detector"];

fn source(root: &Section<'_>) -> Result<(PlanSource, qkd_optics::SourceEffects), ConfigError> {
    let section = read::source_section(root)?;
    let key = "intensity_probabilities";
    let source = PlanSource {
        clock_hz: section.required("clock_hz", &rules::CLOCK_HZ)?,
        intensities: section.required("intensities", &rules::PLAN_INTENSITIES)?,
        intensity_probabilities: section.optional(key, &rules::PLAN_PROBABILITIES)?,
    };
    let given = source.intensity_probabilities.as_ref().map(Vec::len);
    let wanted = source.intensities.len();
    if given.is_some_and(|given| given != wanted) {
        let expected = format!("as many probabilities as there are intensities, {wanted}");
        return Err(section.refuse(key, expected));
    }
    Ok((source, effects::source(&section)?))
}

fn protocol(root: &Section<'_>) -> Result<PlanProtocol, ConfigError> {
    let mut known = read::PROTOCOL_KEYS.to_vec();
    known.push(read::PLANNED_INEFFICIENCY);
    let section = root.section("protocol", &known)?;
    let name = section.optional("name", &read::PROTOCOL)?;
    let inefficiency = section.optional(
        read::PLANNED_INEFFICIENCY,
        &rules::RECONCILIATION_INEFFICIENCY,
    )?;
    Ok(PlanProtocol {
        name: name.unwrap_or(ProtocolName::Bb84),
        key_basis_probability: section
            .optional("key_basis_probability", &rules::KEY_BASIS_PROBABILITY)?,
        misalignment_error: section.required("misalignment_error", &rules::MISALIGNMENT_ERROR)?,
        reconciliation_inefficiency: inefficiency.unwrap_or(RECONCILIATION_INEFFICIENCY),
    })
}

fn security(root: &Section<'_>) -> Result<PlanSecurity, ConfigError> {
    let default = PlanSecurity::default();
    let Some(section) = root.section_if_present("security", security::KEYS)? else {
        return Ok(default);
    };
    security::accept_limits(&section)?;
    security::authentication(&section)?;
    let failure = |key, default| {
        let given = section.optional(key, &rules::FAILURE_PROBABILITY)?;
        Ok(given.unwrap_or(default))
    };
    Ok(PlanSecurity {
        theorem: section
            .optional("theorem", &THEOREM)?
            .unwrap_or(default.theorem),
        block_bits: section
            .optional("block_bits", &rules::PLAN_BLOCK_BITS)?
            .unwrap_or(default.block_bits),
        parameters: SecurityParameters {
            secrecy: failure("secrecy", default.parameters.secrecy)?,
            correctness: failure("correctness", default.parameters.correctness)?,
        },
        side_channels: side_channels::read(&section)?,
    })
}

/// Says of a configuration that `theorem` does not take where it says what the theorem minds.
fn refuse(root: &Section<'_>, theorem: PlanTheorem, error: &PlanError) -> Result<(), ConfigError> {
    let key = match error {
        PlanError::Contradiction { key, .. } => key,
        PlanError::Model(error) => key_of(error),
    };
    let (section, key) = key.split_once('.').unwrap_or(("source", key));
    let found = match section {
        "channel" => read::channel_section(root)?,
        "detector" => read::detector_section(root)?,
        "protocol" => {
            let mut known = read::PROTOCOL_KEYS.to_vec();
            known.push(read::PLANNED_INEFFICIENCY);
            root.section("protocol", &known)?
        }
        "security" => root.section("security", security::KEYS)?,
        _ => read::source_section(root)?,
    };
    Err(match error {
        PlanError::Contradiction { reason, .. } => found.contradict(key, reason),
        PlanError::Model(error) => {
            let expected = format!("a link that {theorem} can be applied to: {error}");
            found.refuse(key, expected)
        }
    })
}

/// The key that a refused figure of a link most likely came from.
pub(super) fn key_of(error: &Error) -> &'static str {
    let Error::OutOfRange { what, .. } = error else {
        return "source.intensities";
    };
    [
        ("intensity_probabilities", "source.intensity_probabilities"),
        ("key_basis_probability", "protocol.key_basis_probability"),
        ("misalignment_error", "protocol.misalignment_error"),
        ("transmittance_channel", "channel.distance_km"),
        ("insertion_transmittance", "channel.insertion_loss_db"),
        ("detector_efficiency", "detector.detector_efficiency"),
        ("dark_count", "detector.dark_count_probability"),
        ("afterpulse", "detector.afterpulse_probability"),
        ("dead_time", "detector.dead_time_ns"),
        ("clock_hz", "source.clock_hz"),
        ("block_bits", "security.block_bits"),
        ("reflected_photons", "security.side_channels"),
        ("back_flash", "security.side_channels"),
        ("secrecy", "security.secrecy"),
        ("correctness", "security.correctness"),
        (
            "reconciliation_inefficiency",
            "protocol.reconciliation_inefficiency",
        ),
    ]
    .into_iter()
    .find_map(|(word, key)| what.contains(word).then_some(key))
    .unwrap_or("source.intensities")
}
