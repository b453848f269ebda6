//! Decoy-state BB84, and BBM92 where a table gives no more: detections, or what a paper says.

use qkd_security::evaluation::{
    BlockTheorem, Counts, DecoyBlock, DecoySummary, Disclosed, Link, Measured, MeasuredCounts,
    MeasuredSummary, SummarySource,
};
use qkd_security::planning::RECONCILIATION_INEFFICIENCY;
use qkd_security::{Exposure, SecurityParameters, SideChannels};

use super::rules::{self, SummaryTheorem};
use super::{Keys, Measurement};
use crate::config::document::Section;
use crate::config::place::ConfigError;
use crate::config::side_channels;

const COUNTS_KEYS: &[&str] = &[
    "theorem",
    "intensities",
    "intensity_probabilities",
    "key_basis_probability",
    "secrecy",
    "correctness",
    "leaked_bits",
    "reconciliation_inefficiency",
    "verification_bits",
    "seconds",
    "clock_hz",
    "loss_db",
    "key_basis",
    "test_basis",
    "side_channels",
];

/// `[key_basis]` and `[test_basis]`, with the source above them.
pub(super) fn counts(root: &Section<'_>) -> Result<Measurement, ConfigError> {
    root.only(COUNTS_KEYS)?;
    let theorem = root
        .optional("theorem", &rules::THEOREM)?
        .unwrap_or_default();
    let intensities = root.required("intensities", &rules::INTENSITIES)?;
    let probabilities = root.required("intensity_probabilities", &rules::PROBABILITIES)?;
    let fit = Fit { theorem };
    fit.check(root, "intensities", &intensities)?;
    fit.check(root, "intensity_probabilities", &probabilities)?;
    let key_section = root.section("key_basis", &["counts", "errors"])?;
    let test_section = root.section("test_basis", &["counts", "errors"])?;
    let keys = Keys {
        root,
        section: root,
    };
    let Some(disclosed) = keys.disclosed()? else {
        let expected = "the bits that error correction disclosed, such as 150000, or instead of \
                        them reconciliation_inefficiency, such as 1.16";
        return Err(root.refuse("leaked_bits", expected));
    };
    let key_basis_probability =
        root.optional("key_basis_probability", &rules::KEY_BASIS_PROBABILITY)?;
    let (side_channels, exposure) = leaks(root, theorem, key_basis_probability)?;
    let measured = MeasuredCounts {
        block: DecoyBlock {
            theorem,
            intensities,
            intensity_probabilities: probabilities,
            key: fit.counts(&key_section)?,
            test: fit.counts(&test_section)?,
            side_channels,
            exposure,
        },
        key_basis_probability,
        parameters: SecurityParameters {
            secrecy: root.required("secrecy", &rules::FAILURE_PROBABILITY)?,
            correctness: root.required("correctness", &rules::FAILURE_PROBABILITY)?,
        },
        disclosed,
        verification_bits: root.optional("verification_bits", &rules::BITS)?,
        seconds: root.optional("seconds", &rules::SECONDS)?,
        link: link(&keys)?,
    };
    Measurement::of(
        Measured::Counts(measured),
        root,
        &[&key_section, &test_section],
    )
}

/// `[side_channels]`: what the laboratories may have leaked, and for how many slots they may.
fn leaks(
    root: &Section<'_>,
    theorem: BlockTheorem,
    key_basis_probability: Option<f64>,
) -> Result<(SideChannels, Option<Exposure>), ConfigError> {
    let keys = [side_channels::KEYS, &["slots_max"]].concat();
    let Some(section) = root.section_if_present("side_channels", &keys)? else {
        return Ok((SideChannels::NONE, None));
    };
    let stated = side_channels::figures(&section)?;
    if theorem != BlockTheorem::Wiesemann2024 && !stated.is_none() {
        let expected = "\"wiesemann2024\", which alone reckons with [side_channels]";
        return Err(root.refuse("theorem", expected));
    }
    let slots_max = section.optional("slots_max", &rules::SLOTS)?;
    if stated.reflected_photons == 0.0 {
        return Ok((stated, None));
    }
    let Some(slots_max) = slots_max else {
        return Err(section.refuse("slots_max", rules::SLOTS.expected));
    };
    let Some(key_basis_probability) = key_basis_probability else {
        let key = "key_basis_probability";
        return Err(root.refuse(key, rules::KEY_BASIS_PROBABILITY.expected));
    };
    let exposure = Exposure {
        slots_max,
        key_basis_probability,
    };
    Ok((stated, Some(exposure)))
}

/// The theorem says how many figures there are for everything that depends on the intensity.
struct Fit {
    theorem: BlockTheorem,
}

impl Fit {
    fn check(&self, section: &Section<'_>, key: &str, values: &[f64]) -> Result<(), ConfigError> {
        let (theorem, wanted) = (self.theorem, self.theorem.intensities());
        if values.len() == wanted {
            return Ok(());
        }
        let expected = format!(
            "{wanted} values, one for each intensity that {theorem} takes; found {} (wiesemann2024 \
             and rusca2018 take 2, lim2014 takes 3)",
            values.len()
        );
        Err(section.refuse(key, expected))
    }

    fn counts(&self, section: &Section<'_>) -> Result<Counts, ConfigError> {
        let counts = section.required("counts", &rules::COUNTS)?;
        let errors = section.required("errors", &rules::COUNTS)?;
        self.check(section, "counts", &counts)?;
        self.check(section, "errors", &errors)?;
        Ok(Counts { counts, errors })
    }
}

const SUMMARY_KEYS: &[&str] = &[
    "theorem",
    "intensities",
    "intensity_probabilities",
    "key_basis_probability",
    "secrecy",
    "correctness",
    "leaked_bits",
    "reconciliation_inefficiency",
    "clock_hz",
    "block_bits",
    "qber",
    "phase_error_rate",
    "test_bits",
    "sifted_rate_bps",
    "loss_db",
];

/// Those of them that may as well stand above the section.
const SUMMARY_ROOT_KEYS: &[&str] = &[
    "theorem",
    "intensities",
    "intensity_probabilities",
    "key_basis_probability",
    "secrecy",
    "correctness",
    "leaked_bits",
    "reconciliation_inefficiency",
    "clock_hz",
    "sifted_rate_bps",
    "loss_db",
    "summary",
];

/// What a table leaves out is as in the project's own configurations.
const PARAMETERS: SecurityParameters = SecurityParameters {
    secrecy: 1e-10,
    correctness: 1e-15,
};

/// `[summary]`.
pub(super) fn summary(root: &Section<'_>) -> Result<Measurement, ConfigError> {
    root.only(SUMMARY_ROOT_KEYS)?;
    let section = root.section("summary", SUMMARY_KEYS)?;
    let keys = Keys {
        root,
        section: &section,
    };
    let failure = |key, usual| {
        let given = keys.optional(key, &rules::FAILURE_PROBABILITY)?;
        Ok::<f64, ConfigError>(given.unwrap_or(usual))
    };
    let measured = MeasuredSummary {
        source: source(&keys)?,
        block_bits: section.required("block_bits", &rules::SOME_BITS)?,
        qber: section.required("qber", &rules::ERROR_RATE)?,
        phase_error_rate: section.required("phase_error_rate", &rules::ERROR_RATE)?,
        key_basis_probability: keys
            .optional("key_basis_probability", &rules::KEY_BASIS_PROBABILITY)?,
        sifted_rate_bps: keys.optional("sifted_rate_bps", &rules::RATE_BPS)?,
        link: link(&keys)?,
        parameters: SecurityParameters {
            secrecy: failure("secrecy", PARAMETERS.secrecy)?,
            correctness: failure("correctness", PARAMETERS.correctness)?,
        },
        disclosed: keys
            .disclosed()?
            .unwrap_or(Disclosed::Inefficiency(RECONCILIATION_INEFFICIENCY)),
    };
    Measurement::of(Measured::Summary(measured), &section, &[root])
}

fn link(keys: &Keys<'_, '_>) -> Result<Link, ConfigError> {
    Ok(Link {
        loss_db: keys.optional("loss_db", &rules::LOSS_DB)?,
        clock_hz: keys.optional("clock_hz", &rules::CLOCK_HZ)?,
    })
}

fn source(keys: &Keys<'_, '_>) -> Result<SummarySource, ConfigError> {
    let theorem = keys.optional("theorem", &rules::SUMMARY_THEOREM)?;
    let intensities = keys.optional("intensities", &rules::INTENSITIES)?;
    let probabilities = keys.optional("intensity_probabilities", &rules::PROBABILITIES)?;
    let test_bits = keys.section.optional("test_bits", &rules::SOME_BITS)?;
    let (theorem, intensities) = match (theorem, intensities) {
        (None | Some(SummaryTheorem::SinglePhotons), None) => {
            if probabilities.is_some() {
                return Err(keys.refuse("intensities", "the mean photon numbers themselves"));
            }
            return Ok(SummarySource::SinglePhotons { test_bits });
        }
        (Some(SummaryTheorem::SinglePhotons), Some(_)) => {
            let expected = "no intensities with bbm92, which is about pairs or single photons";
            return Err(keys.refuse("intensities", expected));
        }
        (Some(SummaryTheorem::Decoy(_)), None) => {
            return Err(keys.refuse("intensities", rules::INTENSITIES.expected));
        }
        (None, Some(intensities)) => (BlockTheorem::default(), intensities),
        (Some(SummaryTheorem::Decoy(theorem)), Some(intensities)) => (theorem, intensities),
    };
    if test_bits.is_some() {
        let expected = "nothing with intensities: phase_error_rate is then the bound on the \
                        key's single photons";
        return Err(keys.section.refuse("test_bits", expected));
    }
    let fit = Fit { theorem };
    fit.check(keys.owner("intensities"), "intensities", &intensities)?;
    if let Some(probabilities) = &probabilities {
        let key = "intensity_probabilities";
        fit.check(keys.owner(key), key, probabilities)?;
    }
    Ok(SummarySource::Decoy(DecoySummary {
        theorem,
        intensities,
        intensity_probabilities: probabilities,
    }))
}
