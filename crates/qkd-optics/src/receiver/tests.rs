use super::*;

mod effects;
mod patterns;

use crate::light::{Pulse, State};
use crate::{Basis, Fibre, Source, Transmitter};

fn detectors() -> Detectors {
    Detectors {
        detector_efficiency: 0.8,
        dark_count_probability: 0.0,
        dead_time_slots: 0,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 0.0,
        misalignment_error: 0.0,
        insertion_transmittance: 1.0,
        key_basis_probability: 0.5,
        effects: Default::default(),
    }
}

fn receiver(detectors: Detectors, seed: u8) -> Receiver {
    let secret = SecretRng::from_seed([seed; 32]);
    Receiver::new(detectors, secret, PhysicsRng::from_seed(seed.into())).expect("valid detectors")
}

fn transmitter(intensity: f64, eta: f64, seed: u8) -> Transmitter {
    let source = Source {
        clock_hz: 1e9,
        intensities: vec![intensity],
        intensity_probabilities: vec![1.0],
        key_basis_probability: 0.5,
        effects: Default::default(),
    };
    Transmitter::new(source, eta, SecretRng::from_seed([seed; 32])).expect("valid source")
}

/// Light in every slot, one photon each, bright enough to make an ideal detector click always.
fn full_train(start_slot: u64, span: u32) -> PulseTrain {
    train_of(start_slot, span, 1, 1, 0)
}

/// A pulse of `photons` photons of one state in every `period`-th slot.
fn train_of(start_slot: u64, span: u32, period: usize, photons: u8, state: u8) -> PulseTrain {
    let pulses = (0..span).step_by(period).map(|offset| Pulse {
        offset,
        photons,
        state: State::from_code(state),
        crafted: [0; 2],
    });
    PulseTrain {
        start_slot,
        span,
        pulses: pulses.collect(),
        extras: Default::default(),
    }
}

fn check_rate(what: &str, hits: u64, trials: f64, expected: f64) {
    let sigma = (trials * expected * (1.0 - expected)).sqrt();
    let off = (hits as f64 - trials * expected) / sigma;
    assert!(
        off.abs() < 5.0,
        "{what}: {} is {off:.2} sigma off {expected}",
        hits as f64 / trials
    );
}

/// Gain 1−(1−p_d)²e^(−λ), double clicks, and the error rate with random bits after double clicks,
/// EQ = (1−(1−p_d)e^(−b)) (1+(1−p_d)e^(−a))/2 with a = λ(1−e_d), b = λe_d in the same basis.
/// A forged frame far ahead must not keep Bob from everything else.
#[test]
fn a_train_read_in_bites_gives_the_clicks_of_the_whole() {
    let noisy = || Detectors {
        dark_count_probability: 1e-3,
        ..detectors()
    };
    let (mut whole, mut bites) = (receiver(noisy(), 70), receiver(noisy(), 70));
    let (mut at_once, mut in_bites) = (Vec::new(), Vec::new());
    let train = || train_of(12_345, 40_000, 10, 1, 0);
    whole.detect(train(), &mut at_once).expect("in order");
    let (mut rest, mut steps) = (Some(train()), 0);
    while let Some(train) = rest.take() {
        let before = bites.next_slot();
        rest = bites
            .detect_some(train, 1_000, &mut in_bites)
            .expect("in order");
        assert!(bites.next_slot() - before <= 1_000);
        steps += 1;
    }
    assert_eq!((steps, bites.next_slot()), (53, whole.next_slot()));
    let seen = |clicks: &[Detection]| -> Vec<_> {
        let click = |click: &Detection| (click.slot, click.basis, click.bit);
        clicks.iter().map(click).collect()
    };
    assert_eq!(seen(&in_bites), seen(&at_once));
    assert!(bites.detect_some(train(), 1_000, &mut in_bites).is_err());
}

#[test]
fn gain_and_error_rate_are_those_of_two_detectors_with_random_double_clicks() {
    for (intensity, eta, dark) in [(4.0, 0.5, 0.01), (0.5, 0.2, 1e-4), (0.5, 0.02, 1e-3)] {
        let parameters = Detectors {
            dark_count_probability: dark,
            misalignment_error: 0.02,
            insertion_transmittance: 0.9,
            ..detectors()
        };
        let (mut alice, mut bob) = (transmitter(intensity, 1.0, 1), receiver(parameters, 2));
        let mut glass = Fibre::new(eta).expect("valid");
        let mut physics = PhysicsRng::from_seed(3);
        let slots = 2_000_000u32;
        let train = glass.carry(alice.transmit(slots), &mut physics);
        let mut clicks = Vec::new();
        bob.detect(train, &mut clicks).expect("in order");
        let lambda = intensity * eta * 0.8 * 0.9;
        let quiet = |mean: f64| (1.0 - dark) * (-mean).exp();
        let n = f64::from(slots);
        check_rate(
            "gain",
            clicks.len() as u64,
            n,
            1.0 - quiet(lambda) * (1.0 - dark),
        );
        let (right, wrong) = (quiet(lambda * 0.98), quiet(lambda * 0.02));
        let same_double = (1.0 - right) * (1.0 - wrong);
        let other_double = (1.0 - quiet(lambda / 2.0)).powi(2);
        let doubles = bob.counters().double_clicks;
        check_rate(
            "double clicks",
            doubles,
            n,
            (same_double + other_double) / 2.0,
        );
        let (mut same, mut errors, mut other, mut ones) = (0u64, 0, 0u64, 0);
        for click in &clicks {
            let choice = alice.choice_at(click.slot).expect("known");
            if choice.basis == click.basis {
                same += 1;
                errors += u64::from(choice.bit != click.bit);
            } else {
                other += 1;
                ones += u64::from(choice.bit != click.bit);
            }
        }
        let q = 1.0 - quiet(lambda) * (1.0 - dark);
        let eq = (1.0 - wrong) * (1.0 + right) / 2.0;
        check_rate("error rate", errors, same as f64, eq / q);
        check_rate("error rate in the other basis", ones, other as f64, 0.5);
        assert_eq!(bob.counters().clicks, clicks.len() as u64);
    }
}

#[test]
fn bases_are_chosen_with_their_probability() {
    let parameters = Detectors {
        detector_efficiency: 1.0,
        key_basis_probability: 0.9,
        ..detectors()
    };
    let mut clicks = Vec::new();
    let mut bob = receiver(parameters, 4);
    bob.detect(full_train(0, 200_000), &mut clicks)
        .expect("in order");
    let in_z = clicks.iter().filter(|c| c.basis == Basis::Z).count() as u64;
    check_rate("basis Z", in_z, 2e5, 0.9);
}

/// Rows of `deadtime.csv`: true rate r, dead time τ, registered rate f/(k+1/p) of a gated detector
/// with f = 1 GHz, k = fτ blocked gates and p = r/f; and the non-paralysable r/(1+rτ), which it
/// approaches.
const DEAD_TIME_ROWS: [(f64, f64, f64, f64); 7] = [
    (1e3, 1e-6, 999.000999001, 999.000999001),
    (1e3, 5e-8, 999.9500025, 999.9500025),
    (1e5, 5e-8, 99502.4875622, 99502.4875622),
    (1e6, 1e-6, 500000.0, 500000.0),
    (1e7, 1e-6, 909090.909091, 909090.909091),
    (1e7, 5e-8, 6666666.66667, 6666666.66667),
    (1e8, 5e-8, 16666666.6667, 16666666.6667),
];

/// Dark counts are independent gates: the registered rate is that of the renewal process, whose
/// variance per interval is (1−p)/p² (the dead time adds none).
#[test]
fn registered_rate_is_that_of_a_common_dead_time() {
    for (rate, tau, non_paralysable, gated) in DEAD_TIME_ROWS {
        let (p, dead) = (rate / 1e9, (tau * 1e9f64).round());
        // Two detectors that fire with p in either: 1 − (1−p_d)² = p.
        let parameters = Detectors {
            dark_count_probability: 1.0 - (1.0 - p).sqrt(),
            dead_time_slots: dead as u64,
            ..detectors()
        };
        let mut bob = receiver(parameters, 5);
        let mut clicks = Vec::new();
        let interval = dead + 1.0 / p;
        assert!((1e9 / interval / gated - 1.0).abs() < 1e-9);
        assert!((gated / non_paralysable - 1.0).abs() < 1e-9);
        let slots = (interval * 100_000.0) as u64;
        bob.advance_to(slots, &mut clicks);
        let n = clicks.len() as f64;
        let sigma = n.sqrt() * ((1.0 - p) / (p * p)).sqrt() / interval;
        let off = (n - slots as f64 / interval) / sigma;
        assert!(
            off.abs() < 5.0,
            "r={rate} tau={tau}: {off:.2} sigma off {gated} per second"
        );
        assert!(
            clicks
                .windows(2)
                .all(|w| w[1].slot - w[0].slot > dead as u64)
        );
    }
}

/// Every slot holds light: a click, then exactly the dead time, also across trains and gaps.
#[test]
fn dead_time_passes_slot_by_slot_across_trains_and_lost_frames() {
    let parameters = Detectors {
        detector_efficiency: 1.0,
        dead_time_slots: 7,
        ..detectors()
    };
    let mut bob = receiver(parameters, 6);
    let mut clicks = Vec::new();
    bob.detect(full_train(0, 13), &mut clicks)
        .expect("in order");
    bob.detect(full_train(13, 5), &mut clicks)
        .expect("in order");
    bob.detect(full_train(30, 1), &mut clicks)
        .expect("in order");
    let slots: Vec<u64> = clicks.iter().map(|c| c.slot).collect();
    assert_eq!(slots, [0, 8, 16, 30]);
    assert_eq!(bob.counters().discarded_in_dead_time, 15);
    assert_eq!(bob.next_slot(), 31);
}

/// x₁/(1−p_ap): every registered click may be followed by one more.
#[test]
fn afterpulses_cascade() {
    let (p_ap, x1) = (0.3, 1e-6);
    let parameters = Detectors {
        dark_count_probability: x1 / 2.0,
        dead_time_slots: 10,
        afterpulse_probability: p_ap,
        afterpulse_decay_slots: 20.0,
        ..detectors()
    };
    let mut bob = receiver(parameters, 7);
    let mut clicks = Vec::new();
    let slots = 200_000_000_000u64;
    bob.advance_to(slots, &mut clicks);
    let expected = slots as f64 * x1 / (1.0 - p_ap);
    // A cluster has a geometric size of variance p/(1−p)², plus the square of its mean.
    let clusters = slots as f64 * x1;
    let sigma = (clusters * (1.0 + p_ap)).sqrt() / (1.0 - p_ap);
    // Losses to dead time: below 2·(10+20)·x₁ of the clicks, 0.06 sigma here.
    let off = (clicks.len() as f64 - expected) / sigma;
    assert!(
        off.abs() < 5.0,
        "{} clicks are {off:.2} sigma off {expected}",
        clicks.len()
    );
    let delays: Vec<f64> = clicks
        .windows(2)
        .map(|w| (w[1].slot - w[0].slot) as f64)
        .filter(|&delay| delay < 1_000.0)
        .collect();
    // After 10 dead slots the delay is 1, 2, … with mean 1/(1 − e^(−1/20)).
    let mean = delays.iter().sum::<f64>() / delays.len() as f64 - 10.0;
    let expected = 1.0 / (1.0 - (-1.0f64 / 20.0).exp());
    // Accidental neighbours within 1,000 slots are 1e-3/0.3 of these and stretch the mean by 1.6.
    assert!(
        (mean - expected - 1.6).abs() < 1.0,
        "mean delay {mean}, expected {expected}"
    );
    assert_eq!(bob.counters().clicks, clicks.len() as u64);
}

#[test]
fn an_afterpulse_comes_from_the_detector_that_clicked() {
    let parameters = Detectors {
        detector_efficiency: 1.0,
        dead_time_slots: 3,
        afterpulse_probability: 0.999_999,
        afterpulse_decay_slots: 0.0,
        key_basis_probability: 1.0,
        ..detectors()
    };
    let mut bob = receiver(parameters, 8);
    let mut clicks = Vec::new();
    bob.detect(full_train(0, 1), &mut clicks).expect("in order");
    bob.advance_to(40, &mut clicks);
    assert_eq!(
        clicks.iter().map(|c| c.slot).collect::<Vec<_>>(),
        (0..10).map(|i| 4 * i).collect::<Vec<_>>()
    );
    assert!(clicks.iter().all(|c| !c.bit), "the other detector fired");
    assert_eq!(bob.counters().afterpulses, 9);
}

/// Y₀ = 1 − (1−p_d)², in slots that no frame covers.
#[test]
fn dark_counts_go_on_where_no_light_arrives() {
    let parameters = Detectors {
        dark_count_probability: 1e-3,
        ..detectors()
    };
    let mut bob = receiver(parameters, 9);
    let mut clicks = Vec::new();
    bob.detect(full_train(10_000_000, 1), &mut clicks)
        .expect("in order");
    let before = clicks.iter().filter(|c| c.slot < 10_000_000).count() as u64;
    check_rate("dark counts", before, 1e7, 1.0 - (1.0 - 1e-3f64).powi(2));
    let ones = clicks.iter().filter(|c| c.bit).count() as u64;
    check_rate("ones", ones, clicks.len() as f64, 0.5);
    assert!(
        clicks.windows(2).all(|w| w[0].slot < w[1].slot),
        "out of order"
    );
}

#[test]
fn light_from_the_past_is_refused_and_changes_nothing() {
    let mut bob = receiver(detectors(), 10);
    let mut clicks = Vec::new();
    bob.advance_to(100, &mut clicks);
    let counters = bob.counters();
    assert_eq!(
        bob.detect(full_train(99, 50), &mut clicks),
        Err(Error::BehindReceiver {
            start_slot: 99,
            next_slot: 100
        })
    );
    assert_eq!(
        (bob.next_slot(), bob.counters(), clicks.len()),
        (100, counters, 0)
    );
    bob.advance_to(50, &mut clicks);
    assert_eq!(bob.next_slot(), 100, "time ran backwards");
}

#[test]
fn impossible_detectors_are_refused_by_name() {
    type Spoil = fn(&mut Detectors);
    let cases: [(&str, Spoil); 7] = [
        ("detector_efficiency", |d| d.detector_efficiency = 1.1),
        ("dark_count_probability", |d| {
            d.dark_count_probability = -1e-9
        }),
        ("afterpulse_probability", |d| d.afterpulse_probability = 1.0),
        ("afterpulse_decay_slots", |d| {
            d.afterpulse_decay_slots = f64::INFINITY
        }),
        ("misalignment_error", |d| d.misalignment_error = f64::NAN),
        ("insertion_transmittance", |d| {
            d.insertion_transmittance = 2.0
        }),
        ("key_basis_probability", |d| d.key_basis_probability = -0.5),
    ];
    for (expected, spoil) in cases {
        let mut parameters = detectors();
        spoil(&mut parameters);
        match parameters.check() {
            Err(Error::OutOfRange { name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

/// A receiver that went through the same slots in other pieces sees the same.
#[test]
fn the_cut_of_the_trains_does_not_matter() {
    let parameters = || Detectors {
        dark_count_probability: 1e-3,
        dead_time_slots: 5,
        afterpulse_probability: 0.1,
        afterpulse_decay_slots: 8.0,
        ..detectors()
    };
    let run = |span: u32| {
        let mut bob = receiver(parameters(), 12);
        let mut light = transmitter(0.5, 0.1, 11).transmit(60_000).pulses;
        let mut clicks = Vec::new();
        for start in (0..60_000).step_by(span as usize) {
            let later = light.split_off(light.partition_point(|pulse| pulse.offset < start + span));
            for pulse in &mut light {
                pulse.offset -= start;
            }
            let piece = PulseTrain {
                start_slot: start.into(),
                span,
                pulses: std::mem::replace(&mut light, later),
                extras: Default::default(),
            };
            bob.detect(piece, &mut clicks).expect("in order");
        }
        let seen = clicks.iter().map(|c| (c.slot, c.basis, c.bit));
        seen.collect::<Vec<_>>()
    };
    assert_eq!(run(60_000), run(100));
}
