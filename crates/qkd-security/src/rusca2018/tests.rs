use super::*;
use crate::mathematics::{exp_m1, pow};
use crate::reference_table::{Row, Table};

const PARAMETERS: SecurityParameters = SecurityParameters {
    secrecy: 1e-9,
    correctness: 1e-15,
};
const DARK: f64 = 1e-8;
const CLOCK_HZ: f64 = 1e9;
const DEAD_TIME_S: f64 = 100e-9;

fn source() -> DecoySource {
    DecoySource::new([0.5, 0.15], [0.7, 0.3]).unwrap()
}

/// The block and the link behind a reference row.
struct Reference {
    block: Block,
    live_pulses: f64,
    live_share: f64,
}

fn reference(row: Row) -> Reference {
    let transmittance = 0.5 * pow(10.0, -row.number("att_dB") / 10.0);
    let source = source();
    let clicks = |mu: f64| 1.0 - (1.0 - DARK) * exp(-transmittance * mu);
    let errors = |mu: f64| -0.01 * exp_m1(-transmittance * mu) + DARK / 2.0;
    let [both_key, both_test] = [0.9 * 0.9, 0.1 * 0.1];
    let click_probability = source.average(clicks);
    let live_pulses = row.number("nZ") / (both_key * click_probability);
    let basis = |both: f64| {
        let per_class = |value: &dyn Fn(f64) -> f64| {
            [0, 1].map(|i| {
                live_pulses * both * source.probabilities()[i] * value(source.intensities()[i])
            })
        };
        BasisStatistics {
            counts: per_class(&clicks),
            errors: per_class(&errors),
        }
    };
    let statistics = Statistics {
        key: basis(both_key),
        test: basis(both_test),
    };
    let key = &statistics.key;
    Reference {
        block: Block {
            leaked_bits: 1.16 * key.total_counts() * binary_entropy(key.qber()),
            statistics,
            source,
            parameters: PARAMETERS,
        },
        live_pulses,
        live_share: 1.0 / (1.0 + CLOCK_HZ * click_probability * DEAD_TIME_S),
    }
}

#[test]
fn reference_rows_are_reproduced() {
    let table = Table::parse(include_str!("reference.csv"));
    for row in table.rows() {
        let reference = reference(row);
        let statistics = &reference.block.statistics;
        let found = secret_length(&reference.block).unwrap();
        row.assert_equal("N_live", reference.live_pulses);
        row.assert_equal("QBER_Z", statistics.key.qber());
        row.assert_equal("nX", statistics.test.total_counts());
        row.assert_equal("sZ0_low", found.vacuum_key_min);
        row.assert_equal("sZ0_up", found.vacuum_key_max);
        row.assert_within("sZ1_low", found.single_photon_key_min, 1e-8);
        row.assert_within("phi_Z", found.phase_error_rate, 1e-6);
        // The reference writes −1 where the test basis shows no single photon.
        if row.number("sX1_low") < 0.0 {
            assert_eq!(found.single_photon_test_min, 0.0);
            assert_eq!(found.secret_length_bits(), 0);
            continue;
        }
        row.assert_within("sX1_low", found.single_photon_test_min, 1e-6);
        row.assert_within("vX1_up", found.single_photon_test_errors_max, 1e-8);
        row.assert_within("l_unclamped", found.length_unclamped, 1e-6);
        let share = found.length_unclamped.max(0.0) / reference.live_pulses;
        row.assert_within("SKR_bps", share * CLOCK_HZ * reference.live_share, 1e-6);
    }
}

#[test]
fn impossible_counts_are_refused_by_name() {
    let table = Table::parse(include_str!("reference.csv"));
    let block = reference(table.rows().next().unwrap()).block;
    let mut wrong = block;
    wrong.statistics.key.errors[1] = wrong.statistics.key.counts[1] + 1.0;
    let error = secret_length(&wrong).unwrap_err().to_string();
    assert!(error.contains("key_basis.errors"), "{error}");
    let mut wrong = block;
    wrong.statistics.test.counts[0] = -1.0;
    let error = secret_length(&wrong).unwrap_err().to_string();
    assert!(error.contains("test_basis.counts"), "{error}");
    let wrong = Block {
        leaked_bits: f64::NAN,
        ..block
    };
    let error = secret_length(&wrong).unwrap_err().to_string();
    assert!(error.contains("leaked_bits"), "{error}");
    let mut wrong = block;
    wrong.parameters.secrecy = 0.0;
    let error = secret_length(&wrong).unwrap_err().to_string();
    assert!(error.contains("secrecy"), "{error}");
}

#[test]
fn no_detections_give_no_key_and_no_nan() {
    let block = Block {
        statistics: Statistics::default(),
        source: source(),
        leaked_bits: 0.0,
        parameters: PARAMETERS,
    };
    let found = secret_length(&block).unwrap();
    assert_eq!(found.secret_length_bits(), 0);
    assert!(found.length_unclamped.is_finite());
    assert_eq!(found.phase_error_rate, 0.5);
}
