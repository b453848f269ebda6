//! From link parameters to the models of the lower layers.

use qkd_optics::transmittance;
use qkd_protocols::{Hardware, LinkSetup};
use qkd_security::{
    Acceptance, BlockPlan, DecoySource, Error, LinkModel, Margin, SecurityParameters,
};

use super::{AcceptLimits, LinkParameters};

impl LinkParameters {
    /// The link as both sides expect it: what every count is predicted from.
    ///
    /// # Errors
    /// When a figure is out of range; a checked configuration never is, but for a fibre so long
    /// that no light arrives.
    pub fn link_model(&self) -> Result<LinkModel, Error> {
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
            hardware: Hardware::of(&link),
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
mod tests {
    use crate::presets::{self, Preset};

    #[test]
    fn times_become_whole_slots_rounded_up() {
        let mut parameters = presets::snspd(25.0);
        for (ns, slots) in [
            (0.0, 0),
            (30.0, 30),
            (30.2, 31),
            (0.3, 1),
            (1e9, 1_000_000_000),
        ] {
            parameters.detector.dead_time_ns = ns;
            assert_eq!(
                parameters.link_model().unwrap().dead_time_slots,
                slots,
                "{ns} ns"
            );
        }
        let ingaas = presets::ingaas(25.0).link_model().unwrap();
        assert!((ingaas.afterpulse_decay_slots - 50.0).abs() < 1e-9);
    }

    #[test]
    fn every_preset_plans_a_key_at_25_km() {
        for preset in Preset::ALL {
            let plan = preset.parameters(25.0).block_plan().unwrap();
            let length = plan.acceptance.secret_length_bits;
            assert!(length > 100_000, "{preset:?}: {length} bits");
            assert!(
                plan.slots_expected < 1.2e9,
                "{preset:?}: {}",
                plan.slots_expected
            );
        }
    }

    #[test]
    fn five_decibels_of_fibre_let_31_6_percent_through() {
        let model = presets::snspd(25.0).link_model().unwrap();
        assert!((model.transmittance_channel - 0.316_227_766).abs() < 1e-9);
    }

    #[test]
    fn limits_that_are_set_replace_the_derived_ones_and_no_others() {
        let mut parameters = presets::snspd(25.0);
        let derived = parameters.block_plan().unwrap().acceptance;
        parameters.security.accept.test_errors_max = Some([1, 2]);
        parameters.security.accept.secret_length_bits = Some(99);
        let limited = parameters.block_plan().unwrap().acceptance;
        assert_eq!(limited.test_errors_max, [1, 2]);
        assert_eq!(limited.secret_length_bits, 99);
        assert_eq!(limited.key_counts_min, derived.key_counts_min);
        assert_eq!(limited.leaked_bits_max, derived.leaked_bits_max);
    }
}
