//! From link parameters to the models of the lower layers.

use qkd_optics::transmittance;
use qkd_protocols::{Hardware, LinkSetup};
use qkd_security::{
    Acceptance, BlockPlan, DecoySource, Error, LinkModel, Margin, SecurityParameters,
};

use super::{AcceptLimits, LinkParameters};

impl LinkParameters {
    /// The link as both sides expect it: what every count is predicted from, with every effect that
    /// shifts an expectation in its figures. Intensities are those that leave the modulator,
    /// background photons are dark counts of both detectors, a preparation error (the larger of the
    /// two) and the mean error of a drift add to the misalignment, and changing loss has its mean.
    /// Intensity noise shifts nothing that can be seen here, and no theorem here covers it.
    ///
    /// # Errors
    /// When a figure is out of range; a checked configuration never is, but for a fibre so long
    /// that no light arrives.
    pub fn link_model(&self) -> Result<LinkModel, Error> {
        let ideal = self.ideal_model()?;
        let hardware = self.hardware()?;
        let (source, channel) = (hardware.source, hardware.channel);
        let real = source.real_intensities();
        let survival = ideal.insertion_transmittance * ideal.detector_efficiency;
        let background = channel.background_click_probability(survival);
        let dark = ideal.dark_count_probability;
        let prepared = source.effects.preparation_error;
        let errors = [
            prepared.key_basis.max(prepared.test_basis),
            channel.rotation_error(),
        ];
        LinkModel {
            source: DecoySource::new([real[0], real[1]], self.source.intensity_probabilities)?,
            transmittance_channel: channel.mean_transmittance(ideal.transmittance_channel),
            dark_count_probability: dark + (1.0 - dark) * background,
            misalignment_error: errors
                .into_iter()
                .fold(ideal.misalignment_error, |e, f| e + f - 2.0 * e * f),
            ..ideal
        }
        .checked()
    }

    /// The link's instruments and what lies between them.
    fn hardware(&self) -> Result<Hardware, Error> {
        let ideal = self.ideal_model()?;
        let channel = self.effects.channel(&self.channel);
        let mut hardware = Hardware::of(&ideal);
        hardware.source.effects = self.effects.source.clone();
        hardware.segment_transmittance = channel.segment_transmittance(ideal.transmittance_channel);
        hardware.channel = channel;
        hardware.detectors.effects = self.effects.detector.clone();
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
mod tests {
    use qkd_bits::{PhysicsRng, SecretRng};
    use qkd_optics::{
        Background, Basis, Beam, ChannelEffects, Extinction, IntensityNoise, PolarisationDrift,
        PreparationError, SatellitePass, SharedFibre, SharedLength, SourceEffects, Window,
    };

    use super::*;
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

    fn with_effects(distance_km: f64) -> LinkParameters {
        let mut parameters = presets::snspd(distance_km);
        parameters.effects.source = SourceEffects {
            extinction: Some(Extinction {
                extinction_ratio_db: 12.0,
            }),
            intensity_noise: Some(IntensityNoise {
                relative_deviation: 0.05,
            }),
            preparation_error: PreparationError {
                key_basis: 0.01,
                test_basis: 0.01,
            },
            ..SourceEffects::default()
        };
        parameters.effects.channel = ChannelEffects {
            background: Some(Background {
                photons_per_slot: 4e-4,
                ..Background::default()
            }),
            polarisation_drift: Some(PolarisationDrift {
                drift_rad_per_sqrt_s: 80.0,
                compensation_interval_s: 2e-5,
                residual_rad: 0.1,
            }),
            ..ChannelEffects::default()
        };
        parameters
    }

    /// Light through the hardware shows what the model predicts, class by class and basis by basis:
    /// the dark counts of the background, the leak of the modulator and all three errors.
    #[test]
    fn a_link_with_effects_is_expected_to_show_what_it_shows() {
        let setup = with_effects(25.0).setup().unwrap();
        let seed = |n: u8| SecretRng::from_seed([n; 32]);
        let mut alice = setup.hardware.transmitter(seed(1)).unwrap();
        let receiver = setup.hardware.receiver(seed(2), PhysicsRng::from_seed(3));
        let (mut bob, mut clicks) = (receiver.unwrap(), Vec::new());
        let slots = 20_000_000.0;
        for _ in 0..200 {
            bob.detect(alice.transmit(100_000), &mut clicks).unwrap();
        }
        let expected = setup.link.expected().per_slot();
        for (basis, expected) in [(Basis::Z, expected.key), (Basis::X, expected.test)] {
            let (mut counts, mut errors) = ([0.0; 2], [0.0; 2]);
            for click in clicks.iter().filter(|click| click.basis == basis) {
                let choice = alice.choice_at(click.slot).unwrap();
                if choice.basis == basis {
                    let class = usize::from(choice.intensity.0);
                    counts[class] += 1.0;
                    errors[class] += f64::from(u8::from(choice.bit != click.bit));
                }
            }
            for class in [0, 1] {
                let count = slots * expected.counts[class];
                let off = (counts[class] - count) / count.sqrt();
                assert!(
                    off.abs() < 5.0,
                    "{basis:?} {class}: {off:.1} sigma of {count:.0}"
                );
                // The drift of a thousand intervals scatters by 4 % of its share of a third.
                let wrong = slots * expected.errors[class];
                let off = (errors[class] - wrong) / (wrong + (0.015 * wrong).powi(2)).sqrt();
                assert!(
                    off.abs() < 5.0,
                    "{basis:?} {class}: {off:.1} sigma of {wrong:.0} errors"
                );
            }
        }
    }

    /// What each effect does to the figures that a block is planned with.
    #[test]
    fn effects_are_in_the_figures_of_the_model() {
        let ideal = presets::snspd(25.0).link_model().unwrap();
        let model = with_effects(25.0).link_model().unwrap();
        let [signal, decoy] = model.source.intensities();
        assert_eq!(signal, 0.33);
        assert!((decoy - (0.115 + 0.215 * 10f64.powf(-1.2))).abs() < 1e-12);
        let dark = 1e-8 + 4e-4 * 0.8 / 2.0;
        assert!((model.dark_count_probability / dark - 1.0).abs() < 1e-3);
        assert!(model.misalignment_error > 0.03 && ideal.misalignment_error == 0.01);
        assert_eq!(model.transmittance_channel, ideal.transmittance_channel);
        // Loss that changes: the segment carries the best moment, the model the mean.
        let mut pass = presets::snspd(0.0);
        pass.effects.channel.satellite_pass = Some(SatellitePass {
            altitude_km: 500.0,
            elevation_max_deg: 60.0,
            elevation_min_deg: 20.0,
            step_ms: 10.0,
            beam: Beam {
                divergence_urad: 5.0,
                pointing_jitter_urad: 1.2,
                receiver_diameter_m: 1.0,
                zenith_transmittance: 0.7,
                telescope_transmittance: 0.5,
            },
        });
        let setup = pass.setup().unwrap();
        let ratio = setup.link.transmittance_channel / setup.hardware.segment_transmittance;
        assert!((0.2..0.7).contains(&ratio), "mean over best {ratio}");
    }

    /// Classical light fills the link's own fibre, however long it is made afterwards.
    #[test]
    fn a_shared_fibre_is_as_long_as_the_link() {
        let mut parameters = presets::snspd(10.0);
        parameters.effects.channel.background = Some(Background {
            shared_fibre: Some(SharedFibre {
                co_propagating_dbm: Some(0.0),
                counter_propagating_dbm: None,
                raman_per_km_nm: 2e-9,
                fibre: SharedLength {
                    distance_km: 0.0,
                    attenuation_db_per_km: 0.0,
                },
                window: Window {
                    wavelength_nm: 1550.0,
                    filter_bandwidth_nm: 0.1,
                    gate_time_ps: 100.0,
                },
            }),
            ..Background::default()
        });
        let dark = |parameters: &LinkParameters| {
            let model = parameters.link_model().unwrap();
            model.dark_count_probability
        };
        let short = dark(&parameters);
        parameters.channel.distance_km = 20.0;
        // Twice the length, 2 dB less power.
        let ratio = dark(&parameters) / short;
        assert!(
            (ratio / (2.0 * 10f64.powf(-0.2)) - 1.0).abs() < 1e-3,
            "{ratio}"
        );
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
