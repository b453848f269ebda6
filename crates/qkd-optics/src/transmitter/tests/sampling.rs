//! Pulse by pulse and slot by slot: the same law.

use super::*;
use crate::{PreparationError, SourceEffects};

const BOTH: [Sampling; 2] = [Sampling::Sparse, Sampling::Dense];
const SLOTS: u32 = 1_000_000;

/// A class, what Alice chose, what was made of it, and how many photons.
type Kind = (u8, u8, u8, u8);

fn drawn(source: &Source, eta: f64, sampling: Sampling, seed: u8) -> Transmitter {
    let secret = SecretRng::from_seed([seed; 32]);
    Transmitter::with_sampling(source.clone(), eta, secret, sampling).expect("valid source")
}

/// What was sent in `SLOTS` slots, and how often, trains of odd lengths; the record tells the
/// choices.
fn kinds(source: &Source, eta: f64, sampling: Sampling, seed: u8) -> HashMap<Kind, u32> {
    let mut alice = drawn(source, eta, sampling, seed);
    let mut counts = HashMap::new();
    while alice.next_slot() < u64::from(SLOTS) {
        let span = 9_999.min(SLOTS - alice.next_slot() as u32);
        let train = alice.transmit(span);
        for pulse in &train.pulses {
            let slot = train.start_slot + u64::from(pulse.offset);
            let choice = alice.choice_at(slot).expect("known");
            let chosen = State::new(choice.basis, choice.bit).code();
            let sent = pulse.state.code();
            let kind = (choice.intensity.0, chosen, sent, pulse.photons);
            *counts.entry(kind).or_insert(0) += 1;
        }
        alice.forget_before(alice.next_slot());
    }
    counts
}

/// Bright enough for many photons, with a modulator that errs.
fn erring() -> Source {
    Source {
        intensities: vec![3.0, 0.4, 0.0],
        effects: SourceEffects {
            preparation_error: PreparationError {
                key_basis: 0.02,
                test_basis: 0.1,
            },
            ..Default::default()
        },
        ..source()
    }
}

/// P(k) P(basis) ½ P(state | chosen) Poisson(n; μη), computed here and not by the law that the
/// samplers use; photon numbers far above 4 among the cells, and everything beyond them in one.
#[test]
fn both_ways_send_the_joint_law_of_intensity_state_error_and_photon_number() {
    for (seed, eta) in [(31, 1.0), (32, 0.1)] {
        for sampling in BOTH {
            let counts = kinds(&erring(), eta, sampling, seed);
            let (mut cells, mut rest) = (Vec::new(), (0.0, f64::from(SLOTS)));
            let classes = [(3.0f64, 0.6), (0.4, 0.3), (0.0, 0.1)];
            for (class, (mu, p)) in (0u8..).zip(classes) {
                rest.1 -= f64::from(SLOTS) * p * (-mu * eta).exp();
                for (chosen, sent) in (0u8..4).flat_map(|c| [(c, c), (c, c ^ 1)]) {
                    let (share, error) = if chosen < 2 { (0.4, 0.02) } else { (0.1, 0.1) };
                    let made = if chosen == sent { 1.0 - error } else { error };
                    let mut poisson = (-mu * eta).exp();
                    for photons in 1..=20u8 {
                        poisson *= mu * eta / f64::from(photons);
                        let observed = counts.get(&(class, chosen, sent, photons));
                        let observed = f64::from(observed.copied().unwrap_or(0));
                        let expected = f64::from(SLOTS) * p * share * made * poisson;
                        if expected >= 10.0 {
                            cells.push((observed, expected));
                            rest.1 -= expected;
                            rest.0 -= observed;
                        }
                    }
                }
            }
            rest.0 += f64::from(counts.values().sum::<u32>());
            cells.push(rest);
            assert!(eta < 1.0 || cells.len() > 100, "{} cells", cells.len());
            let four = counts.keys().any(|&(.., photons)| photons >= 4);
            assert!(four, "{sampling:?}: no pulse of four photons");
            check_chi_square(&cells);
        }
    }
}

/// Without theory: Σ (a − b)² / (a + b) over the kinds of pulses that both have.
#[test]
fn both_ways_send_the_same_light_at_every_density() {
    for (seed, eta) in [(41, 1.0), (43, 0.3), (45, 0.03)] {
        let [sparse, dense] = [0, 1].map(|way| kinds(&erring(), eta, BOTH[way], seed + way as u8));
        let mut pairs: Vec<(f64, f64)> = sparse
            .iter()
            .map(|(kind, &a)| (a, dense.get(kind).copied().unwrap_or(0)))
            .map(|(a, b)| (f64::from(a), f64::from(b)))
            .collect();
        pairs.retain(|(a, b)| a + b >= 20.0);
        // (a − b)²/(a + b) is (o − e)²/e with o = 2a and e = a + b.
        let cells: Vec<(f64, f64)> = pairs.iter().map(|(a, b)| (2.0 * a, a + b)).collect();
        check_chi_square(&cells);
        let (all_sparse, all_dense): (u32, u32) = (sparse.values().sum(), dense.values().sum());
        let (a, b) = (f64::from(all_sparse), f64::from(all_dense));
        assert!((a - b).abs() < 5.0 * (a + b).sqrt(), "{a} and {b} pulses");
    }
}

/// (1−p)ᵍ p for the gaps between occupied slots, across the borders of words, blocks and trains.
#[test]
fn gaps_are_geometric_where_every_slot_is_asked() {
    for eta in [0.3, 1.0] {
        let mut alice = drawn(&source(), eta, Sampling::Dense, 51);
        let p = alice.occupied_probability();
        let (mut last, mut gaps, mut count) = (None, [0u32; 60], 0u32);
        for _ in 0..400 {
            let train = alice.transmit(2_501);
            for pulse in &train.pulses {
                let slot = train.start_slot + u64::from(pulse.offset);
                if let Some(last) = last.replace(slot) {
                    if let Some(cell) = gaps.get_mut((slot - last - 1) as usize) {
                        *cell += 1;
                    }
                    count += 1;
                }
            }
        }
        let cells: Vec<(f64, f64)> = (0..)
            .zip(gaps)
            .map(|(g, o)| (f64::from(o), f64::from(count) * p * (1.0 - p).powi(g)))
            .collect();
        check_chi_square(&cells);
    }
}

#[test]
fn density_alone_decides_how_slots_are_drawn() {
    for (eta, expected) in [(0.05, Sampling::Sparse), (1.0, Sampling::Dense)] {
        let send = |mut alice: Transmitter| -> Vec<u64> {
            let train = alice.transmit(10_000);
            let pulses = train.pulses.iter();
            pulses
                .map(|p| u64::from(p.offset) << 8 | u64::from(p.photons))
                .collect()
        };
        let chosen = Transmitter::new(source(), eta, SecretRng::from_seed([61; 32]));
        let chosen = chosen.expect("valid source");
        assert_eq!(
            Sampling::for_density(chosen.occupied_probability()),
            expected
        );
        let [one, other] = [0, 1].map(|way| send(drawn(&source(), eta, BOTH[way], 61)));
        let theirs = match expected {
            Sampling::Sparse => (one, other),
            Sampling::Dense => (other, one),
        };
        let chosen = send(chosen);
        assert!(chosen == theirs.0 && chosen != theirs.1, "eta = {eta}");
    }
}

/// A change of these figures means that seeded transcripts of old no longer repeat. The instructions
/// that the machine has must not matter.
#[test]
fn the_same_seed_sends_the_same_dense_light_on_every_machine() {
    let mut alice = drawn(&source(), 1.0, Sampling::Dense, 9);
    let train = alice.transmit(1_000_000);
    assert_eq!(
        (train.pulses.len(), digest(&train)),
        (312_489, 678_541_461_894_557_357)
    );
}
