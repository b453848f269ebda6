//! Published figures, through `plan` with the channels of the papers.

use super::*;
use crate::bisection::last_holding;
use crate::reference_table::Table;

/// A link without anything that a paper does not mention.
fn bare() -> PlanInput {
    let mut input = snspd(0.0);
    input.channel = ChannelModel::Published;
    input.link.dead_time_slots = 0;
    input
}

#[test]
fn rows_of_lim_2014_are_reproduced() {
    let mut input = bare();
    input.theorem = PlanTheorem::Lim2014;
    input.link.intensities = vec![0.5, 0.1, 2e-4];
    input.link.intensity_probabilities = vec![0.4, 0.4, 0.2];
    input.link.key_basis_probability = 0.7;
    input.link.detector_efficiency = 0.1;
    input.link.dark_count_probability = 6e-7;
    input.link.afterpulse_probability = 0.04;
    input.link.misalignment_error = 5e-3;
    input.reconciliation_inefficiency = 1.16;
    let mut rows = 0;
    for row in Table::parse(include_str!("../../lim2014/reference.csv")).rows() {
        // The other rows leave counts below zero as printed.
        if row.text("clip") != "1" {
            continue;
        }
        rows += 1;
        input.block_bits = row.number("nX") as u64;
        input.link.transmittance_channel = fibre(0.2 * row.number("L_km"));
        let point = plan(&input).unwrap();
        let block = point.block.unwrap();
        row.assert_equal("N_sent", block.slots);
        row.assert_equal("nZ", block.test_counts.iter().sum());
        row.assert_equal("e_obs", point.qber);
        row.assert_equal("lambda_EC", block.leaked_bits);
        row.assert_within("phi_X", point.phase_error_rate, 1e-8);
        row.assert_within("l_unclamped", block.length_unclamped, 1e-6);
        row.assert_within("R_per_pulse", point.secret_bits_per_pulse, 1e-6);
    }
    assert!(rows > 10);
}

#[test]
fn rows_of_rusca_2018_are_reproduced() {
    let mut input = bare();
    input.theorem = PlanTheorem::Rusca2018;
    input.link.intensities = vec![0.5, 0.15];
    input.link.intensity_probabilities = vec![0.7, 0.3];
    input.link.key_basis_probability = 0.9;
    input.link.detector_efficiency = 0.5;
    input.link.dead_time_slots = 100;
    input.parameters.secrecy = 1e-9;
    input.reconciliation_inefficiency = 1.16;
    for row in Table::parse(include_str!("../../rusca2018/reference.csv")).rows() {
        input.block_bits = row.number("nZ") as u64;
        input.link.transmittance_channel = fibre(row.number("att_dB"));
        let point = plan(&input).unwrap();
        row.assert_equal("QBER_Z", point.qber);
        row.assert_within("SKR_bps", point.secret_key_rate_bps, 1e-6);
    }
}

#[test]
fn rows_of_wiesemann_2024_are_reproduced() {
    let mut input = bare();
    input.link.intensities = vec![0.5, 0.15];
    input.link.intensity_probabilities = vec![0.7, 0.3];
    input.link.key_basis_probability = 0.9;
    input.link.detector_efficiency = 1.0;
    input.link.dark_count_probability = 200.0 / 625e6;
    input.link.misalignment_error = 0.02;
    input.link.clock_hz = 625e6;
    input.parameters = SecurityParameters {
        secrecy: 1e-12,
        correctness: 1e-12,
    };
    input.reconciliation_inefficiency = 1.16;
    for row in Table::parse(include_str!("../../wiesemann2024/reference.csv")).rows() {
        let key_bits = row.number("nX");
        input.block_bits = key_bits.round() as u64;
        input.link.transmittance_channel = fibre(0.2 * row.number("L_km"));
        let point = plan(&input).unwrap();
        let block = point.block.clone().unwrap();
        // The table's blocks are no whole numbers of bits.
        let rounding = (key_bits - key_bits.round()).abs() / key_bits;
        row.assert_within("N_sent", block.slots, 1e-9 + rounding);
        row.assert_within("phi_X", point.phase_error_rate, 1e-9 + 2.0 * rounding);
        let (rate, expected) = (point.secret_bits_per_pulse, row.number("R_per_pulse"));
        assert!((rate / expected - 1.0).abs() < 1e-6 || rate == expected);
        assert_eq!(
            block.length_unclamped > 0.0,
            row.number("l_unclamped") > 0.0
        );
    }
}

#[test]
fn leaked_bits_are_not_rounded() {
    let block = plan(&snspd(10.0)).unwrap().block.unwrap();
    let PlanBounds::Wiesemann2024(length) = block.bounds else {
        panic!("another theorem")
    };
    let charged = block.leaked_bits + crate::mathematics::log2(2e15);
    assert!(block.leaked_bits.fract() > 0.0);
    assert_eq!(length.charged_leakage_bits, charged);
}

/// Gobby, Yuan and Shields, APL 84, 3762 (2004), as Ma et al. use it.
fn gys(theorem: PlanTheorem, intensities: &[f64], distance_km: f64) -> PlanInput {
    let mut input = bare();
    input.theorem = theorem;
    input.link.intensities = intensities.to_vec();
    input.link.intensity_probabilities = Vec::new();
    input.link.key_basis_probability = 0.5;
    input.link.detector_efficiency = 0.045;
    // Y0 = 1 − (1 − p_d)² = 1.7e-6
    input.link.dark_count_probability = 1.7e-6 / (1.0 + (1.0_f64 - 1.7e-6).sqrt());
    input.link.misalignment_error = 0.033;
    input.link.transmittance_channel = fibre(0.21 * distance_km);
    input.reconciliation_inefficiency = 1.22;
    input
}

#[test]
fn rows_of_ma_2005_are_reproduced() {
    for row in Table::parse(include_str!("../../gllp/reference.csv")).rows() {
        let distance_km = row.number("L_km");
        let infinite = PlanTheorem::GllpDecoyInfinite;
        let point = plan(&gys(infinite, &[0.48], distance_km)).unwrap();
        row.assert_equal("E_mu", point.qber);
        row.assert_equal("e1_inf", point.phase_error_rate);
        let published = row.number("R_inf").max(0.0);
        let apart = (point.secret_bits_per_pulse - published).abs();
        assert!(apart <= 1e-9 * published, "{apart} at {distance_km} km");
        let plob = point.repeaterless_bits_per_pulse;
        row.assert_within("PLOB_fibre_only", plob, 1e-9);
        assert!(point.block.is_none());

        let weak = PlanTheorem::GllpVacuumWeak;
        let point = plan(&gys(weak, &[0.48, 0.05, 0.0], distance_km)).unwrap();
        row.assert_within("e1_vw", point.phase_error_rate, 1e-8);
        let published = row.number("R_vw").max(0.0);
        let apart = (point.secret_bits_per_pulse - published).abs();
        assert!(apart <= 1e-8 * published, "{apart} at {distance_km} km");
    }
}

fn largest_distance(rate: impl Fn(f64) -> f64) -> f64 {
    last_holding(0.0..=300.0, |distance_km| rate(distance_km) > 0.0).unwrap()
}

#[test]
fn published_reaches_are_met() {
    let rate = |theorem, intensities: &[f64], distance_km| {
        let input = gys(theorem, intensities, distance_km);
        plan(&input).unwrap().secret_bits_per_pulse
    };
    let infinite = |km| rate(PlanTheorem::GllpDecoyInfinite, &[0.48], km);
    let weak = |km| rate(PlanTheorem::GllpVacuumWeak, &[0.48, 0.05, 0.0], km);
    let none = |km| {
        let best = optimise(&gys(PlanTheorem::Gllp, &[0.1], km), None).unwrap();
        plan(&best).unwrap().secret_bits_per_pulse
    };
    assert!((largest_distance(none) / 40.20711106752752 - 1.0).abs() < 1e-6);
    assert!((largest_distance(infinite) / 142.01442493542646 - 1.0).abs() < 1e-6);
    assert!((largest_distance(weak) / 140.61940002431808 - 1.0).abs() < 1e-6);
}

#[test]
fn the_best_signal_is_the_published_one() {
    let best = |inefficiency: f64| {
        let mut input = gys(PlanTheorem::GllpDecoyInfinite, &[0.1], 0.0);
        input.reconciliation_inefficiency = inefficiency;
        input.link.dark_count_probability = 0.0;
        // Rare clicks, as the published equation takes them.
        input.link.transmittance_channel = 1e-6;
        optimise(&input, None).unwrap().link.intensities[0]
    };
    assert!((best(1.22) / 0.4789227491279087 - 1.0).abs() < 1e-3);
    assert!((best(1.0) / 0.5441152779396958 - 1.0).abs() < 1e-3);
}
