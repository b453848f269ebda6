//! From link parameters to the models of the lower layers.

use qkd_optics::transmittance;
use qkd_protocols::{Hardware, LinkSetup};
use qkd_security::{
    Acceptance, BlockPlan, DecoySource, Error, LinkModel, Margin, SecurityParameters,
};

use super::effects::with_displaced_clicks;
use super::{AcceptLimits, LinkParameters};

impl LinkParameters {
    /// The link as both sides expect it: what every count is predicted from, with every effect that
    /// shifts an expectation in its figures. Intensities are those that leave the modulator,
    /// background photons are dark counts of both detectors, a preparation error (the larger of the
    /// two) and the mean error of a drift add to the misalignment, and changing loss has its mean.
    /// Of unequal detectors and of light that Bob weakens at random it is the mean efficiency, of gates the light that falls into them, and
    /// clicks that jitter displaces are dark counts where they go. Intensity noise and the inequality
    /// itself shift nothing that can be seen here, and no theorem here covers them.
    ///
    /// # Errors
    /// When a figure is out of range; a checked configuration never is, but for a fibre so long
    /// that no light arrives.
    pub fn link_model(&self) -> Result<LinkModel, Error> {
        let ideal = self.ideal_model()?;
        let hardware = self.hardware()?;
        let (source, channel, detectors) = (hardware.source, hardware.channel, hardware.detectors);
        let real = source.real_intensities();
        let [zero, one] = detectors.efficiencies();
        let weakened = detectors.effects.random_efficiency;
        let weakened = weakened.map_or(1.0, |random| random.mean_transmittance());
        let detector_efficiency = 0.5 * (zero + one) * weakened;
        let survival = ideal.insertion_transmittance * detector_efficiency;
        let background = channel.background_click_probability(survival);
        let dark = ideal.dark_count_probability;
        let prepared = source.effects.preparation_error;
        let errors = [
            prepared.key_basis.max(prepared.test_basis),
            channel.rotation_error(),
        ];
        let model = LinkModel {
            source: DecoySource::new([real[0], real[1]], self.source.intensity_probabilities)?
                .with_side_channels(self.security.side_channels)?,
            detector_efficiency,
            dead_time_slots: detectors.blind_slots(),
            transmittance_channel: channel.mean_transmittance(ideal.transmittance_channel),
            dark_count_probability: dark + (1.0 - dark) * background,
            misalignment_error: errors
                .into_iter()
                .fold(ideal.misalignment_error, |e, f| e + f - 2.0 * e * f),
            ..ideal
        }
        .checked()?;
        let jitter = detectors.effects.timing_jitter;
        let displaced = jitter.map_or(0.0, |jitter| jitter.displaced_probability());
        with_displaced_clicks(model, displaced).checked()
    }

    /// The link's instruments and what lies between them.
    ///
    /// # Errors
    /// As [`link_model`](Self::link_model).
    pub fn hardware(&self) -> Result<Hardware, Error> {
        let ideal = self.ideal_model()?;
        let channel = self.effects.channel(&self.channel);
        let mut hardware = Hardware::of(&ideal);
        hardware.source.effects = self.effects.source.clone();
        hardware.segment_transmittance = channel.segment_transmittance(ideal.transmittance_channel);
        hardware.channel = channel;
        hardware.detectors.effects = self.effects.detector(ideal.clock_hz);
        Ok(hardware)
    }

    /// The link without effects.
    fn ideal_model(&self) -> Result<LinkModel, Error> {
        let source = &self.source;
        let slots = |ns: f64| ns * 1e-9 * source.clock_hz;
        LinkModel {
            source: DecoySource::new(source.intensities, source.intensity_probabilities)?,
            key_basis_probability: self.protocol.key_basis_probability,
            clock_hz: source.clock_hz,
            transmittance_channel: transmittance(self.fibre_attenuation_db()),
            insertion_transmittance: transmittance(self.channel.insertion_loss_db),
            detector_efficiency: self.detector.detector_efficiency,
            dark_count_probability: self.detector.dark_count_probability,
            dead_time_slots: whole_slots(slots(self.detector.dead_time_ns)),
            afterpulse_probability: self.detector.afterpulse_probability,
            afterpulse_decay_slots: slots(self.detector.afterpulse_decay_ns),
            misalignment_error: self.protocol.misalignment_error,
        }
        .checked()
    }

    /// Loss of the whole fibre, dB.
    pub fn fibre_attenuation_db(&self) -> f64 {
        self.channel.distance_km * self.channel.attenuation_db_per_km
    }

    /// ε_sec and ε_cor of a block.
    pub fn security_parameters(&self) -> SecurityParameters {
        SecurityParameters {
            secrecy: self.security.secrecy,
            correctness: self.security.correctness,
        }
    }

    /// Size and acceptance limits of a block: derived from the expected link, with the limits of
    /// `[security.accept]` in place of the derived ones.
    ///
    /// # Errors
    /// When the link cannot be planned for.
    pub fn block_plan(&self) -> Result<BlockPlan, Error> {
        let mut plan = BlockPlan::derive(
            &self.link_model()?,
            self.security.block_bits,
            &self.security_parameters(),
            self.security.theorem,
            &Margin::default(),
        )?;
        self.security.accept.replace_in(&mut plan.acceptance);
        Ok(plan)
    }

    /// What Alice and Bob agree on before the first pulse.
    ///
    /// # Errors
    /// When the link cannot be planned for.
    pub fn setup(&self) -> Result<LinkSetup, Error> {
        let link = self.link_model()?;
        Ok(LinkSetup {
            hardware: self.hardware()?,
            link,
            plan: self.block_plan()?,
            theorem: self.security.theorem,
            parameters: self.security_parameters(),
        })
    }
}

impl AcceptLimits {
    /// Puts every limit that is set in place of the derived one.
    pub fn replace_in(&self, acceptance: &mut Acceptance) {
        let replace_pair = |set: Option<[u64; 2]>, limit: &mut [u64; 2]| {
            *limit = set.unwrap_or(*limit);
        };
        replace_pair(self.key_counts_min, &mut acceptance.key_counts_min);
        replace_pair(self.test_counts_min, &mut acceptance.test_counts_min);
        replace_pair(self.key_errors_max, &mut acceptance.key_errors_max);
        replace_pair(self.test_errors_max, &mut acceptance.test_errors_max);
        let replace = |set: Option<u64>, limit: &mut u64| *limit = set.unwrap_or(*limit);
        replace(self.leaked_bits_max, &mut acceptance.leaked_bits_max);
        replace(self.secret_length_bits, &mut acceptance.secret_length_bits);
    }
}

/// A time in slots, rounded up: a detector that is blind for part of a slot is blind for it. What
/// is a whole number but for rounding (30 ns at 1 GHz) stays one.
fn whole_slots(slots: f64) -> u64 {
    (slots - 1e-6).ceil().max(0.0) as u64
}

#[cfg(test)]
mod tests;
