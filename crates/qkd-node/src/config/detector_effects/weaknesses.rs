//! What lets somebody into Bob's laboratory: dead times of their own, a generator that is foreseen,
//! detectors that glow. A sound receiver has none of it.

use qkd_optics::{
    BackFlash, DeadTimes, DetectorEffects, Detectors, Error as OpticsError, TimeFilter,
    WeakGenerator,
};

use crate::config::document::{Rule, Section};
use crate::config::effects::possible;
use crate::config::place::ConfigError;
use crate::config::rules;
use crate::parameters::DetectorParameters;

const DEAD_TIMES: Rule<DeadTimes> = Rule {
    expected: "whose dead time a click begins: \"common\" for that of all detectors, \"independent\" \
               for its own alone, which gives bits away",
    read: |value| match value.as_str()? {
        "common" => Some(DeadTimes::Common),
        "independent" => Some(DeadTimes::Independent),
        _ => None,
    },
    known: &["common", "independent"],
};

pub(super) fn dead_times(detector: &Section<'_>) -> Result<DeadTimes, ConfigError> {
    let given = detector.optional("dead_times", &DEAD_TIMES)?;
    Ok(given.unwrap_or_default())
}

pub(super) fn time_filter(detector: &Section<'_>) -> Result<Option<TimeFilter>, ConfigError> {
    let known = &["half_width_ps"];
    let Some(section) = detector.section_if_present("time_filter", known)? else {
        return Ok(None);
    };
    let filter = TimeFilter {
        half_width_ps: section.required("half_width_ps", &rules::NUMBER)?,
    };
    possible(&section, filter.check())?;
    Ok(Some(filter))
}

pub(super) fn weak_generator(detector: &Section<'_>) -> Result<Option<WeakGenerator>, ConfigError> {
    let known = &["seed", "foreseeable"];
    let Some(section) = detector.section_if_present("weak_generator", known)? else {
        return Ok(None);
    };
    let generator = WeakGenerator {
        seed: section.required("seed", &rules::COUNT)?,
        foreseeable: section.required("foreseeable", &rules::NUMBER)?,
    };
    possible(&section, generator.check())?;
    Ok(Some(generator))
}

pub(super) fn back_flash(detector: &Section<'_>) -> Result<Option<BackFlash>, ConfigError> {
    let known = &["probability", "isolation_db"];
    let Some(section) = detector.section_if_present("back_flash", known)? else {
        return Ok(None);
    };
    let isolation = section.optional("isolation_db", &rules::NUMBER)?;
    let flash = BackFlash {
        probability: section.required("probability", &rules::NUMBER)?,
        isolation_db: isolation.unwrap_or(0.0),
    };
    possible(&section, flash.check())?;
    Ok(Some(flash))
}

/// Refuses effects that are good each by itself and that the emulator cannot do together.
pub(in crate::config) fn go_together(
    detector: &Section<'_>,
    parameters: &DetectorParameters,
    effects: &DetectorEffects,
) -> Result<(), ConfigError> {
    let detectors = Detectors {
        detector_efficiency: parameters.detector_efficiency,
        dark_count_probability: parameters.dark_count_probability,
        afterpulse_probability: parameters.afterpulse_probability,
        // What other sections say has been looked at there.
        afterpulse_decay_slots: 0.0,
        dead_time_slots: 0,
        misalignment_error: 0.0,
        insertion_transmittance: 1.0,
        key_basis_probability: 0.5,
        effects: effects.clone(),
    };
    match detectors.check() {
        Ok(()) => Ok(()),
        Err(OpticsError::OutOfRange { name, expected, .. }) => {
            let key = match name {
                "deviation_ps" => "timing_jitter",
                "foreseeable" => "weak_generator",
                key => key,
            };
            Err(detector.contradict(key, &format!("expected {expected}")))
        }
        Err(other) => possible(detector, Err(other)),
    }
}
