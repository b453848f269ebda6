use super::*;
use crate::reference_table::Table;

fn source() -> DecoySource {
    DecoySource::new([0.5, 0.15], [0.7, 0.3]).unwrap()
}

const PARAMETERS: SecurityParameters = SecurityParameters {
    secrecy: 1e-12,
    correctness: 1e-12,
};

/// The channel that the reference rows state: one dark count per slot, no double clicks.
fn reference_statistics(pulses: f64, distance_km: f64) -> Statistics<f64> {
    let transmittance = 10_f64.powf(-0.2 * distance_km / 10.0);
    let dark = 200.0 / 625e6;
    let key_basis_probability = 0.9_f64;
    let basis = |probability: f64| {
        let mut basis = BasisStatistics {
            counts: [0.0; 2],
            errors: [0.0; 2],
        };
        for class in IntensityClass::ALL {
            let i = class.index();
            let light = transmittance * source().intensities()[i];
            let sent = pulses * probability.powi(2) * source().probabilities()[i];
            basis.counts[i] = sent * (1.0 - (1.0 - dark) * (-light).exp());
            basis.errors[i] = sent * (0.02 * (1.0 - (-light).exp()) + dark / 2.0);
        }
        basis
    };
    Statistics {
        key: basis(key_basis_probability),
        test: basis(1.0 - key_basis_probability),
    }
}

/// Leakage of the reference rows, f n h(E) with f = 1.16, rounded to whole bits as ours must be.
fn reference_leakage(statistics: &Statistics<f64>) -> (Leakage, f64) {
    let key = &statistics.key;
    let exact = 1.16 * key.total_counts() * binary_entropy(key.qber());
    let leakage = Leakage {
        from_alice_bits: exact.round() as u64,
        ..Leakage::default()
    };
    (leakage, exact - exact.round())
}

#[test]
fn reference_rows_are_reproduced() {
    // The paper's X, which makes the key there, is our Z.
    for row in Table::parse(include_str!("reference.csv")).rows() {
        let pulses = row.number("N_sent");
        let distance_km = row.number("L_km");
        let statistics = reference_statistics(pulses, distance_km);
        let (leakage, rounding) = reference_leakage(&statistics);
        let result = secret_length(statistics, &source(), &leakage, &PARAMETERS);
        row.assert_equal("nX", statistics.key.total_counts());
        row.assert_equal("nZ", statistics.test.total_counts());
        row.assert_within("sX1", result.single_photon_key_min, 1e-6);
        row.assert_within("sZ1", result.single_photon_test_min, 1e-6);
        row.assert_within("phi_X", result.phase_error_rate, 1e-6);
        row.assert_within("l_unclamped", result.length_unclamped - rounding, 1e-6);
        let positive = row.number("l_unclamped") > 0.0;
        assert_eq!(result.secret_length_bits() > 0, positive);
    }
}

#[test]
fn more_errors_or_more_leakage_never_lengthen_the_key() {
    let statistics = reference_statistics(1e9, 30.0);
    let (leakage, _) = reference_leakage(&statistics);
    let length = |statistics: Statistics<f64>, leakage: Leakage| {
        secret_length(statistics, &source(), &leakage, &PARAMETERS).length_unclamped
    };
    let honest = length(statistics, leakage);
    for class in IntensityClass::ALL {
        let mut worse = statistics;
        worse.key.errors[class.index()] *= 1.5;
        assert!(length(worse, leakage) <= honest, "key errors, {class}");
    }
    let mut worse = statistics;
    worse.test.errors[0] *= 1.5;
    assert!(length(worse, leakage) < honest, "test errors");
    let mut worse = leakage;
    worse.from_alice_bits += 1000;
    assert!((honest - length(statistics, worse) - 1000.0).abs() < 1e-3);
    let mut fewer = statistics;
    fewer.key.counts[1] *= 0.99;
    assert!(length(fewer, leakage) < honest, "fewer decoy detections");
}

#[test]
fn a_longer_block_yields_a_larger_share() {
    let share = |pulses: f64| {
        let statistics = reference_statistics(pulses, 25.0);
        let (leakage, _) = reference_leakage(&statistics);
        secret_length(statistics, &source(), &leakage, &PARAMETERS).length_unclamped / pulses
    };
    let shares = [1e8, 1e9, 1e10, 1e11].map(share);
    assert!(shares.is_sorted(), "{shares:?}");
}

#[test]
fn photon_number_splitting_leaves_no_key() {
    // Eve blocks single photons and forwards the rest without an error: the decoys go missing
    // (their gain falls from 0.3 of the signal's to 0.11) while the QBER stays.
    let mut statistics = reference_statistics(1e9, 50.0);
    let (leakage, _) = reference_leakage(&statistics);
    for basis in [&mut statistics.key, &mut statistics.test] {
        basis.counts[1] *= 0.35;
        basis.errors[1] *= 0.35;
    }
    let result = secret_length(statistics, &source(), &leakage, &PARAMETERS);
    assert_eq!(result.secret_length_bits(), 0, "{result:?}");
}

#[test]
fn verification_costs_what_was_sent_or_what_correctness_needs() {
    let leakage = Leakage {
        from_alice_bits: 1000,
        from_bob_bits: 1000,
        verification_tag_bits: 128,
        verification_outcome_bits: 1,
    };
    assert_eq!(charged_leakage(&leakage, &PARAMETERS), 1129.0);
    let short = Leakage {
        verification_tag_bits: 32,
        ..leakage
    };
    let needed = 1000.0 + (2e12_f64).log2();
    assert!((charged_leakage(&short, &PARAMETERS) - needed).abs() < 1e-9);
}

#[test]
fn no_detections_give_no_key_and_no_nan() {
    let result = secret_length(
        Statistics::<u64>::default(),
        &source(),
        &Leakage::default(),
        &PARAMETERS,
    );
    assert_eq!(result.secret_length_bits(), 0);
    assert!(result.length_unclamped.is_finite());
    assert_eq!(result.phase_error_rate, 0.5);
}
