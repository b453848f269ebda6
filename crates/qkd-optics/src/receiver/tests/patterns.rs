//! Which detectors click in which basis, against theory; and what comes of noise among light.

use super::*;

/// P(no click), P(0) and P(1) of two detectors behind the chosen basis, double clicks at random,
/// when n photons fire them with a and b each, and noise with d: P(not 0) = (1−d)(1−a)ⁿ and so on.
fn two_detectors(n: i32, [a, b]: [f64; 2], d: f64) -> [f64; 3] {
    let none = (1.0 - d).powi(2) * (1.0 - a - b).powi(n);
    let (not_0, not_1) = ((1.0 - d) * (1.0 - a).powi(n), (1.0 - d) * (1.0 - b).powi(n));
    let both = 1.0 - not_0 - not_1 + none;
    [none, not_1 - none + both / 2.0, not_0 - none + both / 2.0]
}

/// Every state and photon number, on the tables and beyond them, without noise and with much of it:
/// (no click, Z0, Z1, X0, X1) by chi-square, and double clicks.
#[test]
fn clicks_in_either_basis_are_those_of_n_independent_photons_and_noise() {
    let (eta, error, z) = (0.3, 0.1, 0.6);
    let pulses = 60_000u32;
    for (dark, seed) in [(0.0, 20), (0.04, 21)] {
        let parameters = Detectors {
            detector_efficiency: eta,
            misalignment_error: error,
            key_basis_probability: z,
            dark_count_probability: dark,
            ..detectors()
        };
        let mut bob = receiver(parameters, seed);
        for (photons, state) in [1u8, 2, 3, 5, 9]
            .into_iter()
            .flat_map(|n| [0, 1, 2, 3].map(|s| (n, s)))
        {
            let mut clicks = Vec::new();
            let before = bob.counters();
            let train = train_of(bob.next_slot(), pulses, 1, photons, state);
            bob.detect(train, &mut clicks).expect("in order");
            let own = if state & 1 == 0 {
                [1.0 - error, error]
            } else {
                [error, 1.0 - error]
            };
            let (in_z, in_x) = if state < 2 {
                (own, [0.5; 2])
            } else {
                ([0.5; 2], own)
            };
            let law = |exits: [f64; 2]| two_detectors(photons.into(), exits.map(|x| x * eta), dark);
            let ([none_z, z0, z1], [none_x, x0, x1]) = (law(in_z), law(in_x));
            let none = z * none_z + (1.0 - z) * none_x;
            let expected = [none, z * z0, z * z1, (1.0 - z) * x0, (1.0 - z) * x1];
            let mut counts = [0u32; 5];
            for click in &clicks {
                let basis = usize::from(click.basis == Basis::X);
                counts[1 + 2 * basis + usize::from(click.bit)] += 1;
            }
            counts[0] = pulses - clicks.len() as u32;
            let chi2: f64 = expected
                .iter()
                .zip(counts)
                .map(|(p, count)| {
                    let mean = f64::from(pulses) * p;
                    (f64::from(count) - mean).powi(2) / mean
                })
                .sum();
            assert!(
                chi2 < 33.4,
                "n={photons} state {state} dark {dark}: chi-square {chi2} with 4 degrees exceeds \
                 its 1e-6 quantile"
            );
            // P(both) = P(0) + P(1) with random bits, less P(only 0) + P(only 1).
            let both = |exits: [f64; 2]| {
                let [a, b] = exits.map(|x| (1.0 - dark) * (1.0 - x * eta).powi(photons.into()));
                1.0 - a - b + (1.0 - dark).powi(2) * (1.0 - eta).powi(photons.into())
            };
            let doubles = bob.counters().double_clicks - before.double_clicks;
            let rate = z * both(in_z) + (1.0 - z) * both(in_x);
            if rate < 1e-12 {
                assert_eq!(doubles, 0, "one photon fired two detectors");
            } else {
                check_rate("double clicks", doubles, pulses.into(), rate);
            }
        }
    }
}

/// Without afterpulses the dead time takes clicks away and moves nothing else.
#[test]
fn clicks_before_dead_time_are_those_of_a_receiver_without_one() {
    let run = |dead_time_slots| {
        let parameters = Detectors {
            dark_count_probability: 1e-3,
            dead_time_slots,
            ..detectors()
        };
        let (mut alice, mut bob) = (transmitter(0.5, 0.2, 22), receiver(parameters, 23));
        let mut clicks = Vec::new();
        for _ in 0..10 {
            bob.detect(alice.transmit(50_000), &mut clicks)
                .expect("in order");
        }
        bob.counters()
    };
    let (fresh, dead) = (run(0), run(50));
    assert_eq!(fresh.discarded_in_dead_time, 0);
    assert_eq!(dead.clicks_before_dead_time(), fresh.clicks);
    assert!(dead.clicks < fresh.clicks / 2);
}

/// One click in 1/p_ap leaves an afterpulse, also when clicks come in runs of light.
#[test]
fn light_leaves_afterpulses_at_their_probability() {
    let parameters = Detectors {
        afterpulse_probability: 0.05,
        afterpulse_decay_slots: 0.0,
        detector_efficiency: 0.5,
        ..detectors()
    };
    let mut bob = receiver(parameters, 24);
    let mut clicks = Vec::new();
    for _ in 0..50 {
        let train = train_of(bob.next_slot(), 20_000, 3, 2, 1);
        bob.detect(train, &mut clicks).expect("in order");
    }
    let counters = bob.counters();
    // They come in the next slot, which holds no light in two cases of three, and are counted in
    // all: none is lost without a dead time.
    check_rate(
        "afterpulses",
        counters.afterpulses,
        counters.clicks as f64,
        0.05,
    );
}

/// After k dead slots the delay is geometric with the ratio e^(−1/T): chi-square over 13 cells.
#[test]
fn delays_of_afterpulses_are_exponential_in_whole_slots() {
    let (dead, decay) = (10, 20.0);
    let parameters = Detectors {
        detector_efficiency: 1.0,
        dead_time_slots: dead,
        afterpulse_probability: 0.5,
        afterpulse_decay_slots: decay,
        ..detectors()
    };
    let mut bob = receiver(parameters, 25);
    let mut clicks = Vec::new();
    bob.detect(train_of(0, 400_000_000, 4000, 1, 0), &mut clicks)
        .expect("in order");
    let mut counts = [0.0; 13];
    let mut total = 0.0;
    for pair in clicks.windows(2) {
        // The first afterpulse of a pulse; the next pulse is no afterpulse.
        let delay = pair[1].slot - pair[0].slot;
        if pair[0].slot % 4000 == 0 && pair[1].slot % 4000 != 0 {
            counts[((delay - dead - 1) / 5).min(12) as usize] += 1.0;
            total += 1.0;
        }
    }
    check_rate("afterpulses of a pulse", total as u64, 100_000.0, 0.5);
    let later = |slots: f64| (-slots / decay).exp();
    let chi2: f64 = (0..13u8)
        .map(|cell| {
            let from = 5.0 * f64::from(cell);
            let beyond = if cell == 12 { 0.0 } else { later(from + 5.0) };
            let mean = total * (later(from) - beyond);
            (counts[usize::from(cell)] - mean).powi(2) / mean
        })
        .sum();
    assert!(
        chi2 < 51.0,
        "chi-square {chi2} with 12 degrees exceeds its 1e-6 quantile"
    );
}
