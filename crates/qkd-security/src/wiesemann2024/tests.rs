use super::*;

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

fn close(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= 1e-6 * expected.abs() + 1e-12
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
    // N_sent, L_km, n_key, n_test, s_key1, s_test1, phi, l_unclamped
    let rows: [[f64; 8]; 14] = [
        [
            1e8,
            0.0,
            25694525.4649,
            317216.363764,
            18525792.4281,
            192600.180574,
            0.0560718607579,
            8536202.08952,
        ],
        [
            1e8,
            50.0,
            3127096.41779,
            38606.1286147,
            1698677.3734,
            8372.72039466,
            0.216156428916,
            -93936.3231045,
        ],
        [
            1e8,
            150.0,
            32013.5500837,
            395.229013379,
            5227.71465198,
            0.0,
            0.5,
            -5548.26849075,
        ],
        [
            1e8,
            200.0,
            3225.34536863,
            39.8190786251,
            0.0,
            0.0,
            0.5,
            -823.230996795,
        ],
        [
            1e9,
            50.0,
            31270964.1779,
            386061.286147,
            17858999.597,
            180641.188724,
            0.0716055441281,
            6085786.42278,
        ],
        [
            1e9,
            100.0,
            3192409.2379,
            39412.4597271,
            1687402.95644,
            8101.2100597,
            0.226028355115,
            -138431.147673,
        ],
        [
            1e9,
            200.0,
            32253.4536863,
            398.190786251,
            5016.36511298,
            0.0,
            0.5,
            -6297.82073526,
        ],
        [
            1e10,
            0.0,
            2569452546.49,
            31721636.3764,
            1885487493.08,
            22916490.3094,
            0.0322376798232,
            1076452855.6,
        ],
        [
            1e10,
            100.0,
            31924092.379,
            394124.597271,
            17755416.1977,
            178943.948738,
            0.0737130538521,
            5768796.55191,
        ],
        [
            1e10,
            150.0,
            3201355.00837,
            39522.9013379,
            1685800.89557,
            8049.34515385,
            0.230650615695,
            -161227.80315,
        ],
        [
            1e12,
            0.0,
            256945254649.0,
            3172163637.64,
            188877831811.0,
            2328213753.46,
            0.030171174139,
            109841424086.0,
        ],
        [
            1e12,
            50.0,
            31270964177.9,
            386061286.147,
            18249626423.0,
            224044169.394,
            0.0409941493956,
            8613565233.13,
        ],
        [
            1e12,
            150.0,
            320135500.837,
            3952290.13379,
            180210383.861,
            2097189.43803,
            0.0508966077097,
            74581026.9161,
        ],
        [
            1e12,
            200.0,
            32253453.6863,
            398190.786251,
            17710264.2165,
            177704.520261,
            0.0782893809289,
            4611731.457,
        ],
    ];
    for [
        pulses,
        distance_km,
        key,
        test,
        single_key,
        single_test,
        phi,
        length,
    ] in rows
    {
        let statistics = reference_statistics(pulses, distance_km);
        let (leakage, rounding) = reference_leakage(&statistics);
        let result = secret_length(statistics, &source(), &leakage, &PARAMETERS);
        let at = format!("N = {pulses}, {distance_km} km: {result:?}");
        assert!(close(statistics.key.total_counts(), key), "{at}");
        assert!(close(statistics.test.total_counts(), test), "{at}");
        assert!(close(result.single_photon_key_min, single_key), "{at}");
        assert!(close(result.single_photon_test_min, single_test), "{at}");
        assert!(close(result.phase_error_rate, phi), "{at}");
        assert!(close(result.length_unclamped - rounding, length), "{at}");
        assert_eq!(result.secret_length_bits() > 0, length > 0.0, "{at}");
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
