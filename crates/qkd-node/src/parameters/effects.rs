//! What real hardware does beside what it should, as configured.

use qkd_optics::{ChannelEffects, DeadTimes, DetectorEffects, SharedLength, SourceEffects};
use qkd_security::LinkModel;
use qkd_security::mathematics::exp_m1;

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
    /// Of `[detector]`: `basis_choice`, `bit_assignment`, `dead_times`, `[detector.arrival_monitor]`,
    /// `[detector.back_flash]`, `[detector.efficiency_mismatch]`, `[detector.gating]`,
    /// `[detector.linear_mode]`, `[detector.photocurrent_monitor]`, `[detector.power_monitor]`,
    /// `[detector.random_efficiency]`, `[detector.time_filter]`, `[detector.timing_jitter]`,
    /// `[detector.weak_generator]`. A slot is as long as the link's clock makes it, whatever stands
    /// here, and holds a gate.
    pub detector: DetectorEffects,
}

impl HardwareEffects {
    /// What the key-length theorem does not cover of these, a sentence each: the emulator shows what
    /// such hardware does, and the key is only as good as the theorem's assumptions.
    pub fn uncovered(&self) -> Vec<&'static str> {
        let noise = self.source.intensity_noise.is_some();
        let mismatch = self.detector.efficiency_mismatch.is_some();
        let linear = self.detector.linear_mode.is_some();
        let independent = self.detector.dead_times == DeadTimes::Independent;
        let weak = self.detector.weak_generator;
        let glows = self.detector.back_flash;
        [
            (
                noise,
                "[source] intensity_relative_deviation is not covered by the key-length theorem, \
                 which takes intensities as fixed",
            ),
            (
                mismatch,
                "[detector.efficiency_mismatch] is not covered by the key-length theorem, which \
                 takes detection as independent of basis and bit",
            ),
            (
                linear,
                "[detector.linear_mode] is not covered by the key-length theorem: bright light of \
                 an eavesdropper can choose what clicks",
            ),
            (
                independent,
                "[detector] dead_times = \"independent\" is not covered by the key-length theorem: \
                 which detector is awake gives bits away",
            ),
            (
                weak.is_some_and(|generator| generator.foreseeable > 0.0),
                "[detector.weak_generator] is not covered by the key-length theorem, which takes \
                 bases as unknown to everybody until they are announced",
            ),
            (
                glows.is_some_and(|flash| flash.probability > 0.0),
                "[detector.back_flash] is covered by the key-length theorem as far as \
                 [security.side_channels] back_flash_probability states it, and no further",
            ),
        ]
        .into_iter()
        .filter_map(|(configured, sentence)| configured.then_some(sentence))
        .collect()
    }

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

    /// The effects of the detectors, with slots of the link's own clock.
    pub(super) fn detector(&self, clock_hz: f64) -> DetectorEffects {
        let mut effects = self.detector.clone();
        if let Some(jitter) = effects.timing_jitter.as_mut() {
            jitter.slot_ps = 1e12 / clock_hz;
        }
        effects
    }
}

/// What a receiver does whose detectors book a share of their clicks in other slots: light loses
/// that share, and every slot gets it back from its neighbours as dark counts, which know nothing
/// of what was sent in it. (Of first order in the gain: two clicks of one slot are displaced apart.)
pub(super) fn with_displaced_clicks(model: LinkModel, displaced_probability: f64) -> LinkModel {
    if displaced_probability == 0.0 {
        return model;
    }
    let clicks = |photons: f64| -exp_m1(-photons);
    let z = model.key_basis_probability;
    let same_basis = z * z + (1.0 - z) * (1.0 - z);
    let error = model.misalignment_error;
    let mut per_detector = 0.0;
    let probabilities = model.source.probabilities();
    for (intensity, probability) in model.source.intensities().into_iter().zip(probabilities) {
        let light = model.transmittance() * intensity;
        let same = 0.5 * (clicks(light * (1.0 - error)) + clicks(light * error));
        let other = clicks(0.5 * light);
        per_detector += probability * (same_basis * same + (1.0 - same_basis) * other);
    }
    let dark = model.dark_count_probability;
    LinkModel {
        detector_efficiency: model.detector_efficiency * (1.0 - displaced_probability),
        dark_count_probability: dark + (1.0 - dark) * displaced_probability * per_detector,
        ..model
    }
}
