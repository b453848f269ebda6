//! Each deviation from the ideal receiver, by its signature.

use super::*;
use crate::{
    BasisChoice, Channel, Conditions, DetectorEffects, EfficiencyMismatch, Gating, LinearMode,
    PowerMonitor, TimingJitter,
};

fn with(effects: DetectorEffects) -> Detectors {
    Detectors {
        effects,
        ..detectors()
    }
}

fn clicks_of(bob: &mut Receiver, train: PulseTrain) -> Vec<Detection> {
    let mut clicks = Vec::new();
    bob.detect(train, &mut clicks).expect("in order");
    clicks
}

fn count(clicks: &[Detection], what: impl Fn(&Detection) -> bool) -> u64 {
    clicks.iter().filter(|click| what(click)).count() as u64
}

fn in_z(click: &Detection) -> bool {
    click.basis == Basis::Z
}

/// Of five photons some meet the other pair of detectors; clicks across the bases get either basis.
/// Four detectors have dark counts, in Z as often as in X, whatever P(Z).
#[test]
fn with_a_passive_choice_four_detectors_click_and_photons_choose_their_basis() {
    let passive = |dark_count_probability| Detectors {
        key_basis_probability: 0.7,
        dark_count_probability,
        ..with(DetectorEffects {
            basis_choice: BasisChoice::Passive,
            ..Default::default()
        })
    };
    let n = 200_000;
    for photons in [1u8, 5] {
        let mut bob = receiver(passive(0.0), 30);
        let clicks = clicks_of(&mut bob, train_of(0, n, 1, photons, 0));
        let power = |p: f64| p.powi(photons.into());
        let (none, no_z, no_x) = (power(0.2), power(1.0 - 0.8 * 0.7), power(1.0 - 0.8 * 0.3));
        let across = 1.0 - no_z - no_x + none;
        let z = no_x - none + across / 2.0;
        check_rate("gain", clicks.len() as u64, n.into(), 1.0 - none);
        check_rate("basis Z", count(&clicks, in_z), n.into(), z);
        // Z1 stays dark, so what is double fired X: with Z0, or both of X alone.
        let both_x_alone = no_z - 2.0 * power(1.0 - 0.8 * 0.85) + none;
        let doubles = bob.counters().double_clicks;
        if photons == 1 {
            assert_eq!(doubles, 0, "one photon fired two detectors");
        } else {
            check_rate("double clicks", doubles, n.into(), across + both_x_alone);
        }
    }
    let mut bob = receiver(passive(1e-3), 31);
    let mut clicks = Vec::new();
    bob.advance_to(10_000_000, &mut clicks);
    let yield_of_none = 1.0 - (1.0 - 1e-3f64).powi(4);
    check_rate("dark counts", clicks.len() as u64, 1e7, yield_of_none);
    check_rate("dark in Z", count(&clicks, in_z), clicks.len() as f64, 0.5);
}

/// Jitter would move the clicks of a pair that the coin between the pairs has already dropped.
#[test]
fn a_passive_choice_with_timing_jitter_is_refused() {
    let both = |deviation_ps| {
        with(DetectorEffects {
            basis_choice: BasisChoice::Passive,
            timing_jitter: Some(TimingJitter {
                deviation_ps,
                slot_ps: 1000.0,
            }),
            ..Default::default()
        })
    };
    let refusal = both(10.0).check().expect_err("jitter").to_string();
    assert!(
        refusal.starts_with("deviation_ps is 10, expected 0 ps with a passive choice"),
        "{refusal}"
    );
    assert_eq!(both(0.0).check(), Ok(()));
}

/// 2 deviations from the middle to the edge: 4.55 % of the clicks are booked elsewhere, nearly all
/// of them next door, before and after alike; in a full train each gives a random bit.
#[test]
fn jitter_moves_clicks_into_neighbouring_slots_where_half_of_them_are_errors() {
    let jitter = TimingJitter {
        deviation_ps: 250.0,
        slot_ps: 1000.0,
    };
    let jittery = || Detectors {
        detector_efficiency: 1.0,
        key_basis_probability: 1.0,
        ..with(DetectorEffects {
            timing_jitter: Some(jitter),
            ..Default::default()
        })
    };
    let q = jitter.displaced_probability();
    let mut bob = receiver(jittery(), 32);
    let clicks = clicks_of(&mut bob, train_of(0, 2_000_000, 10, 1, 0));
    let n = 2e5;
    assert_eq!(clicks.len(), 200_000, "clicks are moved, not lost");
    check_rate("own slot", count(&clicks, |c| c.slot % 10 == 0), n, 1.0 - q);
    check_rate("one late", count(&clicks, |c| c.slot % 10 == 1), n, q / 2.0);
    check_rate(
        "one early",
        count(&clicks, |c| c.slot % 10 == 9),
        n,
        q / 2.0,
    );
    assert_eq!(
        bob.counters().displaced_clicks,
        count(&clicks, |c| c.slot % 10 != 0)
    );
    assert!(clicks.windows(2).all(|pair| pair[0].slot < pair[1].slot));

    // Alternating bits, so that a click next door is wrong; one beside its own makes a double.
    let mut alice = transmitter(8.0, 0.01, 33);
    let mut bob = receiver(jittery(), 34);
    let clicks = clicks_of(&mut bob, alice.transmit(3_000_000));
    let (mut same, mut wrong) = (0u64, 0);
    for click in &clicks {
        let sent = alice.choice_at(click.slot).expect("known");
        if sent.basis == Basis::Z {
            same += 1;
            wrong += u64::from(sent.bit != click.bit);
        }
    }
    // A share q of the clicks is displaced; hardly any meets another click at this gain of 8 %.
    let off = wrong as f64 / same as f64 - q / 2.0;
    assert!(off.abs() < 0.004, "error rate is {off} off {}", q / 2.0);
}

/// Light 300 ps late meets the detector of 1, whose gate opens 200 ps after the other's.
#[test]
fn detectors_of_unequal_efficiency_bias_the_bit() {
    let mismatch = EfficiencyMismatch {
        relative_efficiency: [1.0, 0.9],
        gate_offset_ps: [-100.0, 100.0],
        gate_deviation_ps: 200.0,
        arrival_offset_ps: 300.0,
    };
    let parameters = with(DetectorEffects {
        efficiency_mismatch: Some(mismatch),
        ..Default::default()
    });
    let [zero, one] = mismatch.factors();
    let n = 400_000;
    let mut bob = receiver(
        Detectors {
            key_basis_probability: 0.0,
            ..parameters
        },
        35,
    );
    // Z0 measured in X: half of the photons on each detector.
    let clicks = clicks_of(&mut bob, train_of(0, n, 1, 1, 0));
    check_rate("gain", clicks.len() as u64, n.into(), 0.4 * (zero + one));
    let share = one / (zero + one);
    check_rate(
        "ones",
        count(&clicks, |c| c.bit),
        clicks.len() as f64,
        share,
    );
    assert!(share > 0.6, "the test would not notice");
}

/// Light between gates is not seen, dark counts come per gate, and the hold-off counts in gates.
#[test]
fn a_gated_receiver_sees_light_and_noise_in_its_gates_alone() {
    let gated = |hold_off_gates, dark_count_probability| Detectors {
        detector_efficiency: 1.0,
        dark_count_probability,
        ..with(DetectorEffects {
            gating: Some(Gating {
                gate_period_slots: 4,
                hold_off_gates,
                gate_width_ps: 200.0,
                pulse_deviation_ps: 100.0,
            }),
            ..Default::default()
        })
    };
    let mut bob = receiver(gated(0, 0.0), 36);
    let clicks = clicks_of(&mut bob, full_train(0, 400_000));
    assert!(clicks.iter().all(|click| click.slot % 4 == 0));
    check_rate("light in gates", clicks.len() as u64, 1e5, 0.682_689_492);
    let mut bob = receiver(gated(0, 0.01), 37);
    let mut clicks = Vec::new();
    bob.advance_to(4_000_001, &mut clicks);
    assert!(clicks.iter().all(|click| click.slot % 4 == 0));
    check_rate(
        "dark counts",
        clicks.len() as u64,
        1e6,
        1.0 - 0.99f64.powi(2),
    );
    let mut bob = receiver(gated(7, 0.0), 38);
    let clicks = clicks_of(&mut bob, train_of(0, 400_000, 1, 255, 0));
    assert_eq!(clicks.len(), 12_500, "one gate in eight");
}

/// 100 photons blind a detector that takes 60 to click: in its own basis a pulse clicks always and
/// alone, in the other never. Without blinding light the same pulse clicks in both.
#[test]
fn a_blinded_receiver_clicks_in_the_basis_of_the_pulse_alone() {
    let parameters = || Detectors {
        dark_count_probability: 1e-3,
        ..with(DetectorEffects {
            linear_mode: Some(LinearMode {
                window_slots: 10_000,
                blinding_photons: 50_000.0,
                threshold_photons: 60.0,
            }),
            ..Default::default()
        })
    };
    let mut bob = receiver(parameters(), 39);
    // The first window is not blind yet, the others are.
    clicks_of(&mut bob, train_of(0, 10_000, 10, 100, 2));
    let before = bob.counters();
    let clicks = clicks_of(&mut bob, train_of(10_000, 1_000_000, 10, 100, 2));
    check_rate("clicks", clicks.len() as u64, 1e5, 0.5);
    assert!(
        clicks
            .iter()
            .all(|c| c.slot % 10 == 0 && !in_z(c) && !c.bit)
    );
    assert_eq!(bob.counters().double_clicks, before.double_clicks);
    assert_eq!(bob.counters().dark_counts, before.dark_counts);
    // Half the light: below the threshold nothing clicks, and the window no longer blinds the next.
    let clicks = clicks_of(&mut bob, train_of(1_010_000, 10_000, 20, 50, 2));
    assert_eq!(clicks.len(), 0);
    let clicks = clicks_of(&mut bob, train_of(1_020_000, 10_000, 20, 100, 2));
    check_rate("in Z again", count(&clicks, in_z), 500.0, 0.5);
}

#[test]
fn the_power_monitor_counts_the_windows_that_reach_its_level() {
    let parameters = with(DetectorEffects {
        power_monitor: Some(PowerMonitor {
            window_slots: 10_000,
            alarm_photons: 1000.0,
        }),
        ..Default::default()
    });
    let mut bob = receiver(parameters, 40);
    clicks_of(&mut bob, train_of(0, 30_000, 10, 1, 0));
    clicks_of(&mut bob, train_of(30_000, 30_000, 11, 1, 0));
    clicks_of(&mut bob, train_of(60_000, 5_000, 10, 2, 0));
    assert_eq!(bob.counters().power_alarms, 3, "the last window is open");
    bob.advance_to(100_000, &mut Vec::new());
    clicks_of(&mut bob, train_of(100_000, 1, 1, 1, 0));
    assert_eq!(bob.counters().power_alarms, 4);
}

/// Still up to slot 100,000, turned and lossy for as long, then background light in the dark.
struct Weather;

const STEP: u64 = 100_000;

impl Channel for Weather {
    fn conditions(&mut self, slot: u64) -> (Conditions, u64) {
        let conditions = match slot / STEP {
            0 => Conditions::STILL,
            1 => Conditions {
                transmittance: 0.5,
                rotation_rad: 0.6,
                ..Conditions::STILL
            },
            _ => Conditions {
                transmittance: 0.0,
                background_photons: 0.05,
                ..Conditions::STILL
            },
        };
        (conditions, (slot / STEP + 1) * STEP)
    }
}

#[test]
fn conditions_of_the_channel_hold_from_their_slot_on() {
    for span in [300_000u32, 7_500] {
        let parameters = Detectors {
            key_basis_probability: 1.0,
            ..detectors()
        };
        let mut bob = receiver(parameters, 41).with_channel(Box::new(Weather));
        let mut clicks = Vec::new();
        while bob.next_slot() < 3 * STEP {
            bob.detect(full_train(bob.next_slot(), span), &mut clicks)
                .expect("in order");
        }
        let part = |from: u64| {
            let part = clicks.iter().filter(move |c| c.slot / STEP == from);
            let ones = part.clone().filter(|c| c.bit).count() as u64;
            (part.count() as u64, ones)
        };
        let n = STEP as f64;
        let ((still, wrong), (turned, turned_wrong), (dark, dark_wrong)) =
            (part(0), part(1), part(2));
        check_rate("still", still, n, 0.8);
        assert_eq!(wrong, 0);
        check_rate("lossy", turned, n, 0.4);
        let flipped = 0.3f64.sin().powi(2);
        check_rate("rotation", turned_wrong, turned as f64, flipped);
        // Poissonian light, half on each detector: 1 − e^(−0.05 · 0.8).
        check_rate("background", dark, n, 1.0 - (-0.04f64).exp());
        check_rate("its bits", dark_wrong, dark as f64, 0.5);
        assert_eq!(bob.counters().dark_counts, dark);
    }
}

/// FNV-1a over slots, bases and bits.
fn fingerprint(clicks: &[Detection]) -> u64 {
    clicks.iter().fold(0xcbf2_9ce4_8422_2325, |hash, click| {
        let code = click.slot << 2 | u64::from(click.basis == Basis::X) << 1 | u64::from(click.bit);
        (hash ^ code).wrapping_mul(0x100_0000_01b3)
    })
}

/// Everything at once, in trains of two lengths; whoever changes a transcript changes this number.
#[test]
fn the_same_seed_sees_the_same_clicks_on_every_machine() {
    let parameters = Detectors {
        dark_count_probability: 1e-3,
        dead_time_slots: 3,
        afterpulse_probability: 0.05,
        afterpulse_decay_slots: 6.5,
        misalignment_error: 0.02,
        insertion_transmittance: 0.9,
        key_basis_probability: 0.7,
        ..with(DetectorEffects {
            efficiency_mismatch: Some(EfficiencyMismatch {
                relative_efficiency: [1.0, 0.9],
                gate_offset_ps: [0.0, 40.0],
                gate_deviation_ps: 150.0,
                arrival_offset_ps: 10.0,
            }),
            timing_jitter: Some(TimingJitter {
                deviation_ps: 200.0,
                slot_ps: 1000.0,
            }),
            ..Default::default()
        })
    };
    let mut bob = receiver(parameters, 42).with_channel(Box::new(Weather));
    let mut nature = PhysicsRng::from_seed(43);
    let mut clicks = Vec::new();
    while bob.next_slot() < 300_000 {
        let span = 1_000 + nature.below(10_000) as u32;
        let train = PulseTrain {
            start_slot: bob.next_slot() + nature.below(100),
            span,
            pulses: (0..span)
                .step_by(3)
                .map(|offset| Pulse {
                    offset,
                    photons: 1 + nature.below(12) as u8,
                    state: State::from_code(nature.below(4) as u8),
                    crafted: [0; 2],
                })
                .collect(),
            extras: Default::default(),
        };
        bob.detect(train, &mut clicks).expect("in order");
    }
    assert_eq!(fingerprint(&clicks), 2_925_646_993_184_834_438);
}
