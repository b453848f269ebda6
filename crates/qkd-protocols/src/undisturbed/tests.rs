//! What fires which detector.

use qkd_optics::EfficiencyMismatch;
use qkd_security::DecoySource;

use super::*;
use crate::Hardware;

fn model(dark_count_probability: f64) -> LinkModel {
    LinkModel {
        source: DecoySource::new([0.33, 0.115], [0.45, 0.55]).expect("a sound source"),
        key_basis_probability: 0.8,
        clock_hz: 1e9,
        transmittance_channel: 0.01,
        insertion_transmittance: 1.0,
        detector_efficiency: 0.75,
        dark_count_probability,
        dead_time_slots: 30,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 50.0,
        misalignment_error: 0.01,
    }
}

fn detectors(dark_count_probability: f64, relative_efficiency: [f64; 2]) -> Detectors {
    let mut detectors = Hardware::of(&model(dark_count_probability)).detectors;
    detectors.effects.efficiency_mismatch = Some(EfficiencyMismatch {
        relative_efficiency,
        gate_offset_ps: [0.0; 2],
        gate_deviation_ps: 500.0,
        arrival_offset_ps: 0.0,
    });
    detectors
}

/// Share of the second detector where the model has `stray` clicks and the detectors are dark for but
/// `dark` of them.
fn second(stray: f64, dark: f64) -> f64 {
    let detectors = detectors(dark, [1.0, 0.5]);
    let relative = relative_efficiencies(&detectors);
    let [zero, one] = Fired::on_average(&model(stray), &detectors, relative).bits;
    one / (zero + one)
}

/// Detectors of which one sees half as well as the other have a third of all that is light, whatever slot
/// it is booked in, and half of what is not.
#[test]
fn stray_light_fires_a_detector_as_well_as_that_one_sees() {
    // Some 8·10⁻⁴ of light for each detector, and pulses of several photons.
    assert!((second(0.0, 0.0) - 1.0 / 3.0).abs() < 5e-4);
    // Twenty times as much of other slots.
    assert!((second(1.6e-2, 0.0) - 1.0 / 3.0).abs() < 4e-3);
    assert!((second(1e-4, 0.0) - 1.0 / 3.0).abs() < 5e-4);
    // Dark counts alone.
    let half = second(1.6e-2, 1.6e-2);
    assert!((0.48..0.5).contains(&half), "{half}");
}

#[test]
fn detectors_that_are_alike_click_alike_and_fire_together_as_the_model_says() {
    let (link, detectors) = (model(1e-6), detectors(1e-6, [0.7; 2]));
    let fired = Fired::on_average(&link, &detectors, relative_efficiencies(&detectors));
    assert!((fired.bits[0] - fired.bits[1]).abs() < 1e-15);
    let share = fired.doubles / fired.bits.iter().sum::<f64>();
    assert!((share / link.double_click_share() - 1.0).abs() < 1e-6);
}
