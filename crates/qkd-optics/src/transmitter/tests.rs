#[path = "tests/recall.rs"]
mod recall;
#[path = "tests/sampling.rs"]
mod sampling;

use std::collections::HashMap;

use super::*;
use crate::Basis;
use crate::light::State;

fn source() -> Source {
    Source {
        clock_hz: 1e9,
        intensities: vec![0.6, 0.15, 0.0],
        intensity_probabilities: vec![0.6, 0.3, 0.1],
        key_basis_probability: 0.8,
        effects: Default::default(),
    }
}

fn transmitter(eta: f64, seed: u8) -> Transmitter {
    Transmitter::new(source(), eta, SecretRng::from_seed([seed; 32])).expect("valid source")
}

/// Slots that rise, as Bob would announce them.
fn slot_list(slots: &[u64]) -> SlotList {
    let mut list = SlotList::new(0);
    let before = std::iter::once(&0).chain(slots);
    let gaps = slots
        .iter()
        .zip(before)
        .map(|(slot, last)| slot - last)
        .collect();
    list.append(gaps, u64::MAX).expect("rising slots");
    list
}

/// One number of everything in a train (FNV-1a over its pulses).
fn digest(train: &PulseTrain) -> u64 {
    let pulses = train.pulses.iter();
    pulses.fold(0xcbf2_9ce4_8422_2325u64, |hash, pulse| {
        let word = u64::from(pulse.offset) << 16
            | u64::from(pulse.photons) << 8
            | u64::from(pulse.state.code());
        (hash ^ word).wrapping_mul(0x100_0000_01b3)
    })
}

/// Chi-square against `expected` over cells of at least 10 expected events, with what is left of
/// the mass in one more cell; fails above a bound that exceeds the 1e-6 quantile.
fn check_chi_square(observed_expected: &[(f64, f64)]) {
    let cells = observed_expected.iter().filter(|(_, e)| *e >= 10.0);
    let chi2: f64 = cells.clone().map(|(o, e)| (o - e).powi(2) / e).sum();
    let k = cells.count() as f64;
    // Wilson and Hilferty's approximation of the quantile at z = 4.753.
    let quantile = k * (1.0 - 2.0 / (9.0 * k) + 4.753 * (2.0 / (9.0 * k)).sqrt()).powi(3);
    assert!(
        chi2 < quantile,
        "chi-square {chi2} over {k} cells, at most {quantile}"
    );
}

/// P(k) P(basis) ½ Poisson(n; μη), for every class, state and photon number up to 6.
#[test]
fn light_follows_the_joint_law_of_intensity_basis_bit_and_photon_number() {
    for eta in [1.0, 0.25] {
        let mut alice = transmitter(eta, 1);
        let slots = 2_000_000u32;
        let train = alice.transmit(slots);
        let mut counts = HashMap::new();
        for pulse in &train.pulses {
            let choice = alice.choice_at(u64::from(pulse.offset)).expect("known");
            assert!(
                State::new(choice.basis, choice.bit) == pulse.state,
                "the record and the light disagree"
            );
            *counts
                .entry((choice.intensity.0, pulse.state.code(), pulse.photons))
                .or_insert(0u32) += 1;
        }
        let mut cells = Vec::new();
        for (class, (mu, p)) in [(0.6f64, 0.6), (0.15, 0.3), (0.0, 0.1)].iter().enumerate() {
            for state in 0..4u8 {
                let share = if state < 2 { 0.4 } else { 0.1 };
                let mut poisson = (-mu * eta).exp();
                for photons in 1..=6u8 {
                    poisson *= mu * eta / f64::from(photons);
                    let observed = counts.get(&(class as u8, state, photons)).copied();
                    cells.push((
                        f64::from(observed.unwrap_or(0)),
                        f64::from(slots) * p * share * poisson,
                    ));
                }
            }
        }
        check_chi_square(&cells);
        let vacuum = counts.keys().filter(|(class, _, _)| *class == 2).count();
        assert_eq!(vacuum, 0, "the vacuum class made light");
    }
}

/// (1−p)ᵍ p for the gaps between occupied slots, across the borders of trains.
#[test]
fn gaps_between_occupied_slots_are_geometric() {
    let mut alice = transmitter(0.05, 2);
    let p = alice.occupied_probability();
    let direct: f64 = 1.0 - 0.6 * (-0.03f64).exp() - 0.3 * (-0.0075f64).exp() - 0.1;
    assert!((p / direct - 1.0).abs() < 1e-12);
    let (mut last, mut gaps, mut count) = (None, vec![0u32; 200], 0);
    for _ in 0..4_000 {
        let train = alice.transmit(1_000);
        for pulse in &train.pulses {
            let slot = train.start_slot + u64::from(pulse.offset);
            if let Some(last) = last.replace(slot) {
                let gap = slot - last - 1;
                if let Some(cell) = gaps.get_mut(gap as usize) {
                    *cell += 1;
                }
                count += 1;
            }
        }
    }
    let cells: Vec<(f64, f64)> = gaps
        .iter()
        .enumerate()
        .map(|(g, &o)| {
            (
                f64::from(o),
                f64::from(count) * p * (1.0 - p).powi(g as i32),
            )
        })
        .collect();
    check_chi_square(&cells);
}

#[test]
fn empty_slots_follow_the_law_of_emptiness_and_never_change_their_answer() {
    let mut alice = transmitter(0.9, 3);
    let slots = 300_000u32;
    let train = alice.transmit(slots);
    let occupied: std::collections::HashSet<u32> = train.pulses.iter().map(|p| p.offset).collect();
    let mut counts = HashMap::new();
    let mut empty = 0u32;
    for slot in (0..slots).filter(|slot| !occupied.contains(slot)) {
        let choice = alice.choice_at(u64::from(slot)).expect("known");
        let label = (choice.intensity.0, choice.basis, choice.bit);
        *counts.entry(label).or_insert(0u32) += 1;
        empty += 1;
        let again = alice.choice_at(u64::from(slot)).expect("known");
        assert!(
            label == (again.intensity.0, again.basis, again.bit),
            "slot {slot} changed"
        );
    }
    let weights = [0.6 * (-0.54f64).exp(), 0.3 * (-0.135f64).exp(), 0.1];
    let total: f64 = weights.iter().sum();
    let mut cells = Vec::new();
    for (class, weight) in weights.iter().enumerate() {
        for (basis, share) in [(Basis::Z, 0.4), (Basis::X, 0.1)] {
            for bit in [false, true] {
                let observed = counts.get(&(class as u8, basis, bit)).copied().unwrap_or(0);
                cells.push((
                    f64::from(observed),
                    f64::from(empty) * weight / total * share,
                ));
            }
        }
    }
    check_chi_square(&cells);
}

#[test]
fn totals_have_the_mean_and_the_variance_of_the_multinomial() {
    let span = 10_000u32;
    let runs = 400;
    let mut alice = transmitter(0.3, 4);
    let mut moments = [[0.0f64; 2]; 3];
    for run in 0..runs {
        let _ = alice.transmit(span);
        let from = u64::from(span) * run;
        let totals = alice
            .close_totals(from..from + u64::from(span))
            .expect("known");
        assert_eq!(totals.iter().sum::<u64>(), u64::from(span));
        for ((p, total), moment) in [0.6, 0.3, 0.1].iter().zip(totals).zip(&mut moments) {
            let z = (total as f64 - 1e4 * p) / (1e4 * p * (1.0 - p)).sqrt();
            moment[0] += z;
            moment[1] += z * z;
        }
    }
    let runs = runs as f64;
    for [first, second] in moments {
        assert!(
            (first / runs).abs() < 5.0 / runs.sqrt(),
            "mean off by {} sigma",
            first / runs
        );
        let variance = second / runs;
        assert!(
            (variance - 1.0).abs() < 5.0 * (2.0 / runs).sqrt(),
            "variance is {variance} of the multinomial's"
        );
    }
}

#[test]
fn totals_of_a_range_repeat_themselves_and_a_million_million_slots_cost_nothing() {
    let mut alice = transmitter(1e-9, 5);
    for _ in 0..1_000 {
        let _ = alice.transmit(1_000_000_000);
    }
    let all = 0..1_000_000_000_000;
    let totals = alice.close_totals(all.clone()).expect("known");
    assert_eq!(totals, alice.close_totals(all).expect("known"));
    assert_eq!(totals.iter().sum::<u64>(), 1_000_000_000_000);
    let sigma = (1e12 * 0.6 * 0.4f64).sqrt();
    assert!((totals[0] as f64 - 6e11).abs() < 5.0 * sigma, "{totals:?}");
}

/// The record is exact where a range cuts through trains.
#[test]
fn recorded_slots_are_counted_once_in_adjoining_ranges() {
    let mut alice = transmitter(1.0, 6);
    for _ in 0..10 {
        let _ = alice.transmit(100);
    }
    let count = |range: Range<u64>| {
        let mut totals = vec![0; 3];
        alice.record.count(&range, &mut totals);
        totals
    };
    let whole = count(0..1_000);
    let parts = [
        count(0..137),
        count(137..138),
        count(138..950),
        count(950..1_000),
    ];
    for class in 0..3 {
        assert_eq!(
            whole[class],
            parts.iter().map(|part| part[class]).sum::<u64>()
        );
    }
    assert!(whole[0] > 0);
}

#[test]
fn a_forgotten_slot_and_a_future_slot_are_errors_and_never_a_draw() {
    let mut alice = transmitter(0.5, 7);
    let _ = alice.transmit(1_000);
    let _ = alice.transmit(1_000);
    alice.forget_before(1_500);
    let forgotten = |slot| {
        Some(Error::Forgotten {
            slot,
            kept_from: 1_500,
        })
    };
    assert_eq!(alice.choice_at(1_499).err(), forgotten(1_499));
    assert_eq!(alice.choice_at(3).err(), forgotten(3));
    assert_eq!(alice.close_totals(1_400..1_600).err(), forgotten(1_400));
    assert!(alice.choice_at(1_500).is_ok() && alice.close_totals(1_500..2_000).is_ok());
    for slot in [2_000, u64::MAX] {
        assert!(matches!(
            alice.choice_at(slot),
            Err(Error::NotYetSent { .. })
        ));
    }
    assert!(matches!(
        alice.close_totals(1_500..2_001),
        Err(Error::NotYetSent {
            slot: 2_000,
            next_slot: 2_000
        })
    ));
    alice.forget_before(u64::MAX);
    let _ = alice.transmit(10);
    assert!(
        alice.choice_at(2_000).is_ok(),
        "the future was forgotten in advance"
    );
    assert_eq!(alice.close_totals(5..5), Ok(vec![0, 0, 0]));
}

#[test]
fn a_source_without_light_sends_trains_without_light() {
    let mut dark = source();
    dark.intensities = vec![0.0; 3];
    let secret = || SecretRng::from_seed([8; 32]);
    for mut alice in [
        Transmitter::new(dark, 1.0, secret()).expect("valid"),
        Transmitter::new(source(), 0.0, secret()).expect("valid"),
    ] {
        let train = alice.transmit(1_000_000_000);
        assert!(train.pulses.is_empty());
        assert!(alice.choice_at(77).is_ok());
    }
    assert!(Transmitter::new(source(), 1.5, secret()).is_err());
}

/// A change of these figures means that seeded transcripts of old no longer repeat.
#[test]
fn the_same_seed_sends_the_same_light_on_every_machine() {
    let mut alice = transmitter(0.1, 9);
    let train = alice.transmit(1_000_000);
    assert_eq!(
        (train.pulses.len(), digest(&train)),
        (39_332, 2_995_827_940_305_049_192)
    );
}

/// Pulses whose state is that of the one 128 pulses before: of 256 words to a kibibyte 128 come again,
/// less where a tie between has moved them apart.
fn repeated_share(alice: &mut Transmitter) -> f64 {
    let train = alice.transmit(1_000_000);
    let said: Vec<u8> = train.pulses.iter().map(|it| it.state.code()).collect();
    let again = said.iter().zip(&said[128..]).filter(|(a, b)| a == b);
    again.count() as f64 / (said.len() - 128) as f64
}

/// Four states: by chance the one before is the same again in about a third of the cases.
#[test]
fn who_knows_half_of_what_a_repeating_generator_chose_knows_the_rest() {
    let chance = repeated_share(&mut transmitter(0.1, 9));
    assert!(chance < 0.4, "{chance}");
    let mut alice = transmitter(0.1, 9);
    alice.spoil_generator(Defect::Periodic { bytes: 512 });
    let again = repeated_share(&mut alice);
    assert!(again > 0.5, "{again}");
}
