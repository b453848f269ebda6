//! What a channel does to clicks, from transmitter to receiver.

use qkd_bits::{PhysicsRng, SecretRng};

use super::*;
use crate::{Basis, Detection, Detectors, Receiver, Source, Transmitter};

fn alice(effects: &ChannelEffects, clock_hz: f64) -> Transmitter {
    let source = Source {
        clock_hz,
        intensities: vec![0.5],
        intensity_probabilities: vec![1.0],
        key_basis_probability: 0.5,
        effects: Default::default(),
    };
    let secret = SecretRng::from_seed([1; 32]);
    Transmitter::new(source, effects.segment_transmittance(1.0), secret).expect("valid source")
}

fn bob(effects: &ChannelEffects, clock_hz: f64) -> Receiver {
    let detectors = Detectors {
        detector_efficiency: 0.8,
        dark_count_probability: 0.0,
        dead_time_slots: 0,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 0.0,
        misalignment_error: 0.0,
        insertion_transmittance: 1.0,
        key_basis_probability: 0.5,
        effects: Default::default(),
    };
    assert_eq!(effects.check(), Ok(()));
    let (secret, physics) = (SecretRng::from_seed([2; 32]), PhysicsRng::from_seed(3));
    let receiver = Receiver::new(detectors, secret, physics).expect("valid detectors");
    let channel = effects.channel(clock_hz, PhysicsRng::from_seed(4));
    receiver.with_channel(channel.expect("effects"))
}

/// Clicks in `slots` slots at a clock of `clock_hz`, and who sent them.
fn run(effects: &ChannelEffects, clock_hz: f64, slots: u64) -> (Transmitter, Vec<Detection>) {
    let (mut alice, mut bob) = (alice(effects, clock_hz), bob(effects, clock_hz));
    let mut clicks = Vec::new();
    while alice.next_slot() < slots {
        // A span that no effect's steps are a multiple of.
        bob.detect(alice.transmit(9_973), &mut clicks)
            .expect("in order");
    }
    clicks.retain(|click| click.slot < slots);
    (alice, clicks)
}

fn beam() -> Beam {
    Beam {
        divergence_urad: 5.0,
        pointing_jitter_urad: 1.2,
        receiver_diameter_m: 1.0,
        zenith_transmittance: 0.8,
        telescope_transmittance: 0.9,
    }
}

/// A receiver that only sees light counts as many photons before culmination as after it, most in
/// the middle, and none once the satellite has set.
#[test]
fn clicks_of_a_pass_are_symmetric_about_culmination_and_stop() {
    let pass = SatellitePass {
        altitude_km: 500.0,
        elevation_max_deg: 80.0,
        elevation_min_deg: 15.0,
        step_ms: 100.0,
        beam: beam(),
    };
    let effects = ChannelEffects {
        satellite_pass: Some(pass),
        ..ChannelEffects::default()
    };
    let clock_hz = 1e5;
    let duration_slots = pass.duration_s() * clock_hz;
    let (_, clicks) = run(&effects, clock_hz, duration_slots as u64 + 1_000_000);
    let third = duration_slots / 3.0;
    let mut thirds = [0.0; 4];
    for click in &clicks {
        thirds[(click.slot as f64 / third) as usize] += 1.0;
    }
    let [rise, middle, set, after] = thirds;
    let off = (rise - set) / f64::sqrt(rise + set);
    assert!(off.abs() < 4.9, "{rise} and {set} are {off:.1} sigma apart");
    assert!(middle > 2.0 * rise, "{thirds:?}");
    // The last step may last 50 ms too long.
    let edge = pass.transmittance(0.5 * pass.duration_s());
    let late = 0.05 * clock_hz * 0.4 * edge;
    assert!(
        after < late + 4.9 * late.sqrt() + 5.0,
        "{after} clicks from below the horizon"
    );
    let expected = 0.4 * pass.mean_transmittance() * duration_slots;
    let ratio = clicks.len() as f64 / expected;
    assert!(
        (ratio - 1.0).abs() < 0.02,
        "{ratio} of the mean transmittance"
    );
}

/// The error rate rises between compensations in both bases alike and falls back.
#[test]
fn errors_of_a_drift_are_a_sawtooth_in_both_bases() {
    let drift = PolarisationDrift {
        drift_rad_per_sqrt_s: 8.0,
        compensation_interval_s: 0.01,
        residual_rad: 0.1,
    };
    let effects = ChannelEffects {
        polarisation_drift: Some(drift),
        ..ChannelEffects::default()
    };
    let (alice, clicks) = run(&effects, 1e6, 5_000_000);
    for basis in [Basis::Z, Basis::X] {
        let (mut sifted, mut errors) = ([0.0; 4], [0.0; 4]);
        for click in clicks.iter().filter(|click| click.basis == basis) {
            let choice = alice.choice_at(click.slot).expect("known");
            if choice.basis == basis {
                let quarter = (click.slot % 10_000 / 2_500) as usize;
                sifted[quarter] += 1.0;
                errors[quarter] += f64::from(u8::from(choice.bit != click.bit));
            }
        }
        for quarter in 0..4 {
            let rate = errors[quarter] / sifted[quarter];
            let middle_s = (quarter as f64 + 0.5) * 0.0025;
            let expected = drift.error_after(middle_s);
            // 500 walks scatter by √2/√500 of the mean, clicks by less.
            let sigma = 0.07 * expected;
            assert!(
                (rate - expected).abs() < 4.9 * sigma,
                "{basis:?} {quarter}: {rate} for {expected}"
            );
        }
        assert!(errors[3] / sifted[3] > 3.0 * errors[0] / sifted[0]);
    }
}

/// Fading changes when clicks come, not how many, and makes their number vary more than Poisson.
#[test]
fn fading_bunches_clicks_and_keeps_their_mean() {
    let effects = ChannelEffects {
        free_space: Some(FreeSpace {
            range_km: 1000.0,
            elevation_deg: 90.0,
            beam: beam(),
        }),
        turbulence: Some(Turbulence {
            scintillation_index: 0.2,
            coherence_time_ms: 2.0,
        }),
        ..ChannelEffects::default()
    };
    let slots = 10_000_000;
    let (_, clicks) = run(&effects, 1e6, slots);
    let mut per_time = vec![0.0; slots as usize / 2_000];
    for click in &clicks {
        per_time[click.slot as usize / 2_000] += 1.0;
    }
    let n = per_time.len() as f64;
    let mean = per_time.iter().sum::<f64>() / n;
    let expected = 2_000.0 * (1.0 - (-0.4 * effects.mean_transmittance(1.0)).exp());
    assert!(
        (mean / expected - 1.0).abs() < 0.04,
        "{mean} for {expected}"
    );
    let variance = per_time.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n;
    let index = (variance - mean) / (mean * mean);
    assert!((index - 0.2).abs() < 0.05, "scintillation index {index}");
}
