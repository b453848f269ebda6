//! `[security.side_channels]`: what the operator states that the laboratories may leak.

use qkd_security::SideChannels;

use super::document::{Rule, Section};
use super::place::ConfigError;
use super::rules::number;

const REFLECTED_PHOTONS: Rule<f64> = Rule::new(
    "a mean photon number per slot from 0 to 1, such as 1e-7: the light that may come back out of \
     Alice's laboratory",
    |value| number(value).filter(|photons| (0.0..=1.0).contains(photons)),
);

const BACK_FLASH_PROBABILITY: Rule<f64> = Rule::new(
    "a probability from 0 to below 1, such as 1e-5, that a click of Bob's detectors lets a photon \
     out into the fibre",
    |value| number(value).filter(|probability| (0.0..1.0).contains(probability)),
);

/// What `[security]` states; nothing where it says nothing.
pub(super) fn read(security: &Section<'_>) -> Result<SideChannels, ConfigError> {
    match security.section_if_present("side_channels", KEYS)? {
        Some(section) => figures(&section),
        None => Ok(SideChannels::NONE),
    }
}

/// What such a section may hold.
pub(super) const KEYS: &[&str] = &["reflected_photons", "back_flash_probability"];

/// What such a section states.
pub(super) fn figures(section: &Section<'_>) -> Result<SideChannels, ConfigError> {
    let figure = |key, rule| Ok(section.optional(key, rule)?.unwrap_or(0.0));
    Ok(SideChannels {
        reflected_photons: figure("reflected_photons", &REFLECTED_PHOTONS)?,
        back_flash_probability: figure("back_flash_probability", &BACK_FLASH_PROBABILITY)?,
    })
}
