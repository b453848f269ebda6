//! What real hardware does beside what it should, as configured.

use qkd_optics::{ChannelEffects, DetectorEffects, SharedLength, SourceEffects};

use super::ChannelParameters;

/// The effects of a link's hardware; none by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HardwareEffects {
    /// Of `[source]`: `extinction_ratio_db`, `intensity_relative_deviation`, `preparation_error`.
    pub source: SourceEffects,
    /// Of `[channel]`: `[channel.background]`, `[channel.daylight]`, `[channel.shared_fibre]`,
    /// `[channel.polarisation_drift]`, `[channel.free_space]`, `[channel.satellite_pass]`,
    /// `[channel.turbulence]`. The length of a shared fibre is that of the link, whatever stands
    /// here.
    pub channel: ChannelEffects,
    /// Of `[detector]`.
    pub detector: DetectorEffects,
}

impl HardwareEffects {
    /// The effects of the channel, with classical light in all of the link's own fibre.
    pub(super) fn channel(&self, channel: &ChannelParameters) -> ChannelEffects {
        let mut effects = self.channel.clone();
        let background = effects.background.as_mut();
        if let Some(shared) = background.and_then(|background| background.shared_fibre.as_mut()) {
            shared.fibre = SharedLength {
                distance_km: channel.distance_km,
                attenuation_db_per_km: channel.attenuation_db_per_km,
            };
        }
        effects
    }
}
