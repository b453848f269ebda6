use super::*;
use crate::decoy::{AsymptoticChannel, OneDecoy, TwoDecoys};
use crate::mathematics::pow;
use crate::maximisation::{Interval, maximise};
use crate::reference_table::Table;

const SIGNAL: f64 = 0.48;
const PROCESSING: PostProcessing = PostProcessing {
    sifted_share: 0.5,
    reconciliation_inefficiency: 1.22,
};

/// The experiment of Gobby, Yuan and Shields, APL 84, 3762 (2004), as Ma et al. use it.
fn channel(distance_km: f64) -> AsymptoticChannel {
    AsymptoticChannel {
        transmittance: 0.045 * pow(10.0, -0.21 * distance_km / 10.0),
        vacuum_yield: 1.7e-6,
        misalignment_error: 0.033,
    }
}

fn infinite_decoys(distance_km: f64) -> (SinglePhotons, Rate) {
    let link = channel(distance_km);
    let single = link.single_photons();
    let rate = with_decoys(&link.class(SIGNAL), &single, &PROCESSING).unwrap();
    (single, rate)
}

fn vacuum_weak(distance_km: f64, weak: f64) -> (SinglePhotons, Rate) {
    let link = channel(distance_km);
    let seen = TwoDecoys {
        signal: link.class(SIGNAL),
        weak: link.class(weak),
        dim: link.class(0.0),
    };
    let single = seen.single_photons().unwrap();
    let rate = with_decoys(&seen.signal, &single, &PROCESSING).unwrap();
    (single, rate)
}

fn one_decoy(distance_km: f64) -> (SinglePhotons, Rate) {
    let link = channel(distance_km);
    let seen = OneDecoy {
        signal: link.class(SIGNAL),
        decoy: link.class(0.12),
    };
    let single = seen.single_photons().unwrap();
    let rate = with_decoys(&seen.signal, &single, &PROCESSING).unwrap();
    (single, rate)
}

/// The distance at which `rate` stops to be positive, in kilometres.
fn largest_distance(rate: impl Fn(f64) -> Rate) -> f64 {
    let positive = |distance_km| rate(distance_km).secret_bits_per_pulse_unclamped > 0.0;
    last_holding(0.0..=300.0, positive).unwrap()
}

#[track_caller]
fn assert_known(value: f64, known: f64) {
    let near = (value - known).abs() <= 1e-6 * known.abs();
    assert!(near, "{value}, known answer {known}");
}

#[test]
fn reference_rows_are_reproduced() {
    let table = Table::parse(include_str!("reference.csv"));
    for row in table.rows() {
        let distance_km = row.number("L_km");
        let seen = channel(distance_km).class(SIGNAL);
        row.assert_equal("eta", channel(distance_km).transmittance);
        row.assert_equal("Q_mu", seen.gain);
        row.assert_equal("E_mu", seen.qber);
        let (single, rate) = infinite_decoys(distance_km);
        row.assert_equal("Y1_inf", single.photon_yield);
        row.assert_equal("e1_inf", single.error_rate);
        row.assert_equal("R_inf", rate.secret_bits_per_pulse_unclamped);
        let (single, rate) = vacuum_weak(distance_km, 0.05);
        row.assert_within("Y1_vw", single.photon_yield, 1e-8);
        row.assert_within("e1_vw", single.error_rate, 1e-8);
        row.assert_within("R_vw", rate.secret_bits_per_pulse_unclamped, 1e-8);
        let (single, rate) = one_decoy(distance_km);
        row.assert_within("Y1_1decoy", single.photon_yield, 1e-8);
        row.assert_within("e1_1decoy", single.error_rate, 1e-8);
        row.assert_within("R_1decoy", rate.secret_bits_per_pulse_unclamped, 1e-8);
    }
}

#[test]
fn published_rates_and_reaches_are_met() {
    let rate = |distance_km| infinite_decoys(distance_km).1.secret_bits_per_pulse();
    assert_known(rate(0.0), 2.554577270972549e-3);
    assert!((rate(100.0) / 1.718436e-5 - 1.0).abs() < 1e-6);
    assert_known(
        largest_distance(|distance_km| infinite_decoys(distance_km).1),
        142.01442493542646,
    );
    for (weak, reach_km) in [
        (0.01, 141.74429388733998),
        (0.02, 141.46979211713386),
        (0.05, 140.61940002431808),
        (0.1, 139.10420540740432),
    ] {
        let found = largest_distance(|distance_km| vacuum_weak(distance_km, weak).1);
        assert_known(found, reach_km);
    }
}

#[test]
fn without_decoys_the_reach_is_less_than_a_third() {
    let interval = Interval {
        from: 1e-6,
        to: 1.0,
    };
    let best = |distance_km: f64| {
        let rate_at = |intensity: f64| {
            let seen = channel(distance_km).class(intensity);
            without_decoys(&seen, 0.0, &PROCESSING).unwrap()
        };
        let objective = |intensity| rate_at(intensity).secret_bits_per_pulse_unclamped;
        rate_at(maximise(interval, objective).unwrap().argument)
    };
    assert_known(largest_distance(best), 40.20711106752752);
}

#[test]
fn two_decoys_come_as_near_to_infinitely_many_as_published() {
    for (weak, yield_deviation, error_deviation) in [
        (0.05, 0.014297253840861002, 0.06624323167265023),
        (0.1, 0.02906125613855637, 0.13766405988313912),
    ] {
        let (exact, _) = infinite_decoys(40.0);
        let (bound, _) = vacuum_weak(40.0, weak);
        assert_known(
            1.0 - bound.photon_yield / exact.photon_yield,
            yield_deviation,
        );
        assert_known(bound.error_rate / exact.error_rate - 1.0, error_deviation);
    }
}

#[test]
fn the_best_intensity_is_the_published_one() {
    for (inefficiency, known) in [(1.22, 0.4789227491279087), (1.0, 0.5441152779396958)] {
        let processing = PostProcessing {
            reconciliation_inefficiency: inefficiency,
            ..PROCESSING
        };
        let found = optimal_intensity(0.033, &processing).unwrap().unwrap();
        assert_known(found, known);
    }
    assert_eq!(optimal_intensity(0.2, &PROCESSING).unwrap(), None);
}

#[test]
fn one_photon_at_a_time_meets_the_threshold_of_bb84() {
    let rate = |qber: f64| {
        let seen = ClassGain {
            intensity: 0.1,
            gain: 0.01,
            qber,
        };
        let processing = PostProcessing {
            sifted_share: 1.0,
            reconciliation_inefficiency: 1.0,
        };
        super::rate(&seen, seen.gain, qber, &processing)
    };
    let positive = |qber| rate(qber).secret_bits_per_pulse_unclamped > 0.0;
    let found = last_holding(0.0..=0.5, positive).unwrap();
    assert!((found - 0.11002786443824933).abs() < 1e-12, "{found}");
}

#[test]
fn impossible_figures_are_refused_by_name() {
    let seen = channel(0.0).class(SIGNAL);
    let wrong = PostProcessing {
        reconciliation_inefficiency: 0.9,
        ..PROCESSING
    };
    let error = without_decoys(&seen, 0.0, &wrong).unwrap_err().to_string();
    assert!(error.contains("reconciliation_inefficiency"), "{error}");
    let wrong = PostProcessing {
        sifted_share: 1.2,
        ..PROCESSING
    };
    let error = without_decoys(&seen, 0.0, &wrong).unwrap_err().to_string();
    assert!(error.contains("sifted_share"), "{error}");
    let wrong = ClassGain { gain: 1.2, ..seen };
    let error = without_decoys(&wrong, 0.0, &PROCESSING).unwrap_err();
    assert!(error.to_string().contains("gain"), "{error}");
}

/// Uniform in [0, 1), from a generator that every machine has (Knuth's MMIX constants).
fn uniform(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    (*state >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn an_eve_who_knows_all_photon_numbers_gets_no_more_pulses_through_than_is_charged() {
    let (mu, dead_time_slots, slots) = (0.1_f64, 30_u64, 2_000_000_u64);
    let several = 1.0 - (1.0 + mu) * (-mu).exp();
    let (mut state, mut click, mut of_several, mut all) = (4, 0, 0_u64, 0_u64);
    for slot in 0..slots {
        let holds_several = uniform(&mut state) < several;
        let since = slot - click;
        // Every pulse of several photons that can click does; other pulses click in between, but
        // never so late that one of several photons would find the detectors blind.
        if holds_several && since > dead_time_slots {
            of_several += 1;
            all += since / (dead_time_slots + 1);
            click = slot;
        }
    }
    let per_slot = |clicks: u64| clicks as f64 / slots as f64;
    let dead_time = dead_time_slots as f64;
    let charged = several / (1.0 + dead_time * several);
    // Cycles of k + 1/P slots with a deviation of √(1−P)/P each.
    let (cycle, cycle_deviation) = (1.0 / charged, (1.0 - several).sqrt() / several);
    let deviation = cycle_deviation / (cycle.powi(3) * slots as f64).sqrt();
    let excess = (per_slot(of_several) - charged) / deviation;
    assert!(excess.abs() < 5.0, "{excess} deviations");
    // The share of live slots times P is less than she gets.
    let live = 1.0 - dead_time * per_slot(all);
    assert!(live * several < 0.5 * per_slot(of_several), "{live}");

    let seen = ClassGain {
        intensity: mu,
        gain: charged * (1.0 - 1e-9),
        qber: 0.0,
    };
    let rate = without_decoys(&seen, dead_time, &PROCESSING).unwrap();
    assert_eq!(rate.secret_bits_per_pulse(), 0.0);
    let wrong = without_decoys(&seen, -1.0, &PROCESSING).unwrap_err();
    assert!(wrong.to_string().contains("dead_time_slots is -1"));
}
