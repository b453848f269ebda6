//! Lost frames: what they do to the gains, and what they must not do to what anybody concludes.
//!
//! A lost frame is vacuum. With a fraction c of the slots covered by frames the gains become
//! Q′ = cQ + (1−c)Y₀, for every intensity alike but for the floor of dark counts.

use std::ops::Range;

use qkd_bits::{PhysicsRng, SecretRng};
use qkd_optics::{
    Choice, Detection, Detectors, FRAME_BYTES, FrameAddress, FrameEncoder, FrameOrder, FrameShape,
    OrderLimits, Receiver, Source, Transmitter,
};
use qkd_security::{
    BasisStatistics, DecoySource, Leakage, SecurityParameters, Statistics, wiesemann2024,
};
use qkd_sim::FrameLoss;

const SEED: u8 = 71;
const CHANNEL_TRANSMITTANCE: f64 = 0.3;
const DETECTOR_EFFICIENCY: f64 = 0.5;
const DARK_COUNT_PROBABILITY: f64 = 1e-3;
const MISALIGNMENT_ERROR: f64 = 0.02;
const KEY_BASIS_PROBABILITY: f64 = 0.6;
/// Trains of two or three frames, which are cut where they are full.
const SPAN_MAX: u32 = 60_000;
/// A run ends with the train that reaches this slot.
const SLOTS_MIN: u64 = 6_000_000;

const PATTERNS: [FrameLoss; 5] = [
    FrameLoss::NONE,
    FrameLoss::Random(0.3),
    FrameLoss::Bursts {
        arriving: 40,
        lost: 20,
    },
    FrameLoss::Every(3),
    FrameLoss::Random(0.9),
];

/// What came of a run: what Bob announces, and what only a test may know.
struct Run {
    alice: Transmitter,
    clicks: Vec<Detection>,
    covered: Vec<Range<u64>>,
}

fn source(intensities: &[f64], probabilities: &[f64]) -> Source {
    Source {
        clock_hz: 1e9,
        intensities: intensities.to_vec(),
        intensity_probabilities: probabilities.to_vec(),
        key_basis_probability: KEY_BASIS_PROBABILITY,
        effects: Default::default(),
    }
}

/// Transmits through a network that loses frames by `loss`, with no dead time, so that slots are
/// independent and the formulas exact.
fn run(source: Source, loss: FrameLoss) -> Run {
    let secret = |salt| SecretRng::from_seed([SEED + salt; 32]);
    let mut alice =
        Transmitter::new(source, CHANNEL_TRANSMITTANCE, secret(0)).expect("valid source");
    let detectors = Detectors {
        detector_efficiency: DETECTOR_EFFICIENCY,
        dark_count_probability: DARK_COUNT_PROBABILITY,
        dead_time_slots: 0,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 0.0,
        misalignment_error: MISALIGNMENT_ERROR,
        insertion_transmittance: 1.0,
        key_basis_probability: KEY_BASIS_PROBABILITY,
        effects: Default::default(),
    };
    let mut nature = PhysicsRng::from_seed(u64::from(SEED));
    let mut bob = Receiver::new(detectors, secret(1), nature.fork()).expect("valid detectors");
    let address = FrameAddress {
        session: 1,
        link: 0,
        epoch: 0,
    };
    let density = alice.density();
    let shape = FrameShape::for_density(address, density, SPAN_MAX).expect("valid density");
    let mut encoder = FrameEncoder::new(shape);
    let mut order = FrameOrder::new(address, OrderLimits::default(), 0);
    let (mut clicks, mut covered, mut number, mut now) = (Vec::new(), Vec::new(), 0, 0);
    let mut datagrams = Vec::new();
    while alice.next_slot() < SLOTS_MIN {
        datagrams.clear();
        let train = alice.transmit(shape.span);
        encoder.encode(train, &mut datagrams).expect("own light");
        for datagram in datagrams.chunks(FRAME_BYTES) {
            if !loss.loses(number, &mut nature) {
                let _verdict = order.receive(now, datagram).expect("own frame");
            }
            number += 1;
        }
        // Nobody waits: a hole is a loss at once.
        now += 2 * OrderLimits::default().window_ps;
        for frame in order.release(now) {
            covered.push(frame.header().slots());
            bob.detect(frame.into_light(), &mut clicks)
                .expect("in order");
        }
    }
    bob.advance_to(alice.next_slot(), &mut clicks);
    Run {
        alice,
        clicks,
        covered,
    }
}

impl Run {
    fn slots(&self) -> u64 {
        self.alice.next_slot()
    }

    fn totals(&self) -> Vec<u64> {
        self.alice
            .close_totals(0..self.slots())
            .expect("remembered")
    }

    /// c: the share of the slots whose frames arrived.
    fn coverage(&self) -> f64 {
        let covered: u64 = self
            .covered
            .iter()
            .map(|slots| slots.end - slots.start)
            .sum();
        covered as f64 / self.slots() as f64
    }

    fn is_covered(&self, slot: u64) -> bool {
        let after = self.covered.partition_point(|slots| slots.end <= slot);
        self.covered
            .get(after)
            .is_some_and(|slots| slots.contains(&slot))
    }

    fn choice(&self, click: &Detection) -> Choice {
        self.alice.choice_at(click.slot).expect("remembered")
    }

    /// Counts and errors as the protocol counts them after disclosure.
    fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::default();
        for click in &self.clicks {
            let choice = self.choice(click);
            if choice.basis != click.basis {
                continue;
            }
            let basis = match choice.basis {
                qkd_optics::Basis::Z => &mut statistics.key,
                qkd_optics::Basis::X => &mut statistics.test,
            };
            let class = usize::from(choice.intensity.0);
            basis.counts[class] += 1;
            basis.errors[class] += u64::from(choice.bit != click.bit);
        }
        statistics
    }
}

/// η of a photon from Alice's source to a click.
const ETA: f64 = CHANNEL_TRANSMITTANCE * DETECTOR_EFFICIENCY;

/// 1 − (1−p_d)²: clicks per slot without light.
fn vacuum_yield() -> f64 {
    gain(0.0)
}

/// Q_μ = 1 − (1−p_d)² e^(−ημ).
fn gain(intensity: f64) -> f64 {
    1.0 - (1.0 - DARK_COUNT_PROBABILITY).powi(2) * (-ETA * intensity).exp()
}

/// E_μ Q_μ with random bits after double clicks.
fn error_gain(intensity: f64) -> f64 {
    let fires =
        |share: f64| 1.0 - (1.0 - DARK_COUNT_PROBABILITY) * (-ETA * intensity * share).exp();
    let (right, wrong) = (fires(1.0 - MISALIGNMENT_ERROR), fires(MISALIGNMENT_ERROR));
    wrong * (1.0 - right / 2.0)
}

fn within_5_sigma(what: &str, observed: f64, expected: f64) {
    let off = (observed - expected) / expected.sqrt();
    assert!(
        off.abs() < 5.0,
        "seed {SEED}, {what}: {observed} is {off:.2} sigma off {expected}"
    );
}

/// Also slot by slot: the gain is Q where the frame arrived and Y₀ where it did not.
#[test]
fn every_intensity_has_the_gain_of_the_covered_slots_and_the_dark_counts_of_the_lost() {
    let (intensities, probabilities) = ([0.5, 0.1, 0.0], [0.4, 0.3, 0.3]);
    for loss in PATTERNS {
        let run = run(source(&intensities, &probabilities), loss);
        let c = run.coverage();
        let sent = run.totals();
        let mut counts = [[0u64; 2]; 3];
        for click in &run.clicks {
            let class = usize::from(run.choice(click).intensity.0);
            counts[class][usize::from(run.is_covered(click.slot))] += 1;
        }
        for (class, &intensity) in intensities.iter().enumerate() {
            let [in_lost, in_covered] = counts[class].map(|count| count as f64);
            let n = sent[class] as f64;
            let (q, y0) = (gain(intensity), vacuum_yield());
            let what = format!("{loss:?}, intensity {intensity}");
            within_5_sigma(
                &format!("{what}, all slots"),
                in_lost + in_covered,
                n * (c * q + (1.0 - c) * y0),
            );
            let slots = run.slots() as f64 * probabilities[class];
            within_5_sigma(&format!("{what}, covered"), in_covered, slots * c * q);
            if c < 1.0 {
                within_5_sigma(&format!("{what}, lost"), in_lost, slots * (1.0 - c) * y0);
            }
        }
        assert_eq!(c == 1.0, loss == FrameLoss::NONE, "{loss:?} covers {c}");
    }
}

/// What single photons and vacuum truly do in one basis when a share c of the slots is covered,
/// per slot: clicks of vacuum, clicks of single photons, and wrong ones among these.
fn truth(decoy: &DecoySource, c: f64, both_in_basis: f64) -> [f64; 3] {
    let dark = DARK_COUNT_PROBABILITY;
    let y0 = vacuum_yield();
    let y1 = 1.0 - (1.0 - dark).powi(2) * (1.0 - ETA);
    // The photon fires the right or the wrong detector or none; the other may be dark.
    let (right, wrong) = (ETA * (1.0 - MISALIGNMENT_ERROR), ETA * MISALIGNMENT_ERROR);
    let double_half = (right * dark + wrong * dark) / 2.0;
    let none = (1.0 - ETA) * (dark * (1.0 - dark) + dark * dark / 2.0);
    let e1y1 = wrong * (1.0 - dark) + double_half + none;
    let vacuum = decoy.vacuum_probability() * y0;
    let single = decoy.single_photon_probability();
    [
        vacuum,
        single * (c * y1 + (1.0 - c) * y0),
        single * (c * e1y1 + (1.0 - c) * y0 / 2.0),
    ]
    .map(|per_slot| per_slot * both_in_basis)
}

fn decoy_source() -> DecoySource {
    DecoySource::new([0.5, 0.1], [0.6, 0.4]).expect("a valid source")
}

fn in_basis(probability: f64) -> f64 {
    probability * probability
}

fn bounds(statistics: impl Into<Statistics<f64>>) -> qkd_security::KeyLength {
    let parameters = SecurityParameters {
        secrecy: 1e-10,
        correctness: 1e-15,
    };
    wiesemann2024::secret_length(
        statistics,
        &decoy_source(),
        &Leakage::default(),
        &parameters,
    )
}

#[test]
fn decoy_bounds_hold_on_what_was_measured_with_frames_lost() {
    let decoy = decoy_source();
    for loss in PATTERNS {
        let run = run(source(&decoy.intensities(), &decoy.probabilities()), loss);
        let length = bounds(run.statistics());
        let n = run.slots() as f64;
        let [vacuum, single, _] =
            truth(&decoy, run.coverage(), in_basis(KEY_BASIS_PROBABILITY)).map(|x| x * n);
        let [_, test_single, test_errors] = truth(
            &decoy,
            run.coverage(),
            in_basis(1.0 - KEY_BASIS_PROBABILITY),
        )
        .map(|x| x * n);
        println!(
            "{loss:?}: single photons at least {:.0} of {single:.0}, vacuum at most {:.0} of \
             {vacuum:.0}, wrong single photons at most {:.0} of {test_errors:.0}",
            length.single_photon_key_min,
            length.vacuum_key_max,
            length.single_photon_test_errors_max
        );
        assert!(length.single_photon_key_min <= single, "{loss:?}");
        assert!(length.single_photon_test_min <= test_single, "{loss:?}");
        assert!(length.vacuum_key_max >= vacuum, "{loss:?}");
        assert!(
            length.single_photon_test_errors_max >= test_errors,
            "{loss:?}"
        );
        // A bound of nothing would be valid too: with most frames there, it says something.
        assert!(
            run.coverage() < 0.5 || length.single_photon_key_min > 0.4 * single,
            "{loss:?}"
        );
    }
}

/// The bound itself, without the help of finite statistics: expectation values of a block so large
/// that deviations vanish.
#[test]
fn the_asymptotic_single_photon_bound_stays_below_the_truth_at_every_coverage() {
    let decoy = decoy_source();
    let n = 1e20;
    for c in [1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.03, 0.01, 0.0] {
        let per_slot = |both_in_basis: f64| {
            let mut basis = BasisStatistics::<f64>::default();
            for class in 0..2 {
                let intensity = decoy.intensities()[class];
                let sent = n * both_in_basis * decoy.probabilities()[class];
                let lost = (1.0 - c) * vacuum_yield();
                basis.counts[class] = sent * (c * gain(intensity) + lost);
                basis.errors[class] = sent * (c * error_gain(intensity) + lost / 2.0);
            }
            basis
        };
        let (key, test) = (
            in_basis(KEY_BASIS_PROBABILITY),
            in_basis(1.0 - KEY_BASIS_PROBABILITY),
        );
        let length = bounds(Statistics {
            key: per_slot(key),
            test: per_slot(test),
        });
        let [vacuum, single, _] = truth(&decoy, c, key).map(|x| x * n);
        let [_, _, errors] = truth(&decoy, c, test).map(|x| x * n);
        let share = length.single_photon_key_min / single;
        assert!(share <= 1.0, "c = {c}: the bound is {share} of the truth");
        assert!(length.vacuum_key_max >= vacuum, "c = {c}");
        assert!(length.single_photon_test_errors_max >= errors, "c = {c}");
        if c >= 0.1 {
            assert!(
                share > 0.5,
                "c = {c}: the bound is only {share} of the truth"
            );
        }
    }
}

/// The choices for the same announced slots and the totals, asked for after the same announcement.
#[test]
fn what_alice_did_is_the_same_whatever_was_lost() {
    let announced: Vec<u64> = (0..SLOTS_MIN).step_by(977).collect();
    let answers = |loss| {
        let run = run(source(&[0.5, 0.1, 0.0], &[0.4, 0.3, 0.3]), loss);
        let choices: Vec<_> = announced
            .iter()
            .map(|&slot| {
                let choice = run.alice.choice_at(slot).expect("remembered");
                (choice.basis, choice.bit, choice.intensity)
            })
            .collect();
        (choices, run.totals())
    };
    let undisturbed = answers(FrameLoss::NONE);
    for loss in PATTERNS {
        assert!(answers(loss) == undisturbed, "{loss:?}");
    }
}
