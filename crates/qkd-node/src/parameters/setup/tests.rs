//! Plans of links, and links that keep to their plan.

use qkd_bits::{PhysicsRng, SecretRng};
use qkd_optics::{
    Background, Basis, Beam, ChannelEffects, DetectorEffects, EfficiencyMismatch, Extinction,
    Gating, IntensityNoise, LinearMode, PolarisationDrift, PreparationError, SatellitePass,
    SharedFibre, SharedLength, SourceEffects, TimingJitter, Window,
};
use qkd_security::SideChannels;
use qkd_session::Outcome as Ended;

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

/// A pass over superconducting detectors.
fn satellite() -> LinkParameters {
    let mut parameters = presets::snspd(0.0);
    parameters.source.clock_hz = 1e8;
    parameters.effects.channel.satellite_pass = Some(SatellitePass {
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
    parameters
}

#[test]
fn effects_that_the_theorem_does_not_cover_are_named_by_their_keys() {
    for covered in [presets::snspd(25.0), satellite()] {
        assert!(covered.effects.uncovered().is_empty());
    }
    let mut parameters = presets::snspd(25.0);
    parameters.effects.source.intensity_noise = Some(IntensityNoise {
        relative_deviation: 0.05,
    });
    parameters.effects.detector.linear_mode = Some(LinearMode {
        window_slots: 10_000,
        blinding_photons: 1e6,
        threshold_photons: 100.0,
    });
    let said = parameters.effects.uncovered();
    assert_eq!(said.len(), 2);
    assert!(said[0].starts_with("[source] intensity_relative_deviation is not covered"));
    assert!(said[1].starts_with("[detector.linear_mode] is not covered"));
    parameters.effects.detector.efficiency_mismatch = Some(EfficiencyMismatch {
        relative_efficiency: [1.0, 0.9],
        gate_offset_ps: [0.0; 2],
        gate_deviation_ps: 500.0,
        arrival_offset_ps: 0.0,
    });
    let said = parameters.effects.uncovered();
    assert!(said[1].starts_with("[detector.efficiency_mismatch] is not covered"));
}

/// Which is what limits, `qkd plan accept` and daemons are made from.
#[test]
fn stated_side_channels_shorten_the_fixed_length_and_nothing_stated_changes_nothing() {
    let tight = presets::snspd(25.0).block_plan().unwrap();
    assert_eq!(tight.length_expected.side_channels, None);
    let fixed = |reflected_photons, back_flash_probability| {
        let mut parameters = presets::snspd(25.0);
        parameters.security.side_channels = SideChannels {
            reflected_photons,
            back_flash_probability,
        };
        let plan = parameters.block_plan().unwrap();
        let limits = plan.acceptance;
        assert_eq!(limits.key_errors_max, tight.acceptance.key_errors_max);
        assert!(plan.length_expected.side_channel_bits() >= 0.0);
        limits.secret_length_bits
    };
    let lengths = [(0.0, 0.0), (1e-9, 0.0), (1e-7, 0.0), (1e-7, 0.01)].map(|(a, b)| fixed(a, b));
    assert_eq!(lengths[0], tight.acceptance.secret_length_bits);
    assert!(lengths.is_sorted_by(|a, b| a > b), "{lengths:?}");
    assert!(lengths[3] > 0);
    assert_eq!(fixed(0.1, 0.0), 0);
}

/// How the first block of a link ends that is planned as `planned` and built as `built`.
fn first_block(planned: &LinkParameters, built: &LinkParameters) -> qkd_session::Outcome {
    let link = qkd_sim::Link {
        model: planned.link_model().unwrap(),
        hardware: Some(built.setup().unwrap().hardware),
        block_bits: 200_000,
        ..qkd_sim::presets::snspd(25.0, 6).unwrap()
    };
    let outcome = link.run().unwrap();
    assert!(outcome.keys.iter().all(|pair| pair.agrees()));
    outcome.bob[0].outcome
}

/// What is planned for is accepted: errors and background of a real link, and the beginning of a
/// pass, when the satellite is far. What is not planned for is refused.
#[test]
fn an_honest_link_with_effects_gives_keys_to_who_expects_them() {
    let mut effects = with_effects(25.0);
    effects.effects.source.extinction = Some(Extinction {
        extinction_ratio_db: 25.0,
    });
    effects.effects.source.preparation_error = PreparationError {
        key_basis: 0.004,
        test_basis: 0.002,
    };
    effects.effects.channel.background = Some(Background {
        photons_per_slot: 2e-5,
        ..Background::default()
    });
    effects.effects.channel.polarisation_drift = Some(PolarisationDrift {
        drift_rad_per_sqrt_s: 10.0,
        compensation_interval_s: 2e-5,
        residual_rad: 0.03,
    });
    let key = first_block(&effects, &effects);
    assert!(
        matches!(key, Ended::Key { secret_length_bits } if secret_length_bits > 0),
        "{key:?}"
    );
    let mut detectors = with_detector_effects(25.0);
    // 0.9 % of the clicks.
    detectors.effects.detector.timing_jitter = Some(TimingJitter {
        deviation_ps: 190.0,
        slot_ps: 0.0,
    });
    let key = first_block(&detectors, &detectors);
    assert!(
        matches!(key, Ended::Key { secret_length_bits } if secret_length_bits > 0),
        "{key:?}"
    );
    let pass = first_block(&satellite(), &satellite());
    assert!(
        matches!(pass, Ended::Key { secret_length_bits } if secret_length_bits > 0),
        "{pass:?}"
    );
    let unexpected = first_block(&presets::snspd(25.0), &with_effects(25.0));
    assert!(matches!(unexpected, Ended::Aborted(_)), "{unexpected:?}");
}

/// Unequal, gated detectors that scatter: 4.6 % of the clicks go next door, 4.6 % of the light misses
/// the gate.
fn with_detector_effects(distance_km: f64) -> LinkParameters {
    let mut parameters = presets::snspd(distance_km);
    parameters.effects.detector = DetectorEffects {
        efficiency_mismatch: Some(EfficiencyMismatch {
            relative_efficiency: [1.0, 0.8],
            gate_offset_ps: [0.0; 2],
            gate_deviation_ps: 500.0,
            arrival_offset_ps: 0.0,
        }),
        gating: Some(Gating {
            gate_period_slots: 1,
            hold_off_gates: 40,
            gate_width_ps: 400.0,
            pulse_deviation_ps: 100.0,
        }),
        timing_jitter: Some(TimingJitter {
            deviation_ps: 250.0,
            slot_ps: 0.0,
        }),
        ..DetectorEffects::default()
    };
    parameters
}

/// Light through the hardware shows what the model predicts, class by class and basis by basis: the
/// dark counts of the background, the leak of the modulator and all three errors; and what the
/// detectors lose, and find in slots where it does not belong.
#[test]
fn a_link_with_effects_is_expected_to_show_what_it_shows() {
    for parameters in [with_effects(25.0), with_detector_effects(25.0)] {
        shows_what_is_expected(&parameters);
    }
}

fn shows_what_is_expected(parameters: &LinkParameters) {
    let setup = parameters.setup().unwrap();
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
    let setup = satellite().setup().unwrap();
    let ratio = setup.link.transmittance_channel / setup.hardware.segment_transmittance;
    assert!((0.2..0.7).contains(&ratio), "mean over best {ratio}");
}

#[test]
fn effects_of_the_detectors_are_in_the_figures_of_the_model() {
    let model = with_detector_effects(25.0).link_model().unwrap();
    let [q, in_gate] = [0.045_500_263_896, 0.954_499_736_104];
    let efficiency = 0.8 * 0.9 * in_gate * (1.0 - q);
    assert!((model.detector_efficiency / efficiency - 1.0).abs() < 1e-9);
    assert_eq!(model.dead_time_slots, 40);
    // A share q of the mean gain, on two detectors.
    let gain = 0.8 * 0.9 * in_gate * 0.316_228 * (0.45 * 0.33 + 0.55 * 0.115);
    assert!((model.dark_count_probability / (q * gain / 2.0) - 1.0).abs() < 0.05);
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

/// What a plan says of acceptance, written for a configuration, is what a run then yields, but for
/// what no application sees.
#[test]
fn a_block_yields_the_length_that_its_written_limits_say() {
    let mut parameters = presets::snspd(25.0);
    parameters.security.block_bits = 200_000;
    let planned = parameters.block_plan().unwrap();
    let text = AcceptLimits::all_of(&planned.acceptance).to_toml();
    assert!(text.starts_with("[security.accept]\n"), "{text}");
    assert_eq!(text.lines().count(), 7, "{text}");
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("secret_length_bits = "));
    let length: u64 = length.unwrap().parse().unwrap();
    parameters.security.accept = AcceptLimits::all_of(&planned.acceptance);
    assert_eq!(parameters.block_plan().unwrap(), planned);
    let key = first_block(&parameters, &parameters);
    let delivered = length - qkd_session::OVERHEAD_BITS;
    assert_eq!(
        key,
        Ended::Key {
            secret_length_bits: delivered
        }
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
